//! The target of a request as what it means: the route, and the parameters of an announce or
//! scrape.
//!
//! One pass over the query, no allocation. Lenient as real clients need it: unknown, empty,
//! valueless and repeated parameters are ignored, integers out of range are clamped, `+` is itself.
//! What is left to refuse makes the request senseless, and the refusal names the parameter.
//! Sources: BEP 3, 7 (`ipv4`, `ipv6`), 21 (`paused`), 23 (`compact`, `no_peer_id`), 48 (scrape).

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::bytes::split_near;
use crate::http::reply::PeerForm;
use crate::limits::{NUMWANT_HTTP_MAX, PEER_COUNTER_BYTES_MAX, SCRAPE_HASHES_MAX};
use crate::percent;
use crate::request::{
    AnnounceRequest, Event, Families, Identity, InfoHash, NumWant, PeerId, Proof, Refused, quoted,
};
use crate::subnet;

/// A decoded `key` or address longer than this is none that a client chose by any convention.
const DECODED_BYTES_MAX: usize = 64;

/// Where a path leads. A passkey is captured wherever trackers have put theirs; `/announce/K`
/// becomes `/scrape/K` in clients that replace the last `announce`, `/announce/K/scrape` in others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// `/announce`, `/announce/K`, `/K/announce`, or `/` with an `info_hash`.
    Announce {
        /// The passkey in the path, still escaped.
        key: Option<&'a [u8]>,
    },
    /// `/scrape`, `/scrape/K`, `/K/scrape`, `/announce/K/scrape`
    Scrape {
        /// The passkey in the path, still escaped.
        key: Option<&'a [u8]>,
    },
    /// `/` without an `info_hash`: a person who wonders what this is.
    Root,
    /// `/health`
    Health,
    /// What only the operator may do, or sees more of than others.
    Operator(OperatorRoute),
    /// Anything else.
    NotFound,
}

/// The operator's routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorRoute {
    /// `/stats`: every torrent; others see totals.
    Stats,
    /// `/add_torrent_info`: registers a torrent.
    AddTorrentInfo,
    /// `/save_state`
    SaveState,
    /// `/shutdown`
    Shutdown,
}

impl Route<'_> {
    /// The route of a request's path and query. One slash at the end makes no difference.
    #[must_use]
    pub fn of<'a>(path: &'a [u8], query: &[u8]) -> Route<'a> {
        let Some(path) = path.strip_prefix(b"/") else { return Route::NotFound };
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let mut parts = path.split(|&byte| byte == b'/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(b"announce"), None, ..) => Route::Announce { key: None },
            (Some(b"scrape"), None, ..) => Route::Scrape { key: None },
            (Some(b"health"), None, ..) => Route::Health,
            (Some(b"stats"), None, ..) => Route::Operator(OperatorRoute::Stats),
            (Some(b"add_torrent_info"), None, ..) => Route::Operator(OperatorRoute::AddTorrentInfo),
            (Some(b"save_state"), None, ..) => Route::Operator(OperatorRoute::SaveState),
            (Some(b"shutdown"), None, ..) => Route::Operator(OperatorRoute::Shutdown),
            (Some(b""), None, ..) => {
                if has_info_hash(query) {
                    Route::Announce { key: None }
                } else {
                    Route::Root
                }
            }
            (Some(b"announce"), Some(key @ [_, ..]), None, _)
            | (Some(key @ [_, ..]), Some(b"announce"), None, _) => {
                Route::Announce { key: Some(key) }
            }
            (Some(b"scrape"), Some(key @ [_, ..]), None, _)
            | (Some(key @ [_, ..]), Some(b"scrape"), None, _)
            | (Some(b"announce"), Some(key @ [_, ..]), Some(b"scrape"), None) => {
                Route::Scrape { key: Some(key) }
            }
            _ => Route::NotFound,
        }
    }
}

