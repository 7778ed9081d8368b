//! The head of an HTTP/1 request as bytes (RFC 9112).
//!
//! [`parse`] answers Partial, Complete or Bad and nothing else; it reads no socket and allocates
//! only for a request that came through a proxy. The request line is read here, since clients put
//! raw bytes into `info_hash` and httparse insists on UTF-8; the header lines are read by httparse.
//! What could make two servers disagree on where a request ends (request smuggling, RFC 9112
//! section 11.2) is Bad. [`Head::from_parts`] judges the same for an engine that parses by itself.
//! A request that is Bad leaves the connection unusable: it is answered and closed.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use crate::bytes::{any, find, split_once};
use crate::http::status::{Connection, Status};
use crate::limits::{HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX};
use crate::request::quoted;

/// Empty lines skipped before a request line: RFC 9112 section 2.2 asks for one at the least, for
/// clients that end a body with one too many.
const EMPTY_LINES_MAX: usize = 4;

/// What the bytes received so far are.
#[derive(Debug)]
pub enum Parsed<'a> {
    /// The beginning of a head.
    Partial,
    /// A head, and how many bytes it took; a body or the next request follows.
    Complete(Head<'a>, usize),
    /// Something to refuse, and to close the connection after.
    Bad(Problem),
}

/// A request refused before it was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The status to answer.
    pub status: Status,
    /// What was wrong, for the body of the answer; without a line end.
    pub text: String,
}

impl Problem {
    fn bad(text: String) -> Problem {
        Problem { status: Status::BadRequest, text }
    }
}

/// The methods that any route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// HEAD: the reply to a GET without its body.
    Head,
    /// POST
    Post,
    /// All the others.
    Other,
}

/// How the body after the head is framed (RFC 9112 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    None,
    /// So many bytes, at least 1.
    Length(u64),
    /// Chunks up to an empty one.
    Chunked,
}

/// An understood request without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // Each is an independent fact about the request.
pub struct Head<'a> {
    /// What is to be done.
    pub method: Method,
    /// The target up to the `?`, still escaped; begins with `/`.
    pub path: &'a [u8],
    /// The target after the `?`, still escaped; empty if there is none.
    pub query: &'a [u8],
    /// Whether the client speaks HTTP/1.0, which knows no chunks and no 100-continue.
    pub http_1_0: bool,
    /// Whether the client wants the connection kept after the reply.
    pub keep_alive: bool,
    /// How the body is framed.
    pub body: Body,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
    /// Whether `Accept` names `application/json`.
    pub accept_json: bool,
    /// The host and port that the client asked for: of an absolute target, else of `Host`.
    pub host: Option<&'a [u8]>,
    /// `Origin`: the site whose page made a browser send this.
    pub origin: Option<&'a [u8]>,
    /// `Authorization`
    pub authorization: Option<&'a [u8]>,
    /// The `X-Forwarded-For` lines in order.
    pub forwarded_for: Vec<&'a [u8]>,
    /// Whether the request came through a proxy: has `Forwarded`, `Via` or one of the headers by
    /// which proxies name their client.
    pub proxied: bool,
    /// `Sec-Fetch-Site`: what a browser says of the page that made it send this (W3C Fetch
    /// Metadata).
    pub fetch_site: Option<&'a [u8]>,
}

/// Where the head at the beginning of `bytes` ends, behind its empty line, when all before `from`
/// was searched already: called after each read with the length before it, it looks at no byte
/// twice. `None` is not yet a wait: if more than [`HTTP_HEAD_BYTES_MAX`] bytes are there, [`parse`]
/// has the refusal.
#[must_use]
pub fn find_end(bytes: &[u8], from: usize) -> Option<usize> {
    let leading = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    // The end may have been cut within its last three bytes.
    let mut at = from.saturating_sub(3).max(leading);
    loop {
        at += find(bytes.get(at..)?, b'\n')? + 1;
        match bytes.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}

/// Parses the head at the beginning of `bytes`.
#[must_use]
pub fn parse(bytes: &[u8]) -> Parsed<'_> {
    parse_head(bytes).unwrap_or_else(Parsed::Bad)
}

