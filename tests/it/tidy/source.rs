//! A Rust file as the tidy rules see it: its text, and the same text with what is not code blanked.
//!
//! A small lexer, not a parser: it knows comments, literals, lifetimes and braces, which is all
//! that the rules need, and it expects code that compiles. Blanked bytes become spaces, so an
//! offset means the same place in every view.

use std::ops::Range;

/// One `.rs` file.
pub struct Source {
    /// Relative to the repository, with `/`: `src/http/head.rs`.
    pub path: String,
    /// As it stands.
    pub text: String,
    /// Without string and character literals.
    pub prose: String,
    /// Without literals and comments.
    pub code: String,
    /// Whether the file holds nothing but test code.
    pub is_tests: bool,
    /// Where else there is test code: byte offsets.
    tests: Vec<Range<usize>>,
}

/// A function with a body.
pub struct Function {
    pub name: String,
    pub first_line: usize,
    pub last_line: usize,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Source {
        let prose = blank(text, |kind| kind == Kind::Literal);
        let code = blank(text, |kind| kind != Kind::Code);
        let file_name = path.rsplit('/').next().unwrap_or(path);
        let beside_a_module = file_name == "tests.rs" || path.contains("/tests/");
        let is_tests = !path.starts_with("src/") || beside_a_module;
        let tests = if is_tests { Vec::new() } else { test_items(&code) };
        Source { path: path.to_owned(), text: text.to_owned(), prose, code, is_tests, tests }
    }

    /// The line, from 1, that holds a byte.
    pub fn line(&self, offset: usize) -> usize {
        self.text[..offset].matches('\n').count() + 1
    }

    /// Whether a byte lies in test code.
    pub fn is_test(&self, offset: usize) -> bool {
        self.is_tests || self.tests.iter().any(|range| range.contains(&offset))
    }

    /// Whether the file is part of the program, its unit tests included.
    pub fn is_in_src(&self) -> bool {
        self.path.starts_with("src/")
    }

    /// Lines of the file without the tests at its side; a file of tests counts in full.
    pub fn lines_without_tests(&self) -> usize {
        let tests = self.tests.iter().map(|r| self.line(r.end) - self.line(r.start) + 1);
        self.text.lines().count() - tests.sum::<usize>()
    }

    /// Offsets of a piece of code that is not part of a longer word.
    pub fn find(&self, needle: &str) -> Vec<usize> {
        find_word(&self.code, needle)
    }

    /// The functions with a body, nested ones and those of test code included.
    pub fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        for at in self.find("fn") {
            let name = word_at(&self.code, at + 2 + leading_spaces(&self.code[at + 2..]));
            let Some(open) = body_of(&self.code, at).filter(|_| !name.is_empty()) else { continue };
            functions.push(Function {
                name: name.to_owned(),
                first_line: self.line(at),
                last_line: self.line(close_of(&self.code, open)),
            });
        }
        functions
    }
}

/// Offsets of `needle` in `text` where it is not part of a longer word.
pub fn find_word(text: &str, needle: &str) -> Vec<usize> {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|&byte| is_word_byte(byte));
    let bytes = text.as_bytes();
    let opens_as_word = is_word(needle.as_bytes().first());
    let ends_as_word = is_word(needle.as_bytes().last());
    let found = text.match_indices(needle).map(|(at, _)| at);
    found
        .filter(|&at| !(opens_as_word && at > 0 && is_word(bytes.get(at - 1))))
        .filter(|&at| !(ends_as_word && is_word(bytes.get(at + needle.len()))))
        .collect()
}

/// The word that begins at an offset; empty if none does.
pub fn word_at(text: &str, at: usize) -> &str {
    let rest = &text[at..];
    let end = rest.bytes().position(|byte| !is_word_byte(byte)).unwrap_or(rest.len());
    &rest[..end]
}