/// An announce, and how its client wants the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// What the tracker is asked.
    pub request: AnnounceRequest,
    /// The form of the peers in the answer.
    pub form: PeerForm,
    /// Whether `format=json` asks for an answer that people can read.
    pub json: bool,
    /// What the client's user should know although the announce is served.
    pub warning: Option<String>,
}

/// The values of an announce as they stand in the query; empty is absent.
#[derive(Default)]
struct Parameters<'a> {
    info_hash: &'a [u8],
    peer_id: &'a [u8],
    port: &'a [u8],
    uploaded: &'a [u8],
    downloaded: &'a [u8],
    left: &'a [u8],
    event: &'a [u8],
    numwant: &'a [u8],
    key: &'a [u8],
    compact: &'a [u8],
    no_peer_id: &'a [u8],
    format: &'a [u8],
    /// The addresses in `ip`.
    named: Addresses,
    /// The addresses in `ipv4` and `ipv6`.
    named_by_family: Addresses,
}

/// Parses the query of an announce that came from `source`, a canonical address. Addresses that the
/// query names count only with `may_name_address`; otherwise anyone could list anyone.
pub fn parse_announce(
    query: &[u8],
    source: IpAddr,
    may_name_address: bool,
) -> Result<Announce, Refused> {
    let values = collect_parameters(query, may_name_address);
    let info_hash = parse_info_hash(values.info_hash)?;
    let peer_id = parse_peer_id(values.peer_id)?;
    let (port, warning) = parse_port(values.port)?;
    let addresses = values.named.or(values.named_by_family).or(Addresses::from(source));
    let compact = values.compact == b"1";
    let ids = !compact && values.no_peer_id != b"1";
    let request = AnnounceRequest {
        info_hash,
        identity: Identity { peer_id, proof: parse_proof(values.key, source) },
        v4: addresses.v4,
        v6: addresses.v6,
        port,
        uploaded: parse_counter("uploaded", values.uploaded)?.unwrap_or(0),
        downloaded: parse_counter("downloaded", values.downloaded)?.unwrap_or(0),
        // A client that does not know yet, or does not say, is no seeder.
        left: parse_counter("left", values.left)?.unwrap_or(PEER_COUNTER_BYTES_MAX),
        event: parse_event(values.event),
        numwant: NumWant::from_wire(parse_integer("numwant", values.numwant)?, NUMWANT_HTTP_MAX),
        families: if source.is_ipv4() { Families::V4ThenV6 } else { Families::V6ThenV4 },
        peer_ids: ids,
        sender: None,
    };
    // Without `compact` the client may be older than BEP 23.
    let form = if compact { PeerForm::Compact } else { PeerForm::Dictionaries { ids } };
    Ok(Announce { request, form, json: values.format == b"json", warning })
}

/// Parses the query of a scrape: `hashes` becomes all those it names, sorted and each once, as the
/// answer needs them. Returns whether `format=json` asks for an answer that people can read.
pub fn parse_scrape(query: &[u8], hashes: &mut Vec<InfoHash>) -> Result<bool, Refused> {
    let mut format: &[u8] = b"";
    hashes.clear();
    for (name, value) in parameters(query) {
        match name {
            b"info_hash" if hashes.len() == SCRAPE_HASHES_MAX => {
                let problem = format_args!("more than {SCRAPE_HASHES_MAX} in one scrape");
                return Err(Refused::parameter("info_hash", problem));
            }
            b"info_hash" => hashes.push(parse_info_hash(value)?),
            b"format" if format.is_empty() => format = value,
            _ => {}
        }
    }
    if hashes.is_empty() {
        return Err(Refused::parameter("info_hash", "missing"));
    }
    hashes.sort_unstable();
    hashes.dedup();
    Ok(format == b"json")
}

/// Which torrents a page shows, and how much of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Only this one.
    pub info_hash: Option<InfoHash>,
    /// How many in the order of their hashes are left out at the beginning.
    pub offset: usize,
    /// How many are shown.
    pub limit: usize,
    /// Whether each comes with its peers: not with `peers=0`.
    pub peers: bool,
    /// Whether totals are shown instead: with `totals=1`.
    pub totals: bool,
}

