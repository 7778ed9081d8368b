//! A tracker's URL as people type it: `http://host:6969/announce`, `udp://host:6969`, `host:6969`.
//!
//! What is left out is filled in: the scheme is http, the path `/announce`, the port the scheme's
//! own, or 6969 where no scheme was given. Path and query stay as typed, passkeys and all. Parsed
//! once here; what holds a [`TrackerUrl`] checks nothing again. Names are ASCII: one in another
//! script is typed in its `xn--` form. Sources: RFC 3986, BEP 15 (udp), BEP 48 (scrape).

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::fmt;

use ureq::http::Uri;

use crate::limits::PORT_DEFAULT;
use crate::request::quoted;

/// What a tracker is asked over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP over TCP.
    Http,
    /// HTTP over TLS.
    Https,
    /// The UDP tracker protocol (BEP 15).
    Udp,
}

impl Scheme {
    /// As URLs have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Udp => "udp",
        }
    }

    /// The port of a URL that names none; BEP 15 has none for UDP.
    fn default_port(self) -> Option<u16> {
        match self {
            Scheme::Http => Some(80),
            Scheme::Https => Some(443),
            Scheme::Udp => None,
        }
    }
}

/// Where a tracker is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackerUrl {
    /// See [`Scheme`].
    pub scheme: Scheme,
    /// A name or an address, IPv6 without brackets.
    pub host: String,
    /// Never 0.
    pub port: u16,
    /// Path and query, still escaped. It begins with `/`, and is empty for a UDP URL without one.
    pub target: String,
}

