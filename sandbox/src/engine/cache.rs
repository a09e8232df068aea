//! Machine code of the guest on disk.
//!
//! Compiling takes seconds, loading milliseconds. wasmtime loads what it is given without checking the code itself, so a file is
//! used only if it is this user's own, in a folder that only this user can write, and carries the checksum that was written with
//! it. The name holds the guest's hash, wasmtime's version and a hash of the settings. Files are written aside and renamed, never changed in
//! place (they are mapped). Anything wrong with folder or file means compiling again, never an error.

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use wasmtime::{Engine, Module};

use super::{EngineOptions, guest};
use crate::error::{Error, Result};

const WASMTIME: &str = "48.0.8";
/// Files that stay when a new one is written (45 MB each).
const KEPT: usize = 4;

/// The guest as a module, and whether it came from the cache.
pub fn module(engine: &Engine, options: &EngineOptions) -> Result<(Module, bool)> {
    let folder = folder(options);
    let place = folder.as_deref().map(|folder| folder.join(file_name(engine)));
    if let Some(module) = place.as_deref().and_then(|path| load(engine, path)) {
        return Ok((module, true));
    }
    let code = engine.precompile_module(&guest::wasm()?).map_err(Error::engine("compiling the guest"))?;
    if let Some(path) = &place
        && store(path, &code).is_ok()
        && let Some(module) = load(engine, path)
    {
        return Ok((module, false));
    }
    // SAFETY: these bytes were made by `precompile_module` of this very engine a moment ago and never left this process.
    let module = unsafe { Module::deserialize(engine, &code) };
    module.map(|module| (module, false)).map_err(Error::engine("loading the compiled guest"))
}

/// The cache folder, ready to be used. `None`: none is wanted, or it cannot be made private.
pub fn folder(options: &EngineOptions) -> Option<PathBuf> {
    let folder = if options.no_disk_cache { None } else { options.cache_dir.clone().or_else(default_folder) };
    folder.filter(|folder| prepare(folder).is_ok())
}

fn default_folder() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("novice"))
}

/// Make the folder if it is not there, and refuse one that others can write to or that is someone else's.
fn prepare(folder: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let found = fs::symlink_metadata(folder)?;
    // SAFETY: `geteuid` has no preconditions and touches no memory.
    let me = unsafe { libc::geteuid() };
    if !found.is_dir() || found.uid() != me {
        return Err(std::io::Error::other("the cache folder is not this user's"));
    }
    if found.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn file_name(engine: &Engine) -> String {
    // The standard hasher with its fixed keys: the same value in every process of one build.
    let mut hasher = std::hash::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let guest = guest::hash().get(..16).unwrap_or_default();
    format!("guest-{guest}-wasmtime-{WASMTIME}-{:016x}.cwasm", hasher.finish())
}

fn checksum_path(path: &Path) -> PathBuf {
    path.with_extension("blake3")
}

/// Load and check a file. `None` for anything but a file of ours with the right checksum.
fn load(engine: &Engine, path: &Path) -> Option<Module> {
    let expected = fs::read_to_string(checksum_path(path)).ok()?;
    let mut file = File::open(path).ok()?;
    // SAFETY: `geteuid` has no preconditions and touches no memory.
    let me = unsafe { libc::geteuid() };
    let found = file.metadata().ok()?;
    if found.uid() != me || !found.is_file() {
        return None;
    }
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).ok()? {
            0 => break,
            count => hasher.update(buffer.get(..count)?),
        };
    }
    if hasher.finalize().to_hex().as_str() != expected.trim() {
        return None;
    }
    // SAFETY: the open file is this user's, lies in a folder that only this user can write to, is never changed in place by this program, and
    // holds the very bytes that `precompile_module` gave: their checksum, written beside them, has just been verified.
    unsafe { Module::deserialize_open_file(engine, file) }.ok()
}

/// Write code and checksum, each aside and then renamed into place.
fn store(path: &Path, code: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().ok_or_else(|| std::io::Error::other("no folder"))?;
    let write = |bytes: &[u8], to: &Path| -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.persist(to).map_err(|error| error.error)?;
        Ok(())
    };
    write(blake3::hash(code).to_hex().as_bytes(), &checksum_path(path))?;
    write(code, path)?;
    prune(folder);
    Ok(())
}

/// Remove all but the newest few files of other guests and settings. A file that is in use stays readable for its user.
fn prune(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut found: Vec<(std::time::SystemTime, PathBuf)> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "cwasm"))
        .filter_map(|path| Some((fs::metadata(&path).and_then(|m| m.modified()).ok()?, path)))
        .collect();
    found.sort();
    found.reverse();
    for (_, path) in found.into_iter().skip(KEPT) {
        let _ = fs::remove_file(checksum_path(&path));
        let _ = fs::remove_file(path);
    }
}
