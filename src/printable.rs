//! Bytes that others chose, as they may stand on a terminal.

use std::fmt::Write as _;

/// The bytes as text that only shows: control characters, invisible ones and those that turn the
/// direction of writing stand as Rust escapes them, bytes that are not UTF-8 as `\xff`, and a
/// backslash is doubled, so that no two different names look the same.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        // Quotes do no harm: nothing here stands within any.
        let escaped = chunk.valid().escape_debug().to_string();
        text += &escaped.replace("\\\"", "\"").replace("\\'", "'");
        for byte in chunk.invalid() {
            // A write to a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Whether [`printable`] leaves the character as it is, quotes and backslashes not looked at.
#[must_use]
pub fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    // Alone, a mark that goes over a letter would be escaped.
    let on_a_letter = ['a', character].iter().collect::<String>();
    on_a_letter.escape_debug().eq(['a', character])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plain_text_is_escaped_and_the_rest_is_not() {
        for (bytes, wanted) in [
            (&b"Plain 'name' \"1\".bin"[..], r#"Plain 'name' "1".bin"#),
            ("\u{e9}\u{4e2d}\u{1f600} e\u{301}".as_bytes(), "\u{e9}\u{4e2d}\u{1f600} e\u{301}"),
            (b"a\x1b[31mred\r\n\x00\x7f", r"a\u{1b}[31mred\r\n\0\u{7f}"),
            ("gpj.\u{202e}exe\u{200b}\u{85}".as_bytes(), r"gpj.\u{202e}exe\u{200b}\u{85}"),
            (b"caf\xe9 \xff", r"caf\xe9 \xff"),
            (b"a\\x41", r"a\\x41"),
            (b"\\\"'", r#"\\"'"#),
        ] {
            assert_eq!(printable(bytes), wanted);
        }
    }
}
