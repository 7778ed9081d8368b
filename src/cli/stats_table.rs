//! What a tracker knows, as `/stats` has it: read from its JSON, ordered, and laid out as a table
//! or as JSON of our own.
//!
//! Pure functions of bytes and numbers; who asks, and where it is shown, is in `stats`. The page of
//! a stranger has totals alone. A name reaches the table as printable text only. Of a page only
//! what stands in the table is kept, whatever else a server puts into it: serde's impls are written
//! out, as its derive would be five packages more.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::json;

use super::display_width::{columns, fitted};
use super::size::{bytes, counted, grouped};
use crate::limits::{NAME_BYTES_MAX, STATS_PAGE_TORRENTS};
use crate::printable::printable;
use crate::request::InfoHash;

/// A torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) info_hash: InfoHash,
    /// As it was registered; empty if it was not.
    pub(super) name: String,
    /// Bytes; 0 if nobody has said.
    pub(super) size: u64,
    pub(super) seeders: u64,
    pub(super) leechers: u64,
    pub(super) downloads: u64,
}

/// All torrents together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) torrents: u64,
    pub(super) seeders: u64,
    pub(super) leechers: u64,
    /// Strangers are not told.
    pub(super) downloads: Option<u64>,
}

/// A page of `/stats`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// Some torrents, by their hashes: what was asked for, or one more for any number above it.
    Torrents(BTreeMap<InfoHash, Row>),
    /// What strangers see.
    Totals(Totals),
}

/// Reads a page; nothing if it is none.
pub(super) fn parse_page(body: &[u8]) -> Option<Page> {
    let Object(page) = serde_json::from_slice::<Object<Found>>(body).ok()?;
    if page.others == 0 {
        return Some(Page::Torrents(page.rows));
    }
    let (torrents, seeders) = (page.torrents?, page.seeders?);
    Some(Page::Totals(Totals { torrents, seeders, leechers: page.leechers?, downloads: None }))
}

/// An object of which some keys have a place.
trait Places: Default {
    /// Reads the value of a key, or passes over it.
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// Reads what has places.
struct Object<T>(T);

impl<'de, T: Places> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(Object(T::default()))
    }
}

impl<'de, T: Places> Visitor<'de> for Object<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            self.0.take(&key, &mut map)?;
        }
        Ok(self)
    }
}

/// What stands on a page.
#[derive(Default)]
struct Found {
    rows: BTreeMap<InfoHash, Row>,
    torrents: Option<u64>,
    seeders: Option<u64>,
    leechers: Option<u64>,
    /// Keys that are no hashes.
    others: u64,
}

impl Places for Found {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if let Some(info_hash) = InfoHash::from_hex(key.as_bytes()) {
            let Object(entry) = map.next_value::<Object<Entry>>()?;
            if self.rows.len() <= STATS_PAGE_TORRENTS {
                self.rows.insert(info_hash, entry.row(info_hash)?);
            }
            return Ok(());
        }
        self.others += 1;
        match key {
            "torrents" => self.torrents = Some(map.next_value()?),
            "seeders" => self.seeders = Some(map.next_value()?),
            "leechers" => self.leechers = Some(map.next_value()?),
            _ => _ = map.next_value::<IgnoredAny>()?,
        }
        Ok(())
    }
}

/// What stands behind a hash.
#[derive(Default)]
struct Entry {
    name: String,
    size: u64,
    counts: Option<Counts>,
}

impl Places for Entry {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "name" => self.name = map.next_value::<Option<String>>()?.unwrap_or_default(),
            "size" => self.size = map.next_value::<Option<u64>>()?.unwrap_or(0),
            "stats" => self.counts = Some(map.next_value::<Object<Counts>>()?.0),
            _ => _ = map.next_value::<IgnoredAny>()?,
        }
        Ok(())
    }
}

impl Entry {
    fn row<E: Error>(self, info_hash: InfoHash) -> Result<Row, E> {
        let Entry { name, size, counts: Some(counts) } = self else {
            return Err(E::missing_field("stats"));
        };
        if name.len() > NAME_BYTES_MAX {
            return Err(E::invalid_length(name.len(), &"a name as a tracker keeps it"));
        }
        let Counts { complete: Some(seeders), incomplete: Some(leechers), completed } = counts
        else {
            return Err(E::missing_field("complete or incomplete"));
        };
        Ok(Row { info_hash, name, size, seeders, leechers, downloads: completed.unwrap_or(0) })
    }
}

