//! `muster bench URL`: loads a tracker as many clients would, and says what it does and costs.
//!
//! What was typed becomes a [`Plan`]; the announcing is [`load`]'s. Only trackers on this host and
//! in private networks are loaded, unless a flag that says what it does is given: what measures
//! one's own tracker takes somebody else's down. The report goes to stdout, for people or as JSON.

use std::net::{SocketAddr, ToSocketAddrs as _};

use clap::builder::{Command, PossibleValuesParser, RangedU64ValueParser};
use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Map, Value, json};

use super::{Failure, Variables, print};
use crate::client::AddressFamily;
use crate::client::http::unknown_host;
use crate::client::tracker_url::{Scheme, TrackerUrl};
use crate::limits::{LOAD_CROWD_MAX, LOAD_THREADS_MAX, NUMWANT_MAX};
use crate::load::crowd::{CrowdSize, Popularity};
use crate::load::pace::Span;
use crate::load::process::Usage;
use crate::load::{self, Outcome, Plan, Way};
use crate::subnet::{canonical, is_local};

/// What stands below the arguments of `--help`.
const MORE: &str = "\
Examples:
  muster bench http://127.0.0.1:6969/announce           a connection for each announce
  muster bench http://127.0.0.1:6969/announce --connect keep --pid $(pidof muster)
  muster bench udp://127.0.0.1:6969 --peers 1000000 --torrents 10000 --duration 30
  muster bench udp://[::1]:6969 --rate 5000 --json      latencies at 5,000 a second

At first every peer announces once, which is not measured. At a --rate latencies count from when
each announce was due; without one, --connections announces are always under way. Replies are
checked: one that is not as it should be is an error and no answer. CPU time is that of the process
named with --pid; let the tracker have nothing else to do meanwhile.

Everything is an ordinary announce, so any tracker can be measured. The peers announced stay in it
until they time out: use a tracker that nobody needs.";

/// The flag for trackers on the internet.
const PUBLIC: &str = "flood-a-public-tracker";

/// The command and its arguments.
pub(super) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let choice = |name: &'static str, values: [&'static str; 2], help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_parser(PossibleValuesParser::new(values))
            .default_value(values[0])
            .help(help)
    };
    Command::new("bench")
        .about("Load a tracker with announces, and measure it")
        .after_help(MORE)
        .arg(
            Arg::new("url")
                .value_name("URL")
                .required(true)
                .help("The announce URL, http or udp, on this host or in a private network"),
        )
        .arg(choice("connect", ["each", "keep"], "Over HTTP: a connection for each, or kept"))
        .arg(number("rate", "N", 1, 10_000_000, "Announces a second [default: as many as go]"))
        .arg(
            number("connections", "N", 1, 1_000_000, "Announces under way at the most")
                .default_value("64"),
        )
        .arg(
            number("clients", "N", 1, 1_000_000, "Addresses of 127.0.0.0/8 to announce from")
                .default_value("1"),
        )
        .arg(number("torrents", "N", 1, LOAD_CROWD_MAX.into(), "Torrents").default_value("1000"))
        .arg(
            number("peers", "N", 1, LOAD_CROWD_MAX.into(), "Peers in all torrents together")
                .default_value("100000"),
        )
        .arg(number("seeds", "PERCENT", 0, 100, "Peers that lack nothing").default_value("50"))
        .arg(choice("popularity", ["zipf", "uniform"], "How the peers are spread over torrents"))
        .arg(
            number("numwant", "N", 0, NUMWANT_MAX.into(), "Peers that each announce asks for")
                .default_value("50"),
        )
        .arg(
            number("duration", "SECONDS", 1, 86_400, "How long it is measured")
                .default_value("10")
                .conflicts_with("count"),
        )
        .arg(number("count", "N", 1, u64::MAX, "Measure so many announces instead"))
        .arg(
            number("threads", "N", 1, LOAD_THREADS_MAX.into(), "Threads that announce")
                .default_value("1"),
        )
        .arg(
            number("timeout", "SECONDS", 1, 3600, "When an announce is given up")
                .default_value("5"),
        )
        .arg(number("pid", "PID", 1, u32::MAX.into(), "The tracker's process: what it costs"))
        .arg(flag("no-fill", "Do not let every peer announce once before"))
        .arg(flag("name-addresses", "Let each peer name an address of its own (ip=)"))
        .arg(flag(PUBLIC, "Load a tracker that is not on this host or in a private network"))
        .arg(flag("json", "Print the report as JSON"))
}

