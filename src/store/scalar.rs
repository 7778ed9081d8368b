//! Values of a state file as they come, whatever their type: a number may be written as text or as
//! a fraction, and what is no single value counts as missing.
//!
//! [`Scalar`] is one value, borrowed from the file where that goes; the rest are the objects made
//! of them ([`Fields`]). Unknown keys are ignored. The few impls are written out: serde's derive
//! would do it in a line each, and be five packages more.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

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

/// An object of single values, of which some keys have a field.
pub trait Fields<'j>: Default {
    /// What it is, for the error that something else stands in its place.
    const WHAT: &'static str;

    /// The field of a key, if it has one.
    fn field(&mut self, key: &str) -> Option<&mut Scalar<'j>>;
}

/// Reads an object; a field whose key is missing stays [`Scalar::Nothing`].
pub fn deserialize_fields<'de, T: Fields<'de>, D: Deserializer<'de>>(
    json: D,
) -> Result<T, D::Error> {
    json.deserialize_map(FieldsVisitor(PhantomData))
}

struct FieldsVisitor<T>(PhantomData<T>);

impl<'de, T: Fields<'de>> Visitor<'de> for FieldsVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut object = T::default();
        while let Some(field) = map.next_key_seed(FieldSeed(&mut object, PhantomData))? {
            match field {
                Some(field) => *field = map.next_value()?,
                None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(object)
    }
}

/// Goes from a key straight to its field: a million peers have 13 keys each.
struct FieldSeed<'o, 'j, T>(&'o mut T, PhantomData<&'j ()>);

impl<'o, 'de: 'o, T: Fields<'de>> DeserializeSeed<'de> for FieldSeed<'o, 'de, T> {
    type Value = Option<&'o mut Scalar<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl<'o, 'de: 'o, T: Fields<'de>> Visitor<'de> for FieldSeed<'o, 'de, T> {
    type Value = Option<&'o mut Scalar<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        let field = self.0.field(key);
        if field.as_ref().is_some_and(|field| **field != Scalar::Nothing) {
            return Err(E::custom(format!("duplicate field `{key}`")));
        }
        Ok(field)
    }
}

/// A torrent's `info`.
#[expect(clippy::struct_field_names, reason = "the fields are the keys of the file")]
#[derive(Debug, Default)]
pub struct Info<'j> {
    pub info_hash: Scalar<'j>,
    pub name: Scalar<'j>,
    pub size: Scalar<'j>,
    pub piece_length: Scalar<'j>,
    pub creation_date: Scalar<'j>,
    pub comment: Scalar<'j>,
    pub created_by: Scalar<'j>,
    /// Ours; the original's files do not say.
    pub registered: Scalar<'j>,
}

impl<'j> Fields<'j> for Info<'j> {
    const WHAT: &'static str = "an object with what is known of a torrent";

    fn field(&mut self, key: &str) -> Option<&mut Scalar<'j>> {
        match key {
            "info_hash" => Some(&mut self.info_hash),
            "name" => Some(&mut self.name),
            "size" => Some(&mut self.size),
            "piece_length" => Some(&mut self.piece_length),
            "creation_date" => Some(&mut self.creation_date),
            "comment" => Some(&mut self.comment),
            "created_by" => Some(&mut self.created_by),
            "registered" => Some(&mut self.registered),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Info<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        deserialize_fields(json)
    }
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
        whole.cut()
    }
}

/// One of a torrent's `peers_info`.
#[derive(Debug, Default)]
pub struct PeerEntry<'j> {
    pub peer_id: Scalar<'j>,
    pub ip: Scalar<'j>,
    pub port: Scalar<'j>,
    pub last_seen: Scalar<'j>,
    pub uploaded: Scalar<'j>,
    pub downloaded: Scalar<'j>,
    pub left: Scalar<'j>,
    pub is_seeder: Scalar<'j>,
    /// Ours, as the rest are.
    pub proof: Scalar<'j>,
    pub ip6: Scalar<'j>,
    pub port6: Scalar<'j>,
    pub paused: Scalar<'j>,
    pub completed: Scalar<'j>,
}

impl<'j> Fields<'j> for PeerEntry<'j> {
    const WHAT: &'static str = "an object with a peer";

    fn field(&mut self, key: &str) -> Option<&mut Scalar<'j>> {
        match key {
            "peer_id" => Some(&mut self.peer_id),
            "ip" => Some(&mut self.ip),
            "port" => Some(&mut self.port),
            "last_seen" => Some(&mut self.last_seen),
            "uploaded" => Some(&mut self.uploaded),
            "downloaded" => Some(&mut self.downloaded),
            "left" => Some(&mut self.left),
            "is_seeder" => Some(&mut self.is_seeder),
            "proof" => Some(&mut self.proof),
            "ip6" => Some(&mut self.ip6),
            "port6" => Some(&mut self.port6),
            "paused" => Some(&mut self.paused),
            "completed" => Some(&mut self.completed),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for PeerEntry<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        deserialize_fields(json)
    }
}

/// A torrent's `stats`, of which only this is not in the rest.
#[derive(Debug, Default)]
pub struct StatsEntry<'j> {
    /// Ours: downloads that became whole.
    pub completed: Scalar<'j>,
}

impl<'j> Fields<'j> for StatsEntry<'j> {
    const WHAT: &'static str = "an object with a torrent's counts";

    fn field(&mut self, key: &str) -> Option<&mut Scalar<'j>> {
        match key {
            "completed" => Some(&mut self.completed),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for StatsEntry<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        deserialize_fields(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<StatsEntry<'_>, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn an_object_keeps_what_it_has_a_field_for() {
        let entry = read(r#"{"other": [{"completed": 1}], "completed": 7, "x": null}"#);
        assert_eq!(entry.map(|entry| entry.completed), Ok(Scalar::Integer(7)));
        assert_eq!(read("{}").map(|entry| entry.completed), Ok(Scalar::Nothing));
    }

    #[test]
    fn a_key_that_stands_twice_and_what_is_no_object_are_errors() {
        for (json, error) in [
            (
                r#"{"completed": 7, "completed": 8}"#,
                "duplicate field `completed` at line 1 column 28",
            ),
            (
                "5",
                "invalid type: integer `5`, expected an object with a torrent's counts at line 1 \
                 column 1",
            ),
        ] {
            assert_eq!(read(json).map(|entry| entry.completed), Err(error.to_owned()));
        }
    }
}
