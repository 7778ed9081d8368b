//! One request over HTTP or HTTPS and its reply, bounded in time and size.
//!
//! No redirect is followed, since an announce carries a passkey and `add` a token: the reply says
//! where it leads, and whoever wants to can ask there. No proxy is used, whatever the environment
//! says: a tracker lists the address it sees, which would be the proxy's. Nothing is asked for
//! compressed, and nothing is decompressed. HTTPS trusts what the system trusts, or the file in
//! `SSL_CERT_FILE` instead; it needs the feature `tls`.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::io::{self, ErrorKind, Read as _};
use std::time::Duration;

use ureq::config::{AutoHeaderValue, Config, IpFamily};
use ureq::http::Response;
use ureq::{Agent, Body, Error, Timeout};

use super::tracker_url::{Scheme, TrackerUrl};
use super::{AddressFamily, Failure, Settings};
use crate::limits::{CLIENT_HEAD_BYTES_MAX, HTTP_READ_BYTES};
use crate::request::quoted;

/// What tells a tracker that nothing follows on this connection.
const CLOSE: (&str, &str) = ("connection", "close");

/// Who asks.
const USER_AGENT: &str = concat!("muster/", env!("CARGO_PKG_VERSION"));

/// Asks one tracker, over a connection of its own each time: many trackers close those they keep
/// without saying so, and a request sent just then would be lost.
#[derive(Debug)]
pub struct Caller {
    agent: Agent,
    settings: Settings,
}

/// What a tracker has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code; nothing follows from it here, as trackers refuse with any.
    pub status: u16,
    /// The headers in the order they came, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, chunks put together.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first value of a header; the name is given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self.headers.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_slice())
    }

    /// Where a redirect leads, as text for people.
    #[must_use]
    pub fn redirect(&self) -> Option<String> {
        let to = self.header("location").filter(|_| (300..400).contains(&self.status))?;
        Some(String::from_utf8_lossy(to).escape_debug().to_string())
    }
}

impl Caller {
    /// Prepares to ask trackers whose URLs have the scheme of this one.
    pub fn new(url: &TrackerUrl, settings: Settings) -> Result<Caller, Failure> {
        let config = Config::builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(CLIENT_HEAD_BYTES_MAX)
            .timeout_global(Some(settings.timeout))
            .timeout_connect(Some(connect_timeout(settings)))
            .accept_encoding(AutoHeaderValue::None)
            .user_agent(USER_AGENT)
            .ip_family(match settings.family {
                AddressFamily::Any => IpFamily::Any,
                AddressFamily::V4 => IpFamily::Ipv4Only,
                AddressFamily::V6 => IpFamily::Ipv6Only,
            });
        let config = match url.scheme {
            Scheme::Https => tls::trust(config, url)?,
            Scheme::Http | Scheme::Udp => config,
        };
        Ok(Caller { agent: Agent::new_with_config(config.build()), settings })
    }

    /// GETs a URL.
    pub fn get(&self, url: &TrackerUrl, headers: &[(&str, &str)]) -> Result<Reply, Failure> {
        let request = self.agent.get(url.to_string()).header(CLOSE.0, CLOSE.1);
        let request = headers.iter().fold(request, |all, (name, value)| all.header(*name, *value));
        let reply = request.call().map_err(|error| self.failure(url, error))?;
        self.read(url, reply)
    }

    /// GETs a URL with parameters behind it, which are not named where it fails: an announce's are
    /// long and no news to anybody.
    pub fn query(&self, url: &TrackerUrl, parameters: &str) -> Result<Reply, Failure> {
        let request = self.agent.get(url.with_query(parameters).to_string());
        let request = request.header(CLOSE.0, CLOSE.1);
        let reply = request.call().map_err(|error| self.failure(url, error))?;
        self.read(url, reply)
    }

