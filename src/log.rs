//! The log: one line an event, to stderr, as text for people or as JSON for programs.
//!
//! Level and format are set once for the process, at start; an event below the level costs one
//! relaxed load, and its message is never formatted. A line is one write of the whole line, so
//! lines of several threads never mix; whatever a message holds, control characters and line ends
//! are escaped, so that nothing a client sends can forge a second line. A closed stderr is ignored.
//! The tracker writes on a thread of its own ([`start_thread`]): whoever logs never waits for who
//! reads, and lines that nobody reads are lost and counted. Other commands write at once.
//!
//! What the network can cause goes through [`limited`], one line a second and cause, counted with
//! two atomics, or through [`refused`], one line a minute, cause and address. Nothing here is
//! called under a lock of the tracker.

mod queue;

use std::fmt::{self, Display, Write as _};
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::unix_time;
use crate::limits::{
    LOG_ADDRESS_MILLIS, LOG_ADDRESSES_BURST, LOG_ADDRESSES_MILLIS, LOG_CAUSE_MILLIS,
    LOG_LASTING_MILLIS,
};
use crate::rate_limit::{Bucket, Buckets, Rate};
use crate::request::{Fault, Refused, quoted};
use crate::utc::encode_utc;

pub use queue::{flush, start_thread};

/// How much an event matters; a process logs its level and those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something does not work, and somebody has to do something.
    Error,
    /// Something is refused or lost, and the tracker goes on.
    Warn,
    /// Starts, stops and what an operator wants to read afterwards. The default.
    Info,
    /// Single requests.
    Debug,
}

impl Level {
    /// All levels with their names, the most important first.
    const NAMES: [(Level, &str); 4] = [
        (Level::Error, "error"),
        (Level::Warn, "warn"),
        (Level::Info, "info"),
        (Level::Debug, "debug"),
    ];
}

impl Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(name_of(&Level::NAMES, self))
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named(&Level::NAMES, text)
    }
}

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `2026-11-21T01:30:56Z info  message name=value`. The default.
    Text,
    /// `{"time":"2026-11-21T01:30:56Z","level":"info","message":"message","name":"value"}`.
    Json,
}

impl Format {
    const NAMES: [(Format, &str); 2] = [(Format::Text, "text"), (Format::Json, "json")];
}

impl Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(name_of(&Format::NAMES, self))
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named(&Format::NAMES, text)
    }
}

