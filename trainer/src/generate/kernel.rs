//! Attention of one new token over its cached past, on the CPU: softmax(q·K/√d)·V over a chain of [`Run`]s.
//!
//! The past of a learner is a chain: a prefix that it shares with others, then its own positions. Each run is read
//! where it is; nothing is padded, gathered or copied. Keys and values stream through once, from front to back: within
//! a block of positions, which stays in the first-level cache, query heads that share a key head are worked off together.

use super::store::{BLOCK, Layout, Run};
use crate::lanes::{LANES, ask, exp_in_place, maximum, widest};

/// One key head and the query heads that share it: `q` and `out` `[query head][head_dim]` of one token; `scores` is work
/// space.
pub(super) fn attend(
    layout: &Layout,
    head: usize,
    q: &[f32],
    chain: &[Run<'_>],
    scores: &mut Vec<f32>,
    out: &mut [f32],
) {
    let total: usize = chain.iter().map(|run| run.len).sum();
    // A run ends anywhere in a block of lanes; what its last block holds behind the end is overwritten by the next run,
    // or lies in this margin.
    let stride = total + BLOCK;
    scores.resize(layout.group() * stride, 0.0);
    let mut at = 0;
    for run in chain {
        score(layout, head, q, run, &mut scores[at..], stride);
        at += run.len;
    }
    for row in scores.chunks_exact_mut(stride) {
        let (row, margin) = row.split_at_mut(total);
        margin[0] = exp_in_place(row, maximum(row), 1.0);
    }
    out.fill(0.0);
    let mut at = 0;
    for run in chain {
        mix(layout, head, &scores[at..], stride, run, out);
        at += run.len;
    }
    for (row, out) in scores.chunks_exact(stride).zip(out.chunks_exact_mut(layout.head_dim)) {
        let sum = row[total];
        out.iter_mut().for_each(|x| *x /= sum);
    }
}

/// Cuts the query heads of a key head into pairs and a single one: `(first, how many)`.
#[inline(always)]
fn pairs(layout: &Layout) -> impl Iterator<Item = (usize, usize)> {
    let group = layout.group();
    (0..group).step_by(2).map(move |first| (first, (group - first).min(2)))
}

widest! {
    /// scores[h·stride + j] = q[h]·k[j]/√d for the positions j of a run, and garbage up to the end of its last block.
    fn score(layout: &Layout, head: usize, q: &[f32], run: &Run<'_>, scores: &mut [f32], stride: usize) {
        let column = layout.head_dim * BLOCK;
        let scale = 1.0 / (layout.head_dim as f32).sqrt();
        for (block, keys) in run.keys.chunks_exact(layout.kv_heads * column).take(run.len.div_ceil(BLOCK)).enumerate() {
            let keys = &keys[head * column..][..column];
            for (first, size) in pairs(layout) {
                let q = &q[first * layout.head_dim..][..size * layout.head_dim];
                let scores = &mut scores[first * stride + block * BLOCK..];
                // The next block, once.
                let next = (first == 0).then_some(layout.kv_heads * column);
                match size {
                    2 => score_block::<2>(q, keys, next, scale, scores, stride),
                    _ => score_block::<1>(q, keys, next, scale, scores, stride),
                }
            }
        }
    }
}

/// G query heads against one block of keys; asks for the keys that are `next` numbers ahead.
#[inline(always)]
fn score_block<const G: usize>(
    q: &[f32],
    keys: &[f32],
    next: Option<usize>,
    scale: f32,
    scores: &mut [f32],
    stride: usize,
) {
    let head_dim = keys.len() / BLOCK;
    // A block is two registers' worth of lanes.
    let (mut low, mut high) = ([[0.0f32; LANES]; G], [[0.0f32; LANES]; G]);
    let mut i = 0;
    while i < head_dim {
        let a = &keys[i * BLOCK..][..LANES];
        let b = &keys[i * BLOCK + LANES..][..LANES];
        if let Some(next) = next {
            ask(a, next);
            ask(b, next);
        }
        for g in 0..G {
            let x = q[g * head_dim + i];
            for l in 0..LANES {
                low[g][l] += x * a[l];
                high[g][l] += x * b[l];
            }
        }
        i += 1;
    }
    for g in 0..G {
        let row = &mut scores[g * stride..][..BLOCK];
        for l in 0..LANES {
            row[l] = low[g][l] * scale;
            row[LANES + l] = high[g][l] * scale;
        }
    }
}

widest! {
    /// out[h] += Σ_j weights[h·stride + j] · v[j] over the positions j of a run.
    fn mix(layout: &Layout, head: usize, weights: &[f32], stride: usize, run: &Run<'_>, out: &mut [f32]) {
        let (width, head_dim) = (layout.width(), layout.head_dim);
        for (block, values) in run.values[..run.len * width].chunks(BLOCK * width).enumerate() {
            let values = &values[head * head_dim..];
            for (first, size) in pairs(layout) {
                let weights = &weights[first * stride + block * BLOCK..];
                let out = &mut out[first * head_dim..][..size * head_dim];
                // The next block, once.
                let next = (first == 0).then_some(BLOCK * width);
                match size {
                    2 => mix_block::<2>(weights, stride, values, next, width, head_dim, out),
                    _ => mix_block::<1>(weights, stride, values, next, width, head_dim, out),
                }
            }
        }
    }
}

/// G query heads over one block of values, whose rows are `width` apart; asks for those that are `next` numbers ahead.
#[inline(always)]
fn mix_block<const G: usize>(
    weights: &[f32],
    stride: usize,
    values: &[f32],
    next: Option<usize>,
    width: usize,
    head_dim: usize,
    out: &mut [f32],
) {
    let n = values.len().div_ceil(width);
    let mut start = 0;
    while start + LANES <= head_dim {
        // Two positions at a time with a sum each, so that one addition need not wait for the other.
        let (mut even, mut odd) = ([[0.0f32; LANES]; G], [[0.0f32; LANES]; G]);
        let mut j = 0;
        while j + 2 <= n {
            let a = &values[j * width + start..][..LANES];
            let b = &values[(j + 1) * width + start..][..LANES];
            if let Some(next) = next {
                ask(a, next);
                ask(b, next);
            }
            for g in 0..G {
                let (x, y) = (weights[g * stride + j], weights[g * stride + j + 1]);
                for l in 0..LANES {
                    even[g][l] += x * a[l];
                    odd[g][l] += y * b[l];
                }
            }
            j += 2;
        }
        if j < n {
            let a = &values[j * width + start..][..LANES];
            for g in 0..G {
                let x = weights[g * stride + j];
                for l in 0..LANES {
                    even[g][l] += x * a[l];
                }
            }
        }
        for g in 0..G {
            let out = &mut out[g * head_dim + start..][..LANES];
            for l in 0..LANES {
                out[l] += even[g][l] + odd[g][l];
            }
        }
        start += LANES;
    }
    for i in start..head_dim {
        for g in 0..G {
            let terms = values.chunks(width).enumerate().map(|(j, row)| weights[g * stride + j] * row[i]);
            out[g * head_dim + i] += terms.sum::<f32>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::Store;
    use super::*;

    fn wave(n: usize, phase: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * 0.731 + phase).sin()).collect()
    }

    /// The formula, in f64, over rows.
    fn reference(layout: &Layout, q: &[f32], keys: &[f32], values: &[f32]) -> Vec<f64> {
        let (d, w) = (layout.head_dim, layout.width());
        let n = keys.len() / w;
        let mut out = vec![0.0; layout.heads * d];
        for h in 0..layout.heads {
            let at = h / (layout.heads / layout.kv_heads) * d;
            let dot = |j: usize| (0..d).map(|i| f64::from(q[h * d + i]) * f64::from(keys[j * w + at + i])).sum::<f64>();
            let e: Vec<f64> = (0..n).map(|j| (dot(j) / (d as f64).sqrt()).exp()).collect();
            let sum: f64 = e.iter().sum();
            for i in 0..d {
                out[h * d + i] = (0..n).map(|j| e[j] / sum * f64::from(values[j * w + at + i])).sum();
            }
        }
        out
    }

    #[test]
    fn equals_the_formula_over_any_chain() {
        for (heads, kv_heads, head_dim) in [(4, 2, 32), (14, 2, 64), (3, 3, 24), (6, 2, 8)] {
            let layout = Layout { layers: 2, heads, kv_heads, head_dim };
            let w = layout.width();
            for runs in [&[1usize][..], &[16], &[37], &[5, 1], &[16, 20, 3], &[33, 31]] {
                let n: usize = runs.iter().sum();
                let (q, keys, values) = (wave(heads * head_dim, 0.1), wave(n * w, 0.2), wave(n * w, 0.3));
                let mut at = 0;
                let stores: Vec<Store> = runs
                    .iter()
                    .map(|&len| {
                        let mut store = Store::new(layout);
                        // In two pieces, and longer than is used: a branch may go on behind a shared prefix.
                        let cut = len / 2;
                        store.write(1, 0, &keys[at * w..(at + cut) * w], &values[at * w..(at + cut) * w]);
                        store.write(
                            1,
                            cut,
                            &keys[(at + cut) * w..(at + len) * w],
                            &values[(at + cut) * w..(at + len) * w],
                        );
                        store.write(1, len, &vec![9.0; 3 * w], &vec![9.0; 3 * w]);
                        at += len;
                        store
                    })
                    .collect();
                let chain: Vec<Run<'_>> = stores.iter().zip(runs).map(|(s, &len)| s.run(1, len)).collect();
                let mut out = vec![7.0; heads * head_dim];
                let group = layout.group() * head_dim;
                for (head, (q, out)) in q.chunks_exact(group).zip(out.chunks_exact_mut(group)).enumerate() {
                    attend(&layout, head, q, &chain, &mut vec![5.0; 3], out);
                }
                for (a, b) in out.iter().zip(reference(&layout, &q, &keys, &values)) {
                    assert!((f64::from(*a) - b).abs() < 2e-6, "{a} is not {b}");
                }
                let (mut k, mut v) = (vec![0.0; n * w], vec![0.0; n * w]);
                let mut at = 0;
                for (store, len) in stores.iter().zip(runs) {
                    let part = at * w..(at + len) * w;
                    store.key_rows(1, &mut k[part.clone()]);
                    store.value_rows(1, &mut v[part]);
                    at += len;
                }
                assert_eq!((k, v), (keys, values));
            }
        }
    }
}
