//! `muster create PATH`: a torrent file of what lies there.
//!
//! Everything that could keep the torrent from being made is looked for before the hashing, which
//! may take hours: the whole torrent is built and read back with empty hashes first. What was left
//! out of it, and what is wrong with it though it can be used, goes to stderr, a line each. The
//! file appears whole or not at all, and is read back before it does.

use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use clap::builder::{Command, OsStringValueParser, TypedValueParser as _};
use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Value, json};

use super::new_file::NewFile;
use super::progress::Progress;
use super::size::{bytes, counted, grouped};
use super::torrent_file::TorrentFile;
use super::{Failure, Variables, piece_length, print, threads, torrent_json};
use crate::client::tracker_url::{Scheme, TrackerUrl};
use crate::clock::unix_time;
use crate::content::pieces::{self, Outcome, Work};
use crate::content::walk::{Choice, Found, Walked, walk};
use crate::content::{Span, bytes_of, shown};
use crate::limits::{LEFT_OUT_LINES_MAX, METAINFO_BYTES_MAX};
use crate::metainfo::build::Draft;
use crate::metainfo::{Metainfo, magnet};
use crate::printable::printable;
use crate::signals::{self, Caught};

/// What stands below the arguments of `--help`.
const MORE: &str = "\
Examples:
  muster create film.mkv -a http://192.168.1.20:6969/announce --private
  muster create photos/ -a udp://a.example:6969/announce -o summer.torrent
  muster create photos/ -a http://a.example/announce -a http://b.example/announce
                                   the second is asked when the first does not answer
  muster create -a http://a.example/announce -o - film.mkv | muster show -

What is taken in: every file of the folder, in the order of their paths as bytes, so that
the same files give the same info hash everywhere. Left out, and named on stderr: hidden
files and what file managers leave behind (.DS_Store, Thumbs.db, desktop.ini), unless --all
is given; symlinks, unless --follow-symlinks is given; FIFOs, sockets and devices, always.
A file that cannot be read, or that changes meanwhile, is an error, and nothing is written.";

/// The command and its arguments.
pub(super) fn command() -> Command {
    let value = |id: &'static str, short: char, name: &'static str, help: &'static str| {
        Arg::new(id).long(id).short(short).value_name(name).help(help)
    };
    let flag = |id: &'static str, help: &'static str| {
        Arg::new(id).long(id).action(ArgAction::SetTrue).help(help)
    };
    let bytes = OsStringValueParser::new;
    // clap's own complaint would not say which argument it is of.
    let text = || bytes().try_map(|text| text.into_string().map_err(|_| "not UTF-8"));
    let announce = "Announce to this tracker; several by commas, each with its http:// or udp://, \
                    are asked in any order, those of another -a when none of them answers";
    let piece_length = "Cut the content into pieces of this length, a power of two such as 256KiB, \
                        1M or 2^18 [default: grows with the content]";
    let output = "Write it to this file, or into this folder; - is standard output [default: \
                  NAME.torrent in the working folder]";
    let private = "Have clients find each other through these trackers alone (BEP 27)";
    let source = "Write this into what is hashed, so that the hash differs from other trackers'";
    Command::new("create")
        .about("Make a torrent of a file or folder")
        .after_help(MORE)
        .arg(
            Arg::new("path")
                .value_name("PATH")
                .required(true)
                .value_parser(bytes())
                .help("The file or folder to make it of"),
        )
        .arg(value("announce", 'a', "URL", announce).action(ArgAction::Append).value_parser(text()))
        .arg(flag("private", private).short('p'))
        .arg(value("output", 'o', "FILE", output).value_parser(bytes()))
        .arg(flag("force", "Replace a file that is there already").short('f'))
        .arg(value("comment", 'c', "TEXT", "Write a comment").value_parser(text()))
        .arg(
            value("name", 'n', "NAME", "Name the content [default: the last name of PATH]")
                .value_parser(bytes()),
        )
        .arg(value("piece-length", 'l', "LENGTH", piece_length).value_parser(piece_length::parse))
        .arg(value("source", 's', "TEXT", source).value_parser(text()))
        .arg(
            value("web-seed", 'w', "URL", "Have it from this web server too (BEP 19)")
                .action(ArgAction::Append)
                .value_parser(text()),
        )
        .arg(flag("all", "Take in hidden files, .DS_Store and the like"))
        .arg(flag("follow-symlinks", "Take in what symlinks lead to"))
        .arg(flag("no-date", "Do not write when it was made").short('d'))
        .arg(flag("no-created-by", "Do not write what it was made with"))
        .arg(threads::argument())
        .arg(flag("json", "Print JSON: what muster show --json would, and what was left out"))
}