/// The name a value has in options and log lines.
fn name_of<T: PartialEq>(names: &[(T, &'static str)], value: &T) -> &'static str {
    names.iter().find(|(named, _)| named == value).map_or("", |(_, name)| name)
}

/// The value of that name, or an error that lists the names there are.
fn named<T: Copy>(names: &[(T, &str)], text: &str) -> Result<T, String> {
    let found = names.iter().find(|(_, name)| *name == text);
    found.map(|(value, _)| *value).ok_or_else(|| {
        let all: Vec<&str> = names.iter().map(|(_, name)| *name).collect();
        format!("{}: expected {}", quoted(text.as_bytes()), all.join(" or "))
    })
}

/// The least important level that is logged, as the number of its variant.
static LEVEL: AtomicU8 = AtomicU8::new(Level::Info as u8);
/// Whether lines are JSON, as the number of the format's variant.
static FORMAT: AtomicU8 = AtomicU8::new(Format::Text as u8);

/// Sets level and format for the whole process; called once, before the first thread starts.
pub fn set(level: Level, format: Format) {
    LEVEL.store(level as u8, Ordering::Relaxed);
    FORMAT.store(format as u8, Ordering::Relaxed);
}

/// Whether events of the level are logged.
#[must_use]
pub fn enabled(level: Level) -> bool {
    level as u8 <= LEVEL.load(Ordering::Relaxed)
}

/// Logs at [`Level::Error`]; `message` is typically a `format_args!(..)`, formatted only if logged.
pub fn error(message: impl Display) {
    event(Level::Error, message, &[]);
}

/// Logs at [`Level::Warn`].
pub fn warn(message: impl Display) {
    event(Level::Warn, message, &[]);
}

/// Logs at [`Level::Info`].
pub fn info(message: impl Display) {
    event(Level::Info, message, &[]);
}

/// Logs at [`Level::Debug`].
pub fn debug(message: impl Display) {
    event(Level::Debug, message, &[]);
}

/// Logs a message with named fields, which a program finds by their names in the JSON format.
pub fn event(level: Level, message: impl Display, fields: &[(&str, &dyn Display)]) {
    if !enabled(level) {
        return;
    }
    let line = encode_line(format(), unix_time(), level, &message, fields);
    queue::put(line);
}

fn format() -> Format {
    let json = FORMAT.load(Ordering::Relaxed) == Format::Json as u8;
    if json { Format::Json } else { Format::Text }
}

/// What the network or a full host can cause at any rate, and is therefore logged at a bounded one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// `accept` found no free file descriptor.
    AcceptDescriptors,
    /// `accept` failed otherwise.
    AcceptFailed,
    /// A request that could not be understood, or a peer that broke the protocol.
    BadRequest,
    /// A connection closed because a bound on connections was reached.
    ConnectionRefused,
    /// A request that was understood and refused.
    RequestRefused,
    /// A proxy that is not trusted announces for its clients.
    ProxyUnknown,
    /// A torrent or peer turned away because the tracker is full.
    TrackerFull,
    /// A panic in a thread that goes on.
    Panic,
    /// Receiving on a UDP socket failed.
    SocketFailed,
    /// A reply over UDP could not be sent: its queue is full, or nothing leads to its client.
    UdpReplyFailed,
}

impl Cause {
    /// How many there are: one gate each.
    const COUNT: usize = Cause::UdpReplyFailed as usize + 1;

    /// At least this long passes between two lines. Running out of descriptors or of room lasts,
    /// and nobody can mend it within a second.
    fn pause_millis(self) -> u64 {
        match self {
            Cause::AcceptDescriptors | Cause::TrackerFull => LOG_LASTING_MILLIS,
            _ => LOG_CAUSE_MILLIS,
        }
    }
}

static GATES: [Gate; Cause::COUNT] = [const { Gate::new() }; Cause::COUNT];

/// Logs at most one line per cause and [`LOG_CAUSE_MILLIS`] (a minute for what lasts), which says
/// how many were left out since the one before: `bad request (and 41 more)`.
/// `now_millis` comes from [`crate::clock::Clock::millis`].
pub fn limited(cause: Cause, level: Level, now_millis: u64, message: impl FnOnce() -> String) {
    if !enabled(level) {
        return;
    }
    let Some(gate) = GATES.get(cause as usize) else { return };
    match gate.pass(now_millis, cause.pause_millis()) {
        Some(0) => event(level, message(), &[]),
        Some(suppressed) => event(level, with_suppressed(&message(), suppressed), &[]),
        None => {}
    }
}

fn with_suppressed(message: &str, suppressed: u32) -> String {
    format!("{message} (and {suppressed} more)")
}

/// Lets one event of a cause through at a time and counts the rest.
#[derive(Debug)]
struct Gate {
    /// When the last event passed; `NEVER` before the first.
    passed_millis: AtomicU64,
    suppressed: AtomicU32,
}

impl Gate {
    const NEVER: u64 = u64::MAX;

    const fn new() -> Gate {
        Gate { passed_millis: AtomicU64::new(Gate::NEVER), suppressed: AtomicU32::new(0) }
    }

    /// The number of events suppressed since the last that passed, if this one passes. Of several
    /// threads at the same moment one wins the exchange; the others are counted. A time before the
    /// last one by as much as the pause passes too: another clock, in tests.
    fn pass(&self, now_millis: u64, pause_millis: u64) -> Option<u32> {
        let passed = self.passed_millis.load(Ordering::Relaxed);
        let due = passed == Gate::NEVER || now_millis.abs_diff(passed) >= pause_millis;
        let exchange = |from| {
            let order = Ordering::Relaxed;
            self.passed_millis.compare_exchange(from, now_millis, order, order).is_ok()
        };
        if due && exchange(passed) {
            return Some(self.suppressed.swap(0, Ordering::Relaxed));
        }
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        None
    }
}

/// Why an address is turned away: what fail2ban counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// It announces more often than one may.
    Announces,
    /// It makes more errors than one may.
    Errors,
    /// It has brought up as many torrents as one may.
    Torrents,
    /// It has as many connections as one may.
    Connections,
    /// It has shown a token that is not the operator's.
    Token,
}

impl Offence {
    /// Its name in the log. Stable: filters of others read it.
    const NAMES: [(Offence, &str); 5] = [
        (Offence::Announces, "announces"),
        (Offence::Errors, "errors"),
        (Offence::Torrents, "torrents"),
        (Offence::Connections, "connections"),
        (Offence::Token, "token"),
    ];
}

static REFUSALS: LazyLock<Refusals> = LazyLock::new(Refusals::new);

/// Logs `refused cause=errors from=192.0.2.1`, once a minute for each cause and address (IPv6: each
/// /64), and at a bounded rate in all. The form is stable; nothing in it is of the client's making.
///
/// An address beyond that rate is logged when it comes again, and counted once a minute: `3 more
/// addresses were refused`, a line a minute that no filter is to match.
pub fn refused(offence: Offence, ip: IpAddr, now_millis: u64) {
    if !enabled(Level::Warn) {
        return;
    }
    match REFUSALS.sort(offence, ip, now_millis) {
        Sorted::Line => {
            let cause = name_of(&Offence::NAMES, &offence);
            event(Level::Warn, "refused", &[("cause", &cause), ("from", &ip)]);
        }
        Sorted::Counted(count) => event(Level::Warn, more_addresses(count), &[]),
        Sorted::Nothing => {}
    }
}

fn more_addresses(count: u32) -> String {
    let addresses = if count == 1 { "address was" } else { "addresses were" };
    format!("{count} more {addresses} refused than are logged one by one")
}

/// What a refusal is worth to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sorted {
    /// A line of its own.
    Line,
    /// A line that tells of so many addresses without one.
    Counted(u32),
    Nothing,
}

