//! Which files a torrent has, and where each lies in the whole: the lists of v1 (BEP 3, BEP 47)
//! and the file tree of v2 (BEP 52).
//!
//! In v1 the files follow one another without a gap; padding files fill up pieces where somebody
//! wanted that. In v2 each file begins with a piece of its own. A hybrid torrent says both, and
//! both must agree: a client that reads one must not get other files than one that reads the other.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use super::fields::{Fields, as_bytes, as_dict};
use super::path::{Tree, follow, push_component};
use super::{File, MetainfoError};
use crate::bencode::Dict;
use crate::limits::{CONTENT_BYTES_MAX, METAINFO_FILES_MAX, METAINFO_PATHS_BYTES_MAX};
use crate::request::quoted;

/// The files of v1: `length`, or `files` with their paths below the name.
pub(super) fn parse_v1(info: &Fields<'_>, piece_length: u64) -> Result<Vec<File>, MetainfoError> {
    let length = info.length("length")?;
    let list = info.list("files")?;
    let mut layout = Layout { piece_length, ..Layout::default() };
    match (length, list) {
        (Some(_), Some(_)) => return Err(info.wrong("files", "stands beside length")),
        (None, None) => return Err(info.wrong("length", "missing, and files too")),
        (Some(length), None) => {
            layout.push(Vec::new(), length, info, None)?;
        }
        (None, Some(list)) => {
            for (index, value) in list.iter().enumerate() {
                let name = || format!("{}[{index}]", info.name_of("files"));
                let keys = ["attr", "length", "path", "path.utf-8", "symlink path"];
                let file = Fields::pick(format!("{}.", name()), as_dict(value, name)?, &keys)?;
                let length = parse_length(&file)?;
                // Both are checked, whichever a program reads.
                let path = file.needed("path", parse_path(&file, "path")?)?;
                let path = parse_path(&file, "path.utf-8")?.unwrap_or(path);
                layout.push(path, length, &file, None)?;
            }
        }
    }
    Ok(layout.finish())
}

/// The files of v2, each at the beginning of a piece. `name` is the torrent's own: a tree of this
/// one file is a torrent of a single file.
pub(super) fn parse_v2(
    info: &Fields<'_>,
    name: &[u8],
    piece_length: u64,
) -> Result<Vec<File>, MetainfoError> {
    let tree = info.needed("file tree", info.dict("file tree")?)?;
    let place = info.name_of("file tree");
    let mut layout = Layout { piece_length, each_at_piece: true, ..Layout::default() };
    let mut path = Vec::new();
    walk(tree, &place, &mut path, &mut layout)?;
    let mut files = layout.finish();
    if let [only] = files.as_mut_slice()
        && only.path == name
    {
        only.path.clear();
    }
    Ok(files)
}

/// Appends the files below one folder of the tree. The decoder bounds the depth.
fn walk(
    folder: Dict<'_>,
    place: &str,
    path: &mut Vec<u8>,
    layout: &mut Layout,
) -> Result<(), MetainfoError> {
    for entry in folder.iter() {
        let before = path.len();
        push_component(path, entry.key).map_err(|problem| MetainfoError::at(place, problem))?;
        let name = || format!("{place}: {}", quoted(path));
        let below = as_dict(entry.value, name)?;
        // A file is a folder whose one entry has no name. That is seen from its first byte: to
        // decode the entry would be a second walk over all that is below, on every level.
        if below.raw.starts_with(b"d0:") {
            let mut entries = below.iter();
            let described = entries.next().map(|entry| as_dict(entry.value, name)).transpose()?;
            if entries.next().is_some() {
                return Err(MetainfoError::at(name(), "a file and a folder at once"));
            }
            let keys = ["attr", "length", "pieces root", "symlink path"];
            let described = described.unwrap_or(below);
            let file = Fields::pick(format!("{}: ", name()), described, &keys)?;
            let length = parse_length(&file)?;
            let root = parse_root(&file, length)?;
            layout.push(path.clone(), length, &file, root)?;
        } else {
            walk(below, place, path, layout)?;
        }
        path.truncate(before);
    }
    Ok(())
}

/// Bytes of a file, which it must say; libtorrent does not of the symbolic links of v2.
fn parse_length(file: &Fields<'_>) -> Result<u64, MetainfoError> {
    match file.length("length")? {
        None if file.value("symlink path").is_some() => Ok(0),
        length => file.needed("length", length),
    }
}

/// The root of a file's hash tree; an empty file has none.
fn parse_root(file: &Fields<'_>, length: u64) -> Result<Option<[u8; 32]>, MetainfoError> {
    let Some(root) = file.bytes("pieces root")? else {
        let empty = if length == 0 { Some(None) } else { None };
        return file.needed("pieces root", empty);
    };
    match root.try_into() {
        Ok(root) => Ok(Some(root)),
        Err(_) => Err(file.wrong("pieces root", format!("{} bytes, not 32", root.len()))),
    }
}

/// A path as a list of its components.
fn parse_path(file: &Fields<'_>, key: &str) -> Result<Option<Vec<u8>>, MetainfoError> {
    let Some(list) = file.list(key)? else { return Ok(None) };
    let mut path = Vec::new();
    for component in list.iter() {
        let component = as_bytes(component, || file.name_of(key))?;
        push_component(&mut path, component).map_err(|problem| file.wrong(key, problem))?;
    }
    if path.is_empty() {
        return Err(file.wrong(key, "an empty list"));
    }
    Ok(Some(path))
}

