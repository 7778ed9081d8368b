//! Requests as clients send them, malformed ones, every prefix, and mutations.

use super::*;

/// Every part of a request that matters (RFC 9112), each with a value of its own.
const GOLDEN: &[u8] = include_bytes!("../../../tests/vectors/head_golden.txt");

fn complete(bytes: &[u8]) -> (Head<'_>, usize) {
    match parse(bytes) {
        Parsed::Complete(head, length) => (head, length),
        other => panic!("{}: {other:?}", bytes.escape_ascii()),
    }
}

fn bad(bytes: &[u8]) -> (&'static str, String) {
    match parse(bytes) {
        Parsed::Bad(problem) => (problem.status.text(), problem.text),
        other => panic!("{}: {other:?}", bytes.escape_ascii()),
    }
}

/// A GET with these header lines and a Host.
fn with_lines(lines: &str) -> Vec<u8> {
    format!("GET /announce HTTP/1.1\r\nHost: t\r\n{lines}\r\n").into_bytes()
}

#[test]
fn a_golden_head_is_read_field_by_field() {
    let (head, length) = complete(GOLDEN);
    assert_eq!(length, GOLDEN.len());
    let wanted = Head {
        method: Method::Post,
        path: b"/announce/k%20",
        query: b"info_hash=\xd1+%1A?=&x",
        http_1_0: false,
        keep_alive: false,
        body: Body::Length(17),
        expect_continue: true,
        accept_json: true,
        host: Some(b"tracker.example:6969"),
        origin: Some(b"http://other.example"),
        authorization: Some(b"Bearer t0ken"),
        forwarded_for: vec![b"192.0.2.1, 192.0.2.2", b"2001:db8::3"],
        proxied: true,
        fetch_site: Some(b"cross-site"),
    };
    assert_eq!(head, wanted);
}

#[test]
fn every_prefix_of_a_good_head_is_partial_and_has_no_end() {
    for good in [GOLDEN, b"GET / HTTP/1.0\r\n\r\n", b"\r\n\nGET / HTTP/1.0\n\n"] {
        for length in 0..good.len() {
            let prefix = &good[..length];
            assert!(matches!(parse(prefix), Parsed::Partial), "{}", prefix.escape_ascii());
            assert_eq!(find_end(prefix, 0), None, "{}", prefix.escape_ascii());
        }
        assert_eq!(complete(good).1, good.len());
    }
}

#[test]
fn the_end_is_found_wherever_the_head_was_cut() {
    for good in [GOLDEN, b"GET / HTTP/1.0\r\n\r\n", b"\r\n\r\nGET / HTTP/1.0\n\n"] {
        let bytes = [good, b"GET /next"].concat();
        for from in 0..good.len() {
            assert_eq!(find_end(&bytes, from), Some(good.len()), "searched {from}");
        }
    }
}

#[test]
fn a_head_leaves_what_follows_it() {
    let first = b"GET /a HTTP/1.1\r\nHost: t\r\n\r\n";
    let both = [&first[..], b"GET /b HTTP/1.1\r\nHost: t\r\n\r\n"].concat();
    let (head, length) = complete(&both);
    assert_eq!((head.path, length), (&b"/a"[..], first.len()));
    assert_eq!(complete(&both[length..]).0.path, b"/b");
}

