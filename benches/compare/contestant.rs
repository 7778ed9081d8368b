//! The trackers that are compared, and how each is started: on a free port of 127.0.0.1, with as
//! few threads that serve as it can do with, in a folder of the run, ended when dropped.
//!
//! opentracker has one thread, and so has the tracker of npm; muster one for HTTP and one for UDP;
//! aquatic over UDP one, and over HTTP one for its sockets and one for its swarms, which it has no
//! smaller form of. Who has two gains in announces a second, not in the CPU time of one.
//!
//! What is not installed is left out and named. `make bench-deps` installs what is looked for here:
//! opentracker from Debian (which serves registered torrents alone, so it is given their list),
//! aquatic and the tracker of npm in `target/bench-deps`.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use muster::clock::Clock;
use muster::load::Way;
use muster::load::crowd::Crowd;

/// How long a tracker has to listen.
const START_MILLIS: u64 = 30_000;
/// Between two looks whether it does.
const LOOK_MILLIS: u64 = 50;

/// A tracker that runs.
pub struct Running {
    child: Child,
    /// Where it listens, for whatever it serves.
    pub address: SocketAddr,
}

impl Running {
    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Starts a program that prints `listening on ADDRESS` when it serves.
    pub fn told(mut command: Command) -> Running {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("our own program starts");
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let address = lines.map_while(Result::ok).find_map(|line| {
            let place = line.strip_prefix("listening on ")?;
            place.parse().ok()
        });
        let address = address.unwrap_or_else(|| {
            let _ = child.kill();
            panic!("{command:?} never says where it listens")
        });
        Running { child, address }
    }

