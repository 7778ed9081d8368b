//! `muster doctor [URL]`: looks for what goes wrong for people, before it does or when it has.
//!
//! It takes the options of `serve`, from the same sources, and checks what that configuration
//! needs: ports, addresses, the state's folder, the host. A tracker that already runs is asked and
//! not disturbed: its lock stays its own, and all that is ever written is a probe file that is
//! removed again. Each check gathers facts and hands them to a function that judges them; a finding
//! that is not ok says what to do.

mod finding;
mod host;
mod network;
mod outside;
mod state;

use clap::builder::Command;
use clap::{Arg, ArgAction, ArgMatches};
use serde_json::json;

use super::size::counted;
use super::{Failure, Variables, print, serve, tracker_options};
use crate::config::Config;
use crate::serve::token;
use finding::{Finding, Level};

/// What stands below the options of `--help`.
const MORE: &str = "\
Give it the options or the file of the tracker, and it checks these; run it in the tracker's folder
and as its user, or for the service of `make install` as root with the service's state: root may
write anywhere, and that the service may write there systemd sees to at each start. With URL it
also asks the tracker there, as a client would, and compares the address that it saw: from outside
your network that tells whether people can reach it.

Examples:
  muster doctor                                     the defaults, in this folder
  sudo muster doctor --config /etc/muster/muster.toml \\
      --state-file /var/lib/muster/tracker_state.json
                                                    the service
  muster doctor http://tracker.example/announce     and whether that URL works from here

Nothing is changed: a running tracker goes on undisturbed. Ports that are taken are connected to,
which starts a service that waits for that (muster.socket). Exit code 1 when there is a problem;
warnings are no problem.";

/// The command and its arguments.
pub(super) fn command() -> Command {
    let url = Arg::new("url").value_name("URL").help("Also ask the tracker at this URL");
    let json = Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help("Print JSON for programs instead");
    Command::new("doctor")
        .about("Check what a tracker needs here, and say what to do about what is missing")
        .after_help(MORE)
        .after_long_help(MORE)
        .args([url, json])
        .args(tracker_options())
}

/// Checks everything and prints what it has found.
pub(super) fn run(given: &ArgMatches, variables: &Variables) -> Result<(), Failure> {
    let config = serve::load(&[given], variables).map_err(Failure::Usage)?;
    let mut findings = Vec::new();
    let urls = network::check(&config, &mut findings);
    findings.extend(check_token(&config));
    let saved = state::check(&config, &mut findings);
    host::check(&config, saved, &mut findings);
    if let Some(url) = given.get_one::<String>("url") {
        outside::check(url, &mut findings).map_err(Failure::Usage)?;
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (problems, warnings) = (count(Level::Problem), count(Level::Warning));
    if given.get_flag("json") {
        let findings: Vec<_> = findings.iter().map(Finding::json).collect();
        let all = json!({
            "findings": findings,
            "announce_urls": urls,
            "problems": problems,
            "warnings": warnings,
        });
        print(&format!("{all:#}\n"))?;
    } else {
        let lines: String = findings.iter().map(Finding::to_string).collect();
        let urls = urls.iter().map(|url| format!("announce URL: {url}\n"));
        let urls = urls.collect::<Vec<_>>().concat();
        let [problems, warnings] = [(problems, "problem"), (warnings, "warning")]
            .map(|(count, noun)| counted(count as u64, noun));
        print(&format!("{lines}{urls}{problems}, {warnings}\n"))?;
    }
    if problems > 0 { Err(Failure::Reported) } else { Ok(()) }
}

/// The token is read as a start would read it.
fn check_token(config: &Config) -> Option<Finding> {
    match token(config) {
        Ok(token) => token.map(|_| Finding::ok("token", "there is one for the operator")),
        Err(error) => {
            let advice = "write a token there that the tracker's user can read, made with head -c \
                          24 /dev/urandom | base64, or leave token-file out";
            let text = error.split_once("; ").map_or(&*error, |(text, _)| text);
            Some(Finding::problem("token", text, advice))
        }
    }
}
