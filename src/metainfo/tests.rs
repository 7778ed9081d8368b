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

/// A torrent of one tracker whose info dictionary has these entries.
fn torrent(info: &[u8]) -> Vec<u8> {
    [b"d8:announce15:udp://a.example4:infod", info, b"ee"].concat()
}

/// A torrent of one file with one piece, and these entries of the outer dictionary, at their place.
fn torrent_with(outer: &[u8]) -> Vec<u8> {
    let info = b"6:lengthi1e4:name1:n12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaa";
    let key = outer.splitn(2, |byte| *byte == b':').nth(1).unwrap_or_default();
    let (before, after) = if key < &b"info"[..] { (outer, &b""[..]) } else { (&b""[..], outer) };
    [b"d8:announce15:udp://a.example", before, b"4:infod", &info[..], b"e", after, b"e"].concat()
}

/// Pieces for up to 16 KiB, and what stands between files and them.
const ONE_PIECE: &str = "4:name1:n12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaa";

/// A torrent of these entries of `files`, of up to 16 KiB in all.
fn torrent_of_files(files: &str) -> Vec<u8> {
    torrent(format!("5:filesl{files}e{ONE_PIECE}").as_bytes())
}

#[test]
fn what_is_missing_or_of_the_wrong_kind_is_named() {
    let v1 = "6:lengthi1e4:name1:n12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaa";
    for (info, wanted) in [
        ("", "info.name: missing"),
        ("4:namei7e", "info.name: an integer, not a byte string"),
        ("4:name1:n", "info.piece length: missing"),
        ("4:name1:n12:piece length1:x", "info.piece length: a byte string, not an integer"),
        ("4:name1:n12:piece lengthi1e", "info.pieces: missing"),
        ("4:name1:n12:piece lengthi1e6:piecesle", "info.pieces: a list, not a byte string"),
        ("4:name1:n12:piece lengthi1e6:pieces0:", "info.length: missing, and files too"),
        (&v1.replace("6:lengthi1e", "6:lengthde"), "info.length: a dictionary, not an integer"),
        (&v1.replace("6:lengthi1e", "5:filesi1e"), "info.files: an integer, not a list"),
        (&format!("5:filesle{v1}"), "info.files: stands beside length"),
        (&format!("{v1}7:private1:1"), "info.private: a byte string, not an integer"),
        (&format!("{v1}6:sourcei1e"), "info.source: an integer, not a byte string"),
        (&format!("{v1}6:lengthi2e"), "info.length: stands there twice"),
    ] {
        assert_eq!(error_of(&torrent(info.as_bytes())), wanted);
    }
    for (files, wanted) in [
        ("i1e", "info.files[0]: an integer, not a dictionary"),
        ("d6:lengthi1e4:pathl1:aeede", "info.files[1].length: missing"),
        ("d6:lengthi1ee", "info.files[0].path: missing"),
        ("d6:lengthi1e4:path1:ae", "info.files[0].path: a byte string, not a list"),
        ("d6:lengthi1e4:pathli1eee", "info.files[0].path: an integer, not a byte string"),
        ("d6:lengthi1e4:pathlee", "info.files[0].path: an empty list"),
        ("d4:attri1e6:lengthi1e4:pathl1:aee", "info.files[0].attr: an integer, not a byte string"),
    ] {
        assert_eq!(error_of(&torrent_of_files(files)), wanted);
    }
    for (bytes, wanted) in [
        (&b""[..], "not bencode: byte 0: the input ends within a value"),
        (b"<!DOCTYPE html>", "not bencode: byte 0: no value begins with '<'"),
        (b"le", "the file: a list, not a dictionary"),
        (b"de", "info: missing"),
        (b"d4:info1:xe", "info: a byte string, not a dictionary"),
        (b"d4:infode4:infodee", "info: stands there twice"),
        (b"d4:infod1:ade1:adeee", "info: its byte 6: a key that stands twice"),
        (b"d4:infod1:xd1:bi1e1:ai1e1:bi1eeee", "info: its byte 17: a key that stands twice"),
        (b"d4:infode1:ai1e4:infodee", "info: stands there twice"),
    ] {
        assert_eq!(error_of(bytes), wanted);
    }
}

