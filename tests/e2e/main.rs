//! End-to-end tests: the `novice` binary as a user runs it, from an empty folder.

// Helpers of tests are tests too: what is unexpected fails there and then.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ablate;
mod doctor;
mod errors;
mod grade;
mod remote;
mod train;

/// The data of a small run: six made-up students of the demo's course.
macro_rules! data {
    () => {
        "data:
  course: course.yaml
  source: synthetic
  synthetic: {students: 6, problems_per_student: 3, max_submissions: 4}
  split: {by: student, held_out_students: 0.34}
"
    };
}
use data;

use assert_cmd::Command;
use std::path::{Path, PathBuf};

/// The binary, in `folder`, without colours or terminal.
fn novice(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_novice"));
    command.current_dir(folder).env_remove("RUST_LOG");
    command
}

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A folder with the demo's course and these files, by name.
fn with_course(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(repository("configs/demo/course.yaml"), folder.path().join("course.yaml")).unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

/// What a report's viewer shows.
fn shown(page: &Path) -> serde_json::Value {
    let page = std::fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once("<script id=\"data\" type=\"application/json\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// As with any filter. (A command that uses libtorch sees an error of writing.)
#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    use std::os::unix::process::ExitStatusExt;
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_novice"));
    let done = command.args(["rewards", "list"]).stdout(writer).output().unwrap();
    assert_eq!((text(&done.stderr).as_str(), done.status.signal()), ("", Some(13)), "{}", done.status);
}
