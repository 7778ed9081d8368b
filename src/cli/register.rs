//! Registering one torrent with a tracker, again after what may pass: `/add_torrent_info`.
//!
//! What is told is what the original script tells, with its default for a torrent without
//! `created by`. Tried again is what a moment may cure: no connection, a connection that broke off,
//! a status from 500 on. What the tracker says about the torrent or about us it would say again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::operator_page::refusal;
use crate::client::http::{Caller, Reply};
use crate::client::tracker_url::TrackerUrl;
use crate::clock::Clock;
use crate::limits::ADD_RETRY_DELAY_SECONDS_MAX;
use crate::metainfo::Metainfo;
use crate::registration::Registration;
use crate::request::InfoHash;
use crate::token::Token;

/// The program that made a torrent which does not say so, in the words of the original script.
const CREATED_BY_DEFAULT: &str = "Torrent Tracker Script";

/// The message with which the original tracker, and ours, says that it has registered a torrent.
const REGISTERED: &str = "Torrent info added successfully";

/// A tracker and how it is asked.
pub(super) struct Registrar {
    pub(super) caller: Caller,
    /// The page that registers.
    pub(super) url: TrackerUrl,
    pub(super) token: Option<Token>,
    /// Never fill in a similar torrent that the tracker knows.
    pub(super) exact: bool,
    pub(super) tries: u32,
    /// The least pause before the second try.
    pub(super) retry_delay: Duration,
    /// Whether some torrent has used up its tries without an answer. The others then try once
    /// each, or a folder of thousands would take hours to say that the tracker is down.
    pub(super) lost: AtomicBool,
    /// What the pauses are waited on.
    pub(super) clock: Clock,
}

/// What the tracker has made of a torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It did not know it.
    New,
    /// It knew it, from clients or from an earlier registration.
    Updated,
    /// It did not know it, and filled in this one, which is similar.
    Similar(InfoHash),
    /// It does not say; the original tracker does not.
    Unsaid,
}

impl Outcome {
    /// As lines and JSON have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Outcome::New => "new",
            Outcome::Updated => "updated",
            Outcome::Similar(_) => "similar",
            Outcome::Unsaid => "registered",
        }
    }
}

/// What the original script extracts of a torrent, and which text had to be cut, if one had to.
pub(super) fn registration(metainfo: &Metainfo) -> (Registration, Option<String>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let created_by = metainfo.created_by.as_deref().filter(|made_by| !made_by.is_empty());
    let whole = Registration {
        name: text(&metainfo.name),
        size: metainfo.size(),
        piece_length: metainfo.piece_length,
        comment: text(metainfo.comment.as_deref().unwrap_or_default()),
        created_by: created_by.map_or_else(|| CREATED_BY_DEFAULT.to_owned(), text),
        creation_date: metainfo.creation_date.unwrap_or(0),
    };
    whole.cut()
}

impl Registrar {
    /// Registers a torrent; the error is one line. `told` takes a line for each try that failed and
    /// is not the last.
    pub(super) fn register(
        &self,
        info_hash: &InfoHash,
        registration: &Registration,
        told: impl Fn(&str),
    ) -> Result<Outcome, String> {
        let body = self.body(info_hash, registration).to_string();
        let mut failed = 0;
        loop {
            let error = match self.ask(body.as_bytes()) {
                Ok(reply) if reply.status < 500 => {
                    self.lost.store(false, Ordering::Relaxed);
                    return self.outcome(info_hash, &reply);
                }
                Ok(reply) => refusal(&self.url, &reply, self.token.is_some()),
                Err(failure) if !failure.may_pass => return Err(failure.text),
                Err(failure) => failure.text,
            };
            failed += 1;
            if failed >= self.tries || self.lost.load(Ordering::Relaxed) {
                self.lost.store(true, Ordering::Relaxed);
                return Err(match failed {
                    1 => error,
                    tries => format!("{error} ({tries} tries)"),
                });
            }
            let pause = pause(failed, self.retry_delay, fastrand::f64());
            let seconds = pause.as_secs_f64();
            told(&format!("{error}; try {failed} of {}, again in {seconds:.1} s", self.tries));
            let until = self.clock.millis() + pause.as_millis() as u64;
            self.clock.wait(until, || false);
        }
    }

