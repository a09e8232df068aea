//! [`Store`]: keys and values of a run of positions, in memory laid out for [`super::kernel`].
//!
//! Values are rows, `[position][kv_head][head_dim]`. Keys are blocks of [`BLOCK`] positions,
//! `[block][kv_head][head_dim][lane]`, so that the scores of 32 positions are summed at once. Both grow geometrically
//! and never move a position: what was written stays where it is.

use crate::lanes::widest;

/// Positions of a block of keys: enough sums at a time that none waits for another.
pub(super) const BLOCK: usize = 32;

/// Sizes of a model's keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
}

impl Layout {
    /// Query heads that share a key head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Numbers of the keys (or values) of one position in one layer.
    pub fn width(&self) -> usize {
        self.kv_heads * self.head_dim
    }
}

/// Keys and values of one layer.
#[derive(Debug, Default, Clone)]
struct Plane {
    keys: Vec<f32>,
    values: Vec<f32>,
}

/// Keys and values of all layers of a run of positions.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    layout: Layout,
    planes: Vec<Plane>,
}

/// The first `len` positions of a store in one layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'a> {
    pub keys: &'a [f32],
    pub values: &'a [f32],
    pub len: usize,
}

impl Store {
    pub fn new(layout: Layout) -> Store {
        Store { layout, planes: vec![Plane::default(); layout.layers] }
    }

    /// Writes `keys` and `values` `[n][kv_head][head_dim]` of a layer to the positions from `at` on.
    pub fn write(&mut self, layer: usize, at: usize, keys: &[f32], values: &[f32]) {
        let (width, head_dim) = (self.layout.width(), self.layout.head_dim);
        let plane = &mut self.planes[layer];
        let end = at + values.len() / width;
        if plane.values.len() < end * width {
            plane.values.resize(end * width, 0.0);
            plane.keys.resize(end.div_ceil(BLOCK) * BLOCK * width, 0.0);
        }
        plane.values[at * width..end * width].copy_from_slice(values);
        for (position, row) in (at..end).zip(keys.chunks_exact(width)) {
            let block = &mut plane.keys[position / BLOCK * BLOCK * width..][..BLOCK * width];
            for (column, head) in block.chunks_exact_mut(head_dim * BLOCK).zip(row.chunks_exact(head_dim)) {
                for (lanes, &x) in column.chunks_exact_mut(BLOCK).zip(head) {
                    lanes[position % BLOCK] = x;
                }
            }
        }
    }

    /// The first `len` positions of a layer.
    pub fn run(&self, layer: usize, len: usize) -> Run<'_> {
        let Plane { keys, values } = &self.planes[layer];
        Run { keys, values, len }
    }

    /// Writes the keys of the first positions of a layer to `rows`, as many as there is room for.
    pub fn key_rows(&self, layer: usize, rows: &mut [f32]) {
        let (width, head_dim) = (self.layout.width(), self.layout.head_dim);
        let blocks = self.planes[layer].keys.chunks_exact(BLOCK * width);
        for (rows, block) in rows.chunks_mut(BLOCK * width).zip(blocks) {
            turn(block, rows, width, head_dim);
        }
    }

    /// Writes the values of the first positions of a layer to `rows`, as many as there is room for.
    pub fn value_rows(&self, layer: usize, rows: &mut [f32]) {
        rows.copy_from_slice(&self.planes[layer].values[..rows.len()]);
    }
}

widest! {
    /// A block `[kv_head][head_dim][lane]` of keys to rows `[lane][kv_head · head_dim]`, as many as there is room for.
    fn turn(block: &[f32], rows: &mut [f32], width: usize, head_dim: usize) {
        for (lane, row) in rows.chunks_exact_mut(width).enumerate() {
            let mut head = 0;
            while head < width {
                let column = &block[head * BLOCK..(head + head_dim) * BLOCK];
                let row = &mut row[head..head + head_dim];
                for i in 0..head_dim {
                    row[i] = column[i * BLOCK + lane];
                }
                head += head_dim;
            }
        }
    }
}
