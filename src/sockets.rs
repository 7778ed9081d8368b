//! The sockets of a start: opened as the options say, or passed by whoever started us.
//!
//! systemd opens the sockets of a `.socket` unit itself and passes them on (`sd_listen_fds(3)`):
//! `LISTEN_FDS` says how many, from descriptor 3 on, `LISTEN_PID` to whom, `LISTEN_FDNAMES` what
//! they are called. They stay open while one muster goes and the next one comes, so that who
//! connects meanwhile waits and is not refused. Passed TCP and Unix sockets are used instead of
//! `listen`, passed UDP sockets instead of `udp-listen`. Where they listen is theirs to say; that
//! `tiny_http` listens on this host alone holds for them too.

use std::ffi::OsString;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::ffi::OsStrExt as _;

use listenfd::ListenFd;
use rustix::net::sockopt;

use crate::config::{Config, HttpEngine, Listen};
use crate::limits::{LISTEN_COUNT_MAX, PORT_TRIES_MAX};
use crate::listen::Listener;
use crate::log;
use crate::request::quoted;
use crate::udp::socket::{self, Socket};

/// Sockets that were opened by whoever started us.
#[derive(Debug, Default)]
pub struct Passed {
    listeners: Vec<Listener>,
    udp: Vec<UdpSocket>,
}

/// What is listened on.
#[derive(Debug, Default)]
pub struct Sockets {
    /// For HTTP.
    pub http: Vec<Listener>,
    /// For UDP.
    pub udp: Vec<Socket>,
}

impl Passed {
    /// Takes the sockets that the environment tells of, and what tells of them out of it. Called
    /// once per process, before the first thread starts.
    pub fn take() -> Result<Passed, String> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        check_count(|name| std::env::var_os(name), std::process::id())?;
        let mut given = ListenFd::from_env();
        let mut passed = Passed::default();
        if given.len() > LISTEN_COUNT_MAX {
            let count = given.len();
            return Err(format!("LISTEN_FDS: {count}: expected {LISTEN_COUNT_MAX} at most"));
        }
        for nth in 0..given.len() {
            let name = names.next().filter(|name| !name.is_empty()).unwrap_or("unnamed");
            passed.take_one(&mut given, nth).map_err(|problem| {
                format!("LISTEN_FDS: socket {} of {}, {}: {problem}", nth + 1, given.len(), {
                    quoted(name.as_bytes())
                })
            })?;
        }
        Ok(passed)
    }

    /// Takes the socket of this number, whatever kind it is of.
    fn take_one(&mut self, given: &mut ListenFd, nth: usize) -> Result<(), String> {
        let text = |error: io::Error| error.to_string();
        if let Ok(Some(tcp)) = given.take_tcp_listener(nth) {
            check_that_it_listens(sockopt::socket_acceptconn(&tcp))?;
            self.listeners.push(Listener::passed_tcp(tcp).map_err(text)?);
        } else if let Ok(Some(unix)) = given.take_unix_listener(nth) {
            check_that_it_listens(sockopt::socket_acceptconn(&unix))?;
            self.listeners.push(Listener::passed_unix(unix).map_err(text)?);
        } else if let Ok(Some(udp)) = given.take_udp_socket(nth) {
            self.udp.push(udp);
        } else {
            return Err("of no kind that is served: expected TCP and Unix sockets (ListenStream) \
                        and UDP ones (ListenDatagram with an address)"
                .to_owned());
        }
        Ok(())
    }
}

/// What is no number of sockets, `listenfd` takes for none. Meant for another process it is nothing
/// to us.
fn check_count(variable: impl Fn(&str) -> Option<OsString>, pid: u32) -> Result<(), String> {
    let ours =
        variable("LISTEN_PID").is_none_or(|meant| meant.is_empty() || meant == *pid.to_string());
    let Some(text) = variable("LISTEN_FDS").filter(|_| ours) else { return Ok(()) };
    let count = text.to_str().and_then(|text| text.parse::<usize>().ok());
    count.map(|_| ()).ok_or_else(|| {
        let shown = quoted(text.as_bytes());
        format!("LISTEN_FDS: {shown}: expected the number of sockets that are passed")
    })
}

fn check_that_it_listens(listens: rustix::io::Result<bool>) -> Result<(), String> {
    match listens {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err("does not listen: a connection was passed where a listener was expected; \
                          set Accept=no in the .socket unit"
                .to_owned())
        }
        Err(error) => Err(io::Error::from(error).to_string()),
    }
}

