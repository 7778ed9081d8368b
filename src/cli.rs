//! The command line: which subcommand is meant, what it was given, and the exit code.
//!
//! The options come from the table in [`crate::config`]; what stands here beside them are the flags
//! that are no options (`--config`, `--print-config`). Exit codes: 0 done, 1 failed, 2 wrong usage
//! or configuration. An error is one line on stderr; help and version go to stdout.
//!
//! [`run`] takes arguments and environment as values and ends nothing itself.

use std::ffi::OsString;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use clap::builder::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind as UsageKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};

use crate::config::{ConfigOption, Kind, OPTIONS};
use crate::request::quoted;
use crate::signals;

mod add;
mod announce;
mod asking;
#[cfg(target_os = "linux")]
mod bench;
mod completions;
mod create;
mod decode;
mod display_width;
mod doctor;
mod file_tree;
mod gather;
mod new_file;
mod operator_page;
mod piece_length;
mod progress;
mod register;
mod scrape;
mod screen;
mod serve;
mod show;
mod size;
mod stats;
mod stats_table;
mod threads;
mod torrent_file;
mod torrent_json;
mod verify;

/// A command beside `serve`: its arguments and what it does with them and our variables.
struct Subcommand {
    command: fn() -> Command,
    run: fn(&ArgMatches, &Variables) -> Result<(), Failure>,
}

/// The `MUSTER_*` variables, by their whole names.
type Variables = [(String, String)];

/// The commands beside `serve`, in the order of the help.
const SUBCOMMANDS: &[Subcommand] = &[
    Subcommand { command: create::command, run: create::run },
    Subcommand { command: show::command, run: show::run },
    Subcommand { command: verify::command, run: verify::run },
    Subcommand { command: add::command, run: add::run },
    Subcommand { command: announce::command, run: announce::run },
    Subcommand { command: scrape::command, run: scrape::run },
    Subcommand { command: stats::command, run: stats::run },
    Subcommand { command: decode::command, run: decode::run },
    #[cfg(target_os = "linux")]
    Subcommand { command: bench::command, run: bench::run },
    Subcommand { command: doctor::command, run: doctor::run },
    Subcommand { command: completions::command, run: completions::run },
];

/// What the program is, above the options of `--help`.
const ABOUT: &str = "\
A private BitTorrent tracker: it tells the clients of a torrent where the others are.

Start it, and paste the announce URL it prints into your torrents; there is nothing to set up.";

/// What stands below the options of `--help`.
const MORE: &str = "\
Examples:
  muster                                     serve on port 6969, IPv4 and IPv6
  muster --listen 8080 --peer-timeout 1h     on another port, with a longer memory
  muster serve --print-config > muster.toml  write the file of all options, to edit it
  muster --config muster.toml                and use it

Each option is also a variable (MUSTER_PEER_TIMEOUT=1h) and a key of the file
(peer-timeout = \"1h\"). A flag wins over a variable, a variable over the file.
SIGINT or SIGTERM saves its state and stops it, SIGUSR1 only saves.

README.md has a five-minute guide from nothing to two clients exchanging a file.
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.";

/// Why the program ends otherwise than with 0.
enum Failure {
    /// Wrong arguments or configuration: exit code 2.
    Usage(String),
    /// The work could not be done: exit code 1.
    Failed(String),
    /// As `Failed`, and already logged.
    Reported,
    /// A signal has ended the work, and is to end the process.
    Stopped { signal: i32, text: String },
}

/// Runs the program with these arguments (the first is its name) and variables.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let done = dispatch(arguments, environment);
    let (code, text) = match done {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Usage(text)) => (2, text),
        Err(Failure::Failed(text)) => (1, text),
        Err(Failure::Reported) => return ExitCode::from(1),
        Err(Failure::Stopped { signal, text }) => {
            complain(&text);
            signals::die_of(signal);
            return ExitCode::from(1);
        }
    };
    complain(&text);
    ExitCode::from(code)
}

/// Says why the program ends. There is nowhere left to report that stderr is gone.
fn complain(text: &str) {
    let _ = std::io::stderr().write_all(format!("muster: {text}\n").as_bytes());
}

fn dispatch(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(), Failure> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let matches = match parsed(&arguments) {
        Ok(matches) => matches,
        Err(shown) if !shown.use_stderr() => return print(&shown.to_string()),
        Err(error) => {
            let named = arguments.get(1).and_then(|name| name.to_str()).and_then(subcommand);
            return Err(Failure::Usage(usage_error(&error, named.map(|meant| (meant.command)()))));
        }
    };
    let environment = variables(environment).map_err(Failure::Usage)?;
    // The flags of `serve` may stand before its name too, or without it.
    match matches.subcommand() {
        None => serve::run(&[&matches], &environment),
        Some(("serve", serve)) => serve::run(&[&matches, serve], &environment),
        Some((name, given)) => {
            let meant = subcommand(name).expect("clap knows the commands of the table alone");
            only_serve_takes_options(&matches, name)?;
            (meant.run)(given, &environment)
        }
    }
}

