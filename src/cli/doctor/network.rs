//! The network: what listens, who could reach it, what to hand out.
//!
//! A tracker that runs already is asked at each of its addresses. Where nothing runs the ports are
//! opened for a moment, and connected to at each address: what a firewall on this host keeps from
//! this host, it keeps from everybody. What lies between here and the clients nobody here can see.

use std::fs;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::finding::Finding;
use super::state::{advice_for_folder, folder_of, probe};
use crate::addresses::{announce_urls, is_shared};
use crate::client::http::Caller;
use crate::client::tracker_url::{Scheme, TrackerUrl};
use crate::client::{AddressFamily, Asker, Settings};
use crate::clock::Clock;
use crate::config::{Config, Listen};
use crate::limits::CLIENT_REPLY_BYTES_MAX;
use crate::listen::Listener;
use crate::request::InfoHash;
use crate::subnet::is_local;
use crate::udp::socket::{self, Buffer, Socket};

/// How each tracker is asked, and how long a connection may take: they are all on this host.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How trackers are asked here.
pub(super) fn settings() -> Settings {
    let family = AddressFamily::Any;
    Settings { timeout: TIMEOUT, family, reply_bytes_max: CLIENT_REPLY_BYTES_MAX }
}

/// What is there to be connected to.
#[derive(Default)]
struct Listening {
    http: Vec<SocketAddr>,
    udp: Vec<SocketAddr>,
    /// Opened here; they listen until this is dropped.
    opened_http: Vec<Listener>,
    opened_udp: Vec<Socket>,
    /// Where a tracker runs already, HTTP and UDP.
    running: [Vec<SocketAddr>; 2],
}

/// Checks ports, addresses and what a proxy needs; returns the announce URLs to hand out.
pub(super) fn check(config: &Config, findings: &mut Vec<Finding>) -> Vec<String> {
    let mut listening = Listening::default();
    for listen in &config.listen {
        match listen {
            Listen::Tcp(address) => listening.check_tcp(listen, *address, findings),
            Listen::Unix(path) => findings.push(check_unix(path)),
        }
    }
    if config.udp {
        let follow = listening.http.clone();
        let own: Vec<SocketAddr> = config.udp_listen.iter().map(|listen| listen.0).collect();
        for address in if own.is_empty() { follow } else { own } {
            listening.check_udp(address, findings);
        }
    }
    let urls = announce_urls(&listening.http, &listening.udp);
    for url in &urls {
        findings.push(listening.reach(url));
    }
    let hosts: Vec<IpAddr> = urls.iter().filter_map(|url| host_of(url)).collect();
    let port = listening.http.first().map_or(0, SocketAddr::port);
    findings.extend(judge_addresses(&hosts, port));
    findings.extend(judge_proxies(config));
    urls
}

impl Listening {
    fn check_tcp(&mut self, listen: &Listen, address: SocketAddr, findings: &mut Vec<Finding>) {
        findings.push(match Listener::open(listen) {
            Ok(listener) => {
                self.http.extend(listener.address());
                self.opened_http.push(listener);
                Finding::ok("port", format!("{address} is free"))
            }
            Err(_) if is_muster(nearest(address)) => {
                self.http.push(address);
                self.running[0].push(address);
                Finding::ok("port", format!("{address}: a muster serves there"))
            }
            Err(error) if is_silent(nearest(address)) => {
                let Finding { text, .. } = Finding::of_error("port", &error);
                Finding::problem("port", text, SILENT_ADVICE)
            }
            Err(error) => Finding::of_error("port", &error),
        });
    }

    fn check_udp(&mut self, address: SocketAddr, findings: &mut Vec<Finding>) {
        findings.push(match Socket::open(address) {
            Ok(socket) => {
                self.udp.push(socket.address());
                self.opened_udp.push(socket);
                Finding::ok("port", format!("udp {address} is free"))
            }
            Err(_) if answers_udp(&format!("udp://{}", nearest(address))).is_ok() => {
                self.udp.push(address);
                self.running[1].push(address);
                Finding::ok("port", format!("udp {address}: a tracker serves there"))
            }
            Err(error) => {
                let mut taken = Finding::of_error("port", &socket::in_words(address, &error));
                if error.kind() == ErrorKind::AddrInUse {
                    taken.advice += "; if muster.socket holds it: systemctl start muster";
                }
                taken
            }
        });
    }

