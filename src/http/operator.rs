//! What the operator can do with curl: look, register, save, stop.
//!
//! These routes do slow work (disks, streams), so they run on threads of their own (`handover`) or
//! on `tiny_http`'s, never on the announce path, and only after `access` has found the caller to be
//! the operator. Each takes the whole body and writes one reply. Errors are `{"error": "field:
//! problem"}`; a refused request changes nothing.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::io;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::clock::unix_time;
use crate::hash_text::parse_info_hash;
use crate::limits::HTTP_BODY_COMMAS_MAX;
use crate::registration::Registration;
use crate::request::{InfoHash, quoted};
use crate::store::{RegisterError, Store};

use super::Service;
use super::access::Access;
use super::head::{Head, Problem};
use super::overview::FilesEncoder;
use super::query::{self, OperatorRoute, Route};
use super::status::{Connection, Status, encode_head};
use super::stream::ReplyStream;
use super::{JSON, TEXT, overview};

/// The operator's side of the service.
pub struct Operator {
    /// Who the operator is.
    pub access: Access,
    /// Where state is kept.
    pub store: Arc<Store>,
    /// Begins a graceful stop.
    pub stop: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator").field("access", &self.access).finish_non_exhaustive()
    }
}

/// Why a request fails: a status and a text that names the field.
type Failed = (Status, String);

impl Service {
    /// Does what the operator asks and writes the reply.
    pub fn serve_operator(
        &self,
        head: &Head<'_>,
        body: &[u8],
        reply: &mut ReplyStream<'_>,
    ) -> io::Result<()> {
        let done = match Route::of(head.path, head.query) {
            Route::Operator(OperatorRoute::Stats) => return self.serve_stats(head, reply),
            Route::Operator(OperatorRoute::AddTorrentInfo) => self.add_torrent_info(body),
            Route::Operator(OperatorRoute::SaveState) => self.save_state(),
            Route::Operator(OperatorRoute::Shutdown) => {
                let message = json!({ "message": "Server shutting down..." });
                let sent = send_json(reply, Status::Ok, &message);
                (self.operator.stop)();
                return sent;
            }
            Route::Scrape { .. } => return self.scrape_everything(head, reply),
            _ => Err((Status::NotFound, "nothing is here".to_owned())),
        };
        match done {
            Ok(answer) => send_json(reply, Status::Ok, &answer),
            Err((status, error)) => send_json(reply, status, &json!({ "error": error })),
        }
    }

    fn serve_stats(&self, head: &Head<'_>, reply: &mut ReplyStream<'_>) -> io::Result<()> {
        let listing = match query::parse_listing(head.query) {
            Ok(listing) => listing,
            Err(refused) => {
                let error = json!({ "error": refused.reason });
                return send_json(reply, Status::BadRequest, &error);
            }
        };
        if listing.totals {
            let mut body = Vec::new();
            overview::encode_totals(&mut body, &self.tracker, &self.stats.snapshot());
            return reply.send(Status::Ok, JSON, &body);
        }
        match listing.info_hash {
            Some(hash) if !self.tracker.knows(&hash) => {
                let answer = overview::not_tracked(&self.tracker, &hash);
                send_json(reply, Status::NotFound, &answer)
            }
            _ => {
                let now = (self.clock.seconds(), unix_time().as_secs());
                overview::stream_torrents(&self.tracker, &listing, now, reply)
            }
        }
    }

    /// `/scrape` without a hash (BEP 48): every torrent's counts, streamed.
    fn scrape_everything(&self, head: &Head<'_>, reply: &mut ReplyStream<'_>) -> io::Result<()> {
        let json = super::wants_json(head);
        reply.begin(if json { JSON } else { TEXT })?;
        let mut files = FilesEncoder::begin(reply.body(), json);
        for hash in self.tracker.info_hashes() {
            let Some(torrent) = self.tracker.summary(&hash) else { continue };
            files.add(reply.body(), &torrent);
            reply.advance()?;
        }
        files.end(reply.body());
        reply.end()
    }

