//! `muster serve`: puts the parts together, and takes them apart again. Wiring only.
//!
//! [`start`] gives a running tracker to whoever wants one in-process; [`run`] is the program, from
//! the first line it prints to the last.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::addresses;
use crate::clock::{Clock, unix_time};
use crate::config::{Config, HttpEngine};
use crate::http::access::Access;
use crate::http::operator::Operator;
use crate::http::{Service, Settings, tiny};
#[cfg(target_os = "linux")]
use crate::http::{admission::ConnectionLimits, epoll};
use crate::limits::{HTTP_CONNECTIONS_MAX_DEFAULT, WORKERS_MAX};
use crate::listen::Listener;
use crate::log;
use crate::signals;
use crate::stats::Stats;
use crate::store::Store;
use crate::sweeper;
use crate::token::Token;
use crate::tracker::{Tolerance, Tracker, TrackerLimits};

enum Engine {
    #[cfg(target_os = "linux")]
    Epoll(epoll::Engine),
    Tiny(tiny::Engine),
}

/// A tracker that serves until it is told to stop.
pub struct Running {
    service: Arc<Service>,
    engine: Engine,
    sweeper: JoinHandle<()>,
    stopping: Arc<AtomicBool>,
    addresses: Vec<SocketAddr>,
    listening: Vec<String>,
}