/// Who was refused lately.
struct Refusals {
    /// Lines of each cause and address.
    said: Buckets,
    /// Lines of all.
    all: Bucket,
    /// Addresses that are counted for want of a line.
    counted: Buckets,
    gate: Gate,
}

impl Refusals {
    fn new() -> Refusals {
        let each = || Buckets::new(Rate::every_millis(LOG_ADDRESS_MILLIS, 1));
        let all = Bucket::new(Rate::every_millis(LOG_ADDRESSES_MILLIS, LOG_ADDRESSES_BURST));
        Refusals { said: each(), all, counted: each(), gate: Gate::new() }
    }

    fn sort(&self, offence: Offence, ip: IpAddr, now_millis: u64) -> Sorted {
        let what = offence as u8;
        if !self.said.has_for(ip, what, now_millis) {
            return Sorted::Nothing;
        }
        // The address's minute begins only with its line.
        if self.all.take(now_millis) {
            let first = self.said.take_for(ip, what, now_millis);
            return if first { Sorted::Line } else { Sorted::Nothing };
        }
        if !self.counted.take(ip, now_millis) {
            return Sorted::Nothing;
        }
        let passed = self.gate.pass(now_millis, LOG_ADDRESS_MILLIS);
        passed.map_or(Sorted::Nothing, |before| Sorted::Counted(before + 1))
    }
}

/// Logs that a request is refused, as often as what made it so deserves. `from` is `None` where a
/// Unix socket's other side does not say for whom it speaks.
pub fn refusal(why: &Refused, from: Option<IpAddr>, now_millis: u64) {
    let text = || {
        let from = from.map_or("a Unix socket".to_owned(), |ip| ip.to_string());
        format!("refused a request from {from}: {}", why.reason)
    };
    match (why.fault, from) {
        (Fault::Share, Some(ip)) => refused(Offence::Torrents, ip, now_millis),
        (Fault::Rate, Some(ip)) => refused(Offence::Announces, ip, now_millis),
        (Fault::Full, _) => limited(Cause::TrackerFull, Level::Warn, now_millis, text),
        _ => limited(Cause::RequestRefused, Level::Debug, now_millis, text),
    }
}

