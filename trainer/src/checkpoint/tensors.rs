//! Named tensors as a safetensors file and back, bit for bit, one tensor in memory at a time.
//!
//! The header is the `safetensors` crate's (it checks offsets and shapes); the data are streamed by hand, because the
//! crate's writer cannot report a tensor that libtorch refuses to copy, and because the file's hash is taken on the
//! way. Order in the file: by element size, then by name, as the crate does, so equal tensors give equal bytes.

use crate::error::TensorResult;
use crate::{Error, Result};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use tch::{Kind, Tensor};

/// Longest header that is believed: the format's own limit.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Pairs of libtorch's and the format's element types.
const KINDS: [(Kind, Dtype); 10] = [
    (Kind::Float, Dtype::F32),
    (Kind::BFloat16, Dtype::BF16),
    (Kind::Int64, Dtype::I64),
    (Kind::Double, Dtype::F64),
    (Kind::Half, Dtype::F16),
    (Kind::Int, Dtype::I32),
    (Kind::Int16, Dtype::I16),
    (Kind::Int8, Dtype::I8),
    (Kind::Uint8, Dtype::U8),
    (Kind::Bool, Dtype::BOOL),
];

/// Writes `tensors` to `path`, flushes to disk, gives the BLAKE3 hash of the file. Tensors may be on any device, of
/// any layout; what is written is contiguous.
///
/// # Errors
/// [`Error::Io`], [`Error::Tensor`], or [`Error::Failed`] for an element type or a name that the format lacks.
pub fn write_tensors(path: &Path, tensors: &[(&str, &Tensor)]) -> Result<blake3::Hash> {
    let mut sorted = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        sorted.push((dtype(name, tensor)?, *name, *tensor));
    }
    sorted.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let mut names = BTreeSet::new();
    if let Some((_, name, _)) = sorted.iter().find(|(_, name, _)| !names.insert(*name)) {
        return Err(Error::Failed(format!("checkpoint: two tensors are called `{name}`")));
    }
    let mut offset = 0;
    let mut infos = Vec::with_capacity(sorted.len());
    for (dtype, name, tensor) in &sorted {
        let shape: Vec<usize> = tensor.size().iter().map(|&n| n as usize).collect();
        let bytes = tensor.numel() * dtype.bitsize() / 8;
        infos.push(((*name).to_string(), TensorInfo { dtype: *dtype, shape, data_offsets: (offset, offset + bytes) }));
        offset += bytes;
    }
    let header = Metadata::new(None, infos)
        .map_err(|e| e.to_string())
        .and_then(|m| serde_json::to_vec(&m).map_err(|e| e.to_string()))
        .map_err(|e| Error::Failed(format!("checkpoint: cannot describe the tensors: {e}")))?;
    let padded = header.len().next_multiple_of(8);

    let file = File::create(path).map_err(Error::io("create", path))?;
    let mut out = Hashing { inner: BufWriter::new(file), hasher: blake3::Hasher::new() };
    let mut put = |bytes: &[u8]| out.write_all(bytes).map_err(Error::io("write", path));
    put(&(padded as u64).to_le_bytes())?;
    put(&header)?;
    put(&b"       "[..padded - header.len()])?;
    for (dtype, _, tensor) in &sorted {
        let count = tensor.numel();
        let mut bytes = vec![0u8; count * dtype.bitsize() / 8];
        tensor.f_copy_data_u8(&mut bytes, count).op("copy to checkpoint")?;
        put(&bytes)?;
    }
    let Hashing { inner, hasher } = out;
    let file = inner.into_inner().map_err(|e| Error::io("write", path)(e.into_error()))?;
    file.sync_all().map_err(Error::io("write", path))?;
    Ok(hasher.finalize())
}

/// Reads a file that [`write_tensors`] (or any other safetensors writer) wrote; tensors are on the CPU.
///
/// # Errors
/// [`Error::Model`] when the file is not what the format says, [`Error::Io`] when it cannot be read.
pub fn read_tensors(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let broken = |what: String| Error::model(path, format!("not a whole safetensors file: {what}"));
    let file = File::open(path).map_err(Error::io("read", path))?;
    let total = file.metadata().map_err(Error::io("read", path))?.len();
    let mut file = BufReader::new(file);
    let mut length = [0u8; 8];
    file.read_exact(&mut length).map_err(|e| broken(format!("no header: {e}")))?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES || length > total {
        return Err(broken(format!("a header of {length} bytes in a file of {total}")));
    }
    let mut header = vec![0u8; length as usize];
    file.read_exact(&mut header).map_err(|e| broken(e.to_string()))?;
    let metadata: Metadata = serde_json::from_slice(&header).map_err(|e| broken(e.to_string()))?;
    if 8 + length + metadata.data_len() as u64 != total {
        return Err(broken(format!("{total} bytes, the header tells of {}", 8 + length + metadata.data_len() as u64)));
    }
    let mut tensors = BTreeMap::new();
    for name in metadata.offset_keys() {
        let Some(info) = metadata.info(&name) else { continue };
        let Some((kind, _)) = KINDS.iter().find(|(_, d)| *d == info.dtype) else {
            return Err(broken(format!("{name}: elements of type {:?} are not supported", info.dtype)));
        };
        // The header was checked: the offsets are in order, without gaps, and fit shape and type.
        let mut bytes = vec![0u8; info.data_offsets.1 - info.data_offsets.0];
        file.read_exact(&mut bytes).map_err(|e| broken(format!("{name}: {e}")))?;
        let shape: Vec<i64> = info.shape.iter().map(|&n| n as i64).collect();
        let tensor = Tensor::f_from_data_size(&bytes, &shape, *kind).op("read from checkpoint")?;
        tensors.insert(name, tensor);
    }
    Ok(tensors)
}

