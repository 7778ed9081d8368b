//! The disk is full, the folder read-only, the file not ours, or somebody else's.
//!
//! Permissions bind everybody but root, so as root the program runs as another user. A full disk is
//! a limit on the size of files, which everybody may set, and a small tmpfs where that may be
//! mounted.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::{NAME, Signal, counts, join, serve};
use crate::connection::Reply;
use crate::harness::{Folder, Server, eventually};

/// A user without rights; the tests may run as root, whom permissions do not bind.
const NOBODY: u32 = 65_534;

/// Whether this process may become another user.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The program with its state there, as a user whom permissions bind.
fn bound(state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--state-file"]).arg(state);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// A folder that belongs to that user.
fn folder_of_bound() -> Folder {
    let folder = Folder::new();
    if is_root() {
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root may");
    }
    folder
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// Waits for a program that fails to start; its exit code and its one line.
fn fails(command: Command) -> (Option<i32>, String) {
    let mut server = Server::launch(command);
    let code = server.wait().code();
    assert_eq!(server.stdout(), "", "{}", server.stderr());
    let line = server.stderr();
    let message = line.split_once("Z error ").map(|(_, message)| message.trim().to_owned());
    (code, message.unwrap_or(line))
}

/// Saves while nothing can be saved: the log says so, the tracker serves on, the old file stays,
/// and the exit code tells.
fn withstands_a_failing_save(mut server: Server, state: &Path, cause: &str) {
    let old = fs::read(state).expect("the last good save");
    join(&server, 2, 2, 0, "");
    server.signal(Signal::USR1);
    server.wait_for_log(&format!(
        "Z error SIGUSR1: {}.tmp: cannot write the state: ",
        state.display()
    ));
    server.wait_for_log(cause);
    join(&server, 3, 3, 0, "");
    assert_eq!((counts(&server, 1).0, counts(&server, 3).0), (1, 1));
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(1));
    assert_eq!(fs::read(state).expect("the last good save"), old);
    let leftover = state.with_file_name(format!("{NAME}.tmp"));
    assert!(!leftover.exists(), "a part of a file was left");
}

#[test]
fn a_full_disk_keeps_the_old_save_and_the_tracker_serving() {
    // A limit on the size of files stands for the disk: a write beyond it fails as on a full one.
    let folder = Folder::new();
    let state = folder.path().canonicalize().expect("it is there").join(NAME);
    let server = serve(&state, &[]);
    join(&server, 1, 1, 0, "");
    server.signal(Signal::USR1);
    server.wait_for_log("SIGUSR1: saved");
    drop(server);
    // Without the two torrents more the file fits.
    let server = limited(&state, 1);
    withstands_a_failing_save(server, &state, "File too large");
}

/// The program with files of at most so many blocks of 512 bytes.
fn limited(state: &Path, blocks: u32) -> Server {
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_muster");
    let script = format!("ulimit -f {blocks} && exec {program} serve --listen 127.0.0.1:0 \"$@\"");
    command.args(["-c", &script, "sh", "--state-file"]).arg(state);
    Server::of(command, 1)
}

/// Registers the torrent of this number.
fn register(server: &Server, number: u32) -> Reply {
    let hash = format!("{number:02x}").repeat(20);
    let body = format!(r#"{{"info_hash": "{hash}", "name": "film {number}"}}"#);
    let length = body.len();
    let mut client = server.connect();
    client.send(format!(
        "POST /add_torrent_info HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n\r\n{body}",
        server.tcp()
    ));
    client.reply()
}

#[test]
fn a_registration_that_the_disk_does_not_take_is_neither_acknowledged_nor_there() {
    let folder = Folder::new();
    let state = folder.path().canonicalize().expect("it is there").join(NAME);
    let server = limited(&state, 1);
    let refused = (1..).map(|number| (number, register(&server, number)));
    let (first, reply) = refused.into_iter().find(|(_, reply)| reply.status != 200).expect("full");
    let error = format!(
        "{{\"error\":\"{}.journal-1: cannot write the journal: File too large (os error 27)\"}}",
        state.display()
    );
    assert_eq!((reply.status, reply.text().replace(": \"", ":\"").trim()), (500, &*error));
    assert!((2..10).contains(&first), "{first}: 512 bytes hold a few");
    server.signal(Signal::KILL);
    drop(server);
    let server = serve(&state, &[]);
    let line = format!("{} torrents, 0 peers; 0 peers have timed out; {0} entries", first - 1);
    server.wait_for_log(&line);
    assert!(!server.stderr().contains("Z warn"), "{}", server.stderr());
}

#[test]
fn a_save_that_runs_out_of_file_descriptors_does_not_keep_the_next_from_being_made() {
    let folder = Folder::new();
    let state = folder.path().canonicalize().expect("it is there").join(NAME);
    let server = serve(&state, &[]);
    let open = || server.descriptors();
    let before = open();
    assert_eq!(register(&server, 1).status, 200);
    eventually(&before, open);
    // Room for the journal, and none for the folder that holds it.
    let free = (0..1024).find(|number| !before.contains(number)).expect("a number");
    let old = server.limit_descriptors(Some(free + 1));
    server.signal(Signal::USR1);
    server.wait_for_log(&format!(
        "Z error SIGUSR1: {}.journal-2: cannot begin a journal: Too many open files (os error 24)",
        state.display()
    ));
    server.limit_descriptors(old);
    assert!(!folder.join(&format!("{NAME}.journal-2")).exists());
    server.signal(Signal::USR1);
    server.wait_for_log("SIGUSR1: saved 1 torrents");
}

/// A file system of its own with little room; unmounted on drop.
struct SmallDisk(Folder);

impl SmallDisk {
    /// `None` where mounting is not allowed.
    fn mount() -> Option<SmallDisk> {
        let folder = Folder::new();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "none"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| SmallDisk(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_disk_that_is_really_full_is_withstood_too_where_mounting_is_allowed() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("not run: mounting a tmpfs is not allowed here");
        return;
    };
    let state = disk.0.path().canonicalize().expect("it is there").join(NAME);
    let server = serve(&state, &[]);
    join(&server, 1, 1, 0, "");
    server.signal(Signal::USR1);
    server.wait_for_log("SIGUSR1: saved");
    // Nothing is left but what files have already.
    let filled = fs::write(disk.0.join("filler"), vec![0; 128 * 1024]);
    filled.expect_err("the disk is smaller");
    withstands_a_failing_save(server, &state, "No space left on device");
}

#[test]
fn a_folder_that_becomes_read_only_is_withstood() {
    let folder = folder_of_bound();
    let state = folder.path().canonicalize().expect("it is there").join(NAME);
    let server = Server::of(bound(&state), 1);
    join(&server, 1, 1, 0, "");
    server.signal(Signal::USR1);
    server.wait_for_log("SIGUSR1: saved");
    set_mode(folder.path(), 0o555);
    withstands_a_failing_save(server, &state, "Permission denied");
    set_mode(folder.path(), 0o755);
}

#[test]
fn a_read_only_folder_stops_the_start() {
    let folder = folder_of_bound();
    let state = folder.path().canonicalize().expect("it is there").join(NAME);
    set_mode(folder.path(), 0o555);
    let wanted =
        format!("{}.lock: cannot lock the state: Permission denied (os error 13)", state.display());
    assert_eq!(fails(bound(&state)), (Some(1), wanted));
    set_mode(folder.path(), 0o755);
}

#[test]
fn a_state_file_that_may_not_be_read_stops_the_start_and_is_left_alone() {
    let folder = folder_of_bound();
    let state = folder.path().canonicalize().expect("it is there").join(NAME);
    fs::write(&state, "secret").expect("a file");
    set_mode(&state, 0o000);
    let wanted =
        format!("{}: cannot read the state: Permission denied (os error 13)", state.display());
    assert_eq!(fails(bound(&state)), (Some(1), wanted));
    set_mode(&state, 0o600);
    assert_eq!(fs::read(&state).expect("it is there"), b"secret");
}

#[test]
fn a_folder_in_the_state_files_place_stops_the_start() {
    let folder = folder_of_bound();
    let state = folder.path().canonicalize().expect("it is there").join(NAME);
    fs::create_dir(&state).expect("a folder");
    let wanted =
        format!("{}: cannot read the state: a folder stands in its place", state.display());
    assert_eq!(fails(bound(&state)), (Some(1), wanted));
}

#[test]
fn a_second_tracker_on_the_same_state_does_not_start() {
    let folder = folder_of_bound();
    let state = folder.path().canonicalize().expect("it is there").join(NAME);
    let first = Server::of(bound(&state), 1);
    // By another name for the same file, too.
    symlink(&state, folder.join("alias.json")).expect("a symlink");
    for path in [&state, &folder.join("alias.json")] {
        let (code, message) = fails(bound(path));
        let start = format!("{}: cannot lock the state: another muster (process ", state.display());
        assert_eq!(code, Some(1));
        assert!(message.starts_with(&start), "{message}");
        assert!(message.ends_with(") uses it; give each its own state-file"), "{message}");
    }
    join(&first, 1, 1, 0, "");
    assert_eq!(counts(&first, 1).0, 1);
}

#[test]
fn a_damaged_state_file_is_an_error_in_the_log_and_the_tracker_serves() {
    let folder = Folder::new();
    let state = folder.path().canonicalize().expect("it is there").join(NAME);
    fs::write(&state, "{\"torrents\": ").expect("a file");
    let server = serve(&state, &[]);
    let shown = state.display();
    server.wait_for_log(&format!("Z error {shown} is damaged and was renamed to {shown}.damaged-"));
    server.wait_for_log(": EOF while parsing a value at line 1 column 13\n");
    join(&server, 1, 1, 0, "");
    assert_eq!(counts(&server, 1).0, 1);
}