/// Where the torrent goes.
enum Target {
    File(NewFile),
    Stdout,
}

/// Makes the torrent.
pub(super) fn run(given: &ArgMatches, _variables: &Variables) -> Result<(), Failure> {
    let path = PathBuf::from(given.get_one::<OsString>("path").expect("clap requires it"));
    if path.as_os_str().is_empty() {
        let text = "an empty PATH; name a file or a folder, or the working folder as .";
        return Err(Failure::Usage(text.to_owned()));
    }
    let mut draft = asked(given, &path)?;
    let choice =
        Choice { all: given.get_flag("all"), follow_symlinks: given.get_flag("follow-symlinks") };
    let walked = walk(&path, choice).map_err(Failure::Failed)?;
    let target = target(given, &draft.name, &walked)?;
    say_left_out(&walked);
    let spans = lay_out(&mut draft, &walked, &path)?;
    for flaw in read_back(&draft)?.1.flaws() {
        say(&format!("note: {flaw}"));
    }
    let caught = signals::catch().map_err(Failure::Failed)?;
    let progress = Progress::of_bytes(bytes_of(&spans));
    let work = Work {
        spans: &spans,
        piece_bytes: draft.piece_length,
        threads: threads::asked(given),
        stop: &caught.stop,
        progress: &|more| progress.advance(more),
    };
    let hashed = hash(&work, &walked);
    drop(progress);
    not_stopped(&caught)?;
    draft.pieces = hashed.map_err(Failure::Failed)?;
    let (encoded, metainfo) = read_back(&draft)?;
    if !draft.is_said_by(&metainfo) {
        return Err(Failure::Failed("what was built is not what was asked for: a bug".to_owned()));
    }
    let torrent = TorrentFile { metainfo, bytes: encoded.len() as u64 };
    match target {
        Target::File(file) => {
            file.write(&encoded).map_err(Failure::Failed)?;
            let said = summary(given, file.path(), &torrent, &walked);
            print(&said)
        }
        Target::Stdout => {
            let written = std::io::stdout().write_all(&encoded);
            written.map_err(|error| Failure::Failed(format!("standard output: {error}")))?;
            say(summary(given, Path::new("-"), &torrent, &walked).trim_end());
            Ok(())
        }
    }
}

/// What the arguments say of the torrent; its files and pieces are not known yet.
fn asked(given: &ArgMatches, path: &Path) -> Result<Draft, Failure> {
    let text = |id| given.get_one::<String>(id).cloned();
    let texts = |id| given.get_many::<String>(id).into_iter().flatten();
    let urls = |tier: &String| split_tier(tier).into_iter().map(announce_url).collect();
    let tiers: Vec<Vec<String>> =
        texts("announce").map(urls).collect::<Result<_, _>>().map_err(Failure::Usage)?;
    let private = given.get_flag("private");
    if private && tiers.is_empty() {
        return Err(Failure::Usage(
            "--private: without a tracker nobody finds anybody; give one with -a URL (muster \
             prints its announce URLs when it starts)"
                .to_owned(),
        ));
    }
    Ok(Draft {
        name: name(given, path)?,
        private,
        source: text("source"),
        tiers,
        web_seeds: texts("web-seed").map(web_seed_url).collect::<Result<_, _>>()?,
        comment: text("comment"),
        created_by: (!given.get_flag("no-created-by"))
            .then(|| concat!("muster ", env!("CARGO_PKG_VERSION")).to_owned()),
        creation_date: (!given.get_flag("no-date")).then(|| unix_time().as_secs()),
        piece_length: given.get_one("piece-length").copied().unwrap_or_default(),
        ..Draft::default()
    })
}

