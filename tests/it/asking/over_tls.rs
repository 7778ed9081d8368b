//! `muster announce` over HTTPS, to a tracker with a certificate by an authority of our own.
//!
//! Certificates are made by openssl, TLS is spoken by Python's ssl: neither is ours.
#![cfg(feature = "tls")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{HASH, failed};
use crate::clients::peer::PYTHON;
use crate::harness::{Folder, Server};
use crate::programs::{is_installed, muster};

/// Runs openssl, which must succeed.
fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .expect("openssl starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {said}");
}

/// A CA of our own in `ca.pem`, and a certificate for 127.0.0.1 with its key in `tracker.pem`.
pub fn make_certificates(folder: &Path) -> PathBuf {
    let curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(folder, &format!("req -x509 {curve} -subj /CN=ca -keyout ca.key -out ca.pem -days 2"));
    openssl(folder, &format!("req {curve} -subj /CN=tracker -keyout key.pem -out request.pem"));
    std::fs::write(folder.join("san"), "subjectAltName=IP:127.0.0.1\n").expect("ours to write");
    let sign = "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2";
    openssl(folder, &format!("{sign} -extfile san -out certificate.pem"));
    let both = ["certificate.pem", "key.pem"]
        .map(|name| std::fs::read(folder.join(name)).expect("openssl has written it"));
    let path = folder.join("tracker.pem");
    std::fs::write(&path, both.concat()).expect("ours to write");
    path
}

#[test]
fn https_is_spoken_to_a_tracker_whose_certificate_is_trusted_and_to_no_other() {
    if !is_installed("openssl", &["version"]) || !is_installed(PYTHON, &["--version"]) {
        return;
    }
    let folder = Folder::new();
    let pem = make_certificates(folder.path());
    let mut tracker = Command::new(PYTHON)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/tls_tracker.py"))
        .arg(pem)
        .arg("d8:completei7e8:intervali900e5:peers0:e")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut port = String::new();
    let stdout = tracker.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut port).expect("it prints its port");
    let url = format!("https://127.0.0.1:{}/announce", port.trim());
    let ca = folder.join("ca.pem");
    let ask_with = |options: &[&str], url: &str, file: Option<&Path>| {
        let file = file.map(|file| ("SSL_CERT_FILE", file.to_str().expect("UTF-8")));
        muster(
            &[&["announce"][..], options, &["--event=started", url, HASH]].concat(),
            file.as_slice(),
        )
    };
    let ask = |url: &str, file: Option<&Path>| ask_with(&[], url, file);
    let run = ask_with(&["--json"], &url, Some(&ca));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    let told: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!((&told["complete"], &told["faults"]), (&json!(7), &json!([])));

    // Its own certificate is no authority: what is trusted then has not signed it.
    let other = Folder::new();
    make_certificates(other.path());
    let text = format!(
        "{url}: its certificate comes from nobody this system trusts; for an authority of your \
         own name its file in SSL_CERT_FILE"
    );
    assert_eq!(ask(&url, Some(&other.join("ca.pem"))), failed(&text));
    let named = url.replace("127.0.0.1", "localhost");
    let text =
        format!("{named}: its certificate is for another name; ask by the name that stands in it");
    assert_eq!(ask(&named, Some(&ca)), failed(&text));
    let server = Server::start(&[]);
    let plain = format!("https://{}/announce", server.tcp());
    let text = format!("{plain}: what answers there does not speak TLS; is it an http:// URL?");
    assert_eq!(ask(&plain, Some(&ca)), failed(&text));

    drop(tracker.stdin.take());
    tracker.wait().expect("it ends with its standard input");
}