/// Bytes of white space that a text opens with.
pub fn leading_spaces(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// The offset of the bracket that closes the one at `open`; the last byte if none does.
pub fn close_of(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    code.len().saturating_sub(1)
}

/// The `{` that opens the body of the item at `at`; `None` if it ends in `;` first.
fn body_of(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// The items behind `#[cfg(test)]`, attribute included.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let attribute = "#[cfg(test)]";
    let end = |at: usize| match body_of(code, at + attribute.len()) {
        Some(open) => close_of(code, open),
        None => at + code[at..].find(';').unwrap_or(attribute.len()),
    };
    code.match_indices(attribute).map(|(at, _)| at..end(at)).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// The text with the bytes of some kinds turned into spaces; line ends stay.
fn blank(text: &str, blanked: impl Fn(Kind) -> bool) -> String {
    let mut view = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let (length, kind) = token(&text[at..]);
        for char in text[at..at + length].chars() {
            match char {
                '\n' => view.push('\n'),
                _ if blanked(kind) => view.extend(std::iter::repeat_n(' ', char.len_utf8())),
                _ => view.push(char),
            }
        }
        at += length;
    }
    view
}

/// The length and kind of the token that a text opens with.
fn token(text: &str) -> (usize, Kind) {
    let word = word_at(text, 0);
    if ["r", "br", "cr"].contains(&word)
        && let Some(length) = raw_string(&text[word.len()..])
    {
        return (word.len() + length, Kind::Literal);
    }
    if !word.is_empty() {
        return (word.len(), Kind::Code);
    }
    if text.starts_with("//") {
        return (text.find('\n').unwrap_or(text.len()), Kind::Comment);
    }
    if text.starts_with("/*") {
        return (block_comment(text), Kind::Comment);
    }
    if text.starts_with('"') {
        return (quoted(text, '"'), Kind::Literal);
    }
    let mut chars = text.chars();
    match (chars.next(), chars.next(), chars.next()) {
        (Some('\''), Some('\\'), _) | (Some('\''), Some(_), Some('\'')) => {
            (quoted(text, '\''), Kind::Literal)
        }
        (Some(first), _, _) => (first.len_utf8(), Kind::Code),
        _ => (text.len(), Kind::Code),
    }
}

/// The length of a raw string without its letters: `#"..."#`; `None` if it is none.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text.bytes().take_while(|&byte| byte == b'#').count();
    text[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", &text[..hashes]);
    let inside = &text[hashes + 1..];
    Some(hashes + 1 + inside.find(&end).map_or(inside.len(), |at| at + end.len()))
}

/// The length of a block comment, which may hold others.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        let step = if rest.starts_with(b"/*") {
            depth += 1;
            2
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            2
        } else {
            1
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of a literal with escapes that opens and ends with `quote`.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if char == quote => return at + char.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

#[test]
fn comments_and_literals_of_every_form_are_not_code() {
    let cases = [
        ("a // b \"c\"\nd", "a\nd"),
        ("a /* b /* c */ d */ e", "ae"),
        ("\"b\\\" // c\" + d", "+d"),
        ("r#\"b\" c\"# + d", "+d"),
        ("br\"\\\" + d", "+d"),
        ("r#fn + 'x' + '\\'' + 'a: {", "r#fn+++'a:{"),
        ("'\"' + b'\\\\' + d", "+b+d"),
        ("\"\u{fc}\" + d", "+d"),
    ];
    for (text, code) in cases {
        let source = Source::new("src/a.rs", text);
        assert_eq!(source.code.replace(' ', ""), code, "{text}");
        assert_eq!(source.code.len(), text.len(), "{text}");
    }
}

#[test]
fn test_code_is_told_from_the_rest() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
    let source = Source::new("src/a.rs", text);
    let found = ["a", "b", "c"].map(|name| source.is_test(source.find(name)[0]));
    assert_eq!(found, [false, true, false]);
    assert_eq!(source.lines_without_tests(), 2);
    assert!(Source::new("tests/it/a.rs", text).is_test(0));
    assert_eq!(Source::new("tests/it/a.rs", text).lines_without_tests(), 6);
    let outside = Source::new("src/a.rs", "#[cfg(test)]\nmod tests;\nfn a() {}\n");
    assert!(!outside.is_test(outside.find("a")[0]));
}

#[test]
fn functions_are_measured_from_their_name_to_their_last_brace() {
    let text =
        "type A = fn(u8);\ntrait B {\n    fn a(&self);\n}\nfn b(x: [u8; 2])\n{\n    \"}\";\n}\n";
    let functions = Source::new("src/a.rs", text).functions();
    let found: Vec<_> =
        functions.iter().map(|f| (f.name.as_str(), f.first_line, f.last_line)).collect();
    assert_eq!(found, [("b", 5, 8)]);
}