fn parse_head(bytes: &[u8]) -> Result<Parsed<'_>, Problem> {
    let text = skip_empty_lines(bytes);
    // A TLS hello or a BitTorrent handshake may have no line end to wait for.
    if let Some(first) = text.first().filter(|&&byte| begins_no_line(byte)) {
        let first = quoted(&[*first]);
        return Err(Problem::bad(format!("method: {first} begins none, this port speaks HTTP")));
    }
    let Some((line, rest)) = split_line(text) else {
        return if text.len() > HTTP_HEAD_BYTES_MAX {
            Err(line_too_long())
        } else {
            Ok(Parsed::Partial)
        };
    };
    if text.len() - rest.len() > HTTP_HEAD_BYTES_MAX {
        return Err(line_too_long());
    }
    let (method, target, version) = split_request_line(line)?;
    let mut lines = [httparse::EMPTY_HEADER; HTTP_HEADERS_MAX];
    let (length, lines) = match httparse::parse_headers(rest, &mut lines) {
        Ok(httparse::Status::Complete(parsed)) => parsed,
        Ok(httparse::Status::Partial) if text.len() > HTTP_HEAD_BYTES_MAX => {
            return Err(head_too_long());
        }
        Ok(httparse::Status::Partial) => return Ok(Parsed::Partial),
        Err(httparse::Error::TooManyHeaders) => {
            let text = format!("more than {HTTP_HEADERS_MAX} header lines");
            return Err(Problem { status: Status::HeadTooLarge, text });
        }
        Err(error) => return Err(Problem::bad(format!("header lines: {error}"))),
    };
    if text.len() - rest.len() + length > HTTP_HEAD_BYTES_MAX {
        return Err(head_too_long());
    }
    let lines = lines.iter().map(|line| (line.name, line.value));
    let head = Head::from_parts(method, target, version, lines)?;
    Ok(Parsed::Complete(head, bytes.len() - rest.len() + length))
}

fn line_too_long() -> Problem {
    let text = format!("the request line is longer than {HTTP_HEAD_BYTES_MAX} bytes");
    Problem { status: Status::TargetTooLong, text }
}

fn head_too_long() -> Problem {
    let text = format!("the request head is longer than {HTTP_HEAD_BYTES_MAX} bytes");
    Problem { status: Status::HeadTooLarge, text }
}

fn skip_empty_lines(bytes: &[u8]) -> &[u8] {
    let mut text = bytes;
    for _ in 0..EMPTY_LINES_MAX {
        match text {
            [b'\r', b'\n', rest @ ..] | [b'\n', rest @ ..] => text = rest,
            _ => break,
        }
    }
    text
}

/// Whether neither a method nor an empty line begins with a byte.
fn begins_no_line(byte: u8) -> bool {
    !is_token_byte(byte) && !matches!(byte, b'\r' | b'\n')
}

/// The first line without its end (CRLF or a bare LF, RFC 9112 section 2.2), and what follows it.
fn split_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = split_once(text, b'\n')?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest))
}

/// Method, target and version.
type RequestLine<'a> = (&'a [u8], &'a [u8], (u8, u8));

/// The three words of a request line (RFC 9112 section 3).
fn split_request_line(line: &[u8]) -> Result<RequestLine<'_>, Problem> {
    let words = split_once(line, b' ').and_then(|(method, rest)| {
        let (target, version) = split_once(rest, b' ')?;
        (!version.contains(&b' ')).then_some((method, target, version))
    });
    let Some((method, target, version)) = words else {
        let line = quoted(line);
        return Err(Problem::bad(format!("request line: {line} is not a method, target, version")));
    };
    let &[b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9'] = version
    else {
        return Err(Problem::bad(format!("version: {} is not HTTP/1.1", quoted(version))));
    };
    Ok((method, target, (major - b'0', minor - b'0')))
}

