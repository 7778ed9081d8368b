//! Where a torrent says that its clients meet: trackers, web seeds and DHT nodes.
//!
//! Programs write these keys in more ways than the BEPs have: an `announce-list` of strings in
//! place of lists, a `url-list` that is one string, or empty strings. These are read as they are
//! meant, and noted where nobody else may read them so. What is read is ASCII, whatever stood
//! there.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::fmt::Write as _;

use super::fields::{Fields, kind_problem, or_noted};
use super::flaws::list_few;
use super::{Metainfo, MetainfoError};
use crate::bencode::{List, Value};
use crate::limits::METAINFO_URLS_MAX;

/// Reads them all into `metainfo`. What is no tracker, web seed or node is noted and passed over;
/// too many of them are an error.
pub(super) fn parse(metainfo: &mut Metainfo, outer: &Fields<'_>) -> Result<(), MetainfoError> {
    let noted = &mut metainfo.noted;
    let mut strange = Strange::default();
    let announce = or_noted(outer.bytes("announce"), noted);
    metainfo.announce = announce.and_then(|announce| url(announce, &mut strange));
    strange.note("announce", noted);
    if let Some(list) = or_noted(outer.list("announce-list"), noted) {
        metainfo.tiers = parse_tiers(list, outer, noted)?;
    }
    if metainfo.tiers.is_empty() {
        metainfo.tiers.extend(metainfo.announce.clone().map(|announce| vec![announce]));
    }
    let mut strange = Strange::default();
    match outer.value("url-list") {
        None => {}
        Some(Value::Bytes(one)) => metainfo.web_seeds.extend(url(one, &mut strange)),
        Some(Value::List(list)) => {
            metainfo.web_seeds = urls(list, "url-list", outer, &mut strange)?;
        }
        Some(other) => strange.kind(other, "a list or a byte string"),
    }
    strange.note("url-list", noted);
    if let Some(list) = or_noted(outer.list("nodes"), noted) {
        metainfo.nodes = parse_nodes(list, outer, noted)?;
    }
    Ok(())
}

/// What under one key is no URL: thousands of them are one line.
#[derive(Default)]
struct Strange<'a> {
    not_urls: Vec<&'a [u8]>,
    /// What is wrong with the first value that is not even a string.
    wrong_kind: Option<String>,
}

impl Strange<'_> {
    fn kind(&mut self, value: Value<'_>, wanted: &str) {
        self.wrong_kind.get_or_insert_with(|| kind_problem(value, wanted));
    }

    fn note(self, key: &str, noted: &mut Vec<String>) {
        noted.extend(self.wrong_kind.map(|problem| format!("{key}: {problem}")));
        list_few(&format!("{key}: not a URL"), self.not_urls.into_iter(), noted);
    }
}

/// The tiers of `announce-list`, without empty ones.
fn parse_tiers(
    list: List<'_>,
    outer: &Fields<'_>,
    noted: &mut Vec<String>,
) -> Result<Vec<Vec<String>>, MetainfoError> {
    let key = "announce-list";
    let mut strange = Strange::default();
    let mut tiers = Vec::new();
    let mut count = 0;
    let mut flat = false;
    for value in list.iter() {
        let tier: Vec<String> = match value {
            Value::List(tier) => urls(tier, key, outer, &mut strange)?,
            Value::Bytes(one) => {
                flat = true;
                url(one, &mut strange).into_iter().collect()
            }
            other => {
                strange.kind(other, "a list");
                continue;
            }
        };
        count += tier.len();
        check_count(count, key, outer)?;
        if !tier.is_empty() {
            tiers.push(tier);
        }
    }
    strange.note(key, noted);
    if flat {
        noted.push(format!("{key}: a list of trackers, not of tiers"));
    }
    Ok(tiers)
}

/// The URLs of a list, without empty ones.
fn urls<'a>(
    list: List<'a>,
    key: &str,
    outer: &Fields<'_>,
    strange: &mut Strange<'a>,
) -> Result<Vec<String>, MetainfoError> {
    let mut urls = Vec::new();
    for value in list.iter() {
        match value {
            Value::Bytes(bytes) => urls.extend(url(bytes, strange)),
            other => strange.kind(other, "a byte string"),
        }
        check_count(urls.len(), key, outer)?;
    }
    Ok(urls)
}

/// One URL; `None` for an empty one.
fn url<'a>(bytes: &'a [u8], strange: &mut Strange<'a>) -> Option<String> {
    let bytes = bytes.trim_ascii();
    if bytes.is_empty() {
        return None;
    }
    if !bytes.iter().all(u8::is_ascii_graphic) {
        strange.not_urls.push(bytes);
    }
    Some(ascii(bytes))
}

/// A URL or host in ASCII, as RFC 3986 has it: every other byte is percent-encoded, which is what
/// RFC 3987 makes of letters beyond ASCII.
fn ascii(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_graphic() {
            text.push(char::from(byte));
        } else {
            // A write to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The nodes as `host:port`, or `[host]:port` where the host is an IPv6 address.
fn parse_nodes(
    list: List<'_>,
    outer: &Fields<'_>,
    noted: &mut Vec<String>,
) -> Result<Vec<String>, MetainfoError> {
    let mut nodes = Vec::new();
    let mut is_wrong = false;
    for value in list.iter() {
        match parse_node(value) {
            Some(node) => nodes.push(node),
            None => is_wrong = true,
        }
        check_count(nodes.len(), "nodes", outer)?;
    }
    if is_wrong {
        noted.push("nodes: not all of them are lists of a host and a port".to_owned());
    }
    Ok(nodes)
}

fn parse_node(value: Value<'_>) -> Option<String> {
    let Value::List(node) = value else { return None };
    let mut node = node.iter();
    let (Some(Value::Bytes(host)), Some(Value::Int(port)), None) =
        (node.next(), node.next(), node.next())
    else {
        return None;
    };
    let host = ascii(host);
    let bracketed = host.contains(':') && !host.starts_with('[');
    let host = if bracketed { format!("[{host}]") } else { host };
    Some(format!("{host}:{port}"))
}

fn check_count(count: usize, key: &str, outer: &Fields<'_>) -> Result<(), MetainfoError> {
    if count > METAINFO_URLS_MAX {
        return Err(outer.wrong(key, format!("more than {METAINFO_URLS_MAX}")));
    }
    Ok(())
}
