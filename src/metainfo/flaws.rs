//! What is wrong with a torrent that can be used all the same.
//!
//! Each flaw is a line that names the key and says what comes of it. Where many files or trackers
//! have the same flaw, [`FLAW_FILES_MAX`] are named and the rest counted. What only the parser sees
//! (keys out of order, say) it has noted; the rest is found here, when somebody asks.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::path::Tree;
use super::{File, Metainfo};
use crate::limits::{FLAW_FILES_MAX, PATH_COMPONENT_BYTES_MAX, PIECE_BYTES_MIN};
use crate::printable::printable;
use crate::subnet::{is_local, parse_address};

/// All flaws, those of the whole first.
pub(super) fn find(metainfo: &Metainfo) -> Vec<String> {
    let mut flaws = metainfo.noted.clone();
    find_in_trackers(metainfo, &mut flaws);
    find_in_pieces(metainfo, &mut flaws);
    find_in_names(metainfo, &mut flaws);
    find_in_paths(&metainfo.files, &mut flaws);
    flaws
}

fn find_in_trackers(metainfo: &Metainfo, flaws: &mut Vec<String>) {
    let trackers: Vec<&str> = metainfo.tiers.iter().flatten().map(String::as_str).collect();
    if trackers.is_empty() {
        let comes_of_it = if metainfo.private {
            "and private: its clients cannot find each other"
        } else {
            "its clients find each other through the DHT alone"
        };
        flaws.push(format!("announce: no tracker, {comes_of_it}"));
    }
    let foreign = trackers.iter().filter(|url| !has_scheme(url, TRACKER_SCHEMES));
    let what = "announce: neither http, https, udp nor wss";
    list_few(what, foreign.map(|url| url.as_bytes()), flaws);
    let mut seen = HashSet::new();
    let twice = trackers.iter().filter(|url| !seen.insert(**url));
    list_few("announce: stands there twice", twice.map(|url| url.as_bytes()), flaws);
    let foreign = metainfo.web_seeds.iter().filter(|url| !has_scheme(url, WEB_SEED_SCHEMES));
    let what = "url-list: neither http, https nor ftp";
    list_few(what, foreign.map(String::as_bytes), flaws);
    if let Some(announce) = &metainfo.announce
        && !trackers.contains(&announce.as_str())
    {
        flaws.push(format!(
            "announce: {announce}: not in announce-list, which clients read instead (BEP 12)"
        ));
    }
    if !trackers.is_empty() && trackers.iter().all(|tracker| is_local_url(tracker)) {
        flaws.push("announce: trackers at loopback or private addresses alone".to_owned());
    }
    if metainfo.private && !metainfo.nodes.is_empty() {
        flaws.push("nodes: DHT nodes, which clients of a private torrent never ask".to_owned());
    }
}

const TRACKER_SCHEMES: &[&str] = &["http", "https", "udp", "ws", "wss"];
const WEB_SEED_SCHEMES: &[&str] = &["http", "https", "ftp"];

fn has_scheme(url: &str, schemes: &[&str]) -> bool {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme))
}

/// Whether a URL's host is an address, or a name, that means nothing elsewhere.
fn is_local_url(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let name = host.split(':').next().unwrap_or_default();
    let by_address = parse_address(host.as_bytes()).is_some_and(is_local_or_any);
    by_address || name.eq_ignore_ascii_case("localhost")
}

fn is_local_or_any(ip: IpAddr) -> bool {
    is_local(ip) || ip.is_unspecified()
}

fn find_in_pieces(metainfo: &Metainfo, flaws: &mut Vec<String>) {
    let piece_length = metainfo.piece_length;
    if !piece_length.is_power_of_two() {
        flaws.push(format!("piece length: {piece_length}: not a power of two"));
    }
    if piece_length < PIECE_BYTES_MIN {
        flaws.push(format!("piece length: {piece_length}: less than {PIECE_BYTES_MIN}, a block"));
    }
    if metainfo.files.is_empty() {
        flaws.push("files: an empty list: there is nothing to download".to_owned());
    } else if metainfo.size() == 0 {
        flaws.push("length: 0 bytes: there is nothing to download".to_owned());
    }
    if metainfo.info_hash_v1.is_some() && metainfo.info_hash_v2.is_some() {
        let begins = |file: &&File| file.range.start.is_multiple_of(piece_length);
        let files = metainfo.files.iter().filter(|file| !file.padding && file.length() > 0);
        list("files: not at the beginning of a piece", files.filter(|file| !begins(file)), flaws);
    }
}

fn find_in_names(metainfo: &Metainfo, flaws: &mut Vec<String>) {
    let texts = [
        ("name", Some(&metainfo.name)),
        ("comment", metainfo.comment.as_ref()),
        ("created by", metainfo.created_by.as_ref()),
        ("source", metainfo.source.as_ref()),
    ];
    for (key, text) in texts {
        if text.is_some_and(|text| std::str::from_utf8(text).is_err()) {
            flaws.push(format!("{key}: not UTF-8: programs will show it differently"));
        }
    }
    for problem in name_problems(&metainfo.name) {
        flaws.push(format!("name: {problem}"));
    }
    for wanted in [TOO_LONG, BACKSLASH, CONTROL, WINDOWS] {
        let has = |file: &&File| components(file).flat_map(name_problems).any(|p| p == wanted);
        list(&format!("path: {wanted}"), metainfo.files.iter().filter(has), flaws);
    }
    let foreign = metainfo.files.iter().filter(|file| std::str::from_utf8(&file.path).is_err());
    list("path: not UTF-8: programs will show it differently", foreign, flaws);
}

