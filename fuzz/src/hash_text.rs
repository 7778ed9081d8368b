//! Hashes as text, and percent escapes: every way to write a hash leads back to it.

use muster::hash_text::parse_info_hash;
use muster::percent::{decode, decode_twenty, encode};
use muster::request::InfoHash;

/// Holds what is said above.
pub fn check(bytes: &[u8]) {
    if let Some(hash) = parse_info_hash(&String::from_utf8_lossy(bytes)) {
        leads_back(hash);
    }
    if let Some(twenty) = decode_twenty(bytes) {
        leads_back(InfoHash(twenty));
    }
    if let Some(&twenty) = bytes.first_chunk() {
        leads_back(InfoHash(twenty));
    }
    let mut decoded = vec![0; bytes.len()];
    match decode(bytes, &mut decoded) {
        Ok(length) => {
            assert!(length <= bytes.len());
            decoded.truncate(length);
            // What does not fit is told all the same, and the rest is what fits.
            let mut few = [0; 3];
            assert_eq!(decode(bytes, &mut few), Ok(length));
            let fits = length.min(few.len());
            assert_eq!(few[..fits], decoded[..fits]);
        }
        Err(problem) => {
            assert!(problem.0.starts_with(b"%") && problem.0.len() <= 3, "{problem}");
            decoded = bytes.to_vec();
        }
    }
    let mut text = String::new();
    encode(&decoded, &mut text);
    let mut again = vec![0; decoded.len()];
    assert_eq!(decode(text.as_bytes(), &mut again), Ok(decoded.len()));
    assert_eq!(again, decoded);
}

fn leads_back(hash: InfoHash) {
    let mut escaped = String::new();
    encode(&hash.0, &mut escaped);
    assert_eq!(parse_info_hash(&escaped), Some(hash), "{escaped}");
    assert_eq!(decode_twenty(escaped.as_bytes()), Some(hash.0), "{escaped}");
    let hex = hash.to_string();
    assert_eq!(parse_info_hash(&hex), Some(hash));
    assert_eq!(InfoHash::from_hex(hex.to_uppercase().as_bytes()), Some(hash));
    let base32 = base32(&hash);
    assert_eq!(parse_info_hash(&base32), Some(hash), "{base32}");
    assert_eq!(parse_info_hash(&base32.to_lowercase()), Some(hash), "{base32}");
}

/// The hash in the digits of RFC 4648, five bits each, as magnet links have it (BEP 9).
fn base32(hash: &InfoHash) -> String {
    let bit = |nth: usize| hash.0[nth / 8] >> (7 - nth % 8) & 1;
    let five = |nth: usize| (0..5).fold(0, |digit, at| digit << 1 | usize::from(bit(nth * 5 + at)));
    (0..32).map(|nth| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[five(nth)])).collect()
}
