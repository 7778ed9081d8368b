//! The table of options: one row each.
//!
//! A row is all there is to an option; adding one here makes the flag, the variable, the key, their
//! help and their errors. What reads their text is in `setters`.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use super::setters::{
    joined, memory_text, set_count, set_list, set_memory, set_parsed, set_path, set_percent,
    set_seconds, set_switch,
};
use super::{Config, HttpEngine, Listen, Network};
use crate::limits::{
    ANNOUNCE_INTERVAL_SECONDS_DEFAULT, ANNOUNCE_INTERVAL_SECONDS_RANGE,
    ANNOUNCES_PER_MINUTE_DEFAULT, AUTOSAVE_INTERVAL_SECONDS_DEFAULT,
    AUTOSAVE_INTERVAL_SECONDS_RANGE, ERRORS_PER_MINUTE_DEFAULT, HOST_NAMES_COUNT_MAX,
    HTTP_CONNECTIONS_COUNT_MAX, HTTP_CONNECTIONS_PER_IP_DEFAULT, LISTEN_COUNT_MAX,
    MEMORY_BYTES_RANGE, MIN_INTERVAL_SECONDS_DEFAULT, MIN_INTERVAL_SECONDS_RANGE,
    PEER_TIMEOUT_SECONDS_DEFAULT, PEER_TIMEOUT_SECONDS_RANGE, PORT_DEFAULT, RATE_PER_MINUTE_MAX,
    SIMILAR_FIRST_DIGITS_DEFAULT, SIMILAR_LAST_DIGITS_DEFAULT, SIMILAR_PERCENT_DEFAULT,
    SIMILAR_PERCENT_RANGE, STATE_FILE_DEFAULT, TRACKED_COUNT_MAX, TRUSTED_PROXIES_COUNT_MAX,
    UNLIMITED_NETWORKS_COUNT_MAX, WORKERS_MAX,
};
use crate::log;

/// One option.
#[derive(Debug)]
pub struct ConfigOption {
    /// Its name, in kebab-case: the key in the file, the flag after `--`.
    pub key: &'static str,
    /// What stands for its value in the help.
    pub value_name: &'static str,
    /// How its value is written in TOML and given as a flag.
    pub kind: Kind,
    /// One line for `--help` and the README.
    pub help: &'static str,
    /// What the commented file says beyond that; may be empty.
    pub comment: &'static str,
    /// Reads text into the configuration.
    pub set: fn(&mut Config, &str) -> Result<(), String>,
    /// The value as the text that `set` reads.
    pub get: fn(&Config) -> String,
}

/// What a value is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number, durations in seconds among them.
    Number,
    /// One word.
    Text,
    /// True or false; the flag alone means true.
    Switch,
    /// Texts: comma-separated in flags and variables, an array in TOML.
    List,
}

impl ConfigOption {
    /// The variable that sets it: `MUSTER_PEER_TIMEOUT` for `peer-timeout`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("MUSTER_{}", self.key.to_uppercase().replace('-', "_"))
    }

    /// Its default as the text that `set` reads.
    #[must_use]
    pub fn default_text(&self) -> String {
        (self.get)(&Config::default())
    }
}

/// The option with this key.
#[must_use]
pub fn option_named(key: &str) -> Option<&'static ConfigOption> {
    OPTIONS.iter().find(|option| option.key == key)
}

