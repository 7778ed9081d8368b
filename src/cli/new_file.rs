//! A file that appears under its name whole, or not at all.
//!
//! It is written under another name beside its place, synced, and given its name in one step: a
//! hard link, which fails where a file has the name already, or a rename, which replaces it. So no
//! reader ever sees a part of it, nobody who took the name in the meantime loses a file, and what
//! was begun is removed again when it cannot be finished. The folder is synced too. What
//! replaces a file has its mode: a torrent may hold a passkey that is for its owner alone. A
//! symlink is neither followed nor replaced: nobody could say which of the two was meant.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::content::shown;

/// A file to be.
pub(super) struct NewFile {
    path: PathBuf,
    folder: PathBuf,
    /// Whether it may take the place of a file that is there.
    replace: bool,
}

impl NewFile {
    /// Says early what would keep it from being written, before any work is done for it.
    pub(super) fn at(path: PathBuf, replace: bool) -> Result<NewFile, String> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        if path.as_os_str().as_bytes().ends_with(b"/") && !path.exists() {
            return Err(format!(
                "{}: there is no such folder; make it first, or leave the slash out",
                shown(&path)
            ));
        }
        match fs::symlink_metadata(&path) {
            Ok(there) if there.is_symlink() => {
                return Err(format!(
                    "{}: a symlink; name the file that it leads to, or remove it",
                    shown(&path)
                ));
            }
            // Renaming over a device would remove it.
            Ok(there) if !there.is_file() => {
                return Err(format!("{}: not a file, and not replaced by one", shown(&path)));
            }
            Ok(_) if !replace => return Err(exists(&path)),
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(cannot_write(&path, &error));
            }
            _ => {}
        }
        access(&folder, Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|error| cannot_write(&path, &error.into()))?;
        Ok(NewFile { path, folder, replace })
    }

    /// Where it will be.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes it.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), String> {
        let cannot = |error| cannot_write(&self.path, &error);
        let part = Part::create(&self.folder).map_err(cannot)?;
        if self.replace
            && let Ok(old) = fs::symlink_metadata(&self.path)
        {
            // Before there is anything in it to read.
            part.file.set_permissions(old.permissions()).map_err(cannot)?;
        }
        (&part.file).write_all(bytes).and_then(|()| part.file.sync_all()).map_err(cannot)?;
        if self.replace {
            fs::rename(&part.path, &self.path).map_err(cannot)?;
        } else {
            self.take_name(&part.path)?;
        }
        // It is there; the sync only makes it outlive a loss of power, where that can be asked for.
        let _ = File::open(&self.folder).and_then(|folder| folder.sync_all());
        Ok(())
    }

    /// Gives the finished file its name, unless another file has it.
    fn take_name(&self, part: &Path) -> Result<(), String> {
        match fs::hard_link(part, &self.path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(exists(&self.path)),
            // No hard links here, as on the file systems of most USB sticks.
            Err(_) => self.take_name_without_links(part),
            linked => linked.map_err(|error| cannot_write(&self.path, &error)),
        }
    }

    /// Takes the name with an empty file, which fails where there is one, and replaces that.
    fn take_name_without_links(&self, part: &Path) -> Result<(), String> {
        let taken = OpenOptions::new().write(true).create_new(true).open(&self.path);
        taken.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => exists(&self.path),
            _ => cannot_write(&self.path, &error),
        })?;
        fs::rename(part, &self.path).map_err(|error| {
            let _ = fs::remove_file(&self.path);
            cannot_write(&self.path, &error)
        })
    }
}

/// The file under its other name, which it has until it is dropped.
struct Part {
    path: PathBuf,
    file: File,
}

impl Part {
    fn create(folder: &Path) -> std::io::Result<Part> {
        let name = format!(".muster-{}-{:x}.part", std::process::id(), fastrand::u32(..));
        let path = folder.join(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Part { path, file })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After a rename there is none.
        let _ = fs::remove_file(&self.path);
    }
}

