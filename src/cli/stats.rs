//! `muster stats [URL]`: what a tracker knows, the busiest torrents first; once, or watched.
//!
//! The operator sees torrents, read from `/stats` a few thousand at a time; others are shown
//! totals, and told how to see more. Watched on a terminal it is a picture that changes, until q or
//! Ctrl-C; elsewhere it is printed each time. A tracker that goes away meanwhile is waited for. It
//! is asked on a thread of its own, so that keys and signals count while it takes its time.

use std::collections::BTreeMap;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::mpsc::{self, TryRecvError};
use std::time::Duration;

use clap::builder::Command;
use clap::{Arg, ArgAction, ArgMatches, ValueHint, value_parser};

use super::operator_page::{refusal, timeout_argument, token, token_argument, tracker};
use super::screen::{CTRL_Z, Screen, size};
use super::stats_table::{Page, Row, Totals, encode_json, in_words, parse_page, sort, sum, table};
use super::{Failure, Variables, complain, print};
use crate::client::http::Caller;
use crate::client::tracker_url::TrackerUrl;
use crate::client::{AddressFamily, Settings};
use crate::clock::Clock;
use crate::limits::{
    CLIENT_TIMEOUT_SECONDS_DEFAULT, STATS_ANSWER_WAIT_MILLIS, STATS_KEY_WAIT_MILLIS,
    STATS_PAGE_TORRENTS, STATS_REPLY_BYTES_MAX, STATS_TIMEOUTS_MAX, STATS_TORRENTS_MAX,
    STATS_WATCH_SECONDS_DEFAULT, STATS_WATCH_SECONDS_RANGE,
};
use crate::request::quoted;
use crate::signals::{self, Caught};
use crate::token::Token;

/// The tracker of whoever names none.
const TRACKER_DEFAULT: &str = "http://localhost:6969";

/// What strangers are told.
const STRANGER: &str = "\
The torrents are shown to the operator alone: ask on the tracker's own host, or give the token with
--token-file FILE or in MUSTER_TOKEN.";

/// What stands below the arguments of `--help`.
const MORE: &str = "\
Examples:
  muster stats                             the tracker on this host
  muster stats --watch                     again every 2 seconds, until q or Ctrl-C
  muster stats --limit 10 --token-file token https://tracker.example.org
  muster stats --json | jq -r '.torrents[] | select(.seeders == 0).name'

A torrent has the name it was registered with (muster add), else its hash. The busiest stand first:
those with most seeders and leechers. On the tracker's own host no token is needed; without one
others see totals. Over http everybody on the way can read a token: use https, or SSH to the host.";

/// The command and its arguments.
pub(super) fn command() -> Command {
    let url = Arg::new("url")
        .value_name("URL")
        .value_hint(ValueHint::Url)
        .help(format!("The tracker, or its announce URL [default: {TRACKER_DEFAULT}]"));
    let watch = Arg::new("watch").short('w').long("watch").value_name("SECONDS").num_args(0..=1);
    let watch = watch.default_missing_value("").help(format!(
        "Show it again every so many seconds [default: {STATS_WATCH_SECONDS_DEFAULT}]"
    ));
    let limit = Arg::new("limit")
        .short('n')
        .long("limit")
        .value_name("COUNT")
        .value_parser(value_parser!(usize))
        .help("Show so many torrents at most; the totals are of all [default: all]");
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue);
    Command::new("stats")
        .about("Show what a tracker knows: its torrents, the busiest first")
        .after_help(MORE)
        .arg(url)
        .arg(watch)
        .arg(limit)
        .arg(json.help("Print JSON: one line each time"))
        .arg(token_argument())
        .arg(timeout_argument(CLIENT_TIMEOUT_SECONDS_DEFAULT))
}

/// A tracker, how it is asked, and how much of it is shown.
struct Viewer {
    caller: Caller,
    url: TrackerUrl,
    token: Option<Token>,
    json: bool,
    limit: usize,
    /// All pages together have so long.
    patience: Duration,
    clock: Clock,
}

/// What the tracker shows us.
enum Seen {
    Torrents(Vec<Row>),
    Totals(Totals),
}

/// Shows it.
pub(super) fn run(given: &ArgMatches, variables: &Variables) -> Result<(), Failure> {
    let (typed, watch) = words(given).map_err(Failure::Usage)?;
    let viewer = viewer(given, variables, typed)?;
    // Whatever is to be watched has to be there to begin with.
    let first = viewer.ask().map_err(Failure::Failed)?;
    match watch {
        None => print(&viewer.shown(&first, size().map(|(columns, _)| columns))),
        Some(pause) => Arc::new(viewer).watch(first, pause),
    }
}

