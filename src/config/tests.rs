//! Tests of the options, their sources and their errors.

use super::*;
use crate::limits::{CONFIG_FILE_BYTES_MAX, LISTEN_COUNT_MAX, TRUSTED_PROXIES_COUNT_MAX};

/// For every option: a text that is not its default, and what goes with it to be valid.
const CHANGED: [(&str, &str); 28] = [
    ("listen", "127.0.0.1:80,[::1]:0,unix:/run/muster.sock"),
    ("udp", "false"),
    ("udp-listen", "192.0.2.1:7000,[::1]:7001"),
    ("http-engine", "tiny_http"),
    ("allow-tiny-http-remote-crash", "true"),
    ("workers", "3"),
    ("peer-timeout", "2000"),
    ("announce-interval", "800"),
    ("min-interval", "30"),
    ("max-torrents", "5"),
    ("max-peers", "6"),
    ("max-memory", "64M"),
    ("max-torrents-per-ip", "4"),
    ("max-announces-per-ip", "600"),
    ("max-errors-per-ip", "0"),
    ("unlimited-networks", "local,192.0.2.0/24"),
    ("max-connections", "7"),
    ("max-connections-per-ip", "8"),
    ("trusted-proxies", "127.0.0.1,10.0.0.0/8,fd00::/8"),
    ("host-names", "tracker.example.org"),
    ("token-file", "/etc/muster/token"),
    ("similar-first-digits", "8"),
    ("similar-last-digits", "4"),
    ("similar-threshold", "90"),
    ("state-file", "/var/lib/muster/state.json"),
    ("autosave-interval", "60"),
    ("log-level", "debug"),
    ("log-format", "json"),
];

fn from_flags(flags: &[(&str, &str)]) -> Result<Config, String> {
    let flags: Vec<_> = flags.iter().map(|(key, text)| (*key, (*text).to_owned())).collect();
    Config::load(&flags, &[], None)
}

fn from_environment(name: &str, value: &str) -> Result<Config, String> {
    Config::load(&[], &[(name.to_owned(), value.to_owned())], None)
}

fn file(text: &str) -> ConfigFile {
    ConfigFile { name: "muster.toml".to_owned(), text: text.to_owned() }
}

fn from_file(text: &str) -> Result<Config, String> {
    Config::load(&[], &[], Some(&file(text)))
}

/// The line of TOML that sets an option to a text.
fn toml_line(option: &ConfigOption, text: &str) -> String {
    let value = match option.kind {
        Kind::Number | Kind::Switch => text.to_owned(),
        Kind::Text => format!("{text:?}"),
        Kind::List => format!("{:?}", text.split(',').collect::<Vec<_>>()),
    };
    format!("{} = {value}\n", option.key)
}

#[test]
fn nothing_set_is_the_documented_default() {
    let config = Config::load(&[], &[], None).expect("the defaults are valid");
    assert_eq!(config, Config::default());
    assert_eq!(config.listen, [Listen::Tcp("[::]:6969".parse().expect("an address"))]);
    assert_eq!(
        (config.peer_timeout, config.announce_interval, config.min_interval),
        (1800, 900, 60)
    );
    assert_eq!((config.max_torrents, config.max_peers, config.max_connections), (0, 0, 0));
    assert_eq!((config.max_announces_per_ip, config.max_errors_per_ip), (6000, 60));
    assert_eq!((config.max_memory, config.unlimited_networks), (0, vec![Network::Local]));
    let linux = cfg!(target_os = "linux");
    assert_eq!(config.http_engine == HttpEngine::Epoll, linux, "the portable engine elsewhere");
}