    /// POSTs a body to a URL.
    pub fn post(
        &self,
        url: &TrackerUrl,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Reply, Failure> {
        let request = self.agent.post(url.to_string()).header(CLOSE.0, CLOSE.1);
        let request = headers.iter().fold(request, |all, (name, value)| all.header(*name, *value));
        let reply = request.send(body).map_err(|error| self.failure(url, error))?;
        self.read(url, reply)
    }

    /// Takes the body in.
    fn read(&self, url: &TrackerUrl, reply: Response<Body>) -> Result<Reply, Failure> {
        let (head, body) = reply.into_parts();
        let announced = body.content_length();
        let most = self.settings.reply_bytes_max;
        let mut taken = Vec::new();
        let mut chunk = vec![0; HTTP_READ_BYTES];
        let mut reader = body.into_reader();
        loop {
            let count = match reader.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Err(self.cut_off(url, error, taken.len(), announced)),
            };
            taken.extend_from_slice(chunk.get(..count).unwrap_or_default());
            if taken.len() > most {
                let text = format!("{url}: a reply of more than {most} bytes, which is given up");
                return Err(Failure::lasting(text).once_sent());
            }
        }
        let headers = head.headers.iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
        Ok(Reply { status: head.status.as_u16(), headers: headers.collect(), body: taken })
    }

    /// What is said of a body that did not come whole.
    fn cut_off(
        &self,
        url: &TrackerUrl,
        error: io::Error,
        taken: usize,
        announced: Option<u64>,
    ) -> Failure {
        let of = announced.map_or(String::new(), |all| format!(" of {all}"));
        let what = match Error::from(error) {
            Error::Timeout(_) => format!("stopped within {}", self.timeout()),
            Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
                "closed the connection".to_owned()
            }
            error => format!("broke off ({error})"),
        };
        let text = format!("{url}: the tracker {what} after {taken}{of} bytes of its reply");
        Failure::passing(text).once_sent()
    }

    /// What is said where there is no reply at all.
    fn failure(&self, url: &TrackerUrl, error: Error) -> Failure {
        let passing = |text: String| Failure::passing(format!("{url}: {text}"));
        let lasting = |text: String| Failure::lasting(format!("{url}: {text}"));
        let hint =
            format!("is the tracker up, and does a firewall let TCP port {} through?", url.port);
        match error {
            Error::Timeout(Timeout::Connect) => {
                let patience = in_words(connect_timeout(self.settings));
                passing(format!("no connection within {patience}; {hint}"))
            }
            Error::Timeout(_) => {
                passing(format!("no answer within {}; {hint}", self.timeout())).once_sent()
            }
            Error::HostNotFound => passing(unknown_host(url, self.settings.family)),
            Error::Io(error) => self.io_failure(url, &error),
            Error::Protocol(_) | Error::LargeResponseHeader(..) => {
                lasting(format!("what answers there does not speak HTTP ({error})")).once_sent()
            }
            Error::Http(error) => lasting(format!("not a URL that can be asked ({error})")),
            error => lasting(error.to_string()),
        }
    }

    fn io_failure(&self, url: &TrackerUrl, error: &io::Error) -> Failure {
        if let Some(text) = tls::failure(error) {
            return Failure::lasting(format!("{url}: {text}"));
        }
        let text = match error.kind() {
            ErrorKind::ConnectionRefused => format!(
                "connection refused; is the tracker running, and is {} its TCP port?",
                url.port
            ),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                let text = "the tracker closed the connection without a reply; does it speak HTTP \
                            there?";
                return Failure::passing(format!("{url}: {text}")).once_sent();
            }
            // Only the look-up of a name fails without a kind.
            _ if error.raw_os_error().is_none() && error.get_ref().is_some() => {
                unknown_host(url, self.settings.family)
            }
            _ => error.to_string(),
        };
        Failure::passing(format!("{url}: {text}"))
    }

    fn timeout(&self) -> String {
        in_words(self.settings.timeout)
    }
}

/// A connection has nine tenths of the time of a request: one that comes to nothing is told from a
/// reply that does not come.
fn connect_timeout(settings: Settings) -> Duration {
    settings.timeout * 9 / 10
}

/// What is said of a name without an address that may be asked.
#[must_use]
pub fn unknown_host(url: &TrackerUrl, family: AddressFamily) -> String {
    let wanted = match family {
        AddressFamily::Any => "address",
        AddressFamily::V4 => "IPv4 address",
        AddressFamily::V6 => "IPv6 address",
    };
    format!("no {wanted} is known for {}; is the name right?", quoted(url.host.as_bytes()))
}

/// `15 s`, `0.5 s`
#[must_use]
pub fn in_words(timeout: Duration) -> String {
    format!("{} s", timeout.as_secs_f64())
}

