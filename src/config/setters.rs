//! The setters of options: text in, a checked value out.
//!
//! Each quotes the text it refuses and says what it expects; the source and the key are named by
//! whoever calls.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use crate::request::quoted;

pub(super) fn set_path(field: &mut PathBuf, text: &str) -> Result<(), String> {
    if text.contains(char::is_control) {
        return Err(format!("{}: expected the path of a file", quoted(text.as_bytes())));
    }
    *field = PathBuf::from(text);
    Ok(())
}

pub(super) fn set_parsed<T: FromStr<Err = String>>(
    field: &mut T,
    text: &str,
) -> Result<(), String> {
    *field = text.parse()?;
    Ok(())
}

pub(super) fn set_switch(field: &mut bool, text: &str) -> Result<(), String> {
    *field =
        text.parse().map_err(|_| format!("{}: expected true or false", quoted(text.as_bytes())))?;
    Ok(())
}

pub(super) fn set_count(field: &mut u32, text: &str, range: (u32, u32)) -> Result<(), String> {
    let (min, max) = range;
    *field = parse_digits(text).filter(|count| (min..=max).contains(count)).ok_or_else(|| {
        format!("{}: expected a number from {min} to {max}", quoted(text.as_bytes()))
    })?;
    Ok(())
}

/// A percentage, or a part of one such as 0.95.
pub(super) fn set_percent(field: &mut u32, text: &str, range: (u32, u32)) -> Result<(), String> {
    let (min, max) = range;
    let part = text.strip_prefix("0.").filter(|digits| (1..=2).contains(&digits.len()));
    let percent = match part {
        Some(digits) if digits.len() == 1 => parse_digits(digits).map(|tenths| tenths * 10),
        Some(digits) => parse_digits(digits),
        None => parse_digits(text.strip_suffix('%').unwrap_or(text)),
    };
    *field = percent.filter(|percent| (min..=max).contains(percent)).ok_or_else(|| {
        format!("{}: expected a percentage from {min} to {max}", quoted(text.as_bytes()))
    })?;
    Ok(())
}

/// Whole seconds, or a number with one of the units s, m, h and d.
pub(super) fn set_seconds(field: &mut u32, text: &str, range: (u32, u32)) -> Result<(), String> {
    let (min, max) = range;
    let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
    let with_unit =
        units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
    let (digits, unit_seconds) = with_unit.unwrap_or((text, &1));
    let seconds = parse_digits(digits).and_then(|number| number.checked_mul(*unit_seconds));
    *field = seconds.filter(|seconds| (min..=max).contains(seconds)).ok_or_else(|| {
        format!(
            "{}: expected seconds from {min} to {max}, or a duration such as 30m, 2h or 1d",
            quoted(text.as_bytes())
        )
    })?;
    Ok(())
}

/// Bytes with one of the units K, M, G and T, each 1,024 of the one before, as `512M` or `1GiB`; no
/// text is 0, no bound.
pub(super) fn set_memory(field: &mut u64, text: &str, range: (u64, u64)) -> Result<(), String> {
    let number = text.strip_suffix("iB").or(text.strip_suffix('B')).unwrap_or(text);
    let units = [("K", 10), ("M", 20), ("G", 30), ("T", 40)];
    let with_unit = units.iter().find_map(|(unit, bits)| Some((number.strip_suffix(unit)?, *bits)));
    let (digits, bits) = with_unit.unwrap_or((text, 0));
    let bytes = parse_digits(digits).and_then(|number| u64::from(number).checked_mul(1 << bits));
    let (min, max) = range;
    *field = match bytes {
        _ if text.is_empty() => 0,
        Some(bytes) if (min..=max).contains(&bytes) => bytes,
        _ => {
            let [min, max] = [min, max].map(memory_text);
            let shown = quoted(text.as_bytes());
            return Err(format!("{shown}: expected {min} to {max}, such as 64M or 1GiB"));
        }
    };
    Ok(())
}

/// Bytes as [`set_memory`] reads them, in the largest unit that loses nothing.
pub(super) fn memory_text(bytes: u64) -> String {
    let units = [(40, "T"), (30, "G"), (20, "M"), (10, "K")];
    let whole = units.iter().find(|(bits, _)| bytes.trailing_zeros() >= *bits);
    match (bytes, whole) {
        (0, _) => String::new(),
        (_, Some((bits, unit))) => format!("{}{unit}", bytes >> bits),
        (_, None) => bytes.to_string(),
    }
}

/// Decimal digits and nothing else: `parse` alone would take a sign.
fn parse_digits(text: &str) -> Option<u32> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Items between commas, with blanks around them; no text at all is no items.
pub(super) fn set_list<T>(
    field: &mut Vec<T>,
    text: &str,
    min: usize,
    max: usize,
) -> Result<(), String>
where
    T: FromStr<Err = String> + PartialEq,
{
    let mut items = Vec::new();
    for part in text.split(',').map(str::trim).filter(|_| !text.trim().is_empty()) {
        let item = part.parse()?;
        if items.contains(&item) {
            return Err(format!("{}: stands there twice", quoted(part.as_bytes())));
        }
        if items.len() == max {
            return Err(format!("{}: expected {max} at most", quoted(part.as_bytes())));
        }
        items.push(item);
    }
    if items.len() < min {
        return Err(format!("{}: expected at least one", quoted(text.as_bytes())));
    }
    *field = items;
    Ok(())
}

pub(super) fn joined<T: Display>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}
