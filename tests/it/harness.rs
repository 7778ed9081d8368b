//! What every integration test stands on: the real program, on a port of its own.
//!
//! A [`Server`] runs in a folder of its own, is waited for until it listens, and is killed when
//! dropped; if the test is panicking, all it ever printed is shown. Every wait ends after
//! [`PATIENCE`] with a panic, so a broken server fails a test and does not hang it. Traffic stays
//! on loopback addresses and Unix sockets; what is said over them is in `connection`.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write as _};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use crate::connection::{Connection, Reply};

/// How long anything may take before a test fails: far more than a healthy server needs, even on a
/// loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The two HTTP engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Our own, the default on Linux.
    Epoll,
    /// The portable one.
    TinyHttp,
}

impl Engine {
    /// As `--http-engine` has it.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Epoll => "epoll",
            Engine::TinyHttp => "tiny_http",
        }
    }
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IP address and port.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// A folder of its own for one test, removed on drop.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes an empty folder.
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("muster-it-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("the temporary folder is ours to write");
        Folder(path)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A path within it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// One output stream of a process: gathered by a thread, waited on by tests.
#[derive(Debug)]
struct Output {
    /// The text so far, and whether the stream has ended.
    gathered: Mutex<(String, bool)>,
    grown: Condvar,
}

impl Output {
    fn gather(mut stream: impl Read + Send + 'static) -> (Arc<Output>, JoinHandle<()>) {
        let output = Arc::new(Output {
            gathered: Mutex::new((String::new(), false)),
            grown: Condvar::new(),
        });
        let thread = std::thread::spawn({
            let output = Arc::clone(&output);
            move || {
                let mut chunk = [0; 4096];
                loop {
                    let count = stream.read(&mut chunk).unwrap_or(0);
                    let mut gathered = output.gathered.lock().expect("no panic under this lock");
                    gathered.0.push_str(&String::from_utf8_lossy(&chunk[..count]));
                    gathered.1 = count == 0;
                    output.grown.notify_all();
                    if count == 0 {
                        return;
                    }
                }
            }
        });
        (output, thread)
    }

    fn text(&self) -> String {
        self.gathered.lock().expect("no panic under this lock").0.clone()
    }

    /// Waits until `find` answers, the stream ends or [`PATIENCE`] is over.
    fn wait_for<T>(&self, find: impl Fn(&str, bool) -> Option<T>) -> Option<T> {
        let give_up = Instant::now() + PATIENCE;
        let mut gathered = self.gathered.lock().expect("no panic under this lock");
        loop {
            let found = find(&gathered.0, gathered.1);
            let left = give_up.saturating_duration_since(Instant::now());
            if found.is_some() || gathered.1 || left.is_zero() {
                return found;
            }
            gathered = self.grown.wait_timeout(gathered, left).expect("no panic under this lock").0;
        }
    }
}

/// Takes the variables that muster reads from a command, whatever the tests were started with.
pub fn without_our_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MUSTER_") {
            command.env_remove(name);
        }
    }
}

/// A running muster, or one that has failed to start.
#[derive(Debug)]
pub struct Server {
    /// Where it listens, in the order of its `listening on` lines.
    pub addresses: Vec<Address>,
    child: Child,
    stdout: Arc<Output>,
    stderr: Arc<Output>,
    gatherers: Vec<JoinHandle<()>>,
    /// Its working folder, so that no file it writes stays behind.
    _folder: Folder,
}

impl Server {
    /// Starts muster on a free port of 127.0.0.1 and waits until it listens.
    pub fn start(options: &[&str]) -> Server {
        Server::listening(&["127.0.0.1:0"], options)
    }

    /// Starts muster with one engine, on a free port of 127.0.0.1.
    pub fn with(engine: Engine, options: &[&str]) -> Server {
        let mut all = vec!["--http-engine", engine.name()];
        all.extend_from_slice(options);
        Server::start(&all)
    }

