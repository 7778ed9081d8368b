//! The file with the key of the connection ids, so that a restart does not invalidate them.
//!
//! 32 hex digits and a line end in [`FILE_NAME`], readable by its owner alone, in the folder of the
//! state file. It is written once, as a temporary file that is synced and renamed. A file that does
//! not hold a key is replaced, and one that cannot be read or written only costs the clients a
//! reconnect after the next restart: both are said in the log and stop nobody.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::log;

use super::connection_id::Key;

/// The file in the state folder.
pub const FILE_NAME: &str = "udp_connection_key";
/// The file it is written as before it is renamed.
const TEMPORARY_NAME: &str = "udp_connection_key.new";
/// Read and written by its owner: who has the key can announce for any address.
const MODE: u32 = 0o600;
/// The digits and the line end.
const FILE_BYTES: usize = 33;

/// The key kept in `folder`, a new one if there is none; without a folder a key for this run.
///
/// # Errors
/// When the system gives no random bytes.
pub fn load(folder: Option<&Path>) -> Result<Key, String> {
    let new = || random_key().map_err(|error| format!("cannot make a key for UDP: {error}"));
    let Some(folder) = folder else { return new() };
    let path = folder.join(FILE_NAME);
    let shown = path.display();
    match read(&path) {
        Ok(Some(key)) => return Ok(key),
        Ok(None) => log::warn(format_args!(
            "{shown} does not hold a key: replaced by a new one; UDP clients have to connect again"
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            log::warn(format_args!("{shown}: {error}; UDP connection ids end with this run"));
            return new();
        }
    }
    let key = new()?;
    if let Err(error) = write(folder, &key) {
        log::warn(format_args!("{shown}: {error}; UDP connection ids end with this run"));
    }
    Ok(key)
}

/// The key in the file; `None` if something else is in it.
fn read(path: &Path) -> io::Result<Option<Key>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        // To open a FIFO is to wait for its writer.
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = Vec::with_capacity(FILE_BYTES + 1);
    File::open(path)?.take(FILE_BYTES as u64 + 1).read_to_end(&mut text)?;
    let key = parse(&text);
    if key.is_some() && open_to_others(&metadata) {
        log::warn(format_args!(
            "{}: other users of this host may open it, and who has the key can announce for any \
             address over UDP: chmod 600",
            path.display()
        ));
    }
    Ok(key)
}

/// Whether anybody but its owner has any right to a file.
fn open_to_others(metadata: &fs::Metadata) -> bool {
    metadata.permissions().mode() & 0o077 != 0
}

fn write(folder: &Path, key: &Key) -> io::Result<()> {
    let temporary = folder.join(TEMPORARY_NAME);
    // One that a killed process has left behind may have another mode.
    let _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&temporary)?;
    file.write_all(encode(key).as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join(FILE_NAME))?;
    File::open(folder)?.sync_all()
}

fn parse(text: &[u8]) -> Option<Key> {
    let digits = text.strip_suffix(b"\n")?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let mut key = [0; 16];
    if pairs.len() != key.len() || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(pairs) {
        for &digit in pair {
            *byte = *byte << 4 | char::from(digit).to_digit(16)? as u8;
        }
    }
    Some(Key(key))
}

fn encode(key: &Key) -> String {
    format!("{:032x}\n", u128::from_be_bytes(key.0))
}