    fn body(&self, info_hash: &InfoHash, registration: &Registration) -> Value {
        let Registration { name, size, piece_length, comment, created_by, creation_date } =
            registration;
        let mut body = json!({
            "info_hash": info_hash.to_string(),
            "name": name,
            "size": size,
            "piece_length": piece_length,
            "comment": comment,
            "created_by": created_by,
            "creation_date": creation_date,
        });
        if self.exact {
            body["exact"] = true.into();
        }
        body
    }

    fn ask(&self, body: &[u8]) -> Result<Reply, crate::client::Failure> {
        let shown = self.token.as_ref().map(Token::authorization);
        let json = ("Content-Type", "application/json");
        let authorization = shown.as_deref().map(|shown| ("Authorization", shown));
        let headers: Vec<_> = std::iter::once(json).chain(authorization).collect();
        self.caller.post(&self.url, &headers, body)
    }

    /// Reads the answer.
    fn outcome(&self, info_hash: &InfoHash, reply: &Reply) -> Result<Outcome, String> {
        if !(200..300).contains(&reply.status) {
            return Err(refusal(&self.url, reply, self.token.is_some()));
        }
        let answer: Option<Value> = serde_json::from_slice(&reply.body).ok();
        let said = |key: &str| answer.as_ref().and_then(|answer| answer.get(key));
        if said("error").is_some() {
            return Err(refusal(&self.url, reply, self.token.is_some()));
        }
        let text = |key: &str| said(key).and_then(Value::as_str);
        match (text("matched"), text("message")) {
            (Some("new"), _) => Ok(Outcome::New),
            (Some("exact"), _) => Ok(Outcome::Updated),
            (Some("similar"), _) => {
                let named = text("info_hash").and_then(|hex| InfoHash::from_hex(hex.as_bytes()));
                Ok(Outcome::Similar(named.unwrap_or(*info_hash)))
            }
            (None, Some(REGISTERED)) => Ok(Outcome::Unsaid),
            _ => Err(format!(
                "{}: answered {}, but not as a tracker that registers torrents; is the URL right?",
                self.url, reply.status
            )),
        }
    }
}

/// How long to wait after so many failures, from 1: twice as long each time, and up to half as much
/// again at random, so that several that failed together do not come back together.
fn pause(failures: u32, least: Duration, random: f64) -> Duration {
    let most = least.max(Duration::from_secs(ADD_RETRY_DELAY_SECONDS_MAX.into()));
    let doubled = 2u32.saturating_pow(failures.saturating_sub(1));
    least.saturating_mul(doubled).min(most).mul_f64(1.0 + random / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_are_spread_over_half_as_much_again() {
        let seconds = |failures, least, random| {
            pause(failures, Duration::from_secs(least), random).as_secs_f64()
        };
        for (failures, least, random, wanted) in [
            (1, 2, 0.0, 2.0),
            (1, 2, 0.5, 2.5),
            (2, 2, 0.0, 4.0),
            (2, 2, 1.0, 6.0),
            (3, 2, 0.0, 8.0),
            (6, 2, 0.0, 60.0),
            (4_000_000_000, 2, 1.0, 90.0),
            (9, 0, 1.0, 0.0),
            (1, 3600, 0.0, 3600.0),
            (2, 3600, 0.0, 3600.0),
        ] {
            let found = seconds(failures, least, random);
            assert!((found - wanted).abs() < 1e-6, "{failures} {least} {random}: {found}");
        }
    }

    #[test]
    fn a_torrent_is_told_as_the_original_script_tells_it() {
        let info = "d5:filesld6:lengthi7e4:pathl1:aeed6:lengthi5e4:pathl1:beee4:name1:n\
                    12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae";
        let outer = "7:comment2:hi10:created by4:me 113:creation datei1700000000e";
        let whole = format!("d{outer}4:info{info}e");
        let bare = format!("d4:info{info}e");
        let read = |text: &str| {
            registration(&Metainfo::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e}")))
        };
        let wanted = Registration {
            name: "n".to_owned(),
            size: 12,
            piece_length: 16_384,
            comment: "hi".to_owned(),
            created_by: "me 1".to_owned(),
            creation_date: 1_700_000_000,
        };
        assert_eq!(read(&whole), (wanted.clone(), None));
        let unsaid = Registration {
            comment: String::new(),
            created_by: "Torrent Tracker Script".to_owned(),
            creation_date: 0,
            ..wanted
        };
        assert_eq!(read(&bare), (unsaid, None));
    }
}
