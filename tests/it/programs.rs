//! Programs that a test needs and a machine may lack: `make test-deps` installs them on Debian.

use std::io::Write as _;
use std::process::{Command, Stdio};

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