/// The hash of a file's bytes.
///
/// # Errors
/// [`Error::Io`] when it cannot be read.
pub fn hash_file(path: &Path) -> Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    let file = File::open(path).map_err(Error::io("read", path))?;
    hasher.update_reader(file).map_err(Error::io("read", path))?;
    Ok(hasher.finalize())
}

fn dtype(name: &str, tensor: &Tensor) -> Result<Dtype> {
    let kind = tensor.f_kind().op("kind")?;
    KINDS
        .iter()
        .find(|(k, _)| *k == kind)
        .map(|(_, dtype)| *dtype)
        .ok_or_else(|| Error::Failed(format!("checkpoint: {name}: elements of type {kind:?} cannot be saved")))
}

/// A writer that hashes what passes.
struct Hashing<W: Write> {
    inner: W,
    hasher: blake3::Hasher,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tensor's bytes.
    fn bits(tensor: &Tensor) -> Vec<u8> {
        let mut bytes = vec![0u8; tensor.numel() * tensor.kind().elt_size_in_bytes()];
        tensor.f_copy_data_u8(&mut bytes, tensor.numel()).unwrap();
        bytes
    }

    #[test]
    fn bytes_in_are_bytes_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.safetensors");
        // Two different NaNs, both zeros, both infinities, a subnormal.
        let odd: Vec<u8> = [0x7fc0_0001u32, 0xffa0_0000, 0, 0x8000_0000, 0x7f80_0000, 0xff80_0000, 1, 0x3f80_0000]
            .iter()
            .flat_map(|b| b.to_le_bytes())
            .collect();
        let all: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let given = [
            ("f32", Tensor::f_from_data_size(&odd, &[2, 4], Kind::Float).unwrap()),
            ("bf16", Tensor::f_from_data_size(&all, &[256, 256], Kind::BFloat16).unwrap()),
            ("f16", Tensor::f_from_data_size(&all, &[65536], Kind::Half).unwrap()),
            ("step", Tensor::from(i64::MIN)),
            ("f64", Tensor::from_slice(&[f64::NAN, -0.0, 0.1])),
            ("mask", Tensor::from_slice(&[true, false, true])),
            ("empty", Tensor::zeros([0, 3], (Kind::Float, tch::Device::Cpu))),
        ];
        let named: Vec<(&str, &Tensor)> = given.iter().map(|(n, t)| (*n, t)).collect();
        let hash = write_tensors(&path, &named).unwrap();
        assert_eq!(hash, hash_file(&path).unwrap());
        let read = read_tensors(&path).unwrap();
        assert_eq!(read.len(), given.len());
        for (name, tensor) in &given {
            let back = &read[*name];
            assert_eq!((back.size(), back.kind()), (tensor.size(), tensor.kind()), "{name}");
            assert_eq!(bits(back), bits(tensor), "{name}");
        }
    }

    #[test]
    fn the_safetensors_crate_reads_the_file_and_order_of_arguments_does_not_matter() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (Tensor::from_slice(&[1.5f32, -2.0]), Tensor::from_slice(&[3i64]));
        let (p, q) = (dir.path().join("p"), dir.path().join("q"));
        write_tensors(&p, &[("a", &a), ("b", &b)]).unwrap();
        write_tensors(&q, &[("b", &b), ("a", &a)]).unwrap();
        let bytes = std::fs::read(&p).unwrap();
        assert_eq!(bytes, std::fs::read(&q).unwrap());
        let parsed = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(parsed.tensor("a").unwrap().data(), [0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0]);
        assert_eq!(parsed.tensor("b").unwrap().shape(), [1]);
        assert_eq!(bytes, safetensors::serialize(parsed.iter(), None).unwrap(), "byte for byte what the crate writes");
    }

    #[test]
    fn views_that_are_not_contiguous_or_need_gradients_are_saved_as_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        let t = Tensor::from_slice(&[1f32, 2., 3., 4., 5., 6.]).view([2, 3]).set_requires_grad(true).transpose(0, 1);
        write_tensors(&path, &[("t", &t)]).unwrap();
        let back = Vec::<f32>::try_from(read_tensors(&path).unwrap()["t"].reshape([-1])).unwrap();
        assert_eq!(back, [1., 4., 2., 5., 3., 6.]);
    }

    #[test]
    fn a_cut_file_is_an_error_at_every_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        write_tensors(&path, &[("a", &Tensor::from_slice(&[1f32, 2.])), ("b", &Tensor::from_slice(&[1i64]))]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(read_tensors(&path).is_err(), "cut to {length} of {}", whole.len());
        }
        std::fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
        assert!(read_tensors(&path).is_err(), "one byte too many");
        std::fs::write(&path, [&u64::MAX.to_le_bytes()[..], b"{}"].concat()).unwrap();
        assert!(read_tensors(&path).is_err(), "a header longer than anything");
    }

    #[test]
    fn a_name_cannot_be_given_twice_whatever_the_type() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (Tensor::from_slice(&[1f32]), Tensor::from_slice(&[1i64]));
        for second in [&a, &b] {
            let error = write_tensors(&dir.path().join("t"), &[("a", &a), ("a", second)]).unwrap_err();
            assert!(error.to_string().contains("`a`"), "{error}");
        }
    }
}
