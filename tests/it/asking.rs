//! `muster announce`, `scrape` and `decode`: against the real tracker, against trackers that
//! misbehave, and as README has them.
//!
//! Errors, faults and JSON are compared by value, the words for people where README shows them. No
//! test asks anything but loopback addresses, and each tracker has a free port of its own.

mod leaving;
pub mod over_tls;
mod over_udp;
mod portions;
mod scripted;

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Engine, Folder, Server};
use crate::programs::{Run, is_installed, muster};
use scripted::{Does, http, ok, reply};

const HASH: &str = "d1101a2b9d202811a05e8c57c557a20bf974dc8a";

/// A reply without a fault.
const GOOD: &[u8] = b"d8:intervali900e5:peers0:e";

/// What a run printed, if all went well.
fn printed(arguments: &[&str]) -> String {
    let run = muster(arguments, &[]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{arguments:?}: {}", run.stdout);
    run.stdout
}

fn json_of(arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(arguments)).expect("JSON")
}

/// A run that failed with this line, and printed nothing else.
fn failed(text: &str) -> Run {
    Run { code: Some(1), stdout: String::new(), stderr: format!("muster: {text}\n") }
}

/// The faults of a reply, as JSON has them.
fn faults(mut value: Value) -> Vec<String> {
    serde_json::from_value(value["faults"].take()).expect("a list of lines")
}

// -- the real tracker -----------------------------------------------------------------------------

#[test]
fn an_announce_shows_who_is_there_and_leaves_no_trace() {
    for engine in [Engine::Epoll, Engine::TinyHttp] {
        let options = ["--http-engine", engine.name()];
        let server = Server::listening(&["127.0.0.1:0", "[::1]:0"], &options);
        for address in server.udp() {
            let hash = format!("{:040x}", address.port());
            let http = address.to_string();
            let udp = format!("udp://{address}/announce");
            let seeder = ["--event", "started", "--left=0", "--port=51413"];
            let seeder = [&seeder[..], &["--peer-id=-TR4060-abcdefghijkl"]].concat();
            printed(&[&["announce"][..], &seeder, &[&http, &hash]].concat());
            let (ip, port) = (address.ip().to_string(), 51_413);
            for url in [&http, &udp] {
                let told = json_of(&["announce", "--json", url, &hash]);
                assert_eq!(told["peers"], json!([{ "ip": ip, "port": port }]), "{url}: {told}");
                assert_eq!(told["faults"], json!([]), "{url}: {told}");
                let counts = [&told["complete"], &told["incomplete"]];
                assert_eq!(counts, [&json!(1), &json!(1)], "{url}: we are the leecher");
            }
            let with_ids = json_of(&["announce", "--json", "--no-compact", &http, &hash]);
            let client =
                json!({ "client": "Transmission 4.0.6", "peer_id": "-TR4060-abcdefghijkl" });
            let peer = &with_ids["peers"][0];
            assert_eq!(
                [&peer["client"], &peer["peer_id"]],
                [&client["client"], &client["peer_id"]]
            );
            for url in [&http, &udp] {
                let told = json_of(&["scrape", "--json", url, &hash]);
                let wanted = json!({ "complete": 1, "downloaded": 0, "incomplete": 0 });
                assert_eq!(told["files"][&hash], wanted, "{url}: nobody but the seeder is left");
            }
        }
    }
}

#[test]
fn the_tracker_is_taken_from_a_torrent_that_names_it() {
    let server = Server::start(&[]);
    let folder = Folder::new();
    let announce = format!("http://{}/announce", server.tcp());
    let info = "d6:lengthi1e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae";
    let torrent = format!("d8:announce{}:{announce}4:info{info}e", announce.len());
    let path = folder.join("a.torrent");
    std::fs::write(&path, torrent).expect("the folder is ours");
    let path = path.to_str().expect("a UTF-8 path");
    let magnet = format!("magnet:?xt=urn:btih:{HASH}&tr={announce}");
    for torrent in [path, &magnet] {
        let told = json_of(&["announce", "--json", torrent]);
        assert_eq!((&told["url"], &told["incomplete"]), (&json!(announce), &json!(1)));
    }
    let told = json_of(&["scrape", "--json", path, &magnet]);
    assert_eq!(told["files"].as_object().map(serde_json::Map::len), Some(2), "{told}");
}

