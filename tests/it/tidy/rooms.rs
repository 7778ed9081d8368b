//! The map of the house: which module may import which, and what no lower layer may touch.
//!
//! `ROOMS` is the map of the crate's documentation, as data. Vocabulary below, then the bytes and
//! the core side by side, then the edges, which may reach down to all of these but to another edge
//! only where the table says so. How imports are read is in `imports`; test code may import what it
//! likes.

use std::collections::BTreeSet;

use super::imports::imports;
use super::rules::Broken;
use super::source::Source;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Layer {
    /// Types and numbers that everything else is written in.
    Vocabulary,
    /// Reads the time.
    Clock,
    /// Bytes in, bytes out.
    Wire,
    /// Pure state.
    Core,
    /// Meets the network: an edge under the same rule against panics as the wire modules.
    Server,
    /// Other I/O, and the wiring.
    Edge,
}
use Layer::{Clock, Core, Edge, Server, Vocabulary, Wire};

/// A module (or `parent::*`: any child), its layer, and what it may import beyond what the layer
/// may.
struct Room {
    module: &'static str,
    layer: Layer,
    beyond: &'static [&'static str],
}

const fn room(module: &'static str, layer: Layer, beyond: &'static [&'static str]) -> Room {
    Room { module, layer, beyond }
}

const ROOMS: &[Room] = &[
    room("bytes", Vocabulary, &[]),
    room("limits", Vocabulary, &[]),
    room("registration", Vocabulary, &[]),
    room("request", Vocabulary, &[]),
    room("subnet", Vocabulary, &[]),
    room("token", Vocabulary, &[]),
    room("client_name", Vocabulary, &[]),
    room("printable", Vocabulary, &[]),
    room("utc", Vocabulary, &[]),
    room("siphash", Vocabulary, &[]),
    room("clock", Clock, &[]),
    room("bencode", Wire, &[]),
    room("bencode::json", Wire, &["bencode", "percent"]),
    room("percent", Wire, &[]),
    room("hash_text", Wire, &["percent"]),
    room("hex_dump", Wire, &[]),
    room("metainfo", Wire, &["bencode", "metainfo::*"]),
    room("metainfo::*", Wire, &["bencode", "hash_text", "metainfo", "metainfo::*", "percent"]),
    room("http::status", Wire, &["bencode"]),
    room("http::head", Wire, &["http::status"]),
    room("http::query", Wire, &["http::reply", "percent"]),
    room("http::reply", Wire, &["bencode", "percent"]),
    room("http::forwarded", Wire, &[]),
    room("udp::packet", Wire, &[]),
    room("udp::connection_id", Wire, &["udp::packet"]),
    room("tracker", Core, &[]),
    room("tracker::*", Core, &[]),
    room("tracker::swarm::*", Core, &[]),
    room("budget", Core, &[]),
    room("rate_limit", Core, &[]),
    room("stats", Core, &[]),
    room("rounds", Core, &[]),
    room("load::crowd", Core, &[]),
    room("load::histogram", Core, &[]),
    room("load::pace", Core, &[]),
    room("load::tally", Core, &[]),
    room("load::message", Wire, &["bencode", "load::crowd", "percent", "udp::packet"]),
    room("load::reply", Wire, &["bencode", "load::tally", "udp::packet"]),
    room("load", Edge, &["descriptors", "load::*"]),
    room("load::*", Edge, &["load", "load::*"]),
    room("descriptors", Edge, &[]),
    room("addresses", Edge, &[]),
    room("log", Edge, &["log::*"]),
    room("log::*", Edge, &["log"]),
    room("config", Edge, &["config::*", "log"]),
    room("config::*", Edge, &["config", "config::*", "log"]),
    room("content", Edge, &[]),
    room("content::*", Edge, &["content", "content::*"]),
    room("listen", Edge, &["config"]),
    room("signals", Edge, &["log"]),
    room("sockets", Edge, &["config", "listen", "log", "udp::*"]),
    room("notify", Edge, &[]),
    room("watchdog", Edge, &["log", "notify"]),
    room("store", Edge, &["store::*"]),
    room("store::*", Edge, &["log", "store::*"]),
    room("sweeper", Edge, &["log", "store"]),
    room("http", Server, &["http::*", "http::operator", "log"]),
    room("http::operator", Server, &["http", "http::*", "store"]),
    room("http::*", Server, &["http", "http::*", "http::operator", "listen", "log"]),
    room("client", Server, &["client::*", "client::http", "client::udp"]),
    room("client::*", Wire, &["bencode", "bencode::json", "client::*", "percent", "udp::packet"]),
    room("client::http", Server, &["client", "client::*"]),
    room("client::udp", Server, &["client", "client::*", "client::http"]),
    room("udp", Server, &["log", "udp::*"]),
    room("udp::*", Server, &["log", "udp::*"]),
    room(
        "serve",
        Edge,
        &[
            "addresses",
            "config",
            "descriptors",
            "http",
            "http::*",
            "http::operator",
            "listen",
            "log",
            "notify",
            "signals",
            "sockets",
            "store",
            "sweeper",
            "udp",
            "udp::*",
            "watchdog",
        ],
    ),
    room("cli", Edge, &["cli::*", "config", "signals"]),
    room(
        "cli::*",
        Edge,
        &[
            "addresses",
            "cli",
            "cli::*",
            "client",
            "client::http",
            "cli::doctor::*",
            "config",
            "content",
            "content::*",
            "load",
            "load::*",
            "log",
            "serve",
            "signals",
        ],
    ),
    room(
        "cli::doctor::*",
        Edge,
        &[
            "addresses",
            "cli::*",
            "cli::doctor::*",
            "client",
            "client::http",
            "config",
            "descriptors",
            "listen",
            "serve",
            "store",
            "udp::*",
        ],
    ),
    room("main", Edge, &["cli"]),
];

/// What the modules of a layer may not name, with the reason.
const FOREIGN: &[(&[Layer], &[&str], &str)] = &[
    (
        &[Vocabulary, Wire, Core],
        &[
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "UnixStream",
            "UnixListener",
            "rustix",
            "tiny_http",
        ],
        "sockets are the edges' business",
    ),
    (
        &[Vocabulary, Wire, Core],
        &["Instant", "SystemTime", "std::fs", "std::thread", "println!", "eprintln!"],
        "time is an argument, and files, threads and output are the edges' business",
    ),
    (&[Vocabulary, Core], &["serde_json", "toml"], "formats are the wire modules' business"),
];

/// The lints that keep the network from causing a panic, denied in every wire and server module.
const NO_PANIC_LINTS: [&str; 4] =
    ["clippy::unwrap_used", "clippy::expect_used", "clippy::indexing_slicing", "clippy::panic"];

/// The row of a module: its own, or that of its parent's children.
fn room_of(module: &str) -> Option<&'static Room> {
    let any_child = module.rsplit_once("::").map(|(parent, _)| format!("{parent}::*"));
    let own = ROOMS.iter().find(|room| room.module == module);
    own.or_else(|| ROOMS.iter().find(|room| Some(room.module) == any_child.as_deref()))
}

