//! `muster create` and `muster verify`, each on real files and against the programs that people
//! make and check torrents with: mktorrent, Transmission, libtorrent and aria2.
//!
//! Both commands run as the real program and end by themselves; what they did is told by their exit
//! code, their output and the files they left. The others run offline. Where one of them is missing
//! the tests that need it say so in one line.

mod bar;
mod create;
mod others;
mod verify;

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use muster::metainfo::Metainfo;

use crate::harness::without_our_variables;

/// What a program did.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Ran { code: output.status.code(), stdout, stderr }
    }
}

/// Runs a program in a folder, with nothing to read.
fn run(program: &str, folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Ran {
    let mut command = Command::new(program);
    without_our_variables(&mut command);
    let command = command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command.output().unwrap_or_else(|error| panic!("{program}: {error}")).into()
}

/// Runs muster in a folder.
fn muster(folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Ran {
    run(env!("CARGO_BIN_EXE_muster"), folder, arguments)
}

/// Runs muster in a folder, which is to succeed and to complain of nothing.
fn muster_silently(folder: &Path, arguments: &[impl AsRef<OsStr>]) -> String {
    let ran = muster(folder, arguments);
    assert_eq!((ran.code, &ran.stderr[..]), (Some(0), ""), "{}", ran.stdout);
    ran.stdout
}

/// Reads a torrent.
fn read(path: &Path) -> Metainfo {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Metainfo::parse(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Bytes that differ from place to place, always the same.
fn noise(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(length as u64);
    std::iter::repeat_with(|| random.u8(..)).take(length).collect()
}

/// Writes files of noise below a folder, and the folders that they lie in.
fn write_files(folder: &Path, files: &[(impl AsRef<OsStr>, usize)]) {
    for (below, length) in files {
        let path = folder.join(below.as_ref());
        let parent = path.parent().expect("it lies in the folder");
        std::fs::create_dir_all(parent).expect("the folder is ours");
        std::fs::write(path, noise(*length)).expect("the folder is ours");
    }
}

/// The names in a folder, sorted.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder is ours");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.expect("an entry").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

/// What every tracker URL here is: nothing listens there.
const URL: &str = "http://tracker.example:6969/announce";
