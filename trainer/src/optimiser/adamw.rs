//! [`AdamW`]: the optimiser's state and its step; the arithmetic is in `kernel`.
//!
//! Moments are float32 whatever the parameters are. A bfloat16 parameter has a float32 master copy (unless turned off),
//! which is what steps; the parameter is that copy, rounded. Decay acts on the parameters that say so
//! ([`Parameter::decay`]).
//!
//! The state can be taken out and put back as named tensors; a run that goes on from them makes the same bytes as one
//! that never stopped.

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
    /// When there are no parameters, a name or a tensor appears twice, a parameter is not contiguous, or a setting is
    /// out of range.
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

    /// Clips the accumulated gradients by their global norm and makes one step at `learning_rate`. Gradients are left
    /// as they are: call [`AdamW::zero_grad`]. A parameter that has no gradient yet is left alone.
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

    /// The whole state: `step` (i64, one number), and for each parameter `exp_avg.NAME`, `exp_avg_sq.NAME` and, if
    /// there is one, `master.NAME` (float32, the parameter's shape). The tensors are those that the next step changes:
    /// write them out, or copy them, before it.
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
