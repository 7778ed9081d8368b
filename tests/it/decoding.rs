//! `muster decode` of input that others chose: how much memory it takes.
//!
//! What it makes of each form has its tests beside it, in `src/cli/decode.rs`.

use std::process::Command;

use crate::harness::Folder;

#[test]
fn millions_of_small_values_take_no_more_memory_than_their_bytes() {
    let folder = Folder::new();
    let path = folder.join("many");
    let count = 300_000;
    std::fs::write(&path, format!("l{}e", "d0:lee".repeat(count))).expect("the folder is ours");
    // 1.8 MB; made into a tree of JSON first, it took over 200 MB.
    let ran = Command::new("sh")
        .args(["-c", "ulimit -v 100000; exec \"$0\" decode \"$1\"", env!("CARGO_BIN_EXE_muster")])
        .arg(&path)
        .output()
        .expect("there is a shell");
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert_eq!((ran.status.code(), stderr.as_ref()), (Some(0), ""));
    let entry = "  {\n    \"\": []\n  }";
    let wanted = format!("[\n{}\n]\n", vec![entry; count].join(",\n"));
    assert_eq!(ran.stdout.len(), wanted.len());
    assert!(ran.stdout == wanted.as_bytes(), "not {count} dictionaries");
}
