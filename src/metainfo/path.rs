//! Paths within a torrent: joined with `/`, never leading out of the torrent's folder.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use super::File;
use crate::limits::METAINFO_PATH_BYTES_MAX;
use crate::request::quoted;

/// Checks one component of a path: what is wrong with it, if anything is.
pub(super) fn check_component(component: &[u8]) -> Result<(), String> {
    let problem = match component {
        b"" => "an empty name",
        b"." | b".." => "leads out of its folder",
        _ if component.contains(&b'/') => "a slash within a name",
        _ if component.contains(&0) => "a zero byte within a name",
        _ => return Ok(()),
    };
    Err(format!("{}: {problem}", quoted(component)))
}

/// Appends a component that is checked.
pub(super) fn push_component(path: &mut Vec<u8>, component: &[u8]) -> Result<(), String> {
    check_component(component)?;
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(component);
    if path.len() > METAINFO_PATH_BYTES_MAX {
        return Err(format!("longer than {METAINFO_PATH_BYTES_MAX} bytes"));
    }
    Ok(())
}

/// Follows one component of a symbolic link from the folder at `path`, up too, but not above the
/// torrent's folder.
pub(super) fn follow(path: &mut Vec<u8>, component: &[u8]) -> Result<(), String> {
    match component {
        b"." => Ok(()),
        b".." if path.is_empty() => check_component(component),
        b".." => {
            path.truncate(path.iter().rposition(|byte| *byte == b'/').unwrap_or(0));
            Ok(())
        }
        _ => push_component(path, component),
    }
}

/// All files and folders of a torrent, to look paths up in.
pub(super) struct Tree<'f> {
    /// The paths of the files, sorted: a folder's files stand together.
    paths: Vec<&'f [u8]>,
}

impl<'f> Tree<'f> {
    pub(super) fn of(files: &'f [File]) -> Tree<'f> {
        let mut paths: Vec<&[u8]> = files.iter().map(|file| file.path.as_slice()).collect();
        paths.sort_unstable();
        Tree { paths }
    }

    /// Whether there is a file or a folder of this path; the torrent's own folder has none.
    pub(super) fn has(&self, path: &[u8]) -> bool {
        let below = [path, b"/"].concat();
        let at = self.paths.partition_point(|other| *other < below.as_slice());
        let is_folder = self.paths.get(at).is_some_and(|first| first.starts_with(&below));
        path.is_empty() || is_folder || self.paths.binary_search(&path).is_ok()
    }
}