#[test]
fn a_raw_reply_is_what_came() {
    let address = http(vec![ok(b"d14:failure reason2:\xff\x00e")]).to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["announce", "--raw", &address, HASH])
        .output()
        .expect("the program starts");
    assert_eq!(output.stdout, b"d14:failure reason2:\xff\x00e");
    assert_eq!(output.status.code(), Some(1), "it is a refusal all the same");
}

#[test]
fn no_proxy_of_the_environment_is_used() {
    let server = Server::start(&[]);
    let proxies = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
    let proxies = proxies.map(|name| (name, "http://127.0.0.1:1"));
    let run = muster(&["scrape", &server.tcp().to_string(), HASH], &proxies);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
}

// -- trackers that misbehave ----------------------------------------------------------------------

/// What an announce to a tracker that does these things comes to, `URL` in place of its own.
fn announced(steps: Vec<Does>, options: &[&str]) -> Run {
    let url = format!("http://{}/announce", http(steps));
    let run = muster(&[&["announce"][..], options, &[&url, HASH]].concat(), &[]);
    let shown = |text: String| text.replace(&url, "URL");
    Run { code: run.code, stdout: shown(run.stdout), stderr: shown(run.stderr) }
}

#[test]
fn what_is_no_reply_is_an_error_of_one_line() {
    let says = |bytes: &[u8]| vec![Does::Says(bytes.to_vec())];
    let hint = "is the tracker up, and does a firewall let TCP port";
    for (steps, text) in [
        (
            says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nd8:interval"),
            "URL: the tracker closed the connection after 11 of 100 bytes of its reply",
        ),
        (
            says(b""),
            "URL: the tracker closed the connection without a reply; does it speak HTTP there?",
        ),
        (vec![Does::Pours], "URL: a reply of more than 4194304 bytes, which is given up"),
        (
            vec![reply("302 Found", "Location: http://a.example/x\r\n", b"")],
            "URL: HTTP status 302, which leads to http://a.example/x; ask there",
        ),
        (vec![ok(b"")], "URL: an empty reply"),
        (
            vec![ok(b"<html>")],
            "URL: the reply is not bencode: byte 0: no value begins with '<'; it begins \"<html>\"",
        ),
        (
            vec![ok(b"d8:inter")],
            "URL: the reply is not bencode: byte 1: the input ends within a \
                                 value; it begins \"d8:inter\"",
        ),
        // A length that is too short cuts the reply.
        (
            says(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nd8:intervali900e5:peers0:e"),
            "URL: the reply is not bencode: byte 1: the input ends within a value; it begins \
             \"d8:i\"",
        ),
        (
            vec![ok(b"d14:failure reason7:go away8:retry in5:nevere")],
            "URL: refused: go away; asking again is no use",
        ),
        (
            vec![ok(b"d14:failure reason5:later8:retry ini5ee")],
            "URL: refused: later; ask again in 5 min",
        ),
    ] {
        assert_eq!(announced(steps, &["--event=started"]), failed(text));
    }
    let run = announced(vec![Does::Hangs], &["--timeout=1", "--event=started"]);
    let text = format!("muster: URL: no answer within 1 s; {hint} ");
    assert!(run.code == Some(1) && run.stderr.starts_with(&text), "{run:?}");
    let run = announced(says(b"SSH-2.0-x\r\n\r\n"), &["--event=started"]);
    let text = "muster: URL: what answers there does not speak HTTP (";
    assert!(run.code == Some(1) && run.stderr.starts_with(text), "{run:?}");
}

/// opentracker answers so to compact=0.
#[test]
fn a_tracker_that_knows_no_ids_is_asked_without_them() {
    let page = reply("400 Invalid Request", "", b"<title>400</title>");
    let said = "URL: HTTP status 400, and the reply is not bencode: byte 0: no value begins with \
                '<'; it begins \"<title>400</title>\"";
    let run = announced(vec![page.clone()], &["--no-compact", "--json"]);
    let hint = "some trackers list no ids: leave out --no-compact";
    assert_eq!((run.code, run.stderr), (Some(1), format!("muster: {said}; {hint}\n")));
    let run = announced(vec![page], &[]);
    assert_eq!((run.code, run.stderr), (Some(1), format!("muster: {said}\n")));
}

#[test]
fn a_refusal_without_a_word_is_a_fault() {
    let run = announced(vec![ok(b"d14:failure reason0:e")], &[]);
    let fault = "Faults of the reply:\n  failure reason: empty, so that nobody learns why\n";
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), fault));
    assert_eq!(run.stderr, "muster: URL: refused without a word of why\n");
}

