//! Golden torrents, what is refused with which words, every prefix, mutations.

use super::*;

/// Every key of BEP 3, 12, 19 and 27 that a torrent of one file has, each value different. The
/// offset of each line stands before it; libtorrent 2.0 reads all four documents and says the info
/// hashes that stand here.
const SINGLE: &[&[u8]] = &[
    /*   0 */ b"d",
    /*   1 */ b"8:announce30:http://a.example:6969/announce",
    /*  44 */
    b"13:announce-listll30:http://a.example:6969/announceel20:udp://b.example:697019\
               :https://c.example/xee",
    /* 144 */ b"7:comment15:a word about it",
    /* 171 */ b"10:created by8:hand 1.0",
    /* 194 */ b"13:creation datei1795224656e",
    /* 222 */ b"8:encoding5:UTF-8",
    /* 239 */ b"4:infod",
    /* 246 */ b"6:lengthi70001e",
    /* 261 */ b"4:name8:data.bin",
    /* 277 */ b"12:piece lengthi32768e",
    /* 299 */ b"6:pieces60:aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbcccccccccccccccccccc",
    /* 370 */ b"7:privatei1e",
    /* 382 */ b"6:source3:SRCe",
    /* 396 */ b"8:url-list25:http://w.example/data.bin",
    /* 434 */ b"e",
];

/// A folder of files with the attributes of BEP 47, DHT nodes (BEP 5), and keys in two encodings.
const MULTI: &[&[u8]] = &[
    /*   0 */ b"d",
    /*   1 */ b"8:announce20:udp://d.example:6971",
    /*  34 */ b"7:comment4:caf\xe9",
    /*  49 */ b"13:comment.utf-85:caf\xc3\xa9",
    /*  72 */ b"4:infod",
    /*  79 */ b"5:filesl",
    /*  87 */ b"d4:attr1:x6:lengthi5e4:pathl3:bin3:runee",
    /* 127 */ b"d4:attr1:p6:lengthi16379e4:pathl4:.pad5:16379ee",
    /* 174 */ b"d4:attr1:h6:lengthi20000e4:pathl1:\xffe10:path.utf-8l2:\xc3\xbfee",
    /* 230 */ b"d4:attr1:l6:lengthi0e4:pathl4:linke12:symlink pathl3:bin3:runee",
    /* 293 */ b"d6:lengthi7e4:pathl4:raw\xfeeee",
    /* 321 */ b"4:name1:\xe9",
    /* 330 */ b"10:name.utf-82:\xc3\xa9",
    /* 347 */ b"12:piece lengthi16384e",
    /* 369 */ b"6:pieces60:ddddddddddddddddddddeeeeeeeeeeeeeeeeeeeeffffffffffffffffffffe",
    /* 441 */ b"5:nodesll8:10.0.0.1i6881eel3:::1i6882eee",
    /* 481 */ b"8:url-listl19:http://w.example/1/18:ftp://w.example/2/e",
    /* 536 */ b"e",
];

/// A torrent of v2 alone (BEP 52): the pieces of `big` hash to `^\xdeh`..., made by hand from
/// three hashes of As, Bs and Cs and one of nothing.
const V2: &[&[u8]] = &[
    /*   0 */ b"d",
    /*   1 */ b"4:infod",
    /*   8 */ b"9:file treed",
    /*  20 */
    b"3:bigd0:d6:lengthi70001e11:pieces root32:^\xdehq\x85\x8ft\xb5\x81\xc1\xe1^\xb6\
               t\xa6zv\xd5\x18:\xdfE\xf04T\xf4\xd7f\x8a\x8bB\xcfee",
    /*  95 */ b"3:dird",
    /* 101 */ b"5:emptyd0:d6:lengthi0eee",
    /* 125 */
    b"5:smalld0:d4:attr1:x6:lengthi9e11:pieces root32:SSSSSSSSSSSSSSSSSSSSSSSSSSSSSS\
               SSeeee",
    /* 209 */ b"12:meta versioni2e",
    /* 227 */ b"4:name3:two",
    /* 238 */ b"12:piece lengthi32768ee",
    /* 261 */
    b"12:piece layersd32:^\xdehq\x85\x8ft\xb5\x81\xc1\xe1^\xb6t\xa6zv\xd5\x18:\xdfE\
               \xf04T\xf4\xd7f\x8a\x8bB\xcf96:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABBBBBBBBBBBBBBB\
               BBBBBBBBBBBBBBBBBCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCe",
    /* 412 */ b"e",
];

