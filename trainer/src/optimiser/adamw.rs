//! [`AdamW`]: the optimiser's state and its step; the arithmetic is in `kernel`.
//!
//! Moments are float32 whatever the parameters are. A bfloat16 parameter has a float32 master copy (unless turned off), which
//! is what steps; the parameter is that copy, rounded. Decay acts on the parameters that say so ([`Parameter::decay`]).
//!
//! The state can be taken out and put back as named tensors; a run that goes on from them makes the same bytes as one that never stopped.

use tch::{Kind, Tensor};

use super::kernel::{Coefficients, Update, apply};
use crate::config::OptimiserSettings;
use crate::error::{Error, Result, TensorResult};
use crate::model::Parameter;

/// Added to the norm before dividing by it, as PyTorch's `clip_grad_norm_` does.
const CLIP_FLOOR: f64 = 1e-6;

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepInfo {
    /// Global L2 norm of the gradients before clipping.
    pub grad_norm: f64,
    /// What the gradients were multiplied by: 1 when the norm was within bounds.
    pub grad_scale: f64,
    /// The gradients were not finite, so nothing was changed: neither weights nor moments nor the count of steps.
    pub skipped: bool,
}

struct Slot {
    parameter: Parameter,
    /// Running mean of the gradient.
    mean: Tensor,
    /// Running mean of its square.
    square: Tensor,
    /// The float32 copy of a parameter of another kind.
    master: Option<Tensor>,
}

/// AdamW over named parameters; see the module's text.
pub struct AdamW {
    settings: OptimiserSettings,
    slots: Vec<Slot>,
    steps: i64,
}

impl AdamW {
    /// An optimiser in its initial state for `parameters`, whose order is kept.
    ///
    /// # Errors
    /// When there are no parameters, a name or a tensor appears twice, a parameter is not contiguous, or a setting is out of range.
    pub fn new(parameters: Vec<Parameter>, settings: &OptimiserSettings) -> Result<AdamW> {
        settings.check()?;
        if parameters.is_empty() {
            return Err(Error::Usage("nothing is trainable: the optimiser has no parameters".into()));
        }
        let mut slots: Vec<Slot> = Vec::with_capacity(parameters.len());
        for parameter in parameters {
            let tensor = &parameter.tensor;
            let twin = |s: &Slot| {
                s.parameter.name == parameter.name
                    || (tensor.numel() > 0 && s.parameter.tensor.data_ptr() == tensor.data_ptr())
            };
            if let Some(s) = slots.iter().find(|s| twin(s)) {
                let (a, b) = (&s.parameter.name, &parameter.name);
                return Err(Error::Failed(format!("parameters {a} and {b} are one: give it to the optimiser once")));
            }
            if !tensor.is_contiguous() {
                return Err(Error::Failed(format!("parameter {} is not contiguous", parameter.name)));
            }
            let zeros = || Tensor::f_zeros(tensor.size(), (Kind::Float, tensor.device())).op("AdamW: moments");
            let (mean, square) = (zeros()?, zeros()?);
            let keep_master = settings.master_weights && tensor.kind() != Kind::Float;
            let master = if keep_master { Some(tch::no_grad(|| float32(tensor))?) } else { None };
            slots.push(Slot { parameter, mean, square, master });
        }
        Ok(AdamW { settings: *settings, slots, steps: 0 })
    }

    /// Steps made so far, skipped ones not counted.
    pub fn steps(&self) -> i64 {
        self.steps
    }

    /// Clips the accumulated gradients by their global norm and makes one step at `learning_rate`. Gradients are left as they are:
    /// call [`AdamW::zero_grad`]. A parameter that has no gradient yet is left alone.
    ///
    /// # Errors
    /// When libtorch refuses an operation. Gradients that are not finite are no error: see [`StepInfo::skipped`].
    pub fn step(&mut self, learning_rate: f64) -> Result<StepInfo> {
        tch::no_grad(|| self.step_without_graph(learning_rate))
    }

