//! The invariant: a forest pass equals, edge by edge and gradient by gradient, separate rows.

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::json;
use tch::{Device, Kind, Tensor};

use super::*;
use crate::config::LoraConfig;
use crate::model::testing::tiny;
use crate::model::{Causal, Model};
use crate::tokens::{FlatTree, SegmentId, Span, TokenTree};

const CPU: Device = Device::Cpu;
const VOCAB: u32 = 96;
/// Tolerance of gradients that two ways of summation give. DoRA's magnitudes lose most: theirs are sums of large products that
/// cancel (1.8e-5 was seen).
pub(crate) const GRADIENTS: f64 = 5e-5;

/// Log-probs of a tree's edges as a tensor with a graph: every path from the root to a leaf is a row of its own, run
/// alone with causal attention and a full log-softmax. An edge in several rows is read from the first.
pub(crate) fn rows(model: &Model, tree: &FlatTree, temperature: f64) -> Tensor {
    let is_leaf = |s: usize| tree.segments.iter().all(|other| other.parent != Some(s));
    let mut read: HashMap<usize, Tensor> = HashMap::new();
    for leaf in (0..tree.segments.len()).filter(|&s| is_leaf(s)) {
        let mut path = Vec::new();
        let mut at = Some(leaf);
        while let Some(s) = at {
            let segment = tree.segments[s];
            path.splice(0..0, segment.start..segment.start + segment.len);
            at = segment.parent;
        }
        let tokens: Vec<i64> = path.iter().map(|&i| i64::from(tree.tokens[i])).collect();
        let positions: Vec<i64> = (0..path.len() as i64).collect();
        let (tokens, positions) = (Tensor::from_slice(&tokens), Tensor::from_slice(&positions));
        let hidden = model.hidden(&tokens, &positions, &mut Causal).unwrap();
        let scores = (model.logits(&hidden).unwrap() / temperature).log_softmax(-1, Kind::Float);
        for (i, &flat) in path.iter().enumerate().skip(1) {
            let score = || scores.select(0, i as i64 - 1).select(0, i64::from(tree.tokens[flat]));
            read.entry(flat).or_insert_with(score);
        }
    }
    let edges: Vec<&Tensor> = tree.edges.iter().map(|e| &read[&e.child]).collect();
    Tensor::stack(&edges, 0)
}

pub(crate) fn zero_gradients(model: &Model) {
    for mut parameter in model.trainable() {
        parameter.tensor.zero_grad();
    }
}

/// Gradients of all trainable parameters, zeros where there is none; zeroed afterwards.
pub(crate) fn gradients(model: &Model) -> Vec<(String, Tensor)> {
    let copy = |t: &Tensor| if t.grad().defined() { t.grad().copy() } else { t.zeros_like() };
    let all = model.trainable().into_iter().map(|p| (p.name, copy(&p.tensor))).collect();
    zero_gradients(model);
    all
}

pub(crate) fn assert_close(what: &str, have: &Tensor, want: &Tensor, tolerance: f64) {
    let scale = want.abs().max().double_value(&[]).max(1.0);
    let apart = (have - want).abs().max().double_value(&[]);
    assert!(apart <= tolerance * scale, "{what}: {apart:e} apart, largest value {scale}");
}

pub(crate) fn assert_gradients(have: &[(String, Tensor)], want: &[(String, Tensor)], tolerance: f64) {
    assert_eq!(have.len(), want.len());
    for ((name, have), (_, want)) in have.iter().zip(want) {
        assert_close(name, have, want, tolerance);
    }
}

/// Segments as (pick of the parent, tokens), targets as (pick of the segment, start, length).
pub(crate) type Plan = (Vec<(usize, Vec<u32>)>, Vec<(usize, usize, usize)>);

