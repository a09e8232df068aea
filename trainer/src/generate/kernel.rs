//! Attention of one new token over its cached past, on the CPU: softmax(q·K/√d)·V over a chain of [`Run`]s.
//!
//! The past of a learner is a chain: a prefix that it shares with others, then its own positions. Each run is read where it is; nothing is padded, gathered or
//! copied. Query heads that share a key head are worked off together, so that keys and values are read once for them.

use super::lanes::{LANES, exp_in_place, maximum, widest};
use super::store::{Layout, Run};

/// `q` and `out` `[head][head_dim]` of one token; `scores` is work space.
pub(super) fn attend(layout: &Layout, q: &[f32], chain: &[Run<'_>], scores: &mut Vec<f32>, out: &mut [f32]) {
    let Layout { heads, kv_heads, head_dim, .. } = *layout;
    let group = heads / kv_heads;
    let share = group * head_dim;
    for (head, (q, out)) in q.chunks_exact(share).zip(out.chunks_exact_mut(share)).enumerate() {
        let mut done = 0;
        while done < group {
            let take = match group - done {
                4.. => 4,
                2.. => 2,
                _ => 1,
            };
            let part = done * head_dim..(done + take) * head_dim;
            let (q, out) = (&q[part.clone()], &mut out[part]);
            match take {
                4 => heads_of::<4>(layout, head, q, chain, scores, out),
                2 => heads_of::<2>(layout, head, q, chain, scores, out),
                _ => heads_of::<1>(layout, head, q, chain, scores, out),
            }
            done += take;
        }
    }
}

/// G query heads over one key head.
fn heads_of<const G: usize>(
    layout: &Layout,
    head: usize,
    q: &[f32],
    chain: &[Run<'_>],
    scores: &mut Vec<f32>,
    out: &mut [f32],
) {
    let (kv_heads, head_dim) = (layout.kv_heads, layout.head_dim);
    let total: usize = chain.iter().map(|run| run.len).sum();
    // A run ends anywhere in a block of lanes; what the block holds behind its end is overwritten by the next run, or lies in this margin.
    let stride = total + LANES;
    scores.resize(G * stride, 0.0);
    let scale = 1.0 / (head_dim as f32).sqrt();
    let mut at = 0;
    for run in chain {
        score::<G>(q, run.keys, kv_heads, head, head_dim, run.len, scale, &mut scores[at..], stride);
        at += run.len;
    }
    let mut sums = [0.0; G];
    for (sum, row) in sums.iter_mut().zip(scores.chunks_exact_mut(stride)) {
        let row = &mut row[..total];
        *sum = exp_in_place(row, maximum(row), 1.0);
    }
    out.fill(0.0);
    let mut at = 0;
    for run in chain {
        mix::<G>(&scores[at..], stride, run.values, kv_heads, head, head_dim, run.len, out);
        at += run.len;
    }
    for (row, sum) in out.chunks_exact_mut(head_dim).zip(sums) {
        row.iter_mut().for_each(|x| *x /= sum);
    }
}

widest! {
    /// scores[g·stride + j] = scale · q[g]·k[j] for the `len` positions j of a run, and garbage up to the end of its last block.
    pub(super) fn score<const G: usize>(
        q: &[f32], keys: &[f32], kv_heads: usize, head: usize, head_dim: usize, len: usize, scale: f32, scores: &mut [f32], stride: usize,
    ) {
        let column = head_dim * LANES;
        for block in 0..len.div_ceil(LANES) {
            let mut sums = [[0.0f32; LANES]; G];
            let keys = &keys[(block * kv_heads + head) * column..][..column];
            for (i, lanes) in keys.chunks_exact(LANES).enumerate() {
                for (g, sum) in sums.iter_mut().enumerate() {
                    let x = q[g * head_dim + i];
                    for l in 0..LANES {
                        sum[l] += x * lanes[l];
                    }
                }
            }
            for (g, sum) in sums.iter().enumerate() {
                let row = &mut scores[g * stride + block * LANES..][..LANES];
                for l in 0..LANES {
                    row[l] = sum[l] * scale;
                }
            }
        }
    }
}

widest! {
    /// out[g] += Σ_j weights[g·stride + j] · v[j] over the `len` positions j of a run.
    pub(super) fn mix<const G: usize>(
        weights: &[f32], stride: usize, values: &[f32], kv_heads: usize, head: usize, head_dim: usize, len: usize, out: &mut [f32],
    ) {
        let width = kv_heads * head_dim;
        let mut start = 0;
        while start + LANES <= head_dim {
            // Two sums in turn, so that one addition need not wait for the other.
            let mut sums = [[[0.0f32; LANES]; G]; 2];
            for j in 0..len {
                let row = &values[j * width + head * head_dim + start..][..LANES];
                for (g, sum) in sums[j % 2].iter_mut().enumerate() {
                    let w = weights[g * stride + j];
                    for l in 0..LANES {
                        sum[l] += w * row[l];
                    }
                }
            }
            let [even, odd] = sums;
            for (g, (even, odd)) in even.iter().zip(&odd).enumerate() {
                let out = &mut out[g * head_dim + start..][..LANES];
                for l in 0..LANES {
                    out[l] += even[l] + odd[l];
                }
            }
            start += LANES;
        }
        for i in start..head_dim {
            for g in 0..G {
                let terms = (0..len).map(|j| weights[g * stride + j] * values[j * width + head * head_dim + i]);
                out[g * head_dim + i] += terms.sum::<f32>();
            }
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
                attend(&layout, &q, &chain, &mut vec![5.0; 3], &mut out);
                for (a, b) in out.iter().zip(reference(&layout, &q, &keys, &values)) {
                    assert!((f64::from(*a) - b).abs() < 2e-6, "{a} is not {b}");
                }
                let (mut k, mut v) = (Vec::new(), Vec::new());
                stores.iter().zip(runs).for_each(|(s, &len)| s.rows(1, len, &mut k, &mut v));
                assert_eq!((k, v), (keys, values));
            }
        }
    }
}