/// All options, in the order in which people are shown them.
pub static OPTIONS: [ConfigOption; 28] = [
    ConfigOption {
        key: "listen",
        value_name: "ADDR:PORT",
        kind: Kind::List,
        help: "Where to listen: ADDR:PORT, a port alone, or unix:/path; several allowed",
        comment: "[::]:6969 is port 6969 on all addresses, IPv6 and IPv4 on one socket; where the \
                  host has no IPv6 it is 0.0.0.0:6969. A port alone (6969 or :6969) means the \
                  same. Port 0 takes any free port.",
        set: |config, text| set_list(&mut config.listen, text, 1, LISTEN_COUNT_MAX),
        get: |config| joined(&config.listen),
    },
    ConfigOption {
        key: "udp",
        value_name: "BOOL",
        kind: Kind::Switch,
        help: "Serve UDP too (BEP 15), which most clients prefer and which costs a third of HTTP",
        comment: "",
        set: |config, text| set_switch(&mut config.udp, text),
        get: |config| config.udp.to_string(),
    },
    ConfigOption {
        key: "udp-listen",
        value_name: "ADDR:PORT",
        kind: Kind::List,
        help: "Where to listen for UDP: ADDR:PORT or a port alone; by default as listen says",
        comment: "None means the addresses and ports on which HTTP is served. Behind a reverse \
                  proxy, which passes no UDP on, HTTP is served on loopback alone: then set this \
                  to the address that clients see.",
        set: |config, text| set_list(&mut config.udp_listen, text, 0, LISTEN_COUNT_MAX),
        get: |config| joined(&config.udp_listen),
    },
    ConfigOption {
        key: "http-engine",
        value_name: "ENGINE",
        kind: Kind::Text,
        help: "What serves HTTP: epoll (Linux, the default there) or tiny_http (elsewhere)",
        comment: "epoll is made for the open internet. tiny_http is the portable one, for use \
                  behind a reverse proxy: it listens on loopback addresses and Unix sockets only.",
        set: |config, text| set_parsed(&mut config.http_engine, text),
        get: |config| config.http_engine.to_string(),
    },
    ConfigOption {
        key: "allow-tiny-http-remote-crash",
        value_name: "BOOL",
        kind: Kind::Switch,
        help: "Let tiny_http listen beyond loopback, where one 70-byte request ends the process",
        comment: "Anybody who can connect can send that request; README, \"Design\", has it.",
        set: |config, text| set_switch(&mut config.allow_tiny_http_remote_crash, text),
        get: |config| config.allow_tiny_http_remote_crash.to_string(),
    },
    ConfigOption {
        key: "workers",
        value_name: "COUNT",
        kind: Kind::Number,
        help: "Threads that serve HTTP, and as many for UDP; 0 is one per core",
        comment: "",
        set: |config, text| set_count(&mut config.workers, text, (0, WORKERS_MAX as u32)),
        get: |config| config.workers.to_string(),
    },
    ConfigOption {
        key: "peer-timeout",
        value_name: "SECONDS",
        kind: Kind::Number,
        help: "Forget a peer that has been silent for this long",
        comment: "Durations are seconds; \"30m\", \"2h\" and \"1d\" are understood too.",
        set: |config, text| set_seconds(&mut config.peer_timeout, text, PEER_TIMEOUT_SECONDS_RANGE),
        get: |config| config.peer_timeout.to_string(),
    },
    ConfigOption {
        key: "announce-interval",
        value_name: "SECONDS",
        kind: Kind::Number,
        help: "Ask clients to announce this often; half the peer timeout, so a lost call costs \
        nothing",
        comment: "A client told to wait the whole peer timeout would be forgotten just before it \
                  calls again. Replies add up to a sixteenth at random, so that clients do not all \
                  call at once; interval and addition must stay below peer-timeout.",
        set: |config, text| {
            set_seconds(&mut config.announce_interval, text, ANNOUNCE_INTERVAL_SECONDS_RANGE)
        },
        get: |config| config.announce_interval.to_string(),
    },
    ConfigOption {
        key: "min-interval",
        value_name: "SECONDS",
        kind: Kind::Number,
        help: "Ask clients not to announce more often than this, even when their user says so",
        comment: "At most announce-interval.",
        set: |config, text| set_seconds(&mut config.min_interval, text, MIN_INTERVAL_SECONDS_RANGE),
        get: |config| config.min_interval.to_string(),
    },
    ConfigOption {
        key: "max-torrents",
        value_name: "COUNT",
        kind: Kind::Number,
        help: "Track this many torrents at most; others are refused; 0 is automatic",
        comment: "About 700 bytes of memory each when small. Automatic is 200000, or what \
                  max-memory has room for.",
        set: |config, text| set_count(&mut config.max_torrents, text, (0, TRACKED_COUNT_MAX)),
        get: |config| config.max_torrents.to_string(),
    },
    ConfigOption {
        key: "max-peers",
        value_name: "COUNT",
        kind: Kind::Number,
        help: "Track this many peers at most, over all torrents; 0 is automatic",
        comment: "At most 80 bytes of memory each for IPv4 in a large swarm. Automatic is 2000000, \
                  or what max-memory has room for.",
        set: |config, text| set_count(&mut config.max_peers, text, (0, TRACKED_COUNT_MAX)),
        get: |config| config.max_peers.to_string(),
    },
    ConfigOption {
        key: "max-memory",
        value_name: "BYTES",
        kind: Kind::Text,
        help: "Keep the process under this, such as 64M or 1GiB: sets what of max-* is automatic",
        comment: "The load of the state file at a start included, and the kernel's own buffers \
                  not. Torrents registered with long texts come on top, up to 5 KB each.",
        set: |config, text| set_memory(&mut config.max_memory, text, MEMORY_BYTES_RANGE),
        get: |config| memory_text(config.max_memory),
    },
    ConfigOption {
        key: "max-torrents-per-ip",
        value_name: "COUNT",
        kind: Kind::Number,
        help: "Of all torrents, this many at most that one IPv4 address or IPv6 /64 brought up",
        comment: "0 is an eighth of max-torrents. So it takes many addresses to fill the tracker. \
                  Torrents that others announced first, or that are registered, do not count.",
        set: |config, text| {
            set_count(&mut config.max_torrents_per_ip, text, (0, TRACKED_COUNT_MAX))
        },
        get: |config| config.max_torrents_per_ip.to_string(),
    },
    ConfigOption {
        key: "max-announces-per-ip",
        value_name: "COUNT",
        kind: Kind::Number,
        help: "Answer this many announces and scrapes a minute from one address; 0 is all",
        comment: "An address is an IPv4 address or an IPv6 /64. Five minutes' worth may come at \
                  once: 30000 is more torrents than most seedboxes start with.",
        set: |config, text| {
            set_count(&mut config.max_announces_per_ip, text, (0, RATE_PER_MINUTE_MAX))
        },
        get: |config| config.max_announces_per_ip.to_string(),
    },
    ConfigOption {
        key: "max-errors-per-ip",
        value_name: "COUNT",
        kind: Kind::Number,
        help: "Explain this many wrong requests a minute to one address; 0 is all",
        comment: "Beyond that they are turned away, and no token is looked at. Five minutes' worth \
                  may come at once.",
        set: |config, text| {
            set_count(&mut config.max_errors_per_ip, text, (0, RATE_PER_MINUTE_MAX))
        },
        get: |config| config.max_errors_per_ip.to_string(),
    },
    ConfigOption {
        key: "unlimited-networks",
        value_name: "SUBNET",
        kind: Kind::List,
        help: "Addresses without these three bounds; local is this host and private networks",
        comment: "Add your seedbox here: local,192.0.2.7. Private networks are in it because a \
                  container's or a router's own address may stand for everybody. Trusted proxies \
                  are never bounded; the clients they name are.",
        set: |config, text| {
            set_list(&mut config.unlimited_networks, text, 0, UNLIMITED_NETWORKS_COUNT_MAX)
        },
        get: |config| joined(&config.unlimited_networks),
    },
    ConfigOption {
        key: "max-connections",
        value_name: "COUNT",
        kind: Kind::Number,
        help: "Keep this many HTTP connections open at most; 0 is automatic",
        comment: "Automatic is 8192, or three quarters of the limit on open files if that is less. \
                  At the bound the connection that has waited longest for a request is closed.",
        set: |config, text| {
            set_count(&mut config.max_connections, text, (0, HTTP_CONNECTIONS_COUNT_MAX))
        },
        get: |config| config.max_connections.to_string(),
    },
    ConfigOption {
        key: "max-connections-per-ip",
        value_name: "COUNT",
        kind: Kind::Number,
        help: "Of these, this many at most from one IPv4 address or IPv6 /64",
        comment: "",
        set: |config, text| {
            set_count(&mut config.max_connections_per_ip, text, (1, HTTP_CONNECTIONS_COUNT_MAX))
        },
        get: |config| config.max_connections_per_ip.to_string(),
    },
    ConfigOption {
        key: "trusted-proxies",
        value_name: "SUBNET",
        kind: Kind::List,
        help: "Reverse proxies whose X-Forwarded-For header is believed",
        comment: "Addresses and subnets, such as 127.0.0.1, 10.0.0.0/8 or fd00::/8. From anybody \
                  else the header is ignored.",
        set: |config, text| {
            set_list(&mut config.trusted_proxies, text, 0, TRUSTED_PROXIES_COUNT_MAX)
        },
        get: |config| joined(&config.trusted_proxies),
    },
    ConfigOption {
        key: "host-names",
        value_name: "NAME",
        kind: Kind::List,
        help: "Names by which you reach the operator routes; addresses and localhost always do",
        comment: "A page in your browser could make another name point here (DNS rebinding), so \
                  other names are refused on operator routes. Announces go to any name.",
        set: |config, text| set_list(&mut config.host_names, text, 0, HOST_NAMES_COUNT_MAX),
        get: |config| joined(&config.host_names),
    },
    ConfigOption {
        key: "token-file",
        value_name: "PATH",
        kind: Kind::Text,
        help: "File with the token that makes a request from elsewhere the operator's",
        comment: "At least 16 characters; make one with: head -c 24 /dev/urandom | base64. \
                  The variable MUSTER_TOKEN holds the token itself and wins over the file. Without \
                  a token only this host is the operator.",
        set: |config, text| {
            config.token_file = PathBuf::from(text);
            Ok(())
        },
        get: |config| config.token_file.display().to_string(),
    },
    ConfigOption {
        key: "similar-first-digits",
        value_name: "DIGITS",
        kind: Kind::Number,
        help: "Info hashes are similar if this many of their first hex digits agree,",
        comment: "A registration or scrape of a hash that is not tracked, but similar to one that \
                  is, is taken as a typo for it. 0 here and below leaves this rule out.",
        set: |config, text| set_count(&mut config.similar_first_digits, text, (0, 40)),
        get: |config| config.similar_first_digits.to_string(),
    },
    ConfigOption {
        key: "similar-last-digits",
        value_name: "DIGITS",
        kind: Kind::Number,
        help: "... and this many of their last ones,",
        comment: "",
        set: |config, text| set_count(&mut config.similar_last_digits, text, (0, 40)),
        get: |config| config.similar_last_digits.to_string(),
    },
    ConfigOption {
        key: "similar-threshold",
        value_name: "PERCENT",
        kind: Kind::Number,
        help: "... or if at least this percentage of all 40 agree; 100 leaves this rule out",
        comment: "95 lets two digits differ. 0.95 is understood too.",
        set: |config, text| set_percent(&mut config.similar_threshold, text, SIMILAR_PERCENT_RANGE),
        get: |config| config.similar_threshold.to_string(),
    },
    ConfigOption {
        key: "state-file",
        value_name: "PATH",
        kind: Kind::Text,
        help: "Keep the state in this file, with its journals beside it; empty keeps nothing",
        comment: "From the working directory unless absolute; the start says where it is. It is \
                  saved at the end, at SIGUSR1, by /save_state, and by the clock \
                  (autosave-interval).",
        set: |config, text| set_path(&mut config.state_file, text),
        get: |config| config.state_file.display().to_string(),
    },
    ConfigOption {
        key: "autosave-interval",
        value_name: "SECONDS",
        kind: Kind::Number,
        help: "Save the state this often when something has changed; 0 is never",
        comment: "Registrations are on the disk at once, whatever this says; a crash costs what \
                  clients announce again by themselves.",
        set: |config, text| {
            set_seconds(&mut config.autosave_interval, text, AUTOSAVE_INTERVAL_SECONDS_RANGE)
        },
        get: |config| config.autosave_interval.to_string(),
    },
    ConfigOption {
        key: "log-level",
        value_name: "LEVEL",
        kind: Kind::Text,
        help: "What to log to stderr: error, warn, info or debug, each with those before it",
        comment: "",
        set: |config, text| set_parsed(&mut config.log_level, text),
        get: |config| config.log_level.to_string(),
    },
    ConfigOption {
        key: "log-format",
        value_name: "FORMAT",
        kind: Kind::Text,
        help: "How to write log lines: text for people or json for programs",
        comment: "",
        set: |config, text| set_parsed(&mut config.log_format, text),
        get: |config| config.log_format.to_string(),
    },
];