/// The header lines that matter here, in lower case.
#[derive(Clone, Copy)]
enum Field {
    Accept,
    Authorization,
    Connection,
    ContentLength,
    Expect,
    FetchSite,
    Forwarded,
    Host,
    Origin,
    TransferEncoding,
    Via,
    XForwardedFor,
}

/// The header lines that matter here whose names have a length, by which most others are told from
/// them.
fn fields_of(length: usize) -> &'static [(&'static str, Field)] {
    match length {
        3 => &[("via", Field::Via)],
        4 => &[("host", Field::Host)],
        6 => &[("accept", Field::Accept), ("expect", Field::Expect), ("origin", Field::Origin)],
        9 => &[("forwarded", Field::Forwarded), ("x-real-ip", Field::Forwarded)],
        10 => &[("connection", Field::Connection)],
        13 => &[("authorization", Field::Authorization)],
        14 => &[
            ("content-length", Field::ContentLength),
            ("sec-fetch-site", Field::FetchSite),
            ("true-client-ip", Field::Forwarded),
        ],
        15 => &[("x-forwarded-for", Field::XForwardedFor)],
        16 => &[("cf-connecting-ip", Field::Forwarded), ("x-forwarded-host", Field::Forwarded)],
        17 => &[
            ("transfer-encoding", Field::TransferEncoding),
            ("x-forwarded-proto", Field::Forwarded),
        ],
        _ => &[],
    }
}

impl<'a> Head<'a> {
    /// Judges the parts of a request: `target` as it stood in the request line, `version` as (1,
    /// 1), `headers` as names in any case and values.
    pub fn from_parts(
        method: &[u8],
        target: &'a [u8],
        version: (u8, u8),
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Head<'a>, Problem> {
        let (1, minor) = version else {
            let text = format!("HTTP/{}.{}: this is an HTTP/1.1 server", version.0, version.1);
            return Err(Problem { status: Status::VersionNotSupported, text });
        };
        let method = parse_method(method)?;
        let target = parse_target(target)?;
        let mut head = Head {
            method,
            path: target.path,
            query: target.query,
            http_1_0: minor == 0,
            keep_alive: minor > 0,
            body: Body::None,
            expect_continue: false,
            accept_json: false,
            host: None,
            origin: None,
            authorization: None,
            forwarded_for: Vec::new(),
            proxied: false,
            fetch_site: None,
        };
        let mut framing = Framing::default();
        let mut close = false;
        for (name, value) in headers {
            let mut fields = fields_of(name.len()).iter();
            let field = fields.find(|(known, _)| known.eq_ignore_ascii_case(name));
            let Some(&(name, field)) = field else { continue };
            match field {
                Field::Accept => head.accept_json |= has_item(value, b"application/json"),
                Field::Authorization => set_once(&mut head.authorization, name, value)?,
                Field::Connection => {
                    for item in items(value) {
                        close |= item.eq_ignore_ascii_case(b"close");
                        head.keep_alive |= item.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                Field::ContentLength => set_once(&mut framing.length, name, value)?,
                Field::Expect => {
                    head.expect_continue = minor > 0 && has_item(value, b"100-continue");
                }
                Field::FetchSite => set_once(&mut head.fetch_site, name, value)?,
                Field::Forwarded | Field::Via => head.proxied = true,
                Field::Host => set_once(&mut head.host, name, value)?,
                Field::Origin => set_once(&mut head.origin, name, value)?,
                Field::TransferEncoding => set_once(&mut framing.encoding, name, value)?,
                Field::XForwardedFor => {
                    head.proxied = true;
                    head.forwarded_for.push(value);
                }
            }
        }
        head.keep_alive &= !close;
        head.body = framing.body(head.http_1_0)?;
        // RFC 9112 section 3.2: HTTP/1.1 always names the host.
        if head.host.is_none() && !head.http_1_0 {
            return Err(Problem::bad("host: missing".to_owned()));
        }
        // RFC 9112 section 3.2.2: an absolute target overrules the Host line.
        head.host = target.authority.or(head.host);
        Ok(head)
    }

    /// What the reply's `Connection` line has to say, when the connection is about to close or not.
    #[must_use]
    pub fn connection(&self, closing: bool) -> Connection {
        match (closing, self.http_1_0) {
            (true, _) => Connection::Close,
            (false, true) => Connection::KeepAlive,
            (false, false) => Connection::Unsaid,
        }
    }
}

fn parse_method(method: &[u8]) -> Result<Method, Problem> {
    match method {
        b"GET" => Ok(Method::Get),
        b"HEAD" => Ok(Method::Head),
        b"POST" => Ok(Method::Post),
        [_, ..] if method.iter().all(|&byte| is_token_byte(byte)) => Ok(Method::Other),
        _ => Err(Problem::bad(format!("method: {} is not one", quoted(method)))),
    }
}

/// RFC 9110 section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A target taken apart (RFC 9112 section 3.2).
struct Target<'a> {
    authority: Option<&'a [u8]>,
    path: &'a [u8],
    query: &'a [u8],
}

fn parse_target(target: &[u8]) -> Result<Target<'_>, Problem> {
    let dirty = any(target, |byte| byte <= b' ' || byte == 0x7f);
    let Some((authority, origin)) = split_authority(target).filter(|_| !dirty) else {
        return Err(Problem::bad(format!("target: {} is not a path", quoted(target))));
    };
    let (path, query) = split_once(origin, b'?').unwrap_or((origin, b""));
    Ok(Target { authority, path: if path.is_empty() { b"/" } else { path }, query })
}