/// Opens what is listened on, UDP where TCP is unless told otherwise, but for what was passed.
pub fn open(config: &Config, passed: Passed) -> Result<Sockets, String> {
    let mut sockets = Sockets::default();
    let follows = config.udp && config.udp_listen.is_empty() && passed.udp.is_empty();
    if passed.listeners.is_empty() {
        for listen in &config.listen {
            let (listener, socket) = open_both(listen, follows)?;
            sockets.http.push(listener);
            sockets.udp.extend(socket);
        }
    } else {
        let count = passed.listeners.len();
        log::info(format_args!("{count} sockets were passed and are used instead of listen"));
        for listener in passed.listeners {
            let address = listener.address();
            match address {
                Some(address) => config.check_engine(&Listen::Tcp(address))?,
                None if config.http_engine == HttpEngine::TinyHttp => {
                    return Err(
                        "http-engine tiny_http would take the file of a passed Unix socket \
                                away at its end: use epoll, or have listen open the socket"
                            .to_owned(),
                    );
                }
                None => {}
            }
            sockets.http.push(listener);
            let own = address.filter(|_| follows);
            sockets.udp.extend(own.map(open_udp).transpose()?);
        }
    }
    open_only_udp(config, passed.udp, &mut sockets)?;
    Ok(sockets)
}

/// Takes what was passed for UDP, or opens `udp-listen`.
fn open_only_udp(
    config: &Config,
    passed: Vec<UdpSocket>,
    sockets: &mut Sockets,
) -> Result<(), String> {
    if !config.udp {
        if !config.udp_listen.is_empty() {
            let listen: Vec<String> = config.udp_listen.iter().map(ToString::to_string).collect();
            let listen = listen.join(",");
            log::warn(format_args!("udp is false: nothing listens on udp-listen {listen}"));
        }
        if !passed.is_empty() {
            let count = passed.len();
            log::warn(format_args!("udp is false: {count} UDP sockets were passed for nothing"));
        }
        return Ok(());
    }
    if passed.is_empty() {
        for listen in &config.udp_listen {
            sockets.udp.push(open_udp(listen.0)?);
        }
        return Ok(());
    }
    let count = passed.len();
    log::info(format_args!("{count} UDP sockets were passed and are used instead of udp-listen"));
    for socket in passed {
        let socket = Socket::passed(socket);
        sockets.udp.push(socket.map_err(|error| format!("a passed UDP socket: {error}"))?);
    }
    Ok(())
}

fn open_udp(address: SocketAddr) -> Result<Socket, String> {
    Socket::open(address).map_err(|error| socket::in_words(address, &error))
}

/// Opens a listener and, if UDP `follows`, a UDP socket on the same address and port. Where any
/// port will do, one is taken that is free for both.
fn open_both(listen: &Listen, follows: bool) -> Result<(Listener, Option<Socket>), String> {
    let any_port = matches!(listen, Listen::Tcp(address) if address.port() == 0);
    let mut tries = if any_port { PORT_TRIES_MAX } else { 1 };
    // Kept until a port is found, so that none is tried twice.
    let mut given_up = Vec::new();
    loop {
        let listener = Listener::open(listen)?;
        let Some(address) = listener.address().filter(|_| follows) else {
            return Ok((listener, None));
        };
        tries -= 1;
        match Socket::open(address) {
            Ok(socket) => return Ok((listener, Some(socket))),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries > 0 => {
                given_up.push(listener);
            }
            Err(error) => return Err(socket::in_words(address, &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_of_sockets_that_is_none_is_named_when_it_is_meant_for_us() {
        let checked = |count: &str, pid: Option<&str>| {
            let variable = |name: &str| match name {
                "LISTEN_FDS" => Some(OsString::from(count)),
                _ => pid.map(OsString::from),
            };
            check_count(variable, 42)
        };
        for pid in [None, Some(""), Some("42")] {
            for count in ["x", "", "-1", "99999999999999999999"] {
                let wanted = format!(
                    "LISTEN_FDS: \"{count}\": expected the number of sockets that are passed"
                );
                assert_eq!(checked(count, pid), Err(wanted));
            }
            assert_eq!(checked("2", pid), Ok(()));
        }
        assert_eq!(checked("x", Some("43")), Ok(()));
        assert_eq!(check_count(|_| None, 42), Ok(()));
    }
}
