//! What `announce` and `scrape` have in common: which tracker, which torrents, how they are asked,
//! and how the answer is shown.
//!
//! A torrent is named by its hash, its file or a magnet link; the latter two may name the tracker
//! too. Nothing that a tracker sends reaches the terminal but printable text.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches};

use super::operator_page::timeout_argument;
use super::{Failure, print_bytes, torrent_file};
use crate::client::answer::{Answer, Refusal};
use crate::client::faults::Faults;
use crate::client::tracker_url::TrackerUrl;
use crate::client::{self, AddressFamily, Settings, Told};
use crate::hash_text::parse_info_hash;
use crate::limits::{CLIENT_REPLY_BYTES_MAX, CLIENT_TIMEOUT_SECONDS_DEFAULT};
use crate::metainfo::magnet;
use crate::request::{InfoHash, quoted};

/// A torrent as somebody has named it.
pub(super) struct Torrent {
    pub(super) info_hash: InfoHash,
    /// The trackers it names, the best first; none if all there is of it is a hash.
    trackers: Vec<String>,
}

/// The arguments that say how to ask and how to show the answer.
pub(super) fn arguments() -> [Arg; 5] {
    let flag = |name: &'static str| Arg::new(name).action(ArgAction::SetTrue);
    [
        timeout_argument(CLIENT_TIMEOUT_SECONDS_DEFAULT).help(format!(
            "Give up after so long [default: {CLIENT_TIMEOUT_SECONDS_DEFAULT}]; over UDP, a packet \
             is sent again after a fifteenth of it, then after twice as long each time"
        )),
        flag("ipv4").short('4').long("ipv4").help("Ask over IPv4 alone").conflicts_with("ipv6"),
        flag("ipv6").short('6').long("ipv6").help("Ask over IPv6 alone"),
        flag("json").long("json").help("Print JSON for programs, faults included"),
        flag("raw")
            .long("raw")
            .help("Print the reply's bytes as they came, for muster decode and others")
            .conflicts_with("json"),
    ]
}

/// How the arguments say to ask.
pub(super) fn settings(given: &ArgMatches) -> Settings {
    let seconds = given.get_one("timeout").copied().unwrap_or(CLIENT_TIMEOUT_SECONDS_DEFAULT);
    Settings {
        timeout: Duration::from_secs(seconds.into()),
        family: match (given.get_flag("ipv4"), given.get_flag("ipv6")) {
            (true, _) => AddressFamily::V4,
            (_, true) => AddressFamily::V6,
            _ => AddressFamily::Any,
        },
        reply_bytes_max: CLIENT_REPLY_BYTES_MAX,
    }
}

/// The tracker and the torrents that the words name: a URL first, unless the torrents say where.
pub(super) fn parse_words(words: &[OsString]) -> Result<(TrackerUrl, Vec<Torrent>), Failure> {
    let (url, rest) = match words {
        [first, rest @ ..] if !names_torrent(first) => (Some(first), rest),
        all => (None, all),
    };
    let torrents = rest.iter().map(|word| parse_torrent(word));
    let torrents = torrents.collect::<Result<Vec<_>, _>>().map_err(Failure::Usage)?;
    let url = match url {
        Some(url) => TrackerUrl::parse(&url.to_string_lossy()).map_err(Failure::Usage)?,
        None => common_tracker(&torrents).map_err(Failure::Usage)?,
    };
    Ok((url, torrents))
}

/// Whether a word names a torrent, and not a tracker.
fn names_torrent(word: &OsStr) -> bool {
    let text = word.to_string_lossy();
    is_magnet(&text) || is_path(word) || (parse_info_hash(&text).is_some() && !text.contains("://"))
}

/// Whether a word is a file, or cannot have been meant as anything else: no host is called
/// `film.torrent`, and to ask for one would only hide that the file is missing.
fn is_path(word: &OsStr) -> bool {
    let text = word.to_string_lossy();
    let suffix = Path::new(word).extension();
    let looks_like_one = text.starts_with(['.', '/'])
        || suffix.is_some_and(|end| end.eq_ignore_ascii_case("torrent"));
    word == "-" || Path::new(word).is_file() || (looks_like_one && !text.contains("://"))
}

fn is_magnet(text: &str) -> bool {
    text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("magnet:"))
}

