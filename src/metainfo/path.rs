//! Paths within a torrent: joined with `/`, never leading out of the torrent's folder.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

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
