//! One real BitTorrent client: how it is started, what it is told, how it ends.
//!
//! What each client is told stands in [`Client::command`]: to find peers through the tracker alone
//! (no DHT, peer exchange or local discovery), over TCP, on a loopback address of its own. A
//! [`Peer`] is killed when dropped, and by the system if the test's thread ends without dropping
//! it; if the test is panicking, all it ever printed is shown. Nothing is read from or written to
//! the user's home.

use std::ffi::OsStr;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::process::{Pid, Signal, kill_process};

use super::Over;

/// Debian's Python: it sees Debian's libtorrent, which another one on the PATH does not.
pub const PYTHON: &str = "/usr/bin/python3";

/// The clients, each as a Debian package brings it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// `aria2c`.
    Aria2,
    /// The library behind qBittorrent and Deluge, driven by `tests/clients/libtorrent_peer.py`.
    Libtorrent,
    /// `transmission-cli`. It takes a loopback address in a tracker's answer for a mistake and
    /// never connects to it, so another client has to come to it.
    Transmission,
}

/// All of them.
pub const CLIENTS: [Client; 3] = [Client::Aria2, Client::Libtorrent, Client::Transmission];

impl Client {
    /// What has to be installed.
    pub fn program(self) -> &'static str {
        match self {
            Client::Aria2 => "aria2c",
            Client::Libtorrent => "python3-libtorrent",
            Client::Transmission => "transmission-cli",
        }
    }

    /// Whether it can be run.
    pub fn is_installed(self) -> bool {
        let (program, arguments): (&str, &[&str]) = match self {
            Client::Libtorrent => (PYTHON, &["-c", "import libtorrent"]),
            Client::Aria2 | Client::Transmission => (self.program(), &["--version"]),
        };
        let ran = Command::new(program).args(arguments).stdin(Stdio::null()).output();
        ran.is_ok_and(|ran| ran.status.success())
    }

    /// Whether it tells the tracker that it stops. `transmission-cli` 3.00 means to, but lets no
    /// HTTP request out any more once it has begun to close: the tracker has to wait for the
    /// timeout.
    pub fn says_stopped(self, over: Over) -> bool {
        self != Client::Transmission || over == Over::Udp
    }

    /// The client sharing `torrent`, a file or magnet link, with its data in `folder`, listening
    /// at `place`, its own files in `home`.
    fn command(
        self,
        over: Over,
        torrent: &OsStr,
        folder: &Path,
        home: &Path,
        place: Place,
    ) -> Command {
        let Place { address, port } = place;
        match self {
            Client::Aria2 => {
                let mut aria2 = Command::new("aria2c");
                aria2.args(["--no-conf", "--enable-dht6=false"]);
                // Its UDP announces go out through the socket of its DHT, which knows nobody here
                // and is nothing to a private torrent.
                aria2.arg(format!("--enable-dht={}", over == Over::Udp));
                aria2.arg(format!("--dht-listen-port={port}"));
                aria2.arg("--dht-file-path").arg(home.join("dht.dat"));
                aria2.args(["--enable-peer-exchange=false", "--bt-enable-lpd=false"]);
                aria2.args(["--disable-ipv6=true", "--file-allocation=none", "--disk-cache=0"]);
                // Look at the file first, and seed it for ever.
                aria2.args(["--check-integrity=true", "--seed-ratio=0"]);
                aria2.args(["--console-log-level=info", "--show-console-readout=false"]);
                aria2.args(["--enable-color=false", "--summary-interval=0"]);
                aria2.arg(format!("--interface={address}")).arg(format!("--listen-port={port}"));
                aria2.arg("--dir").arg(folder).arg(torrent);
                aria2
            }
            Client::Libtorrent => {
                let script =
                    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/libtorrent_peer.py");
                let mut libtorrent = Command::new(PYTHON);
                // It chooses its port itself.
                libtorrent.arg(script).arg(torrent).arg(folder).arg(address.to_string());
                libtorrent
            }
            Client::Transmission => {
                // Encryption 1 is "preferred"; message level 3 is everything.
                let settings = serde_json::json!({
                    "bind-address-ipv4": address.to_string(), "bind-address-ipv6": "::1",
                    "dht-enabled": false, "pex-enabled": false, "lpd-enabled": false,
                    "utp-enabled": false, "port-forwarding-enabled": false, "rpc-enabled": false,
                    "peer-port-random-on-start": false, "incomplete-dir-enabled": false,
                    "ratio-limit-enabled": false, "idle-seeding-limit-enabled": false,
                    "encryption": 1, "cache-size-mb": 0, "message-level": 3,
                });
                std::fs::write(home.join("settings.json"), settings.to_string())
                    .expect("the folder is ours to write");
                let mut transmission = Command::new("transmission-cli");
                transmission.arg("--no-portmap").arg("--config-dir").arg(home);
                transmission.args(["--port", &port.to_string()]);
                transmission.arg("--download-dir").arg(folder).arg(torrent);
                transmission
            }
        }
    }
}