#[cfg(feature = "tls")]
mod tls {
    //! TLS through rustls and ring, with the certificates that this system trusts.

    use std::io;
    use std::sync::Arc;

    use rustls::crypto::ring;
    use rustls::{CertificateError, Error};
    use ureq::config::ConfigBuilder;
    use ureq::tls::{Certificate, RootCerts, TlsConfig};
    use ureq::typestate::AgentScope;

    use crate::client::Failure;
    use crate::client::tracker_url::TrackerUrl;

    /// Loads what the system trusts, or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name instead.
    pub(super) fn trust(
        config: ConfigBuilder<AgentScope>,
        url: &TrackerUrl,
    ) -> Result<ConfigBuilder<AgentScope>, Failure> {
        let loaded = rustls_native_certs::load_native_certs();
        if loaded.certs.is_empty() {
            let why = loaded.errors.first().map_or(String::new(), |error| format!(" ({error})"));
            let text = format!(
                "{url}: this system trusts no certificate{why}; install ca-certificates, or name \
                 a file of them in SSL_CERT_FILE"
            );
            return Err(Failure::lasting(text));
        }
        let certificates = loaded.certs.iter().map(|der| Certificate::from_der(der).to_owned());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(certificates.collect())))
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()));
        Ok(config.tls_config(tls.build()))
    }

    /// What is said of a TLS connection that did not come about; `None` if it is not TLS that
    /// failed.
    pub(super) fn failure(error: &io::Error) -> Option<String> {
        let error = error.get_ref()?.downcast_ref::<Error>()?;
        Some(match error {
            Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            ) => "its certificate comes from nobody this system trusts; for an authority of your \
                  own name its file in SSL_CERT_FILE"
                .to_owned(),
            Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => {
                "its certificate is for another name; ask by the name that stands in it".to_owned()
            }
            Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            ) => "its certificate has expired".to_owned(),
            Error::InvalidCertificate(reason) => {
                format!("its certificate is not valid: {reason:?}")
            }
            Error::InvalidMessage(_) => {
                "what answers there does not speak TLS; is it an http:// URL?".to_owned()
            }
            error => format!("no TLS connection: {error}"),
        })
    }
}

#[cfg(not(feature = "tls"))]
mod tls {
    //! In place of TLS: says that it is not there.

    use std::io;

    use ureq::config::ConfigBuilder;
    use ureq::typestate::AgentScope;

    use crate::client::Failure;
    use crate::client::tracker_url::TrackerUrl;

    pub(super) fn trust(
        _config: ConfigBuilder<AgentScope>,
        url: &TrackerUrl,
    ) -> Result<ConfigBuilder<AgentScope>, Failure> {
        let text = format!(
            "{url}: this muster was built without TLS; ask over http, or build it with the \
             feature tls"
        );
        Err(Failure::lasting(text))
    }

    pub(super) fn failure(_error: &io::Error) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;

    use super::*;

    const SETTINGS: Settings = Settings {
        timeout: Duration::from_secs(10),
        family: AddressFamily::Any,
        reply_bytes_max: 100,
    };

    type Ask = fn(&Caller, &TrackerUrl) -> Result<Reply, Failure>;
    const GET: Ask = |caller, url| caller.get(url, &[("x-a", "b")]);
    const QUERY: Ask = |caller, url| caller.query(url, "port=1");
    const POST: Ask = |caller, url| caller.post(url, &[("x-a", "b")], b"{}");