#[test]
fn keys_are_unique_kebab_case_and_have_help_in_one_line() {
    for (i, option) in OPTIONS.iter().enumerate() {
        let key = option.key;
        assert!(key.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{key}");
        assert!(OPTIONS.iter().skip(i + 1).all(|other| other.key != key), "{key} twice");
        let help = option.help;
        assert!((20..=90).contains(&help.len()) && !help.ends_with('.'), "{key}: {help}");
        assert!(!help.contains(['\n', '|']), "{key}: {help} must fit a table's cell");
        assert!(option.comment.is_empty() || option.comment.ends_with('.'), "{key}");
        assert!(!OTHER_VARIABLES.contains(&option.variable().as_str()), "{key}");
    }
}

#[test]
fn every_option_can_be_set_by_flag_variable_and_file_alike() {
    let keys: Vec<&str> = OPTIONS.iter().map(|option| option.key).collect();
    assert_eq!(keys, CHANGED.map(|(key, _)| key), "CHANGED has every option");
    for (option, (key, text)) in OPTIONS.iter().zip(CHANGED) {
        // tiny_http with the default listen would need permission.
        let local = if key == "http-engine" { "127.0.0.1:1" } else { "" };
        let mut flags = vec![(key, text.to_owned())];
        let mut environment = vec![(option.variable(), text.to_owned())];
        let mut toml = toml_line(option, text);
        if !local.is_empty() {
            flags.push(("listen", local.to_owned()));
            environment.push(("MUSTER_LISTEN".to_owned(), local.to_owned()));
            toml += "listen = [\"127.0.0.1:1\"]";
        }
        let by_flag = Config::load(&flags, &[], None).expect(key);
        let by_variable = Config::load(&[], &environment, None).expect(key);
        let by_file = from_file(&toml).expect(key);
        assert_ne!(by_flag, Config::default(), "{key}");
        assert_eq!((option.get)(&by_flag), text, "{key}");
        assert_eq!(by_variable, by_flag, "{key}");
        assert_eq!(by_file, by_flag, "{key}");
    }
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let file = file("workers = 1\nmax-peers = 1\nmax-torrents = 1");
    let variable = |name: &str| (name.to_owned(), "2".to_owned());
    let environment = [variable("MUSTER_WORKERS"), variable("MUSTER_MAX_PEERS")];
    let flags = [("workers", "3".to_owned())];
    let config = Config::load(&flags, &environment, Some(&file)).expect("all valid");
    assert_eq!((config.workers, config.max_peers, config.max_torrents), (3, 2, 1));
}

#[test]
fn variables_of_others_and_those_that_are_no_options_are_left_alone() {
    for name in ["PATH", "MUSTER_CONFIG", "MUSTERING", "muster_workers"] {
        assert_eq!(from_environment(name, "x"), Ok(Config::default()), "{name}");
    }
}

#[test]
fn an_address_to_listen_on_is_read_in_every_form_and_shown_as_one() {
    for (text, wanted) in [
        ("6969", "[::]:6969"),
        (":6969", "[::]:6969"),
        ("[::]:6969", "[::]:6969"),
        ("0.0.0.0:0", "0.0.0.0:0"),
        ("[2001:db8::1]:80", "[2001:db8::1]:80"),
        // IPv4 written as IPv6: a socket of IPv6 alone would not take it.
        ("[::ffff:127.0.0.1]:80", "127.0.0.1:80"),
        ("[::ffff:0.0.0.0]:80", "0.0.0.0:80"),
        ("unix:/run/muster.sock", "unix:/run/muster.sock"),
        ("unix:m.sock", "unix:m.sock"),
    ] {
        let listen: Listen = text.parse().expect(text);
        assert_eq!(listen.to_string(), wanted);
        assert_eq!(wanted.parse(), Ok(listen));
    }
}

#[test]
fn a_malformed_address_to_listen_on_is_refused() {
    let long = format!("unix:/{}", "x".repeat(107));
    for text in
        ["", ":", "localhost:6969", "1.2.3.4", "::1", "::1:80", ":65536", "+80", "http://[::]:1"]
    {
        let wanted = format!(
            "{text:?}: expected ADDR:PORT such as [::]:6969 or 192.0.2.1:6969, a port, or \
             unix:/path"
        );
        assert_eq!(text.parse::<Listen>(), Err(wanted));
    }
    for text in ["unix:", "unix:/a\nb", &long] {
        let shown = quoted(text.as_bytes());
        let wanted = format!("{shown}: expected unix: and the path of a socket, at most 107 bytes");
        assert_eq!(text.parse::<Listen>(), Err(wanted));
    }
}

#[test]
fn what_only_this_host_can_reach_is_local() {
    for (text, local) in [
        ("127.0.0.1:1", true),
        ("127.9.9.9:1", true),
        ("[::1]:1", true),
        ("[::ffff:127.0.0.1]:1", true),
        ("unix:/x", true),
        ("6969", false),
        ("0.0.0.0:1", false),
        ("192.168.0.1:1", false),
    ] {
        assert_eq!(text.parse::<Listen>().expect(text).is_local(), local, "{text}");
    }
}

#[test]
fn a_duration_is_seconds_or_has_a_unit() {
    for (text, seconds) in [("60", 60), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86_400)] {
        let flags = [("peer-timeout", text), ("announce-interval", "10"), ("min-interval", "1")];
        assert_eq!(from_flags(&flags).expect(text).peer_timeout, seconds);
    }
}