/// The trackers of one `-a`, by its commas: those before a path, and those that another scheme
/// follows. Any other is a part of a path or query, of a passkey say.
fn split_tier(tier: &str) -> Vec<&str> {
    let mut urls = Vec::new();
    let mut start = 0;
    for (at, _) in tier.match_indices(',') {
        let (before, after) = (&tier[start..at], &tier[at + 1..]);
        let host = before.split_once("://").map_or(before, |(_, rest)| rest);
        let next = after.split(',').next().unwrap_or_default();
        let is_url =
            next.find("://").is_some_and(|end| !next[..end].contains(['/', '?', '=', '&']));
        if is_url || !host.contains(['/', '?']) {
            urls.push(before);
            start = at + 1;
        }
    }
    urls.push(&tier[start..]);
    urls
}

/// A tracker as it was typed, with what was left to us: scheme, port, path.
fn announce_url(typed: &str) -> Result<String, String> {
    // What clients do with a fragment nobody knows; no request has one (RFC 9110, section 7.1).
    let typed = typed.split('#').next().unwrap_or(typed);
    // Trackers of WebTorrent, which browsers ask, have the form of any other, and often no path.
    let web = typed.strip_prefix("ws://").or_else(|| typed.strip_prefix("wss://"));
    let as_http = web.map(|rest| format!("http://{rest}"));
    let url = TrackerUrl::parse(as_http.as_deref().unwrap_or(typed))
        .map_err(|error| format!("--announce: {error}"))?;
    let whole = typed.split_once("://").is_some_and(|(_, rest)| {
        let path = rest.find(['/', '?']).map_or("", |at| &rest[at..]);
        path.len() > 1 || url.scheme == Scheme::Udp || web.is_some()
    });
    Ok(if whole { typed.to_owned() } else { url.to_string() })
}

fn web_seed_url(typed: &String) -> Result<String, Failure> {
    let known = ["http://", "https://", "ftp://"].iter().any(|scheme| typed.starts_with(scheme));
    if known && typed.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(typed.clone());
    }
    let typed = printable(typed.as_bytes());
    Err(Failure::Usage(format!(
        "--web-seed: {typed}: not a URL; a web seed is http://HOST/PATH, https or ftp, with spaces \
         as %20"
    )))
}

/// The torrent's name: what was asked for, or the last name of the path, wherever it leads.
fn name(given: &ArgMatches, path: &Path) -> Result<Vec<u8>, Failure> {
    if let Some(name) = given.get_one::<OsString>("name") {
        if name.as_bytes().contains(&b'/') {
            let name = printable(name.as_bytes());
            return Err(Failure::Usage(format!("--name: {name}: a path, not a name")));
        }
        return Ok(name.as_bytes().to_vec());
    }
    // A path such as `..` has none of its own.
    let name = path.file_name().map(OsStr::to_owned).or_else(|| {
        path.canonicalize().ok().and_then(|path| path.file_name().map(OsStr::to_owned))
    });
    match name {
        Some(name) => Ok(name.into_vec()),
        None => Err(Failure::Usage(format!("{}: has no name; give it one with -n", shown(path)))),
    }
}

/// Where the torrent goes; an error if nothing can be written there, or nothing should.
fn target(given: &ArgMatches, name: &[u8], walked: &Walked) -> Result<Target, Failure> {
    let default = OsString::from_vec([name, b".torrent"].concat());
    let path = match given.get_one::<OsString>("output") {
        Some(dash) if dash == "-" => {
            if given.get_flag("json") {
                let text = "--json: standard output is the torrent's with -o -";
                return Err(Failure::Usage(text.to_owned()));
            }
            if std::io::stdout().is_terminal() {
                let text = "-o -: a torrent is no text for a terminal; pipe it on, or name a file";
                return Err(Failure::Usage(text.to_owned()));
            }
            return Ok(Target::Stdout);
        }
        Some(output) if output.is_empty() => {
            let text = "--output: empty; name a file or a folder, or - for standard output";
            return Err(Failure::Usage(text.to_owned()));
        }
        Some(output) if Path::new(output).is_dir() => Path::new(output).join(default),
        Some(output) => PathBuf::from(output),
        None => PathBuf::from(default),
    };
    let file = NewFile::at(path, given.get_flag("force")).map_err(Failure::Failed)?;
    if let Some(found) = walked.file_at(file.path()) {
        let shown = shown(&found.on_disk.path);
        return Err(Failure::Failed(format!(
            "{shown}: would be a part of itself; write the torrent elsewhere with -o, or remove \
             that file"
        )));
    }
    Ok(Target::File(file))
}

