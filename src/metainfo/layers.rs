//! The piece layers of a v2 torrent (BEP 52): the hashes of each large file's pieces.
//!
//! A file's pieces are the leaves of a tree of SHA-256 hashes; what is missing to a power of two is
//! hashes of nothing. The tree's root stands in the info dictionary, the layer outside of it, so
//! each layer must be checked against its root before anybody relies on it.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::{File, MetainfoError};
use crate::bencode::{Dict, Value};
use crate::limits::PIECE_BYTES_MIN;
use crate::request::quoted;

/// The name of the key.
pub(super) const KEY: &str = "piece layers";

/// Checks the layers of the files that need one, those of more than one piece; returns how many of
/// these files have none.
pub(super) fn check(
    layers: Option<Dict<'_>>,
    files: &[File],
    piece_length: u64,
) -> Result<usize, MetainfoError> {
    let entries = layers.iter().flat_map(Dict::iter);
    let layers: BTreeMap<&[u8], Value<'_>> = entries.map(|e| (e.key, e.value)).collect();
    let padding = padding_hash(piece_length);
    let mut missing = 0;
    for file in files.iter().filter(|file| file.length() > piece_length) {
        let Some(root) = file.pieces_root else { continue };
        let Some(layer) = layers.get(&root[..]) else {
            missing += 1;
            continue;
        };
        // The only file of its torrent has no path.
        let place = match file.path.as_slice() {
            b"" => String::new(),
            path => format!("of {}: ", quoted(path)),
        };
        let wrong = |problem: String| Err(MetainfoError::at(KEY, format!("{place}{problem}")));
        let pieces = file.length().div_ceil(piece_length);
        match layer {
            Value::Bytes(hashes) if hashes.len() as u64 == pieces.saturating_mul(32) => {
                if root_of(hashes, padding) != Some(root) {
                    return wrong("not the hashes that the info dictionary means".to_owned());
                }
            }
            Value::Bytes(hashes) => {
                return wrong(format!("{} bytes for {pieces} pieces of 32", hashes.len()));
            }
            _ => return wrong("not a byte string".to_owned()),
        }
    }
    Ok(missing)
}

fn hash_pair(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(left).chain_update(right).finalize().into()
}

/// The hash of a piece that is not there: its blocks' hashes are zeros.
fn padding_hash(piece_length: u64) -> [u8; 32] {
    let mut hash = [0; 32];
    let mut covered = PIECE_BYTES_MIN;
    while covered < piece_length {
        hash = hash_pair(&hash, &hash);
        covered *= 2;
    }
    hash
}

/// The root over a layer; `None` for an empty one.
fn root_of(layer: &[u8], mut padding: [u8; 32]) -> Option<[u8; 32]> {
    let (hashes, _) = layer.as_chunks::<32>();
    let mut hashes = hashes.to_vec();
    while hashes.len() > 1 {
        let pairs = hashes.chunks(2).map(|pair| match pair {
            [left, right] => hash_pair(left, right),
            [left, ..] => hash_pair(left, &padding),
            [] => padding,
        });
        hashes = pairs.collect();
        padding = hash_pair(&padding, &padding);
    }
    hashes.first().copied()
}
