//! `make install` and `make uninstall`: every file by its path, into folders of the test's own.
//!
//! What `make build man completions` makes is made here by the program under test, but for the man
//! page, of which a word stands in. Nothing of the system's is touched: all paths lie under
//! DESTDIR.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::harness::Folder;

const MUSTER: &str = env!("CARGO_BIN_EXE_muster");

/// A system to install into, and what there is to install.
pub struct System {
    folder: Folder,
}

impl System {
    /// An empty system.
    pub fn new() -> System {
        let folder = Folder::new();
        for (path, shell) in [("muster", "bash"), ("_muster", "zsh"), ("muster.fish", "fish")] {
            let made = Command::new(MUSTER).args(["completions", shell]).output().expect("it runs");
            write(&folder.join("made/completions").join(path), &made.stdout);
        }
        write(&folder.join("made/man/muster.1"), b".TH muster 1\n");
        System { folder }
    }

    /// The path of a file of this system.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.folder.join("root").join(inside.trim_start_matches('/'))
    }

    /// `make install` or `make uninstall` with more variables.
    pub fn make(&self, target: &str, variables: &[&str]) -> Output {
        let mut command = Command::new("make");
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["-s", target]);
        command.arg(format!("MADE={}", self.folder.join("made").display()));
        command.arg(format!("MUSTER={MUSTER}")).args(variables).output().expect("make is there")
    }

    /// The same with all paths under this system's root; returns what it says.
    fn make_here(&self, target: &str, variables: &[&str]) -> String {
        let destdir = format!("DESTDIR={}", self.path("").display());
        let output = self.make(target, &[&[&*destdir], variables].concat());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    /// Every file and folder, folders with a `/` behind them.
    fn listing(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        list(&self.path(""), &self.path(""), &mut found);
        found
    }
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("it is ours to write");
    std::fs::write(path, bytes).expect("it is ours to write");
}

fn list(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("it can be listed").path();
        let name = path.strip_prefix(root).expect("it lies within").display().to_string();
        let is_folder = path.is_dir();
        found.insert(if is_folder { format!("{name}/") } else { name });
        list(root, &path, found);
    }
}

/// The files among the names.
fn files(listing: &BTreeSet<String>) -> Vec<&str> {
    listing.iter().map(String::as_str).filter(|name| !name.ends_with('/')).collect()
}

#[test]
fn install_puts_every_file_in_its_place_and_uninstall_takes_exactly_these_away() {
    let system = System::new();
    // What was there before, empty folders among it.
    write(&system.path("usr/local/bin/other"), b"other");
    write(&system.path("var/lib/muster/tracker_state.json"), b"{}");
    std::fs::create_dir_all(system.path("usr/local/share/man/man1")).expect("it is ours to write");
    let before = system.listing();
    assert_eq!(system.make_here("install", &[]), "");
    let after = system.listing();
    let added: BTreeSet<String> = after.difference(&before).cloned().collect();
    let mut wanted = vec![
        "etc/muster/muster.toml",
        "usr/local/bin/muster",
        "usr/local/lib/systemd/system/muster.service",
        "usr/local/lib/systemd/system/muster.socket",
        "usr/local/share/bash-completion/completions/muster",
        "usr/local/share/doc/muster/LICENSE",
        "usr/local/share/doc/muster/README.md",
        "usr/local/share/doc/muster/SECURITY.md",
        "usr/local/share/fish/vendor_completions.d/muster.fish",
        "usr/local/share/man/man1/muster.1",
        "usr/local/share/muster/installed",
        "usr/local/share/zsh/site-functions/_muster",
    ];
    let fail2ban = added.iter().filter(|name| name.starts_with("etc/fail2ban/"));
    wanted.extend(files(&fail2ban.cloned().collect()).into_iter().map(|name| {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist").join(&name[4..]);
        assert!(shipped.exists(), "{name}");
        &*name.to_owned().leak()
    }));
    wanted.sort_unstable();
    assert_eq!(files(&added), wanted);
    let same = |inside: &str, source: &str| {
        let installed = std::fs::read(system.path(inside)).expect(inside);
        assert!(installed == std::fs::read(source).expect(source), "{inside} is {source}");
    };
    same("usr/local/bin/muster", MUSTER);
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/dist/systemd/muster.service");
    same("usr/local/lib/systemd/system/muster.service", unit);

    // The service does not start without its configuration.
    std::fs::remove_file(system.path("etc/muster/muster.toml")).expect("it was installed");
    // Once more puts it back and changes nothing else, and what was noted of folders is not
    // forgotten.
    system.make_here("install", &[]);
    assert_eq!(system.listing(), after);
    assert_eq!(system.make_here("uninstall", &[]), "");
    assert_eq!(system.listing(), before);
}

#[test]
fn the_units_name_the_places_that_were_asked_for() {
    let system = System::new();
    system.make_here("install", &["PREFIX=/usr", "SYSCONFDIR=/usr/etc"]);
    let unit = system.path("usr/lib/systemd/system/muster.service");
    let unit = std::fs::read_to_string(unit).expect("it is installed");
    let wanted = "\nExecStart=/usr/bin/muster serve --config /usr/etc/muster/muster.toml\n";
    assert!(unit.contains(wanted), "{unit}");
    system.make_here("uninstall", &["PREFIX=/usr", "SYSCONFDIR=/usr/etc"]);
    assert_eq!(system.listing(), BTreeSet::new());
}

#[test]
fn edited_configuration_stays_as_it_is() {
    let system = System::new();
    let config = "etc/muster/muster.toml";
    system.make_here("install", &[]);
    let shipped = std::fs::read_to_string(system.path(config)).expect("it is installed");
    // All options, and all of them comments.
    assert!(shipped.contains("\n#peer-timeout = 1800\n"), "{shipped}");
    assert!(shipped.lines().all(|line| line.is_empty() || line.starts_with('#')), "{shipped}");

    let edited = shipped.replace("#peer-timeout = 1800", "peer-timeout = 3600");
    write(&system.path(config), edited.as_bytes());
    let said = system.make_here("install", &[]);
    assert_eq!(said, "kept as it is: /etc/muster/muster.toml (it was edited)\n");
    system.make_here("uninstall", &[]);
    let wanted = ["etc/", "etc/muster/", config].map(str::to_owned);
    assert_eq!(system.listing(), BTreeSet::from(wanted));
    assert_eq!(std::fs::read_to_string(system.path(config)).expect("it stays"), edited);
}

#[test]
fn what_was_never_made_or_installed_is_named() {
    let system = System::new();
    std::fs::remove_file(system.folder.join("made/man/muster.1")).expect("it was made");
    let destdir = format!("DESTDIR={}", system.path("").display());
    for (target, what) in [
        ("install", "made/man/muster.1 is missing: run make build man completions first"),
        (
            "uninstall",
            "usr/local/share/muster/installed is missing: nothing was installed with this PREFIX",
        ),
    ] {
        let output = system.make(target, &[&destdir]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(what), "{target}: {said}");
    }
    assert_eq!(system.listing(), BTreeSet::new());
}
