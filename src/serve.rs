//! `muster serve`: puts the parts together, and takes them apart again. Wiring only.
//!
//! [`start`] gives a running tracker to whoever wants one in-process; [`run`] is the program, from
//! the first line it prints to the last.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::addresses;
use crate::budget::Budget;
use crate::clock::{Clock, unix_time};
use crate::config::{Config, HttpEngine, Network, read_token};
use crate::descriptors;
use crate::http::access::Access;
use crate::http::operator::Operator;
use crate::http::{Service, Settings, tiny};
#[cfg(target_os = "linux")]
use crate::http::{admission::ConnectionLimits, epoll};
use crate::limits::{
    DESCRIPTORS_SPARE, STOP_MILLIS_MAX, UDP_RECEIVE_BUFFER_BYTES, UDP_SEND_BUFFER_BYTES,
    WORKER_DESCRIPTORS, WORKERS_MAX,
};
use crate::listen::Listener;
use crate::log;
use crate::notify::Notifier;
use crate::rate_limit::PerAddress;
use crate::rounds::Rounds;
use crate::signals;
use crate::sockets::{self, Passed, Sockets};
use crate::stats::Stats;
use crate::store::{Saved, Store};
use crate::sweeper::Sweeper;
use crate::token::Token;
use crate::tracker::{Tolerance, Tracker, TrackerLimits};
use crate::udp::{self, key_file, socket};
use crate::watchdog::{self, Watchdog};

enum Engine {
    #[cfg(target_os = "linux")]
    Epoll(epoll::Engine),
    Tiny(tiny::Engine),
}

/// A tracker that serves until it is told to stop.
pub struct Running {
    service: Arc<Service>,
    engine: Engine,
    udp: udp::Engine,
    sweeper: JoinHandle<()>,
    rounds: Arc<Rounds>,
    stopping: Arc<AtomicBool>,
    addresses: Vec<SocketAddr>,
    listening: Vec<String>,
}

/// What the main thread is asked to do, by a signal or by the operator.
#[derive(Debug, Default)]
pub struct Asked {
    /// To stop, and to save.
    wanted: Mutex<(bool, bool)>,
    changed: Condvar,
}

/// See [`Asked::wait`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The end.
    Stop,
    /// A save, before which this was asked.
    Save,
}