    /// Whether this host reaches itself at an announce URL.
    fn reach(&self, url: &str) -> Finding {
        let reached = TrackerUrl::parse(url).and_then(|parsed| {
            let ip = parsed.host.parse::<IpAddr>().map_err(|_| "no address".to_owned())?;
            let address = SocketAddr::new(ip, parsed.port);
            let [http, udp] = &self.running;
            let serves = |own: &SocketAddr| takes(*own, address);
            match parsed.scheme {
                Scheme::Udp if udp.iter().any(serves) => answers_udp(url),
                Scheme::Udp => self.receives(address, TIMEOUT),
                _ if http.iter().any(serves) => answers_http(&parsed),
                _ => {
                    let connected = TcpStream::connect_timeout(&address, TIMEOUT);
                    connected.map(|_| ()).map_err(|error| error.to_string())
                }
            }
        });
        match reached {
            Ok(()) => Finding::ok("reach", format!("{url} is reached from this host")),
            Err(error) => Finding::problem(
                "reach",
                format!("{url} is not reached, even from this host: {error}"),
                "see whether a firewall here drops it: nft list ruleset, or ufw status",
            ),
        }
    }

    /// Whether a packet to this address arrives at the socket that was opened here for it. What
    /// others send meanwhile is no answer.
    fn receives(&self, address: SocketAddr, wait: Duration) -> Result<(), String> {
        let opened = self.opened_udp.iter().find(|socket| takes(socket.address(), address));
        let socket = opened.ok_or("nothing listens there")?;
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let sent = std::array::from_fn::<u8, 16, _>(|_| fastrand::u8(..));
        let asked = UdpSocket::bind(any).and_then(|own| own.send_to(&sent, address));
        asked.map_err(|error| error.to_string())?;
        let clock = Clock::new();
        let deadline = clock.millis() + wait.as_millis() as u64;
        let mut buffer = Buffer::new(sent.len() + 1);
        while let Some(left) = deadline.checked_sub(clock.millis()).filter(|left| *left > 0) {
            let came = socket.wait_at_most(left).and_then(|()| socket.receive(&mut buffer));
            match came.map_err(|error| error.to_string())? {
                Some(received) if buffer.packet(received.length) == sent => return Ok(()),
                _ => {}
            }
        }
        Err("what is sent there does not arrive".to_owned())
    }
}

/// What to do about a port that is taken by somebody who says nothing.
const SILENT_ADVICE: &str = "who listens there answers nobody: if that is muster.socket, which \
    holds the port while the service is down, systemctl start muster; if not, end that program, or \
    choose another port with --listen";

/// A Unix socket is made in its folder; one that is left over is taken away by a start.
fn check_unix(path: &Path) -> Finding {
    let shown = path.display();
    if UnixStream::connect(path).is_ok() {
        return Finding::ok("port", format!("unix:{shown}: a program listens there"));
    }
    if fs::symlink_metadata(path).is_ok_and(|file| !file.file_type().is_socket()) {
        let text = format!("unix:{shown}: something else than a socket has that name");
        return Finding::problem(
            "port",
            text,
            "take it away, or choose another path with --listen",
        );
    }
    let folder = folder_of(path);
    match probe(&folder) {
        Ok(()) => Finding::ok("port", format!("unix:{shown}: nobody listens there")),
        Err(error) => {
            let advice = advice_for_folder(&folder, &error, "listen");
            let text = format!("unix:{shown}: {} cannot be written to: {error}", folder.display());
            Finding::problem("port", text, advice)
        }
    }
}

/// Whether what is sent to `address` arrives at a socket on `own`.
fn takes(own: SocketAddr, address: SocketAddr) -> bool {
    own.port() == address.port() && (own.ip().is_unspecified() || own.ip() == address.ip())
}

/// An address at which this host reaches what listens on `address`.
fn nearest(address: SocketAddr) -> SocketAddr {
    let ip = if address.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

/// Whether the page at the root says that a muster serves it.
fn is_muster(address: SocketAddr) -> bool {
    let Ok(url) = TrackerUrl::parse(&format!("http://{address}")) else { return false };
    let url = url.with_target("/");
    let page = Caller::new(&url, settings()).and_then(|caller| caller.get(&url, &[]));
    page.is_ok_and(|page| page.body.starts_with(b"This is muster "))
}

fn answers_http(url: &TrackerUrl) -> Result<(), String> {
    let page = url.page("health");
    let reply = Caller::new(&page, settings()).and_then(|caller| caller.get(&page, &[]));
    match reply {
        Ok(reply) if reply.status == 200 => Ok(()),
        Ok(reply) => Err(format!("HTTP status {}", reply.status)),
        Err(failure) => Err(failure.text),
    }
}

/// A scrape leaves nothing behind.
fn answers_udp(url: &str) -> Result<(), String> {
    let url = TrackerUrl::parse(url)?;
    let told =
        Asker::new(&url, settings()).and_then(|mut asker| asker.scrape(&[InfoHash([0; 20])]));
    told.map(|_| ()).map_err(|failure| failure.text)
}

/// Whether a connection there is made, or waits to be, and a request gets no reply.
fn is_silent(address: SocketAddr) -> bool {
    let waited =
        |error: &io::Error| matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock);
    let asked = TcpStream::connect_timeout(&address, TIMEOUT).and_then(|mut connection| {
        connection.set_read_timeout(Some(TIMEOUT))?;
        connection.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        connection.read(&mut [0])
    });
    asked.is_err_and(|error| waited(&error))
}

