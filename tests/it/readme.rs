//! README.md and SECURITY.md promise nothing that is not there: the tests, `make` targets and files
//! that they name exist.
//!
//! The table of options is compared with the one it is made from in `config`'s own tests.

use std::path::PathBuf;

const PAGES: [&str; 2] = ["README.md", "SECURITY.md"];

fn read(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every `.rs` file under a folder of the repository, one after the other.
fn code_under(folder: PathBuf) -> String {
    let mut code = String::new();
    for entry in std::fs::read_dir(folder).expect("a folder of the repository can be listed") {
        let path = entry.expect("its entries too").path();
        if path.is_dir() {
            code += &code_under(path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            code += &std::fs::read_to_string(&path).expect("source is text");
        }
    }
    code
}

/// What stands between two marks, each time, on one line.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    let after = text.lines().flat_map(move |line| line.split(open).skip(1));
    after.filter_map(move |rest| rest.split_once(close).map(|(inside, _)| inside))
}

/// The names in backticks that can only be those of tests: words of a sentence, joined by `_`.
fn tests_named_in(page: &str) -> impl Iterator<Item = &str> {
    let quoted = page.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    quoted.filter(|word| {
        let of_name = |byte: u8| byte.is_ascii_lowercase() || b"_:0123456789".contains(&byte);
        word.bytes().all(of_name) && word.matches('_').count() >= 3
    })
}

#[test]
fn every_test_that_the_pages_name_exists() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let code = code_under(root.join("src")) + &code_under(root.join("tests"));
    let mut count = 0;
    for page in PAGES {
        for name in tests_named_in(&read(page)) {
            let function = name.rsplit("::").next().unwrap_or(name);
            assert!(code.contains(&format!("fn {function}(")), "{page} names {name}: no such test");
            count += 1;
        }
    }
    assert!(count > 20, "only {count} tests found: has the form of their names changed?");
}

#[test]
fn every_make_target_that_the_pages_name_exists() {
    let makefile = read("Makefile");
    let mut count = 0;
    for page in PAGES {
        let page = read(page);
        let in_text = between(&page, "`make ", "`");
        let in_code = page.lines().filter_map(|line| line.trim_start().strip_prefix("make "));
        for target in in_text.chain(in_code).filter_map(|text| text.split_whitespace().next()) {
            assert!(makefile.contains(&format!("\n{target}: ")), "Makefile has no target {target}");
            count += 1;
        }
    }
    assert!(count > 3, "only {count} targets found");
}

#[test]
fn every_file_that_the_pages_link_to_exists() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    for page in PAGES {
        let text = read(page);
        for target in between(&text, "](", ")").filter(|target| !target.contains("://")) {
            let path = target.split('#').next().unwrap_or(target);
            assert!(root.join(path).exists(), "{page} links to {target}: no such file");
        }
    }
}