/// Says what the torrent will not have, as far as anybody would read it.
fn say_left_out(walked: &Walked) {
    for left_out in walked.left_out.iter().take(LEFT_OUT_LINES_MAX) {
        say(&format!("left out: {}: {}", shown(&left_out.path), left_out.why));
    }
    if let Some(more @ 1..) = walked.left_out.len().checked_sub(LEFT_OUT_LINES_MAX) {
        say(&format!("left out: {} more; --json lists them all", grouped(more as u64)));
    }
}

/// Puts the files into the draft, and room for the hashes of their pieces.
fn lay_out(draft: &mut Draft, walked: &Walked, path: &Path) -> Result<Vec<Span>, Failure> {
    if walked.files.is_empty() {
        return Err(Failure::Failed(format!("{}: no files in it", shown(path))));
    }
    let files = walked.files.iter().map(|found| (found.below.clone(), found.on_disk.stamp.bytes));
    draft.files = files.collect();
    let spans: Vec<Span> = walked.files.iter().map(Found::span).collect();
    let content_bytes = bytes_of(&spans);
    if draft.piece_length == 0 {
        draft.piece_length = piece_length::choose(content_bytes);
    }
    let count = pieces::count(content_bytes, draft.piece_length);
    if count > METAINFO_BYTES_MAX as u64 / 20 {
        let (count, length) = (grouped(count), bytes(draft.piece_length));
        return Err(Failure::Failed(format!(
            "{}: {count} pieces of {length} are more than a torrent file may hold; make them \
             longer with --piece-length, or several torrents",
            shown(path)
        )));
    }
    draft.pieces = vec![[0; 20]; count as usize];
    Ok(spans)
}

/// The torrent as a file, and what a reader makes of it.
fn read_back(draft: &Draft) -> Result<(Vec<u8>, Metainfo), Failure> {
    let encoded = draft.encode();
    let read = Metainfo::parse(&encoded);
    let metainfo =
        read.map_err(|error| Failure::Failed(format!("no torrent can be made of this: {error}")))?;
    Ok((encoded, metainfo))
}

