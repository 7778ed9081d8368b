//! `--threads`: how many threads hash.

use clap::builder::RangedU64ValueParser;
use clap::{Arg, ArgMatches};

use crate::limits::WORKERS_MAX;

/// The argument.
pub(super) fn argument() -> Arg {
    Arg::new("threads")
        .long("threads")
        .short('t')
        .value_name("COUNT")
        .value_parser(RangedU64ValueParser::<u64>::new().range(1..=WORKERS_MAX as u64))
        .help("Hash on so many threads [default: one a core]")
}

/// How many are asked for, or fit this host.
pub(super) fn asked(given: &ArgMatches) -> usize {
    match given.get_one::<u64>("threads") {
        Some(count) => *count as usize,
        None => std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX),
    }
}
