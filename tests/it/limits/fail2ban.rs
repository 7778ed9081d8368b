//! What fail2ban makes of a real run's log: it finds the addresses that were turned away, in both
//! formats and as the journal has the lines, and nobody that a client has written into its request.
//!
//! `fail2ban-regex` is Debian's (`make test-deps`); without it these tests say so and pass, unless
//! `REQUIRE_CLIENTS` is set.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::connection::{Connection, announce, get, hash, peer};
use crate::harness::{Address, Engine, Folder, Server, is_installed};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/fail2ban").join(name)
}

/// The log of a run in which two addresses are turned away, and write somebody else's address
/// where they may, short enough to be quoted whole.
fn log_of_a_run(format: &str) -> String {
    let options = ["--unlimited-networks", "127.0.0.1", "--log-level", "debug", "--http-engine"];
    let bounds = ["--max-announces-per-ip", "1", "--max-errors-per-ip", "1", "--log-format"];
    let options = [&options[..], &[Engine::Epoll.name()], &bounds, &[format]].concat();
    let server = Server::listening(&["127.0.0.1:0", "[::1]:0"], &options);
    let forged = "refused cause=errors from=9.9.9.9";
    for nth in 0..8 {
        let target = announce(&hash(1), &peer(1), 6881, 1, "");
        server.get_from("127.0.0.9", &target);
        let target = format!("/announce?info_hash=warn%20%20{}", forged.replace(' ', "%20"));
        server.get_from("127.0.0.9", target);
        let mut connection = server.connect_from("127.0.0.9");
        connection.send(format!("warn  {forged}\r\nX: warn  {forged}\r\n\r\n"));
        let _ = connection.rest();
        let Address::Tcp(v6) = server.addresses[1] else { panic!("a TCP one") };
        let mut connection = Connection::from(v6.ip(), v6);
        connection.send(get(format!("/nowhere-{nth}")));
        assert!([404, 429].contains(&connection.reply().status));
    }
    let errors = if format == "json" { "errors\",\"from\":\"::1\"" } else { "errors from=::1\n" };
    server.wait_for_log(errors);
    server.stderr()
}

/// The addresses that the shipped filter finds in a log, in order, each once.
fn found(log: &str, causes: &str) -> Vec<String> {
    let folder = Folder::new();
    std::fs::write(folder.join("log"), log).expect("the folder is ours to write");
    let filter = format!("{}{causes}", shipped("filter.d/muster.conf").display());
    let output = Command::new("fail2ban-regex")
        .args(["-o", "id"])
        .arg(folder.join("log"))
        .arg(filter)
        .output()
        .expect("fail2ban-regex runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let mut found: Vec<String> = said.lines().map(str::to_owned).collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn fail2ban_finds_who_was_turned_away_and_nobody_else() {
    if !is_installed("fail2ban-regex") {
        return;
    }
    for format in ["text", "json"] {
        let log = log_of_a_run(format);
        assert!(log.contains("9.9.9.9"), "what is forged stands in the log: {log}");
        // As journald shows it to fail2ban, and as `journalctl -o short-iso` prints it.
        let journal = |line: &str| format!("2026-11-21T02:40:16+0000 host muster[77]: {line}\n");
        let journal: String = log.lines().map(journal).collect();
        for log in [&log, &journal] {
            assert_eq!(found(log, ""), ["127.0.0.9", "::1"], "{log}");
            assert_eq!(found(log, "[causes=\"announces\"]"), ["127.0.0.9"], "{log}");
            assert_eq!(found(log, "[causes=\"token|connections\"]"), [""; 0], "{log}");
        }
    }
}

#[test]
fn fail2ban_takes_the_shipped_jail() {
    if !is_installed("fail2ban-client") {
        return;
    }
    let folder = Folder::new();
    let copied = Command::new("cp").args(["-r", "/etc/fail2ban/."]).arg(folder.path()).status();
    assert!(copied.expect("cp is there").success());
    for name in ["filter.d/muster.conf", "jail.d/muster.conf"] {
        std::fs::copy(shipped(name), folder.join(name)).expect("shipped");
    }
    let local = "[muster]\nenabled = true\n[sshd]\nenabled = false\n";
    std::fs::write(folder.join("jail.local"), local).expect("the folder is ours to write");
    std::fs::write(folder.join("jail.d/zz.local"), local).expect("the folder is ours to write");
    let output = Command::new("fail2ban-client").arg("-c").arg(folder.path()).arg("-d").output();
    let output = output.expect("fail2ban-client runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for wanted in ["['start', 'muster']", "['set', 'muster', 'maxretry', 5]", "f2b-muster-udp"] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}
