//! Who is the operator: a pure function of where a request came from and what it says.
//!
//! The operator is whoever asks from the host itself, or shows the token. A request that came
//! through a proxy did not come from the host, whatever its source address is. Against pages of
//! other sites in the operator's own browser (cross-site requests, DNS rebinding) the `Host` must
//! be an IP address or a name that the operator has configured, and an `Origin` must be the site
//! that is asked.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::token::Token;

use super::head::Head;

/// What the operator has configured about access.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The token, if there is one.
    pub token: Option<Token>,
    /// Names by which the operator reaches the tracker, besides its addresses and `localhost`.
    pub host_names: Vec<String>,
}

/// Why a request is not the operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// A page of another site made the browser send it.
    ForeignOrigin,
    /// It was sent to a name that is not known to be this host's.
    ForeignHost,
    /// It came from elsewhere, and without the token.
    Stranger,
    /// It came with a token that is not ours.
    WrongToken,
    /// It came with a token that was not looked at: too much has been wrong from its address.
    TooMany,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Denied::ForeignOrigin => "origin: another site's page may not do this",
            Denied::ForeignHost => {
                "host: neither an IP address nor one of host-names; call the tracker by its \
                 address or add the name there"
            }
            Denied::Stranger => {
                "only the operator may do this: from the tracker's own host and not through a \
                 proxy, or with the header Authorization: Bearer TOKEN"
            }
            Denied::WrongToken => "authorization: this is not the operator's token",
            Denied::TooMany => {
                "authorization: too many wrong requests from your address, try again later"
            }
        })
    }
}

/// What `Sec-Fetch-Site` says of our own pages, and of what a person typed into the browser. An
/// image of another site's page is fetched without `Origin`, but with this.
const OWN_SITES: [&[u8]; 2] = [b"same-origin", b"none"];

/// Whether a request is the operator's. `remote` and `local` are the canonical addresses of its
/// connection's two ends; `None` for a Unix socket, on whose other side a proxy is.
pub fn check(
    access: &Access,
    head: &Head<'_>,
    remote: Option<IpAddr>,
    local: Option<IpAddr>,
) -> Result<(), Denied> {
    let same_host = remote.is_some_and(|ip| ip.is_loopback() || Some(ip) == local);
    let itself = same_host && !head.proxied;
    // Strangers call the tracker by names that nobody has configured, and may.
    if !itself && head.authorization.is_none() {
        return Err(Denied::Stranger);
    }
    if !head.host.is_none_or(|host| is_own_host(access, host)) {
        return Err(Denied::ForeignHost);
    }
    let foreign_page = head.fetch_site.is_some_and(|site| !OWN_SITES.contains(&site));
    if foreign_page || !head.origin.is_none_or(|origin| is_same_site(origin, head.host)) {
        return Err(Denied::ForeignOrigin);
    }
    if itself {
        return Ok(());
    }
    let shown = head.authorization.and_then(bearer).unwrap_or_default();
    let known = access.token.as_ref().is_some_and(|token| token.is(shown));
    if known { Ok(()) } else { Err(Denied::WrongToken) }
}

/// The token of `Bearer TOKEN` (RFC 6750 section 2.1).
fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