#[test]
fn a_few_empty_lines_before_a_request_are_skipped() {
    let (head, length) = complete(b"\r\n\n\r\n\r\nGET /a HTTP/1.0\r\n\r\n");
    assert_eq!((head.path, length), (&b"/a"[..], 26));
    assert_eq!(
        bad(b"\r\n\r\n\r\n\r\n\r\nGET /a HTTP/1.0\r\n\r\n"),
        ("400 Bad Request", r#"request line: "" is not a method, target, version"#.to_owned())
    );
}

#[test]
fn lines_may_end_in_a_bare_line_feed() {
    let (head, length) = complete(b"GET /a?b HTTP/1.1\nHost: t\nConnection: close\n\n");
    assert_eq!((head.query, head.keep_alive, length), (&b"b"[..], false, 45));
}

#[test]
fn targets_are_taken_apart() {
    for (target, host, path, query) in [
        ("/", "t", "/", ""),
        ("/announce?a=b?c", "t", "/announce", "a=b?c"),
        ("/?", "t", "/", ""),
        ("//x", "t", "//x", ""),
        ("http://Host.example:6969/announce?a", "Host.example:6969", "/announce", "a"),
        ("HTTPS://h/", "h", "/", ""),
        ("http://h", "h", "/", ""),
        ("http://h?info_hash=x/y", "h", "/", "info_hash=x/y"),
        ("http://[::1]:80/a", "[::1]:80", "/a", ""),
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: t\r\n\r\n").into_bytes();
        let (head, _) = complete(&bytes);
        let read = (head.host, head.path, head.query);
        assert_eq!(read, (Some(host.as_bytes()), path.as_bytes(), query.as_bytes()), "{target}");
    }
}

#[test]
fn every_byte_but_controls_and_the_space_may_stand_in_a_target() {
    for byte in 0..=255_u8 {
        let bytes = [b"GET /a?x=", &[byte][..], b" HTTP/1.0\r\n\r\n"].concat();
        let good = byte > b' ' && byte != 0x7f;
        assert_eq!(matches!(parse(&bytes), Parsed::Complete(..)), good, "{byte:#x}");
    }
}

#[test]
fn a_wrong_request_line_is_quoted() {
    for (line, status, text) in [
        ("GET", "400", r#"request line: "GET" is not a method, target, version"#),
        (
            "GET  / HTTP/1.1",
            "400",
            r#"request line: "GET  / HTTP/1.1" is not a method, target, version"#,
        ),
        ("GET /", "400", r#"request line: "GET /" is not a method, target, version"#),
        (" / HTTP/1.1", "400", r#"method: " " begins none, this port speaks HTTP"#),
        ("G@T / HTTP/1.1", "400", r#"method: "G@T" is not one"#),
        ("GET / HTTP/11", "400", r#"version: "HTTP/11" is not HTTP/1.1"#),
        ("GET / http/1.1", "400", r#"version: "http/1.1" is not HTTP/1.1"#),
        ("GET / HTTP/1.1\r", "400", r#"version: "HTTP/1.1\r" is not HTTP/1.1"#),
        ("GET / HTTP/2.0", "505", "HTTP/2.0: this is an HTTP/1.1 server"),
        ("GET / HTTP/0.9", "505", "HTTP/0.9: this is an HTTP/1.1 server"),
        ("OPTIONS * HTTP/1.1", "400", r#"target: "*" is not a path"#),
        ("CONNECT h:1 HTTP/1.1", "400", r#"target: "h:1" is not a path"#),
        ("GET ftp://h/ HTTP/1.1", "400", r#"target: "ftp://h/" is not a path"#),
        ("GET http:///a HTTP/1.1", "400", r#"target: "http:///a" is not a path"#),
        ("GET announce HTTP/1.1", "400", r#"target: "announce" is not a path"#),
        ("GET /\x7f HTTP/1.1", "400", r#"target: "/\x7f" is not a path"#),
        ("GET /\t HTTP/1.1", "400", r#"target: "/\t" is not a path"#),
    ] {
        let (got_status, got_text) = bad(format!("{line}\r\nHost: t\r\n\r\n").as_bytes());
        assert_eq!((&got_status[..3], got_text.as_str()), (status, text), "{line}");
    }
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\n";
    let (status, text) = bad(tls);
    assert_eq!(status, "400 Bad Request", "a TLS client on the plain port");
    assert_eq!(text, r#"method: "\x16" begins none, this port speaks HTTP"#);
    assert_eq!(bad(&tls[..1]), (status, text.clone()), "at once");
    assert_eq!(bad(b"\x13BitTorrent protocol\0\0\0").0, "400 Bad Request");
}

#[test]
fn methods_are_told_apart() {
    for (name, method) in [
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("POST", Method::Post),
        ("get", Method::Other),
        ("OPTIONS", Method::Other),
        ("M-SEARCH", Method::Other),
    ] {
        let bytes = format!("{name} / HTTP/1.0\r\n\r\n").into_bytes();
        assert_eq!(complete(&bytes).0.method, method, "{name}");
    }
}

#[test]
fn a_connection_is_kept_as_version_and_header_say() {
    for (version, line, kept) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "connection: Upgrade, CLOSE\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
        ("1.2", "", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive,close\r\n", false),
    ] {
        let bytes = format!("GET / HTTP/{version}\r\nHost: t\r\n{line}\r\n").into_bytes();
        let (head, _) = complete(&bytes);
        assert_eq!(head.keep_alive, kept, "{version} {line}");
        assert_eq!(head.http_1_0, version == "1.0");
    }
}

#[test]
fn a_reply_mentions_a_kept_connection_only_to_http_1_0() {
    let (new, _) = complete(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    let (old, _) = complete(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(
        (new.connection(false), new.connection(true)),
        (Connection::Unsaid, Connection::Close)
    );
    assert_eq!(
        (old.connection(false), old.connection(true)),
        (Connection::KeepAlive, Connection::Close)
    );
}

#[test]
fn bodies_are_framed_by_one_length_or_by_chunks() {
    for (lines, body) in [
        ("", Body::None),
        ("Content-Length: 0\r\n", Body::None),
        ("Content-Length: 0012 \r\n", Body::Length(12)),
        ("Content-Length: 18446744073709551615\r\n", Body::Length(u64::MAX)),
        ("Transfer-Encoding: Chunked\r\n", Body::Chunked),
    ] {
        assert_eq!(complete(&with_lines(lines)).0.body, body, "{lines}");
    }
}

#[test]
fn what_two_servers_could_frame_differently_is_bad() {
    for (lines, text) in [
        ("Content-Length: 5\r\nContent-Length: 6\r\n", "content-length: given twice"),
        ("Content-Length: 5\r\ncontent-length: 5\r\n", "content-length: given twice"),
        ("Content-Length: 5, 5\r\n", r#"content-length: "5, 5" is not a length"#),
        ("Content-Length: +5\r\n", r#"content-length: "+5" is not a length"#),
        ("Content-Length: -1\r\n", r#"content-length: "-1" is not a length"#),
        ("Content-Length: 0x5\r\n", r#"content-length: "0x5" is not a length"#),
        ("Content-Length:\r\n", r#"content-length: "" is not a length"#),
        (
            "Content-Length: 18446744073709551616\r\n",
            r#"content-length: "18446744073709551616" is not a length"#,
        ),
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "content-length: given with transfer-encoding",
        ),
        ("Transfer-Encoding: gzip\r\n", r#"transfer-encoding: "gzip" is not chunked"#),
        (
            "Transfer-Encoding: gzip, chunked\r\n",
            r#"transfer-encoding: "gzip, chunked" is not chunked"#,
        ),
        (
            "Transfer-Encoding: chunked;q=1\r\n",
            r#"transfer-encoding: "chunked;q=1" is not chunked"#,
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "transfer-encoding: given twice",
        ),
        ("Content-Length : 5\r\n", "header lines: invalid header name"),
        (" Content-Length: 5\r\n", "header lines: invalid header name"),
        ("X: a\r\n b\r\n", "header lines: invalid header name"),
        ("X: a\rb\r\n", "header lines: invalid header value"),
        ("X: a\0b\r\n", "header lines: invalid header value"),
        ("X\r\n", "header lines: invalid header name"),
        ("Host: u\r\n", "host: given twice"),
        ("Origin: null\r\nOrigin: null\r\n", "origin: given twice"),
        ("Authorization: a\r\nAuthorization: b\r\n", "authorization: given twice"),
    ] {
        assert_eq!(bad(&with_lines(lines)), ("400 Bad Request", text.to_owned()), "{lines}");
    }
    assert_eq!(
        bad(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").1,
        "transfer-encoding: HTTP/1.0 has none"
    );
}

#[test]
fn http_1_1_names_the_host_and_1_0_need_not() {
    assert_eq!(bad(b"GET / HTTP/1.1\r\n\r\n"), ("400 Bad Request", "host: missing".to_owned()));
    assert_eq!(bad(b"GET http://h/ HTTP/1.1\r\n\r\n").1, "host: missing");
    assert_eq!(complete(b"GET / HTTP/1.0\r\n\r\n").0.host, None);
    assert_eq!(complete(b"GET / HTTP/1.1\r\nHost:\r\n\r\n").0.host, Some(&b""[..]));
}

#[test]
fn json_is_accepted_where_it_is_named() {
    for (accept, json) in [
        ("*/*", false),
        ("text/html, application/json;q=0.9", true),
        ("Application/JSON", true),
        ("application/jsonp", false),
    ] {
        let bytes = with_lines(&format!("Accept: {accept}\r\n"));
        assert_eq!(complete(&bytes).0.accept_json, json, "{accept}");
    }
}

#[test]
fn http_1_0_is_never_sent_100_continue() {
    assert!(complete(&with_lines("Expect: 100-Continue\r\n")).0.expect_continue);
    let old = b"POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n";
    assert!(!complete(old).0.expect_continue);
}

#[test]
fn each_header_of_a_proxy_marks_the_request() {
    for line in [
        "Forwarded: for=192.0.2.1\r\n",
        "X-Forwarded-For: 192.0.2.1\r\n",
        "Via: 1.1 p\r\n",
        "X-Real-IP: 192.0.2.1\r\n",
        "X-Forwarded-Host: t\r\n",
        "X-Forwarded-Proto: https\r\n",
        "CF-Connecting-IP: 192.0.2.1\r\n",
        "True-Client-IP: 192.0.2.1\r\n",
    ] {
        assert!(complete(&with_lines(line)).0.proxied, "{line}");
    }
    let bytes = with_lines("X-Forwarded: 1\r\n");
    let (plain, _) = complete(&bytes);
    assert!(!plain.proxied);
    assert_eq!(plain.forwarded_for.capacity(), 0, "nothing is allocated");
}

/// A request of exactly so many bytes, by a long target or by a long header line.
fn padded(length: usize, in_target: bool) -> Vec<u8> {
    let bare = b"GET / HTTP/1.0\r\nX: \r\n\r\n".len();
    let pad = "a".repeat(length - bare);
    let (target, value) = if in_target { (pad.as_str(), "") } else { ("", pad.as_str()) };
    format!("GET /{target} HTTP/1.0\r\nX: {value}\r\n\r\n").into_bytes()
}

#[test]
fn a_head_may_be_8192_bytes_long_and_no_more() {
    let too_long = "the request head is longer than 8192 bytes";
    for in_target in [true, false] {
        assert_eq!(complete(&padded(HTTP_HEAD_BYTES_MAX, in_target)).1, HTTP_HEAD_BYTES_MAX);
        let (status, text) = bad(&padded(HTTP_HEAD_BYTES_MAX + 1, in_target));
        assert_eq!((status, text.as_str()), ("431 Request Header Fields Too Large", too_long));
    }
    let unended = &padded(HTTP_HEAD_BYTES_MAX * 2, false)[..=HTTP_HEAD_BYTES_MAX];
    assert_eq!(bad(unended).1, too_long);
    assert!(matches!(parse(&unended[..HTTP_HEAD_BYTES_MAX]), Parsed::Partial));
}

#[test]
fn a_request_line_that_does_not_fit_alone_is_told_apart() {
    let wanted = ("414 URI Too Long", "the request line is longer than 8192 bytes".to_owned());
    let bytes = padded(HTTP_HEAD_BYTES_MAX + 8, true);
    assert_eq!(bad(&bytes), wanted);
    assert_eq!(bad(&bytes[..=HTTP_HEAD_BYTES_MAX]), wanted, "its end has not come yet");
    assert!(matches!(parse(&bytes[..HTTP_HEAD_BYTES_MAX]), Parsed::Partial));
}

#[test]
fn a_head_may_have_64_header_lines_and_no_more() {
    assert_eq!(complete(&with_lines(&"X: y\r\n".repeat(63))).0.host, Some(&b"t"[..]));
    assert_eq!(
        bad(&with_lines(&"X: y\r\n".repeat(64))),
        ("431 Request Header Fields Too Large", "more than 64 header lines".to_owned())
    );
}

#[test]
fn no_mutation_makes_the_parser_panic_or_disagree_with_find_end() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut good = 0;
    for _ in 0..8000 {
        let mut bytes = GOLDEN.to_vec();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            match random.u8(..4) {
                0 => bytes[at] = random.u8(..),
                1 => bytes.insert(at, b"\r\n :,?/\0"[random.usize(..8)]),
                2 if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => bytes.truncate(at.max(1) + 1),
            }
        }
        let end = find_end(&bytes, 0);
        match parse(&bytes) {
            Parsed::Complete(_, length) => {
                good += 1;
                assert_eq!(end, Some(length), "{}", bytes.escape_ascii());
            }
            Parsed::Partial => assert_eq!(end, None, "{}", bytes.escape_ascii()),
            Parsed::Bad(problem) => assert!(!problem.text.is_empty()),
        }
    }
    assert!(good > 100, "some mutations stay good: {good}");
}