/// Parses the query of `/stats`: `info_hash`, `offset`, `limit`, `peers` and `totals`.
pub fn parse_listing(query: &[u8]) -> Result<Listing, Refused> {
    let mut listing =
        Listing { info_hash: None, offset: 0, limit: usize::MAX, peers: true, totals: false };
    let count = |name, value| {
        let number = parse_integer(name, value)?.unwrap_or(0);
        usize::try_from(number).map_err(|_| Refused::parameter(name, "is below 0"))
    };
    for (name, value) in parameters(query) {
        match name {
            b"info_hash" => listing.info_hash = Some(parse_info_hash(value)?),
            b"offset" => listing.offset = count("offset", value)?,
            b"limit" => listing.limit = count("limit", value)?,
            b"peers" => listing.peers = value != b"0",
            b"totals" => listing.totals = value == b"1",
            _ => {}
        }
    }
    Ok(listing)
}

/// Whether a scrape names any torrent; without one it asks for all.
#[must_use]
pub fn has_info_hash(query: &[u8]) -> bool {
    parameters(query).any(|(name, _)| name == b"info_hash")
}

/// Whether `format=json` asks for an answer that people can read, whatever else the query holds.
#[must_use]
pub fn asks_for_json(query: &[u8]) -> bool {
    parameters(query).any(|parameter| parameter == (b"format", b"json"))
}

/// Names and values of a query, without those that have no value.
fn parameters(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = query;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (parameter, after) = split_near(rest, b'&').unwrap_or((rest, b""));
            rest = after;
            if let Some((name, value @ [_, ..])) = split_near(parameter, b'=') {
                return Some((name, value));
            }
        }
        None
    })
}

fn collect_parameters(query: &[u8], may_name_address: bool) -> Parameters<'_> {
    let mut values = Parameters::default();
    for (name, value) in parameters(query) {
        let slot = match name {
            b"info_hash" => &mut values.info_hash,
            b"peer_id" => &mut values.peer_id,
            b"port" => &mut values.port,
            b"uploaded" => &mut values.uploaded,
            b"downloaded" => &mut values.downloaded,
            b"left" => &mut values.left,
            b"event" => &mut values.event,
            b"numwant" => &mut values.numwant,
            b"key" => &mut values.key,
            b"compact" => &mut values.compact,
            b"no_peer_id" => &mut values.no_peer_id,
            b"format" => &mut values.format,
            b"ip" if may_name_address => {
                values.named = values.named.or(parse_address(value));
                continue;
            }
            b"ipv4" | b"ipv6" if may_name_address => {
                values.named_by_family = values.named_by_family.or(parse_address(value));
                continue;
            }
            _ => continue,
        };
        // The first one counts.
        if slot.is_empty() {
            *slot = value;
        }
    }
    values
}

/// At most one address of each family.
#[derive(Clone, Copy, Default)]
struct Addresses {
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
}

impl Addresses {
    /// These, and from the others the families that are missing here.
    fn or(self, others: Addresses) -> Addresses {
        Addresses { v4: self.v4.or(others.v4), v6: self.v6.or(others.v6) }
    }
}

impl From<IpAddr> for Addresses {
    fn from(ip: IpAddr) -> Addresses {
        match ip {
            IpAddr::V4(v4) => Addresses { v4: Some(v4), v6: None },
            IpAddr::V6(v6) => Addresses { v4: None, v6: Some(v6) },
        }
    }
}

/// An address that others can reach; host names are never resolved.
fn parse_address(value: &[u8]) -> Addresses {
    let mut text = [0; DECODED_BYTES_MAX];
    let length = percent::decode(value, &mut text).unwrap_or(0);
    let address = text.get(..length).and_then(subnet::parse_address);
    address.filter(|&ip| subnet::is_reachable(ip)).map(Addresses::from).unwrap_or_default()
}