/// What is wrong with a value, whatever its source.
#[test]
fn a_wrong_value_is_quoted_with_what_is_expected() {
    const SECONDS: &str = "expected seconds from 60 to 86400, or a duration such as 30m, 2h or 1d";
    for (key, text, wanted) in [
        ("peer-timeout", "59", SECONDS),
        ("peer-timeout", "86401", SECONDS),
        ("peer-timeout", "", SECONDS),
        ("peer-timeout", "m", SECONDS),
        ("peer-timeout", "-60", SECONDS),
        ("peer-timeout", "+60", SECONDS),
        ("peer-timeout", "1.5h", SECONDS),
        ("peer-timeout", "1h30m", SECONDS),
        ("peer-timeout", "30 m", SECONDS),
        // 63,104 seconds, if the product were cut to 32 bits.
        ("peer-timeout", "49711d", SECONDS),
        ("peer-timeout", "4294967356", SECONDS),
        (
            "announce-interval",
            "9",
            "expected seconds from 10 to 43200, or a duration such as 30m, 2h or 1d",
        ),
        (
            "min-interval",
            "0",
            "expected seconds from 1 to 43200, or a duration such as 30m, 2h or 1d",
        ),
        ("workers", "257", "expected a number from 0 to 256"),
        ("workers", "two", "expected a number from 0 to 256"),
        ("max-torrents", "100000001", "expected a number from 0 to 100000000"),
        ("max-peers", "100000001", "expected a number from 0 to 100000000"),
        ("max-memory", "31M", "expected 32M to 1T, such as 64M or 1GiB"),
        ("max-memory", "2T", "expected 32M to 1T, such as 64M or 1GiB"),
        ("max-memory", "50%", "expected 32M to 1T, such as 64M or 1GiB"),
        ("max-memory", "64 M", "expected 32M to 1T, such as 64M or 1GiB"),
        ("max-memory", "-64M", "expected 32M to 1T, such as 64M or 1GiB"),
        ("max-announces-per-ip", "60001", "expected a number from 0 to 60000"),
        (
            "unlimited-networks",
            "192.0.2.0/33",
            "expected an address or subnet such as 10.0.0.0/8 or ::1, or local",
        ),
        ("max-connections", "1048577", "expected a number from 0 to 1048576"),
        ("max-connections-per-ip", "0", "expected a number from 1 to 1048576"),
        ("http-engine", "hyper", "expected epoll or tiny_http"),
        ("allow-tiny-http-remote-crash", "yes", "expected true or false"),
        ("allow-tiny-http-remote-crash", "1", "expected true or false"),
        ("log-level", "trace", "expected error or warn or info or debug"),
        ("log-format", "xml", "expected text or json"),
        ("listen", "", "expected at least one"),
        ("listen", " ", "expected at least one"),
        (
            "trusted-proxies",
            "10.0.0.0/33",
            "expected an address or subnet such as 10.0.0.0/8 or ::1",
        ),
    ] {
        let option = option_named(key).expect(key);
        let wrong = format!("{text:?}: {wanted}");
        assert_eq!(from_flags(&[(key, text)]), Err(format!("--{key}: {wrong}")));
        let name = option.variable();
        assert_eq!(from_environment(&name, text), Err(format!("{name}: {wrong}")));
        let in_file = from_file(&format!("# first\n{key} = {text:?}"));
        assert_eq!(in_file, Err(format!("{key} in muster.toml line 2: {wrong}")));
    }
}

