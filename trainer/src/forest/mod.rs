//! One pass of the model over a forest of conversations: log-probs at the target edges, and their gradient.
//!
//! Trees are flattened and laid end to end in one row without padding. Token j is visible to token i exactly when j is i
//! or an ancestor of i ([`FlatTree::visible`]), and a token's position is its depth, so every branch sees what it would
//! see in a row of its own, and every token passes through the model once. The tests hold the pass to that: log-probs and
//! gradients equal those of separate rows.
//!
//! * [`pack()`] fills passes up to a token budget;
//! * [`log_probs`] reads without a gradient; [`backward_weighted`] adds the gradient of `−Σ w · log p` when the weights
//!   are known beforehand; [`backward`] asks an objective for them once the log-probs are there.
//!
//! Gradients are added to those that the parameters have, so passes accumulate.
//!
//! [`FlatTree::visible`]: crate::tokens::FlatTree::visible

mod attention;
mod batch;
mod head;
mod pack;
mod pass;
mod softmax;

#[cfg(test)]
pub(crate) mod tests;

pub use pack::pack;
pub use pass::{Slopes, backward, backward_weighted, log_probs};

/// How a pass is computed. None of it changes the result beyond rounding.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Target rows that go through the LM head at once. Memory: about `chunk · vocab_size · 4` bytes. 0, the default: as
    /// many as make 64 MiB.
    pub chunk: usize,
    /// Logits are divided by it before the softmax. 1 is the model's own distribution.
    pub temperature: f64,
    /// How attention is computed.
    pub attention: AttentionKind,
    /// Whether the entropy of the distribution at each target is wanted too.
    pub entropies: bool,
    /// Keep only the input of each layer and compute the rest again when its gradient is due: a third more time, and
    /// memory for one layer instead of all.
    pub recompute: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { chunk: 0, temperature: 1.0, attention: AttentionKind::Cut, entropies: false, recompute: false }
    }
}

/// How attention over the forest is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AttentionKind {
    /// Tree by tree, and inside a tree branch by branch against its path to the root: nothing that is hidden is
    /// computed, but for what lies ahead inside a branch.
    #[default]
    Cut,
    /// One mask over all tokens: the rule itself, and the reference for `Cut`.
    Dense,
}

/// What the model says about the targets of one tree, in the order of its edges.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TargetLogProbs {
    /// Natural logarithm of the probability of each target.
    pub log_probs: Vec<f32>,
    /// Entropy in nats of the distribution that each target was drawn from; empty unless asked for.
    pub entropies: Vec<f32>,
}