fn host_of(url: &str) -> Option<IpAddr> {
    TrackerUrl::parse(url).ok()?.host.parse().ok()
}

/// Who could reach these addresses, those of the announce URLs.
fn judge_addresses(hosts: &[IpAddr], port: u16) -> Vec<Finding> {
    let public = |ip: &&IpAddr| !is_local(**ip) && !is_shared(**ip);
    let of = |v4: bool| hosts.iter().filter(move |ip| ip.is_ipv4() == v4);
    let [v4, v6] = [of(true).find(public), of(false).find(public)];
    let mut findings = Vec::new();
    if hosts.is_empty() {
        return findings;
    }
    if hosts.iter().all(IpAddr::is_loopback) {
        let text = "the tracker is on loopback addresses alone: only this host reaches it";
        let advice = "have a reverse proxy pass requests on, or listen where others reach it";
        return vec![Finding::warning("addresses", text, advice)];
    }
    if let Some(v4) = v4 {
        let text = format!("{v4} is public: clients reach it if no firewall is in between");
        findings.push(Finding::ok("ipv4", text));
    } else if let Some(shared) = of(true).find(|ip| is_shared(**ip)) {
        findings.push(Finding::warning(
            "ipv4",
            format!("{shared} is the provider's (carrier-grade NAT): nobody outside reaches it"),
            "hand out an IPv6 address, ask the provider for a public one, or rent a small server",
        ));
    } else if let Some(private) = of(true).find(|ip| !ip.is_loopback()) {
        findings.push(Finding::warning(
            "ipv4",
            format!("{private} is private: it is of no use to clients outside this network"),
            format!(
                "on the router, forward port {port}, TCP and UDP, to {private}, and hand out the \
                 router's public address; then run muster doctor URL from outside"
            ),
        ));
    } else {
        let advice = "listen on 0.0.0.0 or [::], or have the host given an IPv4 address";
        findings.push(Finding::warning("ipv4", "clients with IPv4 alone cannot connect", advice));
    }
    findings.push(match v6 {
        Some(v6) => {
            let text = format!("{v6} is public: clients reach it if no firewall is in between");
            Finding::ok("ipv6", text)
        }
        None => Finding::warning(
            "ipv6",
            "there is no public IPv6 address to reach this tracker at",
            "listen on [::], and have the host given one; without it only IPv4 clients come",
        ),
    });
    findings
}