pub(crate) fn plant((segments, spans): &Plan) -> TokenTree {
    let mut tree = TokenTree::default();
    for (i, (parent, tokens)) in segments.iter().enumerate() {
        tree.push((i > 0).then(|| SegmentId(parent % i)), tokens).unwrap();
    }
    for &(segment, start, len) in spans {
        let segment = segment % segments.len();
        let size = segments[segment].1.len();
        let start = start % size;
        let start = if segment == 0 { start.max(1) } else { start };
        // A root of one token has no target.
        let _ = tree.target(Span { segment: SegmentId(segment), start, len: len.min(size.saturating_sub(start)) });
    }
    tree
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let segment = (any::<usize>(), prop::collection::vec(0..VOCAB, 1..9));
    let span = (any::<usize>(), any::<usize>(), 1usize..9);
    (prop::collection::vec(segment, 1..8), prop::collection::vec(span, 1..6))
}

pub(crate) fn model(kind: usize, lora: bool) -> Model {
    let config = match kind {
        0 => tiny("qwen3", json!({"tie_word_embeddings": true})),
        1 => tiny("qwen2", json!({})),
        _ => tiny("llama", json!({"tie_word_embeddings": true, "num_key_value_heads": 1, "attention_bias": true})),
    };
    let mut model = Model::init(config, kind as u64, Kind::Float, CPU).unwrap();
    if lora {
        // One family has DoRA, so that its gradient is tested too.
        let lora = LoraConfig { rank: 2, alpha: 4.0, dora: kind == 1, ..LoraConfig::default() };
        model.add_lora(&lora, 1).unwrap();
        for parameter in model.trainable().iter().filter(|p| p.name.contains("lora_B")) {
            let count = parameter.tensor.numel() as i64;
            let ramp = (Tensor::arange(count, (Kind::Float, CPU)) * 0.7).sin() * 0.1;
            model.set_trainable(&parameter.name, &ramp.view(parameter.tensor.size().as_slice())).unwrap();
        }
    }
    model
}

/// A weight for every edge of every tree: some negative, some zero.
fn weigh(trees: &[FlatTree], seed: usize) -> Vec<Vec<f32>> {
    let weight = |i: usize| if (i + seed).is_multiple_of(5) { 0.0 } else { ((i + seed) as f32 * 1.7).sin() };
    let mut at = 0..;
    trees.iter().map(|t| t.edges.iter().map(|_| weight(at.next().unwrap())).collect()).collect()
}

