//! Proofs about a finished module, whatever made it: a host can restore its state, and it cannot run on without being charged.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use wasmparser::{BlockType, ExternalKind, Operator, Validator, WasmFeatures};

use crate::core::{self, Module};
use crate::meter::FUEL;

/// WebAssembly 2.0: no exceptions, tail calls, threads or typed references. The ways to branch and to call are few.
pub const FEATURES: WasmFeatures = WasmFeatures::WASM2;

/// Fail unless all state is in memory and in exported globals.
pub fn state(module: &Module) -> Result<()> {
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for body in &module.bodies {
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            let name = match reader.read()? {
                Operator::TableSet { .. } => "table.set",
                Operator::TableGrow { .. } => "table.grow",
                Operator::TableFill { .. } => "table.fill",
                Operator::TableCopy { .. } => "table.copy",
                Operator::TableInit { .. } => "table.init",
                Operator::ElemDrop { .. } => "elem.drop",
                Operator::DataDrop { .. } => "data.drop",
                _ => continue,
            };
            *found.entry(name).or_default() += 1;
        }
    }
    if !found.is_empty() {
        bail!("live code changes state that a host cannot restore: {found:?}");
    }
    let exported: BTreeSet<u32> = exported_globals(module).map(|(_, index)| index).collect();
    let imported = module.imported_globals();
    for (position, global) in module.globals.iter().enumerate() {
        if global.ty.mutable && !exported.contains(&((imported + position) as u32)) {
            bail!("global {position} changes and is not exported");
        }
    }
    Ok(())
}

fn exported_globals<'m>(module: &'m Module) -> impl Iterator<Item = (&'m str, u32)> {
    let globals = module.exports.iter().filter(|(_, (kind, _))| *kind == ExternalKind::Global);
    globals.map(|(name, (_, index))| (*name, *index))
}

/// The whole proof of a metered module.
///
/// * The global of its fuel is only ever lowered, by a constant above zero or by a multiple of the bytes that the next operator writes.
/// * Every loop begins with a charge that traps when the fuel is used up, and so does every function, but for those
///   without loops, indirect calls and operators that write any number of bytes, which call only the host and each other, in no circle.
pub fn metered(bytes: &[u8]) -> Result<()> {
    Validator::new_with_features(FEATURES).validate_all(bytes).context("the metered module does not validate")?;
    let module = core::parse(bytes)?;
    state(&module)?;
    let fuel = exported_globals(&module).find(|(name, _)| *name == FUEL).context("the fuel is not exported")?.1;
    let imported = module.imported_functions() as u32;
    let mut unpaid: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for (position, body) in module.bodies.iter().enumerate() {
        let operators: Vec<Operator> = body.get_operators_reader()?.into_iter().collect::<Result<_, _>>()?;
        let index = imported + position as u32;
        let function = Function { operators, fuel };
        if let Some(calls) = function.check().with_context(|| format!("function {index}"))? {
            unpaid.insert(index, calls.into_iter().filter(|call| *call >= imported).collect());
        }
    }
    // Take away those that call none of them until none is left.
    while !unpaid.is_empty() {
        let open: BTreeSet<u32> = unpaid.keys().copied().collect();
        unpaid.retain(|_, calls| calls.iter().any(|call| open.contains(call)));
        if unpaid.len() == open.len() {
            bail!("functions {open:?} call each other and charge nothing");
        }
    }
    Ok(())
}

struct Function<'b> {
    operators: Vec<Operator<'b>>,
    fuel: u32,
}