/// Whether the table has an arrow from a room to a module.
fn may_import(room: &Room, target: &str) -> bool {
    let side = |module: &str| module.split("::").next().map(str::to_owned);
    let sides = [side(room.module), side(target)];
    if sides == ["udp", "http"].map(|s| Some(s.to_owned()))
        || sides == ["http", "udp"].map(|s| Some(s.to_owned()))
    {
        return false;
    }
    let Some(target_room) = room_of(target) else { return false };
    let by_layer: &[Layer] = match room.layer {
        Vocabulary | Clock | Wire => &[Vocabulary],
        Core => &[Vocabulary, Core],
        Server | Edge => &[Vocabulary, Clock, Wire, Core],
    };
    by_layer.contains(&target_room.layer)
        || room.beyond.contains(&target)
        || room.beyond.contains(&target_room.module)
}

/// The module a file holds: `http::head` for `src/http/head.rs`; `None` for `src/lib.rs`, which
/// only lists the modules, and for files of tests.
pub fn module_of(source: &Source) -> Option<String> {
    let inside = source.path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let inside = inside.strip_suffix("/mod").unwrap_or(inside);
    (inside != "lib" && !source.is_tests).then(|| inside.replace('/', "::"))
}

/// Checks one file of `src` against the table; `modules` are all there are.
pub fn check(source: &Source, modules: &BTreeSet<String>) -> Vec<Broken> {
    let Some(module) = module_of(source) else { return Vec::new() };
    let Some(room) = room_of(&module) else {
        let advice = format!("{module} is not in the table: add its row to ROOMS in {}", file!());
        return vec![Broken { line: 1, advice }];
    };
    let mut found = Vec::new();
    for (at, target) in imports(source, &module, modules) {
        if target != module && !may_import(room, &target) {
            let advice = format!(
                "{module} ({:?}) may not import {target}: move what both need below them, or \
                 take it as an argument",
                room.layer
            );
            found.push(Broken { line: source.line(at), advice });
        }
    }
    for &(_, names, reason) in FOREIGN.iter().filter(|(layers, ..)| layers.contains(&room.layer)) {
        for (name, at) in
            names.iter().flat_map(|n| source.find(n).into_iter().map(move |at| (n, at)))
        {
            if !source.is_test(at) {
                let advice = format!("{module} ({:?}) may not name {name}: {reason}", room.layer);
                found.push(Broken { line: source.line(at), advice });
            }
        }
    }
    found
}

