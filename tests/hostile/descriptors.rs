//! A tracker that may open 256 descriptors, and 1,000 clients that want one each.
//!
//! By default connections get 3/4 of the descriptors, so that files and listeners always have
//! theirs: at that bound the connection idle longest goes. (`accept` itself without a descriptor is
//! `running_out_of_descriptors_is_survived_and_logged_once` of the ordinary tests.)

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::crowd::{Crowd, Manner};
use crate::harness::Server;
use crate::honest::announce_once;

const DESCRIPTORS: u32 = 256;
const CLIENTS: usize = 1_000;
/// Announces of ordinary clients while the crowd is there.
const ANNOUNCES: u8 = 200;
/// Ordinary connections that are kept at once when the crowd has gone: within the share of one of
/// the two workers, which may be the one that gets them all.
const KEPT: u8 = 90;
/// How long it may take to be as before.
const RECOVERY: Duration = Duration::from_secs(5);

pub fn running_out_is_recovered_from() -> String {
    let script =
        format!("ulimit -n {DESCRIPTORS}; exec \"$0\" serve --listen 127.0.0.1:0 --workers 2");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_muster")]);
    let mut server = Server::of(command, 1);
    let pid = server.pid();
    let manner = |number: usize| Manner {
        source: IpAddr::V4(Ipv4Addr::new(127, 0, 14, (1 + number / 20) as u8)),
        opening: Vec::new().into(),
        drips: false,
        reads: true,
        returns: Some(Duration::from_millis(500)),
    };
    let crowd = Crowd::gather(server.tcp(), (0..CLIENTS).map(manner).collect());
    let share = (DESCRIPTORS / 4 * 3) as usize;
    crowd.wait_until(|tally| tally.standing() >= share / 2);
    let begun = Instant::now();
    (1..=ANNOUNCES).for_each(|number| announce_once(server.tcp(), number));
    let each = begun.elapsed() / u32::from(ANNOUNCES);
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").count();
    assert!(open <= DESCRIPTORS as usize, "{open} descriptors");
    let given_up = crowd.tally.closed();
    assert!(given_up >= CLIENTS - share, "{given_up} of {CLIENTS} were given up");
    drop(crowd);

    let begun = Instant::now();
    let mut kept: Vec<Connection> = (1..=KEPT)
        .map(|number| {
            let mut connection = Connection::from([127, 0, 1, number].into(), server.tcp());
            assert_eq!(connection.get("/health").status, 200);
            connection
        })
        .collect();
    assert!(kept.iter_mut().all(|connection| connection.get("/health").status == 200));
    let recovery = begun.elapsed();
    assert!(recovery < RECOVERY, "{recovery:?}");
    assert!(server.runs() && server.pid() == pid);
    format!(
        "{ANNOUNCES} announces in {:.1} ms each, {open} descriptors; {KEPT} connections kept \
         {:.2} s after",
        each.as_secs_f64() * 1000.0,
        recovery.as_secs_f32()
    )
}
