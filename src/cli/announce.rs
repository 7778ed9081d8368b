//! `muster announce [URL] TORRENT`: asks a tracker as a client would, and shows what it says.
//!
//! By default it leaves no trace: it announces as a leecher that has just started, from a port
//! where nobody listens, and says `stopped` right after the reply, so that no client is sent there
//! for longer than that takes. `--event` sends that one announce and nothing behind it.

use std::ffi::OsString;
use std::io::Write as _;
use std::net::IpAddr;

use clap::builder::{Command, OsStringValueParser, PossibleValuesParser};
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use serde_json::{Value, json};

use super::asking::{
    Torrent, arguments, column, duration, number, parse_words, refusal_json, settings, show,
};
use super::{Failure, Variables};
use crate::addresses::host_addresses;
use crate::client::answer::{Announced, Answer, Peer};
use crate::client::question::Announce;
use crate::client::tracker_url::Scheme;
use crate::client::{Asker, Told};
use crate::client_name::client_name;
use crate::limits::CLIENT_PORT_RANGE;
use crate::percent;
use crate::request::{Event, PeerId, quoted};

/// What stands below the arguments of `--help`.
const MORE: &str = "\
TORRENT is a hash (40 hex digits), a torrent file or a magnet link. Without URL the tracker is the
first that the file or link names. URL is http://HOST:PORT/announce, https://..., udp://HOST:PORT,
or HOST:PORT alone.

It announces as a leecher from a port where nobody listens, and tells the tracker right after the
reply, also after one that cannot be read, that it has left (event=stopped), so that nobody is sent
there. With --event that one announce is all: --event started stays listed until the tracker forgets
it.

Examples:
  muster announce film.torrent
  muster announce udp://tracker.example:6969 90d74306ee173ec111abae8783c5bce32fc5522b
  muster announce --no-compact 127.0.0.1:6969 film.torrent    with the peers' clients
  muster announce --raw film.torrent | muster decode          what exactly came

What the reply does wrong stands below it and is no failure. Exit code 1 when the tracker refuses,
cannot be reached, or sends what cannot be read. For https with a certificate authority of your own,
name its file in the variable SSL_CERT_FILE.";

/// The events as `--event` names them.
const EVENTS: [(&str, Event); 5] = [
    ("none", Event::Update),
    ("started", Event::Started),
    ("stopped", Event::Stopped),
    ("completed", Event::Completed),
    ("paused", Event::Paused),
];

/// The command and its arguments.
pub(super) fn command() -> Command {
    let words = Arg::new("words")
        .value_names(["URL", "TORRENT"])
        .required(true)
        .num_args(1..=2)
        .value_parser(OsStringValueParser::new())
        .help("The tracker, unless the torrent names it, and the torrent");
    Command::new("announce")
        .about("Ask a tracker for peers as a client would, and show what it does wrong")
        .override_usage("muster announce [OPTIONS] [URL] TORRENT")
        .after_help(MORE)
        .arg(words)
        .args(claims())
        .args(arguments())
}

/// The arguments that say what is announced.
fn claims() -> [Arg; 9] {
    let (first, last) = CLIENT_PORT_RANGE;
    let value = |name: &'static str, value: &'static str| {
        Arg::new(name).long(name).value_name(value).action(ArgAction::Set)
    };
    let events = PossibleValuesParser::new(EVENTS.map(|(name, _)| name));
    [
        value("event", "EVENT").value_parser(events).help("Send this event and nothing after it"),
        value("port", "PORT")
            .value_parser(value_parser!(u16))
            .help(format!("The port to be listed with [default: one of {first} to {last}]")),
        value("left", "BYTES")
            .value_parser(value_parser!(u64))
            .help("Bytes still lacking; 0 is a seeder [default: 1]"),
        value("numwant", "COUNT")
            .value_parser(value_parser!(u32))
            .help("Peers wanted [default: the tracker's]"),
        value("peer-id", "ID").help("20 characters, any of them as %XX [default: at random]"),
        value("key", "HEX").help("Up to 8 hex digits that show who we are [default: at random]"),
        value("ip", "ADDRESS")
            .value_parser(value_parser!(IpAddr))
            .help("The address to be listed with; most trackers ignore it"),
        value("uploaded", "BYTES").value_parser(value_parser!(u64)).help("Bytes sent [default: 0]"),
        Arg::new("no-compact")
            .long("no-compact")
            .action(ArgAction::SetTrue)
            .help("Ask for peers with their ids, as dictionaries (not over UDP)"),
    ]
}