impl TrackerUrl {
    /// Reads what somebody has typed. The error quotes it and says what a URL looks like.
    pub fn parse(text: &str) -> Result<TrackerUrl, String> {
        let wrong = |problem: &str| {
            format!(
                "{}: {problem}; a tracker is http://HOST:PORT/announce or udp://HOST:PORT",
                quoted(text.as_bytes())
            )
        };
        let (scheme, typed) = match text.split_once("://") {
            None => (Scheme::Http, false),
            Some((name, _)) => {
                let all = [Scheme::Http, Scheme::Https, Scheme::Udp];
                let known = all.into_iter().find(|known| known.name().eq_ignore_ascii_case(name));
                (known.ok_or_else(|| wrong("a scheme other than http, https and udp"))?, true)
            }
        };
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let rest = rest.split('#').next().unwrap_or(rest);
        // The parser knows a query only behind a path.
        let rest = match rest.find(['/', '?']) {
            Some(at) if rest.get(at..).is_some_and(|rest| rest.starts_with('?')) => {
                let (authority, query) = rest.split_at(at);
                format!("{authority}/{query}")
            }
            _ => rest.to_owned(),
        };
        let uri: Uri = format!("http://{rest}").parse().map_err(|_| wrong("not a URL"))?;
        let authority = uri.authority().ok_or_else(|| wrong("no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("a user name in it, which no tracker takes"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(wrong("no host"));
        }
        let named = authority.as_str().rsplit_once(':').filter(|(_, port)| !port.contains(']'));
        let port = match named {
            Some((_, port)) => port.parse().ok().filter(|port| *port != 0),
            None if typed => scheme.default_port(),
            None => Some(PORT_DEFAULT),
        };
        let port = port.ok_or_else(|| wrong("no port, or not one of 1 to 65535"))?;
        let target = match uri.path_and_query().map_or("", |target| target.as_str()) {
            "" | "/" if scheme == Scheme::Udp => "",
            "" | "/" => "/announce",
            target => target,
        };
        Ok(TrackerUrl { scheme, host: host.to_owned(), port, target: target.to_owned() })
    }

    /// The URL with another path and query, which begin with `/`.
    #[must_use]
    pub fn with_target(&self, target: &str) -> TrackerUrl {
        TrackerUrl { target: target.to_owned(), ..self.clone() }
    }

    /// The URL of another page of the same tracker, `stats` or `add_torrent_info`. It stands beside
    /// the announce URL: its name takes the place of what follows the path's last slash, and of
    /// `announce` before that, which a passkey follows.
    #[must_use]
    pub fn page(&self, name: &str) -> TrackerUrl {
        let folder = self.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        let folder = folder.strip_suffix("/announce").unwrap_or(folder);
        self.with_target(&format!("{folder}/{name}"))
    }

    /// The scrape URL that belongs to an announce URL: `scrape` in place of `announce` where the
    /// last slash of the path stands before it (BEP 48); query and what follows `announce` stay. A
    /// scrape URL and one over UDP are their own. `None` if the path has neither word there.
    #[must_use]
    pub fn scrape(&self) -> Option<TrackerUrl> {
        if self.scheme == Scheme::Udp {
            return Some(self.clone());
        }
        let (folder, name) = self.path().rsplit_once('/')?;
        let query = self.target.strip_prefix(self.path()).unwrap_or_default();
        if name.starts_with("scrape") {
            return Some(self.clone());
        }
        let rest = name.strip_prefix("announce")?;
        Some(self.with_target(&format!("{folder}/scrape{rest}{query}")))
    }

    /// The URL with parameters put behind those it has; they are escaped already.
    #[must_use]
    pub fn with_query(&self, parameters: &str) -> TrackerUrl {
        let mark = match self.target.contains('?') {
            true if self.target.ends_with(['?', '&']) => "",
            true => "&",
            false => "?",
        };
        self.with_target(&format!("{}{mark}{parameters}", self.target))
    }

    /// Host and port as sockets are named: `[::1]:6969`.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

impl fmt::Display for TrackerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme.name())?;
        let authority = self.authority();
        if self.scheme.default_port() == Some(self.port) {
            let bare = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
            f.write_str(bare)?;
        } else {
            f.write_str(&authority)?;
        }
        f.write_str(&self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> TrackerUrl {
        TrackerUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn what_is_left_out_is_filled_in_and_the_rest_stays_as_typed() {
        for (text, whole) in [
            ("http://a.example:6969/announce", "http://a.example:6969/announce"),
            ("http://a.example", "http://a.example/announce"),
            ("http://a.example:80/", "http://a.example/announce"),
            ("HTTPS://a.example", "https://a.example/announce"),
            ("https://a.example:6969/x", "https://a.example:6969/x"),
            ("a.example:8080", "http://a.example:8080/announce"),
            ("a.example", "http://a.example:6969/announce"),
            ("a.example/announce", "http://a.example:6969/announce"),
            ("127.0.0.1:6969", "http://127.0.0.1:6969/announce"),
            ("[::1]", "http://[::1]:6969/announce"),
            ("[::1]:7000/announce", "http://[::1]:7000/announce"),
            ("http://[2001:db8::1]/announce", "http://[2001:db8::1]/announce"),
            ("udp://a.example:6969", "udp://a.example:6969"),
            ("udp://a.example:6969/", "udp://a.example:6969"),
            ("udp://[::1]:6969/announce?k=%2F", "udp://[::1]:6969/announce?k=%2F"),
            ("http://a.example/K3Y/announce?x=%e9&y", "http://a.example/K3Y/announce?x=%e9&y"),
            ("http://a.example?x=1", "http://a.example/?x=1"),
            ("http://a.example/announce#peers", "http://a.example/announce"),
        ] {
            assert_eq!(url(text).to_string(), whole, "{text}");
            assert_eq!(url(whole), url(text), "{text}: what is shown reads as the same");
        }
    }

    #[test]
    fn what_is_no_url_of_a_tracker_is_quoted_with_what_is_wrong() {
        for (text, problem) in [
            ("", "not a URL"),
            ("http://", "not a URL"),
            ("http:///announce", "not a URL"),
            ("http://:6969/announce", "no host"),
            ("ftp://a.example/", "a scheme other than http, https and udp"),
            ("udp://a.example", "no port, or not one of 1 to 65535"),
            ("http://a.example:0", "no port, or not one of 1 to 65535"),
            ("a.example:99999", "no port, or not one of 1 to 65535"),
            ("a.example:x", "no port, or not one of 1 to 65535"),
            ("a b", "not a URL"),
            ("http://you:pass@a.example/announce", "a user name in it, which no tracker takes"),
        ] {
            let wanted = format!(
                "\"{text}\": {problem}; a tracker is http://HOST:PORT/announce or udp://HOST:PORT"
            );
            assert_eq!(TrackerUrl::parse(text), Err(wanted));
        }
    }

    #[test]
    fn the_scrape_url_is_the_announce_url_with_one_word_replaced() {
        // The examples of BEP 48 first.
        for (announce, scrape) in [
            ("http://a.example/announce", Some("http://a.example/scrape")),
            ("http://a.example/x/announce", Some("http://a.example/x/scrape")),
            ("http://a.example/announce.php", Some("http://a.example/scrape.php")),
            ("http://a.example/a", None),
            ("http://a.example/announce?x2%0644", Some("http://a.example/scrape?x2%0644")),
            ("http://a.example/announce?x=2/4", Some("http://a.example/scrape?x=2/4")),
            ("http://a.example/x%064announce", None),
            ("http://a.example/scrape?k=1", Some("http://a.example/scrape?k=1")),
            ("udp://a.example:1/x", Some("udp://a.example:1/x")),
        ] {
            let found = url(announce).scrape().map(|scrape| scrape.to_string());
            assert_eq!(found.as_deref(), scrape, "{announce}");
        }
    }

    #[test]
    fn pages_stand_beside_the_announce_url() {
        for (typed, page) in [
            ("http://a.example:6969/announce", "http://a.example:6969/stats"),
            ("a.example", "http://a.example:6969/stats"),
            ("https://a.example/tracker/announce?k=1", "https://a.example/tracker/stats"),
            ("https://a.example/tracker/", "https://a.example/tracker/stats"),
            ("https://a.example/t/announce/K3Y", "https://a.example/t/stats"),
        ] {
            assert_eq!(url(typed).page("stats").to_string(), page);
        }
    }

    #[test]
    fn parameters_are_put_behind_those_there_are() {
        for (typed, whole) in [
            ("http://a.example/announce", "http://a.example/announce?port=1"),
            ("http://a.example/announce?k=1", "http://a.example/announce?k=1&port=1"),
            ("http://a.example/announce?", "http://a.example/announce?port=1"),
        ] {
            assert_eq!(url(typed).with_query("port=1").to_string(), whole);
        }
    }
}
