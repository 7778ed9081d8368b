//! The files of a torrent as a tree, for people.
//!
//! A tree of thousands of lines tells nobody anything. Where there are more than the caller wants,
//! the tree is cut below the deepest level that fits, each folder saying how much is in it; and
//! where one level alone is too much, its first entries are shown and the rest counted. Paths are
//! sorted by their components, so that a folder's files stand together.

use super::size::{bytes, counted};
use crate::metainfo::File;
use crate::printable::printable;

/// A file or folder in the tree: what lies at one name.
struct Entry<'f> {
    name: &'f [u8],
    /// The files below it, sorted; for a file itself alone.
    files: &'f [(Vec<&'f [u8]>, &'f File)],
    is_file: bool,
}

/// The lines of the tree, at most about `lines_max` of them; padding files are left out.
pub(super) fn lines(files: &[File], lines_max: usize) -> Vec<String> {
    let real = files.iter().filter(|file| !file.padding);
    let mut sorted: Vec<(Vec<&[u8]>, &File)> =
        real.map(|file| (file.path.split(|byte| *byte == b'/').collect(), file)).collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let levels = levels_within(&sorted, lines_max);
    let mut lines = Vec::new();
    push_level(&sorted, 0, levels, lines_max, "", &mut lines);
    lines
}

/// How many levels of the tree have at most `lines_max` entries together; one at the least.
fn levels_within(sorted: &[(Vec<&[u8]>, &File)], lines_max: usize) -> usize {
    // By level: how many entries it has, which is how often a path's name there is a new one.
    let mut entries: Vec<usize> = Vec::new();
    let mut before: &[&[u8]] = &[];
    for (path, _) in sorted {
        let same = path.iter().zip(before).take_while(|(a, b)| a == b).count();
        // The same path twice is two files.
        let same = same.min(path.len() - 1);
        entries.resize(entries.len().max(path.len()), 0);
        entries[same..path.len()].iter_mut().for_each(|count| *count += 1);
        before = path;
    }
    let mut total = 0;
    let fits = |count: &&usize| {
        total += **count;
        total <= lines_max
    };
    entries.iter().take_while(fits).count().max(1)
}

/// Appends the entries of one folder, whose files these are, and those below them.
fn push_level(
    files: &[(Vec<&[u8]>, &File)],
    depth: usize,
    levels: usize,
    lines_max: usize,
    indent: &str,
    lines: &mut Vec<String>,
) {
    let entries = entries_of(files, depth);
    let shown = if entries.len() > lines_max { lines_max } else { entries.len() };
    for (at, entry) in entries.iter().take(shown).enumerate() {
        let is_last = at + 1 == entries.len();
        let (branch, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let name = printable(entry.name);
        let size = bytes(size_of(entry.files));
        if let [(_, file)] = entry.files
            && entry.is_file
        {
            let link = file.symlink.as_ref().map(|to| format!(" -> {}", printable(to)));
            let size = link.unwrap_or_else(|| format!("  {size}"));
            lines.push(format!("{indent}{branch}{name}{size}"));
            continue;
        }
        let count = counted(entry.files.len() as u64, "file");
        lines.push(format!("{indent}{branch}{name}/  {count}, {size}"));
        if depth + 1 < levels {
            let indent = format!("{indent}{below}");
            push_level(entry.files, depth + 1, levels, lines_max, &indent, lines);
        }
    }
    let rest = &entries[shown..];
    if !rest.is_empty() {
        let count: usize = rest.iter().map(|entry| entry.files.len()).sum();
        let size = bytes(rest.iter().map(|entry| size_of(entry.files)).sum());
        lines.push(format!("{indent}└─ ... {}, {size}", counted(count as u64, "more file")));
    }
}

/// The entries of the folder that all these files lie in, `depth` names down.
fn entries_of<'f>(files: &'f [(Vec<&'f [u8]>, &'f File)], depth: usize) -> Vec<Entry<'f>> {
    let is_file = |path: &[&[u8]]| path.len() == depth + 1;
    let mut entries = Vec::new();
    // The same path twice is two files, and one that is a file and a folder is two entries.
    let together = |a: &(Vec<&[u8]>, &File), b: &(Vec<&[u8]>, &File)| {
        a.0[depth] == b.0[depth] && !is_file(&a.0) && !is_file(&b.0)
    };
    for files in files.chunk_by(together) {
        let path = &files[0].0;
        entries.push(Entry { name: path[depth], files, is_file: is_file(path) });
    }
    entries
}

fn size_of(files: &[(Vec<&[u8]>, &File)]) -> u64 {
    files.iter().map(|(_, file)| file.length()).sum()
}
