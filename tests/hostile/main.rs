//! The hostile suite: the real program under attack, with ordinary clients beside.
//!
//! `make test-hostile` runs it, for three minutes or as many as `MINUTES` says. One tracker stands
//! through all attacks but that on its descriptors, which has one of its own. Ordinary clients
//! announce all the while: each announce has to be answered, and how long that took is told beside
//! what the tracker did about the attack and what memory it held. At the end it is the same
//! process, nothing has panicked, and what it knows is saved and read again.
//!
//! All of it stays on loopback, where each of 127.0.0.0/8 is a client of its own. The attackers
//! share the machine with the tracker, so that on two cores they cost it more than strangers could.

#[path = "../it/answer.rs"]
#[allow(dead_code)]
mod answer;
#[path = "../it/connection.rs"]
#[allow(dead_code)]
mod connection;
mod crowd;
mod crowds;
mod descriptors;
mod floods;
#[path = "../it/harness.rs"]
#[allow(dead_code)]
mod harness;
mod honest;
mod resets;
mod shapes;
mod tracker;

use tracker::Tracker;

/// What the connections of an attack may hold that has few, or sends little on them.
const FEW_BYTES: u64 = 2 << 20;

fn main() {
    let minutes = std::env::var("MINUTES").unwrap_or_default();
    let minutes =
        if minutes.is_empty() { 3 } else { minutes.parse().expect("a number, MINUTES=10") };
    assert!(minutes >= 3, "MINUTES={minutes}: it takes 3 at least, or no deadline passes");
    raise_descriptor_limit();
    let mut tracker = Tracker::start(minutes);
    tracker.attack(("nothing", FEW_BYTES), |tracker| {
        tracker.last(10);
        "a quiet tracker".to_owned()
    });
    crowds::two_thousand_idle_and_five_hundred_slow_connections_delay_nobody(&mut tracker);
    tracker.attack(
        ("8 KB of a head on 2,000 connections", crowds::HEADS_BYTES),
        crowds::unfinished_heads_are_bounded,
    );
    tracker.attack(
        ("pipelines whose replies nobody reads", crowds::DEAF_BYTES),
        crowds::unread_replies_are_bounded,
    );
    tracker.attack(
        ("scrapes as JSON that nobody reads", crowds::DEAF_BYTES),
        crowds::unread_scrapes_are_bounded,
    );
    tracker.attack(
        ("shapes that are no requests", FEW_BYTES),
        shapes::each_is_refused_and_nothing_smuggled,
    );
    tracker.attack(("what never ends", FEW_BYTES), shapes::what_never_ends_is_cut_off);
    tracker.attack(("resets at every stage", FEW_BYTES), resets::a_reset_at_any_byte_costs_nothing);
    tracker.attack(
        ("connections of one address", FEW_BYTES),
        floods::one_address_keeps_its_share_and_no_more,
    );
    tracker.attack(
        ("announces of one address", FEW_BYTES),
        floods::announces_of_one_address_leave_room,
    );
    tracker.attack(("random UDP packets", FEW_BYTES), floods::random_packets_are_dropped);
    tracker.attack(("UDP connects of 250 addresses", FEW_BYTES), floods::connects_remember_nobody);
    tracker.attack_another(
        "256 descriptors, 1,000 clients",
        descriptors::running_out_is_recovered_from,
    );
    tracker.attack(
        ("new torrents without end", FEW_BYTES),
        floods::a_full_tracker_serves_who_it_knows,
    );
    tracker.finish();
}

/// The attackers need a descriptor each.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let enough = limit.maximum.is_none_or(|maximum| maximum >= 8192);
    assert!(raised.is_ok() && enough, "8,192 descriptors are needed (ulimit -Hn): {limit:?}");
}
