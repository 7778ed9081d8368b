//! Damage: files cut, flipped, emptied, exchanged; whatever happens, nothing acknowledged is lost,
//! and nothing that cannot be read is touched.

use std::fs::File;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

/// A folder with a state file, a save before it and a journal, which know 10 torrents together.
fn lived_in(scratch: &Scratch) {
    let old = tracker();
    let (store, _) = open(scratch, &old);
    for number in 1..=4 {
        register(&store, &old, number);
        old.restore(&hash(number), 0, &(0..20).map(peer).collect::<Vec<_>>(), NOW);
    }
    save(&store, &old);
    (5..=7).for_each(|number| register(&store, &old, number));
    save(&store, &old);
    (8..=10).for_each(|number| register(&store, &old, number));
}

/// Loads, and says whether the state file was found damaged; all 10 torrents must be there.
fn loads_damaged(scratch: &Scratch, what: &str) -> bool {
    let tracker = tracker();
    let (_store, loaded) = open(scratch, &tracker);
    assert!(are_registered(&tracker, 1..=10), "{what}: {:?}", loaded.notes);
    let renamed = format!("{} is damaged and was renamed to ", scratch.state().display());
    loaded.notes.iter().any(|(_, text)| text.starts_with(&renamed))
}

/// Puts everything back as `lived_in` left it, but for the state file, which gets `bytes`.
fn again(scratch: &Scratch, model: &[(String, Vec<u8>)], bytes: &[u8]) {
    for suffix in scratch.suffixes() {
        fs::remove_file(scratch.file(&suffix)).expect("it is ours");
    }
    for (suffix, content) in model {
        fs::write(scratch.file(suffix), content).expect("a file");
    }
    fs::write(scratch.state(), bytes).expect("a file");
}

fn model_of(scratch: &Scratch) -> (Vec<(String, Vec<u8>)>, Vec<u8>) {
    lived_in(scratch);
    let content = |suffix: &String| fs::read(scratch.file(suffix)).expect("a file");
    let files = scratch.suffixes().into_iter().map(|suffix| (suffix.clone(), content(&suffix)));
    (files.collect(), fs::read(scratch.state()).expect("the state"))
}

