//! Files that are there completely or not at all: write beside the target, flush to disk, rename over it.
//!
//! `rename` within a folder is atomic on POSIX file systems, so a reader, or a run that starts after a power cut, sees
//! the old bytes or the new ones. The folder itself is flushed too: without that the rename may be lost.

use crate::{Error, Result};
use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Prefix of everything that is not finished; whatever bears it may be deleted by the next run.
pub(crate) const UNFINISHED: &str = ".tmp-";

/// Writes `bytes` to `path`, replacing what is there. The folder must exist.
///
/// # Errors
/// [`Error::Io`] with `path`; the target is then untouched.
pub fn write_atomic(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .permissions(Permissions::from_mode(0o666)) // before the umask, as for any other file
        .tempfile_in(folder)
        .map_err(Error::io("write", path))?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    file.as_file().sync_all().map_err(Error::io("write", path))?;
    file.persist(path).map_err(|e| Error::io("write", path)(e.error))?;
    sync_dir(folder)
}

/// Flushes a folder's entries to disk.
///
/// # Errors
/// [`Error::Io`] when the folder cannot be opened or flushed.
pub fn sync_dir(folder: impl AsRef<Path>) -> Result<()> {
    let folder = folder.as_ref();
    File::open(folder).and_then(|f| f.sync_all()).map_err(Error::io("flush", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_the_whole_file_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write_atomic(&path, b"a long first version").unwrap();
        write_atomic(&path, b"short").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"short");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_error_names_the_target_and_leaves_no_part() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("taken")).unwrap();
        let error = write_atomic(dir.path().join("taken"), b"x").unwrap_err().to_string();
        assert!(error.contains("taken: cannot write"), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