/// What asks a tracker to stop: a signal, or the operator.
#[derive(Debug, Default)]
pub struct StopSignal {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl StopSignal {
    /// Asks.
    pub fn ask(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits until somebody has asked.
    pub fn wait(&self) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        while !*asked {
            asked = self.changed.wait(asked).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Opens the listeners and starts every thread.
pub fn start(config: &Config) -> Result<Running, String> {
    start_with(config, &Arc::default())
}

fn start_with(config: &Config, stop: &Arc<StopSignal>) -> Result<Running, String> {
    let descriptors = raise_descriptor_limit();
    let listeners: Vec<Listener> =
        config.listen.iter().map(Listener::open).collect::<Result<_, _>>()?;
    let addresses = listeners.iter().filter_map(Listener::address).collect();
    let listening = listeners.iter().map(Listener::to_string).collect();
    let service = Arc::new(service(config, stop)?);
    let workers = workers(config.workers);
    let engine = match config.http_engine {
        #[cfg(target_os = "linux")]
        HttpEngine::Epoll => {
            let limits = connection_limits(config, descriptors);
            epoll::Engine::start(listeners, &service, workers, limits).map(Engine::Epoll)?
        }
        _ => tiny::Engine::start(listeners, &service, workers).map(Engine::Tiny)?,
    };
    let stopping = Arc::new(AtomicBool::new(false));
    let sweeper = thread::Builder::new().name("sweeper".to_owned()).spawn({
        let (service, stopping) = (Arc::clone(&service), Arc::clone(&stopping));
        move || sweeper::run(&service.tracker, &service.clock, &stopping)
    });
    let sweeper = sweeper.map_err(|error| format!("cannot start a thread: {error}"))?;
    Ok(Running { service, engine, sweeper, stopping, addresses, listening })
}

/// Runs the tracker until SIGINT, SIGTERM or the operator stops it.
pub fn run(config: &Config) -> Result<(), String> {
    let stop = Arc::new(StopSignal::default());
    signals::watch({
        let stop = Arc::clone(&stop);
        move || stop.ask()
    })?;
    let running = start_with(config, &stop)?;
    log::info(format_args!(
        "muster {} serves with {} and {} workers; peers time out after {} s",
        env!("CARGO_PKG_VERSION"),
        config.http_engine,
        workers(config.workers),
        config.peer_timeout,
    ));
    running.announce_itself();
    stop.wait();
    log::info("stopping: no new connections, what is in flight has 5 s to finish");
    running.stop();
    Ok(())
}

impl Running {
    /// The TCP addresses listened on, with the ports that the system chose.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The service, for whoever looks in from the same process.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Moves the clock forward and lets every thread see it.
    pub fn advance(&self, millis: u64) {
        self.service.clock.advance(millis);
        #[cfg(target_os = "linux")]
        if let Engine::Epoll(engine) = &self.engine {
            engine.wake();
        }
    }

    /// Finishes what is in flight and ends every thread.
    pub fn stop(self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.service.clock.wake();
        match self.engine {
            #[cfg(target_os = "linux")]
            Engine::Epoll(engine) => engine.stop(self.service.clock.millis()),
            Engine::Tiny(engine) => engine.stop(),
        }
        let _ = self.sweeper.join();
        let (stats, totals) = (self.service.stats.snapshot(), self.service.tracker.totals());
        log::info(format_args!(
            "stopped after {} announces and {} scrapes ({} refused) on {} connections, with {} \
             peers in {} torrents",
            stats.announces,
            stats.scrapes,
            stats.refusals,
            stats.connections,
            totals.peers,
            totals.torrents,
        ));
    }

    /// Prints what a person pastes into a client, and where the tracker listens.
    fn announce_itself(&self) {
        let urls = addresses::announce_urls(&self.addresses);
        let urls = urls.iter().map(|url| format!("announce URL: {url}\n"));
        let listening = self.listening.iter().map(|address| format!("listening on {address}\n"));
        let text: String = urls.chain(listening).collect();
        // Nobody has to read it.
        let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
    }
}

fn service(config: &Config, stop: &Arc<StopSignal>) -> Result<Service, String> {
    let digits = |count: u32| u8::try_from(count).unwrap_or(40);
    let limits = TrackerLimits {
        peer_timeout: config.peer_timeout,
        torrents_max: config.max_torrents,
        peers_max: config.max_peers,
        tolerance: Tolerance {
            first_digits: digits(config.similar_first_digits),
            last_digits: digits(config.similar_last_digits),
            same_digits: digits((40 * config.similar_threshold).div_ceil(100)),
        },
    };
    let settings = Settings {
        announce_interval: config.announce_interval,
        min_interval: config.min_interval,
        trusted_proxies: config.trusted_proxies.clone(),
    };
    let host_names = config.host_names.iter().map(ToString::to_string).collect();
    let access = Access { token: token(config)?, host_names };
    let stop = Arc::clone(stop);
    let (tracker, clock) = (Tracker::new(limits), Clock::new());
    let timeout = config.peer_timeout;
    let (store, _) = Store::open(Path::new(""), &tracker, clock.seconds(), unix_time(), timeout)?;
    let operator = Operator { access, store: Arc::new(store), stop: Box::new(move || stop.ask()) };
    Ok(Service {
        tracker: Arc::new(tracker),
        stats: Arc::new(Stats::default()),
        clock: Arc::new(clock),
        settings,
        operator,
    })
}

/// The operator's token: from the variable, else from the file.
fn token(config: &Config) -> Result<Option<Token>, String> {
    if config.token.is_some() || config.token_file.as_os_str().is_empty() {
        return Ok(config.token.clone());
    }
    let path = config.token_file.display();
    let text = fs::read_to_string(&config.token_file)
        .map_err(|error| format!("token-file {path}: {error}"))?;
    Token::parse(&text).map(Some).map_err(|error| format!("token-file {path}: {error}"))
}

/// Worker threads: as many as asked for, or one a core.
fn workers(asked: u32) -> usize {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let workers = if asked == 0 { cores() } else { asked as usize };
    workers.min(WORKERS_MAX)
}

/// Raises the limit on open descriptors as far as it goes without privileges; returns the limit.
fn raise_descriptor_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let current = if raised.is_ok() { limit.maximum } else { limit.current };
    current.unwrap_or(u64::MAX)
}

/// The bounds on connections: by default a share of the descriptors, since files and the listeners
/// need some too.
#[cfg(target_os = "linux")]
fn connection_limits(config: &Config, descriptors: u64) -> ConnectionLimits {
    let share = u32::try_from(descriptors / 4 * 3).unwrap_or(u32::MAX);
    let default = share.min(HTTP_CONNECTIONS_MAX_DEFAULT);
    let asked = config.max_connections;
    if asked > share {
        log::warn(format_args!(
            "max-connections {asked} is more than 3/4 of the {descriptors} descriptors that this \
             process may open: raise the limit (ulimit -n, LimitNOFILE); {share} are used"
        ));
    }
    ConnectionLimits {
        connections_max: if asked == 0 { default } else { asked.min(share) },
        per_ip_max: config.max_connections_per_ip,
    }
}