/// A torrent's counts.
#[derive(Default)]
struct Counts {
    complete: Option<u64>,
    incomplete: Option<u64>,
    completed: Option<u64>,
}

impl Places for Counts {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "complete" => self.complete = map.next_value()?,
            "incomplete" => self.incomplete = map.next_value()?,
            "completed" => self.completed = map.next_value()?,
            _ => _ = map.next_value::<IgnoredAny>()?,
        }
        Ok(())
    }
}

/// The busiest first: by peers, then by downloads, then by name.
pub(super) fn sort(rows: &mut [Row]) {
    rows.sort_by(|a, b| {
        let busy = |row: &Row| (row.seeders.saturating_add(row.leechers), row.downloads);
        let by_name = || (&a.name, &a.info_hash).cmp(&(&b.name, &b.info_hash));
        busy(b).cmp(&busy(a)).then_with(by_name)
    });
}

/// The sum of all torrents.
pub(super) fn sum(rows: &[Row]) -> Totals {
    let sum = |count: fn(&Row) -> u64| rows.iter().map(count).fold(0, u64::saturating_add);
    Totals {
        torrents: rows.len() as u64,
        seeders: sum(|row| row.seeders),
        leechers: sum(|row| row.leechers),
        downloads: Some(sum(|row| row.downloads)),
    }
}

/// The first `limit` rows as a table, fitted into so many columns if that is said, and the totals.
pub(super) fn table(rows: &[Row], limit: usize, width: Option<usize>) -> String {
    const HEADS: [&str; 4] = ["seeders", "leechers", "downloads", "size"];
    let shown: Vec<(String, [String; 4])> = rows.iter().take(limit).map(cells).collect();
    let widths: [usize; 4] = std::array::from_fn(|at| {
        let cells = shown.iter().map(|(_, cells)| cells[at].len());
        cells.chain([HEADS[at].len()]).max().unwrap_or(0)
    });
    let names = shown.iter().map(|(name, _)| columns(name));
    let widest = names.chain(["torrent".len()]).max().unwrap_or(0);
    let others: usize = widths.iter().map(|width| width + 2).sum();
    let name_width = width.map_or(widest, |width| widest.min(width.saturating_sub(others)).max(8));
    let mut text = String::new();
    let heads = ("torrent".to_owned(), HEADS.map(str::to_owned));
    let heads = (!shown.is_empty()).then_some(&heads);
    for (name, cells) in heads.into_iter().chain(&shown) {
        text += &fitted(name, name_width);
        for (cell, width) in cells.iter().zip(widths) {
            // A write to a String cannot fail.
            let _ = write!(text, "  {cell:>width$}");
        }
        text.push('\n');
    }
    if shown.len() < rows.len() {
        let _ = writeln!(text, "... the {} busiest", grouped(shown.len() as u64));
    }
    text + &in_words(sum(rows)) + "\n"
}

/// The cells of a row: its name, or its hash, and the numbers.
fn cells(row: &Row) -> (String, [String; 4]) {
    let hash = row.info_hash.to_string();
    let name = if row.name.is_empty() { &hash } else { &row.name };
    let size = if row.size == 0 { "?".to_owned() } else { bytes(row.size) };
    let counts = [row.seeders, row.leechers, row.downloads].map(grouped);
    let [seeders, leechers, downloads] = counts;
    (printable(name.as_bytes()), [seeders, leechers, downloads, size])
}

/// `3 torrents, 8 seeders, 1 leecher, 20 downloads`
pub(super) fn in_words(totals: Totals) -> String {
    let Totals { torrents, seeders, leechers, downloads } = totals;
    let mut parts = vec![
        counted(torrents, "torrent"),
        counted(seeders, "seeder"),
        counted(leechers, "leecher"),
    ];
    parts.extend(downloads.map(|downloads| counted(downloads, "download")));
    parts.join(", ")
}