    /// Starts muster with these listeners, and waits until all of them listen.
    pub fn listening(listeners: &[&str], options: &[&str]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command.arg("serve");
        for listener in listeners {
            command.args(["--listen", listener]);
        }
        command.args(options);
        Server::of(command, listeners.len())
    }

    /// Starts a command that becomes muster, and waits until it has `count` listeners.
    pub fn of(command: Command, count: usize) -> Server {
        Server::launch(command).listens(count)
    }

    /// Waits until it has `count` listeners.
    fn listens(mut self, count: usize) -> Server {
        let found = self.stdout.wait_for(|text, _| {
            let found = listening_lines(text);
            (found.len() >= count).then_some(found)
        });
        self.addresses = found.expect("muster says where it listens");
        self
    }

    /// Starts muster with sockets that it is passed as systemd passes them, and waits until it has
    /// `count` listeners.
    pub fn passed(sockets: &[OwnedFd], options: &[&str], count: usize) -> Server {
        Server::launch_passed(sockets, &[], options).listens(count)
    }

    /// Starts muster with at most two sockets, and variables, and waits for nothing. They travel in
    /// the place of stdin and stderr, since those alone reach another program without unsafe code;
    /// with two the log is in stdout.
    pub fn launch_passed(
        sockets: &[OwnedFd],
        variables: &[(&str, &str)],
        options: &[&str],
    ) -> Server {
        let same = |socket: &OwnedFd| Stdio::from(socket.try_clone().expect("a descriptor"));
        let (stderr, moves) = match sockets {
            [_, second] => (same(second), "exec 3<&0 4<&2 0</dev/null 2>&1"),
            _ => (Stdio::piped(), "exec 3<&0 0</dev/null"),
        };
        let count = sockets.len();
        let script = format!(
            "{moves}; export LISTEN_FDS={count} LISTEN_PID=${{WRONG_PID:-$$}}; \
             exec \"$0\" serve \"$@\""
        );
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_muster")]).args(options);
        command.envs(variables.iter().copied());
        Server::spawn(command, same(&sockets[0]), stderr)
    }

    /// Starts a command and waits for nothing: for programs that are to fail.
    pub fn launch(command: Command) -> Server {
        Server::spawn(command, Stdio::null(), Stdio::piped())
    }

    fn spawn(mut command: Command, stdin: Stdio, stderr: Stdio) -> Server {
        let folder = Folder::new();
        without_our_variables(&mut command);
        command.current_dir(folder.path());
        command.stdin(stdin).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().expect("the program starts");
        let (stdout, first) = Output::gather(child.stdout.take().expect("stdout is piped"));
        let (stderr, second) = match child.stderr.take() {
            Some(stderr) => Output::gather(stderr),
            None => Output::gather(std::io::empty()),
        };
        let gatherers = vec![first, second];
        Server { addresses: Vec::new(), child, stdout, stderr, gatherers, _folder: folder }
    }

    /// The first TCP listener.
    pub fn tcp(&self) -> SocketAddr {
        let tcp = self.addresses.iter().find_map(|address| match address {
            Address::Tcp(address) => Some(*address),
            Address::Unix(_) => None,
        });
        tcp.expect("a server with a TCP listener")
    }

    /// Where it listens for UDP; these lines come before the others.
    pub fn udp(&self) -> Vec<SocketAddr> {
        let text = self.stdout();
        let places = text.lines().filter_map(|line| line.strip_prefix("listening on udp "));
        places.map(|place| place.parse().expect("listening on udp ADDR:PORT")).collect()
    }

    /// A connection to the first listener.
    pub fn connect(&self) -> Connection {
        match &self.addresses[0] {
            Address::Tcp(address) => Connection::to(*address),
            Address::Unix(path) => Connection::to_unix(path),
        }
    }

    /// A connection to the first TCP listener from a source address such as 127.0.0.9.
    pub fn connect_from(&self, source: &str) -> Connection {
        Connection::from(source.parse().expect("a test's address"), self.tcp())
    }

