//! AdamW against PyTorch's, and what it does at the edges.

use tch::{Kind, Tensor};

use super::{AdamW, StepInfo};
use crate::config::{OptimiserSettings, Schedule};
use crate::model::Parameter;

fn parameter(name: &str, values: &[f32], decay: bool, kind: Kind) -> Parameter {
    let tensor = Tensor::from_slice(values).to_kind(kind).set_requires_grad(true);
    Parameter { name: name.to_string(), tensor, decay }
}

/// Accumulates `grad` into the parameter, as a backward pass would.
fn push_grad(p: &Parameter, grad: &[f32]) {
    (&p.tensor * Tensor::from_slice(grad)).sum(Kind::Float).backward();
}

fn values(t: &Tensor) -> Vec<f32> {
    Vec::try_from(t.detach().to_kind(Kind::Float).view(-1)).unwrap()
}

fn close(a: &[f32], b: &[f32], tolerance: f32) {
    assert!(a.len() == b.len() && a.iter().zip(b).all(|(x, y)| (x - y).abs() <= tolerance), "{a:?} is not {b:?}");
}

const SETTINGS: OptimiserSettings = OptimiserSettings {
    learning_rate: 1e-3,
    schedule: Schedule::Constant,
    warmup_ratio: 0.0,
    beta1: 0.9,
    beta2: 0.99,
    epsilon: 1e-8,
    weight_decay: 0.1,
    max_grad_norm: 1.0,
    master_weights: true,
};
const A: [f32; 4] = [0.5, -1.0, 2.0, 0.0];
const B: [f32; 3] = [0.1, -0.3, 1.5];
const GRADS: [([f32; 4], [f32; 3]); 4] = [
    ([0.1, -0.2, 0.3, 0.0], [0.5, -0.5, 0.01]),
    ([3.0, -4.0, 0.0, 1.0], [2.0, 0.0, -1.0]),
    ([-0.5, 0.25, 0.125, 1e-3], [-0.1, 0.2, 0.3]),
    ([0.01, 0.02, -0.03, 0.04], [0.0, 0.0, 0.05]),
];

fn parameters(kind: Kind) -> [Parameter; 2] {
    [parameter("a", &A, true, kind), parameter("b", &B, false, kind)]
}

fn clones(p: &[Parameter; 2]) -> Vec<Parameter> {
    p.iter().map(|p| Parameter { name: p.name.clone(), tensor: p.tensor.shallow_clone(), decay: p.decay }).collect()
}

fn walk(adamw: &mut AdamW, p: &[Parameter; 2], steps: std::ops::Range<usize>) -> Vec<StepInfo> {
    let step = |i: usize| {
        push_grad(&p[0], &GRADS[i].0);
        push_grad(&p[1], &GRADS[i].1);
        let info = adamw.step(0.01 * (i + 1) as f64).unwrap();
        adamw.zero_grad().unwrap();
        info
    };
    steps.map(step).collect()
}

/// Printed by torch 2.13: `clip_grad_norm_(…, 1.0)`, then `torch.optim.AdamW` with two groups (decay 0.1 and 0),
/// betas (0.9, 0.99), learning rates 0.01, 0.02, 0.03, 0.04.
#[test]
fn equals_torch_optim_adamw() {
    let p = parameters(Kind::Float);
    let mut adamw = AdamW::new(clones(&p), &SETTINGS).unwrap();
    let mut norms = walk(&mut adamw, &p, 0..2);
    close(&values(&p[0].tensor), &[0.471_479_65, -0.969_126_2, 1.970_592_5, -0.014_849_193], 2e-7);
    close(&values(&p[1].tensor), &[0.070_417_72, -0.276_568_4, 1.504_083_5], 2e-7);
    norms.extend(walk(&mut adamw, &p, 2..4));
    close(&values(&p[0].tensor), &[0.464_316_34, -0.934_487_64, 1.913_525_2, -0.055_650_48], 3e-7);
    close(&values(&p[1].tensor), &[0.029_834_468, -0.261_223_44, 1.484_131_2], 3e-7);
    let norms: Vec<f32> = norms.iter().map(|i| i.grad_norm as f32).collect();
    close(&norms, &[0.800_062_54, 5.567_764_3, 0.684_197_37, 0.074_161_99], 1e-6);
    let state = adamw.state();
    assert_eq!(
        state.iter().map(|s| s.0.as_str()).collect::<Vec<_>>(),
        ["step", "exp_avg.a", "exp_avg_sq.a", "exp_avg.b", "exp_avg_sq.b"]
    );
    close(&values(&state[1].1), &[0.006_934_086_4, -0.048_272_11, 0.030_12, 0.018_638_028], 1e-8);
    close(&values(&state[2].1), &[0.005_418_480_4, 0.006_069_448, 0.001_036_956_6, 0.000_332_171_1], 1e-9);
}