#[test]
fn what_is_of_the_wrong_kind_beside_the_info_dictionary_is_told_and_passed_over() {
    let whole = parsed(&torrent_with(b""));
    for (outer, wanted) in [
        ("7:commenti1e", "comment: an integer, not a byte string"),
        ("13:comment.utf-8i1e", "comment.utf-8: an integer, not a byte string"),
        ("13:creation date10:1795224656", "creation date: a byte string, not an integer"),
        ("10:created byle", "created by: a list, not a byte string"),
        ("8:encodingi8e", "encoding: an integer, not a byte string"),
        ("13:announce-list1:x", "announce-list: a byte string, not a list"),
        ("13:announce-listli1ei2ee", "announce-list: an integer, not a list"),
        ("13:announce-listlli1eleee", "announce-list: an integer, not a byte string"),
        ("8:url-listi1e", "url-list: an integer, not a list or a byte string"),
        ("8:url-listllei1ee", "url-list: a list, not a byte string"),
        ("5:nodesi1e", "nodes: an integer, not a list"),
        ("5:nodesl1:xe", "nodes: not all of them are lists of a host and a port"),
        ("5:nodesll1:x4:6881ee", "nodes: not all of them are lists of a host and a port"),
        ("5:nodesll1:xi1ei2eee", "nodes: not all of them are lists of a host and a port"),
    ] {
        let metainfo = parsed(&torrent_with(outer.as_bytes()));
        assert_eq!(metainfo.flaws(), [wanted], "{outer}");
        assert_eq!(Metainfo { noted: Vec::new(), ..metainfo }, whole, "{outer}");
    }
    let info = format!("4:infod6:lengthi1e{ONE_PIECE}ee");
    let flaws = flaws_of(format!("d8:announcel1:ae{info}").as_bytes());
    assert_eq!(flaws[0], "announce: a list, not a byte string");
    // The rest of the list is read.
    let some = parsed(&torrent_with(b"5:nodesll1:x1:yel1:xi1eei7ee"));
    assert_eq!(some.nodes, ["x:1"]);
    let some = parsed(&torrent_with(b"13:announce-listli1el15:udp://a.exampleee"));
    assert_eq!(some.tiers, [["udp://a.example"]]);
}

