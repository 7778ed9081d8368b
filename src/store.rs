//! State that survives: the state file, the journal of what came since, and their load.
//!
//! A save copies the tracker in small steps and writes a new file beside the old one, which it
//! then replaces (`store::folder`); nobody waits for it but who asked for it or asks meanwhile.
//! A registration is in the journal (`store::journal`), on the disk, before it is acknowledged. A
//! start reads the registered torrents of the state file, or of the save before it if that is
//! damaged, then all journals that are newer, then the peers. So kill -9 at any moment loses no
//! acknowledged registration, a full disk only the save.
//!
//! The generations: a save begins generation N, then copies; its file says N, since whatever was
//! journaled before N is in it. Generations go once `.previous` does not need them either.
//!
//! A state without a path keeps nothing. Time is an argument.

mod crc;
mod encode;
mod folder;
mod journal;
mod loaded;
mod parse;
mod scalar;

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{CLOCK_START_SECONDS, Clock};
use crate::registration::Registration;
use crate::request::{InfoHash, Refused, Seconds};
use crate::tracker::Tracker;

use encode::{Moment, Written};
use folder::{Folder, Lock, failed};
use journal::{Entry, Journal};
use parse::{Intake, Part, Unusable};

pub use folder::{read as read_regular, readable_bytes_max};
pub use loaded::Loaded;

/// What a tracker knows, on disk. Shared by every thread.
#[derive(Debug)]
pub struct Store {
    /// `None` keeps nothing.
    disk: Option<Disk>,
}

#[derive(Debug)]
struct Disk {
    folder: Folder,
    journal: Mutex<Journal>,
    /// Held for the length of a save, and locked before the journal.
    saves: Mutex<Saves>,
    _lock: Lock,
}

#[derive(Debug)]
struct Saves {
    /// The first generation of the journal that the state file needs; `None` if there is no file.
    needed: Option<u64>,
    /// The first one that `.previous` needs; `None` if there is no such file or nobody knows.
    needed_before: Option<u64>,
    /// When the last save was tried.
    tried: Seconds,
    /// The activity that the last save by the clock has seen.
    activity: u64,
    /// Something is in memory alone, whatever the activity.
    unsaved: bool,
}

/// A save that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Torrents in the file.
    pub torrents: u32,
    /// Peers in the file.
    pub peers: u32,
    /// The file's size.
    pub bytes: u64,
    /// How long it took.
    pub millis: u64,
}

impl fmt::Display for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Saved { torrents, peers, bytes, millis } = self;
        write!(f, "saved {torrents} torrents and {peers} peers, {bytes} bytes, in {millis} ms")
    }
}

/// Why a registration was not taken. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisterError {
    /// The tracker has no room.
    Refused(Refused),
    /// The disk did not take it: the path and the cause.
    Disk(String),
}

impl Store {
    /// Opens the state at `path` and loads it into the tracker; an empty path keeps nothing.
    ///
    /// `now` and `unix_now` are this moment on the tracker's clock and since 1970 UTC. Peers silent
    /// for more than `peer_timeout` seconds stay out.
    ///
    /// # Errors
    /// Whatever keeps the state from being read or written later, with the path: a folder in its
    /// place, missing permissions, another muster, a file too large for this host. Nothing is
    /// changed then. A damaged file is no error: it is renamed, and the save before it is used.
    pub fn open(
        path: &Path,
        tracker: &Tracker,
        now: Seconds,
        unix_now: Duration,
        peer_timeout: u32,
    ) -> Result<(Store, Loaded), String> {
        let mut loaded = Loaded::default();
        if path.as_os_str().is_empty() {
            return Ok((Store { disk: None }, loaded));
        }
        let folder = Folder::of(path)?;
        let lock = folder.lock()?;
        let moment = Moment::new(now, unix_now);
        let mut saves =
            Saves { needed: None, needed_before: None, tried: now, activity: 0, unsaved: false };
        let mut intake = Intake {
            tracker,
            moment,
            peer_timeout,
            part: Part::Registrations,
            without_room: 0,
            loaded: &mut loaded,
        };
        let state = load_state(&folder, &mut intake, &mut saves)?;
        let next = load_journals(&folder, &mut intake, &mut saves)?;
        let without_room = intake.loaded.without_room;
        if without_room > 0 {
            return Err(format!(
                "{}: {without_room} registered torrents do not fit: raise max-torrents",
                folder.state().display()
            ));
        }
        load_swarms(&folder, state, &mut intake)?;
        let journal = Journal::begin(&folder, next)?;
        folder.remove_leftovers();
        let (journal, saves) = (Mutex::new(journal), Mutex::new(saves));
        Ok((Store { disk: Some(Disk { folder, journal, saves, _lock: lock }) }, loaded))
    }

