//! Checkpoints: `checkpoints/<stage>-<step>/`, each complete or not there, the newest two kept.
//!
//! | file | holds |
//! |---|---|
//! | `state.json` | where the run stands, and the stage's own state as JSON |
//! | `tensors.safetensors` | trainable weights and optimiser state, by name |
//! | `blake3` | the hash of each, in `b3sum`'s format (`b3sum --check blake3`) |
//!
//! A checkpoint is written under a hidden name, flushed, and renamed. On reading, both hashes are compared; one that is
//! damaged is passed over with a warning and the one before it is used. Nothing here depends on wall-clock time, so
//! a resumed run writes the same bytes as one that was never stopped. JSON has no NaN and no infinity: a state that may
//! hold them keeps them in tensors.

use super::tensors::{hash_file, read_tensors, write_tensors};
use crate::files::{UNFINISHED, sync_dir, write_atomic};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tch::Tensor;

const STATE: &str = "state.json";
const TENSORS: &str = "tensors.safetensors";
const HASHES: &str = "blake3";
const FORMAT: u32 = 1;
/// Checkpoints kept: the newest, and one in case that is damaged.
const KEEP: usize = 2;

/// Where a run stands: after `step` steps of the `stage_index`-th stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The stage's name, as in `sft`.
    pub stage: String,
    /// Its place among the run's stages, from 0.
    pub stage_index: usize,
    /// Steps of this stage that are done.
    pub step: u64,
}

impl Position {
    /// What comes later in a run compares greater.
    fn order(&self) -> (usize, u64) {
        (self.stage_index, self.step)
    }
}

/// A state that was read back.
#[derive(Debug)]
pub struct Checkpoint {
    /// Where the run stood.
    pub position: Position,
    /// The stage's own state.
    pub state: Value,
    /// Named tensors, on the CPU.
    pub tensors: BTreeMap<String, Tensor>,
}

#[derive(Serialize, Deserialize)]
struct StateFile {
    format: u32,
    #[serde(flatten)]
    position: Position,
    state: Value,
}

/// The checkpoints of one run.
#[derive(Debug, Clone)]
pub struct CheckpointStore {
    folder: PathBuf,
}

impl CheckpointStore {
    /// The checkpoints in `run`'s folder; nothing is created yet.
    pub fn new(run: &Path) -> CheckpointStore {
        CheckpointStore { folder: run.join("checkpoints") }
    }