#[test]
fn udp_listens_on_addresses_and_ports_and_no_unix_socket() {
    let config = from_flags(&[("udp-listen", "7000, 127.0.0.1:0,[::1]:1")]).expect("addresses");
    let shown: Vec<String> = config.udp_listen.iter().map(UdpListen::to_string).collect();
    assert_eq!(shown, ["[::]:7000", "127.0.0.1:0", "[::1]:1"]);
    for wrong in ["unix:/run/muster.sock", "localhost:1", "127.0.0.1"] {
        let wanted = format!(
            "--udp-listen: {wrong:?}: expected ADDR:PORT such as [::]:6969 or 192.0.2.1:6969, or a \
             port"
        );
        assert_eq!(from_flags(&[("udp-listen", wrong)]), Err(wanted));
    }
}

#[test]
fn a_list_names_the_item_that_is_wrong() {
    let twice = from_flags(&[("listen", "6969, [::]:6969")]);
    assert_eq!(twice, Err("--listen: \"[::]:6969\": stands there twice".to_owned()));
    let empty = from_flags(&[("trusted-proxies", "::1,,::2")]);
    let wanted = "--trusted-proxies: \"\": expected an address or subnet such as 10.0.0.0/8 or ::1";
    assert_eq!(empty, Err(wanted.to_owned()));
    let many: Vec<String> = (1..=LISTEN_COUNT_MAX + 1).map(|port| port.to_string()).collect();
    let wanted = "--listen: \"65\": expected 64 at most".to_owned();
    assert_eq!(from_flags(&[("listen", &many.join(","))]), Err(wanted));
    let most: Vec<String> = (0..TRUSTED_PROXIES_COUNT_MAX).map(|i| format!("10.0.0.{i}")).collect();
    assert!(from_flags(&[("trusted-proxies", &most.join(","))]).is_ok());
    let none = from_flags(&[("trusted-proxies", "")]).expect("no proxies");
    assert_eq!(none.trusted_proxies, []);
}

#[test]
fn values_that_do_not_go_together_name_both_keys() {
    let timeout = "announce-interval 900 and its jitter of up to 56 must stay below peer-timeout \
                   956, or clients expire before they call again: set announce-interval to 478 or \
                   raise peer-timeout";
    assert_eq!(from_flags(&[("peer-timeout", "956")]), Err(timeout.to_owned()));
    assert!(from_flags(&[("peer-timeout", "957")]).is_ok());
    let min = "min-interval 901 must not exceed announce-interval 900: lower min-interval or raise \
               announce-interval";
    assert_eq!(from_flags(&[("min-interval", "901")]), Err(min.to_owned()));
    assert!(from_flags(&[("min-interval", "900")]).is_ok());
}

