//! The text of a state file, read straight into the tracker: ours or the original tracker's.
//!
//! The structure must be right, or the file is damaged; a value of a wrong type within it counts as
//! missing, a torrent or peer that cannot be understood is left out and reported. A file with a
//! good checksum is read once; one without (the original's, or edited by hand) is read through
//! before anything is taken in, so that half a file is never. The depth is bounded by
//! `serde_json`'s 128.
//!
//! The original wrote hashes and peer ids as text, with `%XX` where bytes were not UTF-8
//! ([`crate::percent::decode_twenty`]), times as fractions, and no proofs: its peers are known by
//! their address. Time is an argument; nothing here reads a file.

use std::fmt;
use std::net::{AddrParseError, IpAddr};

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::limits::{COPY_STEP_PEERS_MAX, PEER_COUNTER_BYTES_MAX};
use crate::registration::Registration;
use crate::request::{Identity, InfoHash, PeerId, Proof, Seconds, endpoint4, endpoint6, quoted};
use crate::subnet::canonical;
use crate::tracker::{Peer, Tracker};

use super::crc::Crc;
use super::encode::{CHECKSUM_AFTER, CHECKSUM_BEFORE, Moment, VERSION};
use super::folder::GENERATION_MAX;
use super::loaded::Loaded;
use super::scalar::{Info, PeerEntry, Scalar, StatsEntry, Text};

/// What stands in a state file beside the torrents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The format; 0 for files that do not say.
    pub version: u64,
    /// The first generation of the journal whose entries are not all in the file.
    pub journal: u64,
    /// When it was written, in seconds since 1970 UTC; 0 is unknown.
    pub saved: u64,
    /// Whether there is a checksum, wherever it stands.
    has_checksum: bool,
}

/// Why a file cannot be taken in.
#[derive(Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is not what was written.
    Damaged(String),
    /// It is whole, and not for us.
    Foreign(String),
}

/// What one reading of a file takes in. Registered torrents come first, those of the journals too:
/// others must not take their room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What the operator has said.
    Registrations,
    /// Peers and counts.
    Swarms,
}

/// Where what is read goes.
#[derive(Debug)]
pub struct Intake<'t> {
    /// Takes torrents and peers in.
    pub tracker: &'t Tracker,
    /// When that is.
    pub moment: Moment,
    /// Peers silent for more than this many seconds are left out.
    pub peer_timeout: u32,
    /// What is taken in now.
    pub part: Part,
    /// Peers of the torrent that is read for which there was no room.
    pub without_room: u32,
    /// What was taken in and what was not.
    pub loaded: &'t mut Loaded,
}

/// Takes in the registered torrents of a state file, or nothing of it.
pub fn parse_state(bytes: &[u8], intake: &mut Intake) -> Result<Header, Unusable> {
    let checked = checksum(bytes);
    if checked != Some(true) {
        let unfit = "its checksum does not fit its content; if somebody edited it, delete the line \
                     that begins with ,\"checksum\" and put it back";
        let unfit = || Unusable::Damaged(unfit.to_owned());
        let header = read_through(bytes, None).map_err(|unusable| match unusable {
            // Its version is as doubtful as the rest.
            Unusable::Foreign(_) if checked == Some(false) => unfit(),
            unusable => unusable,
        })?;
        // It may also be there and not at the end, as after a formatter's visit.
        if checked == Some(false) || header.has_checksum {
            return Err(unfit());
        }
    }
    intake.part = Part::Registrations;
    read_through(bytes, Some(intake))
}

/// Takes in the rest of a state file whose registered torrents are in.
pub fn parse_swarms(bytes: &[u8], intake: &mut Intake) -> Result<(), Unusable> {
    intake.part = Part::Swarms;
    read_through(bytes, Some(intake)).map(|_| ())
}

/// Whether the checksum at the end fits what stands before it; `None` if there is none.
fn checksum(bytes: &[u8]) -> Option<bool> {
    let rest = bytes.trim_ascii_end().strip_suffix(CHECKSUM_AFTER.trim_ascii_end().as_bytes())?;
    let (rest, digits) = rest.split_last_chunk::<8>()?;
    let covered = rest.strip_suffix(CHECKSUM_BEFORE.as_bytes())?;
    let digits = std::str::from_utf8(digits).ok()?;
    Some(u32::from_str_radix(digits, 16) == Ok(Crc::of(covered)))
}