    /// Starts a program that was told a port, and waits until it listens there.
    fn probed(mut command: Command, port: u16, way: Way) -> Result<Running, String> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut running = Running { child, address };
        let clock = Clock::new();
        let give_up = clock.millis() + START_MILLIS;
        while !listens(address, way) {
            if let Ok(Some(status)) = running.child.try_wait() {
                return Err(format!("{command:?} ended with {status}"));
            }
            if clock.millis() > give_up {
                return Err(format!("{command:?} does not listen on {address}"));
            }
            clock.wait(clock.millis() + LOOK_MILLIS, || false);
        }
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether something answers there.
fn listens(address: SocketAddr, way: Way) -> bool {
    if way != Way::Udp {
        return TcpStream::connect(address).is_ok();
    }
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let pause = Duration::from_millis(LOOK_MILLIS);
    socket.set_read_timeout(Some(pause)).expect("above zero");
    // A connect request (BEP 15).
    let request = b"\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0\0\0\0\x07";
    socket.send_to(request, address).is_ok() && socket.recv(&mut [0; 64]).is_ok()
}

/// A tracker in the comparison: its processes, and which serves which way.
pub struct Contestant {
    /// As the table has it.
    pub name: &'static str,
    /// The ways it is measured, each with the process that serves it.
    pub ways: Vec<(Way, usize)>,
    /// Its processes.
    pub running: Vec<Running>,
}

impl Contestant {
    /// The process that serves a way, if one does.
    pub fn serving(&self, way: Way) -> Option<&Running> {
        let (_, process) = self.ways.iter().find(|(served, _)| *served == way)?;
        self.running.get(*process)
    }
}

const ALL: [Way; 3] = [Way::Each, Way::Keep, Way::Udp];

/// The responders that do nothing: a process for each way.
pub fn null() -> Contestant {
    let running = ["each", "keep", "udp"].map(|way| {
        let mut command = Command::new(std::env::current_exe().expect("a program"));
        command.args(["null", way]);
        Running::told(command)
    });
    let ways = ALL.into_iter().zip(0..).collect();
    Contestant { name: "null responder", ways, running: running.into() }
}

/// muster with defaults but for these options, on a free port; its state lies in the folder.
pub fn muster_plain(folder: &Path, options: &[&str]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(options).current_dir(folder);
    Running::told(command)
}

/// muster with these options and room for any crowd, which logs no start and no end.
pub fn muster(folder: &Path, options: &[&str]) -> Running {
    let room = ["--log-level", "warn", "--max-peers", "20000000", "--max-torrents", "2000000"];
    muster_plain(folder, &[&room[..], options].concat())
}

/// Everybody but the null responder, in the order of the table, and who is absent and why.
pub fn others(folder: &Path, crowd: &Crowd, torrents: u32) -> (Vec<Contestant>, Vec<String>) {
    let ours = muster_plain(folder, &["--workers", "1", "--state-file", ""]);
    let ways = ALL.map(|way| (way, 0)).into();
    let mut present = vec![Contestant { name: "muster", ways, running: vec![ours] }];
    let mut absent = Vec::new();
    for (name, started) in [
        ("opentracker", opentracker(folder, crowd, torrents)),
        ("aquatic", aquatic(folder)),
        ("bittorrent-tracker (npm)", npm(folder)),
    ] {
        match started {
            Ok((ways, running)) => present.push(Contestant { name, ways, running }),
            Err(why) => absent.push(format!("{name} ({why})")),
        }
    }
    (present, absent)
}

type Started = Result<(Vec<(Way, usize)>, Vec<Running>), String>;

fn opentracker(folder: &Path, crowd: &Crowd, torrents: u32) -> Started {
    let program = installed("/usr/bin/opentracker")?;
    let port = free_port();
    let hashes: Vec<String> =
        (0..torrents).map(|peer| crowd.member(peer).info_hash.to_string()).collect();
    let file = folder.join("whitelist");
    fs::write(&file, hashes.join("\n") + "\n").expect("the folder is ours");
    // Started by root it reads its list as nobody, from within its folder.
    let text = port.to_string();
    let mut command = Command::new(program);
    command.args(["-i", "127.0.0.1", "-p", &text, "-P", &text, "-w", "whitelist", "-d"]);
    command.arg(folder).current_dir(folder);
    let running = Running::probed(command, port, Way::Each)?;
    Ok((vec![(Way::Each, 0), (Way::Udp, 0)], vec![running]))
}

fn aquatic(folder: &Path) -> Started {
    let udp = installed("target/bench-deps/bin/aquatic_udp")?;
    let http = installed("target/bench-deps/bin/aquatic_http")?;
    let start = |program: &Path, way: Way, settings: &str| {
        let port = free_port();
        let file = folder.join(format!("aquatic-{port}.toml"));
        let address = format!("address = \"127.0.0.1:{port}\"");
        fs::write(&file, settings.replace("ADDRESS", &address)).expect("the folder is ours");
        let mut command = Command::new(program);
        command.arg("-c").arg(&file).current_dir(folder);
        Running::probed(command, port, way)
    };
    let keep = "[network]\nADDRESS\nkeep_alive = true\n[protocol]\nmax_peers = 50\n";
    let each = keep.replace("= true", "= false");
    let packets = "[network]\nADDRESS\n[protocol]\nmax_response_peers = 50\n";
    let running = vec![
        start(&http, Way::Each, &each)?,
        start(&http, Way::Keep, keep)?,
        start(&udp, Way::Udp, packets)?,
    ];
    Ok((ALL.into_iter().zip(0..).collect(), running))
}

fn npm(folder: &Path) -> Started {
    let program = installed("target/bench-deps/node_modules/.bin/bittorrent-tracker")?;
    let port = free_port();
    let mut command = Command::new(program);
    command.args(["--http", "--udp", "--silent", "--port", &port.to_string()]);
    command.args(["--http-hostname", "127.0.0.1", "--udp-hostname", "127.0.0.1"]);
    command.current_dir(folder);
    let running = Running::probed(command, port, Way::Each)?;
    Ok((ALL.map(|way| (way, 0)).into(), vec![running]))
}

/// The whole path of a program, if it is there.
fn installed(path: &str) -> Result<PathBuf, String> {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if whole.exists() { Ok(whole) } else { Err(format!("no {path}: make bench-deps")) }
}

/// A port that was free a moment ago, for TCP and UDP.
fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("its address");
        if UdpSocket::bind(address).is_ok() {
            return address.port();
        }
    }
}