/// The torrent that a word names. A file wins over a hash: 20 characters of a file's name could be
/// the 20 bytes of one.
fn parse_torrent(word: &OsStr) -> Result<Torrent, String> {
    let text = word.to_string_lossy();
    if is_magnet(&text) {
        let magnet = magnet::parse(&text)?;
        let info_hash = magnet
            .info_hash()
            .ok_or_else(|| format!("{}: a magnet link without a hash", quoted(text.as_bytes())))?;
        return Ok(Torrent { info_hash, trackers: magnet.trackers });
    }
    if is_path(word) {
        let metainfo = torrent_file::read(word)?.metainfo;
        let trackers = metainfo.tiers.concat();
        return Ok(Torrent { info_hash: metainfo.info_hash(), trackers });
    }
    match parse_info_hash(&text) {
        Some(info_hash) => Ok(Torrent { info_hash, trackers: Vec::new() }),
        None => Err(format!(
            "{}: neither a torrent file, nor a magnet link, nor a hash (40 hex digits)",
            quoted(text.as_bytes())
        )),
    }
}

/// The tracker that all these torrents name first.
fn common_tracker(torrents: &[Torrent]) -> Result<TrackerUrl, String> {
    let mut common: Option<TrackerUrl> = None;
    for torrent in torrents {
        let known = torrent.trackers.iter().find_map(|text| TrackerUrl::parse(text).ok());
        let url = known
            .ok_or_else(|| format!("{} names no tracker; give its URL first", torrent.info_hash))?;
        match &common {
            Some(other) if *other != url => {
                return Err(format!(
                    "the torrents name different trackers, {other} and {url}; give a URL first"
                ));
            }
            _ => common = Some(url),
        }
    }
    common.ok_or_else(|| "no tracker and no torrent".to_owned())
}

/// Prints what came as it came, in JSON or in words, and fails if it is no answer or nothing came.
pub(super) fn show(
    given: &ArgMatches,
    url: &TrackerUrl,
    told: &Result<Told, client::Failure>,
    json: impl FnOnce(&Answer) -> serde_json::Value,
    words: impl FnOnce(&Answer) -> String,
) -> Result<(), Failure> {
    let start = format!("{url}: ");
    let (raw, answer, faults) = match told {
        Ok(told) => {
            (told.raw.as_slice(), told.answer.as_ref().map_err(String::as_str), &told.faults)
        }
        Err(failure) => (&[][..], Err(failure.text.as_str()), &failure.faults),
    };
    let answer = answer.map_err(|error| error.strip_prefix(&start).unwrap_or(error));
    if given.get_flag("raw") {
        print_bytes(raw)?;
    } else if given.get_flag("json") {
        let mut value = match answer {
            Ok(answer) => json(answer),
            Err(error) => serde_json::json!({ "error": error }),
        };
        value["url"] = url.to_string().into();
        value["faults"] = faults.lines().into();
        print_bytes(format!("{value:#}\n").as_bytes())?;
    } else {
        let shown = answer.ok().filter(|answer| !matches!(answer, Answer::Refused(_))).map(words);
        let faults = faults_in_words(faults);
        let gap = if shown.is_some() && !faults.is_empty() { "\n" } else { "" };
        let text = format!("{}{gap}{faults}", shown.unwrap_or_default());
        print_bytes(text.as_bytes())?;
    }
    match (answer, told) {
        (Ok(Answer::Refused(refusal)), _) => Err(Failure::Failed(refused(url, refusal))),
        (Ok(_), _) => Ok(()),
        // It names the URL that was really asked, which a scrape's may not be.
        (Err(_), Err(failure)) => Err(Failure::Failed(failure.text.clone())),
        (Err(error), Ok(_)) => Err(Failure::Failed(format!("{url}: {error}"))),
    }
}

/// A refusal as JSON.
pub(super) fn refusal_json(refusal: &Refusal) -> serde_json::Value {
    serde_json::json!({ "refused": refusal.reason, "retry_in": refusal.retry_in })
}

fn refused(url: &TrackerUrl, refusal: &Refusal) -> String {
    let retry = match refusal.retry_in.as_deref() {
        None => String::new(),
        Some("never") => "; asking again is no use".to_owned(),
        Some(time) => format!("; ask again in {time}"),
    };
    match refusal.reason.as_str() {
        "" => format!("{url}: refused without a word of why{retry}"),
        reason => format!("{url}: refused: {reason}{retry}"),
    }
}

