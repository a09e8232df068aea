//! Writes a model as a Hugging Face folder that `transformers` loads: `model.safetensors`, `generation_config.json`,
//! `config.json`.
//!
//! Each file is written beside its place, flushed to disk, and renamed; `config.json` comes last, so a new folder that
//! has one is complete. Adapters are folded into a copy of the weights, one tensor at a time. Tokenizer files are not
//! the model's: the caller copies them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::decoder::Model;
use super::parameters::Merged;
use super::weights::SINGLE;
use crate::error::{Error, Result, TensorResult};

impl Model {
    /// Saves the model, adapters folded in; `self` is unchanged.
    ///
    /// # Errors
    /// When the folder cannot be created or written.
    pub fn save(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let (dtype, name) = match self.dtype() {
            Kind::Float => (Dtype::F32, "float32"),
            Kind::BFloat16 => (Dtype::BF16, "bfloat16"),
            Kind::Half => (Dtype::F16, "float16"),
            other => return Err(Error::Usage(format!("weights of kind {other:?} cannot be saved"))),
        };
        let entries = self.merged_tensors().into_iter().map(Entry::merged).collect();
        replace(&dir.join(SINGLE), |file| write_tensors(file, entries, dtype))?;
        write_json(&dir.join("generation_config.json"), &self.config().generation_json())?;
        write_json(&dir.join("config.json"), &self.config().to_json(name))
    }
}

/// A tensor to be written: its shape and how to get it.
pub(super) struct Entry<'m> {
    pub(super) name: String,
    pub(super) shape: Vec<i64>,
    pub(super) tensor: Box<dyn Fn() -> Result<Tensor> + 'm>,
}

impl<'m> Entry<'m> {
    fn merged((name, source): (String, Merged<'m>)) -> Entry<'m> {
        Entry { name, shape: source.size(), tensor: Box::new(move || source.tensor()) }
    }
}

/// Writes tensors of one kind as a safetensors file, in the order of their names; one at a time is in memory.
pub(super) fn write_tensors(file: &mut dyn Write, mut entries: Vec<Entry<'_>>, dtype: Dtype) -> Result<(), Failure> {
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let size = dtype.bitsize() / 8;
    let mut infos = Vec::new();
    let mut offset = 0;
    for entry in &entries {
        let shape: Vec<usize> = entry.shape.iter().map(|&n| n.max(0) as usize).collect();
        let end = offset + shape.iter().product::<usize>() * size;
        infos.push((entry.name.clone(), TensorInfo { dtype, shape, data_offsets: (offset, end) }));
        offset = end;
    }
    let format = HashMap::from([("format".to_string(), "pt".to_string())]);
    let metadata = Metadata::new(Some(format), infos).map_err(std::io::Error::other)?;
    let mut header = serde_json::to_vec(&metadata).map_err(std::io::Error::other)?;
    // Tensors begin at a multiple of 8 bytes.
    header.resize(header.len().next_multiple_of(8), b' ');
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    let mut bytes = Vec::new();
    for entry in entries {
        let tensor = (entry.tensor)()?.f_detach().and_then(|t| t.f_to_device(Device::Cpu)?.f_contiguous());
        let tensor = tensor.op("save")?;
        bytes.resize(tensor.numel() * size, 0);
        tensor.f_copy_data_u8(&mut bytes, tensor.numel()).op("save")?;
        file.write_all(&bytes)?;
    }
    Ok(())
}

/// Either kind of failure while a file is being written.
pub(super) enum Failure {
    Io(std::io::Error),
    Other(Error),
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        Failure::Io(e)
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Failure::Other(e)
    }
}

pub(super) fn write_json(path: &Path, value: &Value) -> Result<()> {
    replace(path, |file| Ok(writeln!(file, "{value:#}")?))
}

/// Writes beside `path`, then renames.
pub(super) fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".partial");
    let partial = path.with_file_name(name);
    let written = || -> Result<(), Failure> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&partial)?);
        write(&mut file)?;
        file.into_inner().map_err(|e| e.into_error())?.sync_all()?;
        Ok(std::fs::rename(&partial, path)?)
    };
    written().map_err(|failure| match failure {
        Failure::Io(source) => Error::Io { path: path.to_path_buf(), action: "write", source },
        Failure::Other(e) => e,
    })
}
