//! Which torrent files are meant by paths: files themselves, and whatever folders hold.
//!
//! Folders are walked in the order of their names, each once however many links lead to it, so that
//! links in circles do no harm. Only regular files named `.torrent` count, as with the original
//! script; the rest is skipped by name. `-` is standard input.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::torrent_file::shown;

/// What was found, each in its order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Gathered {
    /// Torrent files.
    pub(super) torrents: Vec<OsString>,
    /// Files that are not named so.
    pub(super) skipped: Vec<PathBuf>,
    /// What could not be looked at, and why.
    pub(super) failed: Vec<Unread>,
}

/// A path that could not be looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) path: PathBuf,
    /// The whole line.
    pub(super) error: String,
}

/// Finds the torrent files.
pub(super) fn gather<'a>(paths: impl IntoIterator<Item = &'a OsString>) -> Gathered {
    let mut gathered = Gathered::default();
    let mut folders = BTreeSet::new();
    for path in paths {
        if path == "-" {
            gathered.torrents.push(path.clone());
        } else {
            gathered.look_at(Path::new(path), &mut folders);
        }
    }
    gathered
}

impl Gathered {
    /// Looks at a path and at all below it. `folders` are those that were walked, by device and
    /// number.
    fn look_at(&mut self, top: &Path, folders: &mut BTreeSet<(u64, u64)>) {
        // What is last is looked at first.
        let mut open = vec![top.to_owned()];
        while let Some(path) = open.pop() {
            match fs::metadata(&path) {
                Ok(about) if about.is_dir() => {
                    if folders.insert((about.dev(), about.ino())) {
                        self.list(&path, &mut open);
                    }
                }
                Ok(about) if about.is_file() && is_torrent(&path) => {
                    self.torrents.push(path.into_os_string());
                }
                // A pipe or a device would be waited for.
                Ok(_) => self.skipped.push(path),
                // A link that leads nowhere, or in a circle, and is not asked for.
                Err(_) if path != top && !is_torrent(&path) => self.skipped.push(path),
                Err(error) => self.fail(path, &error),
            }
        }
    }

    /// Adds what a folder holds, the first name last.
    fn list(&mut self, folder: &Path, open: &mut Vec<PathBuf>) {
        let listed = fs::read_dir(folder).and_then(|entries| {
            entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()
        });
        match listed {
            Ok(mut paths) => {
                paths.sort_unstable_by(|a, b| b.cmp(a));
                open.extend(paths);
            }
            Err(error) => self.fail(folder.to_owned(), &error),
        }
    }

    fn fail(&mut self, path: PathBuf, error: &std::io::Error) {
        let error = format!("{}: {error}", shown(path.as_os_str()));
        self.failed.push(Unread { path, error });
    }
}

/// Whether a file is named as torrent files are.
fn is_torrent(path: &Path) -> bool {
    path.extension().and_then(OsStr::to_str).is_some_and(|end| end.eq_ignore_ascii_case("torrent"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A folder of one test's own, removed on drop.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("muster-{}-{name}", std::process::id()));
            fs::create_dir(&path).expect("the temporary folder is ours to write");
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn folders_are_walked_once_in_the_order_of_names_and_links_in_circles_end() {
        let folder = Folder::new("gather");
        let at = |name: &str| folder.0.join(name);
        for name in ["b", "b/deep", "a.torrent"] {
            fs::create_dir(at(name)).expect("a folder");
        }
        for name in
            ["z.torrent", "b/deep/1.TORRENT", "b/2.torrent", "readme.txt", "a.torrent/x", "torrent"]
        {
            fs::write(at(name), "").expect("a file");
        }
        symlink("..", at("b/deep/up")).expect("a link");
        symlink(at("loop"), at("loop")).expect("a link");
        symlink("nowhere", at("gone.torrent")).expect("a link");
        symlink("z.torrent", at("link.torrent")).expect("a link");
        let pipe = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("pipe.torrent"),
            rustix::fs::FileType::Fifo,
            pipe,
            0,
        )
        .expect("a pipe");

        let gathered = gather(&[folder.0.clone().into_os_string(), at("b").into_os_string()]);
        let torrents = ["b/2.torrent", "b/deep/1.TORRENT", "link.torrent", "z.torrent"];
        assert_eq!(gathered.torrents, torrents.map(|name| at(name).into_os_string()));
        let skipped = ["a.torrent/x", "loop", "pipe.torrent", "readme.txt", "torrent"];
        assert_eq!(gathered.skipped, skipped.map(at));
        let gone = at("gone.torrent");
        let error = format!("{}: No such file or directory (os error 2)", gone.display());
        assert_eq!(gathered.failed, [Unread { path: gone, error }]);
    }

    #[test]
    fn a_file_that_was_named_is_skipped_when_it_is_none_and_fails_when_it_is_not_there() {
        let folder = Folder::new("named");
        let named = ["x.bin", "y.torrent", "missing"].map(|name| folder.0.join(name));
        fs::write(&named[0], "").expect("a file");
        fs::write(&named[1], "").expect("a file");
        let mut paths = named.clone().map(PathBuf::into_os_string).to_vec();
        paths.push("-".into());
        let gathered = gather(&paths);
        assert_eq!(gathered.skipped, named[..1]);
        assert_eq!(gathered.torrents, [named[1].clone().into_os_string(), "-".into()]);
        assert_eq!(gathered.failed[0].path, named[2]);
    }
}
