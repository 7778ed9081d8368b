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
}
