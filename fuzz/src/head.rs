//! Heads of HTTP requests: where they are cut and what follows them makes no difference.
//!
//! A head is complete at its last byte and partial at every byte before; what comes after belongs
//! to the next. The engine looks for the end before it parses (`head::find_end`), so both must
//! agree on where that is, or a client would wait for a reply in vain.

use muster::http::head::{Body, Head, Parsed, find_end, parse};
use muster::limits::HTTP_HEAD_BYTES_MAX;

/// Places at which a head is cut; shorter ones are cut everywhere.
const CUTS: usize = 64;
/// The empty lines in front of a head that are not part of it.
const EMPTY_BYTES_MAX: usize = 8;

/// Holds what is said above.
pub fn check(bytes: &[u8]) {
    match parse(bytes) {
        Parsed::Complete(head, length) => {
            assert!(length <= bytes.len().min(HTTP_HEAD_BYTES_MAX + EMPTY_BYTES_MAX));
            assert_eq!(find_end(bytes, 0), Some(length), "where the head ends");
            let empty = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            assert!(length - empty <= HTTP_HEAD_BYTES_MAX, "{length} bytes");
            check_head(&head);
            let whole = &bytes[..length];
            let Parsed::Complete(alone, same) = parse(whole) else { panic!("what follows counts") };
            assert_eq!((alone, same), (head, length));
            for cut in cuts(length) {
                assert!(matches!(parse(&bytes[..cut]), Parsed::Partial), "cut at {cut}");
                assert_eq!(find_end(&bytes[..cut], 0), None, "cut at {cut}");
                assert_eq!(find_end(bytes, cut), Some(length), "searched from {cut}");
            }
        }
        Parsed::Partial => {
            assert!(
                bytes.len() <= HTTP_HEAD_BYTES_MAX + EMPTY_BYTES_MAX,
                "it could go on for ever"
            );
            for cut in cuts(bytes.len()) {
                assert!(matches!(parse(&bytes[..cut]), Parsed::Partial), "cut at {cut}");
            }
        }
        Parsed::Bad(problem) => {
            assert!(!problem.text.is_empty() && !problem.text.contains(['\r', '\n', '\0']));
            let more = [bytes, b"\r\n\r\n"].concat();
            let Parsed::Bad(same) = parse(&more) else { panic!("{} is made good", problem.text) };
            // What is too long may be found to be wrong as well once all of it is there.
            if bytes.len() <= HTTP_HEAD_BYTES_MAX {
                assert_eq!(same.status, problem.status);
            }
        }
    }
}

fn cuts(length: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by(length.div_ceil(CUTS).max(1))
}

/// What every head holds to that is passed on.
fn check_head(head: &Head<'_>) {
    assert!(head.path.starts_with(b"/"));
    let clean = |text: &[u8]| text.iter().all(|&byte| byte > b' ' && byte != 0x7f);
    assert!(clean(head.path) && clean(head.query) && !head.path.contains(&b'?'));
    assert!(head.body != Body::Length(0));
    assert!(!(head.http_1_0 && (head.body == Body::Chunked || head.expect_continue)));
    assert!(head.host.is_some() || head.http_1_0);
    assert!(head.forwarded_for.is_empty() || head.proxied);
    let values = [head.host, head.origin, head.authorization, head.fetch_site];
    for value in values.into_iter().flatten().chain(head.forwarded_for.iter().copied()) {
        assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)), "a line in a line");
    }
}