/// The files of [`V2`] in v1 and v2 at once.
const HYBRID: &[&[u8]] = &[
    /*   0 */ b"d",
    /*   1 */ b"4:infod",
    /*   8 */ b"9:file treed",
    /*  20 */
    b"3:bigd0:d6:lengthi70001e11:pieces root32:^\xdehq\x85\x8ft\xb5\x81\xc1\xe1^\xb6\
               t\xa6zv\xd5\x18:\xdfE\xf04T\xf4\xd7f\x8a\x8bB\xcfee",
    /*  95 */ b"3:dird",
    /* 101 */ b"5:emptyd0:d6:lengthi0eee",
    /* 125 */
    b"5:smalld0:d4:attr1:x6:lengthi9e11:pieces root32:SSSSSSSSSSSSSSSSSSSSSSSSSSSSSS\
               SSeeee",
    /* 209 */ b"5:filesl",
    /* 217 */ b"d6:lengthi70001e4:pathl3:bigee",
    /* 247 */ b"d4:attr1:p6:lengthi28303e4:pathl4:.pad5:28303ee",
    /* 294 */ b"d6:lengthi0e4:pathl3:dir5:emptyee",
    /* 327 */ b"d4:attr1:x6:lengthi9e4:pathl3:dir5:smalleee",
    /* 370 */ b"12:meta versioni2e",
    /* 388 */ b"4:name4:both",
    /* 400 */ b"12:piece lengthi32768e",
    /* 422 */
    b"6:pieces80:gggggggggggggggggggghhhhhhhhhhhhhhhhhhhhiiiiiiiiiiiiiiiiiiiijjjjjjj\
               jjjjjjjjjjjjje",
    /* 514 */
    b"12:piece layersd32:^\xdehq\x85\x8ft\xb5\x81\xc1\xe1^\xb6t\xa6zv\xd5\x18:\xdfE\
               \xf04T\xf4\xd7f\x8a\x8bB\xcf96:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABBBBBBBBBBBBBBB\
               BBBBBBBBBBBBBBBBBCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCe",
    /* 665 */ b"e",
];

/// The root of the hash tree of `big` in [`V2`], computed by other means.
const ROOT: [u8; 32] =
    *b"^\xdehq\x85\x8ft\xb5\x81\xc1\xe1^\xb6t\xa6zv\xd5\x18:\xdfE\xf04T\xf4\xd7f\x8a\x8bB\xcf";

fn parsed(bytes: &[u8]) -> Metainfo {
    Metainfo::parse(bytes).unwrap_or_else(|error| panic!("{error}: {}", bytes.escape_ascii()))
}

fn error_of(bytes: &[u8]) -> String {
    Metainfo::parse(bytes).expect_err("no torrent").to_string()
}

fn hash(hex: &str) -> InfoHash {
    InfoHash::from_hex(hex.as_bytes()).expect("40 digits")
}

/// A file without attributes.
fn file(path: &[u8], range: Range<u64>) -> File {
    File {
        path: path.to_vec(),
        range,
        padding: false,
        executable: false,
        hidden: false,
        symlink: None,
        pieces_root: None,
    }
}