/// The configuration when nobody sets anything.
pub(super) fn default_config() -> Config {
    Config {
        listen: vec![Listen::Tcp(SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT_DEFAULT)))],
        udp: true,
        udp_listen: Vec::new(),
        http_engine: if cfg!(target_os = "linux") {
            HttpEngine::Epoll
        } else {
            HttpEngine::TinyHttp
        },
        allow_tiny_http_remote_crash: false,
        workers: 0,
        peer_timeout: PEER_TIMEOUT_SECONDS_DEFAULT,
        announce_interval: ANNOUNCE_INTERVAL_SECONDS_DEFAULT,
        min_interval: MIN_INTERVAL_SECONDS_DEFAULT,
        max_torrents: 0,
        max_peers: 0,
        max_memory: 0,
        max_torrents_per_ip: 0,
        max_announces_per_ip: ANNOUNCES_PER_MINUTE_DEFAULT,
        max_errors_per_ip: ERRORS_PER_MINUTE_DEFAULT,
        unlimited_networks: vec![Network::Local],
        max_connections: 0,
        max_connections_per_ip: HTTP_CONNECTIONS_PER_IP_DEFAULT,
        trusted_proxies: Vec::new(),
        host_names: Vec::new(),
        token_file: PathBuf::new(),
        token: None,
        similar_first_digits: SIMILAR_FIRST_DIGITS_DEFAULT,
        similar_last_digits: SIMILAR_LAST_DIGITS_DEFAULT,
        similar_threshold: SIMILAR_PERCENT_DEFAULT,
        state_file: PathBuf::from(STATE_FILE_DEFAULT),
        autosave_interval: AUTOSAVE_INTERVAL_SECONDS_DEFAULT,
        log_level: log::Level::Info,
        log_format: log::Format::Text,
    }
}
