//! Writes the man pages of muster and of each of its commands: `make man`, or
//! `cargo run --example man -- FOLDER DATE`.
//!
//! They come from the same definitions as `--help`, so they cannot say anything else. An example
//! and no part of the program: what it needs (`clap_mangen`) is built by developers and packagers
//! alone. The date stands in their footers: an argument, so that who
//! builds the same twice gets the same bytes twice.

use std::path::Path;
use std::process::ExitCode;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, date] = words.as_slice() else {
        eprintln!("man: expected a folder and a date: cargo run --example man -- FOLDER DATE");
        return ExitCode::from(2);
    };
    let folder = Path::new(folder);
    let write = || {
        std::fs::create_dir_all(folder)?;
        pages(date).iter().try_for_each(|(name, text)| std::fs::write(folder.join(name), text))
    };
    match write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("man: {}: {error}; name another folder", folder.display());
            ExitCode::FAILURE
        }
    }
}

/// The pages by their file names, muster's own first.
#[must_use]
pub fn pages(date: &str) -> Vec<(String, String)> {
    // `muster help COMMAND` is there for whoever has no man pages.
    let mut root = muster::cli::command().disable_help_subcommand(true);
    root.build();
    std::iter::once(&root).chain(root.get_subcommands()).map(|one| page(one, &root, date)).collect()
}

fn page(command: &Command, root: &Command, date: &str) -> (String, String) {
    let name = name_of(command);
    let source = format!("muster {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).date(date).source(source).manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page).expect("a Vec takes everything");
    let mut roff = Roff::new();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let what = about.lines().next().unwrap_or_default();
    roff.control("SH", ["NAME"]).text([roman(format!("{name} - {what}"))]);
    // As the help has it: the 25 options of the tracker one by one are no synopsis.
    let usage = command.clone().render_usage().to_string();
    roff.control("SH", ["SYNOPSIS"]).control("nf", []);
    for form in usage.trim_start_matches("Usage: ").lines() {
        roff.text([bold(form.trim())]);
    }
    roff.control("fi", []);
    append(&mut page, &roff);
    man.render_description_section(&mut page).expect("a Vec takes everything");
    man.render_options_section(&mut page).expect("a Vec takes everything");
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page).expect("a Vec takes everything");
    }
    let more = command.get_after_long_help().or_else(|| command.get_after_help());
    append(&mut page, &below(&more.map(ToString::to_string).unwrap_or_default()));
    append(&mut page, &see_also(command, root));
    (format!("{name}.1"), String::from_utf8(page).expect("roff of text is text"))
}

/// `muster-serve`
fn name_of(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// What stands below the options of `--help`: indented lines as they are, the rest as paragraphs.
fn below(more: &str) -> Roff {
    let mut roff = Roff::new();
    let mut heading = "";
    let mut begin = |roff: &mut Roff, wanted| {
        let macro_name = if heading == wanted { "PP" } else { "SH" };
        heading = wanted;
        roff.control(macro_name, (macro_name == "SH").then_some(wanted));
    };
    for block in more.split("\n\n") {
        match block.strip_prefix("Examples:\n") {
            Some(examples) => {
                begin(&mut roff, "EXAMPLES");
                roff.control("nf", []);
                for line in examples.lines() {
                    roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
                }
                roff.control("fi", []);
            }
            None if block.is_empty() => {}
            None => {
                begin(&mut roff, "NOTES");
                for line in block.lines() {
                    roff.text([roman(line)]);
                }
            }
        }
    }
    roff
}

fn see_also(command: &Command, root: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    let all = std::iter::once(root).chain(root.get_subcommands());
    let others: Vec<_> = all.map(name_of).filter(|name| *name != name_of(command)).collect();
    for (nth, name) in others.iter().enumerate() {
        let comma = if nth + 1 < others.len() { "," } else { "" };
        roff.text([bold(*name), roman(format!("(1){comma}"))]);
    }
    roff
}

/// Adds a part without the preamble, which stands at the top of the page.
fn append(page: &mut Vec<u8>, part: &Roff) {
    part.to_writer(page).expect("a Vec takes everything");
}
