//! `novice doctor`: every check is a line, and on a machine that runs these tests all of them hold.

use super::{novice, text};

#[test]
fn a_working_installation_has_no_failures() {
    let folder = tempfile::tempdir().unwrap();
    let out = novice(folder.path()).arg("doctor").env("XDG_CACHE_HOME", shared_cache()).output().unwrap();
    let said = text(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{said}{}", text(&out.stderr));
    let names: Vec<&str> = said.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    for name in ["processor", "memory", "libtorch", "device", "sandbox", "cache", "reset", "self-test", "tensorboard"] {
        assert!(names.contains(&name), "{name} is missing:\n{said}");
    }
    assert!(said.lines().all(|line| matches!(line.split_whitespace().next(), Some("ok" | "note"))), "{said}");
    // Of the sandbox's own programs each shows its verdict.
    for verdict in ["a right program: passed", "an endless loop: timeout", "a network connection: forbidden"] {
        assert!(said.contains(verdict), "{verdict} is missing:\n{said}");
    }
}

#[test]
fn an_unusable_cache_folder_is_a_note_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("occupied"), "a file where a folder is wanted").unwrap();
    let out =
        novice(folder.path()).arg("doctor").env("XDG_CACHE_HOME", folder.path().join("occupied")).output().unwrap();
    let said = text(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{said}");
    assert!(said.lines().any(|line| line.starts_with("note  cache") && line.contains("$XDG_CACHE_HOME")), "{said}");
}

/// Where these tests keep compiled code, so that it is compiled once.
fn shared_cache() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}