fn exists(path: &Path) -> String {
    format!("{}: there is one already; --force replaces it, -o NAME writes another", shown(path))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> String {
    // The name may be the content's own, with `.torrent` behind it.
    let long = error.kind() == ErrorKind::InvalidFilename;
    let hint = if long { "; give it a shorter one with -o" } else { "" };
    format!("{}: cannot be written: {error}{hint}", shown(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let name = format!("muster-new-file-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).expect("the temporary folder is ours to write");
        folder
    }

    #[test]
    fn a_name_taken_in_the_meantime_stays_taken_with_and_without_links() {
        let folder = folder("taken");
        let path = folder.join("new");
        let new = NewFile::at(path.clone(), false).expect("nothing is there");
        fs::write(&path, "another's").expect("ours");
        let error = format!(
            "{}: there is one already; --force replaces it, -o NAME writes another",
            path.display()
        );
        assert_eq!(NewFile::at(path.clone(), false).err(), Some(error.clone()), "and early");
        assert_eq!(new.write(b"ours"), Err(error.clone()));
        let part = Part::create(&folder).expect("ours");
        assert_eq!(new.take_name_without_links(&part.path), Err(error));
        drop(part);
        assert_eq!(fs::read(&path).expect("it is there"), b"another's");
        assert_eq!(fs::read_dir(&folder).expect("ours").count(), 1, "and nothing else");

        fs::remove_file(&path).expect("ours");
        let part = Part::create(&folder).expect("ours");
        (&part.file).write_all(b"whole").expect("ours");
        assert_eq!(new.take_name_without_links(&part.path), Ok(()));
        drop(part);
        assert_eq!(fs::read(&path).expect("it is there"), b"whole");
        assert_eq!(fs::read_dir(&folder).expect("ours").count(), 1);
        fs::remove_dir_all(folder).expect("ours");
    }

    #[test]
    fn what_is_no_file_is_never_replaced() {
        let error = |path: &str| NewFile::at(path.into(), true).err();
        let wanted = "/dev/null: not a file, and not replaced by one";
        assert_eq!(error("/dev/null").as_deref(), Some(wanted));
        assert_eq!(error("/dev").as_deref(), Some("/dev: not a file, and not replaced by one"));
        let wanted = "/nowhere/: there is no such folder; make it first, or leave the slash out";
        assert_eq!(error("/nowhere/").as_deref(), Some(wanted));
        let wanted = "/nowhere/a: cannot be written: No such file or directory (os error 2)";
        assert_eq!(error("/nowhere/a").as_deref(), Some(wanted));
        let folder = folder("links");
        fs::write(folder.join("file"), "").expect("ours");
        for (name, leads_to) in [("dangling", "nowhere"), ("link", "file"), ("folder", ".")] {
            let link = folder.join(name);
            std::os::unix::fs::symlink(leads_to, &link).expect("ours");
            let wanted = "a symlink; name the file that it leads to, or remove it";
            let wanted = format!("{}: {wanted}", link.display());
            for replace in [false, true] {
                assert_eq!(NewFile::at(link.clone(), replace).err(), Some(wanted.clone()));
            }
        }
        fs::remove_dir_all(folder).expect("ours");
    }

    #[test]
    fn what_replaces_a_file_is_for_the_same_eyes() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = folder("mode");
        let path = folder.join("film.torrent");
        fs::write(&path, "a passkey").expect("ours");
        for mode in [0o600, 0o640, 0o664] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
            let new = NewFile::at(path.clone(), true).expect("it may be replaced");
            assert_eq!(new.write(b"another"), Ok(()));
            let found = fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(found & 0o7777, mode, "{mode:o}");
        }
        assert_eq!(fs::read(&path).expect("it is there"), b"another");
        fs::remove_dir_all(folder).expect("ours");
    }
}
