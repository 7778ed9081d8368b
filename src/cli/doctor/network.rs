//! The network: what listens, who could reach it, what to hand out.
//!
//! A tracker that runs already is asked at each of its addresses. Where nothing runs the ports are
//! opened for a moment, and connected to at each address: what a firewall on this host keeps from
//! this host, it keeps from everybody. What lies between here and the clients nobody here can see.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::finding::Finding;
use crate::addresses::{announce_urls, is_shared};
use crate::client::http::Caller;
use crate::client::tracker_url::{Scheme, TrackerUrl};
use crate::client::{AddressFamily, Asker, Settings};
use crate::config::{Config, Listen};
use crate::limits::CLIENT_REPLY_BYTES_MAX;
use crate::listen::Listener;
use crate::request::InfoHash;
use crate::subnet::is_local;
use crate::udp::socket::{self, Socket};

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
    /// A tracker runs already.
    runs: bool,
}

/// Checks ports, addresses and what a proxy needs; returns the announce URLs to hand out.
pub(super) fn check(config: &Config, findings: &mut Vec<Finding>) -> Vec<String> {
    let mut listening = Listening::default();
    for listen in &config.listen {
        match listen {
            Listen::Tcp(address) => listening.check_tcp(listen, *address, findings),
            Listen::Unix(path) => {
                let shown = path.display();
                let answers = UnixStream::connect(path).is_ok();
                let text = if answers { "a program listens there" } else { "nobody listens there" };
                findings.push(Finding::ok("port", format!("unix:{shown}: {text}")));
            }
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
        if address.port() != 0 && is_muster(nearest(address)) {
            self.runs = true;
            self.http.push(address);
            findings.push(Finding::ok("port", format!("{address}: a muster serves there")));
            return;
        }
        match Listener::open(listen) {
            Ok(listener) => {
                self.http.extend(listener.address());
                findings.push(Finding::ok("port", format!("{address} is free")));
                self.opened_http.push(listener);
            }
            Err(error) => findings.push(Finding::of_error("port", &error)),
        }
    }

    fn check_udp(&mut self, address: SocketAddr, findings: &mut Vec<Finding>) {
        let url = format!("udp://{}", nearest(address));
        if self.runs && answers_udp(&url).is_ok() {
            self.udp.push(address);
            findings.push(Finding::ok("port", format!("udp {address}: a tracker serves there")));
            return;
        }
        match Socket::open(address) {
            Ok(socket) => {
                self.udp.push(socket.address());
                findings.push(Finding::ok("port", format!("udp {address} is free")));
                self.opened_udp.push(socket);
            }
            Err(error) => {
                findings.push(Finding::of_error("port", &socket::in_words(address, &error)));
            }
        }
    }

    /// Whether this host reaches itself at an announce URL.
    fn reach(&self, url: &str) -> Finding {
        let reached = match TrackerUrl::parse(url) {
            Ok(parsed) if self.runs && parsed.scheme == Scheme::Udp => answers_udp(url),
            Ok(parsed) if self.runs => answers_http(&parsed),
            Ok(parsed) => connects(&parsed),
            Err(error) => Err(error),
        };
        match reached {
            Ok(()) => Finding::ok("reach", format!("{url} is reached from this host")),
            Err(error) => Finding::problem(
                "reach",
                format!("{url} is not reached, even from this host: {error}"),
                "see whether a firewall here drops it: nft list ruleset, or ufw status",
            ),
        }
    }
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

/// Connects to a socket that was opened here. For UDP nobody has to answer: that sending is
/// refused is what a rule of the firewall looks like.
fn connects(url: &TrackerUrl) -> Result<(), String> {
    let ip: IpAddr = url.host.parse().map_err(|_| "no address".to_owned())?;
    let address = SocketAddr::new(ip, url.port);
    if url.scheme != Scheme::Udp {
        let connected = TcpStream::connect_timeout(&address, TIMEOUT);
        return connected.map(|_| ()).map_err(|error| error.to_string());
    }
    let any = if ip.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let sent = UdpSocket::bind(any).and_then(|socket| socket.send_to(b"", address));
    match sent {
        Err(error) if error.kind() != ErrorKind::Interrupted => Err(error.to_string()),
        _ => Ok(()),
    }
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
