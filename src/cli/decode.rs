//! `muster decode [FILE]`: bencode, or a hexdump of it, or percent-encoded text, as readable JSON.
//!
//! What it is given is guessed from the bytes: bencode if it decodes, else a hexdump if that, else
//! text with percent escapes or a query without any. `--from` ends the guessing, and the error is
//! that form's own. The JSON is written as the bytes are read, so that millions of small values
//! take no more memory than their bytes.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Read, Write as _};

use clap::builder::{Command, OsStringValueParser, PossibleValuesParser};
use clap::{Arg, ArgAction, ArgMatches};
use serde::Serialize;
use serde::ser::Serializer;
use serde_json::{Map, Value};

use super::torrent_file::shown;
use super::{Failure, Variables};
use crate::bencode::json::Shown;
use crate::bencode::{Problem, decode_tolerant};
use crate::limits::{DECODE_BYTES_MAX, DECODE_QUERY_BYTES_MAX};
use crate::{hex_dump, percent};

/// What stands below the arguments of `--help`.
const MORE: &str = "\
It reads bencode as a tracker sends it and a torrent file holds it; hexdumps, bare as
hexdump -ve '1/1 \"%.2x\"' writes them or as pages of xxd, hexdump -C and od -tx1; and
percent-encoded text, such as an info_hash, or the query of an announce. Compact peers are shown as
addresses, hashes as hex, and any other string that is no text as hex: and its digits.

Examples:
  curl -s \"http://127.0.0.1:6969/announce?info_hash=$HASH&...\" | muster decode
  muster announce --raw film.torrent | muster decode
  muster decode film.torrent
  muster decode --from hex dump.txt
  echo 'info_hash=%D1%10%1A%2B%9D%20%28%11%A0%5E%8C%57%C5%57%A2%0B%F9%74%DC%8A' | muster decode

Keys out of order or twice, and bytes behind the end, are told on stderr and read all the same.
Exit code 1 when it cannot be read; the error names the byte.";

/// The forms by the names of `--from`.
const FORMS: [(&str, Form); 3] =
    [("bencode", Form::Bencode), ("hex", Form::Hex), ("percent", Form::Percent)];

/// How the input is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Bencode,
    /// A hexdump of bencode.
    Hex,
    /// Percent-encoded text: bencode, a query, or bytes.
    Percent,
}

/// What was read, and what was to be said about it.
#[derive(Debug, PartialEq)]
struct Decoded<'a> {
    content: Content<'a>,
    notes: Vec<String>,
}

/// What was read; serialized, it is the JSON that shows it.
#[derive(Debug, PartialEq)]
enum Content<'a> {
    /// Bytes that begin with a value of bencode; they have been checked.
    Bencode(Cow<'a, [u8]>),
    /// Bytes, and the key that says what they are.
    Bytes(&'static [u8], Vec<u8>),
    /// The parameters of a query.
    Query(Map<String, Value>),
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        match self {
            Content::Bencode(bytes) => match decode_tolerant(bytes) {
                Ok((value, _)) => Shown::alone(value).serialize(json),
                Err(error) => Err(serde::ser::Error::custom(error)),
            },
            Content::Bytes(key, bytes) => Shown::bytes_of(key, bytes).serialize(json),
            Content::Query(parameters) => parameters.serialize(json),
        }
    }
}

/// The command and its arguments.
pub(super) fn command() -> Command {
    let file = Arg::new("file")
        .value_name("FILE")
        .value_parser(OsStringValueParser::new())
        .default_value("-")
        .hide_default_value(true)
        .help("The file to read; - or nothing is standard input");
    let from = Arg::new("from")
        .long("from")
        .value_name("FORM")
        .action(ArgAction::Set)
        .value_parser(PossibleValuesParser::new(FORMS.map(|(name, _)| name)))
        .help("What it is, instead of guessing");
    Command::new("decode")
        .about("Show bencode, a hexdump of it, or percent-encoded text as JSON")
        .after_help(MORE)
        .arg(file)
        .arg(from)
}

