//! `muster doctor`: what it finds, by value, and that it harms nothing.
//!
//! Each test breaks one thing of a host that is otherwise fine: all on loopback addresses, the
//! state in a folder of the test's own. What judges clocks, addresses and disks that a test cannot
//! have is tested beside it, in the modules.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::connection::{announce, hash, peer};
use crate::harness::{Folder, Server};

const MUSTER: &str = env!("CARGO_BIN_EXE_muster");

/// What a run has printed, and its exit code.
fn run(mut command: Command) -> (String, Option<i32>) {
    let output = command.env_remove("MUSTER_CONFIG").output().expect("the program starts");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
}

/// `muster doctor` about a tracker on this address, with its state in this folder.
fn doctor(listen: &str, folder: &Path, more: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(MUSTER);
    command.args(["doctor", "--listen", listen, "--state-file"]).arg(folder.join("state.json"));
    command.args(more);
    run(command)
}

/// The names and contents of all files.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("it can be listed");
    let paths = entries.map(|entry| entry.expect("its entries too").path());
    paths.map(|path| (path.display().to_string(), std::fs::read(path).expect("a file"))).collect()
}

#[track_caller]
fn assert_says(said: &str, lines: &str) {
    assert!(said.contains(lines), "missing:\n{lines}\nin:\n{said}");
}

#[test]
fn a_host_that_is_fine_has_no_problem() {
    let folder = Folder::new();
    let (said, code) = doctor("127.0.0.1:0", folder.path(), &["--udp-listen", "127.0.0.1:0"]);
    assert_eq!(code, Some(0), "{said}");
    let shown = folder.path().canonicalize().expect("it is there");
    let shown = shown.display();
    assert_says(&said, "ok       port         127.0.0.1:0 is free\n");
    assert_says(&said, "ok       port         udp 127.0.0.1:0 is free\n");
    assert_says(&said, &format!("ok       folder       {shown} can be written to\n"));
    assert_says(&said, "state.json is not there yet: a fresh start\n");
    assert_says(&said, "\nannounce URL: http://127.0.0.1:");
    assert!(said.ends_with("\n0 problems, 2 warnings\n"), "{said}");
    assert_eq!(contents(folder.path()), BTreeMap::new(), "the probe file is gone");
}

#[test]
fn a_port_that_another_program_has_is_a_problem() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = other.local_addr().expect("it is bound").to_string();
    drop(std::thread::spawn(move || {
        // It answers, and is no muster.
        while let Ok((connection, _)) = other.accept() {
            let _ = std::io::Write::write_all(&mut &connection, b"SSH-2.0-x\r\n");
        }
    }));
    let folder = Folder::new();
    let (said, code) = doctor(&address, folder.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert_says(
        &said,
        &format!(
            "problem  port         cannot listen on {address}: Address already in use (os error \
             98)\n                      -> another program listens there: end it, or choose \
             another port with --listen\n"
        ),
    );
}

