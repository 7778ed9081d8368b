//! Magnet links (BEP 9, BEP 53): a torrent's hashes, its name and its trackers in one line.
//!
//! What else a link may say (`so`, `xs`, `ws`, `x.pe`) is passed over. Names are bytes, as
//! everywhere in a torrent.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::fmt::Write as _;

use super::InfoHashV2;
use crate::hash_text::parse_info_hash;
use crate::limits::METAINFO_URLS_MAX;
use crate::percent;
use crate::request::{InfoHash, quoted};

/// A magnet link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Magnet {
    /// `xt=urn:btih:`
    pub info_hash_v1: Option<InfoHash>,
    /// `xt=urn:btmh:1220`: a multihash, the prefix of which means SHA-256.
    pub info_hash_v2: Option<InfoHashV2>,
    /// `dn=`
    pub name: Option<Vec<u8>>,
    /// `tr=`, as many as there are.
    pub trackers: Vec<String>,
    /// `xl=`: bytes of all files together.
    pub length: Option<u64>,
}

impl Magnet {
    /// The hash that trackers know it by, as [`super::Metainfo::info_hash`] has it; `None` for a
    /// link without any.
    #[must_use]
    pub fn info_hash(&self) -> Option<InfoHash> {
        self.info_hash_v1.or_else(|| self.info_hash_v2.map(|hash| hash.truncated()))
    }
}

/// What every link begins with.
const SCHEME: &str = "magnet:?";
/// The parameters that are read.
const KEYS: [&str; 4] = ["dn", "tr", "xl", "xt"];
const V1: &str = "urn:btih:";
const V2: &str = "urn:btmh:1220";

/// Reads a link; the error is one line that quotes what is wrong.
pub fn parse(text: &str) -> Result<Magnet, String> {
    let start = text.get(..SCHEME.len()).filter(|start| start.eq_ignore_ascii_case(SCHEME));
    let Some(query) = start.and_then(|start| text.get(start.len()..)) else {
        return Err(format!("{}: a magnet link begins with {SCHEME}", quoted(text.as_bytes())));
    };
    let mut magnet = Magnet::default();
    for parameter in query.split('&') {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        // Some write xt.1, xt.2 where there are several.
        let key = key.split_once('.').map_or(key, |(key, _)| key);
        // What a stranger called it would stand in an error as it is.
        if !KEYS.contains(&key) {
            continue;
        }
        // Names are often written as HTML forms write them.
        let value = if key == "dn" { &value.replace('+', " ") } else { value };
        let value = decode(value).map_err(|problem| format!("{key}: {problem}"))?;
        match key {
            "xt" => parse_topic(&mut magnet, &value)?,
            "dn" => magnet.name = Some(value),
            "tr" if magnet.trackers.len() == METAINFO_URLS_MAX => {
                return Err(format!("tr: more than {METAINFO_URLS_MAX}"));
            }
            "tr" => magnet.trackers.push(String::from_utf8_lossy(&value).into_owned()),
            "xl" => magnet.length = std::str::from_utf8(&value).ok().and_then(|v| v.parse().ok()),
            _ => {}
        }
    }
    if magnet.info_hash().is_none() {
        return Err(format!("{}: no xt={V1} or xt={V2}", quoted(text.as_bytes())));
    }
    Ok(magnet)
}

/// Reads what the link is about; topics of other networks are passed over.
fn parse_topic(magnet: &mut Magnet, topic: &[u8]) -> Result<(), String> {
    let wrong = || format!("xt: {}: not an info hash", quoted(topic));
    let text = std::str::from_utf8(topic).map_err(|_| wrong())?;
    if let Some(hash) = text.strip_prefix(V1) {
        magnet.info_hash_v1 = Some(parse_info_hash(hash).ok_or_else(wrong)?);
    } else if let Some(digits) = text.strip_prefix(V2) {
        magnet.info_hash_v2 = Some(parse_v2(digits).ok_or_else(wrong)?);
    }
    Ok(())
}

fn parse_v2(digits: &str) -> Option<InfoHashV2> {
    let digits: &[u8; 64] = digits.as_bytes().try_into().ok()?;
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        for &digit in pair {
            *byte = *byte << 4 | char::from(digit).to_digit(16)? as u8;
        }
    }
    Some(InfoHashV2(hash))
}

fn decode(value: &str) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; value.len()];
    let length = percent::decode(value.as_bytes(), &mut bytes).map_err(|bad| bad.to_string())?;
    bytes.truncate(length);
    Ok(bytes)
}

/// Writes a link: hashes, name, trackers, length.
#[must_use]
pub fn encode(magnet: &Magnet) -> String {
    let mut link = SCHEME.to_owned();
    let key = |link: &mut String, key: &str| {
        let first = link.len() == SCHEME.len();
        // A write to a String cannot fail.
        let _ = write!(link, "{}{key}=", if first { "" } else { "&" });
    };
    if let Some(hash) = magnet.info_hash_v1 {
        key(&mut link, "xt");
        let _ = write!(link, "{V1}{hash}");
    }
    if let Some(hash) = magnet.info_hash_v2 {
        key(&mut link, "xt");
        let _ = write!(link, "{V2}{hash}");
    }
    if let Some(name) = &magnet.name {
        key(&mut link, "dn");
        percent::encode(name, &mut link);
    }
    for tracker in &magnet.trackers {
        key(&mut link, "tr");
        percent::encode(tracker.as_bytes(), &mut link);
    }
    if let Some(length) = magnet.length {
        key(&mut link, "xl");
        let _ = write!(link, "{length}");
    }
    link
}

#[cfg(test)]
mod tests;
