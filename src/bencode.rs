//! Bencode (BEP 3): a strict borrowing decoder and an append encoder.
//!
//! [`decode`] checks the whole input once: canonical integers and lengths, keys sorted and unique,
//! nesting within [`BENCODE_DEPTH_MAX`], nothing left over. What it returns borrows the input,
//! allocates nothing however large that is, and gives the raw bytes of every value, since an info
//! hash is taken over the bytes as they stand. [`decode_tolerant`] reads what others got wrong in
//! keys and behind the end, and says so. The encoder appends to a buffer that the
//! caller reuses.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use crate::limits::{BENCODE_DEPTH_MAX, BENCODE_KEYS_COMPARED_MAX};

pub mod json;

/// One decoded value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// `i-42e`
    Int(i64),
    /// `4:spam`
    Bytes(&'a [u8]),
    /// `l...e`
    List(List<'a>),
    /// `d...e`
    Dict(Dict<'a>),
}

/// A checked list; its values are read from the input as they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List<'a> {
    /// The list as it stands in the input, from `l` to `e`.
    pub raw: &'a [u8],
}

/// A checked dictionary; its entries are read from the input as they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dict<'a> {
    /// The dictionary as it stands in the input, from `d` to `e`.
    pub raw: &'a [u8],
}

/// One entry of a dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The value's bytes as they stand in the input.
    pub raw: &'a [u8],
    /// The value.
    pub value: Value<'a>,
}

impl<'a> List<'a> {
    /// The values in their order.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let mut rest = self.raw.get(1..).unwrap_or_default();
        std::iter::from_fn(move || {
            let (value, _, after) = split_value(rest)?;
            rest = after;
            Some(value)
        })
    }
}

impl<'a> Dict<'a> {
    /// The entries in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let mut rest = self.raw.get(1..).unwrap_or_default();
        std::iter::from_fn(move || {
            let (Value::Bytes(key), _, after) = split_value(rest)? else { return None };
            let (value, raw, after) = split_value(after)?;
            rest = after;
            Some(Entry { key, raw, value })
        })
    }

    /// The entry of a key, the first where it stands twice.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<Entry<'a>> {
        self.iter().find(|entry| entry.key == key)
    }
}

/// Why bytes are not bencode, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Where the offending value or byte begins.
    pub offset: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No value begins with this byte.
    ByteUnexpected(u8),
    /// The input ends within a value.
    CutOff,
    /// More than [`BENCODE_DEPTH_MAX`] lists and dictionaries within one another.
    DepthExceeded,
    /// Not `i`, an optional sign, digits, `e`; or with a leading zero; or minus zero.
    IntMalformed,
    /// Outside of -2^63 to 2^63 - 1.
    IntOutOfRange,
    /// A key that is not a byte string.
    KeyNotBytes,
    /// The same key twice in one dictionary.
    KeyRepeated,
    /// A key smaller than the one before it.
    KeyUnsorted,
    /// Digits without a colon after them, or with a leading zero.
    LengthMalformed,
    /// Bytes after the end of the value.
    TrailingBytes,
    /// A key without a value.
    ValueMissing,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: ", self.offset)?;
        match self.problem {
            Problem::ByteUnexpected(byte) => {
                write!(f, "no value begins with '{}'", byte.escape_ascii())
            }
            Problem::CutOff => f.write_str("the input ends within a value"),
            Problem::DepthExceeded => write!(f, "nested deeper than {BENCODE_DEPTH_MAX}"),
            Problem::IntMalformed => f.write_str("a malformed integer"),
            Problem::IntOutOfRange => {
                write!(f, "an integer outside of {} to {}", i64::MIN, i64::MAX)
            }
            Problem::KeyNotBytes => f.write_str("a key that is not a byte string"),
            Problem::KeyRepeated => f.write_str("a key that stands twice"),
            Problem::KeyUnsorted => f.write_str("a key out of order"),
            Problem::LengthMalformed => f.write_str("a malformed string length"),
            Problem::TrailingBytes => f.write_str("more bytes after the end"),
            Problem::ValueMissing => f.write_str("a key without a value"),
        }
    }
}