/// Where a peer listens.
#[derive(Clone, Copy, Debug)]
struct Place {
    address: Ipv4Addr,
    port: u16,
}

impl Place {
    /// An address that no other peer has, of this process or another, and a free port of it.
    ///
    /// The port lies below those the system hands out for port 0, so nothing that listens on all
    /// addresses takes it between now and the moment the client does.
    fn unused() -> Place {
        static COUNT: AtomicU8 = AtomicU8::new(1);
        let [.., high, low] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, 64 | high, low, COUNT.fetch_add(1, Ordering::Relaxed));
        let ports = std::iter::repeat_with(|| fastrand::u16(10_000..32_000)).take(100);
        let mut free = ports.filter(|&port| TcpListener::bind((address, port)).is_ok());
        Place { address, port: free.next().expect("one of a hundred ports is free") }
    }
}

/// A running client.
#[derive(Debug)]
pub struct Peer {
    /// Which client it is.
    pub client: Client,
    /// What it announces over.
    pub over: Over,
    /// What the test calls it.
    pub name: String,
    folder: PathBuf,
    log: PathBuf,
    child: Child,
}

impl Peer {
    /// Starts a client for `torrent`, its files in `parent/name`: a seeder has the file `whole`
    /// there, a leecher has nothing.
    pub fn start(
        client: Client,
        over: Over,
        name: &str,
        parent: &Path,
        torrent: &OsStr,
        whole: Option<&Path>,
    ) -> Peer {
        let [folder, home] = ["data", "home"].map(|part| parent.join(name).join(part));
        for made in [&folder, &home] {
            std::fs::create_dir_all(made).expect("the folder is ours to write");
        }
        if let Some(whole) = whole {
            std::fs::copy(whole, folder.join("data.bin")).expect("the folder is ours to write");
        }
        let told = client.command(over, torrent, &folder, &home, Place::unused());
        let log = parent.join(name).join("log");
        let stdout = File::create(&log).expect("the folder is ours to write");
        let stderr = stdout.try_clone().expect("an open file");
        // Killed with this thread, should the test end too suddenly to drop it. Only PATH is passed
        // on: a proxy in the environment must not come between a client and the tracker.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(told.get_program())
            .args(told.get_args())
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| name == "PATH"))
            .env("HOME", &home)
            .current_dir(&home)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .expect("setpriv starts");
        Peer { client, over, name: name.to_owned(), folder, log, child }
    }

    /// The file as the client has it now.
    pub fn file(&self) -> Option<Vec<u8>> {
        std::fs::read(self.folder.join("data.bin")).ok()
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child is ours")
    }

    /// Asks it to end as a person would, with Ctrl-C: SIGTERM ends aria2 without a word to the
    /// tracker.
    pub fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("the process is ours");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let status = self.child.wait();
        if std::thread::panicking() {
            let printed = std::fs::read(&self.log).unwrap_or_default();
            let printed = String::from_utf8_lossy(&printed);
            eprintln!("-- {} ended with {status:?}; all it printed:", self.name);
            // Transmission writes its progress over itself five times a second; aria2 writes empty
            // lines.
            let lines = printed.split(['\n', '\r']).map(str::trim_end);
            let mut lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
            lines.dedup();
            eprintln!("{}\n--", lines.join("\n"));
        }
    }
}
