//! Similar hashes, with the tolerances set by flags.
//!
//! Where the operator mistypes a hash, or asks for one that another program has garbled, the
//! torrent that was meant is named: by `/stats`, by a scrape for people and by a registration,
//! which fills it in. That the index finds what a comparison of all would is tested beside it.

use serde_json::{Value, json};

use crate::harness::{Engine, Server};

use super::page::Ask;

/// The torrent that is tracked in all of these.
const TRACKED: &str = "d1101a2b9d202811a05e8c57c557a20bf974dc8a";

/// A server with these options that tracks one torrent.
fn tracking(engine: Engine, options: &[&str]) -> Server {
    let server = Server::with(engine, options);
    let body = json!({ "info_hash": TRACKED, "name": "the one" }).to_string();
    assert_eq!(Ask::register(body).of(&server).good()["matched"], "new");
    server
}

/// The tracked hash with its first `from` digits and its last `to` ones, and all between different.
fn with_ends(from: usize, to: usize) -> String {
    let between = TRACKED[from..40 - to].chars();
    let other = |digit: char| if digit == '0' { 'f' } else { '0' };
    let between: String = between.map(other).collect();
    format!("{}{between}{}", &TRACKED[..from], &TRACKED[40 - to..])
}

/// The tracked hash with so many digits changed, the first one of them and others behind it.
fn with_changes(count: usize) -> String {
    let changed = |nth: usize| nth.is_multiple_of(6) && nth / 6 < count;
    let digits = TRACKED.chars().enumerate();
    let other = |digit: char| if digit == 'e' { '1' } else { 'e' };
    digits.map(|(nth, digit)| if changed(nth) { other(digit) } else { digit }).collect()
}

/// What the page of one torrent, a scrape for people and a registration call similar, the last of
/// which changes nothing but the name.
fn found(server: &Server, asked: &str) -> bool {
    let page = Ask::get(&format!("/stats?info_hash={asked}")).of(server);
    assert_eq!(page.status, 404, "{asked} is tracked");
    let similar = page.json()["similar"].clone();
    let scrape = Ask::get(&format!("/scrape?format=json&info_hash={asked}")).of(server).good();
    let file = &scrape["files"][asked];
    assert_eq!(file.get("similar").unwrap_or(&Value::Null), &similar, "{scrape}");
    assert_eq!((&file["complete"], &file["name"]), (&json!(0), &json!("")), "{scrape}");
    if similar.is_null() {
        return false;
    }
    assert_eq!(similar, TRACKED);
    let body = json!({ "info_hash": asked, "name": asked }).to_string();
    let wanted = json!({
        "message": "Torrent info added successfully", "info_hash": TRACKED, "asked": asked,
        "matched": "similar",
    });
    assert_eq!(Ask::register(body).of(server).good(), wanted);
    let all = Ask::get("/stats").of(server).good();
    assert_eq!(all.as_object().map(serde_json::Map::len), Some(1), "{all}");
    assert_eq!(all[TRACKED]["name"], asked, "{all}");
    true
}

pub fn a_similar_hash_is_found_with_the_defaults(engine: Engine) {
    let server = tracking(engine, &[]);
    let cases = [
        (with_ends(10, 5), true),
        (with_ends(9, 5), false),
        (with_ends(10, 4), false),
        (with_changes(1), true),
        (with_changes(2), true),
        (with_changes(3), false),
    ];
    for (asked, wanted) in cases {
        assert_eq!(found(&server, &asked), wanted, "{asked}");
    }
}

pub fn the_first_and_last_digits_are_adjustable(engine: Engine) {
    let options = ["--similar-first-digits", "4", "--similar-last-digits", "0"];
    let server = tracking(engine, &options);
    assert!(found(&server, &with_ends(4, 0)), "four digits are enough");
    assert!(!found(&server, &with_ends(3, 5)), "three are not, whatever follows");

    let options = ["--similar-first-digits", "0", "--similar-last-digits", "7"];
    let server = tracking(engine, &options);
    assert!(found(&server, &with_ends(0, 7)));
    assert!(!found(&server, &with_ends(20, 6)));
}

pub fn the_threshold_is_adjustable(engine: Engine) {
    let ends_out = ["--similar-first-digits", "0", "--similar-last-digits", "0"];
    for (percent, differ) in [("85", 6), ("90", 4), ("96", 1), ("97", 1), ("98", 0), ("100", 0)] {
        let options = [&ends_out[..], &["--similar-threshold", percent]].concat();
        let server = tracking(engine, &options);
        for count in 1..=7 {
            let asked = with_changes(count);
            assert_eq!(found(&server, &asked), count <= differ, "{percent} %, {count} digits");
        }
    }
}

pub fn with_both_rules_left_out_nothing_is_similar(engine: Engine) {
    let out = ["--similar-first-digits=0", "--similar-last-digits=0", "--similar-threshold=100"];
    let server = tracking(engine, &out);
    assert!(!found(&server, &with_changes(1)));
    let body = json!({ "info_hash": with_changes(1) }).to_string();
    assert_eq!(Ask::register(body).of(&server).good()["matched"], "new");
}
