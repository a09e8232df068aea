//! One core module, read into tables.

use std::collections::HashMap;

use anyhow::{Result, bail};
use wasmparser::{
    Data, Element, ExternalKind, FuncType, FunctionBody, Global, Import, KnownCustom, MemoryType, Name, Parser,
    Payload, TableType, TypeRef,
};

/// The sections of a core module that matter here, in their own index spaces.
#[derive(Default)]
pub struct Module<'a> {
    pub types: Vec<FuncType>,
    pub imports: Vec<Import<'a>>,
    /// Type index of each defined function.
    pub functions: Vec<u32>,
    pub tables: Vec<TableType>,
    pub memories: Vec<MemoryType>,
    pub globals: Vec<Global<'a>>,
    pub exports: HashMap<&'a str, (ExternalKind, u32)>,
    pub elements: Vec<Element<'a>>,
    pub data: Vec<Data<'a>>,
    pub bodies: Vec<FunctionBody<'a>>,
    /// Names of functions from the name section.
    pub names: HashMap<u32, &'a str>,
}

impl Module<'_> {
    /// How many functions are imported (they come first in the index space).
    pub fn imported_functions(&self) -> usize {
        self.imports.iter().filter(|i| matches!(i.ty, TypeRef::Func(_))).count()
    }

    /// How many globals are imported.
    pub fn imported_globals(&self) -> usize {
        self.imports.iter().filter(|i| matches!(i.ty, TypeRef::Global(_))).count()
    }
}

/// Read a module. Fails on a start function (none is expected after pre-initialisation).
pub fn parse(bytes: &[u8]) -> Result<Module<'_>> {
    let mut module = Module::default();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::TypeSection(section) => {
                for ty in section.into_iter_err_on_gc_types() {
                    module.types.push(ty?);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    module.imports.push(import?);
                }
            }
            Payload::FunctionSection(section) => {
                for function in section {
                    module.functions.push(function?);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    module.tables.push(table?.ty);
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    module.memories.push(memory?);
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    module.globals.push(global?);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    module.exports.insert(export.name, (export.kind, export.index));
                }
            }
            Payload::ElementSection(section) => {
                for element in section {
                    module.elements.push(element?);
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    module.data.push(data?);
                }
            }
            Payload::CodeSectionEntry(body) => module.bodies.push(body),
            Payload::StartSection { .. } => bail!("a core module has a start function"),
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(reader) = section.as_known() {
                    for name in reader {
                        if let Ok(Name::Function(map)) = name {
                            for naming in map {
                                let naming = naming?;
                                module.names.insert(naming.index, naming.name);
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }
    Ok(module)
}