/// What was typed, understood. All commands are made only where the tracker alone is not meant, or
/// something is wrong: their arguments would leave it 130 KiB of heap that it never needs again.
fn parsed(arguments: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let alone = tracker_alone().try_get_matches_from(arguments);
    alone.or_else(|_| command().try_get_matches_from(arguments))
}

/// The command of this name in the table.
fn subcommand(name: &str) -> Option<&'static Subcommand> {
    SUBCOMMANDS.iter().find(|meant| (meant.command)().get_name() == name)
}

/// Refuses options of the tracker before the name of another command, where they mean nothing.
fn only_serve_takes_options(root: &ArgMatches, name: &str) -> Result<(), Failure> {
    let on_line = |id: &&clap::Id| root.value_source(id.as_str()) == Some(ValueSource::CommandLine);
    match root.ids().find(on_line) {
        None => Ok(()),
        Some(id) => Err(Failure::Usage(format!(
            "--{id} is an option of the tracker, not of {name}; see muster {name} --help"
        ))),
    }
}

/// The whole command line: what the help, the completions and the man pages are made of.
#[must_use]
pub fn command() -> Command {
    tracker_alone().subcommands(SUBCOMMANDS.iter().map(|subcommand| (subcommand.command)()))
}

/// The command line without the commands beside `serve`.
fn tracker_alone() -> Command {
    let serve = Command::new("serve")
        .about("Run the tracker; what happens without a command too")
        .after_long_help(MORE);
    Command::new("muster")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help("--help says more about each option, with examples.")
        .after_long_help(MORE)
        .args(serve_arguments())
        .subcommand(serve.args(serve_arguments()))
}

/// The arguments of `serve`: those that say what is served, and its own one.
fn serve_arguments() -> Vec<Arg> {
    let print_config = Arg::new("print-config")
        .long("print-config")
        .action(ArgAction::SetTrue)
        .help("Print the configuration that results, as a commented file, and exit");
    let mut arguments = tracker_options();
    arguments.insert(1, print_config);
    arguments
}

/// The arguments that say what is served: the file, and the options of the table.
fn tracker_options() -> Vec<Arg> {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .action(ArgAction::Set)
        .help("Read the options from this TOML file [env: MUSTER_CONFIG]");
    [config].into_iter().chain(OPTIONS.iter().map(argument)).collect()
}

fn argument(option: &'static ConfigOption) -> Arg {
    let default = match option.default_text() {
        text if text.is_empty() => "none".to_owned(),
        text => text,
    };
    let sources = format!("[default: {default}] [env: {}]", option.variable());
    let help = format!("{}\n{sources}", option.help);
    let long_help = match option.comment {
        "" => help.clone(),
        comment => format!("{}. {comment}\n{sources}", option.help),
    };
    let argument = Arg::new(option.key)
        .long(option.key)
        .value_name(option.value_name)
        .allow_negative_numbers(true)
        .help(help)
        .long_help(long_help);
    match option.kind {
        Kind::List => argument.action(ArgAction::Append),
        Kind::Switch => argument.num_args(0..=1).require_equals(true).default_missing_value("true"),
        Kind::Number | Kind::Text => argument,
    }
}

/// What clap says in several lines, as one; `named` is the command it was said of, if not `serve`.
fn usage_error(error: &clap::Error, named: Option<Command>) -> String {
    let help = match &named {
        Some(command) => format!("muster {} --help", command.get_name()),
        None => "muster --help".to_owned(),
    };
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        // Of several that are near, the nearest comes last.
        Some(ContextValue::Strings(texts)) => texts.last().cloned(),
        _ => None,
    };
    let unknown = match error.kind() {
        UsageKind::UnknownArgument => Some((ContextKind::InvalidArg, ContextKind::SuggestedArg)),
        UsageKind::InvalidSubcommand => {
            Some((ContextKind::InvalidSubcommand, ContextKind::SuggestedSubcommand))
        }
        _ => None,
    };
    if let Some((invalid, suggested)) = unknown
        && let Some(invalid) = context(invalid)
    {
        let is_flag = invalid.starts_with('-');
        if error.kind() == UsageKind::UnknownArgument && !is_flag {
            return format!(
                "unexpected argument {}: {}; see {help}",
                invalid.escape_debug(),
                all_it_takes(named)
            );
        }
        let what = if is_flag { "flag" } else { "command" };
        let advice = match context(suggested) {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => format!("see {help} for all there are"),
        };
        return format!("unknown {what} {}, {advice}", invalid.escape_debug());
    }
    let text = error.to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = first.trim_start_matches("error:").split_whitespace().collect();
    format!("{}; see {help}", words.join(" "))
}