    /// GETs a target on a connection of its own.
    pub fn get(&self, target: impl AsRef<[u8]>) -> Reply {
        self.connect().ask_once(target)
    }

    /// GETs a target on a connection of its own from a source address such as 127.0.0.9.
    pub fn get_from(&self, source: &str, target: impl AsRef<[u8]>) -> Reply {
        self.connect_from(source).ask_once(target)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the process is ours");
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let ended = self.stdout.wait_for(|_, ended| ended.then_some(()));
        ended.expect("muster ends in time");
        let status = self.child.wait().expect("the child is ours");
        for gatherer in self.gatherers.drain(..) {
            gatherer.join().expect("a gatherer does not panic");
        }
        status
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The numbers of the descriptors it has open.
    pub fn descriptors(&self) -> BTreeSet<u64> {
        let numbers = fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("it runs");
        let number = |entry: fs::DirEntry| entry.file_name().to_string_lossy().parse().ok();
        numbers.filter_map(|entry| number(entry.expect("an entry"))).collect()
    }

    /// Lets it open no descriptor from this number on; returns the limit so far.
    pub fn limit_descriptors(&self, current: Option<u64>) -> Option<u64> {
        // Programs inherit the hard limit of these tests.
        let limit = Rlimit { current, maximum: getrlimit(Resource::Nofile).maximum };
        let pid = Pid::from_raw(self.pid().cast_signed());
        prlimit(pid, Resource::Nofile, limit).expect("it is ours").current
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("the child is ours").is_none()
    }

    /// All it has printed to stdout so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// All it has logged so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until its log holds a text.
    pub fn wait_for_log(&self, wanted: &str) {
        let found = self.stderr.wait_for(|text, _| text.contains(wanted).then_some(()));
        found.unwrap_or_else(|| panic!("the log never says {wanted:?}"));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let status = self.child.wait();
        for gatherer in self.gatherers.drain(..) {
            let _ = gatherer.join();
        }
        if std::thread::panicking() {
            eprintln!("-- muster ended with {status:?}");
            eprintln!("-- its stdout:\n{}-- its stderr:\n{}--", self.stdout(), self.stderr());
        }
    }
}

/// The addresses in the whole `listening on` lines of stdout; those of UDP are in [`Server::udp`].
fn listening_lines(text: &str) -> Vec<Address> {
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let places = whole.lines().filter_map(|line| line.strip_prefix("listening on "));
    let places = places.filter(|place| !place.starts_with("udp "));
    places
        .map(|place| match place.strip_prefix("unix:") {
            Some(path) => Address::Unix(PathBuf::from(path)),
            None => Address::Tcp(place.parse().expect("listening on ADDR:PORT")),
        })
        .collect()
}

/// Whether a program that a test drives is installed. If not, says once a run that the test was not
/// run, or fails where `REQUIRE_CLIENTS` is set.
pub fn is_installed(program: &str) -> bool {
    static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
        return true;
    }
    let reason = format!("tests with {program} not run: it is missing (make test-deps)");
    let required = std::env::var_os("REQUIRE_CLIENTS").is_some_and(|value| !value.is_empty());
    assert!(!required, "{reason}");
    let mut said = SAID.lock().expect("no panic under this lock");
    if !said.contains(&reason) {
        // Not eprintln: what a test prints with it is shown only when the test fails.
        let _ = writeln!(std::io::stderr(), "{reason}");
        said.push(reason);
    }
    false
}

/// Asks again and again until the answer is the wanted one; for what happens soon after a reply or
/// without one.
pub fn eventually<T: PartialEq + std::fmt::Debug>(wanted: &T, mut ask: impl FnMut() -> T) {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let answer = ask();
        if answer == *wanted {
            return;
        }
        assert!(Instant::now() < give_up, "still {answer:?} instead of {wanted:?}");
        std::thread::yield_now();
    }
}
