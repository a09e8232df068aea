//! [`Decoder`]: many sequences ("slots") of one model, their tokens and their cached past.
//!
//! The last token of a slot is always pending: known, but not yet seen by the model. Feeding computes the past of
//! everything before it, and each step of decoding passes the pending token of every slot through the model to draw the
//! next one. That makes forking trivial at any length: share the past up to the last token, which becomes the branch's
//! pending one.

use tch::{Device, Tensor};

use super::cache::{Cache, Chain};
use super::pass::{Item, Pass};
use super::stop::StopText;
use super::turn::Active;
use crate::attend::Layout;
use crate::error::{Error, Result, TensorResult};
use crate::model::{Model, Still};
use crate::tokens::Tokenizer;

/// A sequence of a [`Decoder`]. Never used again after it was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId(usize);

/// One sequence.
#[derive(Default)]
struct Slot {
    tokens: Vec<u32>,
    chain: Chain,
}

/// Decodes many sequences of one model at once; see the module's text. Nothing in it builds a graph.
pub struct Decoder<'m> {
    pub(super) model: &'m Model,
    /// Since the first pass.
    still: Option<Still<'m>>,
    cache: Cache,
    slots: Vec<Option<Slot>>,
    feed_budget: usize,
    /// Turns that are being decoded.
    pub(super) active: Vec<Active>,
    pub(super) turns_begun: usize,
    /// Forward passes that drew tokens.
    pub(super) passes: u64,
    /// Whether to guess what comes next (`lookup`).
    pub(super) guessing: bool,
    pub(super) stop_text: Option<StopText<'m>>,
}