/// What a command takes beside flags, for whoever gave it more; without one it is `serve`.
fn all_it_takes(meant: Option<Command>) -> String {
    let command = meant.unwrap_or_else(|| Command::new("serve"));
    let positional = command.get_positionals();
    let values = positional.filter_map(Arg::get_value_names).flatten();
    let values: Vec<&str> = values.map(clap::builder::Str::as_str).collect();
    let more = match command.get_name() {
        "create" => ": give it the folder that holds all that is to be in the torrent",
        _ => "",
    };
    match values.as_slice() {
        [] => format!("{} takes nothing but flags", command.get_name()),
        values => {
            format!("{} takes one {} alone{more}", command.get_name(), values.join(" and one "))
        }
    }
}

/// The variables that are ours, as text.
fn variables(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, String> {
    let mut variables = Vec::new();
    for (name, value) in environment {
        let name = name.to_string_lossy().into_owned();
        if !name.starts_with("MUSTER_") {
            continue;
        }
        let value = value.into_string().map_err(|value| {
            let shown = quoted(value.as_encoded_bytes());
            format!("{}: {shown}: not UTF-8 text", name.escape_debug())
        })?;
        variables.push((name, value));
    }
    Ok(variables)
}

/// Writes to stdout. Whoever reads it may stop early, as `head` does.
fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// As [`print()`], of what may be no text.
fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed_and_knows_every_option_twice() {
        command().debug_assert();
        let mut root = command();
        let help = root.render_long_help().to_string();
        for option in &OPTIONS {
            let flag = format!("--{}", option.key);
            let sources = format!(" [env: {}]\n", option.variable());
            for needed in [flag, sources] {
                assert!(help.contains(&needed), "{needed}: {help}");
            }
        }
        assert!(help.contains("Examples:\n  muster  "), "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    }

    fn usage_of(arguments: &[&str]) -> String {
        let arguments = std::iter::once("muster").chain(arguments.iter().copied());
        match dispatch(arguments.map(OsString::from), []) {
            Err(Failure::Usage(text)) => text,
            _ => panic!("wrong usage"),
        }
    }

    #[test]
    fn wrong_usage_is_one_line_that_names_what_is_wrong() {
        for (arguments, wanted) in [
            (
                &["--peer-timout", "5"][..],
                "unknown flag --peer-timout, did you mean --peer-timeout?",
            ),
            (&["serve", "--conifg=x"], "unknown flag --conifg, did you mean --config?"),
            (&["--x\ny"], "unknown flag --x\\ny, see muster --help for all there are"),
            (&["-q"], "unknown flag -q, see muster --help for all there are"),
            (&["serv"], "unknown command serv, did you mean serve?"),
            (
                &["serve", "now"],
                "unexpected argument now: serve takes nothing but flags; see muster --help",
            ),
            (&["xyzzy.t"], "unknown command xyzzy.t, see muster --help for all there are"),
            (
                &["--peer-timeout"],
                "a value is required for '--peer-timeout <SECONDS>' but none was supplied; see \
                 muster --help",
            ),
            (
                &["--workers", "1", "--workers", "2"],
                "the argument '--workers <COUNT>' cannot be used multiple times; see muster --help",
            ),
        ] {
            assert_eq!(usage_of(arguments), wanted);
        }
    }

    #[test]
    fn wrong_usage_of_another_command_names_its_own_help() {
        assert_eq!(
            usage_of(&["completions", "--x"]),
            "unknown flag --x, see muster completions --help for all there are"
        );
        assert_eq!(
            usage_of(&["--workers", "1", "completions", "bash"]),
            "--workers is an option of the tracker, not of completions; see muster completions \
             --help"
        );
    }

    #[test]
    fn an_argument_too_many_is_no_command_and_is_told_what_is_taken() {
        for (arguments, wanted) in [
            (
                &["create", "a.t", "b.t", "c.t", "-a", "udp://a.example"][..],
                "unexpected argument b.t: create takes one PATH alone: give it the folder that \
                 holds all that is to be in the torrent; see muster create --help",
            ),
            (
                &["verify", "photos.torrent", "photos", "ex\ntra"],
                "unexpected argument ex\\ntra: verify takes one FILE and one PATH alone; see \
                 muster verify --help",
            ),
            (
                &["stats", "http://a.example", "http://b.example"],
                "unexpected argument http://b.example: stats takes one URL alone; see muster \
                 stats --help",
            ),
        ] {
            assert_eq!(usage_of(arguments), wanted);
        }
    }

    #[test]
    fn only_our_variables_must_be_text() {
        use std::os::unix::ffi::OsStringExt as _;
        let wrong = || OsString::from_vec(b"a\xff".to_vec());
        let ours = variables([("MUSTER_LISTEN".into(), wrong())]);
        assert_eq!(ours, Err("MUSTER_LISTEN: \"a\\xff\": not UTF-8 text".to_owned()));
        assert_eq!(variables([("PATH".into(), wrong())]), Ok(vec![]));
    }
}
