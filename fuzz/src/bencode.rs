//! Bencode: what is accepted is exactly what would be written, and nothing shorter or longer.

use muster::bencode::{
    DictEncoder, Value, decode, decode_tolerant, encode_bytes, encode_end, encode_int,
    encode_list_begin,
};
use muster::limits::BENCODE_DEPTH_MAX;

/// Beginnings that are tried of input up to this length; there are as many as bytes.
const WHOLE_BYTES_MAX: usize = 512;

/// Holds what is said above.
pub fn check(bytes: &[u8]) {
    check_tolerant(bytes);
    let value = match decode(bytes) {
        Ok(value) => value,
        Err(error) => {
            assert!(error.offset <= bytes.len(), "{error}");
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let mut again = Vec::new();
    encode(&mut again, &value, 0);
    assert_eq!(again, bytes, "the one encoding of a value is the one that is accepted");
    if bytes.len() <= WHOLE_BYTES_MAX {
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "{end} of the bytes are no value");
        }
        let more = [bytes, b"e"].concat();
        assert!(decode(&more).is_err(), "nothing may follow");
    }
}

/// Whoever tolerates more says so, and reads the rest alike.
fn check_tolerant(bytes: &[u8]) {
    match (decode(bytes), decode_tolerant(bytes)) {
        (Ok(value), Ok((same, tolerated))) => {
            assert_eq!(same, value);
            assert!(tolerated.is_empty(), "{tolerated:?}");
        }
        (Ok(_), Err(error)) => panic!("not tolerated: {error}"),
        (Err(_), Ok((_, tolerated))) => assert!(!tolerated.is_empty(), "nothing was wrong"),
        (Err(_), Err(error)) => assert!(error.offset <= bytes.len(), "{error}"),
    }
}

/// Writes a value as the encoder has it. Raw bytes must be those of the value itself.
fn encode(out: &mut Vec<u8>, value: &Value<'_>, depth: usize) {
    assert!(depth <= BENCODE_DEPTH_MAX, "nested deeper than allowed");
    let begun = out.len();
    match value {
        Value::Int(number) => encode_int(out, *number),
        Value::Bytes(bytes) => encode_bytes(out, bytes),
        Value::List(list) => {
            encode_list_begin(out);
            for item in list.iter() {
                encode(out, &item, depth + 1);
            }
            encode_end(out);
            assert_eq!(&out[begun..], list.raw);
        }
        Value::Dict(dict) => {
            let mut encoder = DictEncoder::begin(out);
            for entry in dict.iter() {
                let into = encoder.key(entry.key);
                let begun = into.len();
                encode(into, &entry.value, depth + 1);
                assert_eq!(&into[begun..], entry.raw);
            }
            encoder.end();
            assert_eq!(&out[begun..], dict.raw);
        }
    }
}
