//! What a tracker's reply does wrong by the BEPs, or against what clients make of it.
//!
//! A fault is a line for people; a reply with faults is still a reply. [`super::answer`] adds what
//! it cannot read, [`judge_head`] looks at the HTTP around it, [`judge_announced`] and
//! [`judge_scraped`] at what was asked and what was told. Bounded: more than [`CLIENT_FAULTS_MAX`]
//! are counted, not kept.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::answer::{Announced, Scraped};
use crate::limits::{
    ANNOUNCE_INTERVAL_SECONDS_RANGE, CLIENT_FAULTS_MAX, PEER_TIMEOUT_SECONDS_RANGE,
};
use crate::request::{InfoHash, PeerId};

/// What is wrong with a reply, each fault once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    found: Vec<String>,
    /// Those that were found beyond the bound.
    more: usize,
}

impl Faults {
    /// Adds a fault, unless it is there.
    pub fn add(&mut self, fault: impl Into<String>) {
        let fault = fault.into();
        if self.found.contains(&fault) {
            return;
        }
        if self.found.len() < CLIENT_FAULTS_MAX {
            self.found.push(fault);
        } else {
            self.more += 1;
        }
    }

    /// The faults as lines; the last one counts those that were too many.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        self.found.iter().cloned().chain(more).collect()
    }
}

/// Who has announced, and what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The addresses that are surely the asker's.
    pub own: Vec<IpAddr>,
    /// The port it announced.
    pub port: u16,
    /// The id it announced.
    pub peer_id: PeerId,
    /// How many peers it wanted, if it said so.
    pub numwant: Option<u32>,
    /// Whether it left, so that nobody needs to be listed.
    pub stopped: bool,
}

/// What the status and the headers of a reply do wrong. One that clients read is not chunked; one
/// of everything a tracker has may be.
pub fn judge_head<'h>(
    status: u16,
    header: impl Fn(&str) -> Option<&'h [u8]>,
    of_everything: bool,
    faults: &mut Faults,
) {
    if status != 200 {
        faults.add(format!("HTTP status {status}: clients ignore the body of all but 200"));
    }
    let chunked = header("transfer-encoding")
        .is_some_and(|coding| coding.to_ascii_lowercase().ends_with(b"chunked"));
    if chunked && !of_everything {
        faults.add("the reply is chunked, which small clients cannot read; say Content-Length");
    }
    if let Some(encoding) = header("content-encoding") {
        let encoding = encoding.escape_ascii();
        faults.add(format!("the reply is compressed ({encoding}) though nobody asked for it"));
    }
}

/// What the answer to an announce does wrong.
pub fn judge_announced(told: &Announced, asked: &Asked, faults: &mut Faults) {
    judge_intervals(told, faults);
    let counts = [
        ("complete", told.complete),
        ("incomplete", told.incomplete),
        ("downloaded", told.downloaded),
    ];
    for (name, count) in counts {
        judge_count(name, count, faults);
    }
    if let Some(most) = asked.numwant
        && told.peers.len() > most as usize
    {
        faults.add(format!("{} peers, numwant was {most} (BEP 3)", told.peers.len()));
    }
    let own = |ip: &IpAddr| asked.own.contains(ip) || told.external_ip == Some(*ip);
    let mut seen = BTreeSet::new();
    for peer in &told.peers {
        let (host, port) = (&peer.host, peer.port);
        if port == 0 {
            faults.add(format!("{host} is listed with port 0, where nobody can reach it"));
        }
        let ip = host.parse::<IpAddr>().ok();
        let is_own =
            peer.id == Some(asked.peer_id) || (port == asked.port && ip.as_ref().is_some_and(own));
        if is_own && !asked.stopped {
            faults
                .add(format!("{host} port {port} is our own address: nobody is a peer to itself"));
        }
        if is_own && asked.stopped {
            faults.add(format!("{host} port {port} is our own address, listed as we leave"));
        }
        if ip.is_some_and(|ip| ip.is_unspecified() || ip.is_multicast()) {
            faults.add(format!("{host} is no address of a peer"));
        }
        if let Some(IpAddr::V6(v6)) = ip
            && v6.to_ipv4_mapped().is_some()
        {
            faults.add(format!("{host} is an IPv4 address, which belongs into peers"));
        }
        if !seen.insert((host, port)) {
            faults.add(format!("{host} port {port} is listed twice"));
        }
    }
}

fn judge_intervals(told: &Announced, faults: &mut Faults) {
    match told.interval {
        Some(seconds @ ..=0) => faults.add(format!("interval {seconds}: not a time to wait")),
        Some(seconds) if seconds < i64::from(ANNOUNCE_INTERVAL_SECONDS_RANGE.0) => {
            faults.add(format!("interval {seconds} s: so short that clients ignore it"));
        }
        Some(seconds) if seconds > i64::from(PEER_TIMEOUT_SECONDS_RANGE.1) => {
            faults.add(format!("interval {seconds} s is more than a day: clients stay unknown"));
        }
        _ => {}
    }
    if let Some(least) = told.min_interval {
        if least < 0 {
            faults.add(format!("min interval {least}: not a time to wait"));
        }
        if told.interval.is_some_and(|interval| least > interval) {
            faults.add(format!("min interval {least} s is more than the interval"));
        }
    }
}

/// What the answer to a scrape does wrong; `asked` is empty if all torrents were asked for.
pub fn judge_scraped(told: &[Scraped], asked: &[InfoHash], faults: &mut Faults) {
    for torrent in told {
        let hash = torrent.info_hash;
        if !asked.is_empty() && !asked.contains(&hash) {
            faults.add(format!("{hash} is told, and was not asked for"));
        }
        let counts = [
            ("complete", torrent.complete),
            ("incomplete", torrent.incomplete),
            ("downloaded", torrent.downloaded),
        ];
        for (name, count) in counts {
            judge_count(&format!("{hash}: {name}"), count, faults);
        }
    }
}

fn judge_count(name: &str, count: Option<i64>, faults: &mut Faults) {
    if let Some(count @ ..=-1) = count {
        faults.add(format!("{name} is {count}: less than nothing"));
    }
}

#[cfg(test)]
mod tests;
