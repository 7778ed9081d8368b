//! How many columns of a terminal a text takes, and texts cut to fit into so many.
//!
//! Most characters take one column; those of East Asian scripts and emoji two, marks that stand on
//! the character before them none. The ranges are those of Unicode's East Asian Width (UAX 11) and
//! its combining marks, blocks at a time: enough for a table, and no package. What terminals make
//! of flags and joined emoji differs from one to the next, and is not told apart here. Text comes
//! through [`crate::printable`], so nothing in it moves the cursor.

/// First and last character of each block that takes two columns.
const WIDE: [(u32, u32); 17] = [
    (0x1100, 0x115f),
    (0x231a, 0x231b),
    (0x23e9, 0x23ec),
    (0x2e80, 0x303e),
    (0x3041, 0x33ff),
    (0x3400, 0x4dbf),
    (0x4e00, 0xa4cf),
    (0xa960, 0xa97f),
    (0xac00, 0xd7a3),
    (0xf900, 0xfaff),
    (0xfe30, 0xfe6f),
    (0xff00, 0xff60),
    (0xffe0, 0xffe6),
    (0x1f300, 0x1f64f),
    (0x1f680, 0x1f6ff),
    (0x1f900, 0x1faff),
    (0x20000, 0x3fffd),
];

/// Likewise of those that take none.
const NO_WIDTH: [(u32, u32); 14] = [
    (0x300, 0x36f),
    (0x483, 0x489),
    (0x591, 0x5bd),
    (0x610, 0x61a),
    (0x64b, 0x65f),
    (0x1ab0, 0x1aff),
    (0x1dc0, 0x1dff),
    (0x200b, 0x200f),
    (0x20d0, 0x20ff),
    (0x302a, 0x302d),
    (0x3099, 0x309a),
    (0xfe00, 0xfe0f),
    (0xfe20, 0xfe2f),
    (0xe0100, 0xe01ef),
];

/// What stands at the end of a text that was cut.
const CUT: char = '\u{2026}';

/// Columns of a character.
fn columns_of(character: char) -> usize {
    let number = u32::from(character);
    let within = |blocks: &[(u32, u32)]| {
        blocks.iter().any(|(first, last)| (*first..=*last).contains(&number))
    };
    if number < 0x300 || !(within(&NO_WIDTH) || within(&WIDE)) {
        1
    } else if within(&NO_WIDTH) {
        0
    } else {
        2
    }
}

/// Columns of a text.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// The text in exactly so many columns: filled up with spaces, or cut with an ellipsis.
pub(super) fn fitted(text: &str, width: usize) -> String {
    let mut fitted = String::new();
    let mut taken = 0;
    if columns(text) <= width {
        fitted.push_str(text);
        taken = columns(text);
    } else if width > 0 {
        for character in text.chars() {
            if taken + columns_of(character) >= width {
                break;
            }
            fitted.push(character);
            taken += columns_of(character);
        }
        fitted.push(CUT);
        taken += 1;
    }
    fitted.extend(std::iter::repeat_n(' ', width - taken));
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_take_the_columns_that_terminals_give_them() {
        for (text, wanted) in [
            ("plain", 5),
            ("\u{e9}", 1),
            ("e\u{301}", 1),
            ("\u{4e2d}\u{6587}", 4),
            ("\u{ff21}\u{ff71}", 3),
            ("\u{d55c}\u{ad6d}", 4),
            ("\u{1f600}!", 3),
            ("\u{65e}", 0),
            ("\u{2026}\u{2500}", 2),
        ] {
            assert_eq!(columns(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_text_is_cut_or_filled_to_exactly_its_width() {
        for (text, width, wanted) in [
            ("film", 6, "film  "),
            ("film", 4, "film"),
            ("film", 3, "fi\u{2026}"),
            ("film", 1, "\u{2026}"),
            ("film", 0, ""),
            ("\u{4e2d}\u{6587}x", 5, "\u{4e2d}\u{6587}x"),
            ("\u{4e2d}\u{6587}x", 4, "\u{4e2d}\u{2026} "),
            ("\u{4e2d}\u{6587}x", 3, "\u{4e2d}\u{2026}"),
            ("\u{4e2d}", 1, "\u{2026}"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}\u{2026}"),
        ] {
            assert_eq!(fitted(text, width), wanted, "{text} in {width}");
            assert_eq!(columns(&fitted(text, width)), width, "{text} in {width}");
        }
    }
}