fn is_own_host(access: &Access, host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let name = without_port(host);
    let bracketed = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let is_address = match bracketed {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => name.parse::<IpAddr>().is_ok(),
    };
    let names = access.host_names.iter().map(String::as_str);
    is_address || names.chain(["localhost"]).any(|own| own.eq_ignore_ascii_case(name))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Whether the page that sent the request came from the host that it was sent to (RFC 6454).
fn is_same_site(origin: &[u8], host: Option<&[u8]>) -> bool {
    let site = origin.strip_prefix(b"http://").or(origin.strip_prefix(b"https://"));
    site.zip(host).is_some_and(|(site, host)| site.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    /// A row: source, local address, header lines, and what comes of it.
    type Row =
        (&'static str, &'static str, &'static [(&'static str, &'static str)], Result<(), Denied>);

    const ROWS: &[Row] = &[
        // The host itself.
        ("127.0.0.1", "127.0.0.1", &[("host", "127.0.0.1:6969")], Ok(())),
        ("127.8.9.1", "127.0.0.1", &[("host", "localhost:6969")], Ok(())),
        ("::1", "::1", &[("host", "[::1]:6969")], Ok(())),
        ("192.0.2.7", "192.0.2.7", &[("host", "192.0.2.7")], Ok(())),
        ("127.0.0.1", "127.0.0.1", &[("host", "tracker.example")], Ok(())),
        // Somebody else.
        ("192.0.2.8", "192.0.2.7", &[("host", "192.0.2.7")], Err(Denied::Stranger)),
        ("192.168.0.8", "192.168.0.7", &[("host", "192.168.0.7")], Err(Denied::Stranger)),
        ("192.0.2.8", "192.0.2.7", &[("host", "tracker.example.org")], Err(Denied::Stranger)),
        (
            "192.0.2.8",
            "192.0.2.7",
            &[("host", "192.0.2.7"), ("origin", "https://evil.example")],
            Err(Denied::Stranger),
        ),
        // Through a proxy on the host.
        (
            "127.0.0.1",
            "127.0.0.1",
            &[("host", "localhost"), ("x-forwarded-for", "127.0.0.1")],
            Err(Denied::Stranger),
        ),
        ("127.0.0.1", "127.0.0.1", &[("host", "[::1]"), ("via", "1.1 p")], Err(Denied::Stranger)),
        (
            "127.0.0.1",
            "127.0.0.1",
            &[("host", "127.0.0.1"), ("forwarded", "for=127.0.0.1")],
            Err(Denied::Stranger),
        ),
        // With the token, or what is none.
        (
            "192.0.2.8",
            "192.0.2.7",
            &[("host", "192.0.2.7"), ("authorization", "Bearer 0123456789abcdef")],
            Ok(()),
        ),
        (
            "192.0.2.8",
            "192.0.2.7",
            &[("host", "Tracker.Example:80"), ("authorization", "bearer  0123456789abcdef")],
            Ok(()),
        ),
        (
            "127.0.0.1",
            "127.0.0.1",
            &[
                ("host", "tracker.example"),
                ("x-forwarded-for", "192.0.2.8"),
                ("authorization", "Bearer 0123456789abcdef"),
            ],
            Ok(()),
        ),
        (
            "192.0.2.8",
            "192.0.2.7",
            &[("host", "192.0.2.7"), ("authorization", "Bearer 0123456789abcdeX")],
            Err(Denied::WrongToken),
        ),
        (
            "192.0.2.8",
            "192.0.2.7",
            &[("host", "192.0.2.7"), ("authorization", "Bearer 0123456789abcde")],
            Err(Denied::WrongToken),
        ),
        (
            "192.0.2.8",
            "192.0.2.7",
            &[("host", "192.0.2.7"), ("authorization", "Bearer ")],
            Err(Denied::WrongToken),
        ),
        (
            "192.0.2.8",
            "192.0.2.7",
            &[("host", "192.0.2.7"), ("authorization", "Basic 0123456789abcdef")],
            Err(Denied::WrongToken),
        ),
        // A page in the operator's browser.
        (
            "127.0.0.1",
            "127.0.0.1",
            &[("host", "localhost:6969"), ("origin", "https://evil.example")],
            Err(Denied::ForeignOrigin),
        ),
        (
            "127.0.0.1",
            "127.0.0.1",
            &[("host", "localhost:6969"), ("origin", "null")],
            Err(Denied::ForeignOrigin),
        ),
        (
            "127.0.0.1",
            "127.0.0.1",
            &[("host", "localhost:6969"), ("origin", "http://localhost:8080")],
            Err(Denied::ForeignOrigin),
        ),
        (
            "127.0.0.1",
            "127.0.0.1",
            &[("host", "localhost:6969"), ("origin", "http://localhost:6969")],
            Ok(()),
        ),
        (
            "127.0.0.1",
            "127.0.0.1",
            &[("host", "127.0.0.1:6969"), ("sec-fetch-site", "cross-site")],
            Err(Denied::ForeignOrigin),
        ),
        (
            "127.0.0.1",
            "127.0.0.1",
            &[("host", "127.0.0.1:6969"), ("sec-fetch-site", "same-site")],
            Err(Denied::ForeignOrigin),
        ),
        ("127.0.0.1", "127.0.0.1", &[("host", "[::1]"), ("sec-fetch-site", "none")], Ok(())),
        ("127.0.0.1", "127.0.0.1", &[("host", "[::1]"), ("sec-fetch-site", "same-origin")], Ok(())),
        // DNS rebinding: evil.example resolves to 127.0.0.1, and the page is of the same site.
        (
            "127.0.0.1",
            "127.0.0.1",
            &[("host", "evil.example:6969"), ("origin", "http://evil.example:6969")],
            Err(Denied::ForeignHost),
        ),
        ("127.0.0.1", "127.0.0.1", &[("host", "127.0.0.1.evil.example")], Err(Denied::ForeignHost)),
        (
            "192.0.2.8",
            "192.0.2.7",
            &[("host", "evil.example"), ("authorization", "Bearer 0123456789abcdef")],
            Err(Denied::ForeignHost),
        ),
        ("127.0.0.1", "127.0.0.1", &[("host", "")], Err(Denied::ForeignHost)),
    ];

    fn head<'a>(lines: &[(&'a str, &'a str)]) -> Head<'a> {
        let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        Head::from_parts(b"GET", b"/stats", (1, 1), lines).expect("a good head")
    }

    fn access() -> Access {
        let token = Some(Token::parse(TOKEN).expect("long enough"));
        Access { token, host_names: vec!["tracker.example".to_owned()] }
    }

    #[test]
    fn source_proxy_token_origin_and_host_decide() {
        for (remote, local, lines, wanted) in ROWS {
            let ends = [remote, local].map(|ip| Some(ip.parse().expect("an address")));
            assert_eq!(
                check(&access(), &head(lines), ends[0], ends[1]),
                *wanted,
                "{remote} {lines:?}"
            );
        }
    }

    #[test]
    fn a_unix_socket_is_never_the_host_itself() {
        let host = ("host", "localhost");
        assert_eq!(check(&access(), &head(&[host]), None, None), Err(Denied::Stranger));
        let token = ("authorization", "Bearer 0123456789abcdef");
        assert_eq!(check(&access(), &head(&[host, token]), None, None), Ok(()));
    }

    #[test]
    fn without_a_token_configured_none_is_right() {
        let none = Access::default();
        let remote = Some(IpAddr::from([192, 0, 2, 8]));
        for shown in ["Bearer ", "Bearer x", "Bearer 0123456789abcdef"] {
            let head = head(&[("host", "192.0.2.7"), ("authorization", shown)]);
            assert_eq!(check(&none, &head, remote, None), Err(Denied::WrongToken), "{shown}");
        }
    }
}