    /// Saves a state, then removes all but the newest two, and everything later than `position`: that was left by a
    /// future that did not happen. Gives the checkpoint's folder.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Tensor`], [`Error::Failed`]; checkpoints that were there before are then still there.
    pub fn save(&self, position: &Position, state: &Value, tensors: &[(&str, &Tensor)]) -> Result<PathBuf> {
        fs::create_dir_all(&self.folder).map_err(Error::io("create", &self.folder))?;
        let unfinished = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777)) // before the umask
            .tempdir_in(&self.folder)
            .map_err(Error::io("create", &self.folder))?;
        let inside = unfinished.path();
        let tensors_hash = write_tensors(&inside.join(TENSORS), tensors)?;
        let file = StateFile { format: FORMAT, position: position.clone(), state: state.clone() };
        let mut text = serde_json::to_vec_pretty(&file)
            .map_err(|e| Error::Failed(format!("checkpoint: the state is no JSON: {e}")))?;
        text.push(b'\n');
        write_atomic(inside.join(STATE), &text)?;
        let state_hash = blake3::hash(&text);
        let hashes = format!("{}  {STATE}\n{}  {TENSORS}\n", state_hash.to_hex(), tensors_hash.to_hex());
        write_atomic(inside.join(HASHES), hashes.as_bytes())?;
        sync_dir(inside)?;

        let path = self.folder.join(format!("{}-{}", position.stage, position.step));
        if path.exists() {
            // A damaged one of the same step, or the same state again. Until the rename the one before serves.
            let aside = self.folder.join(format!("{UNFINISHED}replaced-{}", std::process::id()));
            let _ = fs::remove_dir_all(&aside);
            fs::rename(&path, &aside).map_err(Error::io("move", &path))?;
        }
        fs::rename(inside, &path).map_err(Error::io("create", &path))?;
        let _ = unfinished.keep(); // renamed: there is nothing left to remove under the hidden name
        sync_dir(&self.folder)?;
        self.prune(position, &path);
        Ok(path)
    }

    /// The newest checkpoint that is whole; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder cannot be listed. A damaged checkpoint is a warning, not an error.
    pub fn latest(&self) -> Result<Option<Checkpoint>> {
        for (path, _) in self.list()?.into_iter().rev() {
            match CheckpointStore::load(&path) {
                Ok(checkpoint) => return Ok(Some(checkpoint)),
                Err(e) => tracing::warn!("{e}; this checkpoint is passed over, the one before it is used"),
            }
        }
        Ok(None)
    }

    /// Reads one checkpoint.
    ///
    /// # Errors
    /// [`Error::Model`] when it is damaged, incomplete, or written by another version's format.
    pub fn load(path: &Path) -> Result<Checkpoint> {
        let hashes = path.join(HASHES);
        let listed = fs::read_to_string(&hashes)
            .map_err(|e| Error::model(path, format!("incomplete checkpoint: {HASHES}: {e}")))?;
        for name in [STATE, TENSORS] {
            let expected = listed.lines().find_map(|l| l.strip_suffix(name)).map(str::trim);
            let actual =
                hash_file(&path.join(name)).map_err(|e| Error::model(path, format!("incomplete checkpoint: {e}")))?;
            if expected != Some(actual.to_hex().as_str()) {
                return Err(Error::model(
                    path,
                    format!("damaged checkpoint: {name} does not have the hash it was saved with"),
                ));
            }
        }
        let file = read_state(path)?;
        Ok(Checkpoint { position: file.position, state: file.state, tensors: read_tensors(&path.join(TENSORS))? })
    }

    /// Folders with a readable position, oldest first; others are passed over with a warning.
    fn list(&self) -> Result<Vec<(PathBuf, Position)>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::io("list", &self.folder)(e)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(Error::io("list", &self.folder))?.path();
            let hidden = path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
            if hidden || !path.is_dir() {
                continue;
            }
            match read_state(&path) {
                Ok(file) => found.push((path, file.position)),
                Err(e) => tracing::warn!("{e}; this checkpoint is passed over"),
            }
        }
        found.sort_by_key(|(_, position)| position.order());
        Ok(found)
    }

    /// Removes what is not needed any more. That it fails is worth a warning, not the run.
    fn prune(&self, saved: &Position, saved_path: &Path) {
        let mut keep = vec![saved_path.to_path_buf()];
        let earlier = self.list().unwrap_or_default();
        let earlier = earlier.into_iter().rev().filter(|(_, position)| position.order() < saved.order());
        keep.extend(earlier.map(|(path, _)| path).take(KEEP - 1));
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir()
                && !keep.contains(&path)
                && let Err(e) = fs::remove_dir_all(&path)
            {
                tracing::warn!("{}: cannot remove an old checkpoint: {e}", path.display());
            }
        }
    }
}

