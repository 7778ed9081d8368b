//! `muster add`: what the real tracker knows afterwards, and what comes of trackers that refuse,
//! hang, break off or are not there.
//!
//! Torrents are written by hand, so that every value in them is known. Waits are as short as the
//! flags allow; that they grow is tested on the function that says how long they are.

mod trouble;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use muster::request::InfoHash;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use crate::asking::over_tls::make_certificates;
use crate::clients::peer::PYTHON;
use crate::harness::{Folder, Server};
use crate::operator::page::Ask;
use crate::programs::{Run, is_installed, muster};
use crate::scripted::{Act, Scripted};

const TOKEN: &str = "a-token-for-this-test";

/// A torrent's file and its info hash.
struct Torrent {
    bytes: Vec<u8>,
    hash: String,
}

/// A torrent with these keys before and within its info dictionary.
fn torrent(outer: &str, info: &str) -> Torrent {
    let hash = InfoHash(Sha1::digest(info).into()).to_string();
    Torrent { bytes: format!("d{outer}4:info{info}e").into_bytes(), hash }
}

/// A torrent of one file.
fn single(name: &str) -> Torrent {
    let pieces = "a".repeat(20);
    let length = name.len();
    torrent(
        "",
        &format!("d6:lengthi7e4:name{length}:{name}12:piece lengthi16384e6:pieces20:{pieces}e"),
    )
}

/// A torrent of two files in a folder, with all that the original script looks at.
fn several() -> Torrent {
    let pieces = "b".repeat(40);
    torrent(
        "7:comment6:h\u{e9}llo10:created by7:maker 113:creation datei1700000002e",
        &format!(
            "d5:filesld6:lengthi20000e4:pathl1:aeed6:lengthi5e4:pathl1:b1:ceee4:name7:a album\
             12:piece lengthi16384e6:pieces40:{pieces}e"
        ),
    )
}

fn write(folder: &Folder, name: &str, torrent: &Torrent) -> String {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is ours");
    std::fs::write(&path, &torrent.bytes).expect("the folder is ours");
    path.to_str().expect("UTF-8").to_owned()
}

/// Runs `muster add` against a tracker; several words stand in one text.
fn add(url: &str, words: &str, paths: &[&str]) -> Run {
    let words = words.split_whitespace();
    let all: Vec<&str> =
        ["add", "-t", url].into_iter().chain(words).chain(paths.to_vec()).collect();
    muster(&all, &[])
}

/// What the tracker shows of a torrent.
fn stats(server: &Server, hash: &str) -> Value {
    Ask::get(&format!("/stats?peers=0&info_hash={hash}")).of(server).good()[hash].clone()
}

#[test]
fn what_the_original_script_extracts_is_registered_by_value() {
    let (server, folder) = (Server::start(&[]), Folder::new());
    let (one, two) = (single("film.mkv"), several());
    let paths = [write(&folder, "one.torrent", &one), write(&folder, "two.torrent", &two)];
    let url = format!("http://{}/announce", server.tcp());
    let added = add(&url, "", &[&paths[0], &paths[1]]);
    let place = server.tcp();
    assert_eq!((added.code, added.stderr.as_str()), (Some(0), ""), "{added:?}");
    let mut wanted = vec![
        format!("new      {}: film.mkv, 7 bytes, {}", paths[0], one.hash),
        format!("new      {}: a album, 19.5 KiB, {}", paths[1], two.hash),
        format!("2 torrents registered with {place} (2 new)"),
    ];
    wanted.sort_unstable();
    let mut lines: Vec<&str> = added.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, wanted);
    let shown = |hash: &str| {
        let mut shown = stats(&server, hash);
        shown.as_object_mut().expect("a torrent").retain(|key, _| key != "peers" && key != "stats");
        shown
    };
    assert_eq!(
        shown(&one.hash),
        json!({
            "info_hash": one.hash, "registered": true, "name": "film.mkv", "size": 7,
            "piece_length": 16384, "creation_date": 0, "comment": "",
            "created_by": "Torrent Tracker Script",
        })
    );
    assert_eq!(
        shown(&two.hash),
        json!({
            "info_hash": two.hash, "registered": true, "name": "a album", "size": 20005,
            "piece_length": 16384, "creation_date": 1_700_000_002, "comment": "h\u{e9}llo",
            "created_by": "maker 1",
        })
    );
}

