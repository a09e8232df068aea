//! Reads the safetensors files of a Hugging Face folder, one file or shards with an index.
//!
//! Files are mapped, not read: each tensor is copied once, from the page cache into its own memory, and converted to
//! the kind that is asked for. Kinds read: float32, bfloat16, float16, float64.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata};
use tch::{Device, Kind, Tensor};

use super::names::{EMBEDDING, HEAD, Spec};
use crate::error::{Error, Result, TensorResult};

/// The one file of an unsharded model.
pub(super) const SINGLE: &str = "model.safetensors";
/// The list of shards.
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// The open files of one folder.
pub(super) struct Weights {
    dir: PathBuf,
    shards: Vec<Shard>,
    /// Which shard holds a tensor.
    holder: HashMap<String, usize>,
}

struct Shard {
    path: PathBuf,
    map: Mmap,
    /// Where the tensors begin in the file.
    start: usize,
    metadata: Metadata,
}

impl Shard {
    fn open(path: PathBuf) -> Result<Shard> {
        let file = File::open(&path).map_err(Error::io("read", &path))?;
        // SAFETY: the map is only read. Were the file truncated by another process meanwhile, the process would get
        // SIGBUS; checkpoints are written beside the file and renamed over it, never in place.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io("read", &path))?;
        let (header, metadata) = SafeTensors::read_metadata(&map).map_err(|e| {
            Error::model(&path, format!("not a complete safetensors file ({e}); download or export it again"))
        })?;
        Ok(Shard { path, map, start: 8 + header, metadata })
    }
}

impl Weights {
    /// Opens the files that `dir` has.
    pub(super) fn open(dir: &Path) -> Result<Weights> {
        let (single, index) = (dir.join(SINGLE), dir.join(INDEX));
        let names = if single.is_file() {
            vec![SINGLE.to_string()]
        } else if index.is_file() {
            shard_names(&index)?
        } else {
            let found = std::fs::read_dir(dir).map_err(Error::io("read", dir))?.flatten();
            let other = found.map(|e| e.file_name().to_string_lossy().into_owned());
            let pickled = other.into_iter().any(|n| n.starts_with("pytorch_model") && n.ends_with(".bin"));
            let hint = match pickled {
                true => "it has pytorch_model.bin only: save it again with transformers' save_pretrained",
                false => "give the folder of a model as transformers' save_pretrained writes it",
            };
            return Err(Error::model(dir, format!("has neither {SINGLE} nor {INDEX}; {hint}")));
        };
        let mut weights = Weights { dir: dir.to_path_buf(), shards: Vec::new(), holder: HashMap::new() };
        for name in names {
            let shard = Shard::open(dir.join(name))?;
            for tensor in shard.metadata.tensors().into_keys() {
                weights.holder.insert(tensor, weights.shards.len());
            }
            weights.shards.push(shard);
        }
        Ok(weights)
    }

    /// Opens one file.
    pub(super) fn open_file(path: &Path) -> Result<Weights> {
        let shard = Shard::open(path.to_path_buf())?;
        let holder = shard.metadata.tensors().into_keys().map(|name| (name, 0)).collect();
        Ok(Weights { dir: path.to_path_buf(), shards: vec![shard], holder })
    }

    /// Every tensor with its shape, by name.
    pub(super) fn shapes(&self) -> BTreeMap<String, Vec<i64>> {
        let all = self.shards.iter().flat_map(|shard| shard.metadata.tensors());
        all.map(|(name, info)| (name, info.shape.iter().map(|&n| n as i64).collect())).collect()
    }

    /// Refuses tensors that no part of the model would read.
    pub(super) fn refuse_unexpected(&self, specs: &[Spec]) -> Result<()> {
        let known: HashSet<&str> = specs.iter().map(|s| s.name.as_str()).collect();
        let harmless = |name: &str| name.ends_with("rotary_emb.inv_freq") || name == HEAD;
        let mut unknown: Vec<&str> =
            self.holder.keys().map(String::as_str).filter(|n| !known.contains(n) && !harmless(n)).collect();
        unknown.sort_unstable();
        let Some(first) = unknown.first() else { return Ok(()) };
        let message = format!(
            "has {} tensor(s) that a model of this config.json does not have, the first is {first:?}; config.json and weights do not belong together",
            unknown.len()
        );
        Err(Error::model(&self.dir, message))
    }

    /// One tensor, checked against its shape.
    pub(super) fn read(&self, spec: &Spec, kind: Kind, device: Device) -> Result<Tensor> {
        let name = spec.name.as_str();
        let shard = self.holder.get(name).and_then(|&i| self.shards.get(i));
        let Some((shard, info)) = shard.and_then(|s| s.metadata.info(name).map(|info| (s, info))) else {
            let hint = match name == HEAD && self.holder.contains_key(EMBEDDING) {
                true => "set tie_word_embeddings to true in config.json if the model ties them",
                false => "config.json and weights do not belong together, or the download is incomplete",
            };
            return Err(Error::model(&self.dir, format!("tensor {name:?} is missing; {hint}")));
        };
        let stored = match info.dtype {
            Dtype::F32 => Kind::Float,
            Dtype::BF16 => Kind::BFloat16,
            Dtype::F16 => Kind::Half,
            Dtype::F64 => Kind::Double,
            other => {
                let message = format!("tensor {name:?} is {other:?}; expected F32, BF16, F16 or F64");
                return Err(Error::model(&shard.path, message));
            }
        };
        let shape: Vec<i64> = info.shape.iter().map(|&n| n as i64).collect();
        if shape != spec.shape {
            let message = format!(
                "tensor {name:?} has shape {shape:?}; config.json makes it {:?}; they do not belong together",
                spec.shape
            );
            return Err(Error::model(&shard.path, message));
        }
        let (from, to) = info.data_offsets;
        let bytes = shard.map.get(shard.start + from..shard.start + to);
        let bytes = bytes.ok_or_else(|| Error::model(&shard.path, format!("tensor {name:?} is cut off")))?;
        Tensor::f_from_data_size(bytes, &shape, stored)
            .and_then(|t| t.f_to_kind(kind)?.f_to_device(device))
            .op("read tensor")
    }
}

/// The files that an index names, sorted.
fn shard_names(index: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(index).map_err(Error::io("read", index))?;
    let value: serde_json::Value = serde_json::from_str(&text)
        .map_err(|e| Error::model(index, format!("not valid JSON: {e}; download or export the file again")))?;
    let map = value.get("weight_map").and_then(|m| m.as_object());
    let map = map.ok_or_else(|| Error::model(index, "weight_map is missing; expected tensor names and their files"))?;
    let mut names = Vec::new();
    for (tensor, file) in map {
        // A name, not a path: nothing outside the folder is opened.
        let plain = file.as_str().filter(|f| Path::new(f).components().count() == 1 && !f.contains(['/', '\\']));
        let Some(name) = plain else {
            let message = format!("weight_map.{tensor} is {file}; expected the name of a file in the same folder");
            return Err(Error::model(index, message));
        };
        names.push(name.to_string());
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}
