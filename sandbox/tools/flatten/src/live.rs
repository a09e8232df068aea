//! What the kept exports can reach, and which globals are ever written.

use std::collections::BTreeSet;

use anyhow::Result;
use wasmparser::{ElementItems, Operator};

use crate::link::Linked;

/// The part of the merged module that can run.
pub struct Live {
    /// For each defined function: can it be called?
    pub functions: Vec<bool>,
    /// Globals that a live function writes; all others are constants.
    pub written: BTreeSet<u32>,
}

impl Live {
    /// Number of live functions.
    pub fn count(&self) -> usize {
        self.functions.iter().filter(|live| **live).count()
    }
}

/// Walk from the exports and from every table element.
pub fn reach(linked: &Linked) -> Result<Live> {
    let imported = linked.host.len() as u32;
    let mut live = Live { functions: vec![false; linked.functions.len()], written: BTreeSet::new() };
    let mut work: Vec<u32> = linked.exports.iter().map(|(_, index)| *index).collect();
    for part in &linked.parts {
        for element in &part.module.elements {
            if let ElementItems::Functions(functions) = &element.items {
                for function in functions.clone() {
                    work.push(part.map.functions[function? as usize]);
                }
            }
        }
    }
    while let Some(index) = work.pop() {
        if index < imported {
            continue;
        }
        let position = (index - imported) as usize;
        if std::mem::replace(&mut live.functions[position], true) {
            continue;
        }
        let (part, body) = linked.functions[position];
        let part = &linked.parts[part];
        let mut reader = part.module.bodies[body].get_operators_reader()?;
        while !reader.eof() {
            match reader.read()? {
                Operator::GlobalSet { global_index } => {
                    live.written.insert(part.map.globals[global_index as usize]);
                }
                Operator::Call { function_index }
                | Operator::ReturnCall { function_index }
                | Operator::RefFunc { function_index } => work.push(part.map.functions[function_index as usize]),
                _ => {}
            }
        }
    }
    Ok(live)
}
