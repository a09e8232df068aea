//! Random weights that are the same bytes on every run and in whatever order they are drawn.
//!
//! Each tensor has a ChaCha8 stream of its own, keyed by the seed and its name. Normal numbers come from pairs of
//! uniform ones (Box and Muller, 1958).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tch::{Device, Kind, Tensor};

use super::names::{Beginning, Spec};
use crate::error::{Result, TensorResult};

/// The stream of one tensor.
fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    let mut key = blake3::Hasher::new();
    key.update(&seed.to_le_bytes()).update(name.as_bytes());
    ChaCha8Rng::from_seed(*key.finalize().as_bytes())
}

/// Uniform in (0, 1].
fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    ((rng.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64
}

fn to_tensor(values: &[f32], shape: &[i64], kind: Kind, device: Device) -> Result<Tensor> {
    Tensor::f_from_slice(values)
        .and_then(|t| t.f_view(shape)?.f_to_kind(kind)?.f_to_device(device))
        .op("random weights")
}

/// A new tensor as its [`Spec`] says.
pub(super) fn begin(spec: &Spec, seed: u64, kind: Kind, device: Device) -> Result<Tensor> {
    let count = spec.shape.iter().product::<i64>().max(0) as usize;
    let values = match spec.beginning {
        Beginning::Ones => vec![1.0; count],
        Beginning::Zeros => vec![0.0; count],
        Beginning::Normal(std) => {
            let mut rng = stream(seed, &spec.name);
            let mut values = Vec::with_capacity(count + 1);
            while values.len() < count {
                let radius = std * (-2.0 * uniform(&mut rng).ln()).sqrt();
                let (sin, cos) = (std::f64::consts::TAU * uniform(&mut rng)).sin_cos();
                values.push((radius * cos) as f32);
                values.push((radius * sin) as f32);
            }
            values.truncate(count);
            values
        }
    };
    to_tensor(&values, &spec.shape, kind, device)
}

/// Uniform in ±`bound`, f32.
pub(super) fn uniform_tensor(shape: &[i64], bound: f64, seed: u64, name: &str, device: Device) -> Result<Tensor> {
    let count = shape.iter().product::<i64>().max(0) as usize;
    let mut rng = stream(seed, name);
    let values: Vec<f32> = (0..count).map(|_| ((2.0 * uniform(&mut rng) - 1.0) * bound) as f32).collect();
    to_tensor(&values, shape, Kind::Float, device)
}