#[test]
fn folders_are_searched_and_what_failed_is_named_while_the_rest_goes_through() {
    let (server, folder) = (Server::start(&[]), Folder::new());
    let good = single("good");
    write(&folder, "d/deep/er/good.torrent", &good);
    std::fs::write(folder.join("d/bad.torrent"), "junk").expect("the folder is ours");
    std::fs::write(folder.join("d/readme.txt"), "x").expect("the folder is ours");
    std::os::unix::fs::symlink("..", folder.join("d/deep/up")).expect("a link");
    let place = folder.path().display();
    let missing = format!("{place}/missing.torrent");
    let url = server.tcp().to_string();
    let added = add(&url, "--jobs 1", &[&format!("{place}/d"), &missing]);
    assert_eq!(
        added.stdout,
        format!(
            "skipped  {place}/d/readme.txt: not a .torrent file\n\
             new      {place}/d/deep/er/good.torrent: good, 7 bytes, {}\n\
             1 torrent registered with {url} (1 new), 1 other file skipped\n",
            good.hash
        )
    );
    assert_eq!(
        added.stderr,
        format!(
            "muster: {missing}: No such file or directory (os error 2)\n\
             muster: {place}/d/bad.torrent: not a torrent file: not bencode: byte 0: no value \
             begins with 'j'\n\
             muster: 2 failed: {missing}, {place}/d/bad.torrent\n"
        )
    );
    assert_eq!(added.code, Some(1));
    assert_eq!(stats(&server, &good.hash)["name"], "good");
    let nothing = add(&url, "", &[&format!("{place}/d/readme.txt")]);
    assert_eq!(
        (nothing.code, nothing.stderr.as_str()),
        (Some(1), "muster: no .torrent file among these\n")
    );
}

#[test]
fn what_the_tracker_made_of_a_torrent_is_told() {
    let (server, folder) = (Server::start(&[]), Folder::new());
    let torrent = single("film");
    let path = write(&folder, "film.torrent", &torrent);
    // Known under a hash that agrees in its first ten and last five digits.
    let similar = format!("{}{}{}", &torrent.hash[..10], "0".repeat(25), &torrent.hash[35..]);
    Ask::register(json!({ "info_hash": similar, "name": "old" }).to_string()).of(&server).good();
    let url = server.tcp().to_string();
    let first_line = |run: &Run| {
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
        run.stdout.lines().next().unwrap_or_default().to_owned()
    };
    let hash = &torrent.hash;
    assert_eq!(
        first_line(&add(&url, "", &[&path])),
        format!(
            "similar  {path}: film, 7 bytes, {hash}; taken for {similar}, which the tracker knew; \
             --exact registers it as it is"
        )
    );
    assert_eq!(stats(&server, &similar)["name"], "film");
    let exact = add(&url, "--exact", &[&path]);
    assert_eq!(first_line(&exact), format!("new      {path}: film, 7 bytes, {hash}"));
    let again = add(&url, "--json", &[&path]);
    let line: Value = serde_json::from_str(&first_line(&again)).expect("JSON");
    let wanted = json!({
        "file": path, "result": "updated", "info_hash": hash, "name": "film", "size": 7,
    });
    assert_eq!((line, again.stdout.lines().count()), (wanted, 1));
}

#[test]
fn many_at_once_are_all_registered() {
    let (server, folder) = (Server::start(&[]), Folder::new());
    let names: Vec<String> = (0..40).map(|number| format!("file {number}")).collect();
    let torrents: Vec<Torrent> = names.iter().map(|name| single(name)).collect();
    for (name, torrent) in names.iter().zip(&torrents) {
        write(&folder, &format!("{name}.torrent"), torrent);
    }
    let place = folder.path().to_str().expect("UTF-8");
    let added = add(&server.tcp().to_string(), "--jobs 16", &[place]);
    assert_eq!((added.code, added.stderr.as_str()), (Some(0), ""), "{added:?}");
    let page = Ask::get("/stats?peers=0").of(&server).good();
    for (name, torrent) in names.iter().zip(&torrents) {
        assert_eq!(page[&torrent.hash]["name"], *name);
    }
}

#[test]
fn texts_too_long_for_the_tracker_are_cut_and_said_to_be() {
    let (server, folder) = (Server::start(&[]), Folder::new());
    let long = torrent(&format!("7:comment5000:{}", "x".repeat(5000)), {
        "d6:lengthi7e4:name1:n12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae"
    });
    let path = write(&folder, "long.torrent", &long);
    let added = add(&server.tcp().to_string(), "", &[&path]);
    assert!(
        added.stdout.contains("; cut: comment: 5000 bytes, at most 4096 are kept\n"),
        "{added:?}"
    );
    assert_eq!(stats(&server, &long.hash)["comment"], "x".repeat(4096));
}