#[test]
fn a_port_on_which_nobody_answers_may_be_the_service_managers() {
    // As systemd holds it for a service that is down.
    let held = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = held.local_addr().expect("it is bound").to_string();
    let folder = Folder::new();
    let (said, code) = doctor(&address, folder.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert_says(
        &said,
        &format!(
            "problem  port         cannot listen on {address}: Address already in use (os error \
             98)\n                      -> who listens there answers nobody: if that is \
             muster.socket, which holds the port while the service is down, systemctl start \
             muster; if not, end that program, or choose another port with --listen\n"
        ),
    );
}

#[test]
fn a_muster_on_one_address_says_nothing_about_another() {
    let server = Server::start(&[]);
    let folder = Folder::new();
    let address = server.tcp();
    let (said, code) = doctor(&format!("{address},127.0.0.2:0"), folder.path(), &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_says(&said, &format!("ok       port         {address}: a muster serves there\n"));
    assert_says(&said, "ok       port         127.0.0.2:0 is free\n");
    let reached = said.lines().filter(|line| line.starts_with("ok       reach ")).count();
    assert_eq!(reached, 4, "HTTP and UDP on both: {said}");
}

#[test]
fn a_token_that_cannot_be_read_is_a_problem() {
    let folder = Folder::new();
    let token = folder.join("token");
    let shown = token.display().to_string();
    let advice = "write a token there that the tracker's user can read, made with head -c 24 \
                  /dev/urandom | base64, or leave token-file out";
    for (content, cause) in [
        (None, "No such file or directory (os error 2)"),
        (Some("short"), "a token has at least 16 printable characters and no space"),
    ] {
        if let Some(content) = content {
            std::fs::write(&token, content).expect("it is ours to write");
        }
        let (said, code) = doctor("127.0.0.1:0", folder.path(), &["--token-file", &shown]);
        assert_eq!(code, Some(1), "{said}");
        let line = format!("problem  token        token-file {shown}: {cause}\n");
        assert_says(&said, &format!("{line}                      -> {advice}\n"));
    }
    std::fs::write(&token, "0123456789abcdef").expect("it is ours to write");
    let (said, code) = doctor("127.0.0.1:0", folder.path(), &["--token-file", &shown]);
    assert_eq!(code, Some(0), "{said}");
    assert_says(&said, "ok       token        there is one for the operator\n");
}

#[test]
fn a_unix_socket_needs_its_folder_and_its_name() {
    let folder = Folder::new();
    let check = |path: &Path| doctor(&format!("unix:{}", path.display()), folder.path(), &[]);
    let (said, code) = check(&folder.join("x.sock"));
    assert_eq!(code, Some(0), "{said}");
    assert_says(&said, "x.sock: nobody listens there\n");

    let nope = folder.join("nope");
    let (said, code) = check(&nope.join("x.sock"));
    assert_eq!(code, Some(1), "{said}");
    let nope = nope.display();
    assert_says(
        &said,
        &format!(
            "problem  port         unix:{nope}/x.sock: {nope} cannot be written to: No such file \
             or directory (os error 2)\n                      -> make it: mkdir -p {nope}\n"
        ),
    );

    let taken = folder.join("taken");
    std::fs::write(&taken, "").expect("it is ours to write");
    let (said, code) = check(&taken);
    assert_eq!(code, Some(1), "{said}");
    assert_says(
        &said,
        "taken: something else than a socket has that name\n                      -> take it \
         away, or choose another path with --listen\n",
    );
}

#[test]
fn a_state_that_is_no_file_is_named_and_not_waited_for() {
    let advice = "cannot read the state: it is not a regular file\n                      -> set \
                  state-file to the path of a file, or take away what is there\n";
    for (program, what) in [("mkdir", "a folder"), ("mkfifo", "a pipe nobody writes to")] {
        let folder = Folder::new();
        let made = Command::new(program).arg(folder.join("state.json")).status();
        assert!(made.is_ok_and(|status| status.success()), "{program}");
        let (said, code) = doctor("127.0.0.1:0", folder.path(), &[]);
        assert_eq!(code, Some(1), "{what}: {said}");
        assert_says(&said, advice);
    }
}

#[test]
fn a_running_muster_is_found_asked_and_left_alone() {
    let folder = Folder::new();
    let state = folder.join("state.json");
    let mut server = Server::start(&["--state-file", state.to_str().expect("a path in UTF-8")]);
    let before = contents(folder.path());
    let address = server.tcp();
    let url = format!("http://{address}/announce");
    let (said, code) = doctor(&address.to_string(), folder.path(), &[&url]);
    assert_eq!(code, Some(0), "{said}");
    for line in [
        format!("ok       port         {address}: a muster serves there\n"),
        format!("ok       port         udp {address}: a tracker serves there\n"),
        format!("ok       reach        {url} is reached from this host\n"),
        format!("ok       reach        udp://{address}/announce is reached from this host\n"),
        format!("ok       url          {url} answers, and sees this host as 127.0.0.1\n"),
    ] {
        assert_says(&said, &line);
    }
    assert_eq!(contents(folder.path()), before, "its files are as they were, its lock too");
    assert!(server.runs());
    assert_eq!(server.get("/health").status, 200);
    let said = server.get("/").text();
    assert_says(&said, "Now tracking 0 torrents with 0 peers");
}

#[test]
fn a_folder_that_is_missing_or_takes_no_files_is_a_problem() {
    let folder = Folder::new();
    let missing = folder.join("missing");
    let (said, code) = doctor("127.0.0.1:0", &missing, &[]);
    assert_eq!(code, Some(1), "{said}");
    let shown = missing.display();
    assert_says(
        &said,
        &format!(
            "problem  folder       {shown} cannot be written to: No such file or directory (os \
             error 2)\n                      -> make it: mkdir -p {shown}\n"
        ),
    );
    // Nobody makes files in /proc, root neither.
    let (said, code) = doctor("127.0.0.1:0", Path::new("/proc"), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert_says(&said, "problem  folder       /proc cannot be written to: ");
}

#[test]
fn a_damaged_state_is_a_problem_and_stays_as_it_is() {
    let folder = Folder::new();
    let state = folder.join("state.json");
    std::fs::write(&state, "{\"torrents\": {").expect("it is ours to write");
    let before = contents(folder.path());
    let (said, code) = doctor("127.0.0.1:0", folder.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert_says(&said, "state.json is damaged: ");
    assert_says(&said, "-> start the tracker: it keeps the file under another name");
    assert_eq!(contents(folder.path()), before);
}

#[test]
fn a_good_state_is_counted() {
    let folder = Folder::new();
    let state = folder.join("state.json");
    let mut server = Server::start(&["--state-file", state.to_str().expect("a path in UTF-8")]);
    server.get(announce(&hash(1), &peer(1), 6881, 1, ""));
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    let (said, code) = doctor("127.0.0.1:0", folder.path(), &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_says(&said, "state.json holds 1 torrent with 1 peer\n");
}

#[test]
fn few_descriptors_are_a_problem() {
    let folder = Folder::new();
    let mut command = Command::new("/bin/sh");
    let script = "ulimit -n 64; exec \"$0\" doctor --listen 127.0.0.1:0 --state-file \"$1\"";
    command.args(["-c", script, MUSTER]).arg(folder.join("state.json"));
    let (said, code) = run(command);
    assert_eq!(code, Some(1), "{said}");
    assert_says(
        &said,
        "problem  descriptors  64 may be open, so that 48 connections are kept at once\n\
         \x20                     -> raise the limit: LimitNOFILE= in the service, ulimit -n in a \
         shell\n",
    );
}

#[test]
fn programs_read_the_same_as_json() {
    let folder = Folder::new();
    let (said, code) = doctor("127.0.0.1:0", folder.path(), &["--json", "--udp=false"]);
    assert_eq!(code, Some(0), "{said}");
    let all: Value = serde_json::from_str(&said).expect("JSON");
    let counts = ["problems", "warnings"].map(|name| all[name].as_u64());
    assert_eq!(counts, [Some(0), Some(2)], "{said}");
    assert_eq!(all["announce_urls"].as_array().map(Vec::len), Some(1));
    let port = &all["findings"][0];
    let wanted = serde_json::json!({
        "check": "port", "level": "ok", "text": "127.0.0.1:0 is free", "advice": "",
    });
    assert_eq!(*port, wanted);
}