/// Announces and prints the reply.
pub(super) fn run(given: &ArgMatches, _variables: &Variables) -> Result<(), Failure> {
    let words: Vec<OsString> = given.get_many("words").into_iter().flatten().cloned().collect();
    let (url, torrents) = parse_words(&words)?;
    let [torrent] = torrents.as_slice() else {
        let text = "which torrent? A hash, a torrent file or a magnet link follows the URL; see \
                    muster announce --help";
        return Err(Failure::Usage(text.to_owned()));
    };
    let announce = announce_of(given, torrent).map_err(Failure::Usage)?;
    let own = host_addresses();
    let told = Asker::new(&url, settings(given)).and_then(|mut asker| {
        let mut told = asker.announce(&announce, &own);
        let may_be_listed = match &told {
            Ok(told) => !told.refused,
            Err(failure) => failure.sent,
        };
        if may_be_listed && !given.contains_id("event") {
            leave(&mut asker, &announce, &own, &mut told);
        }
        told
    });
    let with_ids = !announce.compact && url.scheme != Scheme::Udp;
    let told = told.map(|told| if with_ids { hint_at_compact(told) } else { told });
    show(given, &url, &told, to_json, in_words)
}

/// Some trackers answer `compact=0` with a page that says no more than that it is wrong.
fn hint_at_compact(told: Told) -> Told {
    let hint = "some trackers list no ids: leave out --no-compact";
    Told { answer: told.answer.map_err(|error| format!("{error}; {hint}")), ..told }
}

/// What the arguments say to announce; the event is `started` without one.
fn announce_of(given: &ArgMatches, torrent: &Torrent) -> Result<Announce, String> {
    let named = given.get_one::<String>("event");
    let event = named.and_then(|named| EVENTS.iter().find(|(name, _)| name == named));
    let peer_id = match given.get_one::<String>("peer-id") {
        None => random_peer_id(),
        Some(text) => PeerId(percent::decode_twenty(text.as_bytes()).ok_or_else(|| {
            format!("--peer-id: {}: expected 20 bytes, any as %XX", quoted(text.as_bytes()))
        })?),
    };
    let key = match given.get_one::<String>("key") {
        None => fastrand::u32(1..),
        Some(text) => {
            // Rust reads a sign too.
            let key = u32::from_str_radix(text, 16).ok().filter(|_| !text.starts_with('+'));
            key.ok_or_else(|| {
                format!("--key: {}: expected 1 to 8 hex digits", quoted(text.as_bytes()))
            })?
        }
    };
    let (first, last) = CLIENT_PORT_RANGE;
    Ok(Announce {
        info_hash: torrent.info_hash,
        peer_id,
        port: given.get_one("port").copied().unwrap_or_else(|| fastrand::u16(first..=last)),
        uploaded: given.get_one("uploaded").copied().unwrap_or(0),
        downloaded: 0,
        left: given.get_one("left").copied().unwrap_or(1),
        event: event.map_or(Event::Started, |(_, event)| *event),
        numwant: given.get_one("numwant").copied(),
        key,
        ip: given.get_one("ip").copied(),
        compact: !given.get_flag("no-compact"),
    })
}

/// Our own name by BEP 20, and twelve letters.
fn random_peer_id() -> PeerId {
    let mut id = *b"-MU0100-............";
    id[8..].fill_with(|| fastrand::alphanumeric() as u8);
    PeerId(id)
}