impl Asked {
    /// Asks for a stop.
    pub fn stop(&self) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).0 = true;
        self.changed.notify_all();
    }

    /// Asks for a save.
    pub fn save(&self) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.changed.notify_all();
    }

    /// Waits until something is asked for; a stop, which saves too, comes first.
    pub fn wait(&self) -> Wanted {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &mut *wanted {
                (true, _) => return Wanted::Stop,
                (_, save @ true) => {
                    *save = false;
                    return Wanted::Save;
                }
                _ => wanted = self.changed.wait(wanted).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// Opens the listeners and starts every thread.
pub fn start(config: &Config) -> Result<Running, String> {
    start_with(config, &Arc::default(), Passed::default(), Rounds::default())
}

fn start_with(
    config: &Config,
    asked: &Arc<Asked>,
    passed: Passed,
    rounds: Rounds,
) -> Result<Running, String> {
    let descriptors = descriptors::raise_limit();
    let Sockets { http: listeners, udp: sockets } = sockets::open(config, passed)?;
    let addresses = listeners.iter().filter_map(Listener::address).collect();
    let listening = listeners.iter().map(Listener::to_string).collect();
    let budget = budget(config, descriptors);
    let service = Arc::new(service(config, budget, asked)?);
    log_bounds(budget, config.max_memory);
    // Before anything runs, so that a failure leaves nothing running.
    let udp = (!sockets.is_empty()).then(|| udp_service(config, &service)).transpose()?;
    let workers = workers(config.workers);
    let rounds = Arc::new(rounds);
    let engine = match config.http_engine {
        #[cfg(target_os = "linux")]
        HttpEngine::Epoll => {
            let limits = ConnectionLimits {
                connections_max: budget.connections,
                per_ip_max: config.max_connections_per_ip,
            };
            epoll::Engine::start(listeners, &service, workers, limits, &rounds)
                .map(Engine::Epoll)?
        }
        _ => tiny::Engine::start(listeners, &service, workers).map(Engine::Tiny)?,
    };
    let udp = match udp {
        Some(service) => start_udp(sockets, &Arc::new(service), workers, &rounds)?,
        None => udp::Engine::default(),
    };
    let stopping = Arc::new(AtomicBool::new(false));
    let sweeper = thread::Builder::new().name("sweeper".to_owned()).spawn({
        let stopping = Arc::clone(&stopping);
        let sweeper = Sweeper {
            tracker: Arc::clone(&service.tracker),
            clock: Arc::clone(&service.clock),
            stats: Arc::clone(&service.stats),
            store: Arc::clone(&service.operator.store),
            autosave_interval: config.autosave_interval,
        };
        move || sweeper.run(&stopping)
    });
    let sweeper = sweeper.map_err(|error| format!("cannot start a thread: {error}"))?;
    Ok(Running { service, engine, udp, sweeper, rounds, stopping, addresses, listening })
}

/// What answers UDP, with the key that is kept beside the state.
fn udp_service(config: &Config, service: &Service) -> Result<udp::Service, String> {
    let Service { tracker, stats, clock, per_address, operator, .. } = service;
    let key = key_file::load(operator.store.path().and_then(Path::parent))?;
    Ok(udp::Service::new(tracker, stats, clock, per_address, key, config.announce_interval))
}

/// Says once what the kernel has granted, and starts the threads.
fn start_udp(
    sockets: Vec<socket::Socket>,
    service: &Arc<udp::Service>,
    threads: usize,
    rounds: &Rounds,
) -> Result<udp::Engine, String> {
    if let Some((receive, send)) = sockets.first().map(socket::Socket::granted) {
        log::info(format_args!(
            "udp: the kernel grants queues of {receive} and {send} bytes, asked for were \
             {UDP_RECEIVE_BUFFER_BYTES} and {UDP_SEND_BUFFER_BYTES} (net.core.rmem_max, wmem_max)"
        ));
    }
    udp::Engine::start(sockets, service, threads, rounds)
}

/// The way to systemd, if it wants to be told.
fn notifier() -> Result<Option<Notifier>, String> {
    Notifier::from_variables(|name| std::env::var_os(name), std::process::id())
}

/// Runs the tracker until SIGINT, SIGTERM or the operator stops it, and saves at SIGUSR1. Fails if
/// it cannot start, or cannot save at the end.
pub fn run(config: &Config) -> Result<(), String> {
    // Before the first thread starts.
    let passed = Passed::take()?;
    let notifier = notifier()?.map(Arc::new);
    log::start_thread()?;
    let asked = Arc::new(Asked::default());
    let (for_stop, for_save) = (Arc::clone(&asked), Arc::clone(&asked));
    signals::watch(move || for_stop.stop(), move || for_save.save())?;
    let rounds = Rounds::new(notifier.as_deref().and_then(watchdog::wait_millis_max));
    let running = start_with(config, &asked, passed, rounds)?;
    log::info(format_args!(
        "muster {} serves with {} and {} workers; peers time out after {} s",
        env!("CARGO_PKG_VERSION"),
        config.http_engine,
        workers(config.workers),
        config.peer_timeout,
    ));
    // What was found at the start stands in the log before anybody reads that this listens.
    log::flush();
    running.announce_itself();
    let watchdog = notifier.clone().map(|notifier| running.watched(notifier)).transpose()?;
    while asked.wait() == Wanted::Save {
        match running.save() {
            Ok(saved) => log::info(format_args!("SIGUSR1: {saved}")),
            Err(error) => log::error(format_args!("SIGUSR1: {error}")),
        }
    }
    if let Some(notifier) = notifier {
        notifier.tell("STOPPING=1\nSTATUS=stopping");
    }
    log::info("stopping: no new connections, what is in flight has 5 s to finish");
    let stopped = running.stop();
    if let Some(watchdog) = watchdog {
        let _ = watchdog.join();
    }
    stopped
}

impl Running {
    /// The TCP addresses listened on, with the ports that the system chose.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The UDP addresses listened on, likewise.
    #[must_use]
    pub fn udp_addresses(&self) -> Vec<SocketAddr> {
        self.udp.addresses().collect()
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

    /// Starts the thread that tells systemd how things are, until the stop.
    fn watched(&self, notifier: Arc<Notifier>) -> Result<JoinHandle<()>, String> {
        let watchdog = Watchdog {
            notifier,
            clock: Arc::clone(&self.service.clock),
            tracker: Arc::clone(&self.service.tracker),
            rounds: Arc::clone(&self.rounds),
        };
        let stopping = Arc::clone(&self.stopping);
        let thread = thread::Builder::new().name("watchdog".to_owned());
        let thread = thread.spawn(move || watchdog.run(&stopping));
        thread.map_err(|error| format!("cannot start a thread: {error}"))
    }

    /// Saves the state now.
    pub fn save(&self) -> Result<Saved, String> {
        save(&self.service)
    }

    /// Finishes what is in flight, ends every thread and saves the state. Fails if that fails.
    pub fn stop(self) -> Result<(), String> {
        let Running { service, engine, udp, sweeper, stopping, .. } = self;
        stopping.store(true, Ordering::Relaxed);
        service.clock.wake();
        match engine {
            #[cfg(target_os = "linux")]
            Engine::Epoll(engine) => engine.stop(service.clock.millis()),
            Engine::Tiny(engine) => {
                engine.stop(&service.clock, service.clock.millis() + STOP_MILLIS_MAX);
            }
        }
        udp.stop();
        let _ = sweeper.join();
        let (stats, totals) = (service.stats.snapshot(), service.tracker.totals());
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
        if service.operator.store.path().is_some() {
            log::info(save(&service)?);
        }
        Ok(())
    }

    /// Prints what a person pastes into a client, and where the tracker listens.
    fn announce_itself(&self) {
        let udp = self.udp_addresses();
        let urls = addresses::announce_urls(&self.addresses, &udp);
        let urls = urls.iter().map(|url| format!("announce URL: {url}\n"));
        // First, so that whoever waits for the line about HTTP can use both.
        let udp = udp.iter().map(|address| format!("listening on udp {address}\n"));
        let listening = self.listening.iter().map(|address| format!("listening on {address}\n"));
        let text: String = urls.chain(udp).chain(listening).collect();
        // Nobody has to read it.
        let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
    }
}

fn service(config: &Config, budget: Budget, asked: &Arc<Asked>) -> Result<Service, String> {
    let digits = |count: u32| u8::try_from(count).unwrap_or(40);
    let limits = TrackerLimits {
        peer_timeout: config.peer_timeout,
        torrents_max: budget.torrents,
        torrents_per_ip_max: budget.torrents_per_ip,
        peers_max: budget.peers,
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
    let asked = Arc::clone(asked);
    let (tracker, clock) = (Tracker::new(limits), Clock::new());
    let store = Arc::new(open_store(config, &tracker, &clock)?);
    let unlimited = config.unlimited_networks.iter().flat_map(Network::subnets);
    let unlimited = unlimited.chain(&config.trusted_proxies);
    let per_address = PerAddress::new(
        config.max_announces_per_ip,
        config.max_errors_per_ip,
        unlimited.copied().collect(),
    );
    let operator = Operator { access, store, stop: Box::new(move || asked.stop()) };
    Ok(Service {
        tracker: Arc::new(tracker),
        stats: Arc::new(Stats::default()),
        clock: Arc::new(clock),
        settings,
        per_address: Arc::new(per_address),
        operator,
    })
}

/// The operator's token: from the variable, else from the file.
pub fn token(config: &Config) -> Result<Option<Token>, String> {
    if config.token.is_some() || config.token_file.as_os_str().is_empty() {
        return Ok(config.token.clone());
    }
    read_token(&config.token_file).map(Some)
}

/// Loads the state and says what was found.
fn open_store(config: &Config, tracker: &Tracker, clock: &Clock) -> Result<Store, String> {
    let (path, now) = (&config.state_file, clock.seconds());
    let (store, loaded) = Store::open(path, tracker, now, unix_time(), config.peer_timeout)?;
    for (level, text) in &loaded.notes {
        log::event(*level, text, &[]);
    }
    let totals = tracker.totals();
    match store.path() {
        Some(path) => log::info(format_args!(
            "state: {}: {} torrents, {} peers; {} peers have timed out; {} entries of journals",
            path.display(),
            totals.torrents,
            totals.peers,
            loaded.expired,
            loaded.entries,
        )),
        None => log::info("state-file is empty: nothing is kept on disk"),
    }
    Ok(store)
}

/// Saves the state; a panic in that is an error like another, and the last good save is kept.
fn save(service: &Service) -> Result<Saved, String> {
    let Service { operator, tracker, clock, stats, .. } = service;
    let saving = || operator.store.save(tracker, clock.seconds(), unix_time());
    panic::catch_unwind(AssertUnwindSafe(saving)).unwrap_or_else(|_| {
        stats.panics.add();
        Err("state: not saved, because of a bug; the last good save and the journals are kept"
            .into())
    })
}

/// Worker threads: as many as asked for, or one a core.
fn workers(asked: u32) -> usize {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let workers = if asked == 0 { cores() } else { asked as usize };
    workers.min(WORKERS_MAX)
}

/// The bounds, those on connections by default a share of the descriptors, since files and the
/// listeners, which are open by now, need some too.
fn budget(config: &Config, descriptors: u64) -> Budget {
    let taken = descriptors::open_count()
        + workers(config.workers) as u64 * WORKER_DESCRIPTORS
        + DESCRIPTORS_SPARE;
    let (usual, left) = (descriptors / 4 * 3, descriptors.saturating_sub(taken).max(1));
    if left < usual {
        log::warn(format_args!(
            "this process may open {descriptors} descriptors, of which {left} are left for \
             connections: raise the limit (ulimit -n, LimitNOFILE)"
        ));
    }
    let share = u32::try_from(usual.min(left)).unwrap_or(u32::MAX);
    let asked = config.max_connections;
    if asked > share {
        log::warn(format_args!(
            "max-connections {asked} is more than 3/4 of the {descriptors} descriptors that this \
             process may open: raise the limit (ulimit -n, LimitNOFILE); {share} are used"
        ));
    }
    let filled = bounds(config);
    Budget { connections: filled.connections.min(share), ..filled }
}

/// The bounds as the configuration has them, whatever this process may open.
#[must_use]
pub fn bounds(config: &Config) -> Budget {
    let said = Budget {
        torrents: config.max_torrents,
        torrents_per_ip: config.max_torrents_per_ip,
        peers: config.max_peers,
        connections: config.max_connections,
    };
    said.filled(config.max_memory, workers(config.workers))
}

fn log_bounds(budget: Budget, memory_bytes: u64) {
    let Budget { torrents, torrents_per_ip, peers, connections } = budget;
    let memory = memory_bytes >> 20;
    let from = if memory == 0 { String::new() } else { format!(", from {memory} MiB") };
    log::info(format_args!(
        "bounds: {torrents} torrents, {torrents_per_ip} of one address, {peers} peers, \
         {connections} connections{from}"
    ));
}
