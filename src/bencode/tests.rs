//! Golden bytes, every prefix, and mutations for the decoder and the encoder.

use super::*;
use Problem::{
    ByteUnexpected, CutOff, DepthExceeded, IntMalformed, IntOutOfRange, KeyNotBytes, KeyRepeated,
    KeyUnsorted, LengthMalformed, TrailingBytes, ValueMissing,
};

/// Every construct of BEP 3 once, each value different. Offsets: `bytes` 1, `dict` 15, `int` 50,
/// `list` 65.
const GOLDEN: &[u8] =
    b"d5:bytes4:\xd1\x00e:4:dictd0:i0e5:outer4:spam6:zzzzzzlee3:inti-42e4:listli7e1:xledeee";

fn error(bytes: &[u8]) -> (usize, Problem) {
    let error = decode(bytes).expect_err("not bencode");
    (error.offset, error.problem)
}

#[test]
fn a_golden_document_is_decoded_value_by_value() {
    let Value::Dict(dict) = decode(GOLDEN).expect("well-formed") else { panic!("a dictionary") };
    let keys: Vec<&[u8]> = dict.iter().map(|entry| entry.key).collect();
    assert_eq!(keys, [&b"bytes"[..], b"dict", b"int", b"list"]);
    assert_eq!(dict.get(b"bytes").map(|e| e.value), Some(Value::Bytes(b"\xd1\x00e:")));
    assert_eq!(dict.get(b"int").map(|e| e.value), Some(Value::Int(-42)));
    assert_eq!(dict.get(b"none"), None);
    let Some(Value::List(list)) = dict.get(b"list").map(|e| e.value) else { panic!("a list") };
    let values: Vec<Value> = list.iter().collect();
    assert_eq!(
        values,
        [
            Value::Int(7),
            Value::Bytes(b"x"),
            Value::List(List { raw: b"le" }),
            Value::Dict(Dict { raw: b"de" }),
        ]
    );
}

#[test]
fn the_raw_bytes_of_a_value_are_those_of_the_input() {
    let Value::Dict(dict) = decode(GOLDEN).expect("well-formed") else { panic!("a dictionary") };
    assert_eq!(dict.raw, GOLDEN);
    let inner = dict.get(b"dict").expect("there");
    assert_eq!(inner.raw, b"d0:i0e5:outer4:spam6:zzzzzzlee");
    assert_eq!(dict.get(b"int").expect("there").raw, b"i-42e");
    assert_eq!(dict.get(b"bytes").expect("there").raw, b"4:\xd1\x00e:");
    let Value::Dict(inner) = inner.value else { panic!("a dictionary") };
    assert_eq!(inner.get(b"").map(|e| e.value), Some(Value::Int(0)), "an empty key");
}

#[test]
fn integers_are_canonical_and_fit_64_bits() {
    assert_eq!(decode(b"i9223372036854775807e"), Ok(Value::Int(i64::MAX)));
    assert_eq!(decode(b"i-9223372036854775808e"), Ok(Value::Int(i64::MIN)));
    assert_eq!(decode(b"i0e"), Ok(Value::Int(0)));
    for (bytes, problem) in [
        (&b"i9223372036854775808e"[..], IntOutOfRange),
        (b"i-9223372036854775809e", IntOutOfRange),
        (b"i99999999999999999999999e", IntOutOfRange),
        (b"i00e", IntMalformed),
        (b"i07e", IntMalformed),
        (b"i-0e", IntMalformed),
        (b"i-01e", IntMalformed),
        (b"ie", IntMalformed),
        (b"i-e", IntMalformed),
        (b"i+1e", IntMalformed),
        (b"i1.5e", IntMalformed),
        (b"i--1e", IntMalformed),
    ] {
        assert_eq!(error(bytes), (0, problem), "{}", bytes.escape_ascii());
    }
}