    fn save_state(&self) -> Result<Value, Failed> {
        let Some(path) = self.operator.store.path() else {
            let error = "state-file: empty, so there is nothing to save to".to_owned();
            return Err((Status::BadRequest, error));
        };
        let store = &self.operator.store;
        let saved = store
            .save(&self.tracker, self.clock.seconds(), unix_time())
            .map_err(|error| (Status::InternalError, error))?;
        Ok(json!({
            "message": "Tracker state saved",
            "file": path.display().to_string(),
            "torrents": saved.torrents,
            "peers": saved.peers,
            "bytes": saved.bytes,
            "milliseconds": saved.millis,
        }))
    }

    fn add_torrent_info(&self, body: &[u8]) -> Result<Value, Failed> {
        let asked = parse_registration(body).map_err(|error| (Status::BadRequest, error))?;
        let Asked { info_hash: asked, registration, exact } = asked;
        let known = self.tracker.knows(&asked);
        let similar = if known || exact { None } else { self.tracker.similar(&asked) };
        let hash = similar.unwrap_or(asked);
        let now = self.clock.seconds();
        let store = &self.operator.store;
        store.register(&self.tracker, &hash, registration, now).map_err(|error| match error {
            RegisterError::Refused(refused) => (Status::Unavailable, refused.reason),
            RegisterError::Disk(text) => (Status::InternalError, text),
        })?;
        let matched = match (known, similar) {
            (true, _) => "exact",
            (false, Some(_)) => "similar",
            (false, None) => "new",
        };
        Ok(json!({
            "message": "Torrent info added successfully",
            "info_hash": hash.to_string(),
            "asked": asked.to_string(),
            "matched": matched,
        }))
    }
}

fn send_json(reply: &mut ReplyStream<'_>, status: Status, value: &Value) -> io::Result<()> {
    reply.send(status, JSON, format!("{value}\n").as_bytes())
}

/// The reply to an operator's request whose body did not come as it should.
pub fn encode_operator_problem(out: &mut Vec<u8>, problem: &Problem) {
    let body = format!("{}\n", json!({ "error": problem.text }));
    encode_head(out, problem.status, JSON, body.len(), Connection::Close);
    out.extend_from_slice(body.as_bytes());
}

/// What `/add_torrent_info` is asked.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    info_hash: InfoHash,
    registration: Registration,
    /// This hash is meant and no similar one.
    exact: bool,
}

/// How many commas stand in a JSON text outside of its strings: about as many values it has.
fn count_commas(json: &[u8]) -> usize {
    let (mut quoted, mut escaped, mut commas) = (false, false, 0);
    for &byte in json {
        quoted ^= byte == b'"' && !escaped;
        commas += usize::from(byte == b',' && !quoted);
        escaped = byte == b'\\' && !escaped;
    }
    commas
}

/// Reads the body of `/add_torrent_info`; the error names the field.
fn parse_registration(body: &[u8]) -> Result<Asked, String> {
    let commas = count_commas(body);
    if commas > HTTP_BODY_COMMAS_MAX {
        return Err(format!(
            "body: {commas} commas between values, at most {HTTP_BODY_COMMAS_MAX}"
        ));
    }
    let value: Value = serde_json::from_slice(body).map_err(|error| format!("body: {error}"))?;
    let Value::Object(fields) = &value else {
        return Err("body: expected a JSON object".to_owned());
    };
    let text = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(wrong_type(name, "a text", other)),
    };
    let number = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(other) => whole_number(other)
            .map(Some)
            .ok_or_else(|| wrong_type(name, "a whole number from 0", other)),
    };
    let hash_text = text("info_hash")?;
    if hash_text.is_empty() {
        return Err("info_hash: missing".to_owned());
    }
    let Some(info_hash) = parse_info_hash(&hash_text) else {
        let shown = quoted(hash_text.as_bytes());
        return Err(format!(
            "info_hash: {shown} is not 40 hex digits, 32 of base32, or 20 bytes with %XX escapes"
        ));
    };
    let registration = Registration {
        name: text("name")?,
        size: number("size")?.unwrap_or(0),
        piece_length: number("piece_length")?.unwrap_or(0),
        comment: text("comment")?,
        created_by: text("created_by")?,
        creation_date: number("creation_date")?.unwrap_or(0),
    };
    registration.check()?;
    let exact = match fields.get("exact") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(exact)) => *exact,
        Some(other) => return Err(wrong_type("exact", "true or false", other)),
    };
    Ok(Asked { info_hash, registration, exact })
}