fn log_probs_of(read: &[TargetLogProbs]) -> Tensor {
    Tensor::from_slice(&read.iter().flat_map(|r| r.log_probs.clone()).collect::<Vec<f32>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_forest_equals_its_rows(
        plans in prop::collection::vec(plan(), 1..5),
        kind in 0usize..3,
        lora in any::<bool>(),
        chunk in 1usize..20,
        budget in 1usize..80,
        dense in any::<bool>(),
        recompute in any::<bool>(),
        temperature in prop::sample::select(vec![1.0, 0.7]),
        seed in 0usize..100,
    ) {
        let trees: Vec<FlatTree> = plans.iter().map(|p| plant(p).flatten()).filter(|t| !t.edges.is_empty()).collect();
        prop_assume!(!trees.is_empty());
        let model = model(kind, lora);
        let attention = if dense { AttentionKind::Dense } else { AttentionKind::Cut };
        let options = Options { chunk, temperature, attention, recompute, ..Options::default() };
        let weights = weigh(&trees, seed);

        let want = Tensor::cat(&trees.iter().map(|t| rows(&model, t, temperature)).collect::<Vec<_>>(), 0);
        (Tensor::from_slice(&weights.concat()) * &want).sum(Kind::Float).neg().backward();
        let want_gradients = gradients(&model);
        let want = want.detach();

        // Packed in passes, in the order of the passes: accumulation over passes is part of the claim.
        let passes = pack(&trees.iter().map(|t| t.tokens.len()).collect::<Vec<_>>(), budget);
        let mut read = vec![TargetLogProbs::default(); trees.len()];
        let mut run = |weighted: bool| {
            for pass in &passes {
                let some: Vec<&FlatTree> = pass.iter().map(|&i| &trees[i]).collect();
                let part: Vec<Vec<f32>> = pass.iter().map(|&i| weights[i].clone()).collect();
                let out = if weighted {
                    backward_weighted(&model, &some, &part, &options).unwrap()
                } else {
                    let slopes: Vec<Vec<f32>> = part.iter().map(|w| w.iter().map(|w| -w).collect()).collect();
                    backward(&model, &some, &options, &mut |_| Ok(slopes.clone())).unwrap()
                };
                for (&tree, out) in pass.iter().zip(out) {
                    read[tree] = out;
                }
            }
            (log_probs_of(&read), gradients(&model))
        };
        for weighted in [true, false] {
            let (have, have_gradients) = run(weighted);
            assert_close("log-probs", &have, &want, 1e-5);
            assert_gradients(&have_gradients, &want_gradients, GRADIENTS);
        }
        let refs: Vec<&FlatTree> = trees.iter().collect();
        let read = super::log_probs(&model, &refs, &options).unwrap();
        assert_close("log-probs without gradient", &log_probs_of(&read), &want, 1e-5);
    }
}

/// A trunk with two branches, one of which branches again, and a chain.
fn sample() -> Vec<FlatTree> {
    let mut tree = TokenTree::default();
    let trunk = tree.push(None, &[1, 2, 3, 4, 5]).unwrap();
    let left = tree.push(Some(trunk), &[6, 7]).unwrap();
    let right = tree.push(Some(trunk), &[8, 9, 10]).unwrap();
    tree.push(Some(left), &[11]).unwrap();
    tree.push(Some(left), &[12, 13]).unwrap();
    for (segment, len) in [(left, 2), (right, 3), (SegmentId(4), 2)] {
        tree.target(Span { segment, start: 0, len }).unwrap();
    }
    vec![tree.flatten(), TokenTree::chain(&[3, 1, 4, 1, 5, 9], &[(2, 3)]).unwrap().flatten()]
}

#[test]
fn the_objective_sees_the_log_probs_and_its_slopes_reach_the_parameters() {
    let model = model(0, false);
    let trees = sample();
    let refs: Vec<&FlatTree> = trees.iter().collect();
    // loss = Σ (log p)², so the slope is 2 log p.
    let loss = Tensor::cat(&trees.iter().map(|t| rows(&model, t, 1.0)).collect::<Vec<_>>(), 0).square();
    loss.sum(Kind::Float).backward();
    let want = gradients(&model);
    let mut objective =
        |read: &[TargetLogProbs]| Ok(read.iter().map(|r| r.log_probs.iter().map(|p| 2.0 * p).collect()).collect());
    let read = backward(&model, &refs, &Options { chunk: 3, ..Options::default() }, &mut objective).unwrap();
    assert_gradients(&gradients(&model), &want, 1e-5);
    assert_close("loss", &log_probs_of(&read).square(), &loss.detach(), 1e-5);
}

#[test]
fn entropies_are_those_of_the_whole_distribution() {
    let model = model(1, false);
    let tree = TokenTree::chain(&[3, 1, 4, 1, 5], &[(1, 4)]).unwrap().flatten();
    let options = Options { chunk: 3, entropies: true, temperature: 0.5, ..Options::default() };
    let read = super::log_probs(&model, &[&tree], &options).unwrap();
    let tokens = Tensor::from_slice(&[3i64, 1, 4, 1]);
    let hidden = model.hidden(&tokens, &Tensor::arange(4, (Kind::Int64, CPU)), &mut Causal).unwrap();
    let p = (model.logits(&hidden).unwrap() / 0.5).softmax(-1, Kind::Double);
    let want = -(&p * p.log()).sum_dim_intlist(-1, false, Kind::Double);
    assert_close("entropies", &Tensor::from_slice(&read[0].entropies), &want.to_kind(Kind::Float).detach(), 1e-5);
}

#[test]
fn recomputation_changes_no_bit() {
    let trees = sample();
    let refs: Vec<&FlatTree> = trees.iter().collect();
    let weights = weigh(&trees, 1);
    for lora in [false, true] {
        let model = model(0, lora);
        let run = |recompute| {
            backward_weighted(&model, &refs, &weights, &Options { recompute, ..Options::default() }).unwrap();
            gradients(&model)
        };
        assert_gradients(&run(true), &run(false), 0.0);
    }
}

#[test]
fn a_frozen_base_gets_no_gradient() {
    let trees = sample();
    let refs: Vec<&FlatTree> = trees.iter().collect();
    let model = model(1, true);
    backward_weighted(&model, &refs, &weigh(&trees, 1), &Options::default()).unwrap();
    assert!(!model.head().grad().defined());
    assert!(model.trainable().iter().all(|p| p.tensor.grad().defined()));
}

#[test]
fn bfloat16_stays_near_float32() {
    let trees = sample();
    let refs: Vec<&FlatTree> = trees.iter().collect();
    let config = || tiny("qwen3", json!({"initializer_range": 0.1, "tie_word_embeddings": true}));
    let wide = Model::init(config(), 1, Kind::Float, CPU).unwrap();
    let narrow = Model::init(config(), 1, Kind::BFloat16, CPU).unwrap();
    let mut lora = Model::init(config(), 1, Kind::BFloat16, CPU).unwrap();
    lora.add_lora(&LoraConfig::default(), 1).unwrap();
    let weights = weigh(&trees, 1);
    let run = |model: &Model| {
        let read = backward_weighted(model, &refs, &weights, &Options::default()).unwrap();
        (log_probs_of(&read), gradients(model))
    };
    let (want, want_gradients) = run(&wide);
    let (have, have_gradients) = run(&narrow);
    assert_close("log-probs", &have, &want, 0.01);
    for ((name, have), (_, want)) in have_gradients.iter().zip(&want_gradients) {
        assert_close(name, &have.to_kind(Kind::Float), want, 0.05);
    }
    let (have, lora_gradients) = run(&lora);
    assert_close("log-probs with adapters", &have, &want, 0.01);
    assert!(lora_gradients.iter().all(|(_, g)| g.kind() == Kind::Float));
    assert!(
        lora_gradients.iter().filter(|(n, _)| n.contains("lora_B")).all(|(_, g)| g.abs().max().double_value(&[]) > 0.0)
    );
}

#[test]
fn trees_without_targets_pass_through() {
    let model = model(0, false);
    let bare = TokenTree::chain(&[1, 2, 3], &[]).unwrap().flatten();
    let options = Options::default();
    assert_eq!(super::log_probs(&model, &[&bare], &options).unwrap(), [TargetLogProbs::default()]);
    let read = backward_weighted(&model, &[&bare], &[vec![]], &options).unwrap();
    assert_eq!(read, [TargetLogProbs::default()]);
    assert!(gradients(&model).iter().all(|(_, g)| g.abs().max().double_value(&[]) == 0.0));
}

#[test]
fn wrong_input_is_refused_with_what_to_do() {
    let mut model = model(0, false);
    let tree = TokenTree::chain(&[1, 2, 96], &[(1, 2)]).unwrap().flatten();
    let good = TokenTree::chain(&[1, 2, 3], &[(1, 2)]).unwrap().flatten();
    let options = Options::default;
    let read = |tree: &FlatTree, options: Options| super::log_probs(&model, &[tree], &options).unwrap_err().to_string();
    insta::assert_snapshot!(read(&tree, options()), @"tree 0: token 96 is outside the model's vocabulary of 96; tokenizer and model do not belong together");
    insta::assert_snapshot!(read(&FlatTree::default(), options()), @"a forest pass needs at least one token");
    insta::assert_snapshot!(read(&good, Options { temperature: 0.0, ..options() }), @"temperature is 0; log-probs need a positive number");
    let mut cut = good.clone();
    cut.positions.pop();
    insta::assert_snapshot!(read(&cut, options()), @"tree 0 is not a flattened token tree");
    let error = backward_weighted(&model, &[&good], &[vec![1.0]], &options()).unwrap_err();
    insta::assert_snapshot!(error, @"weights: [1] values for trees that have [2] targets");
    let error = backward(&model, &[&good], &options(), &mut |_| Ok(vec![])).unwrap_err();
    insta::assert_snapshot!(error, @"the objective's derivatives: [] values for trees that have [2] targets");
    model.freeze().unwrap();
    let error = backward_weighted(&model, &[&good], &[vec![1.0, 1.0]], &options()).unwrap_err();
    insta::assert_snapshot!(error, @"nothing in the model is trainable; add adapters or unfreeze it");
}