    /// The state file, absolute and with symlinks followed; `None` if nothing is kept.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.disk.as_ref().map(|disk| disk.folder.state())
    }

    /// Registers a torrent. When this returns `Ok`, the registration is on the disk and in the
    /// tracker; otherwise it is in neither.
    pub fn register(
        &self,
        tracker: &Tracker,
        info_hash: &InfoHash,
        registration: Registration,
        now: Seconds,
    ) -> Result<(), RegisterError> {
        let Some(disk) = &self.disk else {
            return tracker.register(info_hash, registration, now).map_err(RegisterError::Refused);
        };
        // Held until the tracker knows too: a save that begins a new generation after this finds
        // the registration in the tracker.
        let mut journal = lock(&disk.journal);
        tracker.check_room(info_hash).map_err(RegisterError::Refused)?;
        let entry = Entry::Register(*info_hash, registration.clone());
        let before = journal.append(&disk.folder, &[entry]).map_err(RegisterError::Disk)?;
        tracker.register(info_hash, registration, now).map_err(|refused| {
            // An announce has taken the last place meanwhile.
            journal.take_back(before);
            RegisterError::Refused(refused)
        })
    }

    /// Writes the finished downloads since the last call to the journal. If that fails they are in
    /// the next save only.
    pub fn write_completed(&self, tracker: &Tracker) -> Result<(), String> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let completed = tracker.take_completed();
        if completed.is_empty() {
            return Ok(());
        }
        let entries: Vec<Entry> =
            completed.into_iter().map(|(hash, count)| Entry::Completed(hash, count)).collect();
        lock(&disk.journal).append(&disk.folder, &entries).map(|_| ())
    }

    /// Writes everything to the state file. One save runs at a time; who comes meanwhile waits.
    ///
    /// # Errors
    /// The path and the cause. The state file and the journals are as they were, or, if nothing but
    /// the last sync of the folder has failed, the new state file is in place and the journals that
    /// the old one needs are there too.
    pub fn save(
        &self,
        tracker: &Tracker,
        now: Seconds,
        unix_now: Duration,
    ) -> Result<Saved, String> {
        let disk = self.disk.as_ref().ok_or("state-file is empty: nothing is kept on disk")?;
        disk.save(tracker, &mut lock(&disk.saves), Moment::new(now, unix_now))
    }

    /// Saves if the last save is `interval` seconds old and something has changed since: a
    /// registration, or `activity`, any number that grows with what the tracker does. An interval
    /// of 0 is never.
    pub fn save_if_due(
        &self,
        tracker: &Tracker,
        interval: u32,
        activity: u64,
        now: Seconds,
        unix_now: Duration,
    ) -> Option<Result<Saved, String>> {
        let disk = self.disk.as_ref()?;
        let mut saves = lock(&disk.saves);
        if interval == 0 || now.since(saves.tried) < interval {
            return None;
        }
        let changed = activity != saves.activity || !lock(&disk.journal).is_empty();
        if !changed && !saves.unsaved {
            return None;
        }
        saves.activity = activity;
        Some(disk.save(tracker, &mut saves, Moment::new(now, unix_now)))
    }
}

impl Disk {
    fn save(&self, tracker: &Tracker, saves: &mut Saves, moment: Moment) -> Result<Saved, String> {
        let watch = Clock::new();
        saves.tried = moment.now;
        saves.unsaved = true;
        let generation = self.begin_generation()?;
        let mut written = Written::default();
        let existed = self.folder.replace(|file| {
            written = encode::encode_state(tracker, generation, moment, file)?;
            file.flush()
        })?;
        saves.unsaved = false;
        if existed {
            saves.needed_before = saves.needed;
        }
        saves.needed = Some(generation);
        // Without a save before, all journals together stand for it.
        if let Some(needed) = saves.needed_before {
            for old in self.folder.generations().unwrap_or_default() {
                if old < needed.min(generation) {
                    self.folder.remove_journal(old);
                }
            }
        }
        let Written { torrents, peers, bytes } = written;
        let millis = watch.millis() - u64::from(CLOCK_START_SECONDS) * 1000;
        Ok(Saved { torrents, peers, bytes, millis })
    }

    /// The generation for what comes after a save: a new one, unless this one is still empty.
    fn begin_generation(&self) -> Result<u64, String> {
        let mut journal = lock(&self.journal);
        if !journal.is_empty() {
            *journal = Journal::begin(&self.folder, journal.generation)?;
        }
        Ok(journal.generation)
    }
}

/// Takes the text of a state file into a tracker, as [`Store::open`] does with a file. Peers silent
/// for more than `peer_timeout` seconds stay out.
///
/// # Errors
/// What is wrong with it. The tracker is as it was, unless registered torrents had no room in it.
pub fn read_state(
    bytes: &[u8],
    tracker: &Tracker,
    now: Seconds,
    unix_now: Duration,
    peer_timeout: u32,
) -> Result<Loaded, String> {
    let mut loaded = Loaded::default();
    let mut intake = Intake {
        tracker,
        moment: Moment::new(now, unix_now),
        peer_timeout,
        part: Part::Registrations,
        without_room: 0,
        loaded: &mut loaded,
    };
    let cause = |unusable| match unusable {
        Unusable::Damaged(cause) | Unusable::Foreign(cause) => cause,
    };
    parse::parse_state(bytes, &mut intake).map_err(cause)?;
    parse::parse_swarms(bytes, &mut intake).map_err(cause)?;
    loaded.finish();
    Ok(loaded)
}