/// A number that is not negative; the original tracker's dates have fractions, which are dropped.
fn whole_number(value: &Value) -> Option<u64> {
    let rounded = || value.as_f64().filter(|number| (0.0..9e15).contains(number)).map(|n| n as u64);
    value.as_u64().or_else(rounded)
}

fn wrong_type(name: &str, expected: &str, got: &Value) -> String {
    let got = got.to_string();
    format!("{name}: expected {expected}, got {}", quoted(got.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "d1101a2b9d202811a05e8c57c557a20bf974dc8a";

    #[test]
    fn a_registration_is_read_field_by_field() {
        let body = json!({
            "info_hash": HASH, "name": "a film", "size": 1, "piece_length": 2, "comment": null,
            "created_by": "x", "creation_date": 1_700_000_000.5, "unknown": [1], "exact": true,
        });
        let asked = parse_registration(body.to_string().as_bytes()).expect("good");
        assert_eq!((asked.info_hash.to_string().as_str(), asked.exact), (HASH, true));
        let wanted = Registration {
            name: "a film".to_owned(),
            size: 1,
            piece_length: 2,
            comment: String::new(),
            created_by: "x".to_owned(),
            creation_date: 1_700_000_000,
        };
        assert_eq!(asked.registration, wanted);
    }

    #[test]
    fn what_is_wrong_with_a_registration_is_named() {
        let hash = HASH;
        let long = "x".repeat(1025);
        for (body, error) in [
            (String::new(), "body: EOF while parsing a value at line 1 column 0".to_owned()),
            ("[]".to_owned(), "body: expected a JSON object".to_owned()),
            ("{}".to_owned(), "info_hash: missing".to_owned()),
            ("{\"info_hash\": 5}".to_owned(), "info_hash: expected a text, got \"5\"".to_owned()),
            (
                "{\"info_hash\": \"abc\"}".to_owned(),
                "info_hash: \"abc\" is not 40 hex digits, 32 of base32, or 20 bytes with %XX \
                 escapes"
                    .to_owned(),
            ),
            (
                format!("{{\"info_hash\": \"{hash}\", \"name\": [\"a\"]}}"),
                "name: expected a text, got \"[\\\"a\\\"]\"".to_owned(),
            ),
            (
                format!("{{\"info_hash\": \"{hash}\", \"exact\": 1}}"),
                "exact: expected true or false, got \"1\"".to_owned(),
            ),
            (
                format!("{{\"info_hash\": \"{hash}\", \"size\": -1}}"),
                "size: expected a whole number from 0, got \"-1\"".to_owned(),
            ),
            (
                format!("{{\"info_hash\": \"{hash}\", \"piece_length\": \"7\"}}"),
                "piece_length: expected a whole number from 0, got \"\\\"7\\\"\"".to_owned(),
            ),
            (
                format!("{{\"info_hash\": \"{hash}\", \"name\": \"{long}\"}}"),
                "name: 1025 bytes, at most 1024 are kept".to_owned(),
            ),
        ] {
            assert_eq!(parse_registration(body.as_bytes()), Err(error), "{body}");
        }
        let many = format!("{{\"comment\": \"\\\",,\\\\\"{}}}", ",\"k\":0".repeat(10_001));
        let error = parse_registration(many.as_bytes()).expect_err("too many");
        assert_eq!(error, "body: 10001 commas between values, at most 10000");
        let deep = "[".repeat(10_000);
        let error = parse_registration(deep.as_bytes()).expect_err("too deep");
        assert_eq!(error, "body: recursion limit exceeded at line 1 column 128");
    }
}
