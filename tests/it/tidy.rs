//! The house rules that the compiler does not hold, held here: sizes, words, the import table, the
//! number of packages.
//!
//! `tidy::rules` looks at one file at a time, `tidy::rooms` at who imports whom; this file walks
//! the tree, subtracts the exceptions, and says what is left as `file:line: rule: what to do`.

mod imports;
mod rooms;
mod rules;
mod source;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use rooms::{check, check_no_panic, module_of, unused};
use rules::RULES;
use source::Source;

/// Packages of the default build on Linux, muster itself included.
const PACKAGES_MAX: usize = 70;
/// Packages without the default features, that is without TLS.
const PACKAGES_WITHOUT_TLS_MAX: usize = 58;

/// A file that one rule does not bind, and why. This list only gets shorter: one that is no longer
/// needed fails, and a new one needs a better reason than "it is long".
struct Exception {
    rule: &'static str,
    path: &'static str,
    reason: &'static str,
}

const EXCEPTIONS: &[Exception] = &[];

/// A rule broken at a place.
struct Finding {
    rule: &'static str,
    path: String,
    text: String,
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The Rust files under a folder of the repository; none if there is no such folder.
fn rust_files(folder: &Path, found: &mut Vec<Source>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a folder of the repository can be listed").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(repository()).expect("it lies in the repository");
            found.push(Source::new(&relative.to_string_lossy().replace('\\', "/"), &read(&path)));
        }
    }
}

/// Every rule on every file, before exceptions.
fn findings(sources: &[Source]) -> Vec<Finding> {
    let modules: BTreeSet<_> = sources.iter().filter_map(module_of).collect();
    let mut findings = Vec::new();
    for source in sources {
        let by_file = RULES.iter().map(|rule| (rule.name, (rule.check)(source)));
        let by_room = [("imports", check(source, &modules)), ("no panic", check_no_panic(source))];
        for (rule, broken) in by_file.chain(by_room) {
            findings.extend(broken.into_iter().map(|broken| {
                let text = format!("{}:{}: {rule}: {}", source.path, broken.line, broken.advice);
                Finding { rule, path: source.path.clone(), text }
            }));
        }
    }
    findings
}

/// What is left of the findings, and the exceptions that excused nothing.
fn judged(findings: &[Finding], exceptions: &[Exception]) -> Vec<String> {
    let excuses = |e: &Exception, f: &Finding| e.rule == f.rule && e.path == f.path;
    let left = findings.iter().filter(|f| !exceptions.iter().any(|e| excuses(e, f)));
    let unused = exceptions.iter().filter(|e| !findings.iter().any(|f| excuses(e, f)));
    let unused = unused.map(|e| {
        format!(
            "{}: exception from \"{}\" ({}): no longer needed, remove it from EXCEPTIONS in {}",
            e.path,
            e.rule,
            e.reason,
            file!()
        )
    });
    left.map(|finding| finding.text.clone()).chain(unused).collect()
}

#[test]
fn the_house_is_tidy() {
    let mut sources = Vec::new();
    let fuzz = ["fuzz/src", "fuzz/fuzz_targets", "fuzz/examples"];
    for folder in ["src", "tests", "benches", "examples"].into_iter().chain(fuzz) {
        rust_files(&repository().join(folder), &mut sources);
    }
    assert!(sources.iter().any(|source| source.path == "src/lib.rs"), "the files were found");
    let modules = sources.iter().filter_map(module_of).collect();
    let mut left = judged(&findings(&sources), EXCEPTIONS);
    left.extend(unused(&sources, &modules));
    assert!(left.is_empty(), "{} untidy places\n{}", left.len(), left.join("\n"));
}

