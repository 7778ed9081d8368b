//! Floods: of connections and announces from one address, of UDP packets from many, of torrents.
//!
//! A flood is as fast as one thread can send it. What one address may have is bounded, so the
//! ordinary clients beside go on; UDP remembers nobody, and gives back no more than it is sent.

use std::net::{IpAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use muster::limits::{
    ANNOUNCES_PER_MINUTE_DEFAULT, HTTP_CONNECTIONS_PER_IP_DEFAULT, RATE_BURST_MINUTES,
};
use muster::udp::packet::{Family, Reply, Request, Transaction, encode_request, parse_reply};

use crate::connection::{announce, get, peer};
use crate::crowd::{Crowd, Manner};
use crate::honest::announce_once;
use crate::tracker::{TORRENTS_MAX, Tracker};

/// Clients of one address that come again at once, each time that they are closed.
const CLIENTS: usize = 1_000;
/// Addresses that send UDP.
const ADDRESSES: u8 = 250;
/// The most that is sent of a packet.
const PACKET_BYTES: usize = 2048;

/// A thousand clients fight for the connections that one address may have.
pub fn one_address_keeps_its_share_and_no_more(tracker: &Tracker) -> String {
    let manner = Manner {
        source: IpAddr::from([127, 0, 9, 1]),
        opening: Vec::new().into(),
        drips: false,
        reads: true,
        returns: Some(Duration::ZERO),
    };
    let before = tracker.count("connections_refused");
    let crowd = Crowd::gather(tracker.address(), vec![manner; CLIENTS]);
    tracker.last(10);
    crowd.stay_away();
    tracker.last(1);
    let share = HTTP_CONNECTIONS_PER_IP_DEFAULT as usize;
    crowd.wait_until(|tally| tally.standing() <= share);
    let refused = tracker.count("connections_refused") - before;
    let standing = crowd.tally.standing();
    assert!(standing > 0 && refused > CLIENTS as u64 / 2, "{standing}, {refused}");
    format!("{refused} connections given up, {standing} stood at the end, at most {share}")
}

/// As many announces as one client can send on one connection.
pub fn announces_of_one_address_leave_room(tracker: &Tracker) -> String {
    let ended = AtomicBool::new(false);
    let before = tracker.count("refused_announce_rate");
    let count = std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let request = get(announce(&[9; 20], &peer(97), 6997, 1, "")).repeat(20);
            let mut connection = tracker.attacker(10, 1);
            let mut count = 0;
            while !ended.load(Ordering::Relaxed) {
                connection.send(&request);
                (0..20).for_each(|_| assert_eq!(connection.reply().status, 200));
                count += 20;
            }
            count
        });
        tracker.last(10);
        ended.store(true, Ordering::Relaxed);
        flood.join().expect("every request was answered")
    });
    let refused = tracker.count("refused_announce_rate") - before;
    let minutes = RATE_BURST_MINUTES + 2 + tracker.minutes();
    let served = count - refused;
    assert!(served <= u64::from(ANNOUNCES_PER_MINUTE_DEFAULT) * minutes, "{served} served");
    assert!(refused > 0, "{count} announces in 10 s, none refused");
    format!("{served} served, {refused} refused")
}

/// Sends to every socket in turn until the time is over; what was sent and what came, in bytes.
fn flood(tracker: &Tracker, mut next: impl FnMut(&mut [u8]) -> usize + Send) -> (u64, u64, u64) {
    let server = tracker.server.udp()[0];
    let socket = |number| {
        let source = IpAddr::from([127, 0, 11, number]);
        let socket = UdpSocket::bind((source, 0)).expect("an address of this host");
        socket.set_nonblocking(true).expect("a socket");
        socket
    };
    let sockets: Vec<UdpSocket> = (1..=ADDRESSES).map(socket).collect();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let mut packet = [0; PACKET_BYTES];
            let (mut packets, mut sent, mut came) = (0, 0, 0);
            for socket in sockets.iter().cycle().take_while(|_| !ended.load(Ordering::Relaxed)) {
                let length = next(&mut packet);
                if socket.send_to(&packet[..length], server).is_ok() {
                    packets += 1;
                    sent += length as u64;
                }
                while let Ok(length) = socket.recv(&mut packet) {
                    came += length as u64;
                }
            }
            (packets, sent, came)
        });
        let honest = std::thread::Builder::new().spawn_scoped(scope, || {
            let mut answered = 0;
            while !ended.load(Ordering::Relaxed) {
                connects(tracker);
                answered += 1;
            }
            answered
        });
        tracker.last(8);
        ended.store(true, Ordering::Relaxed);
        let answered: u32 = honest.expect("a thread").join().expect("UDP is answered");
        assert!(answered > 10, "{answered} ordinary clients were answered over UDP");
        flood.join().expect("the flood was sent")
    })
}

