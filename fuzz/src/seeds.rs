//! What fuzzing begins with: the golden vectors, cut to what each target reads.
//!
//! `make fuzz` writes them to files that libFuzzer reads; the ordinary tests take them from here.
//! What fuzzing has found stands in `FOUND`, so that no finding ever comes back.

use muster::limits::{
    BENCODE_DEPTH_MAX, HTTP_BODY_BYTES_MAX, HTTP_CHUNK_LINE_BYTES_MAX, HTTP_HEAD_BYTES_MAX,
};

/// One line a client: its name, a space, the query of its announce.
const QUERIES: &str = include_str!("../../tests/vectors/announce_queries.txt");
/// Packets by name, a field a line: its offset, its bytes in hex, what it is.
const PACKETS: &str = include_str!("../../tests/vectors/udp_packets.txt");
const HEAD: &[u8] = include_bytes!("../../tests/vectors/head_golden.txt");
const STATES: [&[u8]; 2] = [
    include_bytes!("../../tests/vectors/state_golden.json"),
    include_bytes!("../../tests/vectors/state_original.json"),
];
const BENCODE: [&[u8]; 3] = [
    include_bytes!("../../tests/vectors/announce_compact.bencode"),
    include_bytes!("../../tests/vectors/announce_dictionaries.bencode"),
    include_bytes!("../../tests/vectors/scrape.bencode"),
];
/// Torrents made by mktorrent 1.1 and transmission-create 3.00, and by hand one of v2 and a hybrid.
pub const TORRENTS: [&[u8]; 5] = [
    include_bytes!("../../tests/vectors/torrents/made_hybrid.torrent"),
    include_bytes!("../../tests/vectors/torrents/made_v2.torrent"),
    include_bytes!("../../tests/vectors/torrents/mktorrent_folder.torrent"),
    include_bytes!("../../tests/vectors/torrents/mktorrent_single.torrent"),
    include_bytes!("../../tests/vectors/torrents/transmission_folder.torrent"),
];
/// Written for fuzzing: what the vectors do not have.
const OTHERS: &[(&str, &[u8])] = &[
    ("bencode", b"i-9223372036854775808e"),
    ("bencode", b"li0e0:lleededee"),
    ("bencode", b"i05e"),
    ("bencode", b"i-0e"),
    ("bencode", b"05:hello"),
    ("bencode", b"d1:b0:1:a0:e"),
    ("body", b"5\r\nhello\r\n1;name=value\r\n,\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\nnext"),
    ("body", b"fffff\r\nx"),
    ("forwarded", b"1.1.1.1, 198.51.100.1:567\n10.0.0.2,[2001:db8::1]:567"),
    ("forwarded", b" , ::ffff:10.0.0.9,10.1.2.3"),
    ("hash_text", b"d1101a2b9d202811a05e8c57c557a20bf974dc8a"),
    ("hash_text", b"2EIBUK45EAUBDIC6RRL4KV5CBP4XJXEK"),
    ("hash_text", b"%D1%10%1A+%9D (%11%A0^%8CW%C5W%A2%0B%F9t%DC%8A"),
    ("hash_text", b"%41%FFabcdefghijklmnop"),
    ("head", b"\r\nGET http://t:1/a?b HTTP/1.0\nConnection: keep-alive, close\n\n"),
    ("head", b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("head", b"GET / HTTP/1.1\r\nHost: t\r\n\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n"),
    ("metainfo", b"magnet:?xt=urn:btih:2EIBUK45EAUBDIC6RRL4KV5CBP4XJXEK&dn=a+b%20c&tr=x&xl=7"),
    ("query", b"announce/key/scrape?info_hash=aaaaaaaaaaaaaaaaaaaa&info_hash=%41%42"),
    ("query", b"offset=3&limit=9&peers=0&totals=1&format=json"),
];
/// What fuzzing has found, by the target that did.
const FOUND: &[(&str, &[u8])] = &[("metainfo", b"magnet:?%c&\0c6xl=7t:?et:?%c&xl=7\x10")];

/// Every seed with its target.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut add = |target, bytes: &[u8]| seeds.push((target, bytes.to_vec()));
    for (_, query) in QUERIES.lines().filter_map(|line| line.split_once(' ')) {
        add("query", query.as_bytes());
        let head = format!("GET /announce?{query} HTTP/1.1\r\nHost: t\r\n\r\n");
        add("head", head.as_bytes());
    }
    add("head", HEAD);
    for packet in packets() {
        add("udp_packet", &packet);
    }
    let states = STATES.iter().map(|bytes| ("state", *bytes));
    let bencode = BENCODE.iter().map(|bytes| ("bencode", *bytes));
    let torrents = TORRENTS.iter().flat_map(|bytes| [("metainfo", *bytes), ("bencode", *bytes)]);
    for (target, bytes) in
        states.chain(bencode).chain(torrents).chain(OTHERS.iter().chain(FOUND).copied())
    {
        add(target, bytes);
    }
    seeds.extend(at_bounds());
    seeds
}