    fn step_without_graph(&mut self, learning_rate: f64) -> Result<StepInfo> {
        let mut grads = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            let grad = slot.parameter.tensor.f_grad().op("AdamW: gradient")?;
            grads.push(if grad.defined() { Some(float32(&grad)?) } else { None });
        }
        let grad_norm = global_norm(grads.iter().flatten())?;
        if !grad_norm.is_finite() {
            return Ok(StepInfo { grad_norm, grad_scale: 0.0, skipped: true });
        }
        let s = &self.settings;
        let limit = s.max_grad_norm;
        let grad_scale = if limit > 0.0 { (limit / (grad_norm + CLIP_FLOOR)).min(1.0) } else { 1.0 };
        self.steps += 1;
        let t = self.steps as f64;
        let coefficients = Coefficients {
            grad_scale,
            beta1: s.beta1,
            beta2: s.beta2,
            epsilon: s.epsilon,
            step_size: learning_rate / (1.0 - s.beta1.powf(t)),
            inverse_root_correction: 1.0 / (1.0 - s.beta2.powf(t)).sqrt(),
        };
        let (mut updates, mut owners) = (Vec::new(), Vec::new());
        for (slot, grad) in self.slots.iter().zip(grads) {
            let Some(grad) = grad else { continue };
            let weight = match &slot.master {
                Some(master) => master.shallow_clone(),
                // The same tensor when the parameter is float32; a copy, written back below, when it is not.
                None => float32(&slot.parameter.tensor.f_detach().op("AdamW: weight")?)?,
            };
            let keep = if slot.parameter.decay { 1.0 - learning_rate * s.weight_decay } else { 1.0 };
            let (mean, square) = (slot.mean.shallow_clone(), slot.square.shallow_clone());
            updates.push(Update { weight, grad, mean, square, keep });
            owners.push(&slot.parameter);
        }
        apply(&mut updates, &coefficients)?;
        for (owner, update) in owners.into_iter().zip(&updates) {
            if owner.tensor.kind() != Kind::Float {
                owner.tensor.shallow_clone().f_copy_(&update.weight).op("AdamW: round")?;
            }
        }
        Ok(StepInfo { grad_norm, grad_scale, skipped: false })
    }

    /// Sets all gradients to zero.
    ///
    /// # Errors
    /// When libtorch refuses an operation.
    pub fn zero_grad(&mut self) -> Result<()> {
        for slot in &self.slots {
            let mut grad = slot.parameter.tensor.f_grad().op("AdamW: gradient")?;
            if grad.defined() {
                let _ = tch::no_grad(|| grad.detach_().f_zero_()).op("AdamW: zero gradient")?;
            }
        }
        Ok(())
    }

    /// The whole state: `step` (i64, one number), and for each parameter `exp_avg.NAME`, `exp_avg_sq.NAME` and, if there is one, `master.NAME`
    /// (float32, the parameter's shape). The tensors are those that the next step changes: write them out, or copy them, before it.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = vec![("step".to_string(), Tensor::from_slice(&[self.steps]))];
        for slot in &self.slots {
            for (key, tensor) in slot.tensors() {
                state.push((key, tensor.shallow_clone()));
            }
        }
        state
    }

    /// Puts back what [`AdamW::state`] gave. The parameters themselves are restored by the model.
    ///
    /// # Errors
    /// When a tensor is missing, left over, or of another shape or kind; nothing has been changed then.
    pub fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let find = |key: &str| {
            let found = state.iter().find(|(name, _)| name == key).map(|(_, tensor)| tensor);
            found.ok_or_else(|| {
                Error::Failed(format!("the optimiser's state has no tensor {key}: it is of another run"))
            })
        };
        let steps =
            i64::try_from(find("step")?).map_err(|e| Error::Failed(format!("the optimiser's state: step: {e}")))?;
        let mut copies = Vec::new();
        for (key, own) in self.slots.iter().flat_map(Slot::tensors) {
            let saved = find(&key)?;
            if saved.size() != own.size() || saved.kind() != own.kind() {
                return Err(Error::Failed(format!(
                    "the optimiser's state: {key} is {:?} {:?}, expected {:?} {:?}: it is of another run",
                    saved.kind(),
                    saved.size(),
                    own.kind(),
                    own.size()
                )));
            }
            copies.push((own.shallow_clone(), saved));
        }
        if state.len() != copies.len() + 1 {
            let known: std::collections::HashSet<String> =
                self.slots.iter().flat_map(Slot::tensors).map(|(key, _)| key).collect();
            let extra = state
                .iter()
                .find(|(name, _)| name != "step" && !known.contains(name))
                .map_or("a tensor twice", |(n, _)| n);
            return Err(Error::Failed(format!(
                "the optimiser's state holds {extra}, which is not trained: it is of another run"
            )));
        }
        tch::no_grad(|| copies.iter_mut().try_for_each(|(own, saved)| own.f_copy_(saved).op("AdamW: load state")))?;
        self.steps = steps;
        Ok(())
    }
}

impl Slot {
    /// State tensors with their names.
    fn tensors(&self) -> impl Iterator<Item = (String, &Tensor)> {
        let name = &self.parameter.name;
        let moments = [(format!("exp_avg.{name}"), &self.mean), (format!("exp_avg_sq.{name}"), &self.square)];
        moments.into_iter().chain(self.master.as_ref().map(|m| (format!("master.{name}"), m)))
    }
}

/// A contiguous float32 tensor of the same numbers: the tensor itself when it is one already.
fn float32(tensor: &Tensor) -> Result<Tensor> {
    tensor.f_to_kind(Kind::Float).op("AdamW: to float32")?.f_contiguous().op("AdamW: contiguous")
}

/// √Σ‖g‖², read from the device once.
fn global_norm<'a>(grads: impl Iterator<Item = &'a Tensor>) -> Result<f64> {
    let norms = grads.map(|g| g.f_norm().op("AdamW: norm")).collect::<Result<Vec<_>>>()?;
    if norms.is_empty() {
        return Ok(0.0);
    }
    let norms = Tensor::f_stack(&norms, 0).op("AdamW: norms")?.f_to_kind(Kind::Double).op("AdamW: norms")?;
    norms.f_norm().op("AdamW: norm")?.f_double_value(&[]).op("AdamW: norm")
}

#[cfg(test)]
mod tests {
    use super::*;

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
        schedule: crate::config::Schedule::Constant,
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

    /// Printed by torch 2.13: `clip_grad_norm_(…, 1.0)`, then `torch.optim.AdamW` with two groups (decay 0.1 and 0), betas (0.9, 0.99),
    /// learning rates 0.01, 0.02, 0.03, 0.04.
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
}