#[test]
fn errors_name_the_byte_where_the_offending_value_begins() {
    for (bytes, offset, problem) in [
        (&b""[..], 0, CutOff),
        (b"l4:spa", 1, CutOff),
        (b"d1:ai1e", 7, CutOff),
        (b"99999999999999999999999:x", 0, CutOff),
        (b"l04:spame", 1, LengthMalformed),
        (b"4spam", 0, LengthMalformed),
        (b"x", 0, ByteUnexpected(b'x')),
        (b"-1:x", 0, ByteUnexpected(b'-')),
        (b"e", 0, ByteUnexpected(b'e')),
        (b"li1e\xffe", 4, ByteUnexpected(0xff)),
        (b"i1ei2e", 3, TrailingBytes),
        (b"le\n", 2, TrailingBytes),
        (b"di1ei2ee", 1, KeyNotBytes),
        (b"d1:ai1elei2ee", 7, KeyNotBytes),
        (b"d1:bi1e1:ai2ee", 7, KeyUnsorted),
        (b"d2:aai1e1:ai2ee", 8, KeyUnsorted),
        (b"d1:ai1e1:ai2ee", 7, KeyRepeated),
        (b"d0:i1e0:i2ee", 6, KeyRepeated),
        (b"d1:ae", 4, ValueMissing),
    ] {
        assert_eq!(error(bytes), (offset, problem), "{}", bytes.escape_ascii());
    }
}

#[test]
fn error_texts_say_where_and_what() {
    for (bytes, text) in [
        (&b"lx"[..], "byte 1: no value begins with 'x'"),
        (b"l\xff", "byte 1: no value begins with '\\xff'"),
        (b"l", "byte 1: the input ends within a value"),
        (b"li01ee", "byte 1: a malformed integer"),
        (
            b"i9223372036854775808e",
            "byte 0: an integer outside of -9223372036854775808 to 9223372036854775807",
        ),
        (b"dlei1ee", "byte 1: a key that is not a byte string"),
        (b"d1:ai1e1:ai2ee", "byte 7: a key that stands twice"),
        (b"d1:bi1e1:ai2ee", "byte 7: a key out of order"),
        (b"1x", "byte 0: a malformed string length"),
        (b"i1ee", "byte 3: more bytes after the end"),
        (b"d1:ae", "byte 4: a key without a value"),
    ] {
        assert_eq!(decode(bytes).expect_err(text).to_string(), text);
    }
}

#[test]
fn nesting_is_accepted_to_its_bound_and_refused_beyond() {
    let nested = |depth: usize| [b"l".repeat(depth), b"e".repeat(depth)].concat();
    assert!(decode(&nested(32)).is_ok());
    let deep = decode(&nested(33)).expect_err("one too many");
    assert_eq!(deep.to_string(), "byte 32: nested deeper than 32");
    assert_eq!(error(&b"l".repeat(1_000_000)), (32, DepthExceeded));
    assert_eq!(error(&b"d0:".repeat(1_000_000)), (96, DepthExceeded));
}

#[test]
fn every_prefix_of_a_document_is_cut_off() {
    for length in 0..GOLDEN.len() {
        assert_eq!(error(&GOLDEN[..length]).1, CutOff, "{length}");
    }
}

/// Asks for everything a decoded value can give.
fn walk(value: Value<'_>) -> usize {
    match value {
        Value::Int(_) | Value::Bytes(_) => 1,
        Value::List(list) => list.iter().map(walk).sum(),
        Value::Dict(dict) => dict.iter().map(|entry| walk(entry.value)).sum(),
    }
}

#[test]
fn no_mutation_makes_the_decoder_panic() {
    let mut random = fastrand::Rng::with_seed(2);
    let mut decoded = 0;
    for _ in 0..8000 {
        let mut bytes = GOLDEN.to_vec();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            match random.u8(..4) {
                0 => bytes[at] = random.u8(..),
                1 => bytes[at] = b"0123456789ilde:-"[random.usize(..16)],
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"0il-de:9"[random.usize(..8)]),
            }
        }
        if let Ok(value) = decode(&bytes) {
            decoded += 1;
            assert!(walk(value) <= bytes.len());
        }
    }
    assert!(decoded > 100, "some mutations stay well-formed: {decoded}");
}