/// What the configuration says about a reverse proxy has to go together.
fn judge_proxies(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let behind = config.listen.iter().all(Listen::is_local);
    let trusts = |ip: [u8; 4]| config.trusted_proxies.iter().any(|net| net.contains(ip.into()));
    if trusts([192, 0, 2, 1]) && trusts([203, 0, 113, 1]) {
        findings.push(Finding::problem(
            "proxy",
            "trusted-proxies takes in the whole internet: anybody can announce any address",
            "name the addresses of your proxies alone",
        ));
    } else if behind && config.trusted_proxies.is_empty() {
        findings.push(Finding::warning(
            "proxy",
            "HTTP is served to this host alone and no proxy is trusted: every client that comes \
             through one is listed with the proxy's address",
            "set trusted-proxies to the proxy's address, such as 127.0.0.1, and have it send \
             X-Forwarded-For",
        ));
    } else if !config.trusted_proxies.is_empty() {
        let text = "a proxy is trusted; muster doctor URL tells whether its header arrives";
        findings.push(Finding::ok("proxy", text));
    }
    let udp_behind = config.udp && config.udp_listen.is_empty() && behind;
    if udp_behind {
        findings.push(Finding::warning(
            "udp",
            "UDP is served to this host alone, as HTTP is, and no proxy passes it on",
            "set udp-listen to [::]:6969, or udp to false",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn judged(hosts: &[&str]) -> Vec<String> {
        let hosts: Vec<IpAddr> = hosts.iter().map(|ip| ip.parse().expect("an address")).collect();
        judge_addresses(&hosts, 6969).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn public_addresses_are_fine_and_private_ones_need_a_forwarded_port() {
        assert_eq!(
            judged(&["192.0.2.2", "2001:db8::1"]),
            [
                "ok       ipv4         192.0.2.2 is public: clients reach it if no firewall is in \
                 between\n",
                "ok       ipv6         2001:db8::1 is public: clients reach it if no firewall is \
                 in between\n",
            ]
        );
        let no_v6 = "warning  ipv6         there is no public IPv6 address to reach this tracker \
                     at\n                      -> listen on [::], and have the host given one; \
                     without it only IPv4 clients come\n";
        assert_eq!(
            judged(&["192.168.1.20", "fd00::5"]),
            [
                "warning  ipv4         192.168.1.20 is private: it is of no use to clients outside \
                 this network\n                      -> on the router, forward port 6969, TCP and \
                 UDP, to 192.168.1.20, and hand out the router's public address; then run muster \
                 doctor URL from outside\n",
                no_v6,
            ]
        );
        assert_eq!(
            judged(&["100.64.0.9", "10.0.0.1"]),
            [
                "warning  ipv4         100.64.0.9 is the provider's (carrier-grade NAT): nobody \
                 outside reaches it\n                      -> hand out an IPv6 address, ask the \
                 provider for a public one, or rent a small server\n",
                no_v6,
            ]
        );
        let text = "warning  ipv4         clients with IPv4 alone cannot connect\n\
                    \x20                     -> listen on 0.0.0.0 or [::], or have the host given \
                    an IPv4 address\n";
        assert_eq!(judged(&["2001:db8::1"])[0], text);
        let text = "warning  addresses    the tracker is on loopback addresses alone: only this \
                    host reaches it\n                      -> have a reverse proxy pass requests \
                    on, or listen where others reach it\n";
        assert_eq!(judged(&["127.0.0.1", "::1"]), [text]);
    }

    #[test]
    fn what_is_sent_to_a_socket_is_told_from_what_others_send() {
        let socket = Socket::open(([127, 0, 0, 1], 0).into()).expect("a free port");
        let address = socket.address();
        let other = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        for packet in [&b""[..], &[7; 16], &[7; 100]] {
            other.send_to(packet, address).expect("loopback takes it");
        }
        let listening = Listening { opened_udp: vec![socket], ..Listening::default() };
        assert_eq!(listening.receives(address, TIMEOUT), Ok(()));
        let socket = &listening.opened_udp[0];
        socket.wait_at_most(1).expect("a socket");
        let left = socket.receive(&mut Buffer::new(1)).expect("a socket");
        assert!(left.is_none(), "ours came last: {left:?}");
        let elsewhere = SocketAddr::from(([127, 0, 0, 2], address.port()));
        let nobody = Err("nothing listens there".to_owned());
        assert_eq!(listening.receives(elsewhere, TIMEOUT), nobody);
    }

    #[test]
    fn a_packet_that_is_dropped_on_its_way_is_missed() {
        let deaf = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        // It takes in what comes from there alone, and drops the rest as a firewall would.
        let other = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        deaf.connect(other.local_addr().expect("it is bound")).expect("an address");
        let address = deaf.local_addr().expect("it is bound");
        let socket = Socket::passed(deaf).expect("a socket");
        let listening = Listening { opened_udp: vec![socket], ..Listening::default() };
        let dropped = Err("what is sent there does not arrive".to_owned());
        assert_eq!(listening.receives(address, Duration::from_millis(20)), dropped);
    }

    fn proxies(flags: &[(&str, &str)]) -> Vec<(&'static str, Level)> {
        let flags: Vec<_> = flags.iter().map(|(key, text)| (*key, (*text).to_owned())).collect();
        let config = Config::load(&flags, &[], None).expect("good options");
        judge_proxies(&config).iter().map(|finding| (finding.check, finding.level)).collect()
    }

    #[test]
    fn behind_a_proxy_it_has_to_be_trusted_and_udp_needs_an_address_of_its_own() {
        let behind = ("listen", "127.0.0.1:6969");
        let (trusts, udp) = (("trusted-proxies", "127.0.0.1"), ("udp-listen", "[::]:6969"));
        assert_eq!(proxies(&[]), []);
        assert_eq!(proxies(&[behind]), [("proxy", Level::Warning), ("udp", Level::Warning)]);
        assert_eq!(proxies(&[behind, trusts]), [("proxy", Level::Ok), ("udp", Level::Warning)]);
        assert_eq!(proxies(&[behind, trusts, udp]), [("proxy", Level::Ok)]);
        assert_eq!(proxies(&[("trusted-proxies", "0.0.0.0/0")]), [("proxy", Level::Problem)]);
    }
}
