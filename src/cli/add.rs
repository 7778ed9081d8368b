//! `muster add FILE|DIR...`: registers torrents with a tracker, as the original's
//! `add_torrent_info.py` does.
//!
//! Several at a time, each by itself: what fails is named and costs the others nothing. A line for
//! each torrent goes to stdout as it is done, whatever went wrong to stderr; a bar is drawn over
//! them on a terminal alone. Which files are meant is `gather`'s business, one torrent's way to the
//! tracker that of `register`.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use clap::builder::{Command, OsStringValueParser};
use clap::{Arg, ArgAction, ArgMatches, ValueHint, value_parser};
use serde_json::{Map, Value, json};

use super::gather::gather;
use super::operator_page::{timeout_argument, token, token_argument, tracker};
use super::progress::Progress;
use super::register::{Outcome, Registrar, registration};
use super::size::{bytes, counted};
use super::torrent_file::{read, shown};
use super::torrent_json::{line_of, put_text};
use super::{Failure, Variables, complain, print};
use crate::client::http::Caller;
use crate::client::{AddressFamily, Settings};
use crate::clock::Clock;
use crate::limits::{
    ADD_FAILED_NAMES_MAX, ADD_JOBS_DEFAULT, ADD_JOBS_RANGE, ADD_RETRY_DELAY_SECONDS_DEFAULT,
    ADD_RETRY_DELAY_SECONDS_RANGE, ADD_TIMEOUT_SECONDS_DEFAULT, ADD_TRIES_DEFAULT, ADD_TRIES_RANGE,
    CLIENT_REPLY_BYTES_MAX,
};
use crate::printable::printable;
use crate::registration::Registration;
use crate::request::InfoHash;

/// The tracker of whoever names none.
const TRACKER_DEFAULT: &str = "http://localhost:6969";

/// What stands below the arguments of `--help`.
const MORE: &str = "\
Examples:
  muster add film.torrent                          with the tracker on this host
  muster add ~/torrents                            all .torrent files below that folder
  muster add -t https://tracker.example.org --token-file token *.torrent
  muster add --json ~/torrents | jq -r 'select(.result == \"failed\").file'

The tracker keeps name, size, piece length, comment, maker and date of each, and shows them in its
stats. On the tracker's own host no token is needed. From elsewhere one is, and over http
everybody on the way can read it: use https, or SSH to the host.

Tried again is what may pass: no connection, one that broke off, a status from 500 on. The pauses
double, and are up to half as long again at random. Once a torrent has used up its tries, the
others try once each until the tracker answers again.

Exit code 1 when anything failed; it is named, and the others are registered.";

/// The command and its arguments.
pub(super) fn command() -> Command {
    let paths = Arg::new("paths")
        .value_name("FILE|DIR")
        .required(true)
        .num_args(1..)
        .value_parser(OsStringValueParser::new())
        .value_hint(ValueHint::AnyPath)
        .help("Torrent files, and folders of them at any depth; - is standard input");
    let url = Arg::new("tracker")
        .short('t')
        .long("tracker")
        .value_name("URL")
        .value_hint(ValueHint::Url)
        .help(format!("The tracker, or its announce URL [default: {TRACKER_DEFAULT}]"));
    Command::new("add")
        .about("Register torrents with a tracker: their names, sizes and the rest")
        .after_help(MORE)
        .arg(paths)
        .arg(url)
        .arg(token_argument())
        .args(numbers())
        .arg(timeout_argument(ADD_TIMEOUT_SECONDS_DEFAULT))
        .arg(
            Arg::new("exact")
                .long("exact")
                .action(ArgAction::SetTrue)
                .help("Register as new what the tracker would take for a similar torrent"),
        )
        .arg(
            Arg::new("json").long("json").action(ArgAction::SetTrue).help(
                "Print JSON: one line for each file, no summary; file_hex has a name not UTF-8",
            ),
        )
}

