//! Where a torrent says that its clients meet: trackers, web seeds and DHT nodes.
//!
//! Programs write these keys in more ways than the BEPs have: an `announce-list` of strings in
//! place of lists, a `url-list` that is one string, or empty strings. These are read as they are
//! meant, and noted where nobody else may read them so.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use super::fields::{Fields, as_bytes, kind_problem};
use super::{Metainfo, MetainfoError};
use crate::bencode::{List, Value};
use crate::limits::METAINFO_URLS_MAX;
use crate::printable::printable;
use crate::request::quoted;

/// Reads them all into `metainfo`.
pub(super) fn parse(metainfo: &mut Metainfo, outer: &Fields<'_>) -> Result<(), MetainfoError> {
    let noted = &mut metainfo.noted;
    metainfo.announce =
        outer.bytes("announce")?.and_then(|announce| url("announce", announce, noted));
    if let Some(list) = outer.list("announce-list")? {
        metainfo.tiers = parse_tiers(list, outer, noted)?;
    }
    if metainfo.tiers.is_empty() {
        metainfo.tiers.extend(metainfo.announce.clone().map(|announce| vec![announce]));
    }
    metainfo.web_seeds = match outer.value("url-list") {
        None => Vec::new(),
        Some(Value::Bytes(one)) => url("url-list", one, noted).into_iter().collect(),
        Some(Value::List(list)) => urls(list, "url-list", outer, noted)?,
        Some(other) => {
            let problem = kind_problem(other, "a list or a byte string");
            return Err(outer.wrong("url-list", problem));
        }
    };
    if let Some(list) = outer.list("nodes")? {
        metainfo.nodes = parse_nodes(list, outer)?;
    }
    Ok(())
}

/// The tiers of `announce-list`, without empty ones.
fn parse_tiers(
    list: List<'_>,
    outer: &Fields<'_>,
    noted: &mut Vec<String>,
) -> Result<Vec<Vec<String>>, MetainfoError> {
    let key = "announce-list";
    let mut tiers = Vec::new();
    let mut count = 0;
    let mut flat = false;
    for value in list.iter() {
        let tier: Vec<String> = match value {
            Value::List(tier) => urls(tier, key, outer, noted)?,
            Value::Bytes(one) => {
                flat = true;
                url(key, one, noted).into_iter().collect()
            }
            other => return Err(outer.wrong(key, kind_problem(other, "a list"))),
        };
        count += tier.len();
        check_count(count, key, outer)?;
        if !tier.is_empty() {
            tiers.push(tier);
        }
    }
    if flat {
        noted.push(format!("{key}: a list of trackers, not of tiers"));
    }
    Ok(tiers)
}

/// The URLs of a list, without empty ones.
fn urls(
    list: List<'_>,
    key: &str,
    outer: &Fields<'_>,
    noted: &mut Vec<String>,
) -> Result<Vec<String>, MetainfoError> {
    let mut urls = Vec::new();
    for value in list.iter() {
        urls.extend(url(key, as_bytes(value, || outer.name_of(key))?, noted));
        check_count(urls.len(), key, outer)?;
    }
    Ok(urls)
}

/// One URL; `None` for an empty one. A URL is ASCII (RFC 3986): anything else is shown escaped.
fn url(key: &str, bytes: &[u8], noted: &mut Vec<String>) -> Option<String> {
    let bytes = bytes.trim_ascii();
    if bytes.is_empty() {
        return None;
    }
    if !bytes.iter().all(u8::is_ascii_graphic) {
        noted.push(format!("{key}: {}: not a URL", quoted(bytes)));
        return Some(printable(bytes));
    }
    Some(String::from_utf8_lossy(bytes).into_owned())
}

/// The nodes as `host:port`, or `[host]:port` where the host is an IPv6 address.
fn parse_nodes(list: List<'_>, outer: &Fields<'_>) -> Result<Vec<String>, MetainfoError> {
    let mut nodes = Vec::new();
    for value in list.iter() {
        let wrong = || outer.wrong("nodes", "expected lists of a host and a port");
        let Value::List(node) = value else { return Err(wrong()) };
        let mut node = node.iter();
        match (node.next(), node.next(), node.next()) {
            (Some(Value::Bytes(host)), Some(Value::Int(port)), None) => {
                let host = printable(host);
                let bracketed = host.contains(':') && !host.starts_with('[');
                let host = if bracketed { format!("[{host}]") } else { host };
                nodes.push(format!("{host}:{port}"));
            }
            _ => return Err(wrong()),
        }
        check_count(nodes.len(), "nodes", outer)?;
    }
    Ok(nodes)
}

fn check_count(count: usize, key: &str, outer: &Fields<'_>) -> Result<(), MetainfoError> {
    if count > METAINFO_URLS_MAX {
        return Err(outer.wrong(key, format!("more than {METAINFO_URLS_MAX}")));
    }
    Ok(())
}
