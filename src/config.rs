//! What the operator can set: one table of options, four sources.
//!
//! [`OPTIONS`] is the table from which the flags, the `MUSTER_*` variables, the keys of the TOML
//! file, `--print-config`, `--help` and the README's table come. Every source hands text to the
//! same setter; flags win over variables, variables over the file, the file over the defaults.
//!
//! [`Config::load`] is a pure function of its inputs: nothing here reads the environment, the clock
//! or a socket, and only [`read_file`] and [`read_token`] read a file. Errors are one line, name
//! the source and the key, quote the value and say what is expected.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use crate::limits::{ANNOUNCE_JITTER_DIVISOR, QUOTED_BYTES_MAX, UNIX_PATH_BYTES_MAX};
use crate::log;
use crate::request::quoted;
use crate::subnet::{LOCAL_NETWORKS, Subnet};
use crate::token::Token;

mod file;
mod print;
mod setters;
mod table;

pub use file::{ConfigFile, read_file, read_token};
pub use print::{encode_markdown, encode_toml};
pub use table::{ConfigOption, Kind, OPTIONS, option_named};

/// Variables that begin with `MUSTER_` and are no options: the path of the file, and the operator's
/// token, which has no flag because every user of the host can read the flags of a process.
const OTHER_VARIABLES: [&str; 2] = ["MUSTER_CONFIG", "MUSTER_TOKEN"];

/// Everything an operator can set, checked; each field is the option of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where to listen, at least one, none twice.
    pub listen: Vec<Listen>,
    /// Whether to serve UDP.
    pub udp: bool,
    /// Where to listen for UDP; none is the TCP addresses of `listen`.
    pub udp_listen: Vec<UdpListen>,
    /// What serves HTTP.
    pub http_engine: HttpEngine,
    /// Whether `tiny_http` may listen beyond loopback.
    pub allow_tiny_http_remote_crash: bool,
    /// Worker threads; 0 is one a core.
    pub workers: u32,
    /// Seconds of silence after which a peer is forgotten.
    pub peer_timeout: u32,
    /// Seconds a client is asked to wait between announces, before jitter.
    pub announce_interval: u32,
    /// Seconds a client must wait between announces.
    pub min_interval: u32,
    /// Torrents tracked at once; 0 is automatic.
    pub max_torrents: u32,
    /// Peers tracked at once, over all torrents; 0 is automatic.
    pub max_peers: u32,
    /// Bytes of memory from which follows what is automatic; 0 is no bound.
    pub max_memory: u64,
    /// Torrents tracked at once that one address announced first; 0 is automatic.
    pub max_torrents_per_ip: u32,
    /// Announces and scrapes a minute from one address; 0 is any number.
    pub max_announces_per_ip: u32,
    /// Wrong requests a minute from one address; 0 is any number.
    pub max_errors_per_ip: u32,
    /// Networks to which the bounds for one address do not apply.
    pub unlimited_networks: Vec<Network>,
    /// HTTP connections kept open at once; 0 is automatic.
    pub max_connections: u32,
    /// HTTP connections kept open at once from one IPv4 address or IPv6 /64.
    pub max_connections_per_ip: u32,
    /// Proxies whose word about the client's address counts.
    pub trusted_proxies: Vec<Subnet>,
    /// Names by which the operator reaches the tracker, besides its addresses.
    pub host_names: Vec<HostName>,
    /// The file with the operator's token; empty is none.
    pub token_file: PathBuf,
    /// The operator's token from `MUSTER_TOKEN`, which has no flag.
    pub token: Option<Token>,
    /// The first hex digits that similar info hashes share.
    pub similar_first_digits: u32,
    /// The last hex digits that similar info hashes share.
    pub similar_last_digits: u32,
    /// Or the percentage of digits that they share in all.
    pub similar_threshold: u32,
    /// The state file; empty keeps nothing on disk.
    pub state_file: PathBuf,
    /// Seconds between saves without anybody's asking; 0 is never.
    pub autosave_interval: u32,
    /// The least important level that is logged.
    pub log_level: log::Level,
    /// How log lines are written.
    pub log_format: log::Format,
}

impl Default for Config {
    fn default() -> Self {
        table::default_config()
    }
}

