//! muster alone: what it costs at any size, when idle, for its log, and how long announces wait for
//! a save or a sweep. One run of eight minutes on two cores writes one page and one plot.
//!
//! What is compared with one another is measured in turns, a round of everything after the other,
//! so that what else the machine does hits all alike; what it disturbs most is made again
//! (`quiet`). The parts: `idle`, `growth` with sizes and workers, `latency`, `logging`.

use std::fs;
use std::path::Path;

use muster::load::crowd::{CrowdSize, Popularity};
use muster::load::pace::Span;
use muster::load::{Plan, Way};

use super::contestant::Running;
use super::table::{PageOfRun, machine};
use super::{folder, growth, idle, latency, logging, measure_once, plan, quiet};

/// All the ways, as the columns have them.
pub const WAYS: [Way; 3] = [Way::Udp, Way::Keep, Way::Each];
/// The unit of spans.
pub const SECOND: u64 = 1_000_000_000;

/// Measures sizes given as `TORRENTS/PEERS`, or those of `growth`, and everything else; the word
/// `readme` puts the page into the README. The error says what is wrong with the words.
pub fn run(words: &[&str]) -> Result<(), String> {
    let into_readme = words.contains(&"readme");
    if into_readme && words.len() > 1 {
        return Err("the README shows the usual sizes alone: leave out SIZES or README=1".into());
    }
    let sizes = if into_readme { &[] } else { words };
    let given =
        if sizes.is_empty() { String::new() } else { format!(" SIZES=\"{}\"", sizes.join(" ")) };
    let sizes = sizes.iter().map(|word| parse_size(word)).collect::<Result<Vec<_>, _>>()?;
    let folder = folder("scale");
    let mut text = format!("`make bench-scale{given}`, {}.\n\n", machine());
    text += &idle::table(&folder);
    let (table, plot) = growth::table(&folder, &sizes);
    text += &table;
    text += &growth::workers(&folder);
    text += &latency::table(&folder);
    text += &logging::table(&folder);
    text += &quiet::verdict();
    let alt = "CPU time of an announce, by torrents and peers";
    PageOfRun { name: "scale", marks: "bench-scale", alt, text, plot }.write(into_readme);
    Ok(())
}

fn parse_size(word: &str) -> Result<(u32, u32), String> {
    let parsed = word.split_once('/').and_then(|(torrents, peers)| {
        let size: (u32, u32) = (torrents.parse().ok()?, peers.parse().ok()?);
        (size.0 > 0 && size.0 <= size.1).then_some(size)
    });
    parsed.ok_or_else(|| format!("{word}: not TORRENTS/PEERS with a peer in each torrent"))
}

/// A crowd with as many peers in each torrent, a tenth of them seeds.
pub fn crowd(torrents: u32, peers: u32) -> CrowdSize {
    CrowdSize { torrents, peers, seeds: 10, popularity: Popularity::Uniform }
}

/// A plan in which each peer names an address, so that a swarm may be of any size.
pub fn named(running: &Running, way: Way, crowd: CrowdSize) -> Plan {
    Plan { names_addresses: true, ..plan(running.address, way, crowd, Some(running.pid())) }
}

/// Lets every peer announce once, over UDP: that is fastest.
pub fn fill(plan: &Plan) {
    let once = Plan { fill: true, span: Span::Count(1), way: Way::Udp, rate: None, ..plan.clone() };
    let outcome = measure_once("fill", &once);
    let fill = outcome.fill.as_ref().expect("it was asked for");
    assert!(fill.failed() * 100 < fill.answered, "{} failed", fill.failed());
}

/// Makes a folder of a run empty again: a state file of a gigabyte need not stay.
pub fn empty(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).expect("the target folder is ours");
}