/// Makes a panic one line of the log, like every other event, instead of several of Rust's own.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let owned = payload.downcast_ref::<String>().map(String::as_str);
        let text = owned.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("");
        let at = info.location().map_or_else(String::new, |location| format!(" at {location}"));
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        let now = unix_time().as_millis() as u64;
        limited(Cause::Panic, Level::Error, now, || {
            format!("a bug: thread {thread} panicked{at}: {text}")
        });
        // It ends the process, whose other threads have no time to write.
        if thread == "main" {
            flush();
        }
    }));
}

/// One line of the log, with its line end.
fn encode_line(
    format: Format,
    unix_time: Duration,
    level: Level,
    message: &dyn Display,
    fields: &[(&str, &dyn Display)],
) -> String {
    let time = encode_utc(unix_time.as_secs());
    let mut line = String::with_capacity(128);
    match format {
        Format::Text => {
            line.push_str(&time);
            line.push_str(match level {
                Level::Error => " error ",
                Level::Warn => " warn  ",
                Level::Info => " info  ",
                Level::Debug => " debug ",
            });
            push_escaped(&mut line, &message.to_string());
            for (name, value) in fields {
                line.push(' ');
                line.push_str(name);
                line.push('=');
                push_escaped(&mut line, &value.to_string());
            }
        }
        Format::Json => {
            line.push('{');
            push_json_member(&mut line, "time", &time);
            line.push(',');
            push_json_member(&mut line, "level", &level.to_string());
            line.push(',');
            push_json_member(&mut line, "message", &message.to_string());
            for (name, value) in fields {
                line.push(',');
                push_json_member(&mut line, name, &value.to_string());
            }
            line.push('}');
        }
    }
    line.push('\n');
    line
}

/// Appends text with control characters, and the line ends of Unicode, as Rust writes them in a
/// string.
fn push_escaped(line: &mut String, text: &str) {
    for character in text.chars() {
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            line.extend(character.escape_debug());
        } else {
            line.push(character);
        }
    }
}

