//! Decoders of the Qwen3, Qwen2/2.5 and Llama families, from a Hugging Face folder and back to one.
//!
//! A [`Model`] maps tokens and their positions to hidden states; who sees whom is decided by the [`Attention`] that the
//! caller passes in. So the forest pass, a plain causal row and the key-value cache of the generator share every other
//! operation, and there is one implementation of each. Parameters are trained in full, or through [`LoraConfig`](crate::config::LoraConfig)
//! adapters on a frozen base.
//!
//! Logits equal those of `transformers`; `tests/peers/parity` compares them, and `parity.rs` holds numbers that
//! `transformers` printed.

mod attention;
mod backward;
mod between;
mod config;
mod decoder;
mod halves;
mod init;
mod layer;
mod linear;
mod lora;
mod names;
mod norm;
mod packed;
mod parameters;
mod peft;
mod read_config;
mod rope;
mod save;
mod weights;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod peft_tests;
#[cfg(test)]
mod parity;
#[cfg(test)]
pub(crate) mod testing;

pub use attention::{Attention, Causal, scaled_dot_product};
pub(crate) use backward::{Tape, gradient};
pub use config::{Architecture, ModelConfig, RopeScaling};
pub use decoder::Model;
pub(crate) use decoder::Still;
pub use parameters::Parameter;