/// Reads it all; into nothing if there is no intake.
fn read_through(bytes: &[u8], intake: Option<&mut Intake>) -> Result<Header, Unusable> {
    if bytes.trim_ascii().is_empty() {
        return Err(Unusable::Damaged("it is empty".to_owned()));
    }
    let damaged = |error: serde_json::Error| Unusable::Damaged(error.to_string());
    let mut header = Header::default();
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = StateSeed { header: &mut header, intake }.deserialize(&mut json);
    if header.version > VERSION {
        return Err(Unusable::Foreign(format!(
            "it has version {}, this muster reads versions up to {VERSION}: a newer one wrote it",
            header.version
        )));
    }
    read.and_then(|()| json.end()).map_err(damaged)?;
    Ok(header)
}

struct StateSeed<'i, 't> {
    header: &'i mut Header,
    intake: Option<&'i mut Intake<'t>>,
}

impl<'de> DeserializeSeed<'de> for StateSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for StateSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with torrents in it")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut torrents = false;
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "version" => {
                    self.header.version = map.next_value::<Scalar>()?.number();
                    if self.header.version > VERSION {
                        return Err(A::Error::custom("version"));
                    }
                }
                "journal" => {
                    self.header.journal = map.next_value::<Scalar>()?.number();
                    if self.header.journal > GENERATION_MAX {
                        let number = self.header.journal;
                        return Err(A::Error::custom(format!("there is no journal {number}")));
                    }
                }
                "saved" => self.header.saved = map.next_value::<Scalar>()?.number(),
                "torrents" => {
                    torrents = true;
                    let (saved, intake) = (self.header.saved, self.intake.as_deref_mut());
                    map.next_value_seed(TorrentsSeed { saved, intake })?;
                }
                key => {
                    self.header.has_checksum |= key == "checksum";
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if torrents { Ok(()) } else { Err(A::Error::missing_field("torrents")) }
    }
}

struct TorrentsSeed<'i, 't> {
    saved: u64,
    intake: Option<&'i mut Intake<'t>>,
}

impl<'de> DeserializeSeed<'de> for TorrentsSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for TorrentsSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object of torrents by their info hashes")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut batch = Vec::new();
        while let Some(Text(key)) = map.next_key()? {
            let intake = self.intake.as_deref_mut();
            let into = intake.and_then(|intake| {
                let info_hash = Scalar::Text(key.clone()).info_hash();
                if info_hash.is_none() && intake.part == Part::Registrations {
                    intake.loaded.skip_torrent(&quoted(key.as_bytes()));
                }
                Some((info_hash?, intake))
            });
            map.next_value_seed(TorrentSeed { into, saved: self.saved, batch: &mut batch })?;
        }
        Ok(())
    }
}

struct TorrentSeed<'i, 't> {
    /// The torrent and where it goes; `None` if it is only read.
    into: Option<(InfoHash, &'i mut Intake<'t>)>,
    saved: u64,
    /// Peers gathered for the next step of taking in; empty, and used again for each torrent.
    batch: &'i mut Vec<Peer>,
}

impl<'de> DeserializeSeed<'de> for TorrentSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for TorrentSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with a torrent's info, peers_info and stats")
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let TorrentSeed { mut into, saved, batch } = self;
        let mut completed = 0;
        let part = into.as_ref().map(|(_, intake)| intake.part);
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "info" if part != Some(Part::Swarms) => {
                    let info = map.next_value::<Option<Info>>()?.unwrap_or_default();
                    if let Some((info_hash, intake)) = &mut into
                        && info.is_registered()
                    {
                        intake.register_as_info(info_hash, &info);
                    }
                }
                "peers_info" if part != Some(Part::Registrations) => {
                    let into = into.as_mut().map(|(info_hash, intake)| (*info_hash, &mut **intake));
                    map.next_value_seed(PeersSeed { into, batch })?;
                }
                "stats" if part != Some(Part::Registrations) => {
                    let stats = map.next_value::<Option<StatsEntry>>()?.unwrap_or_default();
                    completed = stats.completed.number().min(u64::from(u32::MAX)) as u32;
                }
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        if let Some((info_hash, intake)) = into
            && part == Some(Part::Swarms)
        {
            intake.complete(&info_hash, completed, saved);
        }
        Ok(())
    }
}

struct PeersSeed<'i, 't> {
    into: Option<(InfoHash, &'i mut Intake<'t>)>,
    batch: &'i mut Vec<Peer>,
}

impl<'de> DeserializeSeed<'de> for PeersSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for PeersSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array of peers")
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut peers: A) -> Result<(), A::Error> {
        let PeersSeed { mut into, batch } = self;
        while let Some(entry) = peers.next_element::<Option<PeerEntry>>()? {
            let entry = entry.unwrap_or_default();
            let Some((info_hash, intake)) = &mut into else { continue };
            batch.extend(intake.peer(&entry));
            if batch.len() == COPY_STEP_PEERS_MAX {
                intake.restore(info_hash, batch);
            }
        }
        if let Some((info_hash, intake)) = &mut into
            && !batch.is_empty()
        {
            intake.restore(info_hash, batch);
        }
        Ok(())
    }
}

