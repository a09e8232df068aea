//! [`Pass`]: the attention of one forward pass over new tokens of many sequences, each behind its own cached past.
//!
//! The new tokens of all sequences lie in one flat row, so projections and MLPs waste nothing; here each sequence is
//! attended to by itself, by the loops of [`crate::attend`], straight over the chain: in float32 a token's numbers are those
//! that it would have in any other pass. Many new tokens (a prompt, a feedback) of another kind go through libtorch's
//! attention, for which the past is gathered into rows once a layer.

use tch::{Kind, Tensor};

use super::cache::{Cache, Chain, Link};
use crate::attend::{Piece, Run, Store, attend_each};
use crate::error::{Error, Result, TensorResult};
use crate::model::{Attention, scaled_dot_product};
use crate::numbers::{Numbers, filled};

/// Up to this many new tokens of a sequence go through the loops of [`crate::attend`] whatever their kind.
pub(super) const FEW: usize = 8;

/// The new tokens of one sequence in a pass.
pub(super) struct Item {
    /// Its past, without the new tokens; the last link is where they are written.
    links: Vec<Link>,
    /// Cached positions before the new tokens.
    past: usize,
    /// First row of the new tokens in the pass.
    start: usize,
    /// Number of new tokens.
    n: usize,
    /// `[n, past + n]`, true where a new token sees a position; made when it is first needed.
    mask: Option<Tensor>,
}

impl Item {
    /// Rows `start..start + n` of the pass are the next tokens of the sequence behind `chain`.
    pub fn new(cache: &mut Cache, chain: &mut Chain, start: usize, n: usize) -> Item {
        cache.tail(chain);
        Item { links: chain.links().to_vec(), past: chain.len(), start, n, mask: None }
    }

    fn tail(&self) -> Result<Link> {
        self.links
            .last()
            .copied()
            .ok_or_else(|| Error::Failed("a sequence without a store: a bug in the decoder".into()))
    }

    /// What the last new token sees in a layer: everything before it and itself.
    fn chain<'c>(&self, cache: &'c Cache, layer: usize) -> Result<Vec<Run<'c>>> {
        let runs = self.links.iter().map(|l| Ok(cache.host(l.store)?.run(layer, l.len)));
        let mut chain = runs.collect::<Result<Vec<_>>>()?;
        if let Some(own) = chain.last_mut() {
            own.len += self.n;
        }
        Ok(chain)
    }

    /// Which of the `past + n` positions each new token sees.
    fn mask(&mut self, like: &Tensor) -> Result<Tensor> {
        if self.mask.is_none() {
            let shape = [self.n as i64, (self.past + self.n) as i64];
            let ones = Tensor::f_ones(shape, (Kind::Bool, like.device()));
            self.mask = Some(ones.and_then(|t| t.f_tril(self.past as i64)).op("mask")?);
        }
        self.mask.as_ref().map(Tensor::shallow_clone).ok_or_else(|| Error::Failed("no mask".into()))
    }
}

/// Attention over the cache; writes the new keys and values to it as it goes.
pub(super) struct Pass<'a> {
    pub cache: &'a mut Cache,
    pub items: Vec<Item>,
}

impl Attention for Pass<'_> {
    fn wants_gradient(&self) -> bool {
        false
    }

    fn attend(&mut self, layer: usize, q: Tensor, k: Tensor, v: Tensor) -> Result<Tensor> {
        match self.cache.on_host() {
            true => self.on_host(layer, &q, &k, &v),
            false => self.on_device(layer, &q, &k, &v),
        }
    }
}

impl Pass<'_> {
    fn on_host(&mut self, layer: usize, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
        let layout = *self.cache.layout();
        let (q_width, width) = (layout.heads * layout.head_dim, layout.width());
        let (queries, keys, values) = (Numbers::of(q)?, Numbers::of(k)?, Numbers::of(v)?);
        for item in &self.items {
            let tail = item.tail()?;
            let rows = item.start * width..(item.start + item.n) * width;
            self.cache.host_mut(tail.store)?.write(layer, tail.len, &keys[rows.clone()], &values[rows]);
        }
        let mixed = filled(&q.size(), |mut out| {
            let mut pieces = Vec::with_capacity(self.items.len());
            for item in &mut self.items {
                // Items lie one behind the other in the pass.
                let (own, behind) = out.split_at_mut(item.n * q_width);
                out = behind;
                if item.n > FEW && q.kind() != Kind::Float {
                    own.copy_from_slice(&Numbers::of(&many(self.cache, item, layer, q, k, v)?)?);
                    continue;
                }
                let q = &queries[item.start * q_width..][..own.len()];
                pieces.push(Piece { q, chain: item.chain(self.cache, layer)?, out: own });
            }
            attend_each(&layout, pieces);
            Ok(())
        })?;
        mixed.f_to_kind(q.kind()).op("attention")
    }

    fn on_device(&mut self, layer: usize, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
        let mut mixed = Vec::with_capacity(self.items.len());
        for item in &mut self.items {
            let rows = |t: &Tensor| t.f_narrow(0, item.start as i64, item.n as i64).op("rows");
            let (q, k, v) = (rows(q)?, rows(k)?, rows(v)?);
            let tail = item.tail()?;
            self.cache.device_mut(tail.store)?.write(layer, tail.len, &k, &v)?;
            let (mut keys, mut values) = (Vec::new(), Vec::new());
            for (index, link) in item.links.iter().enumerate() {
                let len = if index + 1 == item.links.len() { link.len + item.n } else { link.len };
                if let Some([k, v]) = self.cache.device(link.store)?.run(layer, len)? {
                    keys.push(k);
                    values.push(v);
                }
            }
            let join = |mut runs: Vec<Tensor>| match runs.len() {
                1 => Ok(runs.remove(0)),
                _ => Tensor::f_cat(&runs, 0).op("cached past"),
            };
            let (keys, values) = (join(keys)?, join(values)?);
            let mask = if item.n == 1 || item.past == 0 { None } else { Some(item.mask(&q)?) };
            mixed.push(scaled_dot_product(&q, &keys, &values, mask.as_ref(), item.n > 1 && item.past == 0)?);
        }
        Tensor::f_cat(&mixed, 0).op("attention")
    }
}

/// Many new tokens of one sequence, by libtorch: `[n, heads, head_dim]`.
fn many(cache: &Cache, item: &mut Item, layer: usize, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
    let rows = |t: &Tensor| t.f_narrow(0, item.start as i64, item.n as i64).op("rows");
    let (q, k, v) = (rows(q)?, rows(k)?, rows(v)?);
    if item.past == 0 {
        return scaled_dot_product(&q, &k, &v, None, true);
    }
    let layout = cache.layout();
    let shape = [(item.past + item.n) as i64, layout.kv_heads as i64, layout.head_dim as i64];
    // Past and new: the new ones are in the last store already.
    let gather = |rows: fn(&Store, usize, &mut [f32])| {
        let gathered = filled(&shape, |mut all| {
            for (index, link) in item.links.iter().enumerate() {
                let len = if index + 1 == item.links.len() { link.len + item.n } else { link.len };
                let (part, behind) = all.split_at_mut(len * layout.width());
                rows(cache.host(link.store)?, layer, part);
                all = behind;
            }
            Ok(())
        })?;
        gathered.f_to_kind(q.kind()).op("cached past")
    };
    let (keys, values) = (gather(Store::key_rows)?, gather(Store::value_rows)?);
    let mask = item.mask(&q)?;
    scaled_dot_product(&q, &keys, &values, Some(&mask), false)
}