/// The arguments that are numbers, but for the timeout.
fn numbers() -> [Arg; 3] {
    let number = |name: &'static str, value: &'static str, (least, most): (u32, u32)| {
        let range = i64::from(least)..=i64::from(most);
        Arg::new(name).long(name).value_name(value).value_parser(value_parser!(u32).range(range))
    };
    [
        number("tries", "COUNT", ADD_TRIES_RANGE)
            .help(format!("Try each torrent so often [default: {ADD_TRIES_DEFAULT}]")),
        number("retry-delay", "SECONDS", ADD_RETRY_DELAY_SECONDS_RANGE).help(format!(
            "Wait so long before the second try [default: {ADD_RETRY_DELAY_SECONDS_DEFAULT}]"
        )),
        number("jobs", "COUNT", ADD_JOBS_RANGE)
            .short('j')
            .help(format!("Register so many at once [default: {ADD_JOBS_DEFAULT}]")),
    ]
}

/// A torrent as the tracker has been told of it.
struct Told {
    info_hash: InfoHash,
    registration: Registration,
    /// The text that was too long to be told whole, if one was.
    cut: Option<String>,
}

/// Registers the torrents.
pub(super) fn run(given: &ArgMatches, variables: &Variables) -> Result<(), Failure> {
    let registrar = registrar(given, variables)?;
    let gathered = gather(given.get_many::<OsString>("paths").into_iter().flatten());
    let run = Run {
        json: given.get_flag("json"),
        registrar,
        bar: Progress::of_count(gathered.torrents.len() as u64, "torrents"),
        counts: Mutex::default(),
    };
    for path in &gathered.skipped {
        run.say(path.as_os_str(), "skipped", &json!({}), ": not a .torrent file");
    }
    for unread in &gathered.failed {
        run.fail(unread.path.as_os_str(), &unread.error);
    }
    let jobs = given.get_one("jobs").copied().unwrap_or(ADD_JOBS_DEFAULT) as usize;
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(gathered.torrents.len()) {
            scope.spawn(|| {
                while let Some(path) = gathered.torrents.get(next.fetch_add(1, Ordering::Relaxed)) {
                    run.add(path);
                    run.bar.advance(1);
                }
            });
        }
    });
    run.end()
}

/// The tracker as the arguments name it.
fn registrar(given: &ArgMatches, variables: &Variables) -> Result<Registrar, Failure> {
    let typed = given.get_one::<String>("tracker").map_or(TRACKER_DEFAULT, String::as_str);
    let url = tracker(typed)?.page("add_torrent_info");
    let number = |name, default: u32| given.get_one(name).copied().unwrap_or(default);
    let seconds = |name, default| Duration::from_secs(number(name, default).into());
    let settings = Settings {
        timeout: seconds("timeout", ADD_TIMEOUT_SECONDS_DEFAULT),
        family: AddressFamily::Any,
        reply_bytes_max: CLIENT_REPLY_BYTES_MAX,
    };
    Ok(Registrar {
        caller: Caller::new(&url, settings).map_err(|failure| Failure::Failed(failure.text))?,
        url,
        token: token(given, variables)?,
        exact: given.get_flag("exact"),
        tries: number("tries", ADD_TRIES_DEFAULT),
        retry_delay: seconds("retry-delay", ADD_RETRY_DELAY_SECONDS_DEFAULT),
        lost: AtomicBool::new(false),
        clock: Clock::new(),
    })
}

/// What came of it so far.
#[derive(Default)]
struct Counts {
    new: u64,
    updated: u64,
    similar: u64,
    unsaid: u64,
    skipped: u64,
    /// Names as they may be shown.
    failed: Vec<String>,
}

/// A run over many torrents.
struct Run {
    json: bool,
    registrar: Registrar,
    bar: Progress,
    counts: Mutex<Counts>,
}

impl Run {
    /// Registers the torrent of one file and says what came of it.
    fn add(&self, path: &OsStr) {
        let torrent = match read(path) {
            Ok(torrent) => torrent.metainfo,
            Err(error) => return self.fail(path, &error),
        };
        let (registration, cut) = registration(&torrent);
        let told = Told { info_hash: torrent.info_hash(), registration, cut };
        let name = shown(path);
        let again = |line: &str| self.complain(&format!("{name}: {line}"));
        match self.registrar.register(&told.info_hash, &told.registration, again) {
            Ok(outcome) => self.done(path, &told, outcome),
            Err(error) => self.fail(path, &format!("{name}: {error}")),
        }
    }