#[test]
fn no_path_leads_out_of_the_torrents_folder() {
    for (component, problem) in [
        ("0:", r#""": an empty name"#),
        ("1:.", r#"".": leads out of its folder"#),
        ("2:..", r#""..": leads out of its folder"#),
        ("4:/etc", r#""/etc": a slash within a name"#),
        ("6:a/../b", r#""a/../b": a slash within a name"#),
        ("3:a\0b", r#""a\x00b": a zero byte within a name"#),
    ] {
        let within = torrent_of_files(&format!("d6:lengthi1e4:pathl1:a{component}1:bee"));
        assert_eq!(error_of(&within), format!("info.files[0].path: {problem}"));
        let files = format!("d6:lengthi1e4:pathl1:ae10:path.utf-8l{component}ee");
        let wanted = format!("info.files[0].path.utf-8: {problem}");
        assert_eq!(error_of(&torrent_of_files(&files)), wanted);
        // A link may name its own folder.
        if component != "1:." {
            let files = format!("d6:lengthi1e4:pathl1:ae12:symlink pathl{component}ee");
            let wanted = format!("info.files[0].symlink path: {problem}");
            assert_eq!(error_of(&torrent_of_files(&files)), wanted);
        }
        let name = format!("6:lengthi1e{}", ONE_PIECE.replace("1:n", component));
        assert_eq!(error_of(&torrent(name.as_bytes())), format!("info.name: {problem}"));
        let name = format!(
            "6:lengthi1e{}",
            ONE_PIECE.replace("1:n", &format!("1:n10:name.utf-8{component}"))
        );
        assert_eq!(error_of(&torrent(name.as_bytes())), format!("info.name.utf-8: {problem}"));
        let tree = format!(
            "9:file treed1:ad{component}d0:d6:lengthi0eeeee12:meta versioni2e4:name1:n\
             12:piece lengthi16384e"
        );
        // An empty name is a file's description there.
        if component != "0:" {
            assert_eq!(error_of(&torrent(tree.as_bytes())), format!("info.file tree: {problem}"));
        }
    }
    let long = "x".repeat(3000);
    let files = format!("d6:lengthi1e4:pathl3000:{long}3000:{long}ee");
    let wanted = "info.files[0].path: longer than 4096 bytes";
    assert_eq!(error_of(&torrent_of_files(&files)), wanted);
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    let one = |length: &str, piece_length: &str| {
        let rest = ONE_PIECE.replace("i16384e", piece_length);
        error_of(&torrent(format!("6:length{length}{rest}").as_bytes()))
    };
    assert_eq!(one("i-5e", "i16384e"), "info.length: -5: no length is negative");
    assert_eq!(one("i1e", "i-1e"), "info.piece length: -1: no length is negative");
    assert_eq!(one("i1e", "i0e"), "info.piece length: 0: expected 1 to 1073741824");
    let wanted = "info.piece length: 1073741825: expected 1 to 1073741824";
    assert_eq!(one("i1e", "i1073741825e"), wanted);
    assert_eq!(one("i16385e", "i16384e"), "info.pieces: 20 bytes for 2 pieces of 20");
    assert_eq!(one("i0e", "i16384e"), "info.pieces: 20 bytes for 0 pieces of 20");
    let wanted = "info.pieces: 20 bytes for 562949953421312 pieces of 20";
    assert_eq!(one("i9223372036854775807e", "i16384e"), wanted);
    let wanted = "not bencode: byte 44: an integer outside of -9223372036854775808 to \
                  9223372036854775807";
    assert_eq!(one("i9223372036854775808e", "i16384e"), wanted);
    let two = "d6:lengthi9223372036854775807e4:pathl1:aeed6:lengthi1e4:pathl1:bee";
    assert_eq!(
        error_of(&torrent_of_files(two)),
        "info.files[1].length: 1: more than 9223372036854775807 bytes in all"
    );
    // Padding of a byte less than a piece, in two files, is as much as there ever is.
    let padding = |first: u32| {
        let padding = |length| format!("d4:attr1:p6:lengthi{length}e4:pathl1:pee");
        let files = format!("d6:lengthi1e4:pathl1:aee{}{}", padding(first), padding(100));
        torrent_of_files(&files)
    };
    assert_eq!(flaws_of(&padding(16283)), [""; 0]);
    let wanted = "info.files[2].length: 100: a whole piece of padding, or more";
    assert_eq!(error_of(&padding(16284)), wanted);
    let wanted = "info.files[1].length: 1099511627775: a whole piece of padding, or more";
    let files = "d6:lengthi1e4:pathl1:aeed4:attr1:p6:lengthi1099511627775e4:pathl1:pee";
    let piece = ONE_PIECE.replace("i16384e", "i1073741824e");
    assert_eq!(error_of(&torrent(format!("5:filesl{files}e{piece}").as_bytes())), wanted);
    let odd = "6:lengthi1e4:name1:n12:piece lengthi16384e6:pieces21:aaaaaaaaaaaaaaaaaaaab";
    assert_eq!(error_of(&torrent(odd.as_bytes())), "info.pieces: 21 bytes: no multiple of 20");
}

/// The golden torrent with one of its parts replaced.
fn replaced(golden: &[&[u8]], from: &[u8], to: &[u8]) -> Vec<u8> {
    let golden = golden.concat();
    let at = golden.windows(from.len()).position(|bytes| bytes == from);
    let at = at.unwrap_or_else(|| panic!("{} is there", from.escape_ascii()));
    [&golden[..at], to, &golden[at + from.len()..]].concat()
}

#[test]
fn a_torrent_of_v2_must_be_whole() {
    for (from, to, wanted) in [
        (&b"versioni2e"[..], &b"versioni3e"[..], "info.meta version: 3, not 2"),
        (b"9:file treed", b"9:file treXd", "info.file tree: missing"),
        (
            b"6:lengthi9e",
            b"6:lengthi-9e",
            "info.file tree: \"dir/small\": length: -9: no length is negative",
        ),
        (b"6:lengthi0e", b"6:lengthi1e", "info.file tree: \"dir/empty\": pieces root: missing"),
        (
            b"32:SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS",
            b"2:SS",
            "info.file tree: \"dir/small\": pieces root: 2 bytes, not 32",
        ),
        (
            b"0:d6:lengthi0ee",
            b"0:d6:lengthi0ee1:xi1e",
            "info.file tree: \"dir/empty\": a file and a folder at once",
        ),
        (
            b"d0:d6:lengthi0eee",
            b"i1e",
            "info.file tree: \"dir/empty\": an integer, not a dictionary",
        ),
        (
            b"i32768e",
            b"i32769e",
            "info.piece length: 32769: v2 needs a power of two, 16384 at the least",
        ),
        (
            b"i32768e",
            b"i8192e",
            "info.piece length: 8192: v2 needs a power of two, 16384 at the least",
        ),
        (
            b"AAAAB",
            b"AAABB",
            "piece layers: of \"big\": not the hashes that the info dictionary means",
        ),
        (b"96:AAAA", b"92:", "piece layers: of \"big\": 92 bytes for 3 pieces of 32"),
        (
            b"12:piece layersd",
            b"1:xi1e12:piece layersi1e1:yd",
            "piece layers: an integer, not a dictionary",
        ),
    ] {
        assert_eq!(error_of(&replaced(V2, from, to)), wanted);
    }
    let big = [&b"d32:"[..], &ROOT, b"96:"].concat();
    let list = [&b"d32:"[..], &ROOT, b"le1:x96:"].concat();
    let error = error_of(&replaced(V2, &big, &list));
    assert_eq!(error, "piece layers: of \"big\": not a byte string");
}

#[test]
fn a_layer_is_padded_to_a_power_of_two_with_hashes_of_nothing() {
    // Of As, Bs, Cs, Ds and Es in pieces of 32 KiB, computed by other means.
    let root = b"\xc5\x97\x3e\xf5\x9e\xb8\x08\xfc\x28\xb9\xae\xfc\xf0\xbb\x51\x25\
          \xa3\xfb\x90\x6a\x04\x4e\xef\xde\xe6\x0c\x4d\x0e\xfe\x9c\x2b\xde";
    let with = |hashes: &[u8]| {
        let info = b"9:file treed1:nd0:d6:lengthi163840e11:pieces root32:";
        let rest = b"eee12:meta versioni2e4:name1:n12:piece lengthi32768e";
        let layers = [b"e12:piece layersd32:", &root[..], b"160:", hashes, b"ee"].concat();
        [b"d8:announce15:udp://a.example4:infod", &info[..], root, rest, &layers].concat()
    };
    let hashes = [b'A', b'B', b'C', b'D', b'E'].map(|letter| [letter; 32]).concat();
    assert_eq!(flaws_of(&with(&hashes)), [""; 0]);
    let hashes = [b'A', b'B', b'C', b'D', b'F'].map(|letter| [letter; 32]).concat();
    let wanted = "piece layers: not the hashes that the info dictionary means";
    assert_eq!(error_of(&with(&hashes)), wanted);
}

#[test]
fn the_two_halves_of_a_hybrid_must_agree() {
    for (from, to, path) in [
        ("6:lengthi9e4:path", "6:lengthi8e4:path", "dir/small"),
        ("pathl3:big", "pathl3:bag", "bag"),
        ("d6:lengthi0e4:pathl3:dir5:emptyee", "", "dir/small"),
        (
            "d4:attr1:x6:lengthi9e4:pathl3:dir5:smallee",
            "d4:attr1:p6:lengthi9e4:pathl1:pee",
            "dir/small",
        ),
        (
            "d6:lengthi0e4:pathl3:dir5:emptyee",
            "d6:lengthi0e4:pathl3:dir5:emptyeed6:lengthi0e4:pathl1:zee",
            "z",
        ),
    ] {
        let error = error_of(&replaced(HYBRID, from.as_bytes(), to.as_bytes()));
        let wanted = format!("info.files: does not agree with the file tree: \"{path}\"");
        assert_eq!(error, wanted);
    }
}

#[test]
fn a_file_tree_of_one_file_of_the_torrents_name_is_that_file() {
    let v2 = b"9:file treed1:nd0:d6:lengthi0eeee12:meta versioni2e4:name1:n12:piece lengthi16384e";
    let metainfo = parsed(&torrent(v2));
    assert_eq!(metainfo.files, [file(b"", 0..0)]);
    assert!(metainfo.is_single_file());
    let v2 = b"9:file treed1:md0:d6:lengthi0eeee12:meta versioni2e4:name1:n12:piece lengthi16384e";
    assert_eq!(parsed(&torrent(v2)).files, [file(b"m", 0..0)]);
}

#[test]
fn a_symbolic_link_need_not_say_its_length() {
    let link = "d4:attr1:l4:pathl1:ae12:symlink pathl1:beed6:lengthi1e4:pathl1:bee";
    let metainfo = parsed(&torrent_of_files(link));
    let wanted = File { symlink: Some(b"b".to_vec()), ..file(b"a", 0..0) };
    assert_eq!(metainfo.files, [wanted, file(b"b", 0..1)]);
}

#[test]
fn a_symbolic_link_leads_from_the_root_or_else_from_its_folder() {
    let at = |link: &str, to: &str| {
        let real = ["a", "sub/a", "sub/b", "only/deep/x", "sub/sub/c"]
            .map(|path| format!("d6:lengthi1e4:pathl{}ee", strings(path.split('/'))));
        let to = strings(to.split('/'));
        let link = strings(link.split('/'));
        let link = format!("d4:attr1:l6:lengthi0e4:pathl{link}e12:symlink pathl{to}ee");
        torrent_of_files(&(real.concat() + &link))
    };
    // libtorrent 2.0.8 says the same of each, but for the torrent's own folder, which it refuses.
    for (link, to, wanted) in [
        ("sub/l", "../a", "a"),
        ("sub/l", "a", "a"),
        ("sub/l", "b", "sub/b"),
        ("sub/l", "sub/b", "sub/b"),
        ("sub/l", "sub/c", "sub/sub/c"),
        ("sub/l", "../only", "only"),
        ("sub/l", "only", "only"),
        ("sub/l", "only/deep", "only/deep"),
        ("sub/sub/l", "../b", "sub/b"),
        ("l", "sub/./b", "sub/b"),
        ("l", "l", "l"),
        ("sub/l", "..", ""),
    ] {
        let metainfo = parsed(&at(link, to));
        let found = metainfo.files[5].symlink.as_deref();
        assert_eq!(found, Some(wanted.as_bytes()), "{link} -> {to}");
    }
    for (link, to) in [("l", "../a"), ("sub/l", "../../etc"), ("sub/l", "../../sub/b")] {
        let wanted = r#"info.files[5].symlink path: "..": leads out of its folder"#;
        assert_eq!(error_of(&at(link, to)), wanted, "{link} -> {to}");
    }
    let empty = "d6:lengthi0e4:pathl1:ae12:symlink pathlee";
    let wanted = "info.files[0].symlink path: an empty list";
    assert_eq!(error_of(&torrent_of_files(empty)), wanted);
}

#[test]
fn bombs_and_absurd_sizes_are_refused_at_their_bounds() {
    let deep = [b"d1:a".as_slice(), &b"l".repeat(100_000)].concat();
    assert_eq!(error_of(&deep), "not bencode: byte 35: nested deeper than 32");
    let folders = |count: usize| {
        let tree = "1:ad".repeat(count) + "1:bd0:d6:lengthi0eeee" + &"e".repeat(count);
        let rest = "12:meta versioni2e4:name1:n12:piece lengthi16384e";
        torrent(format!("9:file treed{tree}{rest}").as_bytes())
    };
    assert_eq!(parsed(&folders(27)).files.len(), 1);
    assert_eq!(error_of(&folders(28)), "not bencode: byte 166: nested deeper than 32");

    let large = vec![b'0'; METAINFO_BYTES_MAX + 1];
    let wanted = "67108865 bytes: no torrent file is larger than 67108864";
    assert_eq!(error_of(&large), wanted);

    let trackers = |count: usize| {
        torrent_with(format!("13:announce-listl{}e", "l1:ae".repeat(count)).as_bytes())
    };
    assert_eq!(parsed(&trackers(10_000)).tiers.len(), 10_000);
    assert_eq!(error_of(&trackers(10_001)), "announce-list: more than 10000");
    let seeds = torrent_with(format!("8:url-listl{}e", "1:a".repeat(10_001)).as_bytes());
    assert_eq!(error_of(&seeds), "url-list: more than 10000");
    let nodes = torrent_with(format!("5:nodesl{}e", "l1:ai1ee".repeat(10_001)).as_bytes());
    assert_eq!(error_of(&nodes), "nodes: more than 10000");

    // A folder's long name stands there once and in each of its files' paths.
    let long = "x".repeat(4000);
    let files: Vec<_> = (0..17_000).map(|n| format!("5:{n:05}d0:d6:lengthi0eee")).collect();
    let files = files.concat();
    let rest = "12:meta versioni2e4:name1:n12:piece lengthi16384e";
    let tree = torrent(format!("9:file treed4000:{long}d{files}ee{rest}").as_bytes());
    let wanted = "length: too much to read after 16752 files";
    assert!(error_of(&tree).ends_with(wanted), "{}", error_of(&tree));
}

#[test]
fn keys_out_of_order_and_trailing_bytes_are_read_and_told() {
    let info = "4:name1:n6:lengthi1e12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaa";
    let bytes = format!("d4:infod{info}e8:announce15:udp://a.exampleetail");
    let metainfo = parsed(bytes.as_bytes());
    // By sha1sum, over the bytes as they stand.
    let wanted = hash("17a5b96d9ca86b823a58a22b2551246544281b38");
    assert_eq!(metainfo.info_hash_v1, Some(wanted));
    assert_eq!(metainfo.announce.as_deref(), Some("udp://a.example"));
    assert_eq!(
        metainfo.flaws(),
        ["byte 17: a key out of order", "byte 111: more bytes after the end"]
    );
}

#[test]
fn a_key_twice_beside_the_info_dictionary_is_told_where_nobody_reads_it() {
    let info = format!("4:infod6:lengthi1e{ONE_PIECE}e");
    let bytes = format!("d1:ai1e1:ai2e8:announce15:udp://a.example{info}e");
    assert_eq!(flaws_of(bytes.as_bytes()), ["byte 7: a key that stands twice"]);
    let bytes = format!("d8:announce15:udp://a.example8:announce15:udp://b.example{info}e");
    assert_eq!(error_of(bytes.as_bytes()), "announce: stands there twice");
}

/// What stands in a list of these strings.
fn strings<'s>(strings: impl Iterator<Item = &'s str>) -> String {
    strings.map(|string| format!("{}:{string}", string.len())).collect::<Vec<_>>().concat()
}

/// The flaws of a torrent, which must be one.
fn flaws_of(bytes: &[u8]) -> Vec<String> {
    parsed(bytes).flaws()
}

#[test]
fn what_is_wrong_with_trackers_is_told() {
    let of = |outer: &str| flaws_of(&torrent_with(outer.as_bytes()));
    let not_there =
        "announce: udp://a.example: not in announce-list, which clients read instead (BEP 12)";
    assert_eq!(of(""), [""; 0]);
    for (outer, wanted) in [
        ("13:announce-listllee", &[][..]),
        ("13:announce-listll0:1: ee", &[]),
        ("13:announce-listll15:udp://a.exampleee", &[]),
        (
            "13:announce-listl15:udp://a.examplee",
            &["announce-list: a list of trackers, not of tiers"],
        ),
        ("13:announce-listll15:WSS://b.exampleee", &[not_there]),
        (
            "13:announce-listll5:ftp:/15:udp://a.exampleee",
            &["announce: neither http, https, udp nor wss: ftp:/"],
        ),
        (
            "13:announce-listll11:udp://a/\x1b\u{e9}ee",
            &["announce-list: not a URL: udp://a/\\u{1b}\u{e9}", not_there],
        ),
        ("8:url-listl0:e", &[]),
        (
            "13:announce-listll15:udp://a.exampleel5:udp:/15:udp://a.exampleee",
            &[
                "announce: neither http, https, udp nor wss: udp:/",
                "announce: stands there twice: udp://a.example",
            ],
        ),
        ("8:url-list12:ftp://a/ b\\c", &["url-list: not a URL: ftp://a/ b\\\\c"]),
        (
            "8:url-listl13:javascript:a(11:HTTPS://a/be",
            &["url-list: neither http, https nor ftp: javascript:a("],
        ),
        ("13:creation datei253402300799e", &[]),
        ("13:creation datei253402300800e", &["creation date: 253402300800: after the year 9999"]),
        ("7:privatei1e", &["private: stands outside of info, where it means nothing"]),
        ("13:creation datei-1e", &["creation date: -1: before 1970"]),
    ] {
        assert_eq!(of(outer), wanted, "{outer}");
    }
    let none = |private: &str| format!("d4:infod6:lengthi1e{ONE_PIECE}7:privatei{private}eee");
    assert_eq!(
        flaws_of(none("0").as_bytes()),
        ["announce: no tracker, its clients find each other through the DHT alone"]
    );
    assert_eq!(
        flaws_of(none("1").as_bytes()),
        ["announce: no tracker, and private: its clients cannot find each other"]
    );
    assert_eq!(flaws_of(none("7").as_bytes())[0], "info.private: 7: only 1 means private");
}

#[test]
fn a_url_is_ascii_whatever_stands_there_and_is_escaped_once() {
    let url = "http://\u{e4}.example/a\\b \u{202e}".as_bytes();
    let list = [b"13:announce-listll35:", url, b"\xfe/announceee"].concat();
    let metainfo = parsed(&torrent_with(&list));
    let wanted = "http://%C3%A4.example/a\\b%20%E2%80%AE%FE/announce";
    assert_eq!(metainfo.tiers, [[wanted]]);
    assert_eq!(
        metainfo.flaws()[0],
        "announce-list: not a URL: http://\u{e4}.example/a\\\\b \\u{202e}\\xfe/announce"
    );
}

#[test]
fn thousands_of_bad_trackers_are_three_and_a_number() {
    let list: Vec<String> = (1000..10_000).map(|n| format!("7:x\u{e9}{n}")).collect();
    let flaws =
        flaws_of(&torrent_with(format!("13:announce-listll{}ee", list.concat()).as_bytes()));
    assert_eq!(flaws.len(), 3, "{flaws:?}");
    let not_urls = "announce-list: not a URL: x\u{e9}1000, x\u{e9}1001, x\u{e9}1002 and 8997 more";
    assert_eq!(flaws[0], not_urls);
    let of_none = "announce: neither http, https, udp nor wss: x%C3%A91000, x%C3%A91001, \
                   x%C3%A91002 and 8997 more";
    assert_eq!(flaws[1], of_none);
}

#[test]
fn trackers_that_nobody_elsewhere_reaches_are_told() {
    let of = |urls: &[&str]| {
        let tier = strings(urls.iter().copied());
        let info = format!("6:lengthi1e{ONE_PIECE}");
        flaws_of(format!("d13:announce-listll{tier}ee4:infod{info}ee").as_bytes())
    };
    for local in [
        "http://127.0.0.1:6969/announce",
        "udp://[::1]:6969",
        "http://192.168.1.2/announce",
        "udp://10.0.0.1:80/",
        "http://user@[fd00::1]/a",
        "http://LocalHost:1/a",
        "http://0.0.0.0/a",
    ] {
        let wanted = "announce: trackers at loopback or private addresses alone";
        assert_eq!(of(&[local]), [wanted], "{local}");
        assert_eq!(of(&[local, "udp://192.0.2.1:80"]), [""; 0], "{local}");
    }
    assert_eq!(of(&["http://localhost.example/a"]), [""; 0]);
    assert_eq!(of(&["http://10.example/a"]), [""; 0]);
}

#[test]
fn what_is_wrong_with_pieces_and_nodes_is_told() {
    let of = |info: &str| flaws_of(&torrent(info.as_bytes()));
    let rest = |pieces: &str| format!("4:name1:n12:piece lengthi16384e6:pieces{pieces}");
    let odd = ONE_PIECE.replace("i16384e", "i30000e");
    assert_eq!(of(&format!("6:lengthi1e{odd}")), ["piece length: 30000: not a power of two"]);
    let small = ONE_PIECE.replace("i16384e", "i8192e");
    let wanted = "piece length: 8192: less than 16384, a block";
    assert_eq!(of(&format!("6:lengthi1e{small}")), [wanted]);
    let wanted = "files: an empty list: there is nothing to download";
    assert_eq!(of(&format!("5:filesle{}", rest("0:"))), [wanted]);
    let wanted = "length: 0 bytes: there is nothing to download";
    assert_eq!(of(&format!("6:lengthi0e{}", rest("0:"))), [wanted]);
    let wanted = "info.file tree: means nothing without meta version";
    assert_eq!(of(&format!("9:file treede6:lengthi1e{ONE_PIECE}")), [wanted]);

    let private = format!("6:lengthi1e{ONE_PIECE}7:privatei1e");
    let bytes = format!("d8:announce15:udp://a.example4:infod{private}e5:nodesll1:ai1eeee");
    let wanted = "nodes: DHT nodes, which clients of a private torrent never ask";
    assert_eq!(flaws_of(bytes.as_bytes()), [wanted]);

    let layers = [&b"12:piece layersd32:"[..], &ROOT].concat();
    let bytes = replaced(V2, &layers, &[b"12:piece layersd32:".as_slice(), &[b'R'; 32]].concat());
    assert_eq!(flaws_of(&bytes)[0], "piece layers: missing for 1 of the files, and v2 needs them");
    let padding: &[u8] = b"d4:attr1:p6:lengthi28303e4:pathl4:.pad5:28303ee";
    let bytes = replaced(HYBRID, padding, b"d4:attr1:p6:lengthi28302e4:pathl4:.pad5:28302ee");
    assert_eq!(flaws_of(&bytes)[1], "files: not at the beginning of a piece: dir/small");
}

#[test]
fn what_is_wrong_with_names_is_told_of_three_files_and_counted() {
    let of = |paths: &[&str]| {
        let files = paths.iter().map(|path| {
            let path = strings(path.split('/'));
            format!("d6:lengthi1e4:pathl{path}ee")
        });
        flaws_of(&torrent_of_files(&files.collect::<String>()))
    };
    assert_eq!(of(&["a", "b/a", "b/c"]), [""; 0]);
    assert_eq!(
        of(&["a", "b", "a", "b", "a", "a"]),
        ["path: stands there twice: a, b, a and 1 more"]
    );
    let by_case = "path: another but for case, so the same file on Windows and macOS";
    assert_eq!(of(&["a/B", "A/b", "\u{c9}", "\u{e9}"]), [format!("{by_case}: A/b, \u{e9}")]);
    assert_eq!(of(&["a/b/c", "a-b", "a"]), ["path: lies within a file: a/b/c"]);
    assert_eq!(of(&["a", "a/b", "a/b/c", "ab"]), ["path: lies within a file: a/b, a/b/c"]);
    assert_eq!(of(&["a\\b"]), [r"path: a backslash, which Windows takes for a folder: a\\b"]);
    let foreign = "path: a name that Windows refuses or changes";
    for path in ["a:b", "d/NUL.txt", "nul", "com1", "Lpt9.tar.gz", "a.", "a /b", "what?", "a|b"] {
        assert_eq!(of(&[path]), [format!("{foreign}: {path}")]);
    }
    for path in ["null", "NU.L", "com0", "com10", "xcon", ".a", "con a", " a", "a.b c"] {
        assert_eq!(of(&[path]), [""; 0], "{path}");
    }
    assert_eq!(of(&["c/a\n"]), [r"path: control characters: c/a\n"]);
    let long = "x".repeat(256);
    assert_eq!(
        of(&[&format!("d/{long}")]),
        [format!("path: longer than 255 bytes, which file systems refuse: d/{long}")]
    );

    let link = |name: &str, to: &str| {
        format!("d4:attr1:l6:lengthi0e4:pathl1:a1:{name}e12:symlink pathl1:{to}ee")
    };
    let files = [link("l", "x"), link("m", "a"), link("n", "c"), link("o", "l")].concat();
    assert_eq!(
        flaws_of(&torrent_of_files(&format!("{files}d6:lengthi1e4:pathl1:a1:cee"))),
        ["symlink path: to no file or folder of the torrent: a/l"]
    );

    let padded = "d4:attr1:p6:lengthi1e4:pathl1:pee".repeat(2) + "d6:lengthi1e4:pathl1:aee";
    assert_eq!(flaws_of(&torrent_of_files(&padded)), [""; 0], "padding may repeat itself");

    let name = |name: &[u8]| {
        let (head, tail) = ONE_PIECE.split_once("1:n").expect("a name");
        let name = [format!("{}:", name.len()).as_bytes(), name].concat();
        flaws_of(&torrent(&[b"6:lengthi1e", head.as_bytes(), &name, tail.as_bytes()].concat()))
    };
    assert_eq!(name(b"\xff"), ["name: not UTF-8: programs will show it differently"]);
    assert_eq!(name(b"a\\b"), ["name: a backslash, which Windows takes for a folder"]);
    assert_eq!(name(b"a\x7f"), ["name: control characters"]);
    assert_eq!(name(long.as_bytes()), ["name: longer than 255 bytes, which file systems refuse"]);
    let comment = flaws_of(&torrent_with(b"7:comment1:\xe9"));
    assert_eq!(comment, ["comment: not UTF-8: programs will show it differently"]);
}

#[test]
fn thousands_of_files_in_any_encoding_are_read_in_their_order() {
    let names = ["caf\u{e9}".as_bytes(), "\u{65e5}\u{672c}\u{8a9e}".as_bytes(), b"\xb9\xff"];
    let mut files = Vec::new();
    for n in 0..20_000 {
        let name = [names[n % 3], format!("{n}").as_bytes()].concat();
        let head = format!("d6:lengthi{n}e4:pathl2:{:02}{}:", n % 50, name.len());
        files.extend([head.as_bytes(), &name, b"ee"].concat());
    }
    let total: u64 = (0..20_000).sum();
    let pieces = total.div_ceil(1 << 20);
    let rest = format!(
        "4:name1:n12:piece lengthi1048576e6:pieces{}:{}",
        20 * pieces,
        "a".repeat(20 * pieces as usize)
    );
    let metainfo = parsed(&torrent(&[b"5:filesl", &files[..], b"e", rest.as_bytes()].concat()));
    assert_eq!(metainfo.files.len(), 20_000);
    assert_eq!((metainfo.size(), metainfo.piece_count()), (total, pieces));
    assert_eq!(metainfo.files[4].path, "04/\u{65e5}\u{672c}\u{8a9e}4".as_bytes());
    assert_eq!(metainfo.files[4].range, 6..10);
    assert_eq!(metainfo.files[19_998].path, "48/caf\u{e9}19998".as_bytes());
    assert_eq!(metainfo.files[5].path, b"05/\xb9\xff5");
}