/// One without any trackers, to compare with.
fn nothing() -> Metainfo {
    Metainfo {
        info_hash_v1: None,
        info_hash_v2: None,
        name: Vec::new(),
        files: Vec::new(),
        piece_length: 0,
        pieces: Vec::new(),
        private: false,
        source: None,
        announce: None,
        tiers: Vec::new(),
        web_seeds: Vec::new(),
        nodes: Vec::new(),
        comment: None,
        created_by: None,
        creation_date: None,
        encoding: None,
        noted: Vec::new(),
    }
}

#[test]
fn a_golden_torrent_of_one_file_is_read_field_by_field() {
    let metainfo = parsed(&SINGLE.concat());
    let tiers: [&[&str]; 2] =
        [&["http://a.example:6969/announce"], &["udp://b.example:6970", "https://c.example/x"]];
    let wanted = Metainfo {
        info_hash_v1: Some(hash("dc91dab3fa0e624cbf1dd0fbee0f8724c204ac84")),
        name: b"data.bin".to_vec(),
        files: vec![file(b"", 0..70001)],
        piece_length: 32768,
        pieces: vec![[b'a'; 20], [b'b'; 20], [b'c'; 20]],
        private: true,
        source: Some(b"SRC".to_vec()),
        announce: Some("http://a.example:6969/announce".to_owned()),
        tiers: tiers.map(|tier| tier.iter().map(|url| (*url).to_owned()).collect()).to_vec(),
        web_seeds: vec!["http://w.example/data.bin".to_owned()],
        comment: Some(b"a word about it".to_vec()),
        created_by: Some(b"hand 1.0".to_vec()),
        creation_date: Some(1_795_224_656),
        encoding: Some(b"UTF-8".to_vec()),
        ..nothing()
    };
    assert_eq!(metainfo, wanted);
    assert!(metainfo.is_single_file());
    assert_eq!((metainfo.length(), metainfo.size(), metainfo.piece_count()), (70001, 70001, 3));
    assert_eq!(metainfo.info_hash(), hash("dc91dab3fa0e624cbf1dd0fbee0f8724c204ac84"));
    assert_eq!(metainfo.flaws(), [""; 0]);
}

#[test]
fn a_golden_torrent_of_several_files_is_read_field_by_field() {
    let metainfo = parsed(&MULTI.concat());
    let wanted = Metainfo {
        info_hash_v1: Some(hash("a6a3a1b0b7ae727d54041b4f8e1f4222b43fef1c")),
        name: "\u{e9}".as_bytes().to_vec(),
        files: vec![
            File { executable: true, ..file(b"bin/run", 0..5) },
            File { padding: true, ..file(b".pad/16379", 5..16384) },
            File { hidden: true, ..file("\u{ff}".as_bytes(), 16384..36384) },
            File { symlink: Some(b"bin/run".to_vec()), ..file(b"link", 36384..36384) },
            file(b"raw\xfe", 36384..36391),
        ],
        piece_length: 16384,
        pieces: vec![[b'd'; 20], [b'e'; 20], [b'f'; 20]],
        announce: Some("udp://d.example:6971".to_owned()),
        tiers: vec![vec!["udp://d.example:6971".to_owned()]],
        web_seeds: ["http://w.example/1/", "ftp://w.example/2/"].map(str::to_owned).to_vec(),
        nodes: ["10.0.0.1:6881", "[::1]:6882"].map(str::to_owned).to_vec(),
        comment: Some("caf\u{e9}".as_bytes().to_vec()),
        ..nothing()
    };
    assert_eq!(metainfo, wanted);
    assert!(!metainfo.is_single_file());
    assert_eq!((metainfo.length(), metainfo.size(), metainfo.piece_count()), (36391, 20012, 3));
    assert_eq!(metainfo.files[2].length(), 20000);
    let foreign = r"path: not UTF-8: programs will show it differently: raw\xfe";
    assert_eq!(metainfo.flaws(), [foreign]);
}

