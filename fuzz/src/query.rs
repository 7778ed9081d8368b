//! Queries of announces, scrapes and pages: what is understood means the same when it is written
//! down anew.
//!
//! The first of two parameters counts and unknown ones do not; nobody names another's address who
//! may not; a scrape's hashes are sorted whatever order they came in.

use std::fmt::Write as _;
use std::net::IpAddr;

use muster::http::query::{
    Announce, Route, asks_for_json, has_info_hash, parse_announce, parse_listing, parse_scrape,
};
use muster::http::reply::PeerForm;
use muster::limits::SCRAPE_HASHES_MAX;
use muster::percent;
use muster::request::{AnnounceRequest, Event, InfoHash};

/// Parameters that every announce has already.
const SECOND: &[u8] = b"&info_hash=bbbbbbbbbbbbbbbbbbbb&peer_id=bbbbbbbbbbbbbbbbbbbb&port=1&port=x";

/// Holds what is said above; the bytes are also taken for a path.
pub fn check(query: &[u8]) {
    for source in [IpAddr::from([203, 0, 113, 9]), "2001:db8::9".parse().expect("an address")] {
        for may_name_address in [false, true] {
            check_announce(query, source, may_name_address);
        }
    }
    check_scrape(query);
    check_route(query);
    let _ = parse_listing(query);
}

fn check_announce(query: &[u8], source: IpAddr, may_name_address: bool) {
    let Ok(announce) = parse_announce(query, source, may_name_address) else { return };
    assert!(has_info_hash(query));
    let twice = [query, SECOND].concat();
    assert_eq!(parse_announce(&twice, source, may_name_address).as_ref(), Ok(&announce));
    let unknown = [b"a=1&b&=&&corrupt=0&", query, b"&z=%"].concat();
    assert_eq!(parse_announce(&unknown, source, may_name_address).as_ref(), Ok(&announce));
    let request = &announce.request;
    if !may_name_address {
        let named = (request.v4.map(IpAddr::V4), request.v6.map(IpAddr::V6));
        let own = if source.is_ipv4() { (Some(source), None) } else { (None, Some(source)) };
        assert_eq!(named, own, "nobody lists somebody else");
    }
    let mut again = parse_announce(encode(&announce).as_bytes(), source, true).expect("our own");
    // The key cannot be written down again, and the port's warning has served.
    again.request.identity.proof = request.identity.proof;
    again.warning.clone_from(&announce.warning);
    assert_eq!(again, announce);
}

/// The announce as a query.
fn encode(announce: &Announce) -> String {
    let AnnounceRequest { info_hash, identity, v4, v6, port, .. } = &announce.request;
    let AnnounceRequest { uploaded, downloaded, left, event, numwant, .. } = &announce.request;
    let mut text = String::from("info_hash=");
    percent::encode(&info_hash.0, &mut text);
    text.push_str("&peer_id=");
    percent::encode(&identity.peer_id.0, &mut text);
    let event = match event {
        Event::Started => "started",
        Event::Stopped => "stopped",
        Event::Completed => "completed",
        Event::Paused => "paused",
        Event::Update => "",
    };
    let (compact, no_ids) = match announce.form {
        PeerForm::Compact => (1, 0),
        PeerForm::Dictionaries { ids } => (0, u8::from(!ids)),
    };
    let _ = write!(
        text,
        "&port={port}&uploaded={uploaded}&downloaded={downloaded}&left={left}&event={event}\
         &numwant={}&compact={compact}&no_peer_id={no_ids}",
        numwant.count()
    );
    for ip in v4.map(IpAddr::V4).into_iter().chain(v6.map(IpAddr::V6)) {
        let _ = write!(text, "&ip={ip}");
    }
    if announce.json {
        text.push_str("&format=json");
    }
    text
}

fn check_scrape(query: &[u8]) {
    let mut hashes = vec![InfoHash([0xff; 20])];
    let Ok(json) = parse_scrape(query, &mut hashes) else { return };
    assert!((1..=SCRAPE_HASHES_MAX).contains(&hashes.len()));
    assert!(hashes.is_sorted_by(|a, b| a < b), "sorted and each once");
    if json {
        assert!(asks_for_json(query));
    }
    let mut backwards: Vec<&[u8]> = query.split(|&byte| byte == b'&').collect();
    backwards.reverse();
    let mut same = Vec::new();
    assert!(parse_scrape(&backwards.join(&b'&'), &mut same).is_ok());
    assert_eq!(same, hashes);
}

fn check_route(bytes: &[u8]) {
    let path = bytes.split(|&byte| byte == b'?').next().unwrap_or_default();
    let path = [b"/", path].concat();
    let route = Route::of(&path, bytes);
    if let Route::Announce { key: Some(key) } | Route::Scrape { key: Some(key) } = route {
        assert!(!key.is_empty() && !key.contains(&b'/'));
    }
    if !path.ends_with(b"/") {
        let with_slash = [&path[..], b"/"].concat();
        assert_eq!(Route::of(&with_slash, bytes), route, "one slash at the end");
    }
}