#[test]
fn a_state_file_cut_anywhere_is_kept_and_costs_no_registration() {
    let scratch = Scratch::new();
    let (model, whole) = model_of(&scratch);
    let ends = whole.len() - 40..whole.len();
    for cut in (0..whole.len()).step_by(1000).chain(ends) {
        again(&scratch, &model, &whole[..cut]);
        let damaged = loads_damaged(&scratch, &format!("cut at {cut}"));
        // Without its last line end it is still whole.
        assert_eq!(damaged, cut + 1 < whole.len(), "cut at {cut}");
        if damaged {
            let kept = scratch.file(&format!(".damaged-{}", UNIX_NOW.as_secs()));
            assert_eq!(fs::read(kept).expect("it is kept"), &whole[..cut], "cut at {cut}");
            let new = tracker();
            assert!(!loads_damaged(&scratch, "the start after it"));
            let (store, _) = open(&scratch, &new);
            save(&store, &new);
            drop(store);
            assert!(!loads_damaged(&scratch, "the save after it"));
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found_or_changes_nothing() {
    let scratch = Scratch::new();
    let (model, whole) = model_of(&scratch);
    let mut random = fastrand::Rng::with_seed(3);
    let tail = ((whole.len() - 40) * 8..whole.len() * 8).step_by(3);
    for bit in (0..60).map(|_| random.usize(0..whole.len() * 8)).chain(tail) {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        again(&scratch, &model, &bytes);
        let damaged = loads_damaged(&scratch, &format!("bit {bit}"));
        // In the last lines it may make "checksum" another word, or spaces of a line end.
        assert!(damaged || bit / 8 >= whole.len() - 30, "bit {bit}");
    }
}

#[test]
fn a_flipped_bit_at_the_beginning_is_damage_whatever_it_says_then() {
    let scratch = Scratch::new();
    let (_, whole) = model_of(&scratch);
    let tracker = tracker();
    let moment = Moment::new(NOW, UNIX_NOW);
    for bit in 0..200 * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let mut loaded = Loaded::default();
        let mut intake = Intake {
            tracker: &tracker,
            moment,
            peer_timeout: PEER_TIMEOUT,
            part: Part::Swarms,
            without_room: 0,
            loaded: &mut loaded,
        };
        let parsed = parse::parse_state(&bytes, &mut intake);
        assert!(matches!(parsed, Err(Unusable::Damaged(_))), "bit {bit}: {parsed:?}");
        assert_eq!(tracker.totals().torrents, 0, "bit {bit}");
    }
}

#[test]
fn a_number_that_no_journal_has_is_damage() {
    let scratch = Scratch::new();
    for number in [u64::MAX, folder::GENERATION_MAX + 1] {
        let text = format!("{{\"journal\": {number}, \"torrents\": {{}}}}");
        fs::write(scratch.state(), text).expect("a file");
        let tracker = tracker();
        let (store, loaded) = open(&scratch, &tracker);
        let cause = format!(": there is no journal {number} at line 1 column ");
        assert!(loaded.notes[0].1.contains(&cause), "{:?}", loaded.notes);
        register(&store, &tracker, 1);
        save(&store, &tracker);
    }
    // Nor does a file of such a name count as one; and after the last one that does there is none.
    fs::write(scratch.file(&format!(".journal-{}", u64::MAX)), "").expect("a file");
    let new = tracker();
    let (store, _) = open(&scratch, &new);
    register(&store, &new, 2);
    save(&store, &new);
    drop(store);
    let last = scratch.file(&format!(".journal-{}", folder::GENERATION_MAX));
    fs::write(&last, "").expect("a file");
    let error = opened(&scratch, &tracker()).map(|_| ()).expect_err("no number is left");
    assert_eq!(error, format!("{}: cannot begin a journal: it was the last", last.display()));
}

#[test]
fn an_empty_file_and_one_that_is_something_else_are_damaged() {
    let scratch = Scratch::new();
    let (model, _) = model_of(&scratch);
    let deep = format!("{{\"torrents\": {}", "[".repeat(100_000));
    for text in ["", " \n", "null", "[]", "{}", "{\"torrents\": []}", "\0\0\0\0", &deep] {
        again(&scratch, &model, text.as_bytes());
        assert!(loads_damaged(&scratch, text), "{text}");
    }
}

#[test]
fn what_is_damaged_is_told_with_its_place_and_never_overwritten() {
    let scratch = Scratch::new();
    let state = scratch.state();
    let kept = scratch.file(".damaged-1763688656");
    fs::write(&kept, "an earlier one").expect("a file");
    fs::write(&state, "{\"torrents\":\n {\"a\": 5}}").expect("a file");
    let (store, loaded) = open(&scratch, &tracker());
    let errors: Vec<&str> = loaded.notes.iter().map(|(_, text)| text.as_str()).collect();
    let wanted = format!(
        "{0} is damaged and was renamed to {0}.damaged-1763688657: invalid type: integer `5`, \
         expected an object with a torrent's info, peers_info and stats at line 2 column 8",
        state.display()
    );
    assert_eq!(errors, [&wanted, "there is no good save; what the journals hold is used"]);
    assert!(loaded.notes.iter().all(|(level, _)| *level == crate::log::Level::Error));
    drop(store);
    fs::write(&state, "{\"torrents\": {}\n,\"checksum\": \"00000000\"\n}\n").expect("a file");
    let (_, loaded) = open(&scratch, &tracker());
    assert!(
        loaded.notes[0].1.ends_with(
            "damaged-1763688658: its checksum does not fit its content; if somebody edited it, \
             delete the line that begins with ,\"checksum\" and put it back"
        ),
        "{}",
        loaded.notes[0].1
    );
    assert_eq!(fs::read(&kept).expect("kept"), b"an earlier one");
}

#[test]
fn without_its_state_file_or_both_saves_the_journals_carry_what_they_can() {
    let scratch = Scratch::new();
    let (model, whole) = model_of(&scratch);
    again(&scratch, &model, &whole);
    fs::remove_file(scratch.state()).expect("it is there");
    let tracker = tracker();
    let (store, loaded) = open(&scratch, &tracker);
    let text = format!(
        "{0} is missing; the save before it is used: {0}.previous",
        scratch.state().display()
    );
    assert_eq!(loaded.notes, [(crate::log::Level::Error, text)]);
    assert!(are_registered(&tracker, 1..=10));
    drop(store);
    again(&scratch, &model, b"");
    fs::write(scratch.file(".previous"), "also").expect("a file");
    let new = super::tracker();
    let (_store, loaded) = open(&scratch, &new);
    assert_eq!(loaded.notes.len(), 3, "{:?}", loaded.notes);
    // The generations of the first four went with the second save.
    assert!(are_registered(&new, 5..=10));
    assert!(scratch.file(".previous.damaged-1763688656").exists());
}

#[test]
fn a_torn_journal_loses_its_last_line_and_a_bad_line_only_itself() {
    let scratch = Scratch::new();
    let old = tracker();
    let (store, _) = open(&scratch, &old);
    (1..=5).for_each(|number| register(&store, &old, number));
    drop(store);
    let path = scratch.file(".journal-1");
    let whole = fs::read(&path).expect("the journal");
    let ends: Vec<usize> = (0..whole.len()).filter(|&at| whole[at] == b'\n').collect();
    let mut random = fastrand::Rng::with_seed(4);
    for _ in 0..100 {
        let cut = random.usize(0..whole.len());
        let lines = journal::parse_journal(&whole[..cut]);
        // A whole entry without its line end counts; it cannot be told from an acknowledged one.
        let entries = ends.iter().filter(|&&end| end <= cut).count();
        assert_eq!((lines.entries.len(), lines.bad.len()), (entries, 0), "cut at {cut}");
        let begun = cut > 0 && !ends.contains(&cut) && !ends.contains(&(cut - 1));
        assert_eq!(lines.torn, begun, "cut at {cut}");
    }
    let mut flipped = whole.clone();
    flipped[ends[1] + 30] ^= 1;
    flipped.truncate(ends[4] - 3);
    fs::write(&path, flipped).expect("a file");
    let new = tracker();
    let (_store, loaded) = open(&scratch, &new);
    assert!(are_registered(&new, [1, 2, 4]));
    assert_eq!(loaded.entries, 3);
    let texts: Vec<&str> = loaded.notes.iter().map(|(_, text)| text.as_str()).collect();
    let shown = path.display();
    assert!(
        texts[0].starts_with(&format!("{shown}:3 is damaged and was skipped: the checksum is \"")),
        "{texts:?}"
    );
    assert_eq!(texts[1], format!("{shown}: the last entry was cut short and was dropped"));
    let kept =
        format!("{shown}: not all of it was taken in; as it was it stays in {shown}.original-");
    assert_eq!(texts[2], format!("{kept}{}", UNIX_NOW.as_secs()));
}

#[test]
fn a_file_from_the_future_stops_the_start_and_is_left_alone() {
    let scratch = Scratch::new();
    let text = "{\"version\": 2, \"torrents\": {\"new\": [1]}}";
    fs::write(scratch.state(), text).expect("a file");
    let error = opened(&scratch, &tracker()).map(|_| ()).expect_err("too new");
    let wanted = format!(
        "{}: cannot read the state: it has version 2, this muster reads versions up to 1: a newer \
         one wrote it",
        scratch.state().display()
    );
    assert_eq!(error, wanted);
    assert_eq!(scratch.suffixes(), [""]);
    assert_eq!(fs::read_to_string(scratch.state()).expect("left alone"), text);
}

#[test]
fn a_file_larger_than_memory_allows_is_refused_with_its_size() {
    let scratch = Scratch::new();
    // Sparse: it takes no room.
    let bytes = 1 << 43;
    File::create(scratch.state()).and_then(|file| file.set_len(bytes)).expect("a sparse file");
    let error = opened(&scratch, &tracker()).map(|_| ()).expect_err("too large");
    let max = readable_bytes_max();
    let wanted = format!(
        "{}: cannot read the state: {bytes} bytes are more than half of this host's memory ({max} \
         bytes); the file is left as it is",
        scratch.state().display()
    );
    assert_eq!(error, wanted);
    assert_eq!(scratch.suffixes(), [""]);
}

#[test]
fn a_folder_in_the_state_files_place_and_a_missing_folder_are_named() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.state()).expect("a folder");
    let error = opened(&scratch, &tracker()).map(|_| ()).expect_err("a folder");
    let state = scratch.state();
    let wanted =
        format!("{}: cannot read the state: a folder stands in its place", state.display());
    assert_eq!(error, wanted);
    let inside = scratch.0.join("none").join("state.json");
    let error = Store::open(&inside, &tracker(), NOW, UNIX_NOW, 1800).map(|_| ());
    let wanted = format!(
        "{}/none: cannot open the state file's folder: No such file or directory (os error 2)",
        scratch.0.display()
    );
    assert_eq!(error, Err(wanted));
}

