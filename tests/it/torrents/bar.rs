//! The progress bar of `muster create` and `muster verify`, on a terminal of their own.
//!
//! What is drawn is told by its words: how many bytes of how many, how fast, how long yet. The
//! first bytes always draw it; how often it is drawn then is the machine's business.

use std::process::Command;

use super::{URL, write_files};
use crate::clients::peer::PYTHON;
use crate::harness::Folder;
use crate::harness::without_our_variables;
use crate::programs::is_installed;

/// What muster writes on a terminal of 100 columns.
fn on_a_terminal(folder: &Folder, arguments: &[&str]) -> String {
    let mut command = Command::new(PYTHON);
    without_our_variables(&mut command);
    let terminal = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/terminal.py");
    let ran = command
        .args([terminal, "24", "100", "0", "", env!("CARGO_BIN_EXE_muster")])
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .expect("Python starts");
    let written = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert_eq!(ran.status.code(), Some(0), "{written:?}");
    written
}

/// Whether this is a number and a unit, `1.25 MiB`.
fn is_bytes(text: &str) -> bool {
    let units = ["B", "KiB", "MiB", "GiB"];
    let parts = text.split_once(' ');
    parts.is_some_and(|(number, unit)| number.parse::<f64>().is_ok() && units.contains(&unit))
}

/// Whether this is a bar, and says `BYTES of 4.00 MiB, BYTES/s, TIME left` behind it.
fn is_bar(text: &str) -> bool {
    let Some((bar, said)) = text.strip_prefix('[').and_then(|text| text.split_once("] ")) else {
        return false;
    };
    let said: Vec<&str> = said.split(", ").collect();
    let [done, rate, left] = said.as_slice() else { return false };
    bar.len() > 20
        && bar.trim_matches(['=', '>', ' ']).is_empty()
        && done.strip_suffix(" of 4.00 MiB").is_some_and(is_bytes)
        && rate.strip_suffix("/s").is_some_and(is_bytes)
        && left.strip_suffix(" left").is_some_and(|left| left.ends_with(['s', 'm', 'h', 'd']))
}

#[test]
fn a_terminal_shows_bytes_rate_and_time_left_and_nothing_of_it_in_the_end() {
    if !is_installed(PYTHON, &["--version"]) {
        return;
    }
    let folder = Folder::new();
    write_files(folder.path(), &[("film", 4 * 1024 * 1024)]);
    let create = ["create", "film", "-a", URL];
    for (arguments, last) in [
        (&create[..], "film.torrent: 1 file, 4 MiB, "),
        (&["verify", "film.torrent", "film"], "film: whole: 1 file, 4 MiB, "),
    ] {
        let written = on_a_terminal(&folder, arguments);
        let pictures: Vec<&str> = written.split(['\r', '\n', '\x1b']).collect();
        assert!(pictures.iter().any(|picture| is_bar(picture)), "{arguments:?}: {written:?}");
        let (_, end) = written.rsplit_once("\x1b[2K").expect("the bar is wiped away");
        assert!(end.starts_with(last), "{end:?}");
    }
}
