//! `muster verify FILE PATH`: which pieces and files of a torrent are whole.
//!
//! A line for each file that is not, with the pieces that are not; then what there is of the whole.
//! Exit code 0 when all of it is there as the torrent has it, 1 when anything is not. Nothing is
//! written, and nothing is read but the torrent's own files.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::builder::{Command, OsStringValueParser};
use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Map, Value, json};

use super::progress::Progress;
use super::size::{bytes, counted, grouped};
use super::torrent_json::{line_of, put_text};
use super::{Failure, Variables, print, threads, torrent_file};
use crate::content::check::{FileReport, Report, State, check, locate};
use crate::content::shown;
use crate::limits::VERIFY_LINES_MAX;
use crate::metainfo::Metainfo;
use crate::printable::printable;

/// What stands below the arguments of `--help`.
const MORE: &str = "\
Examples:
  muster verify film.torrent film.mkv        is this file the torrent's?
  muster verify photos.torrent ~/downloads   of the folder photos in ~/downloads
  muster verify --json photos.torrent . | jq '.files[] | select(.state != \"whole\") | .path'

PATH is the content itself, or the folder that holds it. Files that the torrent does not have
are not looked at. Symlinks below PATH are followed, wherever they lead: they are yours, not
the torrent's, whose paths never lead out of PATH. A file that only shares a damaged piece
with another cannot be told from a damaged one; where the other is missing, it is \"unsure\".

Exit codes: 0 all of it is whole, 1 something is not, 2 wrong usage.";

/// The command and its arguments.
pub(super) fn command() -> Command {
    let torrent = Arg::new("torrent")
        .value_name("FILE")
        .required(true)
        .value_parser(OsStringValueParser::new())
        .help("The torrent file; - is standard input");
    let path = Arg::new("path")
        .value_name("PATH")
        .required(true)
        .value_parser(OsStringValueParser::new())
        .help("The content, or the folder that holds it");
    let all = Arg::new("files")
        .long("files")
        .action(ArgAction::SetTrue)
        .help("Show every file, whole ones too");
    let json = Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help("Print JSON: one line, with every file");
    Command::new("verify")
        .about("Check which pieces and files of a torrent are whole")
        .after_help(MORE)
        .arg(torrent)
        .arg(path)
        .arg(all)
        .arg(threads::argument())
        .arg(json)
}

/// Checks the files.
pub(super) fn run(given: &ArgMatches, _variables: &Variables) -> Result<(), Failure> {
    let path = |id| given.get_one::<OsString>(id).expect("clap requires it");
    let torrent = torrent_file::read(path("torrent")).map_err(Failure::Failed)?;
    let metainfo = &torrent.metainfo;
    if metainfo.info_hash_v1.is_none() {
        return Err(Failure::Failed(format!(
            "{}: a torrent of v2 alone (BEP 52), which has no pieces of v1 to check; use a client \
             that knows v2",
            torrent_file::shown(path("torrent"))
        )));
    }
    let root = root(metainfo, &PathBuf::from(path("path"))).map_err(Failure::Failed)?;
    let progress = Progress::of_bytes(metainfo.length());
    let report = check(metainfo, &root, threads::asked(given), &AtomicBool::new(false), &|more| {
        progress.advance(more);
    });
    drop(progress);
    let report = report.map_err(Failure::Failed)?;
    if given.get_flag("json") {
        print(&line_of(encode(metainfo, &root, &report)))?;
    } else {
        print(&text(metainfo, &root, &report, given.get_flag("files")))?;
    }
    if report.is_whole() { Ok(()) } else { Err(Failure::Reported) }
}

/// Where the files are, if `given` can be that place.
fn root(metainfo: &Metainfo, given: &Path) -> Result<PathBuf, String> {
    let there = std::fs::metadata(given).map_err(|error| format!("{}: {error}", shown(given)))?;
    if !there.is_dir() && !metainfo.is_single_file() {
        let (given, name) = (shown(given), printable(&metainfo.name));
        return Err(format!(
            "{given}: not a folder, and the torrent's content is one: {name}; give that, or the \
             folder it is in"
        ));
    }
    Ok(locate(metainfo, given))
}

/// A word for each state, the same in text and JSON.
fn word(state: &State) -> &'static str {
    match state {
        State::Whole => "whole",
        State::Missing => "missing",
        State::TooShort(_) => "too short",
        State::TooLong(_) => "too long",
        State::NoFile(_) => "no file",
        State::Unreadable(_) => "unreadable",
        State::Damaged => "damaged",
        State::Unsure => "unsure",
    }
}

