//! Buckets by value, and the table against a model that forgets nobody.

use super::*;
use std::collections::HashMap;
use std::net::Ipv4Addr;

const START: u64 = 86_400_000;

fn v4(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0xcb00_7100 + number).into()
}

/// How many of `tries` are granted.
fn taken(buckets: &Buckets, ip: IpAddr, tries: u64, now_millis: u64) -> u64 {
    (0..tries).filter(|_| buckets.take(ip, now_millis)).count() as u64
}

#[test]
fn a_burst_is_granted_and_then_one_as_time_passes() {
    let bucket = Bucket::new(Rate::every_millis(10, 100));
    let taken = |now| (0..300).filter(|_| bucket.take(now)).count();
    assert_eq!(taken(START), 100);
    assert_eq!(taken(START + 9), 0);
    assert_eq!(taken(START + 10), 1);
    assert_eq!(taken(START + 40), 3);
    assert_eq!(taken(START + 3_600_000), 100, "no more is ever saved up");
}

#[test]
fn a_rate_by_the_minute_grants_five_minutes_worth_at_once_and_that_many_a_minute_on() {
    for count in [1, 7, 60, 6000, 60_000] {
        let buckets = Buckets::new(Rate::per_minute(count));
        let (ip, count) = (v4(7), u64::from(count));
        assert_eq!(taken(&buckets, ip, 6 * count, START), 5 * count);
        assert!(!buckets.has(ip, START));
        // A sixteenth of a millisecond is the unit: within one in a thousand.
        let minute = taken(&buckets, ip, 6 * count, START + 60_000);
        assert!((count..=count + count / 100).contains(&minute), "{minute} of {count}");
        assert!(buckets.has(ip, START + 120_000));
    }
}

#[test]
fn a_refused_client_is_asked_back_when_a_quarter_of_its_bucket_has_filled() {
    assert_eq!(Rate::per_minute(6000).retry_minutes(), 2, "a quarter of five minutes, rounded up");
    assert_eq!(Rate::every_millis(10, 100).retry_minutes(), 1);
}

#[test]
fn users_have_buckets_of_their_own_and_a_slash_64_is_one_user() {
    let buckets = Buckets::new(Rate::per_minute(1));
    assert!(buckets.has(v4(1), START), "before anybody has taken any");
    let [a, b, other]: [IpAddr; 3] =
        ["2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1"].map(|ip| ip.parse().expect("an ip"));
    assert_eq!(taken(&buckets, a, 4, START), 4);
    assert_eq!(taken(&buckets, b, 4, START), 1, "the same bucket");
    assert_eq!(taken(&buckets, other, 9, START), 5);
    assert_eq!(taken(&buckets, v4(1), 9, START), 5);
    assert!(buckets.take_for(v4(1), 1, START) && buckets.take_for(v4(1), 2, START));
}

#[test]
fn the_table_grants_what_a_model_that_forgets_nobody_grants() {
    let buckets = Buckets::with_lines(Rate::every_millis(1000, 5), 64);
    let mut model: HashMap<IpAddr, u64> = HashMap::new();
    let mut random = fastrand::Rng::with_seed(6);
    let mut now = START;
    for _ in 0..20_000 {
        now += random.u64(0..30);
        // 40 users in 512 slots: none is pushed out.
        let ip = v4(random.u32(0..40));
        let full_at = model.entry(ip).or_default();
        let after = (*full_at).max(now) + 1000;
        let granted = after - now <= 5000;
        if granted {
            *full_at = after;
        }
        assert_eq!(buckets.has(ip, now), granted);
        assert_eq!(buckets.take(ip, now), granted, "{ip} at {now}");
    }
}

#[test]
fn a_flood_of_addresses_frees_nobody_who_has_used_up_his_bucket() {
    // One line: everybody meets everybody.
    let buckets = Buckets::with_lines(Rate::every_millis(1000, 100), 1);
    assert_eq!(taken(&buckets, v4(0), 1000, START), 100);
    for number in 1..10_000 {
        let _ = buckets.take(v4(number), START);
        assert!(!buckets.has(v4(0), START), "freed by {number} addresses");
    }
    // Seven slots with the debts of the flood: all that one line grants at one moment is bounded.
    let more =
        (0..10_000).map(|number| taken(&buckets, v4(20_000 + number), 1, START)).sum::<u64>();
    assert!(more <= 7 * 100, "{more} were granted beyond the table");
}

#[test]
fn who_has_waited_long_enough_takes_no_room() {
    let buckets = Buckets::with_lines(Rate::every_millis(10, 100), 1);
    for number in 0..1000 {
        let now = START + u64::from(number) * 1000;
        assert_eq!(taken(&buckets, v4(number), 101, now), 100, "user {number}");
    }
}

#[test]
fn many_threads_take_no_more_than_there_is() {
    let buckets = Buckets::new(Rate::per_minute(1000));
    let count = || taken(&buckets, v4(1), 4000, START);
    let sum: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).sum()
    });
    assert_eq!(sum, 5000);
}
