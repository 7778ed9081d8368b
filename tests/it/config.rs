//! The configuration as the real program takes it: sources, errors, exit codes.
//!
//! Nothing here starts a tracker: each run prints something or is refused, so no port is taken.
//! Files are written to the temporary folder and removed. What single options accept is tested
//! beside them, in `src/config/tests.rs`; here it is the way from the sources to the exit code.

use std::path::PathBuf;
use std::process::Command;

use crate::programs::{Run, muster};

/// A refusal before anything was done: exit code 2 and one line.
fn refused(text: &str) -> Run {
    Run { code: Some(2), stdout: String::new(), stderr: format!("muster: {text}\n") }
}

/// A configuration file that is removed on drop.
struct ConfigFile {
    path: PathBuf,
}

impl ConfigFile {
    /// `name` is the test's own, since tests run at the same time.
    fn new(name: &str, bytes: &[u8]) -> ConfigFile {
        let file = format!("muster-{}-{name}.toml", std::process::id());
        let path = std::env::temp_dir().join(file);
        std::fs::write(&path, bytes).expect("a file in the temporary folder");
        ConfigFile { path }
    }

    fn path(&self) -> &str {
        self.path.to_str().expect("a UTF-8 path")
    }
}

impl Drop for ConfigFile {
    fn drop(&mut self) {
        // A file left behind in the temporary folder fails no test.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[test]
fn the_version_is_printed_and_nothing_else_happens() {
    for flag in ["--version", "-V"] {
        let stdout = concat!("muster ", env!("CARGO_PKG_VERSION"), "\n").to_owned();
        let wanted = Run { code: Some(0), stdout, stderr: String::new() };
        assert_eq!(muster(&[flag], &[]), wanted);
    }
}

#[test]
fn help_tells_a_newcomer_what_it_is_and_how_to_begin() {
    for arguments in [&["--help"][..], &["serve", "--help"], &["help"]] {
        let help = muster(arguments, &[]);
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        for part in ["--listen <ADDR:PORT>", "[env: MUSTER_PEER_TIMEOUT]", "README.md"] {
            assert!(help.stdout.contains(part), "{part} in {arguments:?}: {}", help.stdout);
        }
    }
}

#[test]
fn an_unknown_flag_or_command_is_refused_with_the_nearest() {
    for (argument, text) in [
        ("--peer-timout=5", "unknown flag --peer-timout, did you mean --peer-timeout?"),
        ("--colour", "unknown flag --colour, see muster --help for all there are"),
        ("sevre", "unknown command sevre, did you mean serve?"),
    ] {
        assert_eq!(muster(&[argument], &[]), refused(text));
    }
}

#[test]
fn an_unknown_variable_is_refused_with_the_nearest() {
    let run = muster(&["--print-config"], &[("MUSTER_PEER_TIMOUT", "5")]);
    let wanted = "unknown variable MUSTER_PEER_TIMOUT, did you mean MUSTER_PEER_TIMEOUT?";
    assert_eq!(run, refused(wanted));
}

#[test]
fn an_unknown_key_of_the_file_is_refused_with_its_line_and_the_nearest() {
    let file = ConfigFile::new("unknown-key", b"# ours\nworkers = 1\npeer-timout = 5\n");
    let path = file.path();
    let wanted =
        format!("unknown key \"peer-timout\" in {path} line 3, did you mean \"peer-timeout\"?");
    assert_eq!(muster(&["--config", path], &[]), refused(&wanted));
    assert_eq!(muster(&["serve", "--config", path], &[]), refused(&wanted));
    assert_eq!(muster(&[], &[("MUSTER_CONFIG", path)]), refused(&wanted));
}

#[test]
fn a_wrong_value_is_refused_with_its_source_and_what_is_expected() {
    let wrong = "\"soon\": expected seconds from 60 to 86400, or a duration such as 30m, 2h or 1d";
    let flag = muster(&["--peer-timeout", "soon"], &[]);
    assert_eq!(flag, refused(&format!("--peer-timeout: {wrong}")));
    let variable = muster(&[], &[("MUSTER_PEER_TIMEOUT", "soon")]);
    assert_eq!(variable, refused(&format!("MUSTER_PEER_TIMEOUT: {wrong}")));
    let file = ConfigFile::new("wrong-value", b"peer-timeout = \"soon\"");
    let path = file.path();
    let by_file = muster(&["--config", path], &[]);
    assert_eq!(by_file, refused(&format!("peer-timeout in {path} line 1: {wrong}")));
    let negative = muster(&["--workers", "-1"], &[]);
    assert_eq!(negative, refused("--workers: \"-1\": expected a number from 0 to 256"));
}

#[test]
fn values_that_do_not_go_together_are_refused() {
    let run = muster(&["serve", "--min-interval", "1h"], &[]);
    let wanted = "min-interval 3600 must not exceed announce-interval 900: lower min-interval or \
                  raise announce-interval";
    assert_eq!(run, refused(wanted));
}

#[test]
fn a_file_that_is_missing_or_no_text_is_refused_by_its_name() {
    let missing = muster(&["--config", "/nowhere/muster.toml"], &[]);
    let wanted = "configuration file /nowhere/muster.toml: No such file or directory (os error 2); \
                  set --config or MUSTER_CONFIG to another path";
    assert_eq!(missing, refused(wanted));
    let file = ConfigFile::new("binary", b"workers = 1\n\xff");
    let wanted = format!("{} line 2: not UTF-8 text", file.path());
    assert_eq!(muster(&["--config", file.path()], &[]), refused(&wanted));
}

#[test]
fn the_printed_configuration_is_a_file_that_prints_the_same() {
    let printed = muster(&["serve", "--print-config"], &[]);
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    assert!(printed.stdout.contains("\npeer-timeout = 1800\n"), "{}", printed.stdout);
    let file = ConfigFile::new("printed", printed.stdout.as_bytes());
    let again = muster(&["--config", file.path(), "--print-config"], &[]);
    assert_eq!(again, printed);
}

#[test]
fn the_printed_configuration_is_what_results_from_all_sources() {
    let file = ConfigFile::new("sources", b"workers = 1\nmax-peers = 1\nmax-torrents = 1\n");
    let variables =
        [("MUSTER_CONFIG", file.path()), ("MUSTER_WORKERS", "2"), ("MUSTER_MAX_PEERS", "2")];
    // Before the name of the command, after it, repeated, as a switch.
    let arguments = [
        "--workers=3",
        "--listen=:0",
        "--allow-tiny-http-remote-crash",
        "serve",
        "--print-config",
        "--listen",
        "127.0.0.1:0,unix:/x",
        "--log-level=debug",
        "--trusted-proxies=10.0.0.0/8",
        "--trusted-proxies=::1",
    ];
    let run = muster(&arguments, &variables);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    for line in [
        "workers = 3",
        "max-peers = 2",
        "max-torrents = 1",
        "listen = [\"[::]:0\", \"127.0.0.1:0\", \"unix:/x\"]",
        "allow-tiny-http-remote-crash = true",
        "log-level = \"debug\"",
        "trusted-proxies = [\"10.0.0.0/8\", \"::1\"]",
        "peer-timeout = 1800",
    ] {
        assert!(run.stdout.lines().any(|printed| printed == line), "{line} in {}", run.stdout);
    }
    let off = muster(&["--print-config", "--allow-tiny-http-remote-crash=false"], &[]);
    assert!(off.stdout.contains("\nallow-tiny-http-remote-crash = false\n"), "{}", off.stdout);
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let full = std::fs::File::create("/dev/full").expect("Linux has it");
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    let output = command.arg("--help").stdout(full).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(stderr, "muster: standard output: No space left on device (os error 28)\n");
}