/// Takes the announce back. What goes wrong is told: somebody may be listed who is not there.
fn leave(
    asker: &mut Asker,
    announce: &Announce,
    own: &[IpAddr],
    told: &mut Result<Told, crate::client::Failure>,
) {
    let farewell = Announce { event: Event::Stopped, numwant: None, ..*announce };
    let problem = match asker.announce(&farewell, own) {
        Err(failure) => failure.text,
        Ok(Told { answer: Err(error), .. }) => error,
        Ok(Told { answer: Ok(Answer::Refused(refusal)), .. }) => refusal.reason,
        Ok(Told { faults, .. }) => {
            let all = match told {
                Ok(told) => &mut told.faults,
                Err(failure) => &mut failure.faults,
            };
            let known = all.lines();
            for fault in faults.lines().into_iter().filter(|fault| !known.contains(fault)) {
                all.add(format!("as we left: {fault}"));
            }
            return;
        }
    };
    // There is nowhere left to report that stderr is gone.
    let _ = writeln!(
        std::io::stderr(),
        "muster: the tracker may list port {} until it forgets it, since leaving failed: {problem}",
        announce.port
    );
}

fn to_json(answer: &Answer) -> Value {
    match answer {
        Answer::Announced(told) => json!({
            "interval": told.interval,
            "min_interval": told.min_interval,
            "complete": told.complete,
            "incomplete": told.incomplete,
            "downloaded": told.downloaded,
            "external_ip": told.external_ip.map(|ip| ip.to_string()),
            "warning": told.warning,
            "peers": told.peers.iter().map(peer_to_json).collect::<Vec<_>>(),
        }),
        Answer::Refused(refusal) => refusal_json(refusal),
        Answer::Scraped(_) => Value::Null,
    }
}

fn peer_to_json(peer: &Peer) -> Value {
    let mut value = json!({ "ip": peer.host, "port": peer.port });
    if let Some(id) = &peer.id {
        value["peer_id"] = escaped(id).into();
        value["client"] = client_name(id).into();
    }
    value
}

fn escaped(id: &PeerId) -> String {
    let mut text = String::new();
    percent::encode(&id.0, &mut text);
    text
}

fn in_words(answer: &Answer) -> String {
    let Answer::Announced(told) = answer else { return String::new() };
    let mut lines = vec![("seeders", number(told.complete)), ("leechers", number(told.incomplete))];
    if told.downloaded.is_some() {
        lines.push(("downloads", number(told.downloaded)));
    }
    let least = told.min_interval.map(|least| format!(", at the earliest {}", duration(least)));
    let interval = told.interval.map_or("not told".to_owned(), duration);
    lines.push(("ask again in", format!("{interval}{}", least.unwrap_or_default())));
    if let Some(ip) = told.external_ip {
        lines.push(("our address", ip.to_string()));
    }
    if let Some(warning) = &told.warning {
        lines.push(("warning", warning.clone()));
    }
    lines.push(("peers", told.peers.len().to_string()));
    format!("{}{}", column(&lines), peers_in_words(told))
}

/// A line for each peer: where it is and, as far as that is told, which client it runs.
fn peers_in_words(told: &Announced) -> String {
    let places: Vec<String> = told.peers.iter().map(place).collect();
    let width = places.iter().map(String::len).max().unwrap_or(0);
    let lines = told.peers.iter().zip(places).map(|(peer, place)| match &peer.id {
        None => format!("  {place}\n"),
        Some(id) => {
            format!("  {place:width$}  {}\n", client_name(id).unwrap_or_else(|| escaped(id)))
        }
    });
    lines.collect()
}

fn place(peer: &Peer) -> String {
    if peer.host.contains(':') {
        format!("[{}]:{}", peer.host, peer.port)
    } else {
        format!("{}:{}", peer.host, peer.port)
    }
}
