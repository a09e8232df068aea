//! What is done before the libraries that the program is linked to start up.
//!
//! When libtorch is loaded it registers some thousand operators, 0.2 to 0.4 s of processor time: more than it takes to grade a
//! hundred submissions. Functions of the section `.preinit_array` run when all libraries are in their places and none has
//! begun (System V ABI, "Initialization and Termination Functions"). A command that never calls libtorch is done there, and the
//! process ends with it; for the others libgomp, which reads its settings when it starts, is given them.
//!
//! So early, glibc has not published the environment yet, which is done here, and Rust's runtime has not run: a reader of the
//! output that goes away ends the process, as it does other filters. The rest works (`tests/e2e` runs each of these
//! commands). On other systems `main` runs every command, and libgomp waits as it does by itself.

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use clap::Parser;
use novice::commands::Cli;

#[used]
// SAFETY: the section holds pointers to functions of this type.
#[unsafe(link_section = ".preinit_array")]
static EARLY: extern "C" fn(c_int, *const *const c_char, *mut *mut c_char) = early;

unsafe extern "C" {
    static mut environ: *mut *mut c_char;
}

extern "C" fn early(count: c_int, arguments: *const *const c_char, environment: *mut *mut c_char) {
    // SAFETY: no other thread runs; glibc will store the same pointer.
    unsafe { environ = environment };
    let argument = |at| {
        // SAFETY: the kernel passes so many pointers to strings that live as long as the process.
        let text = unsafe { CStr::from_ptr(*arguments.add(at)) };
        OsStr::from_bytes(text.to_bytes()).to_os_string()
    };
    let arguments: Vec<OsString> = (0..usize::try_from(count).unwrap_or(0)).map(argument).collect();
    let cli = Cli::parse_from(&arguments);
    if cli.uses_libtorch() {
        wait_politely(&arguments);
    } else {
        // Nothing can be unwound beyond this function. The status is that of any panic.
        super::end(std::panic::catch_unwind(|| super::run(cli)).unwrap_or(101));
    }
}

/// Threads of libtorch that wait for each other spin for a moment and then sleep. Without the moment a step of decoding,
/// which shares out much work in small parts, takes two thirds more time on an idle machine (`examples/decode_speed`);
/// with libgomp's own, a hundred times as long, it takes a multiple of the time on a machine that does something else as
/// well. The program starts itself again with the settings, since glibc will go back to the environment that it was started
/// with. Settings of the user's are left alone.
fn wait_politely(arguments: &[OsString]) {
    const POLICY: &str = "OMP_WAIT_POLICY";
    const SPINS: &str = "GOMP_SPINCOUNT";
    if [POLICY, SPINS].iter().any(|name| std::env::var_os(name).is_some()) {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        let mut again = Command::new(program);
        // Comes back only when it failed; then the run goes on as it is.
        let _ = again.args(arguments.iter().skip(1)).env(POLICY, "passive").env(SPINS, "3000").exec();
    }
}
