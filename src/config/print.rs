//! The table of options as people read it: the commented file of `--print-config`, the README's
//! table.
//!
//! Both are made from `OPTIONS` alone, so that neither can say what the program does not do. Text
//! in, text out: nothing is printed here.

use std::fmt::Write as _;

use super::{Config, Kind, OPTIONS};

/// Columns of a comment in the printed file.
const COMMENT_COLUMNS: usize = 96;

/// The whole commented configuration file with the values of `config`; it loads back to `config`.
#[must_use]
pub fn encode_toml(config: &Config) -> String {
    let mut out = String::new();
    push_comment(
        &mut out,
        "The configuration of muster. Start it with --config FILE or MUSTER_CONFIG=FILE. A flag \
         wins over a variable, a variable over this file, and what none sets has its default.",
    );
    for option in &OPTIONS {
        out.push('\n');
        push_comment(&mut out, &format!("{}.", option.help));
        if !option.comment.is_empty() {
            push_comment(&mut out, option.comment);
        }
        let default = encode_value(option.kind, &option.default_text());
        let sources = format!("--{}, {}; default: {default}", option.key, option.variable());
        push_comment(&mut out, &sources);
        let value = encode_value(option.kind, &(option.get)(config));
        // A write to a String cannot fail.
        let _ = writeln!(out, "{} = {value}", option.key);
    }
    out
}

/// The table of options in Markdown, as it stands in the README.
#[must_use]
pub fn encode_markdown() -> String {
    let mut out = String::from("| flag | variable | default | what it does |\n|---|---|---|---|\n");
    for option in &OPTIONS {
        let default = match option.default_text() {
            text if text.is_empty() => "none".to_owned(),
            text => format!("`{text}`"),
        };
        // A write to a String cannot fail.
        let _ = writeln!(
            out,
            "| `--{}` | `{}` | {default} | {} |",
            option.key,
            option.variable(),
            option.help
        );
    }
    out
}

/// Breaks text into lines that begin with `#`.
fn push_comment(out: &mut String, text: &str) {
    let mut column = COMMENT_COLUMNS;
    for word in text.split(' ') {
        let needed = 1 + word.chars().count();
        if column + needed > COMMENT_COLUMNS {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            out.push('#');
            column = 1;
        }
        out.push(' ');
        out.push_str(word);
        column += needed;
    }
    out.push('\n');
}

/// A value as TOML has it.
fn encode_value(kind: Kind, text: &str) -> String {
    match kind {
        Kind::Number | Kind::Switch => text.to_owned(),
        Kind::Text => encode_string(text),
        Kind::List => {
            let items: Vec<String> =
                text.split(',').filter(|item| !item.is_empty()).map(encode_string).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

/// A basic string (TOML 1.0, "String"): quotes, backslashes and control characters escaped.
fn encode_string(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control.is_control() => {
                // A write to a String cannot fail.
                let _ = write!(out, "\\u{:04X}", u32::from(control));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}