/// Reads, decodes and prints.
pub(super) fn run(given: &ArgMatches, _variables: &Variables) -> Result<(), Failure> {
    let path: &OsString = given.get_one("file").expect("it has a default");
    let name = shown(path);
    let failed = |text: String| Failure::Failed(format!("{name}: {text}"));
    let input = read(path).map_err(failed)?;
    let named = given.get_one::<String>("from");
    let form = named.and_then(|named| FORMS.iter().find(|(name, _)| name == named));
    let decoded = match form {
        Some((_, form)) => decode_as(*form, &input),
        None => guess(&input),
    };
    let decoded = decoded.map_err(failed)?;
    for note in decoded.notes {
        // There is nowhere left to report that stderr is gone.
        let _ = writeln!(std::io::stderr(), "muster: {name}: {note}");
    }
    let mut stdout = BufWriter::new(std::io::stdout().lock());
    let written = serde_json::to_writer_pretty(&mut stdout, &decoded.content);
    let written = written.map_err(std::io::Error::from);
    match written.and_then(|()| stdout.write_all(b"\n")).and_then(|()| stdout.flush()) {
        // Whoever read it has gone.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// All of a file or of standard input, within the bound.
fn read(path: &OsString) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let most = DECODE_BYTES_MAX as u64 + 1;
    let read = if path == "-" {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    read.map_err(|error| error.to_string())?;
    if bytes.len() > DECODE_BYTES_MAX {
        return Err(format!("more than {DECODE_BYTES_MAX} bytes, which is more than is decoded"));
    }
    Ok(bytes)
}

/// Decodes what the bytes look like.
fn guess(input: &[u8]) -> Result<Decoded<'_>, String> {
    let text = input.trim_ascii();
    if text.is_empty() {
        return Err("nothing to decode; is there a reply at all?".to_owned());
    }
    let as_bencode = decode_as(Form::Bencode, input);
    // What is left over behind bencode may be the rest of a dump that only begins like it. Nothing
    // is bencode to its end and a dump too: all bencode but `de` has a colon or a letter that no
    // dump begins with, and 0xde is no bencode.
    if as_bencode.as_ref().is_ok_and(|decoded| decoded.notes.is_empty()) {
        return as_bencode;
    }
    let as_hex = decode_as(Form::Hex, input);
    if as_hex.is_ok() || looks_like_dump(text) {
        return as_hex;
    }
    // A percent sign may as well be one of the bytes of a reply that was cut off.
    let escaped = || unescaped(text).ok().and_then(|bytes| decode_bencode(bytes.into()).ok());
    if as_bencode.is_err() && text.contains(&b'%') {
        if !looks_like_bencode(text) {
            return decode_as(Form::Percent, input);
        }
        return escaped().map_or(as_bencode, Ok);
    }
    if as_bencode.is_err() && !looks_like_bencode(text) {
        if looks_like_query(text) {
            return decode_as(Form::Percent, input);
        }
        let start = crate::request::quoted(text);
        return Err(format!("neither bencode nor a hexdump nor percent-encoded: {start}"));
    }
    as_bencode
}

/// Whether it begins as a container, an integer or a string of bencode.
fn looks_like_bencode(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let inside: &[u8] = match text.first() {
        Some(b'i') => b"-0123456789",
        Some(b'd') => b"e0123456789",
        Some(b'l') => b"eild0123456789",
        _ => return digits > 0 && text.get(digits) == Some(&b':'),
    };
    text.get(1).is_some_and(|second| inside.contains(second))
}

/// Whether it is one line with `NAME=` at its beginning or behind a `?`, and more than one
/// parameter or that mark: base64 ends with `=` too.
fn looks_like_query(text: &[u8]) -> bool {
    let query = after_mark(text);
    let name = query.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_');
    let name = name.count();
    let several = query.len() < text.len() || query.contains(&b'&');
    name > 0 && query.get(name) == Some(&b'=') && several && !text.contains(&b'\n')
}

/// What stands behind the first `?`, or all of it.
fn after_mark(text: &[u8]) -> &[u8] {
    text.iter().position(|&byte| byte == b'?').map_or(text, |at| &text[at + 1..])
}

/// Whether the first line has nothing but hex digits, spaces and what separates columns.
fn looks_like_dump(text: &[u8]) -> bool {
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let rest = line.get(digits..).unwrap_or_default();
    digits >= 2
        && (rest.trim_ascii().is_empty() || rest.starts_with(b" ") || rest.starts_with(b": "))
}

fn decode_as(form: Form, input: &[u8]) -> Result<Decoded<'_>, String> {
    match form {
        Form::Bencode => decode_bencode(input.into()),
        Form::Hex => {
            let bytes = hex_dump::parse(input, DECODE_BYTES_MAX)
                .map_err(|error| format!("not a hexdump: {error}"))?;
            let decoded = decode_bencode(bytes.into());
            decoded.map_err(|error| format!("the bytes of the hexdump: {error}"))
        }
        Form::Percent => decode_percent(input.trim_ascii()),
    }
}