const TOO_LONG: &str = "longer than 255 bytes, which file systems refuse";
const BACKSLASH: &str = "a backslash, which Windows takes for a folder";
const CONTROL: &str = "control characters";
const WINDOWS: &str = "a name that Windows refuses or changes";

const _: () = assert!(PATH_COMPONENT_BYTES_MAX == 255, "TOO_LONG names it");

/// What will trouble a program that writes a file or folder of this name.
fn name_problems(name: &[u8]) -> impl Iterator<Item = &'static str> + use<> {
    let problems = [
        (name.len() > PATH_COMPONENT_BYTES_MAX).then_some(TOO_LONG),
        name.contains(&b'\\').then_some(BACKSLASH),
        name.iter().any(u8::is_ascii_control).then_some(CONTROL),
        is_foreign_to_windows(name).then_some(WINDOWS),
    ];
    problems.into_iter().flatten()
}

/// Whether Windows has no file of this name: because of a character, a dot or space at the end, or
/// since it means a device, whatever stands behind a dot (learn.microsoft.com, "Naming Files").
fn is_foreign_to_windows(name: &[u8]) -> bool {
    let stem = name.split(|byte| *byte == b'.').next().unwrap_or_default();
    let is_device = match stem.split_at_checked(3) {
        Some((stem, b"")) => {
            [b"CON", b"PRN", b"AUX", b"NUL"].iter().any(|device| stem.eq_ignore_ascii_case(*device))
        }
        Some((stem, [b'1'..=b'9'])) => {
            [b"COM", b"LPT"].iter().any(|device| stem.eq_ignore_ascii_case(*device))
        }
        _ => false,
    };
    is_device
        || name.iter().any(|byte| b"<>:\"|?*".contains(byte))
        || matches!(name.last(), Some(b'.' | b' '))
}

/// Paths that stand there twice, or for a file and a folder at once.
fn find_in_paths(files: &[File], flaws: &mut Vec<String>) {
    // Every torrent program names all padding files of one length alike.
    let real = || files.iter().filter(|file| !file.padding);
    let mut exact = HashSet::new();
    let twice: Vec<&File> = real().filter(|file| !exact.insert(file.path.as_slice())).collect();
    list("path: stands there twice", twice.into_iter(), flaws);

    let mut folded: HashMap<String, &[u8]> = HashMap::new();
    let mut by_case = Vec::new();
    for file in real() {
        let lower = String::from_utf8_lossy(&file.path).to_lowercase();
        let first = *folded.entry(lower).or_insert(&file.path);
        if first != file.path {
            by_case.push(file);
        }
    }
    let what = "path: another but for case, so the same file on Windows and macOS";
    list(what, by_case.into_iter(), flaws);

    // Sorted by components, all that lies within a file stands behind it without a gap.
    let mut sorted: Vec<&File> = real().collect();
    sorted.sort_by(|a, b| components(a).cmp(components(b)));
    let mut outer: Option<&[u8]> = None;
    let folder_too = sorted.into_iter().filter(|file| {
        let within = outer.and_then(|outer| file.path.strip_prefix(outer));
        let is_within = within.is_some_and(|rest| rest.starts_with(b"/"));
        if !is_within {
            outer = Some(&file.path);
        }
        is_within
    });
    list("path: lies within a file", folder_too, flaws);
    find_in_links(files, flaws);
}

/// Links that lead to nothing. One that leads on through another link is told too: not every
/// program follows those.
fn find_in_links(files: &[File], flaws: &mut Vec<String>) {
    if files.iter().all(|file| file.symlink.is_none()) {
        return;
    }
    let tree = Tree::of(files);
    let dangling = |file: &&File| file.symlink.as_ref().is_some_and(|path| !tree.has(path));
    let what = "symlink path: to no file or folder of the torrent";
    list(what, files.iter().filter(dangling), flaws);
}

fn components(file: &File) -> impl Iterator<Item = &[u8]> {
    file.path.split(|byte| *byte == b'/')
}

/// Adds one flaw for all these files, if there are any.
fn list<'f>(what: &str, files: impl Iterator<Item = &'f File>, flaws: &mut Vec<String>) {
    list_few(what, files.map(|file| file.path.as_slice()), flaws);
}

/// Adds one flaw for all these names, if there are any: the first few, and how many more.
pub(super) fn list_few<'n>(
    what: &str,
    all: impl Iterator<Item = &'n [u8]>,
    flaws: &mut Vec<String>,
) {
    let mut named = Vec::new();
    let mut more = 0;
    for name in all {
        if named.len() < FLAW_FILES_MAX {
            named.push(printable(name));
        } else {
            more += 1;
        }
    }
    if named.is_empty() {
        return;
    }
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    flaws.push(format!("{what}: {}{more}", named.join(", ")));
}