impl Config {
    /// The configuration from all sources: the file first, then the environment, then the flags,
    /// each over the one before; what none of them sets has its default.
    ///
    /// `flags` are keys of [`OPTIONS`] with their text, several of one list key already joined by
    /// commas; `environment` may hold any variables, of which only `MUSTER_*` are looked at.
    pub fn load(
        flags: &[(&str, String)],
        environment: &[(String, String)],
        file: Option<&ConfigFile>,
    ) -> Result<Config, String> {
        let mut config = Config::default();
        if let Some(file) = file {
            file::apply(&mut config, file)?;
        }
        for (name, value) in environment {
            apply_variable(&mut config, name, value)?;
        }
        for (key, value) in flags {
            let option = option_named(key).ok_or_else(|| {
                unknown(&format!("flag --{key}"), key, |o| format!("--{}", o.key))
            })?;
            (option.set)(&mut config, value).map_err(|wrong| format!("--{key}: {wrong}"))?;
        }
        config.check_relations()?;
        Ok(config)
    }

    /// What one option cannot see alone.
    fn check_relations(&self) -> Result<(), String> {
        let (timeout, interval) = (self.peer_timeout, self.announce_interval);
        let jitter = interval / ANNOUNCE_JITTER_DIVISOR;
        if interval + jitter >= timeout {
            return Err(format!(
                "announce-interval {interval} and its jitter of up to {jitter} must stay below \
                 peer-timeout {timeout}, or clients expire before they call again: set \
                 announce-interval to {} or raise peer-timeout",
                timeout / 2
            ));
        }
        let min = self.min_interval;
        if min > interval {
            return Err(format!(
                "min-interval {min} must not exceed announce-interval {interval}: lower \
                 min-interval or raise announce-interval"
            ));
        }
        let tcp = self.listen.iter().filter_map(|listen| match listen {
            Listen::Tcp(address) => Some(*address),
            Listen::Unix(_) => None,
        });
        check_apart("listen", &tcp.collect::<Vec<_>>())?;
        let udp: Vec<SocketAddr> = self.udp_listen.iter().map(|listen| listen.0).collect();
        check_apart("udp-listen", &udp)?;
        self.listen.iter().try_for_each(|listen| self.check_engine(listen))
    }

    /// Checks that the engine may serve a place, which need not be in `listen`.
    pub fn check_engine(&self, listen: &Listen) -> Result<(), String> {
        let tiny_http = self.http_engine == HttpEngine::TinyHttp;
        if !tiny_http || self.allow_tiny_http_remote_crash || listen.is_local() {
            return Ok(());
        }
        Err(format!(
            "http-engine tiny_http does not listen on {listen}: anybody could end the process with \
             one 70-byte request; set listen to 127.0.0.1:6969 behind a reverse proxy, or \
             allow-tiny-http-remote-crash to true"
        ))
    }
}

/// Checks that no address takes what is sent to another: the system would say that another program
/// has it.
fn check_apart(key: &str, addresses: &[SocketAddr]) -> Result<(), String> {
    for wide in addresses.iter().filter(|wide| wide.ip().is_unspecified() && wide.port() != 0) {
        let taken = |narrow: &&SocketAddr| {
            let family = wide.is_ipv6() || narrow.is_ipv4();
            *narrow != wide && narrow.port() == wide.port() && family
        };
        if let Some(narrow) = addresses.iter().find(taken) {
            return Err(format!(
                "{key}: {wide} takes what is sent to {narrow} too: leave {narrow} out"
            ));
        }
    }
    Ok(())
}

/// Sets one option from a variable; variables of other programs are none of our business.
fn apply_variable(config: &mut Config, name: &str, value: &str) -> Result<(), String> {
    if name == "MUSTER_TOKEN" {
        config.token = Some(Token::parse(value).map_err(|wrong| format!("{name}: {wrong}"))?);
    }
    if !name.starts_with("MUSTER_") || OTHER_VARIABLES.contains(&name) {
        return Ok(());
    }
    let Some(option) = OPTIONS.iter().find(|option| option.variable() == name) else {
        let key = name.trim_start_matches("MUSTER_");
        let what = format!("variable {}", name.escape_debug());
        return Err(unknown(&what, key, ConfigOption::variable));
    };
    (option.set)(config, value).map_err(|wrong| format!("{name}: {wrong}"))
}

/// The error for a name no option has: `unknown flag --peer-timout, did you mean --peer-timeout?`
/// `key` is the name as far as it can be compared with keys, `written` writes one as `what` is
/// written.
pub(crate) fn unknown(what: &str, key: &str, written: impl Fn(&ConfigOption) -> String) -> String {
    match nearest(key) {
        Some(option) => format!("unknown {what}, did you mean {}?", written(option)),
        None => format!("unknown {what}, see muster --help for all there are"),
    }
}

/// The option whose key looks most like the text, if any looks like it at all: a third of the
/// letters may differ. Case and `_` for `-` do not count.
fn nearest(text: &str) -> Option<&'static ConfigOption> {
    let text = text.to_lowercase().replace('_', "-");
    if text.len() > QUOTED_BYTES_MAX {
        return None;
    }
    let distances = OPTIONS.iter().map(|option| (edit_distance(&text, option.key), option));
    let (distance, option) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance * 3 <= option.key.len()).then_some(option)
}

