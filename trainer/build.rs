//! Tells the linker where libtorch lies at run time, so that no LD_LIBRARY_PATH is needed, and the binary what it was
//! built with.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // torch-sys declares `links = "tch"`: cargo hands its metadata over under that name.
    if let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
        println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib");
        let version = Path::new(&lib).with_file_name("build-version");
        println!("cargo:rerun-if-changed={}", version.display());
        if let Ok(text) = std::fs::read_to_string(version) {
            println!("cargo:rustc-env=NOVICE_LIBTORCH_VERSION={}", text.trim());
        }
    }
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    if let Ok(output) = Command::new(rustc).arg("--version").output() {
        println!("cargo:rustc-env=NOVICE_RUSTC_VERSION={}", String::from_utf8_lossy(&output.stdout).trim());
    }
}
