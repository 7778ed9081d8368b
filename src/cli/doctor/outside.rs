//! A URL from the outside: whether a tracker answers there, and which address it sees.
//!
//! It is asked with an announce of `event=stopped` for a random hash, which puts nobody on a list.
//! The address in the answer (`external ip`, BEP 24) tells whether a proxy in between names its
//! clients: if not, every client is listed with the proxy's address.

use std::net::IpAddr;

use super::finding::Finding;
use super::network::settings;
use crate::addresses::host_addresses;
use crate::client::answer::Answer;
use crate::client::http::unknown_host;
use crate::client::question::Announce;
use crate::client::tracker_url::{Scheme, TrackerUrl};
use crate::client::{AddressFamily, Asker};
use crate::request::{Event, InfoHash, PeerId};
use crate::subnet::is_local;

/// Asks the tracker at a URL; fails if that is none.
pub(super) fn check(url: &str, findings: &mut Vec<Finding>) -> Result<(), String> {
    let url = TrackerUrl::parse(url)?;
    let announce = Announce {
        info_hash: InfoHash(std::array::from_fn(|_| fastrand::u8(..))),
        peer_id: PeerId(*b"-MU0100-doctor-0000-"),
        port: 1,
        uploaded: 0,
        downloaded: 0,
        left: 1,
        event: Event::Stopped,
        numwant: Some(0),
        key: fastrand::u32(..),
        ip: None,
        compact: true,
    };
    let own = host_addresses();
    let told = Asker::new(&url, settings()).and_then(|mut asker| asker.announce(&announce, &own));
    let wrong_url = "see whether this is the announce URL: a muster prints its own when it starts";
    let answer = match told {
        Err(failure) => {
            let advice = advice_to_reach(&url, &failure.text, failure.may_pass);
            Err((failure.text, advice))
        }
        Ok(told) => told.answer.map_err(|error| (format!("{url}: {error}"), wrong_url)),
    };
    findings.push(match answer {
        Err((error, advice)) => Finding::problem("url", error, advice),
        Ok(Answer::Announced(announced)) => judge_seen(&url, announced.external_ip, &own),
        Ok(_) => Finding::warning(
            "url",
            format!("{url} answers, and refuses an announce of an unknown torrent"),
            "nothing, if it is meant to; muster announce URL TORRENT tells why",
        ),
    });
    Ok(())
}

/// What to do about a tracker that could not be asked.
fn advice_to_reach(url: &TrackerUrl, text: &str, may_pass: bool) -> &'static str {
    if text.ends_with(&unknown_host(url, AddressFamily::Any)) {
        "see whether the URL is typed right, and whether the name has an address yet: getent hosts \
         NAME"
    } else if may_pass {
        "see whether firewalls and the router between here and there let the port through, TCP \
         for http and UDP for udp"
    } else {
        "see whether the URL is right: its scheme, its port, and for https the certificate"
    }
}

/// What follows from the address that the tracker saw.
fn judge_seen(url: &TrackerUrl, seen: Option<IpAddr>, own: &[IpAddr]) -> Finding {
    let Some(seen) = seen else {
        // BEP 15 has no room for it.
        let text = format!("{url} answers");
        return match url.scheme {
            Scheme::Udp => Finding::ok("url", text),
            _ => Finding::ok("url", format!("{text}, and does not say which address it saw")),
        };
    };
    let here: Option<IpAddr> = url.host.parse().ok();
    let on_loopback = url.host == "localhost" || here.is_some_and(|ip| ip.is_loopback());
    let text = format!("{url} answers, and sees this host as {seen}");
    let hidden =
        if seen.is_loopback() { !on_loopback } else { is_local(seen) && !own.contains(&seen) };
    if !hidden {
        return Finding::ok("url", text);
    }
    Finding::problem(
        "url",
        format!("{text}, which is no client's address"),
        format!(
            "a proxy stands in between: have it send X-Forwarded-For, and add {seen} to \
             trusted-proxies"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_about_a_url_goes_by_why_it_was_not_asked() {
        let url = TrackerUrl::parse("notaurl").expect("a URL");
        let unknown = format!("{url}: {}", unknown_host(&url, AddressFamily::Any));
        for (text, may_pass, wanted) in [
            (&*unknown, true, "see whether the URL is typed right, and whether the name has "),
            ("x: connection refused", true, "see whether firewalls and the router between "),
            ("x: what answers there does not speak HTTP", false, "see whether the URL is right: "),
        ] {
            let advice = advice_to_reach(&url, text, may_pass);
            assert!(advice.starts_with(wanted), "{text}: {advice}");
        }
    }

    #[test]
    fn an_address_that_is_a_proxys_is_a_problem() {
        let own = ["192.168.1.20".parse().expect("an address")];
        let judged = |url: &str, seen: &str| {
            let url = TrackerUrl::parse(url).expect("a URL");
            judge_seen(&url, Some(seen.parse().expect("an address")), &own)
        };
        let url = "http://tracker.example/announce";
        for (url, seen) in [
            (url, "203.0.113.9"),
            (url, "192.168.1.20"),
            ("http://127.0.0.1:6969/announce", "127.0.0.1"),
        ] {
            let text = format!("{url} answers, and sees this host as {seen}");
            assert_eq!(judged(url, seen), Finding::ok("url", text));
        }
        for seen in ["127.0.0.1", "172.17.0.1"] {
            let text = format!(
                "{url} answers, and sees this host as {seen}, which is no client's address"
            );
            let advice = format!(
                "a proxy stands in between: have it send X-Forwarded-For, and add {seen} to \
                 trusted-proxies"
            );
            assert_eq!(judged(url, seen), Finding::problem("url", text, advice));
        }
        let udp = TrackerUrl::parse("udp://192.0.2.1:1").expect("a URL");
        assert_eq!(judge_seen(&udp, None, &own), Finding::ok("url", "udp://192.0.2.1:1 answers"));
    }
}
