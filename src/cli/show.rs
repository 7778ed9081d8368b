//! `muster show FILE...`: what a torrent file says, and what is wrong with it.
//!
//! A column of labels and one of values, as `imdl torrent show` has it; nothing in a torrent
//! reaches the terminal but printable text. A file that cannot be read is named on stderr, the
//! others are shown, and the exit code is 1. `--json` prints one line for each torrent.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;

use clap::builder::{Command, OsStringValueParser};
use clap::{Arg, ArgAction, ArgMatches};

use super::size::{bytes, counted, exact_bytes, grouped};
use super::torrent_file::{TorrentFile, read};
use super::{Failure, Variables, file_tree, print, torrent_json};
use crate::limits::TREE_LINES_MAX;
use crate::metainfo::{File, Metainfo, magnet};
use crate::printable::printable;
use crate::utc::encode_utc;

/// What stands below the arguments of `--help`.
const MORE: &str = "\
Examples:
  muster show debian.iso.torrent             what a person asks of a torrent
  muster show --files linux.torrent          with each of its 80,000 files
  muster show --json *.torrent | jq .name    for programs: one line for each torrent
  curl -s https://a.example/b.torrent | muster show -

The last lines, Flaws, are what is wrong with a torrent that can be used all the same. Exit code 1
when a file is no torrent; it is named, and the others are shown.";

/// The command and its arguments.
pub(super) fn command() -> Command {
    let files = Arg::new("torrents")
        .value_name("FILE")
        .required(true)
        .num_args(1..)
        .value_parser(OsStringValueParser::new())
        .help("Torrent files; - is standard input");
    let all = Arg::new("files")
        .long("files")
        .action(ArgAction::SetTrue)
        .help("Show every file, however many there are");
    let json = Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help("Print JSON: one line for each torrent, with every file");
    Command::new("show")
        .about("Show what a torrent file says, and what is wrong with it")
        .after_help(MORE)
        .arg(files)
        .arg(all)
        .arg(json)
}

/// Shows the torrents, one after the other.
pub(super) fn run(given: &ArgMatches, _variables: &Variables) -> Result<(), Failure> {
    let lines_max = if given.get_flag("files") { usize::MAX } else { TREE_LINES_MAX };
    let paths: Vec<&OsString> = given.get_many("torrents").into_iter().flatten().collect();
    let mut failed = false;
    let mut shown = false;
    for path in paths {
        let torrent = match read(path) {
            Ok(torrent) => torrent,
            Err(error) => {
                failed = true;
                // There is nowhere left to report that stderr is gone.
                let _ = writeln!(std::io::stderr(), "muster: {error}");
                continue;
            }
        };
        if given.get_flag("json") {
            print(&torrent_json::line(path, &torrent))?;
        } else {
            let gap = if shown { "\n" } else { "" };
            print(&format!("{gap}{}", table(&torrent, lines_max)))?;
        }
        shown = true;
    }
    if failed { Err(Failure::Reported) } else { Ok(()) }
}

/// The rows as text: labels to the right of their column, values behind them.
fn table(torrent: &TorrentFile, lines_max: usize) -> String {
    let rows = rows(torrent, lines_max);
    let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (label, values) in rows {
        let labels = std::iter::once(label).chain(std::iter::repeat(""));
        for (label, value) in labels.zip(values) {
            // A write to a String cannot fail.
            let _ = writeln!(text, "{label:>width$}  {value}");
        }
    }
    text
}

/// A label and the lines beside it.
type Row = (&'static str, Vec<String>);

/// What a person asks of a torrent, in that order.
fn rows(torrent: &TorrentFile, lines_max: usize) -> Vec<Row> {
    let metainfo = &torrent.metainfo;
    let one = |label, value: Option<String>| (label, value.into_iter().collect());
    let text = |value: &Option<Vec<u8>>| value.as_ref().map(|value| printable(value));
    let date = metainfo.creation_date.map(|date| encode_utc(date).replace(['T', 'Z'], " "));
    let tree = if metainfo.is_single_file() {
        Vec::new()
    } else {
        file_tree::lines(&metainfo.files, lines_max)
    };
    let flaws = match metainfo.flaws() {
        none if none.is_empty() => vec!["none".to_owned()],
        flaws => flaws,
    };
    let mut rows = vec![
        one("Name", Some(printable(&metainfo.name))),
        one("Info Hash", metainfo.info_hash_v1.map(|hash| hash.to_string())),
        one("Info Hash v2", metainfo.info_hash_v2.map(|hash| hash.to_string())),
        one("Size", Some(exact_bytes(metainfo.size()))),
        one("Pieces", Some(pieces(metainfo))),
        one("Private", Some(if metainfo.private { "yes" } else { "no" }.to_owned())),
        ("Trackers", trackers(metainfo)),
        ("Web Seeds", metainfo.web_seeds.clone()),
        ("DHT Nodes", metainfo.nodes.clone()),
        one("Source", text(&metainfo.source)),
        ("Comment", metainfo.comment.as_deref().map(text_lines).unwrap_or_default()),
        one("Created By", text(&metainfo.created_by)),
        one("Created", date.map(|date| format!("{date}UTC"))),
        one("Torrent Size", Some(exact_bytes(torrent.bytes))),
        one("Files", Some(file_count(metainfo))),
    ];
    rows.extend(tree.into_iter().map(|line| ("", vec![line])));
    rows.push(one("Magnet", Some(magnet::encode(&metainfo.magnet()))));
    rows.push(("Flaws", flaws));
    rows
}

/// `3 of 32 KiB`
fn pieces(metainfo: &Metainfo) -> String {
    format!("{} of {}", grouped(metainfo.piece_count()), bytes(metainfo.piece_length))
}

/// How many files there are, and how much is none but fills up pieces.
fn file_count(metainfo: &Metainfo) -> String {
    let padding = || metainfo.files.iter().filter(|file| file.padding);
    let count = padding().count() as u64;
    let files = grouped(metainfo.files.len() as u64 - count);
    if count == 0 {
        return files;
    }
    let size = bytes(padding().map(File::length).sum());
    format!("{files}, and {} of padding, {size}", counted(count, "file"))
}

/// The trackers, with their tiers where there are several.
fn trackers(metainfo: &Metainfo) -> Vec<String> {
    match metainfo.tiers.as_slice() {
        [] => vec!["none".to_owned()],
        [only] => only.clone(),
        tiers => {
            let mut lines = Vec::new();
            for (number, tier) in (1..).zip(tiers) {
                let mut label = format!("tier {number}: ");
                for tracker in tier {
                    lines.push(format!("{label}{tracker}"));
                    label = " ".repeat(label.len());
                }
            }
            lines
        }
    }
}

/// A text of several lines, each of them printable.
fn text_lines(text: &[u8]) -> Vec<String> {
    let lines = text.split(|byte| *byte == b'\n');
    lines.map(|line| printable(line.strip_suffix(b"\r").unwrap_or(line))).collect()
}

#[cfg(test)]
mod tests;