#[test]
fn the_token_comes_from_a_file_or_a_variable_and_is_never_shown() {
    let folder = Folder::new();
    let torrent = single("film");
    let path = write(&folder, "film.torrent", &torrent);
    let server = Scripted::start(&[Act::Answer(200, "{\"matched\": \"new\"}")]);
    let file = folder.join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).expect("the folder is ours");
    let file = file.to_str().expect("UTF-8");
    let url = server.address.to_string();
    let by_file = ["add", "-t", &url, "--token-file", file, &path];
    let by_nothing = ["add", "-t", &url, &path];
    let other = "another-token-entirely";
    for (arguments, variables, shown) in [
        (&by_file[..], &[][..], Some(TOKEN)),
        (&by_file[..], &[("MUSTER_TOKEN", other)][..], Some(TOKEN)),
        (&by_nothing[..], &[("MUSTER_TOKEN", other)], Some(other)),
        (&by_nothing[..], &[("MUSTER_TOKEN_FILE", file)], Some(TOKEN)),
        (&by_nothing[..], &[("MUSTER_TOKEN", other), ("MUSTER_TOKEN_FILE", file)], Some(other)),
        (&by_nothing[..], &[], None),
    ] {
        let before = server.requests().len();
        let run = muster(arguments, variables);
        assert_eq!(run.code, Some(0), "{run:?}");
        let said = format!("{run:?}");
        assert!(!said.contains(TOKEN) && !said.contains(other), "{said}");
        let request = server.requests()[before].to_lowercase();
        let header = request.lines().find_map(|line| line.strip_prefix("authorization: "));
        assert_eq!(header, shown.map(|token| format!("bearer {token}")).as_deref(), "{request}");
    }
    for (file, wrong) in [
        ("/nowhere/token", "token-file /nowhere/token: No such file or directory (os error 2)"),
        (path.as_str(), &format!("token-file {path}: a token has at least 16 printable")[..]),
    ] {
        let run = muster(&["add", "-t", &url, "--token-file", file, &path], &[]);
        assert!(run.stderr.starts_with(&format!("muster: {wrong}")), "{run:?}");
        assert_eq!(run.code, Some(2));
    }
}

/// A program that is killed when dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_tracker_behind_tls_is_told_too_by_who_has_its_token() {
    if !is_installed("openssl", &["version"]) || !is_installed(PYTHON, &["--version"]) {
        return;
    }
    let folder = Folder::new();
    let torrent = single("film");
    let path = write(&folder, "film.torrent", &torrent);
    let token = folder.join("token");
    std::fs::write(&token, TOKEN).expect("the folder is ours");
    let server = Server::start(&["--token-file", token.to_str().expect("UTF-8")]);
    let certificate = make_certificates(folder.path());
    let mut front = Command::new(PYTHON);
    front.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/tls_front.py"));
    front.arg(certificate).arg(server.tcp().ip().to_string());
    front.arg(server.tcp().port().to_string()).stdout(Stdio::piped());
    let mut front = Killed(front.spawn().expect("Python starts"));
    let mut port = String::new();
    let stdout = front.0.stdout.take().expect("it is piped");
    BufReader::new(stdout).read_line(&mut port).expect("it says where it listens");
    let url = format!("https://127.0.0.1:{}/announce", port.trim());
    let trusted = |folder: &Folder| folder.join("ca.pem").to_str().expect("UTF-8").to_owned();

    // The front says that it speaks for somebody else, so nobody behind it is the operator.
    let certificates = trusted(&folder);
    let stranger = [("SSL_CERT_FILE", certificates.as_str())];
    let operator = [stranger[0], ("MUSTER_TOKEN", TOKEN)];
    let page = format!("https://127.0.0.1:{}", port.trim());
    let refused = muster(&["add", "-t", &url, &path], &stranger);
    assert_eq!(
        refused.stderr,
        format!(
            "muster: {path}: {page}/add_torrent_info: answered 403: only the operator may do this: \
             from the tracker's own host and not through a proxy, or with the header \
             Authorization: Bearer TOKEN; give the operator's token with --token-file FILE or in \
             MUSTER_TOKEN\nmuster: 1 failed: {path}\n"
        )
    );
    let wrong = [stranger[0], ("MUSTER_TOKEN", "a-token-of-another-test")];
    let refused = muster(&["add", "-t", &url, &path], &wrong).stderr;
    assert!(refused.contains(" operator's token; is it the token of this tracker?"), "{refused}");
    let added = muster(&["add", "-t", &url, &path], &operator);
    assert_eq!((added.code, added.stderr.as_str()), (Some(0), ""), "{added:?}");
    assert_eq!(stats(&server, &torrent.hash)["name"], "film");
    // So does `muster stats`.
    let totals = muster(&["stats", &url], &stranger).stdout;
    assert!(totals.starts_with("1 torrent, 0 seeders, 0 leechers\nThe torrents"), "{totals}");
    let table = muster(&["stats", &url], &operator).stdout;
    assert!(table.contains("\nfilm           0         0          0  7 bytes\n"), "{table}");
    // A certificate that nobody vouches for is refused once: it would be again.
    let other = Folder::new();
    make_certificates(other.path());
    let refused = muster(&["add", "-t", &url, &path], &[("SSL_CERT_FILE", &trusted(&other))]);
    let wrong = "certificate comes from nobody this system trusts";
    assert!(refused.stderr.contains(wrong), "{refused:?}");
    assert!(!refused.stderr.contains("again"), "{refused:?}");
    assert_eq!(refused.code, Some(1));
}