fn number(
    name: &'static str,
    value: &'static str,
    least: u64,
    most: u64,
    help: &'static str,
) -> Arg {
    let parser = RangedU64ValueParser::<u64>::new().range(least..=most);
    Arg::new(name).long(name).value_name(value).value_parser(parser).help(help)
}

/// Measures, and prints the report.
pub(super) fn run(given: &ArgMatches, _variables: &Variables) -> Result<(), Failure> {
    let typed: &String = given.get_one("url").expect("clap requires it");
    let url = TrackerUrl::parse(typed).map_err(Failure::Usage)?;
    let plan = plan(given, &url)?;
    let outcome = load::run(&plan).map_err(|text| Failure::Failed(format!("{url}: {text}")))?;
    let report = if given.get_flag("json") {
        format!("{:#}\n", as_json(&url, &plan, &outcome))
    } else {
        as_text(&url, &plan, &outcome)
    };
    print(&report)?;
    if outcome.gave_up || outcome.tally.answered == 0 {
        return Err(Failure::Failed(format!("{url}: {}", why_nothing(&outcome))));
    }
    Ok(())
}

/// The plan that the arguments make.
fn plan(given: &ArgMatches, url: &TrackerUrl) -> Result<Plan, Failure> {
    let value = |name: &str| given.get_one::<u64>(name).copied();
    // The ranges of the arguments are those of their fields.
    let number = |name: &str| value(name).and_then(|n| u32::try_from(n).ok()).unwrap_or(u32::MAX);
    let way = match url.scheme {
        Scheme::Udp => Way::Udp,
        Scheme::Http if is(given, "connect", "keep") => Way::Keep,
        Scheme::Http => Way::Each,
        Scheme::Https => {
            let text = format!("{url}: only http and udp are measured; TLS would measure itself");
            return Err(Failure::Usage(text));
        }
    };
    let span = match value("count") {
        Some(count) => Span::Count(count),
        None => Span::Nanos(value("duration").unwrap_or(10) * 1_000_000_000),
    };
    Ok(Plan {
        address: address_of(url, given.get_flag(PUBLIC))?,
        way,
        authority: url.authority(),
        target: url.target.clone(),
        crowd: CrowdSize {
            torrents: number("torrents"),
            peers: number("peers"),
            seeds: number("seeds"),
            popularity: if is(given, "popularity", "zipf") {
                Popularity::Zipf
            } else {
                Popularity::Uniform
            },
        },
        numwant: number("numwant") as u16,
        fill: !given.get_flag("no-fill"),
        span,
        rate: value("rate").and_then(|rate| u32::try_from(rate).ok()),
        connections: number("connections"),
        clients: number("clients"),
        names_addresses: given.get_flag("name-addresses"),
        threads: number("threads"),
        timeout_nanos: value("timeout").unwrap_or(5) * 1_000_000_000,
        pid: value("pid").and_then(|pid| u32::try_from(pid).ok()),
    })
}

fn is(given: &ArgMatches, name: &str, value: &str) -> bool {
    given.get_one::<String>(name).is_some_and(|given| given == value)
}

/// The address to load, if it may be loaded.
fn address_of(url: &TrackerUrl, public: bool) -> Result<SocketAddr, Failure> {
    let mut found = (url.host.as_str(), url.port).to_socket_addrs().into_iter().flatten();
    let Some(address) = found.next() else {
        let text = unknown_host(url, AddressFamily::Any);
        return Err(Failure::Failed(format!("{url}: {text}")));
    };
    let ip = address.ip();
    if !is_local(canonical(ip)) && !public {
        return Err(Failure::Usage(format!(
            "{url}: {ip} is neither on this host nor in a private network, and a load test of a \
             tracker of others is an attack on it; for your own there is --{PUBLIC}"
        )));
    }
    Ok(address)
}

