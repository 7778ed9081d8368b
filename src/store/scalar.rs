//! Values of a state file as they come, whatever their type: a number may be written as text or as
//! a fraction, and what is no single value counts as missing.
//!
//! [`Scalar`] is one value, borrowed from the file where that goes; the rest are the objects made
//! of them. Unknown keys are ignored.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::limits::{COMMENT_BYTES_MAX, CREATED_BY_BYTES_MAX, NAME_BYTES_MAX};
use crate::percent;
use crate::registration::Registration;
use crate::request::InfoHash;

/// One value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scalar<'j> {
    /// Missing, null, or no single value.
    #[default]
    Nothing,
    /// True or false.
    Flag(bool),
    /// A whole number; a negative one is 0.
    Integer(u64),
    /// A fraction.
    Real(f64),
    /// A text.
    Text(Cow<'j, str>),
}

impl Scalar<'_> {
    /// The number, cut to a whole one that is not negative; 0 for what is none.
    pub fn number(&self) -> u64 {
        match self {
            Scalar::Nothing => 0,
            Scalar::Flag(flag) => u64::from(*flag),
            Scalar::Integer(number) => *number,
            // `as` stays within the range and makes 0 of NaN.
            Scalar::Real(number) => *number as u64,
            Scalar::Text(text) => text.parse().unwrap_or(0),
        }
    }

    /// The text; empty for what is none.
    pub fn text(&self) -> &str {
        if let Scalar::Text(text) = self { text } else { "" }
    }

    /// Whether it is true.
    pub fn flag(&self) -> bool {
        *self == Scalar::Flag(true)
    }

    /// The 20 bytes that a text stands for, percent-encoded or as the original tracker wrote it.
    pub fn twenty_bytes(&self) -> Option<[u8; 20]> {
        percent::decode_twenty(self.text().as_bytes())
    }

    /// Likewise, or 40 hex digits.
    pub fn info_hash(&self) -> Option<InfoHash> {
        let hex = InfoHash::from_hex(self.text().as_bytes());
        hex.or_else(|| self.twenty_bytes().map(InfoHash))
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Flag(flag))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Integer(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Integer(number.try_into().unwrap_or(0)))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Real(number))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Scalar<'de>, A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }
}

impl<'de: 'j, 'j> Deserialize<'de> for Scalar<'j> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(ScalarVisitor)
    }
}

/// A key of an object.
pub struct Text<'j>(pub Cow<'j, str>);

impl<'de: 'j, 'j> Deserialize<'de> for Text<'j> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        match json.deserialize_str(ScalarVisitor)? {
            Scalar::Text(text) => Ok(Text(text)),
            _ => Err(D::Error::custom("expected a text")),
        }
    }
}

/// A torrent's `info`.
#[expect(clippy::struct_field_names, reason = "the fields are the keys of the file")]
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Info<'j> {
    #[serde(borrow)]
    pub info_hash: Scalar<'j>,
    #[serde(borrow)]
    pub name: Scalar<'j>,
    #[serde(borrow)]
    pub size: Scalar<'j>,
    #[serde(borrow)]
    pub piece_length: Scalar<'j>,
    #[serde(borrow)]
    pub creation_date: Scalar<'j>,
    #[serde(borrow)]
    pub comment: Scalar<'j>,
    #[serde(borrow)]
    pub created_by: Scalar<'j>,
    /// Ours; the original's files do not say.
    #[serde(borrow)]
    pub registered: Scalar<'j>,
}

impl Info<'_> {
    /// Whether the operator has said anything about the torrent. The original gave every torrent it
    /// heard of an `info` with a creation date.
    pub fn is_registered(&self) -> bool {
        let texts = [&self.name, &self.comment, &self.created_by];
        let numbers = [&self.size, &self.piece_length];
        match self.registered {
            Scalar::Flag(registered) => registered,
            _ => {
                texts.iter().any(|text| !text.text().is_empty())
                    || numbers.iter().any(|number| number.number() > 0)
            }
        }
    }

    /// What the operator has said, with texts cut to their bounds, and which one was, if any.
    pub fn registration(&self) -> (Registration, Option<String>) {
        let whole = Registration {
            name: self.name.text().to_owned(),
            size: self.size.number(),
            piece_length: self.piece_length.number(),
            comment: self.comment.text().to_owned(),
            created_by: self.created_by.text().to_owned(),
            creation_date: self.creation_date.number(),
        };
        let Err(too_long) = whole.check() else { return (whole, None) };
        let Registration { mut name, mut comment, mut created_by, .. } = whole;
        for (text, max) in [
            (&mut name, NAME_BYTES_MAX),
            (&mut comment, COMMENT_BYTES_MAX),
            (&mut created_by, CREATED_BY_BYTES_MAX),
        ] {
            let fits = |end: &usize| text.is_char_boundary(*end);
            let end = (0..=max.min(text.len())).rev().find(fits).unwrap_or(0);
            text.truncate(end);
        }
        (Registration { name, comment, created_by, ..whole }, Some(too_long))
    }
}

/// One of a torrent's `peers_info`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct PeerEntry<'j> {
    #[serde(borrow)]
    pub peer_id: Scalar<'j>,
    #[serde(borrow)]
    pub ip: Scalar<'j>,
    #[serde(borrow)]
    pub port: Scalar<'j>,
    #[serde(borrow)]
    pub last_seen: Scalar<'j>,
    #[serde(borrow)]
    pub uploaded: Scalar<'j>,
    #[serde(borrow)]
    pub downloaded: Scalar<'j>,
    #[serde(borrow)]
    pub left: Scalar<'j>,
    #[serde(borrow)]
    pub is_seeder: Scalar<'j>,
    /// Ours, as the rest are.
    #[serde(borrow)]
    pub proof: Scalar<'j>,
    #[serde(borrow)]
    pub ip6: Scalar<'j>,
    #[serde(borrow)]
    pub port6: Scalar<'j>,
    #[serde(borrow)]
    pub paused: Scalar<'j>,
    #[serde(borrow)]
    pub completed: Scalar<'j>,
}

/// A torrent's `stats`, of which only this is not in the rest.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct StatsEntry<'j> {
    /// Ours: downloads that became whole.
    #[serde(borrow)]
    pub completed: Scalar<'j>,
}
