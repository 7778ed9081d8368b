//! Programs that tests run to their end: muster, and those that a machine may lack, which
//! `make test-deps` installs on Debian.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use crate::harness::without_our_variables;

/// Whether a program runs with these arguments. If not, says in one line what was not run, or fails
/// where `REQUIRE_CLIENTS` is set.
pub fn is_installed(program: &str, arguments: &[&str]) -> bool {
    let ran = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ran.is_ok() || say_missing(program)
}

/// Says in one line what was not run for want of a program, or fails where `REQUIRE_CLIENTS` is
/// set. Returns false: that the program is not there.
pub fn say_missing(program: &str) -> bool {
    let reason = format!("not tested with {program}: it is missing (make test-deps)");
    let required = std::env::var_os("REQUIRE_CLIENTS").is_some_and(|value| !value.is_empty());
    assert!(!required, "{reason}");
    // Not eprintln: what a test prints with it is shown only when the test fails.
    let _ = writeln!(std::io::stderr(), "{reason}");
    false
}

/// What a run left behind.
#[derive(Debug, PartialEq)]
pub struct Run {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Run {
    /// What a program that has ended left behind, all of it text.
    pub fn of(output: Output) -> Run {
        Run {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

/// Runs the program with these arguments and variables, and none of ours from outside.
pub fn muster(arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    without_our_variables(&mut command);
    let output = command.args(arguments).envs(variables.iter().copied()).output();
    let output = output.expect("the program starts");
    Run::of(output)
}