#[test]
fn a_symlink_is_kept_and_its_target_replaced() {
    let (link, target) = (Scratch::new(), Scratch::new());
    lived_in(&target);
    symlink(target.state(), link.state()).expect("a symlink");
    let tracker = tracker();
    let (store, _) = open(&link, &tracker);
    assert!(are_registered(&tracker, 1..=10));
    assert_eq!(store.path(), Some(&*target.state()));
    register(&store, &tracker, 11);
    save(&store, &tracker);
    drop(store);
    assert_eq!(link.suffixes(), [""]);
    assert_eq!(fs::read_link(link.state()).expect("still a symlink"), target.state());
    assert!(!loads_damaged(&target, "the target"));
    assert!(fs::read_to_string(target.state()).expect("the target").contains("film 11"));
    // One that points nowhere yet, relative to its own folder.
    let fresh = Scratch::new();
    symlink("elsewhere.json", fresh.state()).expect("a symlink");
    let (store, _) = open(&fresh, &tracker);
    save(&store, &tracker);
    assert!(fresh.0.join("elsewhere.json").is_file());
    assert!(fs::symlink_metadata(fresh.state()).expect("the link").is_symlink());
}

#[test]
fn one_state_has_one_tracker_at_a_time() {
    let scratch = Scratch::new();
    let (store, _) = open(&scratch, &tracker());
    let error = opened(&scratch, &tracker()).map(|_| ()).expect_err("it is in use");
    let wanted = format!(
        "{}: cannot lock the state: another muster (process {}) uses it; give each its own \
         state-file",
        scratch.state().display(),
        std::process::id()
    );
    assert_eq!(error, wanted);
    drop(store);
    open(&scratch, &tracker());
}

