//! The rules that look at one file at a time: sizes, the opening, words, names, ports.
//!
//! A rule is a function from a [`Source`] to the lines that break it, each with what to do. Every
//! rule is shown to fail on a snippet in `BAD` below: a rule that cannot fail holds nothing.

use super::source::{Source, close_of, find_word, leading_spaces, word_at};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;
/// A file of more lines than this owes its reader a whole opening.
const SHORT_FILE_LINES_MAX: usize = 100;
const OPENING_LINES_MIN: usize = 4;
const OPENING_LINES_MAX: usize = 15;
/// Its opening is the architecture, as long as that takes.
const CRATE_DOC: &str = "src/lib.rs";
/// The one file that reads the time, and waits.
const CLOCK: &str = "src/clock.rs";

/// A line that breaks a rule, and what to do about it.
pub struct Broken {
    pub line: usize,
    pub advice: String,
}

pub struct Rule {
    pub name: &'static str,
    pub check: fn(&Source) -> Vec<Broken>,
}

pub const RULES: &[Rule] = &[
    Rule { name: "opening", check: opening },
    Rule { name: "file size", check: file_size },
    Rule { name: "function size", check: function_size },
    Rule { name: "line length", check: line_length },
    Rule { name: "forbidden word", check: forbidden_words },
    Rule { name: "glob import", check: glob_imports },
    Rule { name: "file name", check: file_name },
    Rule { name: "clock", check: clock },
    Rule { name: "sleep", check: sleeping },
    Rule { name: "fixed port", check: fixed_ports },
];

fn broken(line: usize, advice: impl Into<String>) -> Broken {
    Broken { line, advice: advice.into() }
}

/// Every file opens with `//!`: what it is, its contract, its source, what it does not do.
fn opening(source: &Source) -> Vec<Broken> {
    let lines = source.text.lines().count();
    let opening = source.text.lines().take_while(|line| line.starts_with("//!")).count();
    // Tests beside a module are explained by the module.
    let short = lines <= SHORT_FILE_LINES_MAX || (source.is_tests && source.is_in_src());
    let wanted = if short { 1 } else { OPENING_LINES_MIN };
    let most = if source.path == CRATE_DOC { usize::MAX } else { OPENING_LINES_MAX };
    if (wanted..=most).contains(&opening) {
        return Vec::new();
    }
    vec![broken(
        opening.max(1),
        format!(
            "opens with {opening} lines of //!: write {wanted} to {OPENING_LINES_MAX} that say \
             what the file is, its contract, its source and what it does not do"
        ),
    )]
}

fn file_size(source: &Source) -> Vec<Broken> {
    let lines = source.lines_without_tests();
    let beside_its_module = source.is_tests && source.is_in_src();
    if lines <= FILE_LINES_MAX || beside_its_module {
        return Vec::new();
    }
    let advice = format!("{lines} lines without tests, at most {FILE_LINES_MAX}: split it by noun");
    vec![broken(1, advice)]
}

fn function_size(source: &Source) -> Vec<Broken> {
    let mut found = Vec::new();
    for function in source.functions() {
        let lines = function.last_line - function.first_line + 1;
        if lines > FUNCTION_LINES_MAX {
            let advice = format!(
                "fn {} has {lines} lines, at most {FUNCTION_LINES_MAX}: give its steps names",
                function.name
            );
            found.push(broken(function.first_line, advice));
        }
    }
    found
}

fn line_length(source: &Source) -> Vec<Broken> {
    let columns = source.text.lines().map(|line| line.chars().count());
    let long = columns.enumerate().filter(|&(_, columns)| columns > LINE_COLUMNS_MAX);
    long.map(|(at, columns)| {
        broken(at + 1, format!("{columns} columns, at most {LINE_COLUMNS_MAX}: break the line"))
    })
    .collect()
}

/// Words that must not stay in the code, and one that must not stand in a comment either.
fn forbidden_words(source: &Source) -> Vec<Broken> {
    let code = [
        ("dbg!", "remove it, or log what people need"),
        ("todo!", "write it, or leave the room empty"),
        ("unimplemented!", "write it, or leave the room empty"),
        ("unsafe", "the crate forbids it: rustix has a safe function for what the system offers"),
        ("#[ignore", "a test runs or does not exist; one that needs a client says what is missing"),
    ];
    let in_code = code.iter().flat_map(|&(word, advice)| {
        source.find(word).into_iter().map(move |at| (at, word, advice))
    });
    let fixme = find_word(&source.prose, "FIXME").into_iter();
    let in_prose = fixme.map(|at| (at, "FIXME", "fix it, or open an issue"));
    in_code
        .chain(in_prose)
        .map(|(at, word, advice)| broken(source.line(at), format!("{word}: {advice}")))
        .collect()
}

/// Globs hide the module graph; a test module may take all of the module it tests.
fn glob_imports(source: &Source) -> Vec<Broken> {
    let mut found = Vec::new();
    for at in source.find("use") {
        let rest = &source.code[at + 3..];
        let statement = rest.split(';').next().unwrap_or(rest);
        // `impl Trait + use<'a>` imports nothing.
        let imports = !statement.trim_start().starts_with('<');
        let excused = statement.trim() == "super::*" && source.is_test(at);
        if imports && statement.contains('*') && !excused {
            found.push(broken(source.line(at), "name what is imported, one by one"));
        }
    }
    found
}

