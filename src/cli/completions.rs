//! `muster completions SHELL`: what makes the shell complete muster's commands and flags.

use clap::builder::{Command, EnumValueParser};
use clap::{Arg, ArgMatches};
use clap_complete::Shell;

use super::{Failure, Variables, print};

/// What stands below the arguments of `--help`.
const MORE: &str = "\
Examples:
  muster completions bash > /etc/bash_completion.d/muster
  muster completions zsh > ~/.zfunc/_muster          with ~/.zfunc in $fpath
  muster completions fish > ~/.config/fish/completions/muster.fish";

/// The command and its arguments.
pub(super) fn command() -> Command {
    let shell = Arg::new("shell")
        .value_name("SHELL")
        .required(true)
        .value_parser(EnumValueParser::<Shell>::new())
        .help("The shell to complete for");
    Command::new("completions")
        .about("Print what makes a shell complete commands and flags")
        .after_help(MORE)
        .arg(shell)
}

/// Prints the completions.
pub(super) fn run(given: &ArgMatches, _variables: &Variables) -> Result<(), Failure> {
    let shell: Shell = *given.get_one("shell").expect("clap requires it");
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "muster", &mut script);
    print(&String::from_utf8_lossy(&script))
}