/// Rows and arrows of the table that nothing in these files answers to any more.
pub fn unused(sources: &[Source], modules: &BTreeSet<String>) -> Vec<String> {
    unused_of(ROOMS, sources, modules)
}

fn unused_of(rooms: &[Room], sources: &[Source], modules: &BTreeSet<String>) -> Vec<String> {
    let mut arrows = BTreeSet::new();
    for source in sources {
        let Some(module) = module_of(source) else { continue };
        let targets = imports(source, &module, modules).into_iter().map(|(_, target)| target);
        arrows.extend(targets.map(|target| (row_name(&module), row_name(&target))));
    }
    let rows: BTreeSet<_> = modules.iter().map(|module| row_name(module)).collect();
    let mut found = Vec::new();
    for room in rooms {
        if !rows.contains(room.module) {
            found.push(format!("{}: no such module: remove its row from ROOMS", room.module));
            continue;
        }
        for beyond in room.beyond {
            if !arrows.contains(&(room.module.to_owned(), (*beyond).to_owned())) {
                let arrow = format!("{} does not import {beyond}", room.module);
                found.push(format!("{arrow}: remove the arrow from ROOMS in {}", file!()));
            }
        }
    }
    found
}

/// The name of the row that a module has in the table; its own if it has none.
fn row_name(module: &str) -> String {
    room_of(module).map_or(module, |room| room.module).to_owned()
}

