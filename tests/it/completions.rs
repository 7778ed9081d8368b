//! What `muster completions` prints, in the shells it is for: bash completes with it, zsh and fish
//! can read it.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::harness::Folder;
use crate::programs::is_installed;

/// The completions of a shell, in a file.
fn script(folder: &Folder, shell: &str) -> PathBuf {
    let printed = Command::new(env!("CARGO_BIN_EXE_muster")).args(["completions", shell]).output();
    let printed = printed.expect("the program starts");
    assert_eq!((printed.status.code(), printed.stderr.as_slice()), (Some(0), &b""[..]));
    let path = folder.join(shell);
    std::fs::write(&path, printed.stdout).expect("the folder is ours");
    path
}

/// What a shell says that is to be silent.
fn complaints(output: std::io::Result<Output>) -> String {
    let output = output.expect("the shell is installed");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { said } else { format!("{}: {said}", output.status) }
}

/// What bash offers after these words, the last of which is being typed.
fn offered(script: &PathBuf, words: &[&str]) -> Vec<String> {
    // As bash itself calls the function that `complete -F` names: the command, the word being
    // typed, the one before it.
    const ASK: &str = "\
        source \"$1\"; shift\n\
        COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMP_LINE=\"$*\"; COMP_POINT=${#COMP_LINE}\n\
        set -- $(complete -p muster); until [ $# = 0 ] || [ \"$1\" = -F ]; do shift; done\n\
        \"$2\" \"${COMP_WORDS[0]}\" \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"\n\
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let asked = Command::new("bash")
        .args(["--norc", "-c", ASK, "bash"])
        .arg(script)
        .args(words)
        .output()
        .expect("bash is installed");
    let (said, complaints) = (String::from_utf8_lossy(&asked.stdout), asked.stderr);
    assert!(complaints.is_empty(), "{}", String::from_utf8_lossy(&complaints));
    said.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_and_flags() {
    if !is_installed("bash", &["--version"]) {
        return;
    }
    let folder = Folder::new();
    let script = script(&folder, "bash");
    for (words, wanted) in [
        (&["muster", "compl"][..], &["completions"][..]),
        (&["muster", "--peer"], &["--peer-timeout"]),
        (&["muster", "serve", "--peer"], &["--peer-timeout"]),
        (&["muster", "serve", "--max-connections-p"], &["--max-connections-per-ip"]),
        (&["muster", "completions", "ba"], &["bash"]),
        (&["muster", "completions", "--peer"], &[""]),
    ] {
        assert_eq!(offered(&script, words), wanted, "{words:?}");
    }
}

#[test]
fn zsh_and_fish_can_read_theirs() {
    let folder = Folder::new();
    for (shell, no_execution) in [("zsh", "-n"), ("fish", "--no-execute")] {
        if is_installed(shell, &["--version"]) {
            let read = Command::new(shell).arg(no_execution).arg(script(&folder, shell)).output();
            assert_eq!(complaints(read), "", "{shell}");
        }
    }
}
