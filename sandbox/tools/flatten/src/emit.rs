//! Writing the merged module: constants folded, dead bodies replaced by a trap, written globals exported.

use std::convert::Infallible;

use anyhow::{Context, Result, anyhow, bail};
use wasm_encoder as we;
use wasm_encoder::reencode::{self, Reencode};
use wasmparser::{ConstExpr, DataKind, ElementItems, ElementKind, Operator};

use crate::link::{Linked, Map, Part};
use crate::live::Live;

/// Rewrites indices of one module instance into those of the merged module.
struct Renumber<'m>(&'m Map);

impl Reencode for Renumber<'_> {
    type Error = Infallible;

    fn type_index(&mut self, index: u32) -> Result<u32, reencode::Error<Infallible>> {
        Ok(self.0.types + index)
    }
    fn function_index(&mut self, index: u32) -> Result<u32, reencode::Error<Infallible>> {
        Ok(self.0.functions[index as usize])
    }
    fn global_index(&mut self, index: u32) -> Result<u32, reencode::Error<Infallible>> {
        Ok(self.0.globals[index as usize])
    }
    fn table_index(&mut self, index: u32) -> Result<u32, reencode::Error<Infallible>> {
        Ok(self.0.tables[index as usize])
    }
    fn memory_index(&mut self, index: u32) -> Result<u32, reencode::Error<Infallible>> {
        Ok(self.0.memories[index as usize])
    }
    fn data_index(&mut self, index: u32) -> Result<u32, reencode::Error<Infallible>> {
        Ok(self.0.data + index)
    }
    fn element_index(&mut self, index: u32) -> Result<u32, reencode::Error<Infallible>> {
        Ok(self.0.elements + index)
    }
}

fn fail<E: std::fmt::Display>(error: E) -> anyhow::Error {
    anyhow!("{error}")
}

/// The value of a constant expression over i32, if it has one.
fn constant(expression: &ConstExpr, known: &[Option<i32>], map: &Map) -> Result<Option<i32>> {
    let mut stack: Vec<i32> = Vec::new();
    for operator in expression.get_operators_reader() {
        match operator? {
            Operator::I32Const { value } => stack.push(value),
            Operator::GlobalGet { global_index } => match known[map.globals[global_index as usize] as usize] {
                Some(value) => stack.push(value),
                None => return Ok(None),
            },
            operator @ (Operator::I32Add | Operator::I32Sub) => {
                let (Some(right), Some(left)) = (stack.pop(), stack.pop()) else { bail!("bad constant expression") };
                stack.push(match operator {
                    Operator::I32Add => left.wrapping_add(right),
                    _ => left.wrapping_sub(right),
                });
            }
            Operator::End => {}
            _ => return Ok(None),
        }
    }
    Ok(stack.pop())
}

/// The sections under construction.
#[derive(Default)]
struct Sections {
    types: we::TypeSection,
    functions: we::FunctionSection,
    tables: we::TableSection,
    memories: we::MemorySection,
    globals: we::GlobalSection,
    elements: we::ElementSection,
    code: we::CodeSection,
    data: we::DataSection,
    /// Value of each global so far, where it is a constant.
    known: Vec<Option<i32>>,
    names: Vec<(u32, String)>,
}

/// Bytes of the merged module.
pub fn emit(linked: &Linked, live: &Live, _export: &str) -> Result<Vec<u8>> {
    let mut sections = Sections::default();
    let mut imports = we::ImportSection::new();
    for (index, ((interface, name), ty)) in linked.host.iter().enumerate() {
        imports.import(interface, name, we::EntityType::Function(*ty));
        sections.names.push((index as u32, format!("{interface}#{name}")));
    }
    for part in &linked.parts {
        sections.part(part, linked, live)?;
    }
    let mut exports = we::ExportSection::new();
    exports.export("memory", we::ExportKind::Memory, 0);
    for (name, index) in &linked.exports {
        exports.export(name, we::ExportKind::Func, *index);
    }
    for (number, index) in live.written.iter().enumerate() {
        exports.export(&format!("mut-global-{number}"), we::ExportKind::Global, *index);
    }
    let mut names = we::NameMap::new();
    sections.names.sort();
    sections.names.dedup_by_key(|(index, _)| *index);
    for (index, name) in &sections.names {
        names.append(*index, name);
    }
    let mut name_section = we::NameSection::new();
    name_section.functions(&names);

    let mut module = we::Module::new();
    module
        .section(&sections.types)
        .section(&imports)
        .section(&sections.functions)
        .section(&sections.tables)
        .section(&sections.memories)
        .section(&sections.globals)
        .section(&exports)
        .section(&sections.elements)
        .section(&we::DataCountSection { count: linked.data_segments })
        .section(&sections.code)
        .section(&sections.data)
        .section(&name_section);
    Ok(module.finish())
}

