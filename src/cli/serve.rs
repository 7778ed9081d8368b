//! `muster serve`: puts the configuration together and runs the tracker, or prints it.

use clap::ArgMatches;

use super::{Failure, print};
use crate::config::{Config, Kind, OPTIONS, encode_toml, read_file};
use crate::log;

/// Runs `serve` with the flags of all levels of the command line and our variables.
pub(super) fn run(levels: &[&ArgMatches], environment: &[(String, String)]) -> Result<(), Failure> {
    let config = load(levels, environment).map_err(Failure::Usage)?;
    if levels.iter().any(|level| level.get_flag("print-config")) {
        return print(&encode_toml(&config));
    }
    log::set(config.log_level, config.log_format);
    log::report_panics();
    let done = crate::serve::run(&config).map_err(|text| {
        log::error(text);
        Failure::Reported
    });
    log::flush();
    done
}

/// The configuration from the flags of all levels of the command line, our variables and the file.
pub(super) fn load(
    levels: &[&ArgMatches],
    environment: &[(String, String)],
) -> Result<Config, String> {
    let by_flag = given(levels, "config").pop();
    let by_variable = || environment.iter().find(|(name, _)| name == "MUSTER_CONFIG");
    let path = by_flag.or_else(|| by_variable().map(|(_, path)| path.clone()));
    let file = path.map(|path| read_file(&path)).transpose()?;
    Config::load(&flags(levels), environment, file.as_ref())
}

/// The options that were given as flags. Several of one list are one list; of anything else the
/// last counts, which can differ only before and after the subcommand's name.
fn flags(levels: &[&ArgMatches]) -> Vec<(&'static str, String)> {
    let mut flags = Vec::new();
    for option in &OPTIONS {
        let mut values = given(levels, option.key);
        if option.kind == Kind::List && !values.is_empty() {
            flags.push((option.key, values.join(",")));
        } else if let Some(last) = values.pop() {
            flags.push((option.key, last));
        }
    }
    flags
}

/// The values of one flag in the order in which they stand.
fn given(levels: &[&ArgMatches], key: &str) -> Vec<String> {
    let values = levels.iter().filter_map(|level| level.get_many::<String>(key));
    values.flatten().cloned().collect()
}