#[test]
fn addresses_of_which_one_takes_what_the_other_would_are_refused() {
    for (both, narrow, wide) in [
        ("[::]:7000,0.0.0.0:7000", "0.0.0.0:7000", "[::]:7000"),
        ("0.0.0.0:7000,[::]:7000", "0.0.0.0:7000", "[::]:7000"),
        ("7000,[::1]:7000", "[::1]:7000", "[::]:7000"),
        ("192.0.2.1:1,127.0.0.1:7000,7000", "127.0.0.1:7000", "[::]:7000"),
        ("0.0.0.0:7000,127.0.0.1:7000", "127.0.0.1:7000", "0.0.0.0:7000"),
        ("[::]:7000,[::ffff:127.0.0.1]:7000", "127.0.0.1:7000", "[::]:7000"),
    ] {
        for key in ["listen", "udp-listen"] {
            let wanted =
                format!("{key}: {wide} takes what is sent to {narrow} too: leave {narrow} out");
            assert_eq!(from_flags(&[(key, both)]), Err(wanted), "{both}");
        }
    }
    for apart in [
        "[::]:7000,0.0.0.0:7001",
        "[::]:0,0.0.0.0:0",
        "0.0.0.0:7000,[::1]:7000",
        "127.0.0.1:1,[::1]:1",
    ] {
        for key in ["listen", "udp-listen"] {
            assert!(from_flags(&[(key, apart)]).is_ok(), "{key} {apart}");
        }
    }
    // Each option by itself: UDP and TCP do not meet.
    assert!(from_flags(&[("listen", "0.0.0.0:7000"), ("udp-listen", "7000")]).is_ok());
}

#[test]
fn tiny_http_listens_beyond_loopback_only_with_permission() {
    let wanted = "http-engine tiny_http does not listen on 0.0.0.0:80: anybody could end the \
                  process with one 70-byte request; set listen to 127.0.0.1:6969 behind a reverse \
                  proxy, or allow-tiny-http-remote-crash to true";
    let open = [("http-engine", "tiny_http"), ("listen", "127.0.0.1:81,0.0.0.0:80")];
    assert_eq!(from_flags(&open), Err(wanted.to_owned()));
    let allowed = [open.as_slice(), &[("allow-tiny-http-remote-crash", "true")]].concat();
    assert!(from_flags(&allowed).is_ok());
    assert!(from_flags(&[("http-engine", "tiny_http"), ("listen", "unix:/x,[::1]:80")]).is_ok());
}

#[test]
fn an_unknown_name_is_an_error_that_suggests_the_nearest() {
    for (name, wanted) in [
        (
            "MUSTER_PEER_TIMOUT",
            "unknown variable MUSTER_PEER_TIMOUT, did you mean MUSTER_PEER_TIMEOUT?",
        ),
        ("MUSTER_WORKER", "unknown variable MUSTER_WORKER, did you mean MUSTER_WORKERS?"),
        ("MUSTER_COLOUR", "unknown variable MUSTER_COLOUR, see muster --help for all there are"),
        ("MUSTER_", "unknown variable MUSTER_, see muster --help for all there are"),
        ("MUSTER_A\nB", "unknown variable MUSTER_A\\nB, see muster --help for all there are"),
    ] {
        assert_eq!(from_environment(name, "1"), Err(wanted.to_owned()));
    }
    let flag = from_flags(&[("max-peer", "1")]);
    assert_eq!(flag, Err("unknown flag --max-peer, did you mean --max-peers?".to_owned()));
}

#[test]
fn the_distance_of_two_words_is_the_letters_to_change() {
    for (a, b, distance) in [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("listen", "listen", 0),
        ("lisen", "listen", 1),
        ("listeen", "listen", 1),
        ("kitten", "sitting", 3),
        ("log-format", "log-level", 6),
        ("\u{e9}", "e", 1),
    ] {
        assert_eq!(edit_distance(a, b), distance, "{a} {b}");
    }
}

#[test]
fn an_unknown_key_in_a_file_is_one_line_with_its_place() {
    for (text, wanted) in [
        (
            "workers = 1\n\npeer-timout = 5",
            "unknown key \"peer-timout\" in muster.toml line 3, did you mean \"peer-timeout\"?",
        ),
        (
            "PEER_TIMEOUT = 60",
            "unknown key \"PEER_TIMEOUT\" in muster.toml line 1, did you mean \"peer-timeout\"?",
        ),
        (
            "colour = 1",
            "unknown key \"colour\" in muster.toml line 1, see muster --help for all there are",
        ),
        (
            "\"a\\nb\" = 1",
            "unknown key \"a\\nb\" in muster.toml line 1, see muster --help for all there are",
        ),
        // The first in the file, not the first in the alphabet.
        (
            "workerz = 1\nlisen = 2",
            "unknown key \"workerz\" in muster.toml line 1, did you mean \"workers\"?",
        ),
        (
            "[server]\nlisten = []",
            "unknown key \"server\" in muster.toml line 1: the file has no tables, only key = \
             value",
        ),
        (
            "server.listen = []",
            "unknown key \"server\" in muster.toml line 1: the file has no tables, only key = \
             value",
        ),
    ] {
        assert_eq!(from_file(text), Err(wanted.to_owned()), "{text}");
    }
}

