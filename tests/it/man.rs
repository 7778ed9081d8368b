//! The man pages that `make man` writes: a page for each command, every flag on it, and nothing
//! that the programs that show man pages (groff, mandoc) complain of.

use std::process::Command;

use clap::Command as Definition;

use crate::harness::Folder;
use crate::programs::is_installed;

#[path = "../../examples/man.rs"]
#[expect(dead_code, reason = "here it does not run as a program")]
mod pages;

/// Every command, muster itself first, as it is when it has been parsed.
fn commands() -> Vec<Definition> {
    let mut root = muster::cli::command().disable_help_subcommand(true);
    root.build();
    let below: Vec<Definition> = root.get_subcommands().cloned().collect();
    std::iter::once(root).chain(below).collect()
}

#[test]
fn every_command_has_a_page_with_all_it_takes_on_it() {
    let pages = pages::pages("2026-11-21");
    let commands = commands();
    assert_eq!(pages.len(), commands.len());
    for ((file, page), command) in pages.iter().zip(&commands) {
        let name = command.get_display_name().unwrap_or("muster");
        assert_eq!(*file, format!("{name}.1"));
        // Roff has dashes escaped.
        let text = page.replace("\\-", "-");
        let title = format!(".TH {name} 1 2026-11-21 \"muster {}\"", env!("CARGO_PKG_VERSION"));
        assert!(text.contains(&title), "{title}: {text}");
        for argument in command.get_arguments() {
            let long = argument.get_long().map(|long| format!("\\fB--{long}\\fR"));
            let short = argument.get_short().map(|short| format!("\\fB-{short}\\fR"));
            let value = argument.is_positional().then(|| {
                argument.get_value_names().unwrap_or_default().first().map(|name| format!("{name}"))
            });
            for wanted in [long, short, value.flatten()].into_iter().flatten() {
                assert!(text.contains(&wanted), "{file} lacks {wanted}: {text}");
            }
        }
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "SEE ALSO"] {
            let heading = [format!("\n.SH {section}\n"), format!("\n.SH \"{section}\"\n")];
            assert!(heading.iter().any(|one| text.contains(one)), "{file} lacks {section}: {text}");
        }
    }
}

#[test]
fn the_readme_shows_every_page_that_make_man_writes() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
    let readme = readme.expect("it is there");
    let mut shown: Vec<String> = pages::pages("2026-11-21")
        .into_iter()
        .map(|(file, _)| format!("target/man/{file}\n"))
        .collect();
    shown.sort_unstable();
    let wanted = format!("-- target/man 2026-11-21\n{}$ man", shown.concat());
    assert!(readme.contains(&wanted), "README.md is to show:\n{wanted}");
}

#[test]
fn neither_groff_nor_mandoc_complains_of_a_page() {
    let folder = Folder::new();
    for (file, page) in pages::pages("2026-11-21") {
        std::fs::write(folder.join(&file), page).expect("the folder is ours");
        let path = folder.join(&file);
        let checks = [
            ("mandoc", &["-T", "lint", "-W", "warning"][..]),
            ("groff", &["-man", "-ww", "-z", "-Kutf8", "-Tutf8"]),
        ];
        for (program, arguments) in checks {
            if !is_installed(program, &["--version"]) {
                continue;
            }
            let checked = Command::new(program).args(arguments).arg(&path).output();
            let checked = checked.expect("it is installed");
            let said = [checked.stdout, checked.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            // clap_mangen's list of possible values has a line break too many.
            let complaints: Vec<&str> = said
                .lines()
                .filter(|line| !line.contains("skipping paragraph macro: br"))
                .collect();
            assert_eq!(complaints, [""; 0], "{program} of {file}");
        }
    }
}