impl Intake<'_> {
    /// Takes in what the operator has said of a torrent.
    pub fn register(&mut self, info_hash: &InfoHash, registration: Registration) {
        match self.tracker.register(info_hash, registration, self.moment.now) {
            Ok(()) => self.loaded.registered += 1,
            Err(_) => self.loaded.without_room += 1,
        }
    }

    fn register_as_info(&mut self, info_hash: &InfoHash, info: &Info) {
        let (registration, cut) = info.registration();
        if let Some(cut) = cut {
            self.loaded.cut_text(&format!("torrent {info_hash}: {cut}"));
        }
        self.register(info_hash, registration);
    }

    /// Takes in how often a torrent was completed. One that is not registered and has no peers is
    /// remembered for a peer timeout, as if its last peer had left when the file was saved.
    fn complete(&mut self, info_hash: &InfoHash, completed: u32, saved: u64) {
        let recent = self.moment.unix.saturating_sub(saved) <= u64::from(self.peer_timeout);
        let wanted = completed > 0 && (recent || self.tracker.knows(info_hash));
        if wanted {
            self.tracker.restore(info_hash, completed, &[], self.moment.now);
        }
        let peers = std::mem::take(&mut self.without_room);
        if peers == 0 && !wanted {
            return;
        }
        if self.tracker.knows(info_hash) {
            self.loaded.peers_without_room += peers;
        } else {
            self.loaded.torrents_without_room += 1;
            self.loaded.their_peers_without_room += peers;
        }
    }

    fn restore(&mut self, info_hash: &InfoHash, batch: &mut Vec<Peer>) {
        let without_room = self.tracker.restore(info_hash, 0, batch, self.moment.now);
        self.without_room += without_room;
        self.loaded.peers += batch.len() as u32 - without_room;
        batch.clear();
    }

    /// A peer as the tracker has it, unless it has timed out or cannot be understood.
    fn peer(&mut self, entry: &PeerEntry) -> Option<Peer> {
        let seen = entry.last_seen.number();
        let silent_seconds = self.moment.unix.saturating_sub(seen);
        if silent_seconds > u64::from(self.peer_timeout) {
            self.loaded.expired += 1;
            return None;
        }
        let understood = peer(entry);
        self.loaded.skipped_peers += u32::from(understood.is_none());
        let last_seen = Seconds(self.moment.now.0.saturating_sub(silent_seconds as u32));
        let mut peer = understood?;
        peer.last_seen = last_seen;
        Some(peer)
    }
}

fn peer(entry: &PeerEntry) -> Option<Peer> {
    let peer_id = PeerId(entry.peer_id.twenty_bytes()?);
    let ip = address(&entry.ip).ok()?;
    let proof = match (u64::from_str_radix(entry.proof.text(), 16), ip) {
        (Ok(proof), _) => Proof(proof),
        (Err(_), Some(ip)) => Proof::from_source(ip),
        (Err(_), None) => return None,
    };
    let mut peer = Peer::new(Identity { peer_id, proof });
    let endpoints = [(ip, &entry.port), (address(&entry.ip6).ok()?, &entry.port6)];
    for (ip, port) in endpoints {
        let port = u16::try_from(port.number()).ok()?;
        match ip.filter(|_| port != 0) {
            Some(IpAddr::V4(ip)) => peer.v4 = Some(endpoint4(ip, port)),
            Some(IpAddr::V6(ip)) => peer.v6 = Some(endpoint6(ip, port)),
            None => {}
        }
    }
    let is_seeder = entry.is_seeder.flag();
    let bytes = |count: &Scalar| count.number().min(PEER_COUNTER_BYTES_MAX);
    peer.uploaded = bytes(&entry.uploaded);
    peer.downloaded = bytes(&entry.downloaded);
    peer.left = match &entry.left {
        Scalar::Nothing if !is_seeder => PEER_COUNTER_BYTES_MAX,
        left => bytes(left),
    };
    peer.paused = entry.paused.flag();
    peer.completed = entry.completed.flag();
    Some(peer)
}

/// The address in a text, if there is any text.
fn address(text: &Scalar) -> Result<Option<IpAddr>, AddrParseError> {
    match text.text() {
        "" => Ok(None),
        text => text.parse().map(|ip| Some(canonical(ip))),
    }
}
