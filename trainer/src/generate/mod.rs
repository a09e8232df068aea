//! Batched decoding on shared prefixes.

mod lanes;
mod rng;
mod sampler;
mod sampling;

pub use rng::RngKey;
pub use sampler::{Draw, Sampler};
pub use sampling::Sampling;