/// The authority of an absolute target, and the path with the query; `None` if it is neither.
fn split_authority(target: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    if target.starts_with(b"/") {
        return Some((None, target));
    }
    let rest = strip_scheme(target)?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?'));
    let (authority, origin) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
    if authority.is_empty() { None } else { Some((Some(authority), origin)) }
}

fn strip_scheme(target: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = target.split_at_checked(target.iter().position(|&byte| byte == b':')?)?;
    let known = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    if known { rest.strip_prefix(b"://") } else { None }
}

/// Keeps the value of a line that may stand once only: of two, another server may believe the
/// other.
fn set_once<'a>(slot: &mut Option<&'a [u8]>, name: &str, value: &'a [u8]) -> Result<(), Problem> {
    if slot.replace(value).is_some() {
        return Err(Problem::bad(format!("{name}: given twice")));
    }
    Ok(())
}

/// The items of a comma-separated list without their parameters.
fn items(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == b',').map(|item| {
        let name = item.split(|&byte| byte == b';').next().unwrap_or_default();
        name.trim_ascii()
    })
}

/// Whether a comma-separated list has an item, in any case.
fn has_item(list: &[u8], wanted: &[u8]) -> bool {
    items(list).any(|item| item.eq_ignore_ascii_case(wanted))
}

/// The two lines that frame a body.
#[derive(Default)]
struct Framing<'a> {
    length: Option<&'a [u8]>,
    encoding: Option<&'a [u8]>,
}

impl Framing<'_> {
    /// RFC 9112 sections 6.1 to 6.3, in their strictest reading.
    fn body(&self, http_1_0: bool) -> Result<Body, Problem> {
        match (self.length, self.encoding) {
            (None, None) => Ok(Body::None),
            (Some(_), Some(_)) => {
                Err(Problem::bad("content-length: given with transfer-encoding".to_owned()))
            }
            (Some(text), None) => match parse_length(text) {
                Some(0) => Ok(Body::None),
                Some(length) => Ok(Body::Length(length)),
                None => {
                    Err(Problem::bad(format!("content-length: {} is not a length", quoted(text))))
                }
            },
            (None, Some(_)) if http_1_0 => {
                Err(Problem::bad("transfer-encoding: HTTP/1.0 has none".to_owned()))
            }
            (None, Some(text)) if text.trim_ascii().eq_ignore_ascii_case(b"chunked") => {
                Ok(Body::Chunked)
            }
            (None, Some(text)) => {
                Err(Problem::bad(format!("transfer-encoding: {} is not chunked", quoted(text))))
            }
        }
    }
}

fn parse_length(text: &[u8]) -> Option<u64> {
    let digits = text.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
