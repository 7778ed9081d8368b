//! The journal: what was acknowledged since the last save, an entry a line, synced before the
//! reply.
//!
//! A line is the CRC-32 of its JSON in eight hex digits, a space, the JSON and a line end. Entries
//! say what is so, not what changed, so that reading one twice does no harm. A line that was cut
//! short by a loss of power is the last; it was never acknowledged and is dropped. Journals come in
//! generations: a save begins a new one and so knows which entries it holds.
//!
//! A write that fails is taken back; if even that fails, what follows goes to a new generation: the
//! length of this one is not known any more.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Write as _};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::registration::Registration;
use crate::request::{InfoHash, quoted};

use super::crc::Crc;
use super::encode::encode_info;
use super::folder::{Folder, failed};
use super::scalar::{Fields, Info, Scalar, Text, deserialize_fields};

/// Something acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// What the operator has said about a torrent.
    Register(InfoHash, Registration),
    /// How many downloads of a registered torrent have been finished, in all.
    Completed(InfoHash, u32),
}

/// The generation of the journal that is written to.
#[derive(Debug)]
pub struct Journal {
    file: File,
    /// Its number.
    pub generation: u64,
    /// The length of the file, unless it is spoilt.
    bytes: u64,
    /// Something that was not acknowledged stands at the end and could not be removed.
    spoilt: bool,
}

impl Journal {
    /// Begins the first generation from this number on that does not exist yet.
    pub fn begin(folder: &Folder, from: u64) -> Result<Journal, String> {
        let (generation, file) = folder.create_journal(from)?;
        Ok(Journal { file, generation, bytes: 0, spoilt: false })
    }

    /// Whether nothing has been written to this generation.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0 && !self.spoilt
    }

    /// Writes entries and waits until they are on the disk. If that fails, none of them counts.
    /// Returns what [`Journal::take_back`] needs.
    pub fn append(&mut self, folder: &Folder, entries: &[Entry]) -> Result<u64, String> {
        if self.spoilt {
            *self = Journal::begin(folder, self.generation)?;
        }
        let mut lines = String::new();
        for entry in entries {
            encode_line(entry, &mut lines);
        }
        let before = self.bytes;
        match self.write(lines.as_bytes()) {
            Ok(()) => {
                self.bytes += lines.len() as u64;
                Ok(before)
            }
            Err(error) => {
                self.take_back(before);
                let path = folder.journal(self.generation);
                Err(failed(&path, "cannot write the journal", error))
            }
        }
    }

    /// Writes to another file from now on, so that a test can make it fail; returns this one.
    #[cfg(test)]
    pub fn exchange_file(&mut self, file: File) -> File {
        std::mem::replace(&mut self.file, file)
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.file.write_all(lines)?;
        self.file.sync_data()
    }

    /// Removes what was appended when the journal had `bytes` bytes.
    pub fn take_back(&mut self, bytes: u64) {
        self.bytes = bytes;
        let removed = self.file.set_len(bytes).and_then(|()| self.file.sync_data());
        self.spoilt |= removed.is_err();
    }
}

/// Appends an entry with its checksum and line end.
pub fn encode_line(entry: &Entry, out: &mut String) {
    let mut json = String::new();
    match entry {
        Entry::Register(info_hash, registration) => {
            json.push_str("{\"register\": ");
            encode_info(info_hash, Some(registration), &mut json);
            json.push('}');
        }
        Entry::Completed(info_hash, count) => {
            let _ = write!(
                json,
                "{{\"completed\": {{\"info_hash\": \"{info_hash}\", \"count\": {count}}}}}"
            );
        }
    }
    let _ = writeln!(out, "{:08x} {json}", Crc::of(json.as_bytes()));
}

/// A generation of the journal, read: the entries, and which lines are none.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// In the order in which they were written.
    pub entries: Vec<Entry>,
    /// Numbers of the lines that are damaged, counted from 1, and why.
    pub bad: Vec<(usize, String)>,
    /// Whether an unfinished last line was dropped.
    pub torn: bool,
}

/// Reads a generation, whatever its bytes are.
pub fn parse_journal(bytes: &[u8]) -> Lines {
    let mut lines = Lines::default();
    let unfinished = !bytes.is_empty() && !bytes.ends_with(b"\n");
    let count = bytes.split(|&byte| byte == b'\n').count();
    for (nth, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let last = nth + 1 == count;
        match parse_line(line) {
            Ok(entry) => lines.entries.push(entry),
            Err(_) if line.is_empty() => {}
            Err(_) if last && unfinished => lines.torn = true,
            Err(error) => lines.bad.push((nth + 1, error)),
        }
    }
    lines
}

/// What a line holds: one of the two.
#[derive(Default)]
struct Json<'j> {
    register: Option<Info<'j>>,
    completed: Option<Completed<'j>>,
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with an entry of a journal")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let mut json = Json::default();
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "register" => json.register = map.next_value()?,
                "completed" => json.completed = map.next_value()?,
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(json)
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(JsonVisitor)
    }
}

#[derive(Default)]
struct Completed<'j> {
    info_hash: Scalar<'j>,
    count: Scalar<'j>,
}

impl<'j> Fields<'j> for Completed<'j> {
    const WHAT: &'static str = "an object with an info_hash and a count";

    fn field(&mut self, key: &str) -> Option<&mut Scalar<'j>> {
        match key {
            "info_hash" => Some(&mut self.info_hash),
            "count" => Some(&mut self.count),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Completed<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        deserialize_fields(json)
    }
}

fn parse_line(line: &[u8]) -> Result<Entry, String> {
    let Some(([checksum @ .., b' '], json)) = line.split_first_chunk::<9>() else {
        return Err(format!("{} is no entry", quoted(line)));
    };
    let wanted = format!("{:08x}", Crc::of(json));
    if checksum != wanted.as_bytes() {
        return Err(format!("the checksum is {}, not {wanted}", quoted(checksum)));
    }
    let json: Json = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    if let Some(info) = json.register {
        let info_hash = info.info_hash.info_hash().ok_or("register: no info_hash")?;
        let (registration, _) = info.registration();
        return Ok(Entry::Register(info_hash, registration));
    }
    let completed = json.completed.ok_or("neither register nor completed")?;
    let info_hash = completed.info_hash.info_hash().ok_or("completed: no info_hash")?;
    if completed.count == Scalar::Nothing {
        return Err("completed: no count".to_owned());
    }
    Ok(Entry::Completed(info_hash, completed.count.number().min(u64::from(u32::MAX)) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_what_an_entry_needs_is_none() {
        let hash = "d1101a2b9d202811a05e8c57c557a20bf974dc8a";
        let counted = format!(r#"{{"completed": {{"info_hash": "{hash}"}}}}"#);
        for (json, error) in [
            ("{}", "neither register nor completed"),
            (r#"{"completed": null}"#, "neither register nor completed"),
            (r#"{"register": {"name": "a"}}"#, "register: no info_hash"),
            (r#"{"completed": {"count": 1}}"#, "completed: no info_hash"),
            (counted.as_str(), "completed: no count"),
        ] {
            let line = format!("{:08x} {json}", Crc::of(json.as_bytes()));
            assert_eq!(parse_line(line.as_bytes()), Err(error.to_owned()), "{json}");
        }
    }
}