#[test]
fn a_wrong_value_in_a_file_is_one_line_with_its_place() {
    for (text, wanted) in [
        (
            "[listen]\n",
            "listen in muster.toml line 1: a table, expected a value: the file has no tables",
        ),
        ("listen = [{}]", "listen in muster.toml line 1: a table, expected texts or numbers"),
        ("listen = [[1]]", "listen in muster.toml line 1: an array, expected one value"),
        ("workers = [1]", "workers in muster.toml line 1: an array, expected one value"),
        (
            "workers = true",
            "workers in muster.toml line 1: \"true\": expected a number from 0 to 256",
        ),
        (
            "workers = 1.5",
            "workers in muster.toml line 1: \"1.5\": expected a number from 0 to 256",
        ),
        ("workers = -1", "workers in muster.toml line 1: \"-1\": expected a number from 0 to 256"),
        (
            "workers = 0x101",
            "workers in muster.toml line 1: \"257\": expected a number from 0 to 256",
        ),
        (
            "workers = 1979-05-27",
            "workers in muster.toml line 1: \"1979-05-27\": expected a number from 0 to 256",
        ),
        (
            "log-level = 3",
            "log-level in muster.toml line 1: \"3\": expected error or warn or info or debug",
        ),
        (
            "trusted-proxies = [true]",
            "trusted-proxies in muster.toml line 1: \"true\": expected an address or subnet such \
             as 10.0.0.0/8 or ::1",
        ),
        ("workers = 1\nworkers = 2", "muster.toml line 2: duplicate key in \"workers = 2\""),
        ("workers 1", "muster.toml line 1: key with no value, expected `=` in \"workers 1\""),
        (
            "workers = ",
            "muster.toml line 1: string values must be quoted, expected literal string in \
             \"workers =\"",
        ),
    ] {
        assert_eq!(from_file(text), Err(wanted.to_owned()), "{text}");
    }
}

#[test]
fn the_file_takes_every_sensible_form_of_a_value() {
    for (text, key, wanted) in [
        ("peer-timeout = \"1h\"", "peer-timeout", "3600"),
        ("peer-timeout = 3_600", "peer-timeout", "3600"),
        ("workers = 0x10", "workers", "16"),
        ("workers = \"16\"", "workers", "16"),
        ("listen = 80", "listen", "[::]:80"),
        ("listen = [80, \":81\"]", "listen", "[::]:80,[::]:81"),
        ("listen = \"80, :81\"", "listen", "[::]:80,[::]:81"),
        ("trusted-proxies = []", "trusted-proxies", ""),
        ("\u{feff}workers = 1\r\n", "workers", "1"),
    ] {
        let config = from_file(text).expect(text);
        let option = option_named(key).expect(key);
        assert_eq!((option.get)(&config), wanted, "{text}");
    }
}

#[test]
fn no_prefix_of_a_file_panics() {
    let text = encode_toml(&Config::default());
    for end in (0..text.len()).filter(|&end| text.is_char_boundary(end)) {
        let _ = from_file(&text[..end]);
    }
}

#[test]
fn the_printed_file_loads_back_to_the_same_configuration() {
    let config = Config::default();
    assert_eq!(from_file(&encode_toml(&config)), Ok(config));
    let changed = from_flags(&CHANGED).expect("all valid together");
    let text = encode_toml(&changed);
    assert_eq!(from_file(&text), Ok(changed), "{text}");
    let strange = from_flags(&[("listen", "unix:/a\"b\\c\u{e9}'#")]).expect("a strange path");
    assert_eq!(from_file(&encode_toml(&strange)), Ok(strange));
}

