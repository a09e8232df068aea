//! `x Wᵀ + b` in float32 without a graph, by loops of our own: each output is a sum in one order, by fused multiply-add from the
//! first to the last input of each stretch of 64, whatever the number of rows, the threads and the CPU. So a token has the same numbers to the bit in
//! whatever company it passes through the model: when it is drawn, when it is read again, when it is trained on.
//!
//! W `[out, in]` is first copied into panels of outputs, `[out / PANEL][in][PANEL]`, of which a row of a few registers is read
//! at a time; a [`Pack`] keeps that copy where many products with the same weight are to come. For CPUs with AVX-512, or AVX2
//! and FMA; elsewhere the caller uses libtorch.

mod kernels;

use std::cell::{Ref, RefCell};
use std::sync::Mutex;

use tch::{Device, Kind, Tensor};

use crate::error::{Result, TensorResult};
use crate::lanes::Instructions;
use crate::numbers::{Numbers, filled, plain};
use crate::parallel;

/// Numbers of a block of rows, which the second-level cache holds.
const BLOCK: usize = 1 << 16;
/// Products below this many are not worth a second thread; in tests all are, so that it is tested.
const PARALLEL_FROM: usize = if cfg!(test) { 1 } else { 1 << 16 };

/// `x [T, in]`, `weight [out, in]`, `bias [out]` → `[T, out]` without a graph, or nothing when this is no case for it. `kept`
/// holds the weight's panels, if they were made before.
pub(super) fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, kept: &Pack) -> Result<Option<Tensor>> {
    let (&[rows, inner], &[out, columns]) = (x.size().as_slice(), weight.size().as_slice()) else { return Ok(None) };
    let fits = |t: &Tensor| t.kind() == Kind::Float && t.device() == Device::Cpu;
    let usable = rows > 0 && inner == columns && fits(x) && bias.is_none_or(|b| fits(b) && b.size() == [out]);
    if !usable {
        return Ok(None);
    }
    if let Some(panels) = &*kept.panels() {
        return panels.multiply(x, bias).map(Some);
    }
    match Panels::of(weight)? {
        Some(panels) => panels.multiply(x, bias).map(Some),
        None => Ok(None),
    }
}

/// The panels of a weight between [`Pack::fill`] and [`Pack::clear`]. Meanwhile the weight must not change: its owner sees to
/// that.
#[derive(Debug, Default)]
pub(super) struct Pack(RefCell<Option<Panels>>);

impl Pack {
    /// Makes the panels of a weight, where it is a case for them.
    pub(super) fn fill(&self, weight: &Tensor) -> Result<()> {
        *self.0.borrow_mut() = Panels::of(weight)?;
        Ok(())
    }

    /// Forgets them.
    pub(super) fn clear(&self) {
        *self.0.borrow_mut() = None;
    }

    fn panels(&self) -> Ref<'_, Option<Panels>> {
        self.0.borrow()
    }
}

/// A weight in panels; behind its last output the last panel holds zeros.
#[derive(Debug)]
struct Panels {
    numbers: Tensor,
    inner: usize,
    out: usize,
    instructions: Instructions,
}

impl Panels {
    /// Nothing where the weight is no plain float32 matrix on the CPU, or the CPU has no kernel.
    fn of(weight: &Tensor) -> Result<Option<Panels>> {
        match Instructions::best() {
            Some(best) if weight.dim() == 2 && plain(weight, Kind::Float) && weight.numel() > 0 => {
                Panels::by(best, weight).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// For given loops, of a plain float32 matrix.
    fn by(instructions: Instructions, weight: &Tensor) -> Result<Panels> {
        let (out, inner) = weight.size2().op("panels")?;
        let (out, inner, panel) = (out as usize, inner as usize, kernels::panel(instructions));
        let rows = Numbers::of(weight)?;
        let rows = &*rows;
        let panels = out.div_ceil(panel);
        let numbers = filled(&[(panels * inner * panel) as i64], |numbers| {
            let places: Vec<_> = numbers.chunks_exact_mut(inner * panel).map(Mutex::new).collect();
            let fill = |index: usize| {
                // Nobody else asks for this lock: a panel is made once.
                if let Ok(mut place) = places[index].lock() {
                    let first = index * panel;
                    kernels::turn(&rows[first * inner..(first + panel).min(out) * inner], inner, panel, &mut place);
                }
            };
            match rows.len() >= PARALLEL_FROM {
                true => parallel::for_each(panels, &fill),
                false => (0..panels).for_each(fill),
            }
            Ok(())
        })?;
        Ok(Panels { numbers, inner, out, instructions })
    }

    fn multiply(&self, x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let rows = x.size().first().copied().unwrap_or(0) as usize;
        let (x, w, bias) = (Numbers::of(x)?, Numbers::of(&self.numbers)?, bias.map(Numbers::of).transpose()?);
        let Panels { inner, out, instructions, .. } = *self;
        let panel = kernels::panel(instructions);
        let result = Tensor::f_empty([rows as i64, out as i64], (Kind::Float, Device::Cpu)).op("linear")?;
        let product = kernels::Product {
            x: &x,
            w: &w,
            bias: bias.as_deref(),
            inner,
            out,
            target: kernels::Target(result.data_ptr().cast()),
        };
        // Many rows are shared out in blocks, which go through all panels; with few, the panels are shared out.
        let (block, panels) = ((BLOCK / inner).next_multiple_of(8).max(8), out.div_ceil(panel));
        let threads = usize::try_from(tch::get_num_threads()).unwrap_or(1).max(1);
        let blocks = rows.div_ceil(block);
        let share = if blocks > threads { panels } else { panels.div_ceil(4 * threads) };
        let shares = panels.div_ceil(share);
        let work = |part: usize| {
            let (row, first) = (part / shares * block, part % shares * share);
            product.part(instructions, row..(row + block).min(rows), first..(first + share).min(panels));
        };
        match rows * inner * out >= PARALLEL_FROM {
            true => parallel::for_each(blocks * shares, &work),
            false => (0..blocks * shares).for_each(work),
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests;