impl std::error::Error for Error {}

/// Decodes the one value that `bytes` hold.
pub fn decode(bytes: &[u8]) -> Result<Value<'_>, Error> {
    let end = check_value(bytes, |key| key.problem().map_or(Ok(()), Err))?;
    if end < bytes.len() {
        return Err(Error { offset: end, problem: Problem::TrailingBytes });
    }
    first_value(bytes)
}

/// Decodes the one value that `bytes` begin with, though keys be out of order or stand twice and
/// bytes follow it: the first of each kind is told beside the value.
///
/// Other programs' torrents and replies are read with this; nothing of ours is written so. Among
/// keys out of order one that comes back later is looked for in the first
/// [`BENCODE_KEYS_COMPARED_MAX`] keys. [`Dict::get`] finds the first of two.
pub fn decode_tolerant(bytes: &[u8]) -> Result<(Value<'_>, Vec<Error>), Error> {
    let mut unsorted = None;
    let mut repeated = None;
    let end = check_value(bytes, |key| {
        if let Some(error) = key.problem() {
            let is_twice = error.problem == Problem::KeyRepeated;
            if is_twice { &mut repeated } else { &mut unsorted }.get_or_insert(error);
        }
        Ok(())
    })?;
    if unsorted.is_some() {
        repeated = first_repeated(bytes).or(repeated);
    }
    let trailing =
        (end < bytes.len()).then_some(Error { offset: end, problem: Problem::TrailingBytes });
    Ok((first_value(bytes)?, [unsorted, repeated, trailing].into_iter().flatten().collect()))
}

/// The first key that stands twice in its dictionary, wherever the other is.
fn first_repeated(bytes: &[u8]) -> Option<Error> {
    let mut seen = HashSet::new();
    let checked = check_value(bytes, |key| {
        let is_new = seen.len() == BENCODE_KEYS_COMPARED_MAX || seen.insert((key.dict, key.name));
        let error = Error { offset: key.offset, problem: Problem::KeyRepeated };
        if is_new { Ok(()) } else { Err(error) }
    });
    checked.err()
}

/// The first value of checked bytes.
fn first_value(bytes: &[u8]) -> Result<Value<'_>, Error> {
    let (value, _, _) = split_value(bytes).ok_or(Error { offset: 0, problem: Problem::CutOff })?;
    Ok(value)
}

/// The first value of checked bytes, its raw bytes, and what follows; `None` at the container's
/// end.
fn split_value(bytes: &[u8]) -> Option<(Value<'_>, &[u8], &[u8])> {
    let (token, _) = read_token(bytes, 0).ok()?;
    if token == Token::End {
        return None;
    }
    // A container is walked again to find its end: at most BENCODE_DEPTH_MAX walks over any byte.
    // Which keys it may have has been decided when it was checked.
    let (raw, rest) = bytes.split_at_checked(check_value(bytes, |_| Ok(())).ok()?)?;
    let value = match token {
        Token::Int(value) => Value::Int(value),
        Token::Bytes(value) => Value::Bytes(value),
        Token::ListBegin => Value::List(List { raw }),
        Token::DictBegin => Value::Dict(Dict { raw }),
        Token::End => return None,
    };
    Some((value, raw, rest))
}

/// A key, for whoever decides about it.
struct Key<'a> {
    /// Where its dictionary begins.
    dict: usize,
    /// Where it stands.
    offset: usize,
    name: &'a [u8],
    /// The key before it in the dictionary.
    last: Option<&'a [u8]>,
}

impl Key<'_> {
    /// What is wrong with it beside the key before it.
    fn problem(&self) -> Option<Error> {
        let problem = match self.name.cmp(self.last?) {
            Ordering::Greater => return None,
            Ordering::Equal => Problem::KeyRepeated,
            Ordering::Less => Problem::KeyUnsorted,
        };
        Some(Error { offset: self.offset, problem })
    }
}