/// Whoever looks at the tracker of this URL as the arguments say.
fn viewer(given: &ArgMatches, variables: &Variables, typed: &str) -> Result<Viewer, Failure> {
    let url = tracker(typed)?;
    let timeout = given.get_one("timeout").copied().unwrap_or(CLIENT_TIMEOUT_SECONDS_DEFAULT);
    let settings = Settings {
        timeout: Duration::from_secs(timeout.into()),
        family: AddressFamily::Any,
        reply_bytes_max: STATS_REPLY_BYTES_MAX,
    };
    Ok(Viewer {
        caller: Caller::new(&url, settings).map_err(|failure| Failure::Failed(failure.text))?,
        url: url.page("stats"),
        token: token(given, variables)?,
        json: given.get_flag("json"),
        limit: given.get_one("limit").copied().unwrap_or(usize::MAX),
        patience: Duration::from_secs(STATS_TIMEOUTS_MAX * u64::from(timeout)),
        clock: Clock::new(),
    })
}

/// The tracker's URL, and the pause between two looks if it is to be watched. What stands behind
/// `--watch` may be either.
fn words(given: &ArgMatches) -> Result<(&str, Option<Duration>), String> {
    let url = given.get_one::<String>("url").map(String::as_str);
    let typed = url.unwrap_or(TRACKER_DEFAULT);
    let default = STATS_WATCH_SECONDS_DEFAULT;
    let (word, seconds) = match given.get_one::<String>("watch").map(String::as_str) {
        None => return Ok((typed, None)),
        Some("") => (typed, Ok(default)),
        Some(word) => match word.parse() {
            // A host, or a URL; what begins as a number was to be one.
            Err(_)
                if url.is_none()
                    && (word.contains([':', '.'])
                        || word.starts_with(|first: char| first.is_ascii_alphabetic())) =>
            {
                (word, Ok(default))
            }
            seconds => (typed, seconds.map_err(|_| word)),
        },
    };
    let (least, most) = STATS_WATCH_SECONDS_RANGE;
    match seconds {
        Ok(seconds) if (least..=most).contains(&seconds) => {
            Ok((word, Some(Duration::from_secs(seconds.into()))))
        }
        other => {
            let typed = other.map_or_else(str::to_owned, |seconds: u32| seconds.to_string());
            let shown = quoted(typed.as_bytes());
            Err(format!("--watch: {shown}: expected seconds from {least} to {most}"))
        }
    }
}

impl Viewer {
    /// Asks the tracker, page by page. A torrent that comes or goes meanwhile may be missing.
    fn ask(&self) -> Result<Seen, String> {
        let url = &self.url;
        let until = self.clock.millis() + self.patience.as_millis() as u64;
        let mut torrents = BTreeMap::new();
        for page in 0usize.. {
            let more = match self.page(page * STATS_PAGE_TORRENTS)? {
                Page::Totals(totals) => return Ok(Seen::Totals(totals)),
                Page::Torrents(more) => more,
            };
            let (before, count) = (torrents.len(), more.len());
            torrents.extend(more);
            // Whoever does not heed what was asked for would be asked for ever.
            if count > STATS_PAGE_TORRENTS || (count > 0 && torrents.len() == before) {
                return Err(format!(
                    "{url}: answered with other torrents than were asked for; is it a muster?"
                ));
            }
            if torrents.len() > STATS_TORRENTS_MAX {
                return Err(format!(
                    "{url}: more than {STATS_TORRENTS_MAX} torrents, which is more than is shown"
                ));
            }
            if count < STATS_PAGE_TORRENTS {
                break;
            }
            if self.clock.millis() >= until {
                return Err(format!(
                    "{url}: {} torrents after {} s and still more; give it longer with --timeout",
                    torrents.len(),
                    self.patience.as_secs()
                ));
            }
        }
        let mut rows: Vec<Row> = torrents.into_values().collect();
        sort(&mut rows);
        Ok(Seen::Torrents(rows))
    }

    /// Asks for one page.
    fn page(&self, offset: usize) -> Result<Page, String> {
        let authorization = self.token.as_ref().map(Token::authorization);
        let headers = authorization.as_deref().map(|shown| ("Authorization", shown));
        let query = format!("peers=0&limit={STATS_PAGE_TORRENTS}&offset={offset}");
        let reply = self.caller.get(&self.url.with_query(&query), headers.as_slice());
        // What was asked for on that page is not what anybody has typed.
        let reply = reply.map_err(|failure| failure.text.replace(&format!("?{query}"), ""))?;
        if reply.status != 200 {
            return Err(refusal(&self.url, &reply, self.token.is_some()));
        }
        parse_page(&reply.body).ok_or_else(|| {
            let url = &self.url;
            format!("{url}: answered, but not as muster shows its stats; is it a muster?")
        })
    }

    /// It as text, in so many columns if that is said.
    fn shown(&self, seen: &Seen, width: Option<usize>) -> String {
        let url = self.url.to_string();
        match seen {
            Seen::Torrents(rows) if self.json => {
                encode_json(&url, Some(rows), sum(rows), self.limit)
            }
            Seen::Totals(totals) if self.json => encode_json(&url, None, *totals, self.limit),
            Seen::Torrents(rows) => table(rows, self.limit, width),
            Seen::Totals(totals) => format!("{}\n{STRANGER}\n", in_words(*totals)),
        }
    }

