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
use tch::{Device, Kind};

use super::decoder::Model;
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
        replace(&dir.join(SINGLE), |file| self.write_weights(file, dtype))?;
        write_json(&dir.join("generation_config.json"), &self.config().generation_json())?;
        write_json(&dir.join("config.json"), &self.config().to_json(name))
    }

    fn write_weights(&self, file: &mut dyn Write, dtype: Dtype) -> Result<(), Failure> {
        let mut tensors = self.merged_tensors();
        tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut infos = Vec::new();
        let mut offset = 0;
        for (name, source) in &tensors {
            let shape: Vec<usize> = source.size().iter().map(|&n| n.max(0) as usize).collect();
            let end = offset + shape.iter().product::<usize>() * self.dtype().elt_size_in_bytes();
            infos.push((name.clone(), TensorInfo { dtype, shape, data_offsets: (offset, end) }));
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
        for (_, source) in tensors {
            let tensor = source.tensor()?.f_detach().and_then(|t| t.f_to_device(Device::Cpu)?.f_contiguous());
            let tensor = tensor.op("save")?;
            bytes.resize(tensor.numel() * self.dtype().elt_size_in_bytes(), 0);
            tensor.f_copy_data_u8(&mut bytes, tensor.numel()).op("save")?;
            file.write_all(&bytes)?;
        }
        Ok(())
    }
}

/// Either kind of failure while a file is being written.
enum Failure {
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

fn write_json(path: &Path, value: &Value) -> Result<()> {
    replace(path, |file| Ok(writeln!(file, "{value:#}")?))
}

/// Writes beside `path`, then renames.
fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>) -> Result<()> {
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
