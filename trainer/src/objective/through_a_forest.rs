//! The objectives through a forest pass equal the same losses over separate rows, values and gradients.
//!
//! On one side: trees packed into passes, closed-form derivatives. On the other: every path from the root to a leaf as a row
//! of its own, the loss written in tensors, and autograd.

use proptest::prelude::*;
use std::ops::Range;
use tch::{Kind, Tensor};

use super::*;
use crate::config::PairLoss;
use crate::forest::tests::{GRADIENTS, Plan, assert_close, assert_gradients, gradients, model, plan, plant, rows};
use crate::forest::{self, Options, TargetLogProbs};
use crate::model::Model;
use crate::tokens::FlatTree;

/// Trees with the edges of each of their spans.
fn trees(plans: &[Plan]) -> Vec<(FlatTree, Vec<Range<usize>>)> {
    let all = plans.iter().map(plant).map(|tree| (tree.flatten(), tree.edge_ranges()));
    all.filter(|(tree, _)| !tree.edges.is_empty()).collect()
}

/// The loss of one tree, by its place, and its derivatives.
type OfTree<'a> = dyn FnMut(usize, &TargetLogProbs) -> (f64, Vec<f32>) + 'a;

/// Runs `objective` over packed passes: the loss and the gradients.
fn packed(
    model: &Model,
    trees: &[&FlatTree],
    options: &Options,
    budget: usize,
    objective: &mut OfTree<'_>,
) -> (f64, Vec<(String, Tensor)>) {
    let mut loss = 0.0;
    for pass in forest::pack(&trees.iter().map(|t| t.tokens.len()).collect::<Vec<_>>(), budget) {
        let some: Vec<&FlatTree> = pass.iter().map(|&i| trees[i]).collect();
        forest::backward(model, &some, options, &mut |read| {
            let parts = pass.iter().zip(read).map(|(&tree, read)| objective(tree, read));
            Ok(parts
                .map(|(part, grad)| {
                    loss += part;
                    grad
                })
                .collect())
        })
        .unwrap();
    }
    (loss, gradients(model))
}

/// Autograd's gradients of a loss over rows.
fn unpacked(model: &Model, loss: &Tensor) -> (f64, Vec<(String, Tensor)>) {
    loss.backward();
    (loss.double_value(&[]), gradients(model))
}

fn assert_same(have: &(f64, Vec<(String, Tensor)>), want: &(f64, Vec<(String, Tensor)>)) {
    assert!((have.0 - want.0).abs() <= 2e-5 * want.0.abs().max(1.0), "loss {} is not {}", have.0, want.0);
    assert_gradients(&have.1, &want.1, GRADIENTS);
}

