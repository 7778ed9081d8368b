//! What must be true of any bytes whatever, for each parser that reads what others have written.
//!
//! A check takes bytes and panics if something is not as promised: more than that nothing panics,
//! what parses means the same when it is written down and read again, and where bytes are cut or
//! what follows them makes no difference. libFuzzer feeds the checks (`make fuzz`), and so do the
//! ordinary tests, with the seeds, their beginnings and their mutations (`tests/it/fuzzed.rs`),
//! which is why nothing here knows of libFuzzer.

pub mod bencode;
pub mod body;
pub mod forwarded;
pub mod hash_text;
pub mod head;
pub mod metainfo;
pub mod query;
pub mod seeds;
pub mod state;
pub mod udp_packet;

/// A check: panics if the bytes break a promise.
pub type Check = fn(&[u8]);

/// Every target of libFuzzer, by its name.
pub const TARGETS: [(&str, Check); 9] = [
    ("bencode", bencode::check),
    ("body", body::check),
    ("forwarded", forwarded::check),
    ("hash_text", hash_text::check),
    ("head", head::check),
    ("metainfo", metainfo::check),
    ("query", query::check),
    ("state", state::check),
    ("udp_packet", udp_packet::check),
];