fn decode_bencode(bytes: Cow<'_, [u8]>) -> Result<Decoded<'_>, String> {
    let (_, told) = decode_tolerant(&bytes).map_err(|error| format!("not bencode: {error}"))?;
    // Editors and echo put an end of line behind what is none of ours.
    let is_blank =
        |offset: usize| bytes.get(offset..).is_some_and(|rest| rest.trim_ascii().is_empty());
    let notes = told
        .into_iter()
        .filter(|error| error.problem != Problem::TrailingBytes || !is_blank(error.offset));
    let notes = notes.map(|error| error.to_string()).collect();
    Ok(Decoded { content: Content::Bencode(bytes), notes })
}

/// A query is an object of its parameters, anything else the bytes it stands for.
fn decode_percent(text: &[u8]) -> Result<Decoded<'_>, String> {
    let query = after_mark(text);
    if !query.contains(&b'=') {
        let bytes = unescaped(text)?;
        if decode_bencode(bytes.as_slice().into()).is_ok() {
            return decode_bencode(bytes.into());
        }
        let key: &[u8] = if bytes.len() == 20 { b"info_hash" } else { b"" };
        return Ok(plain(Content::Bytes(key, bytes)));
    }
    if query.len() > DECODE_QUERY_BYTES_MAX {
        let most = DECODE_QUERY_BYTES_MAX;
        return Err(format!("a query of more than {most} bytes, which is more than is decoded"));
    }
    let mut parameters = Map::new();
    for parameter in query.split(|&byte| byte == b'&').filter(|parameter| !parameter.is_empty()) {
        let mut parts = parameter.splitn(2, |&byte| byte == b'=');
        let key = unescaped(parts.next().unwrap_or_default())?;
        let value = unescaped(parts.next().unwrap_or_default())?;
        let value = serde_json::to_value(Shown::bytes_of(&key, &value));
        let value = value.map_err(|error| error.to_string())?;
        let name = String::from_utf8_lossy(&key).escape_debug().to_string();
        // A scrape has several hashes.
        match parameters.get_mut(&name) {
            None => {
                parameters.insert(name, value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
        }
    }
    Ok(plain(Content::Query(parameters)))
}

fn plain(content: Content<'_>) -> Decoded<'_> {
    Decoded { content, notes: Vec::new() }
}

fn unescaped(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; text.len()];
    let length = percent::decode(text, &mut bytes).map_err(|error| {
        let escape = error.0;
        let at = text.windows(escape.len()).position(|window| window == escape).unwrap_or(0);
        format!("not percent-encoded: {error}, at byte {at} of {}", crate::request::quoted(text))
    })?;
    bytes.truncate(length);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decoded(input: &[u8]) -> Value {
        let decoded = guess(input).unwrap_or_else(|e| panic!("{}: {e}", input.escape_ascii()));
        assert_eq!(decoded.notes, [""; 0]);
        json_of(&decoded)
    }

    fn json_of(decoded: &Decoded<'_>) -> Value {
        serde_json::to_value(&decoded.content).expect("nothing in it fails")
    }

    #[test]
    fn what_is_given_is_guessed() {
        let wanted = json!({ "interval": 900, "peers": [] });
        for input in [
            &b"d8:intervali900e5:peers0:e"[..],
            b"d8:intervali900e5:peers0:e\n",
            b"64383a696e74657276616c693930306535 3a7065657273303a65",
            b"00000000: 6438 3a69 6e74 6572 7661 6c69 3930 3065  d8:intervali900e\n\
              00000010: 353a 7065 6572 7330 3a65                 5:peers0:e\n",
            b"00000000  64 38 3a 69 6e 74 65 72  76 61 6c 69 39 30 30 65  |d8:intervali900e|\n\
              00000010  35 3a 70 65 65 72 73 30  3a 65                    |5:peers0:e|\n\
              0000001a\n",
            b"d8%3aintervali900e5%3Apeers0%3Ae\n",
        ] {
            assert_eq!(decoded(input), wanted, "{}", input.escape_ascii());
        }
        let hash = b"%D1%10%1A%2B%9D%20%28%11%A0%5E%8C%57%C5%57%A2%0B%F9%74%DC%8A";
        assert_eq!(decoded(hash), json!("d1101a2b9d202811a05e8c57c557a20bf974dc8a"));
        assert_eq!(decoded(b"a%20b"), json!("a b"));
        assert_eq!(decoded(b"i-7e"), json!(-7));
    }

    #[test]
    fn a_query_is_an_object_of_its_parameters() {
        let query = b"GET /announce?info_hash=%D1%10%1A%2B%9D%20%28%11%A0%5E%8C%57%C5%57%A2%0B\
                      %F9%74%DC%8A&peer_id=-TR2940-%00bcdefghijk&port=1";
        let wanted = json!({
            "info_hash": "d1101a2b9d202811a05e8c57c557a20bf974dc8a",
            "peer_id": "-TR2940-%00bcdefghijk",
            "port": "1",
        });
        assert_eq!(decoded(query), wanted);
        assert_eq!(decoded(b"a=b&a=c\n"), json!({ "a": ["b", "c"] }), "nothing is escaped");
        assert_eq!(decoded(b"/announce?port=1"), json!({ "port": "1" }));
        let long = ["a=%20", &"&".repeat(DECODE_QUERY_BYTES_MAX)].concat();
        let error = "a query of more than 1048576 bytes, which is more than is decoded";
        assert_eq!(guess(long.as_bytes()), Err(error.to_owned()));
        let several = json!({ "info_hash": ["00", "01", "02"] });
        assert_eq!(decoded(b"?info_hash=%00&info_hash=%01&info_hash=%02"), several);
    }

    #[test]
    fn what_cannot_be_read_is_said_with_its_byte() {
        for (input, text) in [
            (&b""[..], "nothing to decode; is there a reply at all?"),
            (b" \n", "nothing to decode; is there a reply at all?"),
            (b"d8:interval", "not bencode: byte 11: the input ends within a value"),
            (b"6438:", "not bencode: byte 0: the input ends within a value"),
            (b"64383", "not a hexdump: byte 4: a byte of one hex digit"),
            (b"643865", "the bytes of the hexdump: not bencode: byte 1: a malformed string length"),
            (b"a%2", "not percent-encoded: \"%2\" is not a percent escape, at byte 1 of \"a%2\""),
            (b"aGVsbG8=", "neither bencode nor a hexdump nor percent-encoded: \"aGVsbG8=\""),
            (b"<html>", "neither bencode nor a hexdump nor percent-encoded: \"<html>\""),
        ] {
            assert_eq!(guess(input), Err(text.to_owned()), "{}", input.escape_ascii());
        }
        assert_eq!(
            decode_as(Form::Hex, b"d8:"),
            Err("not a hexdump: byte 2: ':' is not a hex digit".to_owned())
        );
    }

    #[test]
    fn faults_that_do_not_keep_it_from_being_read_are_notes() {
        let decoded = guess(b"d1:bi1e1:ai2eetail").expect("readable");
        assert_eq!(json_of(&decoded), json!({ "a": 2, "b": 1 }));
        let notes = ["byte 7: a key out of order", "byte 14: more bytes after the end"];
        assert_eq!(decoded.notes, notes);
        let both = guess(b"de").expect("an empty dictionary");
        assert_eq!(both.notes, [""; 0], "0xde is no bencode");
    }
}