#[test]
fn a_symlink_in_the_locks_place_is_not_followed() {
    let scratch = Scratch::new();
    let victim = scratch.0.join("victim");
    fs::write(&victim, "precious").expect("a file");
    symlink(&victim, scratch.file(".lock")).expect("a symlink");
    let error = opened(&scratch, &tracker()).map(|_| ()).expect_err("a symlink");
    let wanted = format!(
        "{}.lock: cannot lock the state: Too many levels of symbolic links (os error 40)",
        scratch.state().display()
    );
    assert_eq!(error, wanted);
    assert_eq!(fs::read(&victim).expect("it is there"), b"precious");
}

#[test]
fn new_files_are_for_their_owner_and_a_mode_that_was_set_stays() {
    let (scratch, tracker) = (Scratch::new(), tracker());
    let (store, _) = open(&scratch, &tracker);
    save(&store, &tracker);
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    for suffix in ["", ".journal-1", ".lock"] {
        assert_eq!(mode(&scratch.file(suffix)), 0o600, "{suffix}");
    }
    fs::set_permissions(scratch.state(), fs::Permissions::from_mode(0o640)).expect("it is ours");
    save(&store, &tracker);
    assert_eq!(mode(&scratch.state()), 0o640);
}

#[test]
fn a_save_that_fails_leaves_everything_and_the_next_one_makes_up_for_it() {
    let (scratch, tracker) = (Scratch::new(), tracker());
    let (store, _) = open(&scratch, &tracker);
    register(&store, &tracker, 1);
    save(&store, &tracker);
    let old = fs::read(scratch.state()).expect("the file");
    register(&store, &tracker, 2);
    // A folder where the temporary file would be: no file can be made there.
    fs::create_dir(scratch.file(".tmp")).expect("a folder");
    let error = store.save(&tracker, NOW, UNIX_NOW).expect_err("no room for the file");
    let wanted = format!(
        "{}.tmp: cannot write the state: File exists (os error 17)",
        scratch.state().display()
    );
    assert_eq!(error, wanted);
    assert_eq!(fs::read(scratch.state()).expect("the file"), old);
    let (again, later) = (scratch.file(".tmp"), Seconds(NOW.0 + 300));
    fs::remove_dir(again).expect("it is empty");
    let made_up = store.save_if_due(&tracker, 300, 0, later, UNIX_NOW).expect("it is due");
    assert_eq!(made_up.map(|saved| saved.torrents), Ok(2));
}