    /// What comes of asking a server that takes one request, answers with these bytes and closes.
    fn asked(answer: &'static [u8], ask: Ask) -> (Result<Reply, Failure>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a caller");
            let mut request = Vec::new();
            let mut chunk = [0; 1024];
            while !request.ends_with(b"\r\n\r\n") && !request.ends_with(b"{}") {
                let count = stream.read(&mut chunk).expect("a request");
                assert!(count > 0, "a whole request");
                request.extend_from_slice(&chunk[..count]);
            }
            stream.write_all(answer).expect("it is taken");
            String::from_utf8(request).expect("text")
        });
        let url = TrackerUrl::parse(&format!("127.0.0.1:{port}")).expect("a URL");
        let caller = Caller::new(&url, SETTINGS).expect("no TLS is needed");
        let reply = ask(&caller, &url);
        let shown = |failure: Failure| Failure {
            text: failure.text.replace(&url.to_string(), "URL"),
            ..failure
        };
        (reply.map_err(shown), server.join().expect("the server does not panic"))
    }

    #[test]
    fn a_request_says_who_asks_and_a_reply_is_kept_as_it_came() {
        let (reply, request) =
            asked(b"HTTP/1.1 404 No\r\nX-Y: z\r\nContent-Length: 3\r\n\r\na\xffb", GET);
        let reply = reply.expect("any status is a reply");
        assert_eq!((reply.status, reply.body.as_slice()), (404, &b"a\xffb"[..]));
        assert_eq!(reply.header("x-y"), Some(&b"z"[..]));
        assert!(request.starts_with("GET /announce HTTP/1.1\r\n"), "{request}");
        let lines: Vec<_> = request.lines().map(str::to_ascii_lowercase).collect();
        for wanted in [concat!("user-agent: muster/", env!("CARGO_PKG_VERSION")), "x-a: b"] {
            assert!(lines.iter().any(|line| line == wanted), "{request}");
        }
        assert!(!request.to_ascii_lowercase().contains("accept-encoding"), "{request}");
    }

    /// A server that closes 50 ms after its reply without saying so lost 3 posts of 6, and queries.
    #[test]
    fn each_request_says_that_nothing_follows_it() {
        for ask in [GET, QUERY, POST] {
            let (_, request) = asked(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ask);
            let request = request.to_ascii_lowercase();
            assert!(request.contains("\r\nconnection: close\r\n"), "{request}");
        }
    }

    #[test]
    fn a_body_is_posted_with_its_length() {
        let (reply, request) = asked(b"HTTP/1.1 200 OK\r\n\r\nok", POST);
        assert_eq!(
            reply.expect("a reply").body,
            b"ok",
            "a body without a length ends at the close"
        );
        assert!(request.starts_with("POST /announce HTTP/1.1\r\n"), "{request}");
        assert!(request.to_ascii_lowercase().contains("\r\ncontent-length: 2\r\n"), "{request}");
    }

    #[test]
    fn chunks_are_put_together_and_a_redirect_is_told_and_not_followed() {
        let (reply, _) = asked(
            b"HTTP/1.1 302 Found\r\nLocation: http://a.example/\r\n\
              Transfer-Encoding: chunked\r\n\r\n\
              2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            GET,
        );
        let reply = reply.expect("a reply");
        assert_eq!(reply.redirect().as_deref(), Some("http://a.example/"));
    }

    #[test]
    fn a_reply_that_is_cut_or_too_long_or_none_is_said_in_one_line() {
        let long =
            b"HTTP/1.1 200 OK\r\n\r\n!0123456789012345678901234567890123456789012345678901234567\
                     890123456789012345678901234567890123456789";
        assert!(asked(&long[..long.len() - 1], GET).0.is_ok(), "at the bound");
        for (answer, text, may_pass) in [
            (
                &b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"[..],
                "URL: the tracker closed the connection after 3 of 9 bytes of its reply",
                true,
            ),
            (
                b"",
                "URL: the tracker closed the connection without a reply; does it speak HTTP there?",
                true,
            ),
            (long, "URL: a reply of more than 100 bytes, which is given up", false),
        ] {
            let failure = asked(answer, GET).0.expect_err(text);
            let wanted = Failure { may_pass, ..Failure::passing(text.to_owned()).once_sent() };
            assert_eq!(failure, wanted);
        }
        let failure = asked(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", GET).0.expect_err("not HTTP");
        let text = "URL: what answers there does not speak HTTP (";
        assert!(failure.text.starts_with(text), "{failure}");
        assert!(!failure.may_pass);
    }

    #[test]
    fn a_closed_port_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        drop(listener);
        let url = TrackerUrl::parse(&format!("http://127.0.0.1:{port}/x")).expect("a URL");
        let failure =
            Caller::new(&url, SETTINGS).expect("no TLS").get(&url, &[]).expect_err("shut");
        let text = format!(
            "http://127.0.0.1:{port}/x: connection refused; is the tracker running, and is {port} \
             its TCP port?"
        );
        assert_eq!(failure, Failure::passing(text), "nothing has been sent");
    }
}
