//! Attention of a few new tokens over their past, on the CPU: softmax(q·K/√d)·V over a chain of [`Run`]s.
//!
//! The past of a learner is a chain: a prefix that it shares with others, then its own positions. Each run is read
//! where it is; nothing is padded, gathered or copied. Keys and values stream through once, from front to back: within
//! a block of positions, which stays in the first-level cache, the tokens' query heads that share a key head are worked off
//! together.
//!
//! Every sum is made in an order that depends on positions alone, not on where one run ends and the next begins: a token
//! has the same numbers to the bit however its past is shared.

use super::loops::{Mix, Scores, mix, score};
use super::store::{BLOCK, Layout, Run};
use crate::lanes::{Instructions, exp_in_place, maximum};

/// One key head and the query heads that share it, for some new tokens that follow each other: `q` `[token][heads][head_dim]`,
/// a row of `outs`, `[query head][head_dim]`, a token. `chain` is what the last of them sees, itself included; each token before
/// sees one position less. `work` is work space. Whatever the `instructions`, the numbers are the same.
pub(super) fn attend(
    instructions: Option<Instructions>,
    layout: &Layout,
    head: usize,
    q: &[f32],
    chain: &[Run<'_>],
    work: &mut Vec<f32>,
    outs: &mut [&mut [f32]],
) {
    let (group, head_dim, tokens) = (layout.group(), layout.head_dim, outs.len());
    let rows = tokens * group;
    let total: usize = chain.iter().map(|run| run.len).sum();
    // A run ends anywhere in a block of lanes; what its last block holds behind the end is overwritten by the next run,
    // or lies in this margin.
    let stride = total + BLOCK;
    let numbers = rows * head_dim;
    work.clear();
    work.resize(rows * stride + rows + 4 * numbers, 0.0);
    let (scores, rest) = work.split_at_mut(rows * stride);
    let (totals, rest) = rest.split_at_mut(rows);
    let (own, rest) = rest.split_at_mut(numbers);
    let (out, sums) = rest.split_at_mut(numbers);
    let (even, odd) = sums.split_at_mut(numbers);
    for (q, own) in q.chunks_exact(layout.heads * head_dim).zip(own.chunks_exact_mut(group * head_dim)) {
        own.copy_from_slice(&q[head * group * head_dim..][..group * head_dim]);
    }
    let mut at = 0;
    for run in chain {
        score(instructions, &mut Scores { layout, head, q: own, run, scores: &mut scores[at..], stride });
        at += run.len;
    }
    for (row, (scores, sum)) in scores.chunks_exact_mut(stride).zip(&mut *totals).enumerate() {
        let (seen, hidden) = scores.split_at_mut(total - (tokens - 1 - row / group));
        *sum = exp_in_place(seen, maximum(seen), 1.0);
        hidden.fill(0.0);
    }
    let mut at = 0;
    for run in chain {
        mix(instructions, &mut Mix { layout, head, weights: &scores[at..], stride, run, at, even, odd, out });
        at += run.len;
    }
    if !total.is_multiple_of(BLOCK) {
        out.iter_mut().zip(&*even).zip(&*odd).for_each(|((out, even), odd)| *out += even + odd);
    }
    let rows = out.chunks_exact(head_dim).zip(&*totals);
    for ((mixed, sum), out) in rows.zip(outs.iter_mut().flat_map(|out| out.chunks_exact_mut(head_dim))) {
        out.iter_mut().zip(mixed).for_each(|(out, x)| *out = x / sum);
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

    /// [`attend`] for all heads of tokens that follow each other.
    fn all_heads(layout: &Layout, q: &[f32], chain: &[Run<'_>]) -> Vec<f32> {
        by(Instructions::best(), layout, q, chain)
    }

    fn by(instructions: Option<Instructions>, layout: &Layout, q: &[f32], chain: &[Run<'_>]) -> Vec<f32> {
        let mut out = vec![7.0; q.len()];
        let (token, group) = (layout.heads * layout.head_dim, layout.group() * layout.head_dim);
        for head in 0..layout.kv_heads {
            let mut outs: Vec<&mut [f32]> =
                out.chunks_exact_mut(token).map(|out| &mut out[head * group..][..group]).collect();
            attend(instructions, layout, head, q, chain, &mut vec![5.0; 3], &mut outs);
        }
        out
    }

    #[test]
    fn equals_the_formula_over_any_chain() {
        for (heads, kv_heads, head_dim) in [(4, 2, 32), (14, 2, 64), (3, 3, 24), (6, 2, 8)] {
            let layout = Layout { layers: 2, heads, kv_heads, head_dim };
            let w = layout.width();
            for runs in [&[1usize][..], &[16], &[37], &[5, 1], &[16, 20, 3], &[33, 31], &[3, 29, 1, 31, 7]] {
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
                let out = all_heads(&layout, &q, &chain);
                let mut whole = Store::new(layout);
                whole.write(1, 0, &keys, &values);
                assert_eq!(out, all_heads(&layout, &q, &[whole.run(1, n)]), "where runs end makes no difference");
                assert_eq!(out, by(None, &layout, &q, &chain), "nor do instructions");
                #[cfg(target_arch = "x86_64")]
                if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                    assert_eq!(out, by(Some(Instructions::Avx2), &layout, &q, &chain));
                }
                // Nor does it make one whether tokens come together: the last as before, two that see less.
                let before = wave(2 * heads * head_dim, 0.4);
                let some = before.len().min((n - 1) * heads * head_dim);
                let together = [&before[..some], &q].concat();
                let company = all_heads(&layout, &together, &chain);
                for (token, out) in company.chunks_exact(heads * head_dim).enumerate() {
                    let q = &together[token * heads * head_dim..][..heads * head_dim];
                    let seen = n - (together.len() / q.len() - 1 - token);
                    assert_eq!(out, all_heads(&layout, q, &[whole.run(1, seen)]));
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
