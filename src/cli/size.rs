//! Numbers of bytes, and of anything else, as people read them.

/// So many bytes in the unit that leaves 1 to 4 digits before the point: `1.4 GiB`, `16 KiB`.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return counted(count, "byte");
    }
    let mut unit_bytes = 1024;
    for unit in UNITS {
        let tenths = (u128::from(count) * 10 + unit_bytes / 2) / unit_bytes;
        // What rounds up to 1024 is one of the next.
        if tenths < 10_240 || unit == "EiB" {
            let point = if tenths % 10 == 0 { String::new() } else { format!(".{}", tenths % 10) };
            return format!("{}{point} {unit}", tenths / 10);
        }
        unit_bytes *= 1024;
    }
    unreachable!("any number fits the last unit")
}

/// As [`bytes`], with the number itself where that says more: `68.4 KiB (70,001 bytes)`.
pub(super) fn exact_bytes(count: u64) -> String {
    if count < 1024 {
        return bytes(count);
    }
    format!("{} ({} bytes)", bytes(count), grouped(count))
}

/// A number with commas between its thousands: `70,001`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many of something, in the plural where it takes one: `1 file`, `2,000 files`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_in_the_unit_that_people_would_choose() {
        for (count, wanted) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1,023 bytes"),
            (1024, "1 KiB"),
            (1024 + 51, "1 KiB"),
            (1024 + 52, "1.1 KiB"),
            (16 * 1024, "16 KiB"),
            (1_048_524, "1023.9 KiB"),
            (1_048_525, "1 MiB"),
            (1_500_000_000, "1.4 GiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(bytes(count), wanted, "{count}");
        }
        assert_eq!(exact_bytes(70_001), "68.4 KiB (70,001 bytes)");
        assert_eq!(exact_bytes(70), "70 bytes");
    }

    #[test]
    fn thousands_are_parted_by_commas_and_one_has_no_plural() {
        for (number, wanted) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (123_456_789, "123,456,789")]
        {
            assert_eq!(grouped(number), wanted);
        }
        assert_eq!(counted(1, "file"), "1 file");
        assert_eq!(counted(2000, "file"), "2,000 files");
    }
}