/// The hashes of the pieces of files that are still what they were when the last one is hashed.
/// Told to stop, it returns what it has.
fn hash(work: &Work<'_>, walked: &Walked) -> Result<Vec<[u8; 20]>, String> {
    let count = pieces::count(bytes_of(work.spans), work.piece_bytes);
    let hashes = Mutex::new(vec![[0; 20]; count as usize]);
    let failed: Mutex<Option<String>> = Mutex::new(None);
    pieces::hash(work, &|piece, outcome| match outcome {
        Outcome::Hash(hash) => {
            hashes.lock().unwrap_or_else(PoisonError::into_inner)[piece as usize] = hash;
        }
        Outcome::Absent => unreachable!("the spans are those of files"),
        Outcome::Failed { error, .. } => {
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            work.stop.store(true, Ordering::Relaxed);
        }
    })?;
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    walked.files.iter().try_for_each(|found| found.on_disk.is_unchanged())?;
    Ok(hashes.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn not_stopped(caught: &Caught) -> Result<(), Failure> {
    match caught.signal() {
        None => Ok(()),
        Some(signal) => {
            Err(Failure::Stopped { signal, text: "stopped; nothing was written".to_owned() })
        }
    }
}

/// What is said of the finished torrent.
fn summary(given: &ArgMatches, path: &Path, torrent: &TorrentFile, walked: &Walked) -> String {
    if given.get_flag("json") {
        let mut object = torrent_json::encode(path.as_os_str(), torrent);
        let left_out = walked.left_out.iter().map(|left_out| {
            let path = left_out.path.to_string_lossy();
            json!({ "path": path, "why": left_out.why.to_string() })
        });
        object.insert("left_out".to_owned(), left_out.collect::<Value>());
        return torrent_json::line_of(object);
    }
    let metainfo = &torrent.metainfo;
    let files = counted(metainfo.files.len() as u64, "file");
    let (size, count) = (bytes(metainfo.size()), counted(metainfo.piece_count(), "piece"));
    let (length, hash) = (bytes(metainfo.piece_length), metainfo.info_hash());
    let private = if metainfo.private { ", private" } else { "" };
    let link = magnet::encode(&metainfo.magnet());
    let path = shown(path);
    let facts = format!("{path}: {files}, {size}, {count} of {length}{private}");
    format!("{facts}\nInfo hash: {hash}\nMagnet:    {link}\n")
}

/// A line to stderr, which may be gone.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::atomic::{AtomicBool, AtomicU64};

    #[test]
    fn a_file_appended_to_after_it_was_read_makes_no_torrent() {
        let name = format!("muster-create-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, vec![7; 40_000]).expect("ours");
        let walked = walk(&path, Choice::default()).expect("a file");
        let spans: Vec<Span> = walked.files.iter().map(Found::span).collect();
        let (stop, left) = (AtomicBool::new(false), AtomicU64::new(40_000));
        let append = |more| {
            if left.fetch_sub(more, Ordering::Relaxed) == more {
                fs::write(&path, vec![7; 40_001]).expect("ours");
            }
        };
        let work =
            Work { spans: &spans, piece_bytes: 16_384, threads: 1, stop: &stop, progress: &append };
        let hashed = hash(&work, &walked);
        let error = format!(
            "{}: another program changed it meanwhile; try again when nothing writes to it",
            path.display()
        );
        assert_eq!(hashed, Err(error));
        let walked = walk(&path, Choice::default()).expect("a file");
        let spans: Vec<Span> = walked.files.iter().map(Found::span).collect();
        let work = Work { spans: &spans, progress: &|_| (), ..work };
        assert_eq!(hash(&work, &walked).map(|pieces| pieces.len()), Ok(3), "left alone it does");
        fs::remove_file(path).expect("ours");
    }

    #[test]
    fn commas_part_trackers_but_not_what_stands_in_a_path_or_query() {
        for (tier, wanted) in [
            (
                "http://a.example/announce?passkey=a,b",
                &["http://a.example/announce?passkey=a,b"][..],
            ),
            (
                "http://a/x,y,udp://b:1/,c,https://d/e",
                &["http://a/x,y", "udp://b:1/,c", "https://d/e"],
            ),
            ("udp://b.example:1,c.example", &["udp://b.example:1", "c.example"]),
            ("a.example,b.example:5", &["a.example", "b.example:5"]),
            ("http://a/b?u=x,y=http://c", &["http://a/b?u=x,y=http://c"]),
            ("", &[""]),
            (",", &["", ""]),
        ] {
            assert_eq!(split_tier(tier), wanted, "{tier}");
        }
    }

    #[test]
    fn what_is_left_out_of_a_tracker_is_written_and_a_fragment_is_not() {
        for (typed, wanted) in [
            ("a.example:6969", "http://a.example:6969/announce"),
            ("http://a.example:6969", "http://a.example:6969/announce"),
            ("http://a.example/", "http://a.example/announce"),
            ("https://a.example#top", "https://a.example/announce"),
            ("http://a.example/announce?k=1#top", "http://a.example/announce?k=1"),
            ("HTTP://A.example:80/announce", "HTTP://A.example:80/announce"),
            ("http://a.example?k=1", "http://a.example?k=1"),
            ("udp://a.example:1", "udp://a.example:1"),
            ("wss://a.example", "wss://a.example"),
        ] {
            assert_eq!(announce_url(typed).as_deref(), Ok(wanted), "{typed}");
        }
    }
}
