//! Fuel: a module that counts what it executes, and stops itself.
//!
//! The host could have wasmtime count, which keeps a number at every branch of every function. Here a global is charged instead, at few
//! places: on entering a function, at each turn of a loop, and wherever more than `cost::DEBT` operators may have run since. The first two are
//! where an execution can go on for ever, so there the module also traps when the global is negative. What is charged is
//! what the costliest way since the last charge may have cost, so that fuel is never less than the operators that ran.
//! Small functions without loops are paid for by those that call them.
//!
//! [`crate::check`] proves of the result that nothing runs for ever without being charged, and that nothing else touches the global.

mod cost;

use std::convert::Infallible;

use anyhow::{Context, Result, anyhow, bail};
use wasm_encoder as we;
use wasm_encoder::reencode::{self, Reencode};
use wasmparser::{Operator, Validator};

use crate::{check, core};
use cost::{Costs, Plan};

/// Name of the global that holds what is left. The host sets it; the module traps when it is negative.
pub const FUEL: &str = "fuel";

/// What a byte counts as that an operator writes, as many at a time as it is told.
const BYTE: i64 = 2;

/// The module with its charges, and the proof.
pub fn meter(bytes: &[u8]) -> Result<Vec<u8>> {
    Validator::new_with_features(check::FEATURES).validate_all(bytes).context("the module does not validate")?;
    let module = core::parse(bytes)?;
    if module.imported_globals() > 0 || module.globals.is_empty() || module.exports.contains_key(FUEL) {
        bail!("a module without globals of its own, with imported ones, or metered already");
    }
    let costs = Costs::of(&module)?;
    let fuel = module.globals.len() as u32;
    let plans = module.bodies.iter().enumerate().map(|(position, body)| {
        costs.plan(position, body).with_context(|| format!("function {position} of the code section"))
    });
    let mut writer = Writer { plans: plans.collect::<Result<Vec<_>>>()?.into_iter(), fuel };
    let mut metered = we::Module::new();
    writer.parse_core_module(&mut metered, wasmparser::Parser::new(0), bytes).map_err(|error| anyhow!("{error}"))?;
    let metered = metered.finish();
    check::metered(&metered)?;
    Ok(metered)
}

/// Copies a module and puts the charges in.
struct Writer {
    /// Of the functions that are still to come.
    plans: std::vec::IntoIter<Plan>,
    /// Index of the global.
    fuel: u32,
}

impl Writer {
    /// Charge a constant.
    fn charge(&self, amount: u64, to: &mut we::Function) {
        to.instructions().global_get(self.fuel).i64_const(amount as i64).i64_sub().global_set(self.fuel);
    }

    /// Trap when too much has been charged.
    fn stop(&self, to: &mut we::Function) {
        to.instructions().global_get(self.fuel).i64_const(0).i64_lt_s().if_(we::BlockType::Empty).unreachable().end();
    }

    /// Charge for the bytes, as many as the number on the stack says, that are about to be written.
    fn charge_bytes(&self, local: u32, to: &mut we::Function) {
        to.instructions().local_tee(local);
        to.instructions().global_get(self.fuel).local_get(local).i64_extend_i32_u();
        to.instructions().i64_const(BYTE).i64_mul().i64_sub().global_set(self.fuel);
        self.stop(to);
    }
}

impl Reencode for Writer {
    type Error = Infallible;

    fn parse_global_section(
        &mut self,
        globals: &mut we::GlobalSection,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> Result<(), reencode::Error<Infallible>> {
        reencode::utils::parse_global_section(self, globals, section)?;
        let ty = we::GlobalType { val_type: we::ValType::I64, mutable: true, shared: false };
        globals.global(ty, &we::ConstExpr::i64_const(i64::MAX));
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut we::ExportSection,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> Result<(), reencode::Error<Infallible>> {
        reencode::utils::parse_export_section(self, exports, section)?;
        exports.export(FUEL, we::ExportKind::Global, self.fuel);
        Ok(())
    }

    fn parse_function_body(
        &mut self,
        code: &mut we::CodeSection,
        body: wasmparser::FunctionBody<'_>,
    ) -> Result<(), reencode::Error<Infallible>> {
        let Some(plan) = self.plans.next() else { unreachable!("a plan for each body") };
        let mut locals = Vec::new();
        for pair in body.get_locals_reader()? {
            let (count, ty) = pair?;
            locals.push((count, self.val_type(ty)?));
        }
        if plan.writes_bytes {
            locals.push((1, we::ValType::I32));
        }
        let size_local = plan.locals;
        let mut function = we::Function::new(locals);
        if let Some(amount) = plan.entry {
            self.charge(amount, &mut function);
            self.stop(&mut function);
        }
        let mut reader = body.get_operators_reader()?;
        for position in 0.. {
            if reader.eof() {
                break;
            }
            let operator = reader.read()?;
            let amount = plan.charges.get(&position).copied();
            let is_loop = matches!(operator, Operator::Loop { .. });
            if let Some(amount) = amount.filter(|_| !is_loop) {
                self.charge(amount, &mut function);
            }
            if matches!(
                operator,
                Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } | Operator::MemoryInit { .. }
            ) {
                self.charge_bytes(size_local, &mut function);
            }
            function.instruction(&self.instruction(operator)?);
            if let Some(amount) = amount.filter(|_| is_loop) {
                self.charge(amount, &mut function);
                self.stop(&mut function);
            }
        }
        code.function(&function);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