/// The first `limit` rows, or none if there are totals only, as a line for programs.
pub(super) fn encode_json(url: &str, rows: Option<&[Row]>, totals: Totals, limit: usize) -> String {
    let torrent = |row: &Row| {
        json!({
            "info_hash": row.info_hash.to_string(), "name": row.name, "size": row.size,
            "seeders": row.seeders, "leechers": row.leechers, "downloads": row.downloads,
        })
    };
    let torrents = rows.map(|rows| rows.iter().take(limit).map(torrent).collect::<Vec<_>>());
    let Totals { torrents: count, seeders, leechers, downloads } = totals;
    let totals = json!({
        "torrents": count, "seeders": seeders, "leechers": leechers, "downloads": downloads,
    });
    format!("{}\n", json!({ "tracker": url, "torrents": torrents, "totals": totals }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, seeders: u64, leechers: u64, downloads: u64, size: u64) -> Row {
        let info_hash = InfoHash::from_hex(b"0123456789abcdef0123456789abcdef01234567");
        let info_hash = info_hash.expect("40 digits");
        Row { info_hash, name: name.to_owned(), size, seeders, leechers, downloads }
    }

    #[test]
    fn a_page_is_read_by_value_and_what_is_none_is_not() {
        let hash = "d1101a2b9d202811a05e8c57c557a20bf974dc8a";
        let page = format!(
            r#"{{"{hash}": {{"name": "a", "size": 5, "peers": [],
                "stats": {{"complete": 1, "incomplete": 2, "completed": 3, "downloaded": 4}}}}}}"#
        );
        let info_hash = InfoHash::from_hex(hash.as_bytes()).expect("40 digits");
        let wanted = Row { info_hash, ..row("a", 1, 2, 3, 5) };
        let wanted = Page::Torrents(BTreeMap::from([(info_hash, wanted)]));
        assert_eq!(parse_page(page.as_bytes()), Some(wanted));
        let totals = br#"{"torrents": 1, "seeders": 2, "leechers": 3, "peers": 5}"#;
        let wanted = Totals { torrents: 1, seeders: 2, leechers: 3, downloads: None };
        assert_eq!(parse_page(totals), Some(Page::Totals(wanted)));
        assert_eq!(parse_page(b"{}"), Some(Page::Torrents(BTreeMap::new())));
        let counted = format!(r#"{{"{hash}": {{"stats": {{"complete": 1}}}}}}"#);
        let named = format!(r#""name": "{}""#, "n".repeat(1025));
        let named = page.replace(r#""name": "a""#, &named);
        for wrong in ["", "[]", "<html>", r#"{"error": "no"}"#, r#"{"torrents": 1}"#]
            .into_iter()
            .chain([counted.as_str(), &named])
        {
            assert_eq!(parse_page(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn of_a_page_that_is_too_long_one_row_too_many_is_kept() {
        let row =
            |number| format!(r#""{number:040x}": {{"stats": {{"complete": 0, "incomplete": 0}}}}"#);
        let rows: Vec<String> = (0..STATS_PAGE_TORRENTS + 9).map(row).collect();
        let page = parse_page(format!("{{{}}}", rows.join(",")).as_bytes());
        let kept = match page {
            Some(Page::Torrents(rows)) => rows.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(kept, STATS_PAGE_TORRENTS + 1);
    }

    #[test]
    fn the_busiest_stand_first() {
        let mut rows = [
            row("b", 1, 1, 0, 0),
            row("quiet", 0, 0, 900, 0),
            row("a", 0, 2, 0, 0),
            row("known", 2, 0, 7, 0),
            row("busy", 0, 3, 0, 0),
        ];
        sort(&mut rows);
        assert_eq!(rows.map(|row| row.name), ["busy", "known", "a", "b", "quiet"]);
    }

    #[test]
    fn a_table_is_fitted_to_its_width_and_shows_nothing_but_printable_text() {
        let rows = [
            row("\u{4e2d}\u{6587} film", 1200, 1, 0, 1_500_000_000),
            row("a\x1b[2Jb", 0, 0, 2, 1),
            row("", 0, 0, 0, 0),
        ];
        assert_eq!(
            table(&rows, 2, None),
            "torrent      seeders  leechers  downloads     size\n\
             \u{4e2d}\u{6587} film      1,200         1          0  1.4 GiB\n\
             a\\u{1b}[2Jb        0         0          2   1 byte\n\
             ... the 2 busiest\n\
             3 torrents, 1,200 seeders, 1 leecher, 2 downloads\n"
        );
        let narrow = table(&rows, 9, Some(49));
        assert_eq!(
            narrow,
            "torrent     seeders  leechers  downloads     size\n\
             \u{4e2d}\u{6587} film     1,200         1          0  1.4 GiB\n\
             a\\u{1b}[2\u{2026}        0         0          2   1 byte\n\
             012345678\u{2026}        0         0          0        ?\n\
             3 torrents, 1,200 seeders, 1 leecher, 2 downloads\n"
        );
        assert_eq!(table(&[], 9, Some(50)), "0 torrents, 0 seeders, 0 leechers, 0 downloads\n");
    }
}