#[test]
fn a_key_is_of_hex_digits_alone() {
    for key in ["+f", "", "123456789", "g"] {
        let run = announced(vec![], &[&format!("--key={key}")]);
        let text = format!("muster: --key: \"{key}\": expected 1 to 8 hex digits\n");
        assert_eq!((run.code, run.stderr), (Some(2), text));
    }
}

#[test]
fn a_tracker_that_is_not_there_is_an_error_of_one_line() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let port = address.port();
    for (url, text) in [
        (
            format!("http://{address}/x"),
            format!(
                "http://{address}/x: connection refused; is the tracker running, and is {port} \
                 its TCP port?"
            ),
        ),
        (
            format!("udp://{address}"),
            format!(
                "udp://{address}: nobody listens there; is the tracker running, and is {port} its \
                 UDP port?"
            ),
        ),
    ] {
        assert_eq!(muster(&["announce", &url, HASH], &[]), failed(&text));
    }
    let url = format!("http://{address}/x");
    let text = format!("{url}: no IPv6 address is known for \"127.0.0.1\"; is the name right?");
    assert_eq!(
        muster(&["scrape", "-6", &format!("http://{address}/scrape"), HASH], &[]).code,
        Some(1)
    );
    assert_eq!(muster(&["announce", "-6", &url, HASH], &[]), failed(&text));
}

#[test]
fn each_fault_of_a_reply_is_told_and_is_no_failure() {
    let head = "200 OK";
    for (step, options, fault) in [
        (
            ok(b"d8:intervali900ee"),
            &[][..],
            "no peers: must be there even if empty (BEP 3); \
                                             rTorrent takes it for an error",
        ),
        (ok(b"d5:peers0:8:intervali900ee"), &[], "byte 10: a key out of order (BEP 3)"),
        (ok(b"d8:intervali900e5:peers0:e\n"), &[], "byte 26: more bytes after the end (BEP 3)"),
        (ok(b"d8:intervali0e5:peers0:e"), &[], "interval 0: not a time to wait"),
        (
            ok(b"d8:intervali900e5:peers6:\x7f\0\0\x01\x1a\xe1e"),
            &["--port=6881"],
            "127.0.0.1 port 6881 is our own address: nobody is a peer to itself",
        ),
        (
            ok(b"d8:intervali900e5:peers12:\x7f\0\0\x02\x1a\xe1\x7f\0\0\x02\x1a\xe2e"),
            &["--numwant=1"],
            "2 peers, numwant was 1 (BEP 3)",
        ),
        (
            reply("503 Busy", "", GOOD),
            &[],
            "HTTP status 503: clients ignore the body of all but 200",
        ),
        (
            reply(head, "Content-Encoding: br\r\n", GOOD),
            &[],
            "the reply is compressed (br) though nobody asked for it",
        ),
        (
            Does::Says(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                  1a\r\nd8:intervali900e5:peers0:e\r\n0\r\n\r\n"
                    .to_vec(),
            ),
            &[],
            "the reply is chunked, which small clients cannot read; say Content-Length",
        ),
    ] {
        let options = [options, &["--event=started"]].concat();
        let words = announced(vec![step.clone()], &options);
        assert_eq!((words.code, words.stderr.as_str()), (Some(0), ""), "{words:?}");
        let wanted = format!("\nFaults of the reply:\n  {fault}\n");
        assert!(words.stdout.ends_with(&wanted), "{wanted}: {words:?}");
        let json = announced(vec![step], &[&options[..], &["--json"]].concat());
        let json: Value = serde_json::from_str(&json.stdout).expect("JSON");
        assert_eq!(faults(json), [fault]);
    }
}