#[test]
fn a_finding_names_its_place_and_an_exception_excuses_it_as_long_as_it_is_needed() {
    let bad = Source::new("src/bencode.rs", "//! A.\nuse crate::stats::*;\n");
    let no_panic = |e: &Finding| e.rule != "no panic";
    let found: Vec<_> = findings(&[bad]).into_iter().filter(no_panic).collect();
    let texts: Vec<_> = found.iter().map(|finding| finding.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "src/bencode.rs:2: glob import: name what is imported, one by one",
            "src/bencode.rs:2: imports: bencode (Wire) may not import lib: move what both need \
             below them, or take it as an argument",
        ]
    );

    let exception = |rule| Exception { rule, path: "src/bencode.rs", reason: "a test" };
    let excused = judged(&found, &[exception("imports"), exception("glob import")]);
    assert_eq!(excused, [""; 0]);
    let unused = judged(&found[..1], &[exception("imports"), exception("glob import")]);
    assert_eq!(unused.len(), 1);
    assert!(
        unused[0].starts_with(
            "src/bencode.rs: exception from \"imports\" (a test): no longer needed, remove it"
        ),
        "{}",
        unused[0]
    );
}

/// The packages that `cargo tree --prefix none` lists, each once: a line per use, `(*)` on repeats.
fn packages(tree: &str) -> BTreeSet<String> {
    let names = tree.lines().map(|line| line.split(" (").next().unwrap_or(line).trim().to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

/// The packages of a build on this system with these further arguments to cargo.
#[cfg(target_os = "linux")]
fn packages_with(arguments: &[&str]) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "-e", "normal", "--prefix", "none", "--locked", "--offline"])
        .args(arguments)
        .current_dir(repository())
        .output()
        .expect("cargo runs: it has started this test");
    let errors = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "cargo tree: {errors}");
    let packages = packages(&String::from_utf8_lossy(&tree.stdout));
    assert!(packages.len() > 1, "cargo tree listed {packages:?}");
    packages
}

#[test]
#[cfg(target_os = "linux")]
fn no_build_has_more_packages_than_its_bound() {
    for (arguments, most) in
        [(&[][..], PACKAGES_MAX), (&["--no-default-features"], PACKAGES_WITHOUT_TLS_MAX)]
    {
        let packages = packages_with(arguments);
        assert!(
            packages.len() <= most,
            "Cargo.toml: packages: {} of them with {arguments:?}, at most {most}: do without the \
             newest of\n{}",
            packages.len(),
            Vec::from_iter(packages).join("\n")
        );
    }
}

#[test]
fn a_package_listed_twice_counts_once() {
    let tree = "muster v0.1.0 (/a b)\nsyn v3.0.9\nclap_derive v4.6.7 (proc-macro)\n\
                syn v3.0.9 (*)\n\n                syn v2.0.0\n";
    let wanted = ["clap_derive v4.6.7", "muster v0.1.0", "syn v2.0.0", "syn v3.0.9"];
    assert_eq!(packages(tree), wanted.map(str::to_owned).into());
}

/// The dependencies in a manifest that no comment stands above.
fn unexplained_dependencies(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_dependencies = false;
    let mut before = "";
    for line in manifest.lines() {
        let is_entry = line.contains(" = ") && !line.starts_with([' ', '#', ']']);
        if line.starts_with('[') {
            in_dependencies = line.trim_matches(['[', ']']).ends_with("dependencies");
        } else if in_dependencies && is_entry && !before.starts_with('#') {
            found.push(line.split(" = ").next().unwrap_or(line).to_owned());
        }
        before = line;
    }
    found
}

#[test]
fn every_dependency_says_what_it_is_for() {
    let found = unexplained_dependencies(&read(&repository().join("Cargo.toml")));
    assert!(
        found.is_empty(),
        "Cargo.toml: {found:?}: say above each what it is for and what writing it would cost"
    );
}

#[test]
fn a_dependency_without_a_comment_is_found() {
    let manifest = "[package]\nname = \"a\"\n[dependencies]\n# For b.\nb = \"1\"\n\
                    c = { version = \"1\", features = [\n    \"d\",\n] }\n\n\
                    [dev-dependencies]\ne = \"1\"\n[lints]\nf = \"g\"\n";
    assert_eq!(unexplained_dependencies(manifest), ["c", "e"]);
}
