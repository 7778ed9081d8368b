//! Hexdumps read back: bare digits, as `hexdump -ve '1/1 "%.2x"'` writes them, and the pages of
//! `xxd`, `hexdump -C` and `od -tx1`.
//!
//! A page's offsets are checked, so that a line lost in copying is named; its column of text is not
//! read. The `*` that stands for lines like the one before is filled in, as far as the bound goes.
//! The words of a bare `hexdump` or `od` are refused: their bytes stand in the order of the machine
//! that wrote them.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::fmt;

/// Why a text is no hexdump, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// The byte of the text at which it goes wrong.
    pub offset: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a hexdump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Not a hex digit, nor white space between two bytes.
    NotHex(u8),
    /// A byte of one digit.
    DigitMissing,
    /// A line's offset is not what came before it.
    OffsetWrong {
        /// Bytes before the line.
        expected: usize,
        /// What the line says.
        found: usize,
    },
    /// Words of two bytes, as `hexdump` and `od` write them on their own.
    Words,
    /// More bytes than the bound.
    TooLong,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: ", self.offset)?;
        match self.problem {
            Problem::NotHex(byte) => write!(f, "'{}' is not a hex digit", byte.escape_ascii()),
            Problem::DigitMissing => f.write_str("a byte of one hex digit"),
            Problem::OffsetWrong { expected, found } => write!(
                f,
                "the line says offset {found:x} where {expected:x} is due; is a line missing?"
            ),
            Problem::Words => f.write_str(
                "words of two bytes, in the order of the machine that wrote them; use hexdump -C",
            ),
            Problem::TooLong => f.write_str("too long a dump"),
        }
    }
}

/// How a line of a dump is laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Nothing but digits and white space.
    Bare,
    /// `00000010: 6438 3a63  d8:c`
    Xxd,
    /// `00000010  64 38 3a 63  |d8:c|`
    Canonical,
    /// `0000020 64 38 3a 63`, the offset in octal: `od -tx1`.
    Octal,
    /// `0000010 3864 633a`
    Words,
}

/// The bytes that a dump shows, at most `bytes_max` of them.
pub fn parse(text: &[u8], bytes_max: usize) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let mut offset = 0;
    let mut repeats = false;
    // Where the bytes of the last line begin, which a `*` repeats.
    let mut last_line = 0;
    // The layout of a page whose last line is its length alone.
    let mut page = None;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let start = offset;
        offset += line.len();
        if line.trim_ascii().is_empty() {
            continue;
        }
        if line.trim_ascii() == b"*" && !out.is_empty() {
            repeats = true;
            continue;
        }
        let layout = layout(line, page);
        if matches!(layout, Layout::Canonical | Layout::Octal) {
            page = Some(layout);
        }
        if layout == Layout::Words {
            return Err(Error { offset: start, problem: Problem::Words });
        }
        let digits = if layout == Layout::Bare {
            0..line.len()
        } else {
            let (claimed, digits) = split_page_line(line, layout);
            if repeats {
                repeat(&mut out, last_line, claimed.min(bytes_max));
                repeats = false;
            }
            if claimed > bytes_max {
                return Err(Error { offset: start, problem: Problem::TooLong });
            }
            if claimed != out.len() {
                let problem = Problem::OffsetWrong { expected: out.len(), found: claimed };
                return Err(Error { offset: start, problem });
            }
            digits
        };
        last_line = out.len();
        parse_digits(line.get(digits.clone()).unwrap_or_default(), start + digits.start, &mut out)?;
        if out.len() > bytes_max {
            return Err(Error { offset: start, problem: Problem::TooLong });
        }
    }
    Ok(out)
}

/// Appends the bytes from `start` on again and again, whole, until there are `length`.
fn repeat(out: &mut Vec<u8>, start: usize, length: usize) {
    let line = out.get(start..).unwrap_or_default().to_vec();
    while !line.is_empty() && out.len() + line.len() <= length {
        out.extend_from_slice(&line);
    }
}

/// What the beginning of a line says about it.
fn layout(line: &[u8], page: Option<Layout>) -> Layout {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let rest = line.get(digits..).unwrap_or_default();
    let alone = rest.trim_ascii().is_empty();
    match (digits, rest) {
        (1.., [b':', b' ' | b'\t', ..]) => Layout::Xxd,
        (8.., [b' ', b' ', ..]) => Layout::Canonical,
        // The last line of a page is its length alone.
        (7.., _) if alone && page.is_some() => page.unwrap_or(Layout::Bare),
        (7, [b' ', a, b, b' ' | b'\n', ..] | [b' ', a, b])
            if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() =>
        {
            Layout::Octal
        }
        (7, _) if alone => Layout::Words,
        (7, [b' ', ..]) => Layout::Words,
        _ => Layout::Bare,
    }
}

/// The offset that a line of a page opens with, and where its digits stand.
fn split_page_line(line: &[u8], layout: Layout) -> (usize, std::ops::Range<usize>) {
    let count = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let value = |all: usize, digit: &u8| {
        let digit = char::from(*digit).to_digit(16).unwrap_or(0);
        let base = if layout == Layout::Octal { 8 } else { 16 };
        all.saturating_mul(base).saturating_add(digit as usize)
    };
    let claimed = line.get(..count).unwrap_or_default().iter().fold(0, value);
    let start = if layout == Layout::Xxd { count + 2 } else { count };
    let rest = line.get(start..).unwrap_or_default();
    let length = match layout {
        // Two spaces stand before xxd's text.
        Layout::Xxd => rest.windows(2).position(|pair| pair == b"  "),
        // `od -tx1z` writes its text in these.
        Layout::Octal => rest.iter().position(|&byte| byte == b'>'),
        _ => rest.iter().position(|&byte| byte == b'|'),
    };
    (claimed, start..start + length.unwrap_or(rest.len()))
}