/// An ordinary client asks for a connection id, again and again until it comes: in a flood the
/// kernel drops packets before anybody can look at them.
fn connects(tracker: &Tracker) {
    let socket = UdpSocket::bind(("127.0.12.1", 0)).expect("an address of this host");
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout above zero");
    let mut packet = Vec::new();
    encode_request(&mut packet, &Request::Connect(Transaction(7)));
    let (mut reply, give_up) = ([0; 64], Instant::now() + Duration::from_secs(10));
    loop {
        socket.send_to(&packet, tracker.server.udp()[0]).expect("it is sent");
        let came = socket.recv(&mut reply).unwrap_or(0);
        if let Some(Reply::Connected(Transaction(7), _)) = parse_reply(&reply[..came], Family::V4) {
            return;
        }
        assert!(Instant::now() < give_up, "no connection id within 10 s");
    }
}

pub fn random_packets_are_dropped(tracker: &Tracker) -> String {
    let mut random = fastrand::Rng::with_seed(11);
    let malformed = tracker.count("udp_malformed");
    let (packets, sent, came) = flood(tracker, |packet| {
        let length = random.usize(..packet.len());
        random.fill(&mut packet[..length]);
        // Half of them look like requests as far as the action.
        if length > 12 && random.bool() {
            packet[8..12].copy_from_slice(&[0, 0, 0, random.u8(..4)]);
        }
        length
    });
    let malformed = tracker.count("udp_malformed") - malformed;
    assert!(malformed > 1_000, "{malformed} of {packets} were looked at");
    assert!(came < sent / 10, "{came} bytes for {sent}");
    format!("{packets} packets of {} MB, {came} bytes of replies", sent / 1_000_000)
}

pub fn connects_remember_nobody(tracker: &Tracker) -> String {
    let mut request = Vec::new();
    encode_request(&mut request, &Request::Connect(Transaction(8)));
    let (packets, sent, came) = flood(tracker, |packet| {
        packet[..request.len()].copy_from_slice(&request);
        request.len()
    });
    assert!(came > 0 && came <= sent, "{came} bytes for {sent}");
    format!("{packets} connects, {}% of the bytes came back", came * 100 / sent)
}

/// New torrents up to the share of one address, then up to the bound from many addresses: the rest
/// is refused, and members are served.
pub fn a_full_tracker_serves_who_it_knows(tracker: &Tracker) -> String {
    let [share, full] = ["refused_torrent_share", "refused_full"].map(|name| tracker.count(name));
    let announce_new = |address: u8, count: u16| {
        let mut connection = tracker.attacker(13, address);
        for number in 0..count {
            let mut hash = [address; 20];
            hash[..2].copy_from_slice(&number.to_be_bytes());
            let reply = connection.get(announce(&hash, &peer(96), 6996, 1, ""));
            assert_eq!(reply.status, 200, "{reply:?}");
        }
    };
    announce_new(1, 1_000);
    let share = tracker.count("refused_torrent_share") - share;
    assert!((300..1_000).contains(&share), "{share} of 1,000 were refused to one address");
    (2..=21).for_each(|address| announce_new(address, 400));
    let full = tracker.count("refused_full") - full;
    assert!(full > 3_000, "{full} were refused since there was no room");
    assert_eq!(tracker.count("torrents"), TORRENTS_MAX);
    (1..=40).for_each(|number| announce_once(tracker.address(), number));
    format!("{share} of 1,000 refused to one address, {full} of 8,000 to 20; members served")
}