/// 20 bytes, or 40 hex digits.
fn parse_info_hash(value: &[u8]) -> Result<InfoHash, Refused> {
    let mut bytes = [0; 40];
    let length = decode_required("info_hash", value, &mut bytes)?;
    let hash = match length {
        20 => bytes.first_chunk().copied().map(InfoHash),
        40 => InfoHash::from_hex(&bytes),
        _ => None,
    };
    hash.ok_or_else(|| match length {
        // Somebody has typed or cut a hash in hex.
        36..=44 => {
            let problem = format_args!("{length} characters, expected 20 bytes or 40 hex digits");
            Refused::parameter("info_hash", problem)
        }
        _ => wrong_length("info_hash", length),
    })
}

fn parse_peer_id(value: &[u8]) -> Result<PeerId, Refused> {
    let mut bytes = [0; 20];
    let length = decode_required("peer_id", value, &mut bytes)?;
    if length == bytes.len() { Ok(PeerId(bytes)) } else { Err(wrong_length("peer_id", length)) }
}

fn decode_required(name: &str, value: &[u8], out: &mut [u8]) -> Result<usize, Refused> {
    if value.is_empty() {
        return Err(Refused::parameter(name, "missing"));
    }
    percent::decode(value, out).map_err(|escape| Refused::parameter(name, escape))
}

fn wrong_length(name: &str, length: usize) -> Refused {
    Refused::parameter(name, format_args!("{length} bytes, expected 20"))
}

/// The port, 0 if the client cannot be reached at any, and the warning if it named an impossible
/// one.
fn parse_port(value: &[u8]) -> Result<(u16, Option<String>), Refused> {
    let Some(number) = parse_integer("port", value)? else {
        return Err(Refused::parameter("port", "missing"));
    };
    if let Ok(port) = u16::try_from(number) {
        return Ok((port, None));
    }
    let warning = format!("port: {number} is out of range, so you are counted but not listed");
    Ok((0, Some(warning)))
}

/// What the client shows to be itself: its key, escaped or not, else its address.
fn parse_proof(key: &[u8], source: IpAddr) -> Proof {
    if key.is_empty() {
        return Proof::from_source(source);
    }
    let mut bytes = [0; DECODED_BYTES_MAX];
    let length = percent::decode(key, &mut bytes).unwrap_or(usize::MAX);
    // A key that cannot be decoded is as good as one that can: only its sameness matters.
    Proof::from_key_text(bytes.get(..length).unwrap_or(key))
}

fn parse_event(value: &[u8]) -> Event {
    match value {
        b"started" => Event::Started,
        b"stopped" => Event::Stopped,
        b"completed" => Event::Completed,
        b"paused" => Event::Paused,
        _ => Event::Update,
    }
}

/// A count of bytes; `None` if it is absent or negative, which some clients send for "unknown".
fn parse_counter(name: &str, value: &[u8]) -> Result<Option<u64>, Refused> {
    let number = parse_integer(name, value)?;
    Ok(number.and_then(|number| u64::try_from(number).ok()).map(|n| n.min(PEER_COUNTER_BYTES_MAX)))
}

/// A decimal number of any length, clamped; `None` if it is absent.
fn parse_integer(name: &str, value: &[u8]) -> Result<Option<i64>, Refused> {
    if value.is_empty() {
        return Ok(None);
    }
    let (sign, digits) = match value {
        [b'-', digits @ ..] => (-1, digits),
        digits => (1, digits),
    };
    let magnitude = digits.iter().try_fold(0_i64, |number, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit < 10).then(|| number.saturating_mul(10).saturating_add(i64::from(digit)))
    });
    let Some(magnitude) = magnitude.filter(|_| !digits.is_empty()) else {
        let problem = format_args!("{} is not a number", quoted(value));
        return Err(Refused::parameter(name, problem));
    };
    Ok(Some(sign * magnitude))
}

#[cfg(test)]
mod tests;