impl Function<'_> {
    /// `None`: it charges itself. Otherwise what it calls.
    fn check(&self) -> Result<Option<BTreeSet<u32>>> {
        let (mut at, mut calls, mut goes_on) = (0, BTreeSet::new(), false);
        let paid = self.checked_charge(0).is_some();
        while let Some(operator) = self.operators.get(at) {
            // A charge as a whole, so that none of its parts is met below.
            if let Some(next) = self.charge(at) {
                at = next;
                continue;
            }
            if let Some(next) = self.charge_of_bytes(at) {
                at = next + 1; // with the operator that writes
                goes_on = true;
                continue;
            }
            match operator {
                Operator::GlobalGet { global_index } if *global_index == self.fuel && !self.is_stop(at) => {
                    bail!("operator {at} reads the fuel")
                }
                Operator::GlobalSet { global_index } if *global_index == self.fuel => {
                    bail!("operator {at} sets the fuel")
                }
                Operator::Loop { .. } => {
                    self.checked_charge(at + 1).with_context(|| format!("the loop at {at} is free"))?;
                    goes_on = true;
                }
                Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } | Operator::MemoryInit { .. } => {
                    bail!("operator {at} writes bytes that are not charged")
                }
                Operator::CallIndirect { .. } => goes_on = true,
                Operator::Call { function_index } => {
                    calls.insert(*function_index);
                }
                _ => {}
            }
            at += 1;
        }
        match (paid, goes_on) {
            (true, _) => Ok(None),
            (false, false) => Ok(Some(calls)),
            (false, true) => bail!("it is free, and may go on for ever"),
        }
    }

    /// A constant charge from here → what follows it.
    fn charge(&self, at: usize) -> Option<usize> {
        match self.operators.get(at..at + 4)? {
            [
                Operator::GlobalGet { global_index: from },
                Operator::I64Const { value: 1.. },
                Operator::I64Sub,
                Operator::GlobalSet { global_index: to },
            ] if *from == self.fuel && *to == self.fuel => Some(at + 4),
            _ => None,
        }
    }

    /// A charge that traps when the fuel is used up.
    fn checked_charge(&self, at: usize) -> Option<()> {
        self.charge(at).filter(|next| self.is_stop(*next)).map(|_| ())
    }

    /// A trap when the fuel is used up.
    fn is_stop(&self, at: usize) -> bool {
        matches!(self.operators.get(at..at + 6), Some([
            Operator::GlobalGet { global_index },
            Operator::I64Const { value: 0 },
            Operator::I64LtS,
            Operator::If { blockty: BlockType::Empty },
            Operator::Unreachable,
            Operator::End,
        ]) if *global_index == self.fuel)
    }

    /// A charge for as many bytes as the operator after it writes, with its trap → the place of that operator.
    fn charge_of_bytes(&self, at: usize) -> Option<usize> {
        let next = match self.operators.get(at..at + 8)? {
            [
                Operator::LocalTee { local_index: size },
                Operator::GlobalGet { global_index: from },
                Operator::LocalGet { local_index: again },
                Operator::I64ExtendI32U,
                Operator::I64Const { value: 1..=1000 },
                Operator::I64Mul,
                Operator::I64Sub,
                Operator::GlobalSet { global_index: to },
            ] if size == again && *from == self.fuel && *to == self.fuel && self.is_stop(at + 8) => at + 14,
            _ => return None,
        };
        let writes = matches!(
            self.operators.get(next),
            Some(Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } | Operator::MemoryInit { .. })
        );
        writes.then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder as we;

    /// A module of one function, with a global for fuel.
    fn module(body: impl FnOnce(&mut we::InstructionSink)) -> Vec<u8> {
        let mut function = we::Function::new([(1, we::ValType::I32)]);
        body(&mut function.instructions());
        function.instructions().end();
        let (mut types, mut functions, mut memories) =
            (we::TypeSection::new(), we::FunctionSection::new(), we::MemorySection::new());
        types.ty().function([], []);
        functions.function(0);
        memories.memory(we::MemoryType {
            minimum: 1,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let (mut globals, mut exports, mut code) =
            (we::GlobalSection::new(), we::ExportSection::new(), we::CodeSection::new());
        let ty = we::GlobalType { val_type: we::ValType::I64, mutable: true, shared: false };
        globals.global(ty, &we::ConstExpr::i64_const(0));
        exports.export(FUEL, we::ExportKind::Global, 0);
        code.function(&function);
        let mut module = we::Module::new();
        module
            .section(&types)
            .section(&functions)
            .section(&memories)
            .section(&globals)
            .section(&exports)
            .section(&code);
        module.finish()
    }

    fn refusal(body: impl FnOnce(&mut we::InstructionSink)) -> String {
        format!("{:#}", metered(&module(body)).unwrap_err())
    }

    fn charge(to: &mut we::InstructionSink, amount: i64) {
        to.global_get(0).i64_const(amount).i64_sub().global_set(0);
    }

    fn stop(to: &mut we::InstructionSink) {
        to.global_get(0).i64_const(0).i64_lt_s().if_(we::BlockType::Empty).unreachable().end();
    }

    #[test]
    fn what_is_charged_passes() {
        metered(&module(|_| {})).unwrap();
        metered(&module(|to| {
            charge(to, 3);
            stop(to);
            to.loop_(we::BlockType::Empty);
            charge(to, 1);
            stop(to);
            to.br(0).end();
        }))
        .unwrap();
    }

    #[test]
    fn what_goes_on_for_nothing_is_refused() {
        let free_loop = |to: &mut we::InstructionSink| {
            charge(to, 3);
            stop(to);
            to.loop_(we::BlockType::Empty).br(0).end();
        };
        assert!(refusal(free_loop).contains("loop at 10 is free"));
        let no_trap = |to: &mut we::InstructionSink| {
            charge(to, 3);
            stop(to);
            to.loop_(we::BlockType::Empty);
            charge(to, 1);
            to.br(0).end();
        };
        assert!(refusal(no_trap).contains("is free"));
        assert!(
            refusal(|to| {
                to.call(0);
            })
            .contains("call each other")
        );
        let fill = |to: &mut we::InstructionSink| {
            charge(to, 1);
            stop(to);
            to.i32_const(0).i32_const(0).i32_const(9).memory_fill(0);
        };
        assert!(refusal(fill).contains("not charged"));
    }

    #[test]
    fn the_fuel_is_only_ever_lowered() {
        assert!(refusal(|to| charge(to, 0)).contains("the fuel"));
        assert!(refusal(|to| charge(to, -1)).contains("the fuel"));
        let sets = |to: &mut we::InstructionSink| {
            to.i64_const(1).global_set(0);
        };
        assert!(refusal(sets).contains("sets the fuel"));
        let reads = |to: &mut we::InstructionSink| {
            to.global_get(0).drop();
        };
        assert!(refusal(reads).contains("reads the fuel"));
    }
}
