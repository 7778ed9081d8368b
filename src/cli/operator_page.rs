//! A page of the operator's, asked from outside: the token that opens it, and what a refusal means.
//!
//! What `add` and `stats` have in common. The token comes from a file or a variable, never from the
//! value of a flag, which every user of the host could read; and it is never shown.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, ValueHint, value_parser};

use super::{Failure, Variables};
use crate::client::http::Reply;
use crate::client::tracker_url::{Scheme, TrackerUrl};
use crate::config::read_token;
use crate::limits::{CLIENT_TIMEOUT_SECONDS_RANGE, SERVER_WORDS_CHARS_MAX};
use crate::printable::printable;
use crate::token::Token;

/// `--token-file`.
pub(super) fn token_argument() -> Arg {
    Arg::new("token-file")
        .long("token-file")
        .value_name("FILE")
        .value_hint(ValueHint::FilePath)
        .value_parser(value_parser!(PathBuf))
        .help("File with the operator's token; else MUSTER_TOKEN holds the token itself")
}

/// `--timeout`, so many seconds by default.
pub(super) fn timeout_argument(default: u32) -> Arg {
    let (least, most) = CLIENT_TIMEOUT_SECONDS_RANGE;
    Arg::new("timeout")
        .long("timeout")
        .value_name("SECONDS")
        .value_parser(value_parser!(u32).range(i64::from(least)..=i64::from(most)))
        .help(format!("Give a request up after so long [default: {default}]"))
}

/// The token from the file of the flag, from the variable with the token, or from the variable with
/// the file; none if nothing names one.
pub(super) fn token(given: &ArgMatches, variables: &Variables) -> Result<Option<Token>, Failure> {
    let variable = |name: &str| {
        let found = variables.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    };
    let token = if let Some(path) = given.get_one::<PathBuf>("token-file") {
        read_token(path).map(Some)
    } else if let Some(text) = variable("MUSTER_TOKEN") {
        Token::parse(text).map(Some).map_err(|wrong| format!("MUSTER_TOKEN: {wrong}"))
    } else {
        variable("MUSTER_TOKEN_FILE").map(|path| read_token(Path::new(path))).transpose()
    };
    token.map_err(Failure::Usage)
}

/// The tracker that somebody has typed, or whose announce URL they have pasted.
pub(super) fn tracker(text: &str) -> Result<TrackerUrl, Failure> {
    let url = TrackerUrl::parse(text).map_err(Failure::Usage)?;
    if url.scheme == Scheme::Udp {
        let advice = format!("the operator's pages go over HTTP; try http://{}", url.authority());
        return Err(Failure::Usage(format!("{url}: {advice}")));
    }
    Ok(url)
}

/// Why the reply to a request for a page is no good: the tracker's words, and what to do.
pub(super) fn refusal(url: &TrackerUrl, reply: &Reply, with_token: bool) -> String {
    let status = reply.status;
    let words = words(reply).map(|words| format!(": {words}")).unwrap_or_default();
    let advice = match status {
        // The words about names and pages of other sites say what to do themselves.
        401 | 403 if words.contains("host: ") || words.contains("origin: ") => "",
        401 | 403 if with_token => "; is it the token of this tracker?",
        401 | 403 => "; give the operator's token with --token-file FILE or in MUSTER_TOKEN",
        404 | 405 | 501 => {
            "; is this a muster tracker, and its announce URL but for the last word?"
        }
        413 => "; the tracker, or a proxy in front of it, takes no body of this size",
        429 => "; it wants fewer requests: try again later",
        500..=599 => "; the tracker, or a proxy in front of it, is in trouble: see its log",
        _ => "",
    };
    match reply.redirect() {
        Some(to) => format!("{url}: answered {status}, a redirect to {to}; give that URL"),
        None => format!("{url}: answered {status}{words}{advice}"),
    }
}

/// What the body of a refusal says to people: the `error` of JSON, or a line of plain text.
fn words(reply: &Reply) -> Option<String> {
    let json = serde_json::from_slice::<serde_json::Value>(&reply.body).ok();
    let error = json.as_ref().and_then(|json| json.get("error")?.as_str());
    let text = match error {
        Some(error) => error.as_bytes(),
        None => reply.body.trim_ascii().split(|&byte| byte == b'\n').next()?,
    };
    // A page of a proxy's is for browsers.
    if text.is_empty() || text.starts_with(b"<") {
        return None;
    }
    let shown = printable(text.trim_ascii());
    let cut: String = shown.chars().take(SERVER_WORDS_CHARS_MAX).collect();
    Some(if cut.len() < shown.len() { format!("{cut}...") } else { cut })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str, with_token: bool) -> String {
        let reply = Reply { status, headers: Vec::new(), body: body.as_bytes().to_vec() };
        refusal(&TrackerUrl::parse("a.example/announce").expect("a URL"), &reply, with_token)
    }

    #[test]
    fn a_refusal_is_told_in_the_trackers_words_and_with_advice() {
        let at = "http://a.example:6969/announce: answered";
        for (status, body, with_token, wanted) in [
            (
                403,
                r#"{"error": "only the operator"}"#,
                false,
                "403: only the operator; give the operator's token with --token-file FILE or in \
                 MUSTER_TOKEN",
            ),
            (403, r#"{"error": "wrong"}"#, true, "403: wrong; is it the token of this tracker?"),
            (403, r#"{"error": "host: call it so"}"#, true, "403: host: call it so"),
            (400, "{\"error\": \"size: \\u001b[31m\"}", false, "400: size: \\u{1b}[31m"),
            (
                404,
                "<html><title>404",
                false,
                "404; is this a muster tracker, and its announce URL but for the last word?",
            ),
            (429, "slow\ndown\n", false, "429: slow; it wants fewer requests: try again later"),
            (
                503,
                "",
                false,
                "503; the tracker, or a proxy in front of it, is in trouble: see its log",
            ),
            (418, &"\u{e9}".repeat(301), false, &format!("418: {}...", "\u{e9}".repeat(300))),
        ] {
            assert_eq!(said(status, body, with_token), format!("{at} {wanted}"));
        }
        let to = vec![("location".to_owned(), b"https://b.example/".to_vec())];
        let reply = Reply { status: 301, headers: to, body: Vec::new() };
        let url = TrackerUrl::parse("a.example").expect("a URL");
        let wanted = format!("{at} 301, a redirect to https://b.example/; give that URL");
        assert_eq!(refusal(&url, &reply, false), wanted);
    }
}