/// Appends the bytes that pairs of digits stand for; `start` is where they stand in the whole text.
fn parse_digits(digits: &[u8], start: usize, out: &mut Vec<u8>) -> Result<(), Error> {
    let mut high: Option<(usize, u32)> = None;
    for (at, &byte) in digits.iter().enumerate() {
        let fail = |at: usize, problem| Err(Error { offset: start + at, problem });
        match (char::from(byte).to_digit(16), high.take()) {
            (Some(digit), None) => high = Some((at, digit)),
            (Some(low), Some((_, high))) => out.push((high << 4 | low) as u8),
            (None, _) if !byte.is_ascii_whitespace() => return fail(at, Problem::NotHex(byte)),
            (None, Some((at, _))) => return fail(at, Problem::DigitMissing),
            (None, None) => {}
        }
    }
    match high {
        Some((at, _)) => Err(Error { offset: start + at, problem: Problem::DigitMissing }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 1000;

    fn parsed(text: &str) -> Vec<u8> {
        parse(text.as_bytes(), MOST).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn every_common_form_of_dump_reads_as_the_same_bytes() {
        // d8:completei0e5:peers0:e, 24 bytes: a whole line and half of another.
        let bytes = b"d8:completei0e5:peers0:e";
        for dump in [
            "64383a636f6d706c657465693065353a7065657273303a65",
            "64383A636F6D706C65746569306535 3A\n7065657273303a65\n",
            " 64 38 3a 63 6f 6d 70 6c 65 74 65 69 30 65 35 3a\n 70 65 65 72 73 30 3a 65\n",
            "00000000: 6438 3a63 6f6d 706c 6574 6569 3065 353a  d8:completei0e5:\n\
             00000010: 7065 6572 7330 3a65                      peers0:e\n",
            "00000000: 64 38 3a 63 6f 6d 70 6c 65 74 65 69 30 65 35 3a  d8:completei0e5:\n\
             00000010: 70 65 65 72 73 30 3a 65                          peers0:e\n",
            "00000000  64 38 3a 63 6f 6d 70 6c  65 74 65 69 30 65 35 3a  |d8:completei0e5:|\n\
             00000010  70 65 65 72 73 30 3a 65                           |peers0:e|\n\
             00000018\n",
            "0000000 64 38 3a 63 6f 6d 70 6c 65 74 65 69 30 65 35 3a\n\
             0000020 70 65 65 72 73 30 3a 65\n\
             0000030\n",
            "0000000 64 38 3a 63 6f 6d 70 6c 65 74 65 69 30 65 35 3a  >d8:completei0e5:<\n\
             0000020 70 65 65 72 73 30 3a 65                          >peers0:e<\n\
             0000030\n",
        ] {
            assert_eq!(parsed(dump), bytes, "{dump}");
        }
        assert_eq!(parsed(""), b"");
        assert_eq!(parsed("0000000 61"), b"a", "without the end of the page");
        assert_eq!(parsed("61\n00000000\n"), b"a\0\0\0\0", "digits, not the end of a page");
    }

    #[test]
    fn lines_like_the_one_before_are_filled_in() {
        let line = "61 61 61 61 61 61 61 61  61 61 61 61 61 61 61 61  |aaaaaaaaaaaaaaaa|\n";
        let dump = format!("00000000  {line}*\n00000030  62  |b|\n00000031\n");
        assert_eq!(parsed(&dump), [&[b'a'; 48][..], b"b"].concat());
        let whole = format!("00000000  {line}*\n00000030\n");
        assert_eq!(parsed(&whole), [b'a'; 48]);
        let bomb = format!("00000000  {line}*\nfffffff0  62  |b|\n");
        let error = Error { offset: bomb.find("fffffff0").expect("it"), problem: Problem::TooLong };
        assert_eq!(parse(bomb.as_bytes(), MOST), Err(error));
    }

    #[test]
    fn errors_name_the_byte_of_the_text() {
        for (dump, text) in [
            ("6438x3", "byte 4: 'x' is not a hex digit"),
            ("64 3 8", "byte 3: a byte of one hex digit"),
            ("643", "byte 2: a byte of one hex digit"),
            ("6\n4", "byte 0: a byte of one hex digit"),
            (
                "00000000: 6438  d8\n00000004: 6565  ee\n",
                "byte 19: the line says offset 4 where 2 is due; is a line missing?",
            ),
            (
                "00000000  64  |d|\n00000002\n",
                "byte 18: the line says offset 2 where 1 is due; is a line missing?",
            ),
            (
                "0000000 3864 633a\n0000004\n",
                "byte 0: words of two bytes, in the order of the machine that wrote them; use \
                 hexdump -C",
            ),
        ] {
            let error = parse(dump.as_bytes(), MOST).expect_err(dump);
            assert_eq!(error.to_string(), text);
        }
        let long = parse("61".repeat(MOST + 1).as_bytes(), MOST);
        assert_eq!(long, Err(Error { offset: 0, problem: Problem::TooLong }));
    }

    #[test]
    fn no_mutation_of_a_dump_makes_it_panic_or_grow() {
        let page = b"00000000: 6438 3a63  d8:c\n*\n00000010  64 |d|\n00000020\n";
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
            let mut text = page.to_vec();
            for _ in 0..random.usize(1..6) {
                let at = random.usize(..text.len());
                text[at] = b"0f: |*\n\xffx"[random.usize(..9)];
            }
            text.truncate(random.usize(..=text.len()));
            if let Ok(bytes) = parse(&text, 100) {
                assert!(bytes.len() <= 100);
            }
        }
    }
}