/// Writes what a tracker knows as the text of a state file.
pub fn write_state(
    tracker: &Tracker,
    now: Seconds,
    unix_now: Duration,
    file: &mut dyn Write,
) -> io::Result<()> {
    encode::encode_state(tracker, 0, Moment::new(now, unix_now), file).map(|_| ())
}

/// Takes in the registered torrents of the state file, or of the save before it, and returns its
/// path and content. What is damaged is renamed, never changed.
fn load_state(
    folder: &Folder,
    intake: &mut Intake,
    saves: &mut Saves,
) -> Result<Option<(PathBuf, Vec<u8>)>, String> {
    let bytes_max = readable_bytes_max();
    let (state, previous) = (folder.state(), folder.previous());
    let mut wanted = false;
    for path in [state, &*previous] {
        let Some(bytes) = folder::read(path, bytes_max)? else { continue };
        match parse::parse_state(&bytes, intake) {
            Ok(header) if path == state => {
                saves.needed = Some(header.journal);
                return Ok(Some((path.to_owned(), bytes)));
            }
            Ok(header) => {
                saves.needed_before = Some(header.journal);
                saves.unsaved = true;
                let shown = previous.display();
                let text = if wanted {
                    format!("the save before it is used: {shown}")
                } else {
                    format!("{} is missing; the save before it is used: {shown}", state.display())
                };
                intake.loaded.error(text);
                return Ok(Some((path.to_owned(), bytes)));
            }
            Err(Unusable::Foreign(cause)) => {
                return Err(failed(path, "cannot read the state", cause));
            }
            Err(Unusable::Damaged(cause)) => {
                wanted = true;
                drop(bytes);
                let kept = folder.set_aside(path, intake.moment.unix)?;
                intake.loaded.error(format!(
                    "{} is damaged and was renamed to {}: {cause}",
                    path.display(),
                    kept.display()
                ));
            }
        }
    }
    if wanted {
        intake.loaded.error("there is no good save; what the journals hold is used".to_owned());
    }
    Ok(None)
}

/// Takes in the peers of the state; if something of it had to be left out, the file is kept.
fn load_swarms(
    folder: &Folder,
    state: Option<(PathBuf, Vec<u8>)>,
    intake: &mut Intake,
) -> Result<(), String> {
    if let Some((path, bytes)) = &state {
        parse::parse_swarms(bytes, intake).map_err(|unusable| {
            let (Unusable::Damaged(cause) | Unusable::Foreign(cause)) = unusable;
            failed(path, "cannot read the state", cause)
        })?;
    }
    intake.loaded.finish();
    match state {
        Some((path, bytes)) if intake.loaded.lacks_something() => {
            keep_original(folder, &path, &bytes, intake)
        }
        _ => Ok(()),
    }
}

/// Keeps a file of which not everything was taken in, and says so.
fn keep_original(
    folder: &Folder,
    path: &Path,
    bytes: &[u8],
    intake: &mut Intake,
) -> Result<(), String> {
    let kept = folder.keep_original(path, bytes, intake.moment.unix)?;
    let (path, kept) = (path.display(), kept.display());
    let text = format!("{path}: not all of it was taken in; as it was it stays in {kept}");
    intake.loaded.warn_always(text);
    Ok(())
}

/// Takes in the journals that the state needs; returns the number of the next one.
fn load_journals(folder: &Folder, intake: &mut Intake, saves: &mut Saves) -> Result<u64, String> {
    let needed = saves.needed.or(saves.needed_before).unwrap_or(0);
    let generations = folder.generations()?;
    for &generation in generations.iter().filter(|&&generation| generation >= needed) {
        let path = folder.journal(generation);
        let bytes = folder::read(&path, readable_bytes_max())?.unwrap_or_default();
        let lines = journal::parse_journal(&bytes);
        let bad = !lines.bad.is_empty();
        saves.unsaved |= !lines.entries.is_empty();
        intake.loaded.entries += lines.entries.len() as u32;
        for (line, cause) in lines.bad {
            let path = path.display();
            intake.loaded.warn(format!("{path}:{line} is damaged and was skipped: {cause}"));
        }
        if lines.torn {
            let path = path.display();
            intake.loaded.warn(format!("{path}: the last entry was cut short and was dropped"));
        }
        if bad {
            keep_original(folder, &path, &bytes, intake)?;
        }
        for entry in lines.entries {
            intake.replay(entry);
        }
    }
    Ok(generations.last().map_or(1, |last| last + 1).max(needed))
}

impl Intake<'_> {
    fn replay(&mut self, entry: Entry) {
        match entry {
            Entry::Register(info_hash, registration) => self.register(&info_hash, registration),
            Entry::Completed(info_hash, count) => {
                if self.tracker.knows(&info_hash) {
                    self.tracker.restore(&info_hash, count, &[], self.moment.now);
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Neither value is ever left half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
