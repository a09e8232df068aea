//! [`Store`]: keys and values of a run of positions, in memory laid out for [`super::kernel`].
//!
//! Values are rows, `[position][kv_head][head_dim]`. Keys are blocks of [`BLOCK`] positions, `[block][kv_head][head_dim][lane]`, so that the scores of 32
//! positions are summed at once. Both grow geometrically and never move a position: what was written stays where it is.

/// Positions of a block of keys: enough sums at a time that none waits for another.
pub(super) const BLOCK: usize = 32;

/// Sizes of a model's keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
}

impl Layout {
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
pub(super) struct Store {
    layout: Layout,
    planes: Vec<Plane>,
}

/// The first `len` positions of a store in one layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
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

    /// Appends the first `len` positions of a layer, as rows, to `keys` and `values`.
    pub fn rows(&self, layer: usize, len: usize, keys: &mut Vec<f32>, values: &mut Vec<f32>) {
        let (width, head_dim) = (self.layout.width(), self.layout.head_dim);
        let plane = &self.planes[layer];
        values.extend_from_slice(&plane.values[..len * width]);
        let start = keys.len();
        keys.resize(start + len * width, 0.0);
        let blocks = plane.keys.chunks_exact(BLOCK * width);
        for (rows, block) in keys[start..].chunks_mut(BLOCK * width).zip(blocks) {
            for (lane, row) in rows.chunks_exact_mut(width).enumerate() {
                for (head, column) in row.chunks_exact_mut(head_dim).zip(block.chunks_exact(head_dim * BLOCK)) {
                    for (x, lanes) in head.iter_mut().zip(column.chunks_exact(BLOCK)) {
                        *x = lanes[lane];
                    }
                }
            }
        }
    }
}