#[test]
fn a_tracker_that_cannot_be_left_is_told() {
    let refusal = ok(b"d14:failure reason4:stope");
    let run = announced(vec![ok(GOOD), refusal], &["--port=50001"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(
        run.stderr,
        "muster: the tracker may list port 50001 until it forgets it, since leaving failed: stop\n"
    );
    let listing = ok(b"d8:intervali900e5:peers6:\x7f\0\0\x01\xc3\x51e");
    let run = announced(vec![ok(GOOD), listing], &["--port=50001", "--json"]);
    let told: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let fault = "as we left: 127.0.0.1 port 50001 is our own address, listed as we leave";
    assert_eq!(faults(told), [fault]);
}

// -- decode, and README ---------------------------------------------------------------------------

/// What `muster decode` makes of this standard input.
fn decoded(arguments: &[&str], input: &[u8]) -> Run {
    let mut started = Command::new(env!("CARGO_BIN_EXE_muster"))
        .arg("decode")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    started.stdin.take().expect("piped").write_all(input).expect("it reads to the end");
    Run::of(started.wait_with_output().expect("it ends"))
}

#[test]
fn decode_reads_standard_input_and_files_and_says_what_it_cannot_read() {
    let json = "{\n  \"a\": 1\n}\n";
    let good =
        |stderr: &str| Run { code: Some(0), stdout: json.to_owned(), stderr: stderr.to_owned() };
    assert_eq!(decoded(&[], b"d1:ai1ee"), good(""));
    assert_eq!(decoded(&["--from", "hex"], b"64313a61 69316565\n"), good(""));
    let note = "muster: standard input: byte 8: more bytes after the end\n";
    assert_eq!(decoded(&["--from", "bencode"], b"d1:ai1eexyz"), good(note));
    let folder = Folder::new();
    let path = folder.join("a");
    std::fs::write(&path, "d1:ai1ee").expect("ours to write");
    assert_eq!(decoded(&[path.to_str().expect("UTF-8")], b""), good(""));
    assert_eq!(
        decoded(&[], b"d1:ai1"),
        failed("standard input: not bencode: byte 4: the input ends within a value")
    );
    assert_eq!(
        decoded(&["/nowhere/at/all"], b""),
        failed("/nowhere/at/all: No such file or directory (os error 2)")
    );
}

/// The commands of a section of README, each with what it prints.
fn commands_of(section: &str) -> Vec<(String, String)> {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(readme).expect("README.md");
    let start = readme.find(section).expect("the section") + section.len();
    let end = readme[start..].find("\n##").expect("a section behind it");
    let mut commands: Vec<(String, String)> = Vec::new();
    let mut within = false;
    for line in readme[start..start + end].lines() {
        let continues = commands
            .last()
            .is_some_and(|(command, printed)| printed.is_empty() && command.ends_with("\\\n"));
        match (within, line.strip_prefix("$ ")) {
            (false, _) => within = line == "```console",
            (true, _) if line == "```" => within = false,
            (true, Some(command)) => commands.push((format!("{command}\n"), String::new())),
            (true, None) => {
                let (command, printed) = commands.last_mut().expect("a command first");
                let text = if continues { command } else { printed };
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    commands
}

/// A text without the times that each run has its own of.
fn without_times(text: &str) -> String {
    let cut = |line: &str| match line.find("nterval\": ").or_else(|| line.find("ask again in")) {
        Some(at) => line[..at].to_owned(),
        None => line.to_owned(),
    };
    text.lines().map(cut).collect::<Vec<_>>().join("\n")
}

/// Runs the commands of a section in one shell against a server, and compares what they print.
fn run_section(section: &str) {
    let server = Server::start(&[]);
    let address = |text: &str, from: &str, to: &str| text.replace(from, to);
    let (shown, real) = ("127.0.0.1:6969", server.tcp().to_string());
    let commands = commands_of(section);
    assert!(commands.len() > 1, "{commands:?}");
    let end = "== the end of a command ==";
    let step = |(command, _): &(String, String)| {
        format!("{{ {}}} 2>&1\necho '{end}'\n", address(command, shown, &real))
    };
    let script: Vec<String> = commands.iter().map(step).collect();
    let program = Path::new(env!("CARGO_BIN_EXE_muster")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").expect("a path"));
    let folder = Folder::new();
    let output = Command::new("sh")
        .args(["-c", &script.concat()])
        .env("PATH", path)
        .current_dir(folder.path())
        .output()
        .expect("sh starts");
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let printed: Vec<&str> = output.split(&format!("{end}\n")).collect();
    for ((command, wanted), printed) in commands.iter().zip(printed) {
        let printed = address(printed, &real, shown);
        assert_eq!(without_times(&printed), without_times(wanted), "$ {command}");
    }
}

#[test]
fn readme_asks_a_tracker_as_it_says() {
    run_section("### Asking a tracker\n");
}

#[test]
fn readme_reads_bencode_with_curl_and_hexdump_as_it_says() {
    if is_installed("curl", &["--version"]) && is_installed("hexdump", &["--version"]) {
        run_section("### Reading bencode\n");
    }
}