/// A name that says nothing attracts everything.
fn file_name(source: &Source) -> Vec<Broken> {
    let empty_names = ["utils", "util", "common", "helpers", "helper", "types", "manager", "misc"];
    let path = source.path.trim_end_matches(".rs");
    let Some(name) = path.split('/').find(|part| empty_names.contains(part)) else {
        return Vec::new();
    };
    vec![broken(1, format!("{name}: name the file after the one noun it holds"))]
}

/// Time is an argument. (Tests that drive the program measure real time and may read it.)
fn clock(source: &Source) -> Vec<Broken> {
    if source.path == CLOCK || !source.is_in_src() {
        return Vec::new();
    }
    let readings = ["Instant::now", "SystemTime::now", ".elapsed("];
    let offsets = readings.iter().flat_map(|reading| source.find(reading));
    offsets
        .map(|at| broken(source.line(at), format!("read the time through {CLOCK}, or take it")))
        .collect()
}

/// Nothing sleeps to let time pass: the program waits on its clock, a test on a condition.
fn sleeping(source: &Source) -> Vec<Broken> {
    if source.path == CLOCK {
        return Vec::new();
    }
    let offsets = source.find("sleep").into_iter();
    offsets
        .map(|at| broken(source.line(at), "wait for a condition, on Clock::wait or with a bound"))
        .collect()
}

/// A test that takes a port by its number fails where something else has taken it.
fn fixed_ports(source: &Source) -> Vec<Broken> {
    let mut found = Vec::new();
    for call in ["bind(", "connect(", "connect_timeout("] {
        for at in source.find(call).into_iter().filter(|&at| source.is_test(at)) {
            let open = at + call.len() - 1;
            let arguments = &source.text[open + 1..close_of(&source.code, open)];
            found.extend(port_in(arguments).map(|port| (at, port)));
        }
    }
    if !source.is_in_src() {
        for at in find_word(&source.text, "listen") {
            let line = source.text[at..].lines().next().unwrap_or_default();
            found.extend(port_in(line).map(|port| (at, port)));
        }
    }
    found
        .iter()
        .map(|&(at, port)| {
            let advice =
                format!("port {port} may be taken: use port 0 and ask which one it became");
            broken(source.line(at), advice)
        })
        .collect()
}

/// A port other than 0 that follows an address: `127.0.0.1:6969`, `LOCALHOST, 6969`, `"::1", 6969`.
/// Too large a number is no port but a test of what happens to one.
fn port_in(text: &str) -> Option<u16> {
    let ends_host = |at: usize| text[..at].ends_with(|c: char| c == ']' || c.is_alphanumeric());
    let colons = text.match_indices(':').map(|(at, _)| at).filter(|&at| ends_host(at));
    let separators = colons.chain(text.match_indices(',').map(|(at, _)| at)).map(|at| at + 1);
    let numbers = separators.map(|at| word_at(text, at + leading_spaces(&text[at..])));
    numbers.filter_map(|word| word.replace('_', "").parse().ok()).find(|&port| port != 0)
}

/// A rule, the file it is tried on, and the line that breaks it.
const BAD: &[(&str, &str, &str, usize)] = &[
    ("opening", "src/a.rs", "fn a() {}\n", 1),
    ("forbidden word", "src/a.rs", "//! A.\nfn a() {\n    dbg!(1);\n}\n", 3),
    ("forbidden word", "src/a.rs", "//! A.\nfn a() {\n    todo!()\n}\n", 3),
    ("forbidden word", "src/a.rs", "//! A.\nfn a() {\n    unimplemented!()\n}\n", 3),
    ("forbidden word", "src/a.rs", "//! A.\n\nunsafe fn a() {}\n", 3),
    ("forbidden word", "tests/it/a.rs", "//! A.\n#[test]\n#[ignore = \"slow\"]\nfn a() {}\n", 3),
    ("forbidden word", "src/a.rs", "//! A.\n// FIXME: b\n", 2),
    ("glob import", "src/a.rs", "//! A.\nuse crate::limits::*;\n", 2),
    ("glob import", "src/a.rs", "//! A.\nuse super::*;\n", 2),
    ("glob import", "tests/it/a.rs", "//! A.\nuse muster::{limits, request::*};\n", 2),
    ("file name", "src/utils.rs", "//! A.\n", 1),
    ("file name", "tests/it/common/client.rs", "//! A.\n", 1),
    ("clock", "src/a.rs", "//! A.\nfn a() {\n    let now = Instant::now();\n}\n", 3),
    ("clock", "src/a.rs", "//! A.\nfn a() {\n    let now = SystemTime::now();\n}\n", 3),
    ("clock", "src/a.rs", "//! A.\nfn a() -> Duration {\n    b.elapsed()\n}\n", 3),
    ("sleep", "tests/it/a.rs", "//! A.\n\nfn a() {\n    std::thread::sleep(b);\n}\n", 4),
    ("fixed port", "tests/it/a.rs", "//! A.\nfn a() {\n    bind(\"127.0.0.1:6969\");\n}\n", 3),
    ("fixed port", "tests/it/a.rs", "//! A.\nfn a() {\n    b::connect((LOCALHOST, 80));\n}\n", 3),
    (
        "fixed port",
        "tests/it/a.rs",
        "//! A.\nfn a() {\n    run(\"--listen\", \
         \"[::1]:7000\");\n}\n",
        3,
    ),
    (
        "fixed port",
        "src/a.rs",
        "//! A.\n#[cfg(test)]\nmod tests {\n    fn a() {\n        \
         bind((\"::1\", 6_969));\n    }\n}\n",
        5,
    ),
];