fn why_nothing(outcome: &Outcome) -> String {
    let tallies = outcome.fill.iter().chain([&outcome.tally]);
    let faults = tallies.flat_map(load::tally::Tally::faults);
    let Some((kind, faults)) = faults.filter(|(_, faults)| faults.count > 0).last() else {
        return "no announce was due: is --count or --rate too small?".to_owned();
    };
    let example = match faults.example.as_str() {
        "" => String::new(),
        text => format!(" ({text})"),
    };
    format!("announces came to nothing: {}{example}; is it a tracker, and is it up?", kind.name())
}

// -- the report -----------------------------------------------------------------------------------

/// The quantiles shown, and what each is in thousandths.
const QUANTILES: [(&str, u64); 3] = [("p50", 500), ("p99", 990), ("p99.9", 999)];

fn as_text(url: &TrackerUrl, plan: &Plan, outcome: &Outcome) -> String {
    let tally = &outcome.tally;
    let way = match plan.way {
        Way::Each => "a connection for each announce",
        Way::Keep => "connections kept",
        Way::Udp => "UDP",
    };
    let pace = match plan.rate {
        Some(rate) => format!("{rate} a second"),
        None => format!("{} at a time", plan.connections.min(plan.crowd.peers)),
    };
    let mut lines = vec![format!("{url}: {way}, {pace}")];
    if let Some(fill) = &outcome.fill {
        lines.push(format!(
            "before     {} peers announced, {} of them to no avail",
            fill.answered + fill.failed(),
            fill.failed()
        ));
    }
    lines.push(format!(
        "announces  {} answered in {} s: {} a second, {} peers each",
        tally.answered,
        thousandths(outcome.nanos / 1_000_000),
        outcome.per_second(),
        thousandths(tally.peers * 1000 / tally.answered.max(1)),
    ));
    let quantiles = QUANTILES.map(|(name, per_mille)| {
        format!("{name} {}", thousandths(tally.latency.quantile(per_mille) / 1000))
    });
    let max = thousandths(tally.latency.max() / 1000);
    lines.push(format!("latency    {}, max {max} ms", quantiles.join(", ")));
    let faults = tally.faults().filter(|(_, faults)| faults.count > 0).map(|(kind, faults)| {
        let example = if faults.example.is_empty() { "" } else { ": " };
        format!("{} {}{example}{}", faults.count, kind.name(), faults.example)
    });
    let faults: Vec<String> = faults.collect();
    let none = || "none".to_owned();
    lines
        .push(format!("errors     {}", if faults.is_empty() { none() } else { faults.join("; ") }));
    if tally.left_out > 0 {
        lines.push(format!(
            "left out   {} announces that were due while {} were waiting for their replies",
            tally.left_out, plan.connections
        ));
    }
    lines.extend(outcome.tracker.map(|usage| usage_line("tracker", outcome, usage)));
    lines.push(usage_line("generator", outcome, outcome.generator));
    lines.join("\n") + "\n"
}

fn usage_line(who: &str, outcome: &Outcome, usage: Usage) -> String {
    let each = |micros| thousandths(outcome.nanos_each(micros));
    format!(
        "{who:<10} {} us of CPU time an announce (user {}, system {}), {} MB resident, {} MB at \
         the most",
        each(usage.cpu_micros()),
        each(usage.user_micros),
        each(usage.system_micros),
        usage.resident_bytes / 1_000_000,
        usage.resident_peak_bytes / 1_000_000,
    )
}

/// `1.234` for 1234.
fn thousandths(count: u64) -> String {
    format!("{}.{:03}", count / 1000, count % 1000)
}