/// Insertions, deletions and replacements that make one text the other (Levenshtein), a row of the
/// table at a time.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(b.chars()) {
            let replaced = diagonal + usize::from(from != to);
            diagonal = *cell;
            *cell = replaced.min(diagonal + 1).min(left + 1);
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// Something to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An address and port; `[::]` stands for all addresses, IPv4 and IPv6. Port 0 is any free
    /// port.
    Tcp(SocketAddr),
    /// The path of a Unix socket, for a reverse proxy on the same host.
    Unix(PathBuf),
}

impl Listen {
    /// Whether only processes of this host can connect.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Listen::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Listen::Unix(_) => true,
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    /// Reads `ADDR:PORT`, `unix:/path`, and a bare port or `:PORT` as all addresses. An IPv4
    /// address written as IPv6, `[::ffff:192.0.2.1]`, is the IPv4 one.
    fn from_str(text: &str) -> Result<Self, String> {
        let shown = quoted(text.as_bytes());
        if let Some(path) = text.strip_prefix("unix:") {
            let fits = (1..=UNIX_PATH_BYTES_MAX).contains(&path.len());
            if !fits || path.contains(char::is_control) {
                return Err(format!(
                    "{shown}: expected unix: and the path of a socket, at most \
                     {UNIX_PATH_BYTES_MAX} bytes"
                ));
            }
            return Ok(Listen::Unix(PathBuf::from(path)));
        }
        let port = text.strip_prefix(':').unwrap_or(text);
        if !port.starts_with('+')
            && let Ok(port) = port.parse()
        {
            return Ok(Listen::Tcp(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))));
        }
        let tcp = |mut address: SocketAddr| {
            if address.ip().to_canonical().is_ipv4() {
                address.set_ip(address.ip().to_canonical());
            }
            Listen::Tcp(address)
        };
        text.parse().map(tcp).map_err(|_| {
            format!(
                "{shown}: expected ADDR:PORT such as [::]:6969 or 192.0.2.1:6969, a port, or \
                 unix:/path"
            )
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp(address) => write!(f, "{address}"),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A name of this host, such as `tracker.example.org`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(pub String);

impl FromStr for HostName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let clean = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
        if text.is_empty() || !text.bytes().all(clean) {
            let shown = quoted(text.as_bytes());
            return Err(format!("{shown}: expected a name such as tracker.example.org, no port"));
        }
        Ok(HostName(text.to_owned()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An address and port to listen on for UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpListen(pub SocketAddr);

impl FromStr for UdpListen {
    type Err = String;

    /// Reads what [`Listen`] reads, but for a Unix socket.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(Listen::Tcp(address)) => Ok(UdpListen(address)),
            _ => Err(format!(
                "{}: expected ADDR:PORT such as [::]:6969 or 192.0.2.1:6969, or a port",
                quoted(text.as_bytes())
            )),
        }
    }
}

impl fmt::Display for UdpListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where addresses are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// On this host or a network beside it: loopback, private, link-local.
    Local,
    /// In a subnet.
    Subnet(Subnet),
}

impl Network {
    /// The subnets that it stands for.
    #[must_use]
    pub fn subnets(&self) -> &[Subnet] {
        match self {
            Network::Local => &LOCAL_NETWORKS,
            Network::Subnet(subnet) => std::slice::from_ref(subnet),
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "local" {
            return Ok(Network::Local);
        }
        text.parse().map(Network::Subnet).map_err(|error| format!("{error}, or local"))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Network::Local => f.write_str("local"),
            Network::Subnet(subnet) => subnet.fmt(f),
        }
    }
}

/// What serves HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpEngine {
    /// Our own event loop, on Linux: bounded in everything, made for the open internet.
    Epoll,
    /// The `tiny_http` package, on any system, behind a reverse proxy.
    TinyHttp,
}

impl FromStr for HttpEngine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "epoll" if cfg!(target_os = "linux") => Ok(HttpEngine::Epoll),
            "epoll" => Err("\"epoll\": exists on Linux only, expected tiny_http".to_owned()),
            "tiny_http" => Ok(HttpEngine::TinyHttp),
            _ => Err(format!("{}: expected epoll or tiny_http", quoted(text.as_bytes()))),
        }
    }
}

impl fmt::Display for HttpEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HttpEngine::Epoll => "epoll",
            HttpEngine::TinyHttp => "tiny_http",
        })
    }
}

#[cfg(test)]
mod tests;