/// The loss of a pair in tensors, written from the formulas once more.
fn pair_loss(s: &DpoLoss, chosen: &Tensor, rejected: &Tensor, reference: (f64, f64)) -> Tensor {
    let score = |log_probs: &Tensor, reference: f64| {
        let sum = log_probs.sum(Kind::Double) - if s.kind == PairLoss::Simpo { 0.0 } else { reference };
        if s.kind.by_token() { sum / log_probs.size()[0] } else { sum }
    };
    let (c, r) = (score(chosen, reference.0), score(rejected, reference.1));
    let (delta, e) = (&c - &r, s.label_smoothing);
    let smooth = |x: Tensor| x.log_sigmoid() * (e - 1.0) - (-&x).log_sigmoid() * e;
    match s.kind {
        PairLoss::Sigmoid | PairLoss::LengthNormalised => smooth(delta * s.beta),
        PairLoss::Simpo => smooth(delta * s.beta - s.gamma),
        PairLoss::Robust => {
            let x = delta * s.beta;
            (x.log_sigmoid() * (e - 1.0) + (-&x).log_sigmoid() * e) / (1.0 - 2.0 * e)
        }
        PairLoss::Hinge => (-(delta * s.beta) + 1.0).relu(),
        PairLoss::Ipo => (delta - 1.0 / (2.0 * s.beta)).square(),
        PairLoss::Kto => -(c * s.beta).sigmoid() + 1.0 + (r * s.beta).sigmoid(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sft(
        plans in prop::collection::vec(plan(), 1..4), kind in 0usize..3, lora in any::<bool>(), chunk in 1usize..20,
        budget in 1usize..80, recompute in any::<bool>(),
    ) {
        let trees = trees(&plans);
        prop_assume!(!trees.is_empty());
        let model = model(kind, lora);
        let refs: Vec<&FlatTree> = trees.iter().map(|t| &t.0).collect();
        let n: usize = refs.iter().map(|t| t.edges.len()).sum();
        let all = Tensor::cat(&refs.iter().map(|t| rows(&model, t, 1.0)).collect::<Vec<_>>(), 0);
        let want = unpacked(&model, &-all.to_kind(Kind::Double).mean(Kind::Double));
        let options = Options { chunk, recompute, ..Options::default() };
        let have = packed(&model, &refs, &options, budget, &mut |_, read| {
            let o = super::sft(std::slice::from_ref(&read.log_probs), n as f64).unwrap();
            (o.loss, o.grad.concat())
        });
        assert_same(&have, &want);
    }

    #[test]
    fn preferences(
        plans in prop::collection::vec(plan(), 1..4), kind in 0usize..3, lora in any::<bool>(), chunk in 1usize..20,
        budget in 1usize..80, loss in prop::sample::select(PairLoss::ALL.to_vec()), beta in 0.05f64..1.0,
        flip in 0.0f64..0.4, seed in 0usize..100,
    ) {
        // Each two spans of a tree are a pair, whatever they share.
        let trees = trees(&plans);
        let count: usize = trees.iter().map(|t| t.1.len() / 2).sum();
        prop_assume!(count > 0);
        let model = model(kind, lora);
        let label_smoothing = if loss.smooths_labels() { flip } else { 0.0 };
        let settings = DpoLoss { kind: loss, beta, label_smoothing, gamma: 0.3 };
        let reference = |tree: usize, pair: usize| {
            let noise = ((seed + 7 * tree + 3 * pair) as f64).sin();
            (-8.0 + 4.0 * noise, -8.0 - 4.0 * noise)
        };
        let mut want = Tensor::from(0f64);
        for (t, (tree, spans)) in trees.iter().enumerate() {
            let read = rows(&model, tree, 1.0).to_kind(Kind::Double);
            for (p, pair) in spans.chunks_exact(2).enumerate() {
                let part = |r: &Range<usize>| read.narrow(0, r.start as i64, r.len() as i64);
                want += pair_loss(&settings, &part(&pair[0]), &part(&pair[1]), reference(t, p)) / count as f64;
            }
        }
        let want = unpacked(&model, &want);
        let refs: Vec<&FlatTree> = trees.iter().map(|t| &t.0).collect();
        let options = Options { chunk, ..Options::default() };
        let have = packed(&model, &refs, &options, budget, &mut |t, read| {
            let spans = &trees[t].1;
            let answer = |r: &Range<usize>, reference| {
                Answer { log_prob: total(&read.log_probs[r.clone()]), reference, tokens: r.len() }
            };
            let pairs: Vec<Pair> = spans.chunks_exact(2).enumerate().map(|(p, pair)| {
                let (c, r) = reference(t, p);
                Pair { chosen: answer(&pair[0], c), rejected: answer(&pair[1], r) }
            }).collect();
            let o = dpo(&pairs, &settings, count as f64).unwrap();
            let mut grad = vec![0.0f32; read.log_probs.len()];
            for (pair, slope) in spans.chunks_exact(2).zip(&o.grad) {
                grad[pair[0].clone()].iter_mut().for_each(|g| *g += slope.chosen as f32);
                grad[pair[1].clone()].iter_mut().for_each(|g| *g += slope.rejected as f32);
            }
            (o.loss, grad)
        });
        assert_same(&have, &want);
    }

    #[test]
    fn policy_gradient(
        plans in prop::collection::vec(plan(), 1..4), kind in 0usize..3, lora in any::<bool>(), chunk in 1usize..20,
        budget in 1usize..80, temperature in prop::sample::select(vec![1.0, 0.7]), seed in 0usize..100,
    ) {
        // Each span is a sample.
        let trees = trees(&plans);
        prop_assume!(!trees.is_empty());
        let model = model(kind, lora);
        let refs: Vec<&FlatTree> = trees.iter().map(|t| &t.0).collect();
        let n: usize = refs.iter().map(|t| t.edges.len()).sum();
        let settings = PolicyLoss::default();
        let advantage = |tree: usize, sample: usize| ((seed + 5 * tree + 11 * sample) as f64 * 1.3).sin();
        let mut want = Tensor::from(0f64);
        let mut olds: Vec<Vec<f32>> = Vec::new();
        for (t, (tree, spans)) in trees.iter().enumerate() {
            let new = rows(&model, tree, temperature);
            // Recorded log-probs near the new ones, off the clip's edges.
            let old: Vec<f32> = Vec::<f32>::try_from(new.detach()).unwrap().iter().enumerate()
                .map(|(i, x)| x + [0.0, 0.1, -0.1, 0.5, -0.5][(i + seed) % 5]).collect();
            let ratio = (new.to_kind(Kind::Double) - Tensor::from_slice(&old).to_kind(Kind::Double)).exp();
            for (s, span) in spans.iter().enumerate() {
                let ratio = ratio.narrow(0, span.start as i64, span.len() as i64);
                let a = advantage(t, s);
                let clipped = ratio.clamp(1.0 - settings.clip_low, 1.0 + settings.clip_high) * a;
                want -= (ratio * a).minimum(&clipped).sum(Kind::Double) / n as f64;
            }
            olds.push(old);
        }
        let want = unpacked(&model, &want);
        let options = Options { chunk, temperature, ..Options::default() };
        let have = packed(&model, &refs, &options, budget, &mut |t, read| {
            let samples: Vec<Sample<'_>> = trees[t].1.iter().enumerate().map(|(s, span)| Sample {
                new: &read.log_probs[span.clone()],
                old: &olds[t][span.clone()],
                reference: None,
                advantage: Advantage::Sample(advantage(t, s)),
                normaliser: n as f64,
            }).collect();
            let o = dapo(&samples, &settings).unwrap();
            (o.loss, o.grad.concat())
        });
        assert_same(&have, &want);
    }
}

#[test]
fn one_pass_of_eight_trees_is_eight_passes_of_one() {
    let plans: Vec<Plan> =
        (0..8u32).map(|i| (vec![(0, (i..i + 9).collect()), (0, vec![5, i])], vec![(0, 2, 6), (1, 0, 2)])).collect();
    let trees = trees(&plans);
    let refs: Vec<&FlatTree> = trees.iter().map(|t| &t.0).collect();
    let n: usize = refs.iter().map(|t| t.edges.len()).sum();
    let longest = refs.iter().map(|t| t.tokens.len()).max().unwrap();
    let model = model(0, false);
    let run = |budget| {
        packed(&model, &refs, &Options::default(), budget, &mut |_, read| {
            let o = super::sft(std::slice::from_ref(&read.log_probs), n as f64).unwrap();
            (o.loss, o.grad.concat())
        })
    };
    let (whole, parts) = (run(8 * longest), run(longest));
    assert!((whole.0 - parts.0).abs() < 1e-6 * whole.0);
    for ((name, a), (_, b)) in whole.1.iter().zip(&parts.1) {
        assert_close(name, a, b, 2e-7 * n as f64);
    }
}
