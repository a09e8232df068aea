//! What tests of several rooms need.

use std::process::Command;

/// Names the process that [`in_own_process`] starts, so that it does not start another.
const ALONE: &str = "NOVICE_TEST_ALONE";

/// Runs a test's body in a process of its own. For tests that change libtorch's number of threads: it belongs to the
/// whole process, and with another number the sums of the tests beside them are added up in another order.
///
/// `module` is `module_path!()`, `name` the test function's.
pub(crate) fn in_own_process(module: &str, name: &str, body: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let inside = module.split_once("::").map_or("", |(_, inside)| inside);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--include-ignored", &format!("{inside}::{name}")])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{out}{err}");
}

#[test]
fn a_body_runs_in_another_process() {
    let (mut here, name) = (false, "a_body_runs_in_another_process");
    in_own_process(module_path!(), name, || here = true);
    assert_eq!(here, std::env::var_os(ALONE).is_some());
}

#[test]
#[should_panic(expected = "0 passed")]
fn a_test_that_is_not_there_fails() {
    in_own_process(module_path!(), "no_such_test", || {});
}