fn as_json(url: &TrackerUrl, plan: &Plan, outcome: &Outcome) -> Value {
    let tally = &outcome.tally;
    let faults: Map<String, Value> = tally
        .faults()
        .map(|(kind, faults)| {
            let value = json!({ "count": faults.count, "example": faults.example });
            (kind.name().replace(' ', "_"), value)
        })
        .collect();
    let mut latency: Map<String, Value> = QUANTILES
        .iter()
        .map(|(name, per_mille)| {
            (name.replace('.', "_"), json!(tally.latency.quantile(*per_mille)))
        })
        .collect();
    latency.insert("max".to_owned(), json!(tally.latency.max()));
    let usage = |usage: Usage| {
        json!({
            "cpu_nanoseconds_per_announce": outcome.nanos_each(usage.cpu_micros()),
            "cpu_system_microseconds": usage.system_micros,
            "cpu_user_microseconds": usage.user_micros,
            "resident_bytes": usage.resident_bytes,
            "resident_peak_bytes": usage.resident_peak_bytes,
        })
    };
    json!({
        "announces": tally.answered,
        "announces_per_second": outcome.per_second(),
        "connect": match plan.way {
            Way::Each => "each",
            Way::Keep => "keep",
            Way::Udp => "udp",
        },
        "errors": faults,
        "filled": outcome.fill.as_ref().map(|fill| fill.answered),
        "generator": usage(outcome.generator),
        "latency_nanoseconds": latency,
        "left_out": tally.left_out,
        "nanoseconds": outcome.nanos,
        "peers_in_replies": tally.peers,
        "tracker": outcome.tracker.map(usage),
        "url": url.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(arguments: &[&str]) -> Result<Plan, Failure> {
        let all = ["bench"].iter().chain(arguments);
        let given = command().try_get_matches_from(all).expect("right usage");
        let typed: &String = given.get_one("url").expect("it is required");
        plan(&given, &TrackerUrl::parse(typed).expect("a URL"))
    }

    fn refused(arguments: &[&str]) -> String {
        match planned(arguments) {
            Err(Failure::Usage(text)) => text,
            _ => panic!("{arguments:?} should be wrong usage"),
        }
    }

    #[test]
    fn trackers_of_others_are_not_loaded_unless_a_flag_says_so() {
        let text = refused(&["udp://192.0.2.1:6969"]);
        assert_eq!(
            text,
            "udp://192.0.2.1:6969: 192.0.2.1 is neither on this host nor in a private network, and \
             a load test of a tracker of others is an attack on it; for your own there is \
             --flood-a-public-tracker"
        );
        for url in ["http://[2001:db8::1]/announce", "http://[::ffff:192.0.2.1]/announce"] {
            assert!(refused(&[url]).contains(" is neither on this host "), "{url}");
        }
        for url in ["http://127.9.9.9/a", "http://192.168.1.7", "udp://[fd00::1]:1", "[::1]:7"] {
            assert!(planned(&[url]).is_ok(), "{url}");
        }
        let plan = planned(&["udp://192.0.2.1:6969", "--flood-a-public-tracker"]);
        let address = plan.map_err(|_| ()).expect("the flag allows it").address;
        assert_eq!(address.to_string(), "192.0.2.1:6969");
    }

    #[test]
    fn what_is_typed_is_what_is_planned() {
        let plan = planned(&[
            "http://127.0.0.1:7/a?k=1",
            "--connect=keep",
            "--rate=9",
            "--torrents=2",
            "--peers=8",
            "--seeds=25",
            "--popularity=uniform",
            "--numwant=30",
            "--count=5",
            "--threads=3",
            "--connections=6",
            "--clients=4",
            "--timeout=2",
            "--pid=11",
            "--no-fill",
            "--name-addresses",
        ]);
        let plan = plan.map_err(|_| ()).expect("right usage");
        let crowd = CrowdSize { torrents: 2, peers: 8, seeds: 25, popularity: Popularity::Uniform };
        assert_eq!((plan.way, plan.crowd, plan.rate), (Way::Keep, crowd, Some(9)));
        assert_eq!((plan.span, plan.numwant, plan.fill), (Span::Count(5), 30, false));
        assert_eq!((plan.connections, plan.clients, plan.threads), (6, 4, 3));
        assert_eq!((plan.timeout_nanos, plan.pid), (2_000_000_000, Some(11)));
        assert!(plan.names_addresses);
        assert_eq!((plan.authority.as_str(), plan.target.as_str()), ("127.0.0.1:7", "/a?k=1"));
        let plan = planned(&["udp://127.0.0.1:7", "--duration=3"]);
        let plan = plan.map_err(|_| ()).expect("right usage");
        assert_eq!((plan.way, plan.span), (Way::Udp, Span::Nanos(3_000_000_000)));
        assert_eq!((plan.crowd.popularity, plan.fill), (Popularity::Zipf, true));
        let text = refused(&["https://127.0.0.1/announce"]);
        assert!(text.ends_with(": only http and udp are measured; TLS would measure itself"));
    }
}