fn text(metainfo: &Metainfo, root: &Path, report: &Report, all: bool) -> String {
    let lines_max = if all { usize::MAX } else { VERIFY_LINES_MAX };
    let told = report.files.iter().filter(|file| all || file.state != State::Whole);
    let mut text = String::new();
    for file in told.clone().take(lines_max) {
        // A write to a String cannot fail.
        let _ = writeln!(text, "{:<10}  {}", word(&file.state), details(metainfo, file));
    }
    let more = told.skip(lines_max).count() as u64;
    if more > 0 {
        let _ = writeln!(text, "... and {} more; --files shows all", counted(more, "file"));
    }
    let whole = report.files.iter().filter(|file| file.state == State::Whole).count() as u64;
    let files = counted(report.files.len() as u64, "file");
    let pieces = counted(report.pieces, "piece");
    let root = shown(root);
    if report.is_whole() {
        let size = bytes(metainfo.size());
        let _ = writeln!(text, "{root}: whole: {files}, {size}, {pieces}");
    } else {
        let (done, size) = (bytes(report.bytes_whole), bytes(metainfo.size()));
        let whole_pieces = grouped(report.pieces_whole);
        let _ = writeln!(
            text,
            "{root}: not whole: {whole_pieces} of {pieces} ({done} of {size}), {} of {files}",
            grouped(whole)
        );
    }
    text
}

/// The file, and what is wrong with it.
fn details(metainfo: &Metainfo, file: &FileReport) -> String {
    let name = if file.path.is_empty() { &metainfo.name } else { &file.path };
    let mut text = printable(name);
    let expected = || counted(file.bytes, "byte");
    // A write to a String cannot fail.
    let _ = match &file.state {
        State::Whole | State::Missing => write!(text, "  {}", bytes(file.bytes)),
        State::TooShort(found) => write!(text, "  {} of {}", grouped(*found), expected()),
        State::TooLong(found) => {
            write!(text, "  {} instead of {}", counted(*found, "byte"), grouped(file.bytes))
        }
        State::NoFile(what) => write!(text, "  {what}"),
        State::Unreadable(error) => write!(text, "  {error}"),
        State::Damaged | State::Unsure => Ok(()),
    };
    let bad = &file.pieces_bad;
    if matches!(file.state, State::Missing | State::NoFile(_)) || bad.is_empty() {
        return text;
    }
    let shown: Vec<String> = bad.iter().take(VERIFY_LINES_MAX).map(range).collect();
    let more = if bad.len() > shown.len() { ", ..." } else { "" };
    let all = file.pieces.as_ref().map(range).unwrap_or_default();
    let _ = write!(text, "  pieces {}{more} of {all}", shown.join(", "));
    text
}

fn range(pieces: &RangeInclusive<u64>) -> String {
    match (pieces.start(), pieces.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    }
}

/// The report as JSON; piece numbers begin with 0, ranges hold their last.
fn encode(metainfo: &Metainfo, root: &Path, report: &Report) -> Map<String, Value> {
    let pair = |pieces: &RangeInclusive<u64>| json!([pieces.start(), pieces.end()]);
    let files = report.files.iter().map(|file| {
        let mut object = Map::new();
        put_text(&mut object, "path", Some(&file.path));
        object.insert("length".to_owned(), json!(file.bytes));
        object.insert("state".to_owned(), json!(word(&file.state)));
        let (length_found, problem) = match &file.state {
            State::TooShort(found) | State::TooLong(found) => (json!(found), Value::Null),
            State::NoFile(what) => (Value::Null, json!(what)),
            State::Unreadable(error) => (Value::Null, json!(error)),
            _ => (Value::Null, Value::Null),
        };
        object.insert("length_found".to_owned(), length_found);
        object.insert("problem".to_owned(), problem);
        object.insert("pieces".to_owned(), json!(file.pieces.as_ref().map(pair)));
        object.insert("pieces_bad".to_owned(), file.pieces_bad.iter().map(pair).collect());
        Value::Object(object)
    });
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("info_hash", json!(metainfo.info_hash().to_string()));
    put("path", json!(root.to_string_lossy()));
    put("whole", json!(report.is_whole()));
    put("piece_count", json!(report.pieces));
    put("pieces_whole", json!(report.pieces_whole));
    put("length", json!(metainfo.size()));
    put("bytes_whole", json!(report.bytes_whole));
    put("files", files.collect());
    object
}
