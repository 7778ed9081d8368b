//! How long the pieces of a torrent are: what somebody typed, or what fits its size.
//!
//! Short pieces make a large torrent file, long ones are lost whole when a byte of them is wrong
//! and shared only once they are whole. The rule is imdl's (intermodal): the length grows with the
//! square root of the content, 2^(ceil(log2(bytes)) / 2 + 4), so that the number of pieces grows as
//! their length does, between 16 KiB and 16 MiB. mktorrent takes 256 KiB always (1.1, Debian's), or
//! from a table of 32 KiB up to 50 MiB, doubling with the content, to 16 MiB beyond 12.5 GiB.

use super::size::bytes;
use crate::limits::{PIECE_BYTES_CHOSEN_MAX, PIECE_BYTES_CREATED_MAX, PIECE_BYTES_MIN};

/// The length that fits content of so many bytes.
pub(super) fn choose(content_bytes: u64) -> u64 {
    // The logarithm, rounded up: the bits of the number before it.
    let exponent = u64::BITS - content_bytes.saturating_sub(1).leading_zeros();
    (1 << (exponent / 2 + 4)).clamp(PIECE_BYTES_MIN, PIECE_BYTES_CHOSEN_MAX)
}

/// Reads `262144`, `256KiB`, `256k`, `1M` or `2^18`: a power of two within the bounds.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let found = read(text).filter(|length| {
        (PIECE_BYTES_MIN..=PIECE_BYTES_CREATED_MAX).contains(length) && length.is_power_of_two()
    });
    found.ok_or_else(|| {
        let (min, max) = (bytes(PIECE_BYTES_MIN), bytes(PIECE_BYTES_CREATED_MAX));
        // mktorrent takes the exponent alone.
        let meant = text.parse::<u32>().ok().filter(|exponent| (14..=26).contains(exponent));
        let hint = meant.map(|exponent| format!("; 2^{exponent}?")).unwrap_or_default();
        format!("expected a power of two from {min} to {max}, such as 256KiB, 1M or 2^18{hint}")
    })
}

fn read(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    if let Some(exponent) = lower.strip_prefix("2^") {
        return 2u64.checked_pow(exponent.parse().ok()?);
    }
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match lower.strip_prefix(digits)? {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        _ => return None,
    };
    digits.trim_end().parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_grows_with_the_square_root_of_the_content() {
        const KIB: u64 = 1 << 10;
        const MIB: u64 = 1 << 20;
        const GIB: u64 = 1 << 30;
        for (content, wanted) in [
            (0, 16 * KIB),
            (1, 16 * KIB),
            // imdl's own examples, and a byte more than its bounds.
            (2 * MIB, 16 * KIB),
            (4 * MIB, 32 * KIB),
            (8 * MIB, 32 * KIB),
            (8 * MIB + 1, 64 * KIB),
            (16 * MIB, 64 * KIB),
            (GIB, 512 * KIB),
            (2 * GIB, 512 * KIB),
            (2 * GIB + 1, MIB),
            (1 << 40, 16 * MIB),
            (u64::MAX, 16 * MIB),
        ] {
            assert_eq!(choose(content), wanted, "{content}");
        }
    }

    #[test]
    fn lengths_are_read_as_people_write_them() {
        for text in ["262144", "256KiB", "256 KiB", "256k", "256K", "2^18", " 262144b "] {
            assert_eq!(parse(text), Ok(262_144), "{text}");
        }
        assert_eq!(parse("16KiB"), Ok(16_384));
        assert_eq!(parse("64MiB"), Ok(67_108_864));
        let error = "expected a power of two from 16 KiB to 64 MiB, such as 256KiB, 1M or 2^18";
        for text in
            ["", "k", "0", "8KiB", "128MiB", "300KiB", "256KB", "2^64", "2^", "-1", "1e6", "\u{e9}"]
        {
            assert_eq!(parse(text), Err(error.to_owned()), "{text}");
        }
        assert_eq!(parse("18"), Err(format!("{error}; 2^18?")), "as mktorrent has it");
    }
}