fn random_key() -> io::Result<Key> {
    let mut key = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    Ok(Key(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::time::Duration;

    /// A folder of a test, removed on drop.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let folder = format!("muster-key-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(folder);
            fs::create_dir(&path).expect("the temporary folder is ours to write");
            Folder(path)
        }

        fn files(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).expect("our folder");
            let names = entries.map(|entry| entry.expect("an entry").file_name());
            names.map(|name| name.to_string_lossy().into_owned()).collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_key_is_made_once_and_kept_for_its_owner_alone() {
        let folder = Folder::new("once");
        let key = load(Some(&folder.0)).expect("random bytes");
        assert_eq!(folder.files(), [FILE_NAME], "and nothing else stays behind");
        let mode = fs::metadata(folder.0.join(FILE_NAME)).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        assert_eq!(load(Some(&folder.0)), Ok(key), "the next run reads the same");
        let other = Folder::new("other");
        assert_ne!(load(Some(&other.0)), Ok(key), "and another tracker has its own");
    }

    #[test]
    fn the_file_is_hex_and_a_line_end() {
        let key = Key(*b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\xff");
        assert_eq!(encode(&key), "000102030405060708090a0b0c0d0eff\n");
        assert_eq!(parse(b"000102030405060708090a0b0c0d0eff\n"), Some(key));
    }

    #[test]
    fn a_damaged_file_is_replaced() {
        for (nth, damaged) in [
            &b""[..],
            b"\n",
            b"000102030405060708090a0b0c0d0eff",
            b"000102030405060708090a0b0c0d0e\n",
            b"000102030405060708090a0b0c0d0eff0\n",
            b"000102030405060708090a0b0c0d0effff\n",
            b"000102030405060708090a0b0c0d0egg\n",
            b"+00102030405060708090a0b0c0d0eff\n",
            b"000102030405060708090a0b0c0d0eff\n\n",
        ]
        .iter()
        .enumerate()
        {
            assert_eq!(parse(damaged), None, "{}", damaged.escape_ascii());
            let folder = Folder::new(&format!("damaged-{nth}"));
            fs::write(folder.0.join(FILE_NAME), damaged).expect("our folder");
            let key = load(Some(&folder.0)).expect("random bytes");
            assert_eq!(load(Some(&folder.0)), Ok(key), "{}", damaged.escape_ascii());
        }
    }

    #[test]
    fn without_a_folder_to_keep_it_in_there_is_a_key_all_the_same() {
        let missing = Path::new("/nowhere/at/all");
        let keys = [load(None), load(None), load(Some(missing)), load(Some(missing))];
        for (nth, key) in keys.iter().enumerate() {
            assert!(key.is_ok());
            assert!(!keys[..nth].contains(key), "each its own");
        }
    }

    #[test]
    fn a_temporary_file_that_was_left_behind_is_in_nobodys_way() {
        let folder = Folder::new("left");
        fs::write(folder.0.join(TEMPORARY_NAME), "half a k").expect("our folder");
        let key = load(Some(&folder.0)).expect("random bytes");
        assert_eq!(load(Some(&folder.0)), Ok(key));
        assert_eq!(folder.files(), [FILE_NAME]);
    }

    #[test]
    fn what_is_no_regular_file_is_not_opened() {
        let folder = Folder::new("fifo");
        let path = folder.0.join(FILE_NAME);
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("POSIX has it").success());
        // Opening a FIFO waits for its writer.
        let (done, waited) = std::sync::mpsc::channel();
        std::thread::spawn({
            let folder = folder.0.clone();
            move || done.send((load(Some(&folder)), load(Some(&folder))))
        });
        let (first, second) = waited.recv_timeout(Duration::from_secs(10)).expect("it returns");
        assert!(first.is_ok() && second.is_ok());
        assert_ne!(first, second, "each for its run");
        assert_eq!(read(&path).expect_err("no file").to_string(), "it is not a regular file");
        assert!(!fs::metadata(&path).expect("it is left as it is").is_file());
    }

    #[test]
    fn a_file_that_others_may_open_is_told() {
        let folder = Folder::new("mode");
        let key = load(Some(&folder.0));
        let path = folder.0.join(FILE_NAME);
        for (mode, told) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("our file");
            let metadata = fs::metadata(&path).expect("our file");
            assert_eq!(open_to_others(&metadata), told, "{mode:o}");
            assert_eq!(load(Some(&folder.0)), key, "it is used all the same");
        }
    }
}