#[test]
fn a_resumed_run_makes_the_same_bytes() {
    for kind in [Kind::Float, Kind::BFloat16] {
        let p = parameters(kind);
        let mut adamw = AdamW::new(clones(&p), &SETTINGS).unwrap();
        walk(&mut adamw, &p, 0..2);
        let state: Vec<_> = adamw.state().into_iter().map(|(n, t)| (n, t.copy())).collect();
        let q = parameters(kind);
        for (new, old) in q.iter().zip(&p) {
            tch::no_grad(|| new.tensor.shallow_clone().copy_(&old.tensor));
        }
        walk(&mut adamw, &p, 2..4);
        let mut resumed = AdamW::new(clones(&q), &SETTINGS).unwrap();
        resumed.load_state(&state).unwrap();
        walk(&mut resumed, &q, 2..4);
        assert_eq!((values(&p[0].tensor), values(&p[1].tensor)), (values(&q[0].tensor), values(&q[1].tensor)));
        for ((_, a), (_, b)) in adamw.state().iter().zip(&resumed.state()) {
            assert!(a.equal(b));
        }
    }
}

#[test]
fn a_master_copy_keeps_what_bfloat16_would_lose() {
    // Steps of 1e-4 from 1.0: far below bfloat16's spacing of 2^-8 there.
    let settings = OptimiserSettings { weight_decay: 0.0, ..SETTINGS };
    for (master_weights, moved) in [(true, true), (false, false)] {
        let p = parameter("p", &[1.0], false, Kind::BFloat16);
        let only = vec![Parameter { name: "p".into(), tensor: p.tensor.shallow_clone(), decay: false }];
        let mut adamw = AdamW::new(only, &OptimiserSettings { master_weights, ..settings }).unwrap();
        for _ in 0..100 {
            push_grad(&p, &[1.0]);
            adamw.step(1e-4).unwrap();
            adamw.zero_grad().unwrap();
        }
        assert_eq!(values(&p.tensor)[0] < 1.0, moved);
        assert_eq!(adamw.state().iter().any(|(n, _)| n == "master.p"), master_weights);
    }
}

#[test]
fn gradients_that_are_not_finite_change_nothing() {
    let p = parameters(Kind::Float);
    let mut adamw = AdamW::new(clones(&p), &SETTINGS).unwrap();
    for bad in [f32::NAN, f32::INFINITY] {
        push_grad(&p[0], &[bad, 0.0, 0.0, 0.0]);
        let info = adamw.step(0.1).unwrap();
        adamw.zero_grad().unwrap();
        assert!(info.skipped && !info.grad_norm.is_finite());
    }
    assert_eq!((values(&p[0].tensor), adamw.steps()), (A.to_vec(), 0));
    assert!(!walk(&mut adamw, &p, 0..1)[0].skipped);
    close(&values(&p[0].tensor), &[0.489_5, -0.989, 1.988, 0.0], 1e-6);
}

#[test]
fn one_pass_of_eight_is_eight_passes_of_one() {
    let (p, q) = (parameters(Kind::Float), parameters(Kind::Float));
    let mut adamw = [AdamW::new(clones(&p), &SETTINGS).unwrap(), AdamW::new(clones(&q), &SETTINGS).unwrap()];
    for _ in 0..8 {
        push_grad(&p[0], &[0.125, 0.25, -0.5, 0.0]);
    }
    push_grad(&q[0], &[1.0, 2.0, -4.0, 0.0]);
    let infos = adamw.each_mut().map(|a| a.step(0.1).unwrap());
    assert_eq!(infos[0], infos[1]);
    assert_eq!(values(&p[0].tensor), values(&q[0].tensor));
    // `b` had no gradient and was left alone.
    assert_eq!(values(&p[1].tensor), B);
}

#[test]
fn a_state_of_another_run_is_refused_and_changes_nothing() {
    let p = parameters(Kind::Float);
    let mut adamw = AdamW::new(clones(&p), &SETTINGS).unwrap();
    walk(&mut adamw, &p, 0..1);
    let good = adamw.state();
    let refused = |state: Vec<(String, Tensor)>, adamw: &mut AdamW, word: &str| {
        let message = adamw.load_state(&state).unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
        assert_eq!(adamw.steps(), 1);
    };
    let copy = || good.iter().map(|(n, t)| (n.clone(), t.copy())).collect::<Vec<_>>();
    refused(copy().into_iter().filter(|(n, _)| n != "exp_avg_sq.b").collect(), &mut adamw, "exp_avg_sq.b");
    refused(copy().into_iter().filter(|(n, _)| n != "step").collect(), &mut adamw, "step");
    let mut extra = copy();
    extra.push(("exp_avg.c".into(), Tensor::from_slice(&[0f32])));
    refused(extra, &mut adamw, "exp_avg.c");
    let mut shape = copy();
    shape[1].1 = Tensor::from_slice(&[0f32]);
    refused(shape, &mut adamw, "exp_avg.a");
}

#[test]
fn a_parameter_given_twice_is_refused() {
    let p = parameters(Kind::Float);
    let mut twice = clones(&p);
    twice.push(Parameter { name: "c".into(), tensor: p[0].tensor.shallow_clone(), decay: false });
    assert!(AdamW::new(twice, &SETTINGS).is_err());
    assert!(AdamW::new(vec![], &SETTINGS).is_err());
}