#[test]
fn a_golden_document_is_encoded_value_by_value() {
    let mut out = b"before".to_vec();
    let mut dict = DictEncoder::begin(&mut out);
    encode_bytes(dict.key(b"bytes"), b"\xd1\x00e:");
    let mut inner = DictEncoder::begin(dict.key(b"dict"));
    encode_int(inner.key(b""), 0);
    encode_bytes(inner.key(b"outer"), b"spam");
    let list = inner.key(b"zzzzzz");
    encode_list_begin(list);
    encode_end(list);
    inner.end();
    encode_int(dict.key(b"int"), -42);
    let list = dict.key(b"list");
    encode_list_begin(list);
    encode_int(list, 7);
    encode_bytes(list, b"x");
    encode_list_begin(list);
    encode_end(list);
    DictEncoder::begin(list).end();
    encode_end(list);
    dict.end();
    assert_eq!(out, [b"before", GOLDEN].concat());
}

#[test]
fn integers_of_every_length_are_encoded() {
    for value in [0, 9, 10, 99, 100, -1, -10, i64::MAX, i64::MIN] {
        let mut out = Vec::new();
        encode_int(&mut out, value);
        assert_eq!(out, format!("i{value}e").into_bytes());
    }
    let mut out = Vec::new();
    encode_digits(&mut out, u64::MAX);
    assert_eq!(out, b"18446744073709551615");
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "keys are sorted and unique")]
fn encoding_a_key_out_of_order_panics_in_debug_builds() {
    let mut out = Vec::new();
    let mut dict = DictEncoder::begin(&mut out);
    encode_int(dict.key(b"b"), 1);
    encode_int(dict.key(b"a"), 2);
    dict.end();
}

#[test]
fn unsorted_keys_and_trailing_bytes_are_read_and_told_where_they_are_tolerated() {
    let error = |offset, problem| Error { offset, problem };
    // The first key out of order is told; those after it are read no less.
    let bytes = b"d1:bi1e1:ad1:zi2e1:yi3ee1:0i4eetail";
    let (value, told) = decode_tolerant(bytes).expect("tolerable");
    assert_eq!(told, [error(7, KeyUnsorted), error(31, TrailingBytes)]);
    let Value::Dict(dict) = value else { panic!("a dictionary") };
    assert_eq!(dict.raw, &bytes[..31]);
    let Some(Value::Dict(inner)) = dict.get(b"a").map(|e| e.value) else { panic!("inner") };
    assert_eq!(inner.get(b"y").map(|e| e.value), Some(Value::Int(3)));
    assert_eq!(dict.get(b"0").map(|e| e.value), Some(Value::Int(4)));

    assert_eq!(decode_tolerant(GOLDEN).map(|(_, told)| told), Ok(vec![]));
    for (bytes, wanted) in [
        (&b"d1:bi1e1:a"[..], error(10, CutOff)),
        (b"", error(0, CutOff)),
        (b"tail", error(0, ByteUnexpected(b't'))),
    ] {
        assert_eq!(decode_tolerant(bytes), Err(wanted), "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_key_that_stands_twice_is_read_and_told_wherever_the_other_is() {
    let error = |offset, problem| Error { offset, problem };
    for (bytes, wanted) in [
        (&b"d1:ai1e1:ai2e1:ai3ee"[..], &[error(7, KeyRepeated)][..]),
        (b"d1:bi1e1:ai2e1:bi3ee", &[error(7, KeyUnsorted), error(13, KeyRepeated)]),
        (b"d1:ai1e1:bi2e1:ai3ee", &[error(13, KeyUnsorted), error(13, KeyRepeated)]),
        (b"d1:bd1:ai1e1:ai2ee1:ai3ee", &[error(18, KeyUnsorted), error(11, KeyRepeated)]),
        // Each dictionary has keys of its own.
        (b"ld1:bi1e1:ai2eed1:bi1e1:ai2eee", &[error(8, KeyUnsorted)]),
        (b"d1:bd1:ai1e1:bi2ee1:ai3ee", &[error(18, KeyUnsorted)]),
    ] {
        let (_, told) = decode_tolerant(bytes).expect("tolerable");
        assert_eq!(told, wanted, "{}", bytes.escape_ascii());
    }
    let (value, _) = decode_tolerant(b"d1:ai1e1:ai2ee").expect("tolerable");
    let Value::Dict(dict) = value else { panic!("a dictionary") };
    assert_eq!(dict.get(b"a").map(|e| e.value), Some(Value::Int(1)), "the first counts");
}