#[test]
fn the_printed_file_explains_every_option_within_the_width_of_a_page() {
    let text = encode_toml(&Config::default());
    for option in &OPTIONS {
        let sources = format!("# --{}, {}; default: ", option.key, option.variable());
        assert!(text.contains(&sources), "{sources}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 96), "{text}");
    let start = "# The configuration of muster. ";
    assert!(text.starts_with(start), "{text}");
    assert!(text.contains(
        "\n\n# Forget a peer that has been silent for this long.\n\
         # Durations are seconds; \"30m\", \"2h\" and \"1d\" are understood too.\n\
         # --peer-timeout, MUSTER_PEER_TIMEOUT; default: 1800\n\
         peer-timeout = 1800\n\n"
    ));
}

/// The README's table is a copy; when it goes stale this prints the one to paste.
#[cfg(target_os = "linux")]
#[test]
fn the_readme_s_options_are_those_of_the_table() {
    let table = encode_markdown();
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
    let readme = readme.expect("README.md can be read");
    assert!(readme.contains(&table), "README.md needs this table:\n{table}");
    assert!(table.contains("| `--listen` | `MUSTER_LISTEN` | `[::]:6969` | Where to listen: "));
    assert!(table.contains("| `--trusted-proxies` | `MUSTER_TRUSTED_PROXIES` | none | "));
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let folder = std::env::temp_dir().join(format!("muster-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    let path = |name: &str| folder.join(name).to_str().expect("a UTF-8 path").to_owned();
    let write =
        |name: &str, bytes: &[u8]| std::fs::write(path(name), bytes).expect("a test's file");
    write("good.toml", b"workers = 2");
    write("binary.toml", b"workers = 2\n# \xff");
    let most = CONFIG_FILE_BYTES_MAX as usize;
    write("most.toml", &vec![b'\n'; most]);
    write("large.toml", &vec![b'\n'; most + 1]);

    let (good, missing, binary, large) =
        (path("good.toml"), path("missing.toml"), path("binary.toml"), path("large.toml"));
    let read = |name: &str| read_file(name).map(|file| file.text);
    assert_eq!(read(&good), Ok("workers = 2".to_owned()));
    assert_eq!(read(&path("most.toml")).map(|text| text.len()), Ok(most));
    let other = "set --config or MUSTER_CONFIG to another path";
    assert_eq!(
        read(&missing),
        Err(format!(
            "configuration file {missing}: No such file or directory (os error 2); {other}"
        ))
    );
    let own = folder.to_str().expect("a UTF-8 path");
    assert_eq!(
        read(own),
        Err(format!("configuration file {own}: Is a directory (os error 21); {other}"))
    );
    assert_eq!(read(&binary), Err(format!("{binary} line 2: not UTF-8 text")));
    let wanted = format!("configuration file {large}: larger than 1048576 bytes, expected TOML");
    assert_eq!(read(&large), Err(wanted));
    std::fs::remove_dir_all(&folder).expect("the test's folder");
}

#[test]
fn memory_is_read_in_every_unit_and_written_in_the_largest_that_fits() {
    for (text, bytes, written) in [
        ("", 0, ""),
        ("64M", 64 << 20, "64M"),
        ("64MiB", 64 << 20, "64M"),
        ("64MB", 64 << 20, "64M"),
        ("1GiB", 1 << 30, "1G"),
        ("65536K", 64 << 20, "64M"),
        ("65537KiB", 65_537 << 10, "65537K"),
        ("1T", 1 << 40, "1T"),
        ("67108865", 67_108_865, "67108865"),
    ] {
        let config = from_flags(&[("max-memory", text)]).expect(text);
        let option = option_named("max-memory").expect("it stands in the table");
        assert_eq!((config.max_memory, (option.get)(&config).as_str()), (bytes, written), "{text}");
    }
}