#[test]
fn a_golden_torrent_of_v2_is_read_field_by_field() {
    let metainfo = parsed(&V2.concat());
    let v2 = "a9d984975f95665e84d81f7fb2d798e574bc401815b335dc7ab298957375abb1";
    assert_eq!(metainfo.info_hash_v2.map(|hash| hash.to_string()).as_deref(), Some(v2));
    let wanted = Metainfo {
        info_hash_v2: metainfo.info_hash_v2,
        name: b"two".to_vec(),
        files: vec![
            File { pieces_root: Some(ROOT), ..file(b"big", 0..70001) },
            file(b"dir/empty", 70001..70001),
            File {
                executable: true,
                pieces_root: Some([b'S'; 32]),
                ..file(b"dir/small", 98304..98313)
            },
        ],
        piece_length: 32768,
        ..nothing()
    };
    assert_eq!(metainfo, wanted);
    assert_eq!((metainfo.length(), metainfo.size(), metainfo.piece_count()), (98313, 70010, 4));
    assert_eq!(metainfo.info_hash(), hash(&v2[..40]), "what trackers know it by");
}

#[test]
fn a_golden_hybrid_is_read_field_by_field() {
    let metainfo = parsed(&HYBRID.concat());
    let v2 = "e05e42255bfab9b6772cd7a12d7c6eb6615f809cc5e9992ebe24de29c1fe3381";
    assert_eq!(metainfo.info_hash_v2.map(|hash| hash.to_string()).as_deref(), Some(v2));
    let wanted = Metainfo {
        info_hash_v1: Some(hash("d9ba78c4afaada7d213319edeb370f5312c5a9db")),
        info_hash_v2: metainfo.info_hash_v2,
        name: b"both".to_vec(),
        files: vec![
            File { pieces_root: Some(ROOT), ..file(b"big", 0..70001) },
            File { padding: true, ..file(b".pad/28303", 70001..98304) },
            file(b"dir/empty", 98304..98304),
            File {
                executable: true,
                pieces_root: Some([b'S'; 32]),
                ..file(b"dir/small", 98304..98313)
            },
        ],
        piece_length: 32768,
        pieces: vec![[b'g'; 20], [b'h'; 20], [b'i'; 20], [b'j'; 20]],
        ..nothing()
    };
    assert_eq!(metainfo, wanted);
    assert_eq!((metainfo.length(), metainfo.size(), metainfo.piece_count()), (98313, 70010, 4));
    assert_eq!(metainfo.info_hash(), hash("d9ba78c4afaada7d213319edeb370f5312c5a9db"));
}

#[test]
fn every_prefix_of_a_golden_torrent_is_an_error() {
    for golden in [SINGLE, MULTI, V2, HYBRID] {
        let golden = golden.concat();
        for length in 0..golden.len() {
            let error = error_of(&golden[..length]);
            assert!(error.ends_with(": the input ends within a value"), "{length}: {error}");
        }
    }
}

#[test]
fn no_mutation_of_a_golden_torrent_makes_reading_or_judging_it_panic() {
    let mut random = fastrand::Rng::with_seed(52);
    let mut read = 0;
    for round in 0..20_000 {
        let mut bytes = [SINGLE, MULTI, V2, HYBRID][round % 4].concat();
        for _ in 0..=random.usize(..3) {
            let at = random.usize(..bytes.len());
            match random.u8(..4) {
                0 => bytes[at] = random.u8(..),
                1 => bytes[at] = b"0123456789dlei:-./"[random.usize(..18)],
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, random.u8(b' '..b'~')),
            }
        }
        if let Ok(metainfo) = Metainfo::parse(&bytes) {
            read += 1;
            let flaws = metainfo.flaws();
            assert!(flaws.iter().all(|flaw| !flaw.chars().any(char::is_control)), "{flaws:?}");
            assert!(metainfo.files.iter().all(|file| file.range.end <= metainfo.length()));
        }
    }
    assert!(read > 1000, "some mutations stay torrents: {read}");
}