/// What lies below a bound, on it and beyond: heads, bodies, nesting; paths out of a torrent.
fn at_bounds() -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds: Vec<(&str, Vec<u8>)> = Vec::new();
    let max = HTTP_HEAD_BYTES_MAX;
    for length in [max - 1, max, max + 1, 2 * max] {
        let mut head = b"GET / HTTP/1.1\r\nHost: t\r\nX: ".to_vec();
        head.resize(length - 4, b'x');
        seeds.push(("head", head.clone()));
        seeds.push(("head", [&head[..], b"\r\n\r\n"].concat()));
        let line = format!("GET /{:x<1$} HTTP/1.1\r\nHost: t\r\n\r\n", "", length - 27);
        seeds.push(("head", line.into_bytes()));
    }
    let max = HTTP_BODY_BYTES_MAX;
    for length in [max, max + 1] {
        let body = [format!("{length:x}\r\n").into_bytes(), vec![b'x'; length]];
        seeds.push(("body", [&body.concat()[..], b"\r\n0\r\n\r\n"].concat()));
    }
    for length in [HTTP_CHUNK_LINE_BYTES_MAX, HTTP_CHUNK_LINE_BYTES_MAX + 1] {
        let line = format!("5;{:x<1$}\r\nhello\r\n0\r\n\r\n", "", length - 2);
        seeds.push(("body", line.into_bytes()));
    }
    for depth in [BENCODE_DEPTH_MAX, BENCODE_DEPTH_MAX + 1, 2 * BENCODE_DEPTH_MAX] {
        seeds.push(("bencode", ["l".repeat(depth), "e".repeat(depth)].concat().into_bytes()));
    }
    for path in ["2:..", "1:.", "0:", "4:/etc", "4:a/..", "3:a\0b"] {
        let (files, rest) = ("d4:infod5:filesld6:lengthi1e4:pathl", "12:piece lengthi16384e");
        let pieces = "6:pieces20:aaaaaaaaaaaaaaaaaaaaee";
        let inside = format!("{files}{path}1:aeee4:name1:n{rest}{pieces}");
        let name = format!("d4:infod6:lengthi1e4:name{path}{rest}{pieces}");
        seeds.extend([inside, name].map(|torrent| ("metainfo", torrent.into_bytes())));
    }
    seeds
}

/// The golden packets, from the hex digits of their fields.
fn packets() -> impl Iterator<Item = Vec<u8>> {
    let hex = |digits: &str| {
        let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("hex"));
        pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect::<Vec<u8>>()
    };
    PACKETS.split("\n= ").skip(1).map(move |packet| {
        let fields = packet.lines().skip(1).take_while(|line| !line.is_empty());
        fields.filter_map(|line| line.split_ascii_whitespace().nth(1)).flat_map(hex).collect()
    })
}