#[test]
fn a_save_whose_last_step_fails_gives_the_old_file_its_name_back() {
    for links in [true, false] {
        let scratch = Scratch::new();
        let folder = Folder::of(&scratch.state()).expect("a folder");
        fs::write(scratch.state(), "old").expect("a file");
        if !links {
            // What stands in the link's place keeps it from being made.
            fs::create_dir_all(scratch.file(".previous.new").join("x")).expect("a folder");
        }
        let error = folder.replace(|file| {
            file.write_all(b"new")?;
            // So that nothing is there to be renamed.
            fs::remove_file(scratch.file(".tmp"))
        });
        let wanted = format!(
            "{}: cannot replace the state file: No such file or directory (os error 2)",
            scratch.state().display()
        );
        assert_eq!(error, Err(wanted), "links: {links}");
        assert_eq!(fs::read(scratch.state()).expect("it is there"), b"old", "links: {links}");
    }
}

#[test]
fn a_write_to_the_journal_that_fails_leaves_it_readable() {
    let scratch = Scratch::new();
    let folder = Folder::of(&scratch.state()).expect("a folder");
    let mut journal = Journal::begin(&folder, 1).expect("a journal");
    let entry = |number| Entry::Register(hash(number), registration("a"));
    let before = journal.append(&folder, &[entry(1)]).expect("a write");
    assert_eq!(before, 0);
    // What was written can be taken back.
    let before = journal.append(&folder, &[entry(2)]).expect("a write");
    journal.take_back(before);
    let lines = journal::parse_journal(&fs::read(folder.journal(1)).expect("the journal"));
    assert_eq!(lines.entries, [entry(1)]);
    // Where even that fails, a part of a line may stand there; what follows goes elsewhere.
    let writable = journal.exchange_file(File::open(folder.journal(1)).expect("for reading"));
    let error = journal.append(&folder, &[entry(3)]).expect_err("it cannot be written");
    let wanted = format!(
        "{}.journal-1: cannot write the journal: Bad file descriptor (os error 9)",
        scratch.state().display()
    );
    assert_eq!(error, wanted);
    let mut writable = writable;
    writable.write_all(b"0123 {\"regis").expect("a write");
    journal.exchange_file(writable);
    journal.append(&folder, &[entry(4)]).expect("a write");
    journal.append(&folder, &[entry(5)]).expect("a write");
    // And the next failure, which is taken back, cuts nothing that was acknowledged.
    let before = journal.append(&folder, &[entry(6)]).expect("a write");
    journal.take_back(before);
    let entries: Vec<Entry> = folder.generations().expect("a folder").into_iter().fold(
        Vec::new(),
        |mut entries, generation| {
            let bytes = fs::read(folder.journal(generation)).expect("the journal");
            entries.extend(journal::parse_journal(&bytes).entries);
            entries
        },
    );
    assert_eq!(entries, [entry(1), entry(4), entry(5)]);
}

#[test]
fn a_journal_that_an_earlier_attempt_left_keeps_no_save_from_being_made() {
    let (scratch, tracker) = (Scratch::new(), tracker());
    let (store, _) = open(&scratch, &tracker);
    register(&store, &tracker, 1);
    fs::write(scratch.file(".journal-2"), "").expect("a file");
    save(&store, &tracker);
    assert_eq!(scratch.suffixes(), ["", ".journal-1", ".journal-2", ".journal-3"]);
    register(&store, &tracker, 2);
    drop(store);
    let new = super::tracker();
    open(&scratch, &new);
    assert!(are_registered(&new, [1, 2]));
}