impl<'m> Decoder<'m> {
    /// A decoder without slots.
    pub fn new(model: &'m Model) -> Decoder<'m> {
        Decoder::keeping(model, model.device() == Device::Cpu)
    }

    /// `on_host`: where keys and values are kept.
    pub(super) fn keeping(model: &'m Model, on_host: bool) -> Decoder<'m> {
        let c = model.config();
        let size = |x: i64| usize::try_from(x).unwrap_or(0);
        let layout = Layout {
            layers: size(c.num_hidden_layers),
            heads: size(c.num_attention_heads),
            kv_heads: size(c.num_key_value_heads),
            head_dim: size(c.head_dim),
        };
        let cache = Cache::new(layout, model.dtype(), model.device(), on_host);
        Decoder {
            model,
            still: None,
            cache,
            slots: Vec::new(),
            feed_budget: 4096,
            active: Vec::new(),
            turns_begun: 0,
            passes: 0,
            guessing: on_host,
            stop_text: None,
        }
    }

    /// Sets how many tokens at most go through one forward pass of [`Decoder::feed`]: it bounds memory and changes no
    /// result. Default 4096.
    pub fn with_feed_budget(mut self, tokens: usize) -> Decoder<'m> {
        self.feed_budget = tokens.max(1);
        self
    }

    /// Makes every turn end with the token that completes one of `texts`, too.
    pub fn with_stop_text(mut self, tokenizer: &'m Tokenizer, texts: &[String]) -> Decoder<'m> {
        self.stop_text = StopText::new(tokenizer, texts);
        self
    }

    /// Whether several tokens of a sequence may go through a pass where the next ones can be guessed: the texts and their
    /// log-probs are the same, sooner. On by default.
    pub fn with_guessing(mut self, on: bool) -> Decoder<'m> {
        self.guessing = on && self.cache.on_host();
        self
    }

    /// A new, empty slot.
    pub fn open(&mut self) -> SlotId {
        self.insert(Slot::default())
    }

    /// A new slot that begins with the first `len` tokens of `slot`, whose past it shares without a copy.
    ///
    /// # Errors
    /// When the slot is closed or has fewer tokens.
    pub fn fork(&mut self, slot: SlotId, len: usize) -> Result<SlotId> {
        let from = self.slots.get(slot.0).and_then(Option::as_ref).ok_or_else(|| closed(slot))?;
        let Some(tokens) = from.tokens.get(..len) else {
            let message = format!("slot {} has {} tokens; it cannot be forked at {len}", slot.0, from.tokens.len());
            return Err(Error::Usage(message));
        };
        let chain = self.cache.fork(&from.chain, len.saturating_sub(1));
        let branch = Slot { tokens: tokens.to_vec(), chain };
        Ok(self.insert(branch))
    }

    /// Forgets a slot, and the turn that it is decoding if it is. What others share with it stays. Closing twice is no
    /// error.
    pub fn close(&mut self, slot: SlotId) {
        if let Some(slot) = self.slots.get_mut(slot.0).and_then(Option::take) {
            self.cache.release(slot.chain);
        }
        self.active.retain(|turn| turn.slot != slot);
    }

    /// Number of tokens of a slot.
    ///
    /// # Errors
    /// When the slot is closed.
    pub fn len(&self, slot: SlotId) -> Result<usize> {
        Ok(self.tokens(slot)?.len())
    }

    /// Whether a slot has no tokens.
    ///
    /// # Errors
    /// When the slot is closed.
    pub fn is_empty(&self, slot: SlotId) -> Result<bool> {
        Ok(self.tokens(slot)?.is_empty())
    }

    /// The tokens of a slot: what was fed and what was drawn, in order.
    ///
    /// # Errors
    /// When the slot is closed.
    pub fn tokens(&self, slot: SlotId) -> Result<&[u32]> {
        Ok(&self.slot(slot)?.tokens)
    }

    /// Appends given tokens to slots: a prompt, a feedback. The tokens of all slots share forward passes of at most the
    /// feed budget, without padding.
    ///
    /// # Errors
    /// When a slot is closed, decoding, or named twice, a token is not in the vocabulary, or the model fails.
    pub fn feed(&mut self, items: &[(SlotId, &[u32])]) -> Result<()> {
        let vocabulary = self.model.config().vocab_size;
        for (index, &(slot, tokens)) in items.iter().enumerate() {
            self.tokens(slot)?;
            if self.active.iter().any(|turn| turn.slot == slot) {
                return Err(Error::Usage(format!("slot {} is decoding; it cannot be fed", slot.0)));
            }
            if items[..index].iter().any(|&(other, _)| other == slot) {
                return Err(Error::Usage(format!("slot {} is fed twice at once", slot.0)));
            }
            if let Some(token) = tokens.iter().find(|&&t| i64::from(t) >= vocabulary) {
                return Err(Error::Usage(format!("token {token} is not in the vocabulary of {vocabulary}")));
            }
        }
        for &(slot, tokens) in items {
            self.slot_mut(slot)?.tokens.extend_from_slice(tokens);
        }
        let slots: Vec<SlotId> = items.iter().map(|&(slot, _)| slot).collect();
        self.catch_up(&slots)
    }

    /// Computes the past of all tokens but the pending one.
    fn catch_up(&mut self, slots: &[SlotId]) -> Result<()> {
        let mut batch = Vec::new();
        let mut room = self.feed_budget;
        for &id in slots {
            let slot = self.slot(id)?;
            let mut left = slot.tokens.len().saturating_sub(1).saturating_sub(slot.chain.len());
            while left > 0 {
                let take = left.min(room);
                batch.push((id, take));
                (left, room) = (left - take, room - take);
                if room == 0 {
                    let _ = self.forward(&batch)?;
                    batch.clear();
                    room = self.feed_budget;
                }
            }
        }
        if !batch.is_empty() {
            let _ = self.forward(&batch)?;
        }
        Ok(())
    }

    /// Passes the next `n` tokens of each slot, n > 0, through the model and caches their keys and values; a slot
    /// appears once. Returns their hidden states `[Σ n, hidden_size]`.
    pub(super) fn forward(&mut self, batch: &[(SlotId, usize)]) -> Result<Tensor> {
        let (mut tokens, mut positions, mut items) = (Vec::new(), Vec::new(), Vec::new());
        for &(id, n) in batch {
            let slot = self.slots.get_mut(id.0).and_then(Option::as_mut).ok_or_else(|| closed(id))?;
            let past = slot.chain.len();
            let Some(new) = slot.tokens.get(past..past + n) else {
                return Err(Error::Failed(format!(
                    "slot {} has no {n} tokens left to read: a bug in the decoder",
                    id.0
                )));
            };
            items.push(Item::new(&mut self.cache, &mut slot.chain, tokens.len(), n));
            tokens.extend(new.iter().map(|&t| i64::from(t)));
            positions.extend((past..past + n).map(|p| p as i64));
        }
        let row = |numbers: &[i64]| Tensor::f_from_slice(numbers).and_then(|t| t.f_to_device(self.model.device()));
        let (tokens, positions) = (row(&tokens).op("tokens")?, row(&positions).op("positions")?);
        if self.still.is_none() {
            self.still = Some(self.model.still()?);
        }
        let mut pass = Pass { cache: &mut self.cache, items };
        let hidden = tch::no_grad(|| self.model.hidden(&tokens, &positions, &mut pass))?;
        for &(id, n) in batch {
            if let Some(slot) = self.slots.get_mut(id.0).and_then(Option::as_mut) {
                self.cache.commit(&mut slot.chain, n);
            }
        }
        Ok(hidden)
    }

    /// Appends tokens that are drawn or guessed.
    pub(super) fn append(&mut self, slot: SlotId, tokens: &[u32]) -> Result<()> {
        self.slot_mut(slot)?.tokens.extend_from_slice(tokens);
        Ok(())
    }

    /// Drops the last `tokens` tokens of a slot and the last `cached` positions of its past, which are its own.
    pub(super) fn take_back(&mut self, slot: SlotId, tokens: usize, cached: usize) -> Result<()> {
        let slot = self.slots.get_mut(slot.0).and_then(Option::as_mut).ok_or_else(|| closed(slot))?;
        slot.tokens.truncate(slot.tokens.len() - tokens);
        self.cache.take_back(&mut slot.chain, cached);
        Ok(())
    }

    fn insert(&mut self, slot: Slot) -> SlotId {
        self.slots.push(Some(slot));
        SlotId(self.slots.len() - 1)
    }

    fn slot(&self, id: SlotId) -> Result<&Slot> {
        self.slots.get(id.0).and_then(Option::as_ref).ok_or_else(|| closed(id))
    }

    fn slot_mut(&mut self, id: SlotId) -> Result<&mut Slot> {
        self.slots.get_mut(id.0).and_then(Option::as_mut).ok_or_else(|| closed(id))
    }
}

fn closed(slot: SlotId) -> Error {
    Error::Usage(format!("slot {} is closed", slot.0))
}
