//! The files of a state: where they lie, what they are called, how one takes another's place.
//!
//! Beside the state file stand `.previous` (the save before), `.journal-N`, `.lock`, for the length
//! of a save `.tmp`, whatever was found damaged under `.damaged-<unix seconds>`, and whatever was
//! not taken in as a whole under `.original-<unix seconds>`. A symlink in the state file's place is
//! followed once, at the start: all of these lie beside its target.
//!
//! Nothing here knows what the files hold. A new file becomes the state file only whole: written,
//! synced, renamed, and the folder synced, so that a loss of power leaves the old one or the new.
//! New files can be read by their owner alone, since they tell who shares what with whom.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use crate::limits::{STATE_FILE_BYTES_FALLBACK_MAX, SYMLINKS_MAX};

/// The last generation of the journal there can be, after 290,000 years of a million saves a
/// second: a larger number is none of ours.
pub const GENERATION_MAX: u64 = u64::MAX / 2;

/// Where the files of one state lie.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    name: OsString,
    /// The path of the state file: absolute, and no symlink.
    state: PathBuf,
}

/// What keeps other musters away, until it is dropped.
#[derive(Debug)]
pub struct Lock(File);

impl Drop for Lock {
    /// Said, not left to the close: a process that another thread is just starting has the file
    /// open too for a moment, and would hold the lock that long.
    fn drop(&mut self) {
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// An error text that names the path and the cause.
pub fn failed(path: &Path, what: &str, cause: impl Display) -> String {
    format!("{}: {what}: {cause}", path.display())
}

impl Folder {
    /// Finds the folder of the state file `path`, which need not exist; its folder must.
    pub fn of(path: &Path) -> Result<Folder, String> {
        let target = followed(path)?;
        let name = target.file_name().ok_or_else(|| failed(path, "state-file", "names no file"))?;
        let parent = match target.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let folder = parent
            .canonicalize()
            .map_err(|error| failed(parent, "cannot open the state file's folder", error))?;
        let state = folder.join(name);
        if state.is_dir() {
            return Err(failed(&state, "cannot read the state", "a folder stands in its place"));
        }
        Ok(Folder { path: folder, name: name.to_owned(), state })
    }

    /// The path of the state file.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The path of the save before the last.
    pub fn previous(&self) -> PathBuf {
        self.beside(".previous")
    }

    /// The path of a generation of the journal.
    pub fn journal(&self, generation: u64) -> PathBuf {
        self.beside(&format!(".journal-{generation}"))
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.name.clone();
        name.push(suffix);
        self.path.join(name)
    }

    /// Keeps every other muster away from these files.
    pub fn lock(&self) -> Result<Lock, String> {
        let path = self.beside(".lock");
        let mut file = private(OpenOptions::new().read(true).write(true).create(true))
            // A symlink here is nobody's wish, and what it points to is not ours to write to.
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(|error| failed(&path, "cannot lock the state", error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                let pid = pid.trim();
                let who = if pid.is_empty() { String::new() } else { format!(" (process {pid})") };
                let cause = format!("another muster{who} uses it; give each its own state-file");
                return Err(failed(&self.state, "cannot lock the state", cause));
            }
            Err(error) => return Err(failed(&path, "cannot lock the state", error)),
        }
        // The number only makes the other's error more helpful.
        let _ = file.set_len(0);
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Lock(file))
    }

    /// The generations of the journal that there are, in order.
    pub fn generations(&self) -> Result<Vec<u64>, String> {
        let cannot = |error| failed(&self.path, "cannot list the state file's folder", error);
        let mut prefix = self.name.clone();
        prefix.push(".journal-");
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(cannot)? {
            let name = entry.map_err(cannot)?.file_name();
            found.extend(number_after(&prefix, &name));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Makes the first generation of the journal from this number on that does not exist yet: one
    /// that does may be what an earlier attempt has left.
    pub fn create_journal(&self, from: u64) -> Result<(u64, File), String> {
        for generation in from..=GENERATION_MAX {
            let path = self.journal(generation);
            let cannot = |error| failed(&path, "cannot begin a journal", error);
            match private(OpenOptions::new().append(true).create_new(true)).open(&path) {
                Ok(file) => {
                    self.sync().map_err(|error| {
                        self.remove_journal(generation);
                        cannot(error)
                    })?;
                    return Ok((generation, file));
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(cannot(error)),
            }
        }
        Err(failed(&self.journal(GENERATION_MAX), "cannot begin a journal", "it was the last"))
    }

    /// Removes a generation of the journal; one that stays is read again to no effect.
    pub fn remove_journal(&self, generation: u64) {
        let _ = fs::remove_file(self.journal(generation));
    }

    /// Removes what a save that was cut short has left.
    pub fn remove_leftovers(&self) {
        for suffix in [".tmp", ".previous.new"] {
            let _ = fs::remove_file(self.beside(suffix));
        }
    }

    /// Gives a file that cannot be used a name under which nothing will touch it again.
    pub fn set_aside(&self, path: &Path, unix_seconds: u64) -> Result<PathBuf, String> {
        let kept = free_name(path, ".damaged-", unix_seconds);
        let cannot = |error| failed(path, "is damaged and cannot be renamed", error);
        fs::rename(path, &kept).map_err(cannot)?;
        self.sync().map_err(cannot)?;
        Ok(kept)
    }

    /// Gives a file that later saves will lack something of a name under which nothing will touch
    /// it again, unless a file with these bytes has one. It keeps its own.
    pub fn keep_original(
        &self,
        path: &Path,
        bytes: &[u8],
        unix_seconds: u64,
    ) -> Result<PathBuf, String> {
        let cannot = |error| failed(path, "cannot be kept as it was", error);
        let mut prefix = path.file_name().unwrap_or_default().to_owned();
        prefix.push(".original-");
        for entry in fs::read_dir(&self.path).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let earlier = entry.path();
            if number_after(&prefix, &entry.file_name()).is_some()
                && entry.metadata().is_ok_and(|is| is.is_file() && is.len() == bytes.len() as u64)
                && fs::read(&earlier).is_ok_and(|earlier| earlier == bytes)
            {
                return Ok(earlier);
            }
        }
        let kept = free_name(path, ".original-", unix_seconds);
        if fs::hard_link(path, &kept).is_err() {
            let mut file = private(OpenOptions::new().write(true).create_new(true))
                .open(&kept)
                .map_err(cannot)?;
            if let Err(error) = file.write_all(bytes).and_then(|()| file.sync_all()) {
                let _ = fs::remove_file(&kept);
                return Err(cannot(error));
            }
        }
        self.sync().map_err(cannot)?;
        Ok(kept)
    }

    /// Puts what `write` writes in the state file's place, whose old content becomes `.previous`.
    ///
    /// If that fails, the old content stays where it is; but if nothing fails except the sync of
    /// the folder at the end, the new one is there and may not outlive a loss of power, which then
    /// brings the old one back. Returns whether there was an old one.
    pub fn replace(
        &self,
        write: impl FnOnce(&mut File) -> std::io::Result<()>,
    ) -> Result<bool, String> {
        let temporary = self.beside(".tmp");
        let written = self.write_temporary(&temporary, write).and_then(|()| self.swap(&temporary));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    fn write_temporary(
        &self,
        path: &Path,
        write: impl FnOnce(&mut File) -> std::io::Result<()>,
    ) -> Result<(), String> {
        let cannot = |error| failed(path, "cannot write the state", error);
        let _ = fs::remove_file(path);
        let mut file =
            private(OpenOptions::new().write(true).create_new(true)).open(path).map_err(cannot)?;
        if let Ok(old) = fs::metadata(&self.state) {
            file.set_permissions(old.permissions()).map_err(cannot)?;
        }
        write(&mut file).and_then(|()| file.sync_all()).map_err(cannot)
    }

    /// The old state file keeps its name until the new one takes it: a link gives it the second
    /// name. Where there are no links it has the second name alone for a moment.
    fn swap(&self, temporary: &Path) -> Result<bool, String> {
        let (previous, link) = (self.previous(), self.beside(".previous.new"));
        let _ = fs::remove_file(&link);
        let linked = fs::hard_link(&self.state, &link);
        let existed = !linked.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound);
        if existed {
            let source = if linked.is_ok() { &link } else { &self.state };
            let cannot = |error| failed(&previous, "cannot keep the save before", error);
            fs::rename(source, &previous).map_err(cannot)?;
            // Renaming one name of a file to another of its names does nothing (POSIX).
            let _ = fs::remove_file(&link);
        }
        let cannot = |error| failed(&self.state, "cannot replace the state file", error);
        if let Err(error) = fs::rename(temporary, &self.state) {
            if existed && linked.is_err() {
                // It has no other name then. A start finds it under this one too.
                let _ = fs::rename(&previous, &self.state);
            }
            return Err(cannot(error));
        }
        self.sync().map_err(cannot)?;
        Ok(existed)
    }

    /// Makes the names in the folder survive a loss of power.
    fn sync(&self) -> std::io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// Reads a whole file of at most `bytes_max`; `None` if there is none.
pub fn read(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, String> {
    let cannot = |error| failed(path, "cannot read the state", error);
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        metadata => metadata.map_err(cannot)?,
    };
    if !metadata.is_file() {
        return Err(failed(path, "cannot read the state", "it is not a regular file"));
    }
    let bytes = metadata.len();
    if bytes > bytes_max {
        let cause = format!(
            "{bytes} bytes are more than half of this host's memory ({bytes_max} bytes); the file \
             is left as it is"
        );
        return Err(failed(path, "cannot read the state", cause));
    }
    fs::read(path).map(Some).map_err(cannot)
}

/// Half of the host's memory, in bytes: what is read has to fit beside what it becomes.
#[must_use]
pub fn readable_bytes_max() -> u64 {
    #[cfg(target_os = "linux")]
    {
        let info = rustix::system::sysinfo();
        // The kernel's own type, which is not u64 everywhere.
        #[allow(clippy::useless_conversion)]
        let total = u64::from(info.totalram).saturating_mul(u64::from(info.mem_unit));
        if total > 0 {
            return total / 2;
        }
    }
    STATE_FILE_BYTES_FALLBACK_MAX
}

/// The file that a path means, through any symlinks, whether it exists or not.
fn followed(path: &Path) -> Result<PathBuf, String> {
    let mut path = path.to_owned();
    for _ in 0..SYMLINKS_MAX {
        match fs::read_link(&path) {
            // A relative target counts from the link's folder; an absolute one replaces it.
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(failed(&path, "cannot open the state", "too many symlinks"))
}

/// A name that no file has: the path, the word and a number, the first from this one on.
fn free_name(path: &Path, word: &str, mut number: u64) -> PathBuf {
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!("{word}{number}"));
        let name = PathBuf::from(name);
        if fs::symlink_metadata(&name).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return name;
        }
        number += 1;
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

fn number_after(prefix: &OsStr, name: &OsStr) -> Option<u64> {
    let digits = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes())?;
    let digits = std::str::from_utf8(digits).ok()?;
    // Only as it is written: no sign, no leading zeros.
    let ours = |number: &u64| *number <= GENERATION_MAX && number.to_string() == digits;
    digits.parse().ok().filter(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_with_its_holder_though_another_process_has_the_file_open() {
        let path = std::env::temp_dir().join(format!("muster-lock-{}", std::process::id()));
        let folder = Folder::of(&path).expect("the temporary folder");
        let lock = folder.lock().expect("nobody else knows the name");
        // As in a process that has been forked and does not run its program yet.
        let inherited = lock.0.try_clone().expect("a descriptor");
        drop(lock);
        folder.lock().expect("it was let go");
        drop(inherited);
        fs::remove_file(folder.beside(".lock")).expect("it is ours");
    }
}