/// Where a symbolic link leads.
struct Link {
    /// As it is meant from the link's own folder, as libtorrent writes it.
    from_folder: Vec<u8>,
    /// As it is meant from the root, as BEP 47 has it; `None` where that is no path below it.
    from_root: Option<Vec<u8>>,
}

/// The link at `path`, if the file is one; an error if that leads out of the torrent's folder.
fn parse_link(file: &Fields<'_>, path: &[u8]) -> Result<Option<Link>, MetainfoError> {
    let key = "symlink path";
    let Some(list) = file.list(key)? else { return Ok(None) };
    let wrong = |problem: String| file.wrong(key, problem);
    let folder = path.iter().rposition(|byte| *byte == b'/').and_then(|end| path.get(..end));
    let mut from_folder = folder.unwrap_or_default().to_vec();
    let mut from_root = Some(Vec::new());
    let mut is_empty = true;
    for component in list.iter() {
        let component = as_bytes(component, || file.name_of(key))?;
        is_empty = false;
        if matches!(component, b"." | b"..") {
            from_root = None;
        }
        follow(&mut from_folder, component).map_err(wrong)?;
        if let Some(from_root) = &mut from_root {
            push_component(from_root, component).map_err(wrong)?;
        }
    }
    if is_empty {
        return Err(wrong("an empty list".to_owned()));
    }
    Ok(Some(Link { from_folder, from_root }))
}

/// The files so far.
#[derive(Default)]
struct Layout {
    files: Vec<File>,
    /// Where the last file ends.
    end: u64,
    /// Bytes of a piece.
    piece_length: u64,
    /// Whether each file begins with a piece, as in v2.
    each_at_piece: bool,
    /// Bytes of padding since the last byte of a file.
    padded: u64,
    /// Bytes of all paths, those of links included.
    path_bytes: usize,
    /// For each symbolic link its file's index, and where it leads by BEP 47.
    links: Vec<(usize, Vec<u8>)>,
}

impl Layout {
    /// Appends a file; `described` are its fields, for what BEP 47 adds.
    fn push(
        &mut self,
        path: Vec<u8>,
        length: u64,
        described: &Fields<'_>,
        pieces_root: Option<[u8; 32]>,
    ) -> Result<(), MetainfoError> {
        let too_much = || {
            let problem = format!("{length}: more than {CONTENT_BYTES_MAX} bytes in all");
            described.wrong("length", problem)
        };
        let start = if self.each_at_piece && length > 0 {
            self.end.checked_next_multiple_of(self.piece_length).ok_or_else(too_much)?
        } else {
            self.end
        };
        let end = start.checked_add(length).filter(|end| *end <= CONTENT_BYTES_MAX);
        self.end = end.ok_or_else(too_much)?;
        let link = parse_link(described, &path)?;
        self.path_bytes += path.len() + link.as_ref().map_or(0, |link| link.from_folder.len());
        if self.files.len() == METAINFO_FILES_MAX || self.path_bytes > METAINFO_PATHS_BYTES_MAX {
            let count = self.files.len();
            return Err(described.wrong("length", format!("too much to read after {count} files")));
        }
        let symlink = link.map(|link| {
            self.links.extend(link.from_root.map(|path| (self.files.len(), path)));
            link.from_folder
        });
        let attributes = described.bytes("attr")?.unwrap_or_default();
        let padding = attributes.contains(&b'p');
        self.check_padding(padding, length).map_err(|what| described.wrong("length", what))?;
        self.files.push(File {
            path,
            range: start..self.end,
            padding,
            executable: attributes.contains(&b'x'),
            hidden: attributes.contains(&b'h'),
            symlink,
            pieces_root,
        });
        Ok(())
    }

    /// Padding fills up a piece, so no more than that ever stands between two files. A torrent of a
    /// kilobyte could otherwise have anybody hash zeros for hours.
    fn check_padding(&mut self, padding: bool, length: u64) -> Result<(), String> {
        if padding {
            self.padded = self.padded.saturating_add(length);
            if self.padded >= self.piece_length {
                return Err(format!("{length}: a whole piece of padding, or more"));
            }
        } else if length > 0 {
            self.padded = 0;
        }
        Ok(())
    }

    /// All files, where each link leads decided: to what the torrent has by that path (BEP 47), or
    /// else from the link's folder, as libtorrent writes it and, in this order, reads it.
    fn finish(mut self) -> Vec<File> {
        if !self.links.is_empty() {
            let tree = Tree::of(&self.files);
            self.links.retain(|(_, path)| tree.has(path));
        }
        for (index, path) in self.links {
            if let Some(file) = self.files.get_mut(index) {
                file.symlink = Some(path);
            }
        }
        self.files
    }
}

/// Gives the files of v1 what v2 says of them; an error where the two do not agree.
pub(super) fn merge(v1: &mut [File], v2: Vec<File>) -> Result<(), MetainfoError> {
    let differ = |what: &str| {
        let problem = format!("does not agree with the file tree: {what}");
        MetainfoError::at("info.files", problem)
    };
    let mut v2 = v2.into_iter();
    for file in v1.iter_mut().filter(|file| !file.padding) {
        let Some(same) = v2.next() else { return Err(differ(&quoted(&file.path))) };
        if same.path != file.path || same.length() != file.length() {
            return Err(differ(&quoted(&file.path)));
        }
        file.pieces_root = same.pieces_root;
    }
    v2.next().map_or(Ok(()), |more| Err(differ(&quoted(&more.path))))
}