/// What an open container expects next; a dictionary begins at `dict`.
#[derive(Clone, Copy)]
enum Open<'a> {
    /// A value of a list, or its end.
    List,
    /// A key, the last one being this, or the dictionary's end.
    Key { dict: usize, last: Option<&'a [u8]> },
    /// The value of this key.
    Value { dict: usize, key: &'a [u8] },
}

/// Checks the first value of `bytes` and returns where it ends; `accept` decides about each key. A
/// stack of its own, bounded, in place of recursion: no input exhausts the thread's.
fn check_value<'a>(
    bytes: &'a [u8],
    mut accept: impl FnMut(Key<'a>) -> Result<(), Error>,
) -> Result<usize, Error> {
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut offset = 0;
    loop {
        let fail = |problem| Err(Error { offset, problem });
        let (token, next) = read_token(bytes, offset)?;
        match (open.last().copied(), token) {
            (Some(Open::Key { dict, last }), Token::Bytes(name)) => {
                accept(Key { dict, offset, name, last })?;
                open.pop();
                open.push(Open::Value { dict, key: name });
                offset = next;
                continue;
            }
            (Some(Open::List | Open::Key { .. }), Token::End) => {
                open.pop();
            }
            (Some(Open::Key { .. }), _) => return fail(Problem::KeyNotBytes),
            (Some(Open::Value { .. }), Token::End) => return fail(Problem::ValueMissing),
            (None, Token::End) => return fail(Problem::ByteUnexpected(b'e')),
            (_, Token::ListBegin | Token::DictBegin) => {
                if open.len() == BENCODE_DEPTH_MAX {
                    return fail(Problem::DepthExceeded);
                }
                let list = token == Token::ListBegin;
                open.push(if list { Open::List } else { Open::Key { dict: offset, last: None } });
                offset = next;
                continue;
            }
            (_, Token::Int(_) | Token::Bytes(_)) => {}
        }
        offset = next;
        match open.last_mut() {
            None => return Ok(offset),
            Some(expected) => {
                if let Open::Value { dict, key } = *expected {
                    *expected = Open::Key { dict, last: Some(key) };
                }
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Int(i64),
    Bytes(&'a [u8]),
    ListBegin,
    DictBegin,
    End,
}

/// The token at `offset` and where it ends.
fn read_token(bytes: &[u8], offset: usize) -> Result<(Token<'_>, usize), Error> {
    let fail = |problem| Error { offset, problem };
    let rest = bytes.get(offset..).unwrap_or_default();
    match rest.first() {
        None => Err(fail(Problem::CutOff)),
        Some(b'l') => Ok((Token::ListBegin, offset + 1)),
        Some(b'd') => Ok((Token::DictBegin, offset + 1)),
        Some(b'e') => Ok((Token::End, offset + 1)),
        Some(b'i') => {
            let (value, length) = read_int(rest).map_err(fail)?;
            Ok((Token::Int(value), offset + length))
        }
        Some(b'0'..=b'9') => {
            let (value, length) = read_bytes(rest).map_err(fail)?;
            Ok((Token::Bytes(value), offset + length))
        }
        Some(&byte) => Err(fail(Problem::ByteUnexpected(byte))),
    }
}

/// `i`, a canonical integer, `e`: its value and its length with both letters.
fn read_int(text: &[u8]) -> Result<(i64, usize), Problem> {
    let body = text.get(1..).unwrap_or_default();
    let (negative, body) = match body.strip_prefix(b"-") {
        Some(body) => (true, body),
        None => (false, body),
    };
    let digits = leading_digits(body);
    match body.get(digits.len()) {
        None => return Err(Problem::CutOff),
        Some(b'e') => {}
        Some(_) => return Err(Problem::IntMalformed),
    }
    let canonical = match digits {
        [] => false,
        [b'0'] => !negative,
        [first, ..] => *first != b'0',
    };
    if !canonical {
        return Err(Problem::IntMalformed);
    }
    let sign = if negative { -1 } else { 1 };
    let mut value: i64 = 0;
    for digit in digits {
        let digit = sign * i64::from(digit - b'0');
        value = value
            .checked_mul(10)
            .and_then(|tens| tens.checked_add(digit))
            .ok_or(Problem::IntOutOfRange)?;
    }
    Ok((value, usize::from(negative) + digits.len() + 2))
}

/// A canonical length, `:`, so many bytes: the bytes, and the length of all.
fn read_bytes(text: &[u8]) -> Result<(&[u8], usize), Problem> {
    let digits = leading_digits(text);
    match text.get(digits.len()) {
        None => return Err(Problem::CutOff),
        Some(b':') => {}
        Some(_) => return Err(Problem::LengthMalformed),
    }
    if digits.len() > 1 && digits.first() == Some(&b'0') {
        return Err(Problem::LengthMalformed);
    }
    let mut length: usize = 0;
    for digit in digits {
        length = length.saturating_mul(10).saturating_add(usize::from(digit - b'0'));
    }
    let start = digits.len() + 1;
    // A length beyond the address space ends beyond the input too.
    let end = start.saturating_add(length);
    let value = text.get(start..end).ok_or(Problem::CutOff)?;
    Ok((value, end))
}

fn leading_digits(text: &[u8]) -> &[u8] {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.get(..count).unwrap_or_default()
}

/// Appends an integer: `i-42e`.
pub fn encode_int(out: &mut Vec<u8>, value: i64) {
    out.push(b'i');
    if value < 0 {
        out.push(b'-');
    }
    encode_digits(out, value.unsigned_abs());
    out.push(b'e');
}

/// Appends a byte string: `4:spam`.
#[inline]
pub fn encode_bytes(out: &mut Vec<u8>, value: &[u8]) {
    encode_digits(out, value.len() as u64);
    out.push(b':');
    out.extend_from_slice(value);
}

/// Appends the decimal digits of a number, without the formatting machinery. The last one inline,
/// often the only one: a call for each number is 4 % of an announce's user cycles over HTTP.
#[inline]
pub fn encode_digits(out: &mut Vec<u8>, value: u64) {
    if value >= 10 {
        encode_upper_digits(out, value / 10);
    }
    out.push(b'0' + (value % 10) as u8);
}

/// One by one: digits written aside and copied together would be read before the processor has
/// stored them, for which it waits, 240 cycles in the reply to an announce.
fn encode_upper_digits(out: &mut Vec<u8>, value: u64) {
    if value >= 10 {
        encode_upper_digits(out, value / 10);
    }
    out.push(b'0' + (value % 10) as u8);
}

/// Appends the beginning of a list, which [`encode_end`] ends.
pub fn encode_list_begin(out: &mut Vec<u8>) {
    out.push(b'l');
}

/// Appends the end of a list.
pub fn encode_end(out: &mut Vec<u8>) {
    out.push(b'e');
}

/// A dictionary being appended. Debug builds panic on a key that is not greater than the last.
#[derive(Debug)]
#[must_use = "a dictionary needs its end"]
pub struct DictEncoder<'o> {
    out: &'o mut Vec<u8>,
    /// Where the last key stands in `out`, empty at first.
    last_key: Range<usize>,
}

impl<'o> DictEncoder<'o> {
    /// Begins a dictionary.
    pub fn begin(out: &'o mut Vec<u8>) -> DictEncoder<'o> {
        out.push(b'd');
        DictEncoder { out, last_key: 0..0 }
    }

    /// Appends a key; its value is to be appended to what is returned.
    #[inline]
    pub fn key(&mut self, key: &[u8]) -> &mut Vec<u8> {
        let first = self.last_key.end == 0;
        debug_assert!(
            first || self.out.get(self.last_key.clone()).is_some_and(|last| last < key),
            "keys are sorted and unique"
        );
        encode_bytes(self.out, key);
        self.last_key = self.out.len() - key.len()..self.out.len();
        self.out
    }

    /// Ends the dictionary.
    pub fn end(self) {
        self.out.push(b'e');
    }
}

#[cfg(test)]
mod tests;