fn read_state(path: &Path) -> Result<StateFile> {
    let damaged = |e: String| Error::model(path, format!("damaged checkpoint: {STATE}: {e}"));
    let bytes = fs::read(path.join(STATE)).map_err(|e| damaged(e.to_string()))?;
    let file: StateFile = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
    if file.format != FORMAT {
        let message = format!(
            "a checkpoint of format {}, this version reads format {FORMAT}; use the version of novice \
                               that versions.json names",
            file.format
        );
        return Err(Error::model(path, message));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(stage: &str, stage_index: usize, step: u64) -> Position {
        Position { stage: stage.into(), stage_index, step }
    }

    fn save(store: &CheckpointStore, position: &Position, value: f32) {
        let tensor = Tensor::from_slice(&[value, -value]);
        store.save(position, &json!({"tokens": value}), &[("w", &tensor)]).unwrap();
    }

    fn names(store: &CheckpointStore) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(&store.folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn three(dir: &Path) -> CheckpointStore {
        let store = CheckpointStore::new(dir);
        save(&store, &at("sft", 0, 100), 1.0);
        save(&store, &at("dpo", 1, 5), 2.0);
        save(&store, &at("dpo", 1, 10), 3.0);
        store
    }

    #[test]
    fn the_newest_two_are_kept_by_their_place_in_the_run() {
        let dir = tempfile::tempdir().unwrap();
        let store = CheckpointStore::new(dir.path());
        assert!(store.latest().unwrap().is_none());
        let store = three(dir.path());
        assert_eq!(names(&store), ["dpo-10", "dpo-5"]);
        save(&store, &at("dapo", 2, 1), 4.0);
        assert_eq!(names(&store), ["dapo-1", "dpo-10"]);
        assert_eq!(store.latest().unwrap().unwrap().position, at("dapo", 2, 1));
    }

    #[test]
    fn the_state_comes_back_exactly() {
        let dir = tempfile::tempdir().unwrap();
        let store = CheckpointStore::new(dir.path());
        let state = json!({"z": 0.1, "a": [1e-308, -0.0, 18446744073709551615u64], "text": "é\u{0}\n"});
        let weights = Tensor::f_from_data_size(&[1, 0, 0xc0, 0x7f, 0, 0, 0, 0x80], &[2], tch::Kind::Float).unwrap();
        store.save(&at("sft", 0, 3), &state, &[("w", &weights)]).unwrap();
        let back = store.latest().unwrap().unwrap();
        assert_eq!(back.state.to_string(), state.to_string());
        let bytes: Vec<u8> =
            Vec::<f32>::try_from(&back.tensors["w"]).unwrap().iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(bytes, [1, 0, 0xc0, 0x7f, 0, 0, 0, 0x80]);
    }

    #[test]
    fn equal_states_are_equal_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let read = |run: &str| {
            let store = CheckpointStore::new(&dir.path().join(run));
            save(&store, &at("sft", 0, 1), 0.1);
            [STATE, TENSORS, HASHES].map(|f| fs::read(store.folder.join("sft-1").join(f)).unwrap())
        };
        assert_eq!(read("a"), read("b"));
    }

    /// Every way in which a kill, a full disk or a bad sector can spoil the newest checkpoint.
    #[test]
    fn a_spoilt_checkpoint_is_passed_over() {
        type Spoil = fn(&Path);
        let ways: [(&str, Spoil); 8] = [
            ("tensors cut", |p| fs::write(p.join(TENSORS), &fs::read(p.join(TENSORS)).unwrap()[..20]).unwrap()),
            ("tensors missing", |p| fs::remove_file(p.join(TENSORS)).unwrap()),
            ("one bit flipped", |p| {
                let mut bytes = fs::read(p.join(TENSORS)).unwrap();
                *bytes.last_mut().unwrap() ^= 1;
                fs::write(p.join(TENSORS), bytes).unwrap();
            }),
            ("state cut", |p| fs::write(p.join(STATE), "{\"format\"").unwrap()),
            ("state edited", |p| {
                let text = fs::read_to_string(p.join(STATE)).unwrap().replace("3.0", "4.0");
                fs::write(p.join(STATE), text).unwrap();
            }),
            ("state missing", |p| fs::remove_file(p.join(STATE)).unwrap()),
            ("hashes missing", |p| fs::remove_file(p.join(HASHES)).unwrap()),
            ("hashes empty", |p| fs::write(p.join(HASHES), "").unwrap()),
        ];
        for (how, spoil) in ways {
            let dir = tempfile::tempdir().unwrap();
            let store = three(dir.path());
            spoil(&store.folder.join("dpo-10"));
            let back = store.latest().unwrap().unwrap_or_else(|| panic!("{how}: nothing found"));
            assert_eq!(back.position, at("dpo", 1, 5), "{how}");
            // The run goes on from there and saves the spoilt step again.
            save(&store, &at("dpo", 1, 10), 3.0);
            assert_eq!(names(&store), ["dpo-10", "dpo-5"], "{how}");
            assert_eq!(store.latest().unwrap().unwrap().position, at("dpo", 1, 10), "{how}");
        }
    }

    #[test]
    fn what_a_kill_leaves_is_ignored_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let store = three(dir.path());
        let left = store.folder.join(format!("{UNFINISHED}abc"));
        fs::create_dir(&left).unwrap();
        fs::copy(store.folder.join("dpo-10").join(STATE), left.join(STATE)).unwrap();
        assert_eq!(store.latest().unwrap().unwrap().position, at("dpo", 1, 10));
        save(&store, &at("dpo", 1, 15), 5.0);
        assert_eq!(names(&store), ["dpo-10", "dpo-15"]);
    }

    #[test]
    fn going_on_from_an_earlier_one_discards_the_later_ones() {
        let dir = tempfile::tempdir().unwrap();
        let store = three(dir.path());
        for spoilt in ["dpo-10", "dpo-5"] {
            fs::remove_file(store.folder.join(spoilt).join(TENSORS)).unwrap();
        }
        assert!(store.latest().unwrap().is_none());
        save(&store, &at("sft", 0, 50), 9.0);
        assert_eq!(names(&store), ["sft-50"]);
    }

    #[test]
    fn a_failed_save_leaves_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let store = three(dir.path());
        let complex = Tensor::zeros([1], (tch::Kind::ComplexFloat, tch::Device::Cpu));
        let error = store.save(&at("dpo", 1, 15), &json!({}), &[("w", &complex)]).unwrap_err();
        assert!(error.to_string().contains("ComplexFloat"), "{error}");
        assert_eq!(names(&store), ["dpo-10", "dpo-5"]);
    }

    #[test]
    fn another_format_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let store = three(dir.path());
        let path = store.folder.join("dpo-10");
        let text = fs::read_to_string(path.join(STATE)).unwrap().replace("\"format\": 1", "\"format\": 9");
        fs::write(path.join(STATE), text).unwrap();
        let error = read_state(&path).err().unwrap().to_string();
        assert!(error.contains("format 9") && error.contains("versions.json"), "{error}");
    }
}
