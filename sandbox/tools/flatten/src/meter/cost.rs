//! Where a function is charged, and how much.
//!
//! A walk along the body keeps the *debt*: the most operators that can have run since what was charged last, over all ways that lead here.
//! Within a loop the debt is that of the turn; what was owed before the loop is owed again after it.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use wasmparser::{FunctionBody, Operator};

use crate::core::Module;

/// Debt that is charged at the next branch.
const DEBT: u64 = 48;
/// The costliest function that its callers pay for.
const SMALL: u64 = 24;
/// What calling the host counts as, and asking for memory: some hundred nanoseconds.
const OUTSIDE: u64 = 1000;

/// The charges of one function.
pub struct Plan {
    /// On entry. `None`: the callers pay.
    pub entry: Option<u64>,
    /// Before the operator at this position, or after it where it is a loop.
    pub charges: HashMap<usize, u64>,
    /// Whether it has an operator that writes any number of bytes.
    pub writes_bytes: bool,
    /// Parameters and locals.
    pub locals: u32,
}

/// What calls cost beyond what the called function charges.
pub struct Costs {
    imported: usize,
    parameters: Vec<u32>,
    /// Of each function that its callers pay for.
    small: Vec<Option<u64>>,
}

impl Costs {
    /// Find the functions that are small, without loops, and call only such functions.
    pub fn of(module: &Module) -> Result<Costs> {
        let parameters = module.functions.iter().map(|ty| module.types[*ty as usize].params().len() as u32).collect();
        let imported = module.imported_functions();
        let mut costs = Costs { imported, parameters, small: vec![None; module.bodies.len()] };
        // One that calls none comes first, so that there is no circle among them.
        loop {
            let mut changed = false;
            for (position, body) in module.bodies.iter().enumerate() {
                if costs.small[position].is_none() {
                    costs.small[position] = costs.if_small(body)?;
                    changed |= costs.small[position].is_some();
                }
            }
            if !changed {
                return Ok(costs);
            }
        }
    }

    fn if_small(&self, body: &FunctionBody) -> Result<Option<u64>> {
        let mut walk = Walk::new();
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            let operator = reader.read()?;
            let charges_itself = match &operator {
                Operator::Call { function_index } => self.call(*function_index).is_none(),
                Operator::Loop { .. }
                | Operator::CallIndirect { .. }
                | Operator::MemoryFill { .. }
                | Operator::MemoryCopy { .. }
                | Operator::MemoryInit { .. } => true,
                _ => false,
            };
            if charges_itself || walk.debt.is_some_and(|debt| debt > SMALL) {
                return Ok(None);
            }
            walk.step(&operator, self)?;
        }
        Ok(walk.owed_at_return.filter(|owed| *owed <= SMALL && walk.charges.is_empty()).or_else(|| {
            // It never returns: nothing is owed.
            walk.owed_at_return.is_none().then_some(0)
        }))
    }

    /// What a call costs its caller; `None` where the function charges itself.
    fn call(&self, function: u32) -> Option<u64> {
        match (function as usize).checked_sub(self.imported) {
            Some(position) => self.small[position],
            None => Some(OUTSIDE),
        }
    }

    /// The charges of a function.
    pub fn plan(&self, position: usize, body: &FunctionBody) -> Result<Plan> {
        let mut locals = self.parameters[position];
        for pair in body.get_locals_reader()? {
            locals += pair?.0;
        }
        let mut walk = Walk::new();
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            walk.step(&reader.read()?, self)?;
        }
        let entry = match self.small[position] {
            Some(_) => None,
            None => Some(walk.owed_at_return.unwrap_or(0).max(1)),
        };
        Ok(Plan { entry, charges: walk.charges, writes_bytes: walk.writes_bytes, locals })
    }
}

/// A block, loop or condition around the operator that is looked at.
struct Frame {
    kind: Kind,
    /// Debt of the branches that leave it by its label, and of its other arm.
    at_end: Option<u64>,
}

enum Kind {
    Block,
    /// Debt on reaching the condition.
    If(Option<u64>),
    Else,
    /// Position of the operator, and what was owed before it.
    Loop(usize, u64),
}

