//! The fields of a bencoded dictionary, each of the kind it must be; errors name the key.
//!
//! A dictionary is walked once, and only what was asked for is kept: junk in a torrent costs
//! nothing. A field that is asked for and stands there twice is an error, since programs disagree
//! about which of the two counts.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use super::MetainfoError;
use crate::bencode::{Dict, List, Value};

/// The known fields of one dictionary.
pub(super) struct Fields<'a> {
    /// Where the dictionary stands, with what separates that from a key: `info.`, or nothing.
    place: String,
    found: Vec<(&'static str, Value<'a>)>,
}

impl<'a> Fields<'a> {
    /// Picks the fields of these keys.
    pub(super) fn pick(
        place: String,
        dict: Dict<'a>,
        keys: &[&'static str],
    ) -> Result<Fields<'a>, MetainfoError> {
        let mut found: Vec<(&'static str, Value<'a>)> = Vec::new();
        for entry in dict.iter() {
            let known = keys.iter().find(|key| key.as_bytes() == entry.key);
            let Some(&key) = known else { continue };
            if found.iter().any(|(there, _)| *there == key) {
                return Err(MetainfoError::at(format!("{place}{key}"), "stands there twice"));
            }
            found.push((key, entry.value));
        }
        Ok(Fields { place, found })
    }

    /// The whole name of a key: `info.piece length`.
    pub(super) fn name_of(&self, key: &str) -> String {
        format!("{}{key}", self.place)
    }

    /// The error that a key is not as it should be.
    pub(super) fn wrong(&self, key: &str, problem: impl Into<String>) -> MetainfoError {
        MetainfoError::at(self.name_of(key), problem)
    }

    pub(super) fn value(&self, key: &str) -> Option<Value<'a>> {
        self.found.iter().find(|(there, _)| *there == key).map(|(_, value)| *value)
    }

    pub(super) fn bytes(&self, key: &str) -> Result<Option<&'a [u8]>, MetainfoError> {
        self.value(key).map(|value| as_bytes(value, || self.name_of(key))).transpose()
    }

    pub(super) fn int(&self, key: &str) -> Result<Option<i64>, MetainfoError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Int(value)) => Ok(Some(value)),
            Some(other) => Err(self.wrong(key, kind_problem(other, "an integer"))),
        }
    }

    /// A number of bytes.
    pub(super) fn length(&self, key: &str) -> Result<Option<u64>, MetainfoError> {
        let negative = |value| self.wrong(key, format!("{value}: no length is negative"));
        self.int(key)?.map(|value| u64::try_from(value).map_err(|_| negative(value))).transpose()
    }

    pub(super) fn list(&self, key: &str) -> Result<Option<List<'a>>, MetainfoError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::List(list)) => Ok(Some(list)),
            Some(other) => Err(self.wrong(key, kind_problem(other, "a list"))),
        }
    }

    pub(super) fn dict(&self, key: &str) -> Result<Option<Dict<'a>>, MetainfoError> {
        self.value(key).map(|value| as_dict(value, || self.name_of(key))).transpose()
    }

    /// The value, or the error that the key is missing.
    pub(super) fn needed<T>(&self, key: &str, value: Option<T>) -> Result<T, MetainfoError> {
        value.ok_or_else(|| self.wrong(key, "missing"))
    }
}

/// What was read, or nothing and a note in place of the error: for keys beside the info dictionary
/// that a torrent can be used without.
pub(super) fn or_noted<T>(
    read: Result<Option<T>, MetainfoError>,
    noted: &mut Vec<String>,
) -> Option<T> {
    read.unwrap_or_else(|error| {
        noted.push(error.to_string());
        None
    })
}

/// The bytes of a value, or the error about the place that `name` gives.
pub(super) fn as_bytes(
    value: Value<'_>,
    name: impl FnOnce() -> String,
) -> Result<&[u8], MetainfoError> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        other => Err(MetainfoError::at(name(), kind_problem(other, "a byte string"))),
    }
}

/// The dictionary that a value is, or the error about the place that `name` gives.
pub(super) fn as_dict(
    value: Value<'_>,
    name: impl FnOnce() -> String,
) -> Result<Dict<'_>, MetainfoError> {
    match value {
        Value::Dict(dict) => Ok(dict),
        other => Err(MetainfoError::at(name(), kind_problem(other, "a dictionary"))),
    }
}

/// What to say of a value of the wrong kind.
pub(super) fn kind_problem(value: Value<'_>, wanted: &str) -> String {
    let found = match value {
        Value::Int(_) => "an integer",
        Value::Bytes(_) => "a byte string",
        Value::List(_) => "a list",
        Value::Dict(_) => "a dictionary",
    };
    format!("{found}, not {wanted}")
}