    /// Says that a torrent is registered.
    fn done(&self, path: &OsStr, told: &Told, outcome: Outcome) {
        let name = printable(told.registration.name.as_bytes());
        let size = bytes(told.registration.size);
        // A write to a String cannot fail, here and below.
        let hash = told.info_hash;
        let mut text = format!(": {name}, {size}, {hash}");
        let mut fields = json!({
            "info_hash": hash.to_string(),
            "name": told.registration.name,
            "size": told.registration.size,
        });
        if let Outcome::Similar(known) = outcome {
            let _ = write!(
                text,
                "; taken for {known}, which the tracker knew; --exact registers it as it is"
            );
            fields["registered_as"] = known.to_string().into();
        }
        if let Some(cut) = &told.cut {
            let _ = write!(text, "; cut: {cut}");
            fields["cut"] = cut.clone().into();
        }
        self.say(path, outcome.name(), &fields, &text);
    }

    /// Says what came of a file on stdout, and counts it.
    fn say(&self, path: &OsStr, result: &str, fields: &Value, text: &str) {
        let mut counts = self.counts.lock().expect("no thread panics with this lock");
        match result {
            "new" => counts.new += 1,
            "updated" => counts.updated += 1,
            "similar" => counts.similar += 1,
            "skipped" => counts.skipped += 1,
            _ => counts.unsaid += 1,
        }
        let line = if self.json {
            json_line(path, result, fields)
        } else {
            format!("{result:<8} {}{text}\n", shown(path))
        };
        // Nobody reads stdout any more: the torrents are registered all the same.
        let _ = self.bar.aside(|| print(&line));
    }

    /// Says that a file failed, and remembers it; the line names the file.
    fn fail(&self, path: &OsStr, line: &str) {
        let mut counts = self.counts.lock().expect("no thread panics with this lock");
        counts.failed.push(shown(path));
        self.complain(line);
        if self.json {
            let line = json_line(path, "failed", &json!({ "error": line }));
            let _ = self.bar.aside(|| print(&line));
        }
    }

    /// Writes a line to stderr.
    fn complain(&self, line: &str) {
        self.bar.aside(|| complain(line));
    }

    /// Sums up.
    fn end(self) -> Result<(), Failure> {
        let Run { json, registrar, bar, counts } = self;
        drop(bar);
        let counts = counts.into_inner().expect("no thread panics with this lock");
        let Counts { new, updated, similar, unsaid, skipped, failed } = counts;
        let registered = new + updated + similar + unsaid;
        if !json {
            let kinds = [(new, "new"), (updated, "updated"), (similar, "taken for similar ones")];
            let kinds = kinds.iter().filter(|(count, _)| *count > 0);
            let kinds: Vec<_> = kinds.map(|(count, what)| format!("{count} {what}")).collect();
            let mut text = counted(registered, "torrent");
            let _ = write!(text, " registered with {}", registrar.url.authority());
            if !kinds.is_empty() {
                let _ = write!(text, " ({})", kinds.join(", "));
            }
            if skipped > 0 {
                let _ = write!(text, ", {} skipped", counted(skipped, "other file"));
            }
            print(&format!("{text}\n"))?;
        }
        if failed.is_empty() && registered == 0 {
            return Err(Failure::Failed("no .torrent file among these".to_owned()));
        }
        if failed.is_empty() {
            return Ok(());
        }
        let named = failed.iter().take(ADD_FAILED_NAMES_MAX).cloned().collect::<Vec<_>>();
        let more = match failed.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let named = named.join(", ");
        Err(Failure::Failed(format!("{} failed: {named}{more}", failed.len())))
    }
}

/// A line for programs.
fn json_line(path: &OsStr, result: &str, fields: &Value) -> String {
    let mut line = Map::new();
    put_text(&mut line, "file", Some(path.as_bytes()));
    line.insert("result".to_owned(), result.into());
    line.extend(fields.as_object().cloned().unwrap_or_default());
    line_of(line)
}
