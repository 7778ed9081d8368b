//! What the operator has said about a torrent: its name, its size and the rest of its metadata.
//!
//! A registered torrent is remembered though nobody has it. The text fields are bounded
//! ([`Registration::check`]), so that many registrations cannot fill the memory.

use crate::limits::{COMMENT_BYTES_MAX, CREATED_BY_BYTES_MAX, NAME_BYTES_MAX};

/// A torrent's metadata, as the original tracker's `/add_torrent_info` takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registration {
    /// The torrent's name.
    pub name: String,
    /// Bytes of all its files together.
    pub size: u64,
    /// Bytes of a piece.
    pub piece_length: u64,
    /// Whatever its maker wrote.
    pub comment: String,
    /// The program that made it.
    pub created_by: String,
    /// When it was made, in seconds since 1970 UTC; 0 is unknown.
    pub creation_date: u64,
}

impl Registration {
    /// Whether the text fields keep to their bounds; the error names the one that does not.
    pub fn check(&self) -> Result<(), String> {
        let fields = [
            ("name", &self.name, NAME_BYTES_MAX),
            ("comment", &self.comment, COMMENT_BYTES_MAX),
            ("created_by", &self.created_by, CREATED_BY_BYTES_MAX),
        ];
        for (field, text, max) in fields {
            if text.len() > max {
                return Err(format!("{field}: {} bytes, at most {max} are kept", text.len()));
            }
        }
        Ok(())
    }

    /// With texts cut to their bounds, each behind a whole character; and what was too long, if
    /// anything was.
    #[must_use]
    pub fn cut(mut self) -> (Registration, Option<String>) {
        let Err(too_long) = self.check() else { return (self, None) };
        for (text, max) in [
            (&mut self.name, NAME_BYTES_MAX),
            (&mut self.comment, COMMENT_BYTES_MAX),
            (&mut self.created_by, CREATED_BY_BYTES_MAX),
        ] {
            let fits = |end: &usize| text.is_char_boundary(*end);
            let end = (0..=max.min(text.len())).rev().find(fits).unwrap_or(0);
            text.truncate(end);
        }
        (self, Some(too_long))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_its_bound_and_the_error_names_it() {
        let long = |bytes: usize| "x".repeat(bytes);
        let fits = Registration {
            name: long(NAME_BYTES_MAX),
            comment: long(COMMENT_BYTES_MAX),
            created_by: long(CREATED_BY_BYTES_MAX),
            ..Registration::default()
        };
        assert_eq!(fits.check(), Ok(()));
        let name = Registration { name: long(1025), ..fits.clone() };
        assert_eq!(name.check(), Err("name: 1025 bytes, at most 1024 are kept".to_owned()));
        let comment = Registration { comment: long(4097), ..fits.clone() };
        assert_eq!(comment.check(), Err("comment: 4097 bytes, at most 4096 are kept".to_owned()));
        let created_by = Registration { created_by: long(257), ..fits };
        let wanted = Err("created_by: 257 bytes, at most 256 are kept".to_owned());
        assert_eq!(created_by.check(), wanted);
    }

    #[test]
    fn what_is_too_long_is_cut_behind_a_whole_character() {
        let name = "\u{e9}".repeat(513);
        let comment = "x".repeat(COMMENT_BYTES_MAX);
        let long = Registration { name, comment: comment.clone(), ..Registration::default() };
        let (cut, too_long) = Registration { name: format!("x{}", long.name), ..long }.cut();
        assert_eq!((cut.name.len(), cut.comment), (1023, comment));
        assert_eq!(too_long, Some("name: 1027 bytes, at most 1024 are kept".to_owned()));
        let fits = Registration { name: "\u{e9}".to_owned(), ..Registration::default() };
        assert_eq!(fits.clone().cut(), (fits, None));
    }
}