/// The walk along one body.
struct Walk {
    frames: Vec<Frame>,
    /// `None`: not reachable.
    debt: Option<u64>,
    position: usize,
    charges: HashMap<usize, u64>,
    owed_at_return: Option<u64>,
    writes_bytes: bool,
}

impl Walk {
    fn new() -> Walk {
        Walk {
            frames: vec![Frame { kind: Kind::Block, at_end: None }],
            debt: Some(1), // the call itself
            position: 0,
            charges: HashMap::new(),
            owed_at_return: None,
            writes_bytes: false,
        }
    }

    /// The next operator.
    fn step(&mut self, operator: &Operator, costs: &Costs) -> Result<()> {
        match operator {
            Operator::Unreachable => self.debt = None,
            Operator::Nop | Operator::Drop => {}
            Operator::Block { .. } => self.frames.push(Frame { kind: Kind::Block, at_end: None }),
            Operator::Loop { .. } => {
                self.charges.insert(self.position, 1);
                let before = self.debt.unwrap_or(0);
                self.debt = self.debt.map(|_| 0);
                self.frames.push(Frame { kind: Kind::Loop(self.position, before), at_end: None });
            }
            Operator::If { .. } => {
                self.owe(1);
                self.pay_if_much();
                self.frames.push(Frame { kind: Kind::If(self.debt), at_end: None });
            }
            Operator::Else => {
                self.pay_if_much();
                let frame = self.frames.last_mut().context("an else without if")?;
                let Kind::If(before) = frame.kind else { bail!("an else without if") };
                frame.at_end = frame.at_end.max(self.debt);
                frame.kind = Kind::Else;
                self.debt = before;
            }
            Operator::End => self.end()?,
            Operator::Br { relative_depth } => {
                self.owe(1);
                self.pay_if_much();
                self.branch(*relative_depth)?;
                self.debt = None;
            }
            Operator::BrIf { relative_depth } => {
                self.owe(1);
                self.pay_if_much();
                self.branch(*relative_depth)?;
            }
            Operator::BrTable { targets } => {
                self.owe(1);
                self.pay_if_much();
                for target in targets.targets() {
                    self.branch(target?)?;
                }
                self.branch(targets.default())?;
                self.debt = None;
            }
            Operator::Return => {
                self.pay_if_much();
                self.branch(self.frames.len() as u32 - 1)?;
                self.debt = None;
            }
            Operator::Call { function_index } => self.owe(1 + costs.call(*function_index).unwrap_or(0)),
            Operator::MemoryGrow { .. } => self.owe(OUTSIDE),
            Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } | Operator::MemoryInit { .. } => {
                self.owe(1);
                self.writes_bytes = true;
            }
            // Other operators that branch or call do not exist in `check::FEATURES`.
            _ => self.owe(1),
        }
        self.position += 1;
        Ok(())
    }

    fn owe(&mut self, operators: u64) {
        self.debt = self.debt.map(|debt| debt + operators);
    }

    /// A charge before this operator.
    fn pay_if_much(&mut self) {
        if let Some(debt) = self.debt.filter(|debt| *debt >= DEBT) {
            self.charges.insert(self.position, debt);
            self.debt = Some(0);
        }
    }

    /// A branch to the label of a frame, 0 for the innermost.
    fn branch(&mut self, depth: u32) -> Result<()> {
        let Some(mut debt) = self.debt else { return Ok(()) };
        let target = self.frames.len().checked_sub(1 + depth as usize).context("a branch to nowhere")?;
        for frame in &self.frames[target + 1..] {
            if let Kind::Loop(_, before) = frame.kind {
                debt += before;
            }
        }
        if let Kind::Loop(position, _) = self.frames[target].kind {
            let charge = self.charges.entry(position).or_insert(1);
            *charge = (*charge).max(debt);
        } else {
            self.frames[target].at_end = self.frames[target].at_end.max(Some(debt));
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        self.pay_if_much();
        let frame = self.frames.pop().context("an end too many")?;
        self.debt = match frame.kind {
            Kind::Block | Kind::Else => self.debt.max(frame.at_end),
            Kind::If(before) => self.debt.max(frame.at_end).max(before),
            Kind::Loop(_, before) => self.debt.map(|debt| debt + before),
        };
        if self.frames.is_empty() {
            self.owed_at_return = self.debt;
        }
        Ok(())
    }
}