impl Sections {
    /// Append everything that one module instance defines.
    fn part(&mut self, part: &Part, linked: &Linked, live: &Live) -> Result<()> {
        let (module, map) = (part.module, &part.map);
        let mut renumber = Renumber(map);
        for ty in &module.types {
            let mut convert = |types: &[wasmparser::ValType]| -> Result<Vec<we::ValType>> {
                types.iter().map(|t| renumber.val_type(*t).map_err(fail)).collect()
            };
            let (parameters, results) = (convert(ty.params())?, convert(ty.results())?);
            self.types.ty().function(parameters, results);
        }
        for ty in &module.functions {
            self.functions.function(map.types + ty);
        }
        let imported = module.imported_functions();
        for (index, name) in &module.names {
            if *index as usize >= imported {
                self.names.push((map.functions[*index as usize], name.to_string()));
            }
        }
        for table in &module.tables {
            self.tables.table(renumber.table_type(*table).map_err(fail)?);
        }
        for memory in &module.memories {
            self.memories.memory(renumber.memory_type(*memory).map_err(fail)?);
        }
        let imported_globals = module.imported_globals();
        for (position, global) in module.globals.iter().enumerate() {
            let index = map.globals[imported_globals + position];
            let written = live.written.contains(&index);
            let mut ty = renumber.global_type(global.ty).map_err(fail)?;
            ty.mutable = ty.mutable && written;
            let value = constant(&global.init_expr, &self.known, map)?;
            let initial = match value {
                Some(value) => we::ConstExpr::i32_const(value),
                None => renumber.const_expr(global.init_expr.clone()).map_err(fail)?,
            };
            self.globals.global(ty, &initial);
            self.known.push(if ty.mutable { None } else { value });
        }
        self.segments(part)?;
        let mut dead = we::Function::new([]);
        dead.instructions().unreachable().end();
        let host = linked.host.len();
        for (position, body) in module.bodies.iter().enumerate() {
            let index = map.functions[imported + position] as usize;
            if live.functions[index - host] {
                renumber.parse_function_body(&mut self.code, body.clone()).map_err(fail)?;
            } else {
                self.code.function(&dead);
            }
        }
        Ok(())
    }

    /// Element and data segments, with their offsets as constants.
    fn segments(&mut self, part: &Part) -> Result<()> {
        let (module, map) = (part.module, &part.map);
        for element in &module.elements {
            let ElementItems::Functions(functions) = &element.items else { bail!("an element segment of expressions") };
            let functions: Vec<u32> =
                functions.clone().into_iter().map(|f| Ok(map.functions[f? as usize])).collect::<Result<_>>()?;
            let items = we::Elements::Functions(functions.into());
            match &element.kind {
                ElementKind::Active { table_index, offset_expr } => {
                    let offset =
                        constant(offset_expr, &self.known, map)?.context("an element offset is not constant")?;
                    let table = map.tables[table_index.unwrap_or(0) as usize];
                    let table = (table != 0).then_some(table);
                    self.elements.active(table, &we::ConstExpr::i32_const(offset), items);
                }
                ElementKind::Passive => {
                    self.elements.passive(items);
                }
                ElementKind::Declared => {
                    self.elements.declared(items);
                }
            }
        }
        for data in &module.data {
            match &data.kind {
                DataKind::Active { offset_expr, .. } => {
                    let offset = constant(offset_expr, &self.known, map)?.context("a data offset is not constant")?;
                    self.data.active(0, &we::ConstExpr::i32_const(offset), data.data.iter().copied());
                }
                DataKind::Passive => {
                    self.data.passive(data.data.iter().copied());
                }
            }
        }
        Ok(())
    }
}