/// Code that looks like what a rule forbids, and is not.
const GOOD: &[(&str, &str)] = &[
    ("src/a.rs", "//! A.\n#![forbid(unsafe_code)]\n// todo! and unsafe in a comment\n"),
    ("src/a.rs", "//! A.\nconst A: &str = \"dbg!(FIXME)\";\n"),
    ("src/a.rs", "//! A.\n#[cfg(test)]\nmod tests {\n    use super::*;\n}\n"),
    ("src/a.rs", "//! A.\nfn a<'a>(b: &'a B) -> impl C + use<'a> {\n    *b * 2\n}\n"),
    (
        "src/clock.rs",
        "//! A.\nfn a() {\n    let now = Instant::now();\n    sleep(now.elapsed());\n}\n",
    ),
    ("tests/it/a.rs", "//! A.\nfn a() {\n    let now = Instant::now();\n}\n"),
    ("tests/it/a.rs", "//! A.\nfn a() {\n    bind(\"[::1]:0\");\n    connect(address);\n}\n"),
    ("tests/it/a.rs", "//! A.\nfn a() {\n    run(\"--listen\", \"127.0.0.1:99999\");\n}\n"),
    ("src/a.rs", "//! A.\nfn a() {\n    bind(\"0.0.0.0:6969\");\n}\n"),
    ("src/types_of_peer.rs", "//! A.\n"),
];

fn names_of_broken(path: &str, text: &str) -> Vec<(&'static str, usize)> {
    let source = Source::new(path, text);
    let lines = |rule: &Rule| (rule.check)(&source).into_iter().map(|broken| broken.line);
    RULES.iter().flat_map(|rule| lines(rule).map(|line| (rule.name, line))).collect()
}

#[test]
fn each_rule_fails_on_bad_code_and_names_the_line() {
    for &(rule, path, text, line) in BAD {
        assert_eq!(names_of_broken(path, text), [(rule, line)], "{path}:\n{text}");
    }
}

#[test]
fn no_rule_fails_on_good_code() {
    for (path, text) in GOOD {
        assert_eq!(names_of_broken(path, text), [], "{path}:\n{text}");
    }
}

#[test]
fn sizes_are_held_at_their_bounds() {
    let opening = "//! A.\n".repeat(OPENING_LINES_MIN);
    let file = |lines: usize| format!("{opening}{}", "// a\n".repeat(lines - OPENING_LINES_MIN));
    assert_eq!(names_of_broken("src/a.rs", &file(FILE_LINES_MAX)), []);
    assert_eq!(names_of_broken("src/a.rs", &file(FILE_LINES_MAX + 1)), [("file size", 1)]);

    let function =
        |lines: usize| format!("//! A.\n\nfn a() {{\n{}}}\n", "    b();\n".repeat(lines - 2));
    assert_eq!(names_of_broken("src/a.rs", &function(FUNCTION_LINES_MAX)), []);
    assert_eq!(
        names_of_broken("src/a.rs", &function(FUNCTION_LINES_MAX + 1)),
        [("function size", 3)]
    );

    let line = |columns: usize| format!("//! A.\n//{}\n", "ü".repeat(columns - 2));
    assert_eq!(names_of_broken("src/a.rs", &line(LINE_COLUMNS_MAX)), []);
    assert_eq!(names_of_broken("src/a.rs", &line(LINE_COLUMNS_MAX + 1)), [("line length", 2)]);

    let opened = |lines: usize| format!("{}{}", "//! A.\n".repeat(lines), "// a\n".repeat(100));
    for (lines, found) in
        [(3, vec![("opening", 3)]), (4, vec![]), (15, vec![]), (16, vec![("opening", 16)])]
    {
        assert_eq!(names_of_broken("src/a.rs", &opened(lines)), found, "{lines} lines");
    }
    assert_eq!(names_of_broken(CRATE_DOC, &opened(16)), []);
}

#[test]
fn every_rule_has_a_snippet_that_breaks_it() {
    let sizes = ["file size", "function size", "line length"];
    for rule in RULES {
        let shown = BAD.iter().any(|bad| bad.0 == rule.name) || sizes.contains(&rule.name);
        assert!(shown, "{}: add a snippet to BAD that breaks it", rule.name);
    }
}
