//! The configuration file: TOML 1.0 without tables, its keys those of the options.
//!
//! Values become the text that the options' setters read, so a duration may be `1800` or `"30m"`
//! and a list an array or one text with commas. Errors name the file and the line. Nothing in the
//! file is applied in part: the caller drops the configuration on an error.

use std::io::Read as _;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{Config, ConfigOption, Kind, option_named, unknown};
use crate::limits::CONFIG_FILE_BYTES_MAX;
use crate::request::quoted;
use crate::token::Token;

/// A configuration file that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFile {
    /// Its path, as errors name it.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Reads a file of at most [`CONFIG_FILE_BYTES_MAX`]. It may be a pipe.
pub fn read_file(path: &str) -> Result<ConfigFile, String> {
    let name = path.escape_debug().to_string();
    let mut bytes = Vec::new();
    let read = |file: std::fs::File| file.take(CONFIG_FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    std::fs::File::open(path).and_then(read).map_err(|error| {
        format!("configuration file {name}: {error}; set --config or MUSTER_CONFIG to another path")
    })?;
    if bytes.len() as u64 > CONFIG_FILE_BYTES_MAX {
        return Err(format!(
            "configuration file {name}: larger than {CONFIG_FILE_BYTES_MAX} bytes, expected TOML"
        ));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = before.filter(|&&byte| byte == b'\n').count() + 1;
        format!("{name} line {line}: not UTF-8 text")
    })?;
    Ok(ConfigFile { name, text })
}

/// Reads the operator's token from its file.
pub fn read_token(path: &Path) -> Result<Token, String> {
    let name = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("token-file {name}: {error}"))?;
    Token::parse(&text).map_err(|error| format!("token-file {name}: {error}"))
}

/// Sets everything the file says, in the order in which it says it.
pub(super) fn apply(config: &mut Config, file: &ConfigFile) -> Result<(), String> {
    let table = DeTable::parse(&file.text).map_err(|error| syntax_error(file, &error))?;
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        let line = line_at(&file.text, key.span().start);
        let at = format!("in {} line {line}", file.name);
        let name: &str = key.get_ref();
        let is_table = matches!(value.get_ref(), DeValue::Table(_));
        let Some(option) = option_named(name) else {
            let what = format!("key {} {at}", quoted(name.as_bytes()));
            if is_table {
                return Err(format!("unknown {what}: the file has no tables, only key = value"));
            }
            return Err(unknown(&what, name, |option| format!("{:?}", option.key)));
        };
        let text =
            text_of(option, value.get_ref()).map_err(|wrong| format!("{name} {at}: {wrong}"))?;
        (option.set)(config, &text).map_err(|wrong| format!("{name} {at}: {wrong}"))?;
    }
    Ok(())
}

/// A value as the text its setter reads.
fn text_of(option: &ConfigOption, value: &DeValue) -> Result<String, String> {
    match value {
        DeValue::Table(_) => Err("a table, expected a value: the file has no tables".to_owned()),
        DeValue::Array(items) if option.kind == Kind::List => {
            let texts: Result<Vec<_>, _> =
                items.iter().map(|item| scalar(item.get_ref())).collect();
            Ok(texts?.join(","))
        }
        _ => scalar(value),
    }
}

/// Anything but arrays and tables. A setter that expects something else refuses the text and quotes
/// it.
fn scalar(value: &DeValue) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(integer) => {
            let number = i128::from_str_radix(integer.as_str(), integer.radix());
            Ok(number.map_or_else(|_| integer.to_string(), |number| number.to_string()))
        }
        DeValue::Float(float) => Ok(float.to_string()),
        DeValue::Boolean(switch) => Ok(switch.to_string()),
        DeValue::Datetime(moment) => Ok(moment.to_string()),
        DeValue::Array(_) => Err("an array, expected one value".to_owned()),
        DeValue::Table(_) => Err("a table, expected texts or numbers".to_owned()),
    }
}

/// What the parser says, as one line that names the file and quotes the offending line.
fn syntax_error(file: &ConfigFile, error: &toml::de::Error) -> String {
    let line = line_at(&file.text, error.span().unwrap_or(0..0).start);
    let message = error.message().replace('\n', " ");
    let offending = file.text.lines().nth(line - 1).unwrap_or_default().trim();
    format!("{} line {line}: {message} in {}", file.name, quoted(offending.as_bytes()))
}

/// The number of the line a byte is in, from 1.
fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}