/// Appends `"name":"value"`.
fn push_json_member(line: &mut String, name: &str, value: &str) {
    let encode = |text: &str| serde_json::Value::from(text).to_string();
    // A write to a String cannot fail.
    let _ = write!(line, "{}:{}", encode(name), encode(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(
        format: Format,
        level: Level,
        message: &str,
        fields: &[(&str, &dyn Display)],
    ) -> String {
        encode_line(format, Duration::from_millis(1_795_224_656_789), level, &message, fields)
    }

    #[test]
    fn a_text_line_has_time_level_message_and_fields() {
        let fields: [(&str, &dyn Display); 2] = [("peers", &7), ("from", &"192.0.2.1")];
        assert_eq!(
            line(Format::Text, Level::Info, "swept", &fields),
            "2026-11-21T01:30:56Z info  swept peers=7 from=192.0.2.1\n"
        );
        assert_eq!(
            line(Format::Text, Level::Error, "C:\\ \u{e9}", &[]),
            "2026-11-21T01:30:56Z error C:\\ \u{e9}\n"
        );
    }

    #[test]
    fn nothing_in_a_message_or_a_field_makes_a_second_line_or_moves_the_cursor() {
        let message = "a\r\nb\0c\x1b[2Kd\u{85}e\u{2028}f\x7f";
        let text = line(Format::Text, Level::Warn, message, &[("g", &"h\ni")]);
        assert_eq!(
            text,
            "2026-11-21T01:30:56Z warn  a\\r\\nb\\0c\\u{1b}[2Kd\\u{85}e\\u{2028}f\\u{7f} g=h\\ni\n"
        );
    }

    #[test]
    fn a_json_line_is_one_valid_object_whatever_the_message_holds() {
        let message = "say \"hi\"\\\r\n\0\x1b\u{e9}\u{2028}";
        let text = line(Format::Json, Level::Debug, message, &[("from \"x\"", &"a\nb")]);
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).expect(&text);
        let wanted = serde_json::json!({
            "time": "2026-11-21T01:30:56Z",
            "level": "debug",
            "message": message,
            "from \"x\"": "a\nb"
        });
        assert_eq!(value, wanted);
        assert!(text.starts_with("{\"time\":"), "people read the time first: {text}");
    }

    #[test]
    fn a_gate_passes_one_event_a_pause_and_counts_the_rest() {
        let gate = Gate::new();
        let passed: Vec<Option<u32>> =
            [5, 5, 900, 1004, 1005, 1006, 9000, 20_000].map(|now| gate.pass(now, 1000)).into();
        let wanted = [Some(0), None, None, None, Some(3), None, Some(1), Some(0)];
        assert_eq!(passed, wanted);
        assert_eq!(gate.pass(7, 1000), Some(0), "a clock that stands before the last event's");
        assert_eq!(with_suppressed("bad request", 41), "bad request (and 41 more)");
    }

    #[test]
    fn of_many_threads_at_one_moment_one_passes_and_all_others_are_counted() {
        const THREADS: u32 = 2;
        const ROUNDS: u32 = 20_000;
        let (gate, start) = (Gate::new(), AtomicU32::new(0));
        let count = || {
            let mut sum = (0, 0);
            for round in 0..ROUNDS {
                // A Barrier wakes them one after the other, too far apart to meet in the gate.
                start.fetch_add(1, Ordering::Relaxed);
                while start.load(Ordering::Relaxed) < THREADS * (round + 1) {
                    std::thread::yield_now();
                }
                if let Some(suppressed) = gate.pass(u64::from(round) * 1000, 1000) {
                    sum = (sum.0 + 1, sum.1 + suppressed);
                }
            }
            sum
        };
        let (passed, suppressed) = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(count)).collect();
            let sums = threads.into_iter().map(|thread| thread.join().expect("a thread"));
            sums.fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
        });
        assert_eq!(passed, ROUNDS);
        let left = gate.suppressed.load(Ordering::Relaxed);
        assert_eq!(suppressed + left, (THREADS - 1) * ROUNDS);
    }

    #[test]
    fn an_address_without_a_line_is_counted_and_has_its_line_when_it_comes_again() {
        let refusals = Refusals::new();
        let address = |nth: u32| IpAddr::from((0x0a00_0000 + nth).to_be_bytes());
        let sort = |nth, now| refusals.sort(Offence::Errors, address(nth), now);
        assert!((0..200).all(|nth| sort(nth, 1_000_000) == Sorted::Line));
        assert_eq!(sort(200, 1_000_000), Sorted::Counted(1));
        assert!((200..300).all(|nth| sort(nth, 1_000_000) == Sorted::Nothing));
        assert_eq!(sort(200, 1_001_000), Sorted::Line, "20 lines a second go on");
        assert_eq!(sort(0, 1_001_000), Sorted::Nothing, "once a minute");
        assert!((300..319).all(|nth| sort(nth, 1_001_000) == Sorted::Line));
        assert_eq!(sort(400, 1_001_000), Sorted::Nothing);
        assert!((500..700).all(|nth| sort(nth, 1_061_000) == Sorted::Line));
        assert_eq!(sort(700, 1_061_000), Sorted::Counted(101), "201 to 299, 400 and 700");
        assert_eq!(more_addresses(1), "1 more address was refused than are logged one by one");
        assert_eq!(more_addresses(3), "3 more addresses were refused than are logged one by one");
    }

    #[test]
    fn what_lasts_is_said_once_a_minute_and_the_rest_once_a_second() {
        assert_eq!(Cause::AcceptDescriptors.pause_millis(), 60_000);
        assert_eq!(Cause::TrackerFull.pause_millis(), 60_000);
        assert_eq!(Cause::BadRequest.pause_millis(), 1_000);
    }

    #[test]
    fn levels_and_formats_are_read_as_they_are_written() {
        for (level, name) in Level::NAMES {
            assert_eq!((name.parse(), level.to_string()), (Ok(level), name.to_owned()));
        }
        for (format, name) in Format::NAMES {
            assert_eq!((name.parse(), format.to_string()), (Ok(format), name.to_owned()));
        }
        let error = "Info".parse::<Level>().expect_err("names are lower case");
        assert_eq!(error, "\"Info\": expected error or warn or info or debug");
        let error = "xml".parse::<Format>().expect_err("no such format");
        assert_eq!(error, "\"xml\": expected text or json");
    }
}
