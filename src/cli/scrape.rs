//! `muster scrape [URL] TORRENT...`: asks a tracker how many have the torrents.
//!
//! The torrents stand in the order in which they were asked for; one that the tracker leaves out is
//! unknown to it (BEP 48). A scrape changes nothing at the tracker.

use std::ffi::OsString;

use clap::builder::{Command, OsStringValueParser};
use clap::{Arg, ArgMatches};
use serde_json::{Map, Value, json};

use super::asking::{Torrent, arguments, number, parse_words, refusal_json, settings, show};
use super::{Failure, Variables};
use crate::client::Asker;
use crate::client::answer::{Answer, Scraped};
use crate::request::InfoHash;

/// What stands below the arguments of `--help`.
const MORE: &str = "\
TORRENT is a hash (40 hex digits), a torrent file or a magnet link. Without URL the tracker is the
one that the files or links name. URL is the announce URL (scrape takes the place of announce in it,
BEP 48) or the scrape URL, over http, https or udp. Without any TORRENT an http tracker is asked for
all it has, which few tell to others than their operator.

Examples:
  muster scrape film.torrent
  muster scrape http://127.0.0.1:6969/announce 90d74306ee173ec111abae8783c5bce32fc5522b
  muster scrape --json udp://tracker.example:6969 *.torrent

More torrents than one request carries (74 over udp, 50 over http) are asked for in several; --raw
prints the replies one behind the other.

A torrent that the tracker does not know is no failure. Exit code 1 when the tracker refuses, cannot
be reached, or sends what cannot be read.";

/// The command and its arguments.
pub(super) fn command() -> Command {
    let words = Arg::new("words")
        .value_names(["URL", "TORRENT"])
        .required(true)
        .num_args(1..)
        .value_parser(OsStringValueParser::new())
        .help("The tracker, unless the torrents name it, and the torrents");
    Command::new("scrape")
        .about("Ask a tracker how many seed and load torrents")
        .override_usage("muster scrape [OPTIONS] [URL] [TORRENT]...")
        .after_help(MORE)
        .arg(words)
        .args(arguments())
}

/// Scrapes and prints the reply.
pub(super) fn run(given: &ArgMatches, _variables: &Variables) -> Result<(), Failure> {
    let words: Vec<OsString> = given.get_many("words").into_iter().flatten().cloned().collect();
    let (url, torrents) = parse_words(&words)?;
    let hashes: Vec<InfoHash> =
        torrents.iter().map(|Torrent { info_hash, .. }| *info_hash).collect();
    let told = Asker::new(&url, settings(given)).and_then(|mut asker| asker.scrape(&hashes));
    show(given, &url, &told, to_json, |answer| in_words(answer, &hashes))
}

fn to_json(answer: &Answer) -> Value {
    let files = match answer {
        Answer::Scraped(files) => files,
        Answer::Refused(refusal) => return refusal_json(refusal),
        Answer::Announced(_) => return Value::Null,
    };
    let files = files.iter().map(|file| {
        let mut value = json!({
            "complete": file.complete,
            "downloaded": file.downloaded,
            "incomplete": file.incomplete,
        });
        if let Some(name) = &file.name {
            value["name"] = name.as_str().into();
        }
        (file.info_hash.to_string(), value)
    });
    json!({ "files": files.collect::<Map<_, _>>() })
}

/// A table: the torrents in the order they were asked for, or in that of the reply.
fn in_words(answer: &Answer, asked: &[InfoHash]) -> String {
    let Answer::Scraped(files) = answer else { return String::new() };
    let mut rows = vec![["seeders", "leechers", "downloads"].map(str::to_owned)];
    let mut labels = vec!["torrent".to_owned()];
    let mut push = |hash: InfoHash, file: Option<&Scraped>| {
        labels.push(hash.to_string());
        rows.push(match file {
            Some(file) => [file.complete, file.incomplete, file.downloaded].map(number),
            None => ["unknown".to_owned(), String::new(), String::new()],
        });
    };
    for hash in asked {
        push(*hash, files.iter().find(|file| file.info_hash == *hash));
    }
    for file in files.iter().filter(|file| !asked.contains(&file.info_hash)) {
        push(file.info_hash, Some(file));
    }
    let lines = labels.iter().zip(rows).map(|(label, [complete, incomplete, downloaded])| {
        let line = format!("{label:40}  {complete:>8}  {incomplete:>8}  {downloaded:>9}");
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}