    /// Shows it again and again.
    fn watch(self: Arc<Viewer>, first: Seen, pause: Duration) -> Result<(), Failure> {
        let caught = signals::catch().map_err(Failure::Failed)?;
        let screen = (!self.json && std::io::stdout().is_terminal()).then(Screen::open);
        let mut seen = Ok(first);
        loop {
            let written = match &screen {
                Some(screen) => screen.draw(&self.picture(&seen, pause)),
                None => self.print_block(&seen),
            };
            match written {
                // Whoever read it has gone.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                Err(error) => return Err(Failure::Failed(format!("standard output: {error}"))),
                Ok(()) => {}
            }
            let until = self.clock.millis() + pause.as_millis() as u64;
            while self.clock.millis() < until {
                let left = until.saturating_sub(self.clock.millis()).min(STATS_KEY_WAIT_MILLIS);
                if self.is_ended(&caught, screen.as_ref(), left) {
                    return Ok(());
                }
            }
            let (told, answer) = mpsc::channel();
            let viewer = Arc::clone(&self);
            // Left behind if nobody waits for the answer any more, and gone with the process.
            std::thread::spawn(move || told.send(viewer.ask()));
            seen = loop {
                match answer.try_recv() {
                    Ok(seen) => break seen,
                    Err(TryRecvError::Disconnected) => break Err("no answer".to_owned()),
                    Err(TryRecvError::Empty) => {}
                }
                if self.is_ended(&caught, screen.as_ref(), STATS_ANSWER_WAIT_MILLIS) {
                    return Ok(());
                }
            };
        }
    }

    /// Waits so many milliseconds for a key or a signal, and says whether either ends it.
    fn is_ended(&self, caught: &Caught, screen: Option<&Screen>, millis: u64) -> bool {
        let ended = || caught.signal().is_some();
        let key = screen.and_then(|screen| screen.key(Duration::from_millis(millis)));
        if screen.is_none() {
            self.clock.wait(self.clock.millis() + millis, ended);
        }
        if let (Some(screen), Some(CTRL_Z)) = (screen, key) {
            screen.suspend();
        }
        ended() || matches!(key, Some(b'q' | b'Q'))
    }

    /// What a terminal shows: as many torrents as it has rows for.
    fn picture(&self, seen: &Result<Seen, String>, pause: Duration) -> String {
        let (columns, rows) = size().unwrap_or((80, 24));
        let foot = format!("{}, every {} s; q ends", self.url, pause.as_secs());
        let text = match seen {
            Ok(Seen::Torrents(torrents)) => {
                // The heads, what is left out, the totals, a line, the foot.
                let room = rows.saturating_sub(5).max(1);
                table(torrents, self.limit.min(room), Some(columns))
            }
            Ok(seen) => self.shown(seen, Some(columns)),
            Err(error) => format!("{error}\n"),
        };
        format!("{text}\n{foot}")
    }

    /// Prints it with an empty line below; an error goes to stderr.
    fn print_block(&self, seen: &Result<Seen, String>) -> std::io::Result<()> {
        let text = match seen {
            Ok(seen) => self.shown(seen, None),
            Err(error) => {
                complain(error);
                return Ok(());
            }
        };
        let gap = if self.json { "" } else { "\n" };
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(format!("{text}{gap}").as_bytes())?;
        stdout.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn what_stands_behind_watch_is_a_number_or_a_tracker() {
        for (word, url, seconds) in [
            ("7", "http://localhost:6969", 7),
            ("localhost", "localhost", 2),
            ("127.0.0.1:6969", "127.0.0.1:6969", 2),
            ("https://a.example", "https://a.example", 2),
        ] {
            let given = command().get_matches_from(["stats", "--watch", word]);
            assert_eq!(words(&given), Ok((url, Some(Duration::from_secs(seconds)))), "{word}");
        }
        let given = command().get_matches_from(["stats", "a.example", "--watch", "soon"]);
        let error = "--watch: \"soon\": expected seconds from 1 to 86400";
        assert_eq!(words(&given), Err(error.to_owned()));
    }

    #[test]
    fn all_pages_together_have_a_time_after_which_they_are_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = listener.local_addr().expect("it is bound").to_string();
        std::thread::spawn(move || {
            let rows = (0..STATS_PAGE_TORRENTS)
                .map(|row| format!(r#""{row:040x}":{{"stats":{{"complete":0,"incomplete":0}}}}"#));
            let body = format!("{{{}}}", rows.collect::<Vec<_>>().join(","));
            let (mut stream, _) = listener.accept().expect("a caller");
            let _ = stream.read(&mut [0; 4096]);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes()).expect("it is read");
        });
        let given = command().get_matches_from(["stats", &url]);
        let viewer = viewer(&given, &Vec::new(), &url).ok();
        let mut viewer = viewer.expect("a URL");
        viewer.patience = Duration::ZERO;
        let error = viewer.ask().err().expect("it is out of time");
        assert_eq!(
            error,
            format!(
                "http://{url}/stats: 4000 torrents after 0 s and still more; give it longer with \
                 --timeout"
            )
        );
    }
}