/// Checks that a file of a wire or server module denies [`NO_PANIC_LINTS`] and allows none of them
/// again outside its tests. Clippy then does the work, since it knows what is an index.
pub fn check_no_panic(source: &Source) -> Vec<Broken> {
    let room = module_of(source).and_then(|module| room_of(&module));
    if !room.is_some_and(|room| [Wire, Server].contains(&room.layer)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for lint in NO_PANIC_LINTS {
        let mut denied = false;
        for at in source.find(lint) {
            let attribute =
                source.code[..at].rfind('#').map_or("", |start| &source.code[start..at]);
            let allows = attribute.contains("allow(") || attribute.contains("expect(");
            denied |= attribute.starts_with("#![") && !allows;
            if allows && !source.is_test(at) {
                let advice =
                    format!("{lint} is allowed: return an error, nothing from the network panics");
                found.push(Broken { line: source.line(at), advice });
            }
        }
        if !denied {
            let advice =
                format!("{lint} is not denied: open with #![deny({})]", NO_PANIC_LINTS.join(", "));
            found.push(Broken { line: 1, advice });
        }
    }
    found
}

#[cfg(test)]
pub(super) fn modules() -> BTreeSet<String> {
    let names = [
        "limits",
        "clock",
        "bencode",
        "percent",
        "http",
        "http::head",
        "http::query",
        "http::epoll",
        "udp",
        "tracker",
        "tracker::swarm",
        "stats",
        "serve",
        "log",
    ];
    names.map(str::to_owned).into()
}

#[test]
fn an_import_against_the_arrows_is_named() {
    let cases = [
        ("src/tracker.rs", "use crate::http::head;", "tracker (Core) may not import http::head"),
        ("src/tracker/swarm.rs", "use crate::clock::Clock;", "may not import clock"),
        ("src/http/head.rs", "use crate::bencode;", "http::head (Wire) may not import bencode"),
        ("src/http/head.rs", "use super::epoll;", "http::head (Wire) may not import http::epoll"),
        ("src/limits.rs", "use crate::tracker;", "limits (Vocabulary) may not import tracker"),
        ("src/clock.rs", "use crate::stats;", "clock (Clock) may not import stats"),
        ("src/http/epoll.rs", "use crate::udp;", "http::epoll (Server) may not import udp"),
        ("src/http/epoll.rs", "use crate::serve;", "http::epoll (Server) may not import serve"),
        ("src/stats.rs", "use crate::Root;", "stats (Core) may not import lib"),
        ("src/stats.rs", "fn a(b: serde_json::Value) {}", "stats (Core) may not name serde_json"),
        ("src/bencode.rs", "use std::net::TcpStream;", "bencode (Wire) may not name TcpStream"),
        ("src/tracker.rs", "fn a(now: Instant) {}", "tracker (Core) may not name Instant"),
        ("src/new.rs", "", "new is not in the table: add its row to ROOMS in "),
    ];
    for (path, code, wanted) in cases {
        let found = check(&Source::new(path, &format!("//! A.\n{code}\n")), &modules());
        assert_eq!(found.len(), 1, "{path}: {code}");
        assert!(found[0].advice.contains(wanted), "{}", found[0].advice);
        assert_eq!(found[0].line, if code.is_empty() { 1 } else { 2 }, "{path}: {code}");
    }
}

#[test]
fn an_import_along_the_arrows_is_fine() {
    let cases = [
        ("src/tracker.rs", "use crate::{limits, stats, tracker::swarm};"),
        ("src/tracker/swarm.rs", "use super::Tracker;"),
        ("src/http/query.rs", "use crate::{limits, percent};"),
        ("src/http/epoll.rs", "use crate::{clock, http::head, stats, tracker::Tracker};"),
        ("src/limits.rs", "#[cfg(test)]\nmod tests {\n    use crate::serve;\n}"),
        ("src/serve.rs", "use crate::{http, log, tracker};"),
        ("src/lib.rs", "pub mod serve;"),
        ("tests/it/a.rs", "use muster::serve;"),
    ];
    for (path, code) in cases {
        let found = check(&Source::new(path, &format!("//! A.\n{code}\n")), &modules());
        assert!(found.is_empty(), "{path}: {code}: {}", found[0].advice);
    }
}

#[test]
fn a_row_without_a_module_and_an_arrow_that_nobody_takes_are_named() {
    let sources = [
        Source::new("src/serve.rs", "use crate::{http::epoll, log};\n"),
        Source::new("src/log.rs", ""),
    ];
    let rooms = [
        room("log", Edge, &[]),
        room("serve", Edge, &["http::*", "log", "config"]),
        room("attic", Edge, &[]),
    ];
    let found = unused_of(&rooms, &sources, &modules());
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("serve does not import config: remove the arrow"), "{found:?}");
    assert_eq!(found[1], "attic: no such module: remove its row from ROOMS");
}

#[test]
fn udp_and_http_never_import_each_other_whatever_a_row_says() {
    assert!(!may_import(&room("udp", Server, &["http", "http::head"]), "http::head"));
    assert!(!may_import(&room("http::epoll", Server, &["udp"]), "udp"));
}

#[test]
fn a_wire_or_server_module_that_may_panic_is_named() {
    let deny = format!("//! A.\n#![cfg_attr(not(test), deny({}))]\n", NO_PANIC_LINTS.join(", "));
    let three = format!("//! A.\n#![deny({})]\n", NO_PANIC_LINTS[1..].join(", "));
    let again = format!("{deny}#[allow(clippy::panic)]\nfn a() {{}}\n");
    let in_test = format!("{deny}#[cfg(test)]\nmod tests {{\n    #![allow(clippy::panic)]\n}}\n");
    let cases: [(&str, &str, &[usize]); 7] = [
        ("src/bencode.rs", "//! A.\n", &[1, 1, 1, 1]),
        ("src/bencode.rs", &three, &[1]),
        ("src/http/epoll.rs", &again, &[3]),
        ("src/http/epoll.rs", &in_test, &[]),
        ("src/http.rs", &deny, &[]),
        ("src/tracker.rs", "//! A.\n", &[]),
        ("tests/it/a.rs", "//! A.\n", &[]),
    ];
    for (path, text, wanted) in cases {
        let found = check_no_panic(&Source::new(path, text));
        let lines: Vec<_> = found.iter().map(|broken| broken.line).collect();
        assert_eq!(lines, wanted, "{path}:\n{text}");
    }
}