fn faults_in_words(faults: &Faults) -> String {
    let lines = faults.lines();
    if lines.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = lines.iter().map(|line| format!("  {line}\n")).collect();
    format!("Faults of the reply:\n{}", lines.concat())
}

/// A number that may not have been told.
pub(super) fn number(count: Option<i64>) -> String {
    count.map_or("not told".to_owned(), |count| count.to_string())
}

/// Lines of labels and values, the values below one another.
pub(super) fn column(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    let lines = lines.iter().map(|(label, value)| format!("{label:width$}  {value}\n"));
    lines.collect::<Vec<_>>().concat()
}

/// Seconds as people say them: `15 min 32 s`.
pub(super) fn duration(seconds: i64) -> String {
    let Ok(left @ 60..) = u64::try_from(seconds) else { return format!("{seconds} s") };
    let parts = [(left / 3600, "h"), (left / 60 % 60, "min"), (left % 60, "s")];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    parts.map(|(count, unit)| format!("{count} {unit}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_told_in_hours_minutes_and_the_rest() {
        for (seconds, wanted) in [
            (-5, "-5 s"),
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (932, "15 min 32 s"),
            (3600, "1 h"),
            (86_401, "24 h 1 s"),
            (i64::MAX, "2562047788015215 h 30 min 7 s"),
        ] {
            assert_eq!(duration(seconds), wanted, "{seconds}");
        }
    }

    fn words(words: &[&str]) -> Result<(String, Vec<String>), String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let (url, torrents) = match parse_words(&words) {
            Ok(found) => found,
            Err(failure) => {
                let Failure::Usage(text) = failure else { panic!("wrong usage") };
                return Err(text);
            }
        };
        let hashes = torrents.iter().map(|torrent| torrent.info_hash.to_string());
        Ok((url.to_string(), hashes.collect()))
    }

    /// The name of a missing file was looked up as a tracker's.
    #[test]
    fn a_word_that_looks_like_a_file_is_no_tracker() {
        for given in [
            &["nowhere/film.torrent"][..],
            &["nowhere/FILM.Torrent"],
            &["./nowhere", "x"],
            &["../nowhere/a"],
            &["/nowhere/a", "x"],
            &["a.example", "nowhere.torrent"],
        ] {
            let path = given.iter().find(|word| **word != "a.example").expect("a path");
            let wanted = format!("{path}: No such file or directory (os error 2)");
            assert_eq!(words(given), Err(wanted));
        }
        let found = Ok(("http://a.example/x.torrent".to_owned(), vec![]));
        assert_eq!(words(&["http://a.example/x.torrent"]), found);
    }

    #[test]
    fn the_first_word_is_the_tracker_unless_the_torrents_name_one() {
        let hash = "d1101a2b9d202811a05e8c57c557a20bf974dc8a";
        let magnet = format!("magnet:?xt=urn:btih:{hash}&tr=wss://a.example&tr=udp://a.example:1");
        let found = |url: &str| Ok((url.to_owned(), vec![hash.to_owned()]));
        assert_eq!(words(&["a.example", hash]), found("http://a.example:6969/announce"));
        assert_eq!(words(&["a.example:1", &magnet]), found("http://a.example:1/announce"));
        assert_eq!(words(&[&magnet]), found("udp://a.example:1"));
        let second = format!("{magnet}&tr=udp://b.example:2");
        assert_eq!(words(&[&second]), found("udp://a.example:1"), "the first that it names");
        assert_eq!(words(&["http://a.example"]), Ok(("http://a.example/announce".into(), vec![])));
        let twenty = "a-tracker.example:80";
        assert_eq!(twenty.len(), 20);
        for (given, wanted) in [
            (&[hash][..], format!("{hash} names no tracker; give its URL first")),
            (
                &["a.example", "d1101a2b"],
                "\"d1101a2b\": neither a torrent file, nor a magnet link, nor a hash (40 hex \
                 digits)"
                    .to_owned(),
            ),
            (
                &[&magnet, "magnet:?xt=urn:btih:2EIBUK45EAUBDIC6RRL4KV5CBP4XJXEK&tr=http://b"],
                "the torrents name different trackers, udp://a.example:1 and http://b/announce; \
                 give a URL first"
                    .to_owned(),
            ),
            (
                &["a.example", "magnet:?dn=x"],
                "\"magnet:?dn=x\": no xt=urn:btih: or xt=urn:btmh:1220".into(),
            ),
        ] {
            assert_eq!(words(given), Err(wanted), "{given:?}");
        }
    }
}
