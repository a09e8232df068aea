//! Linking: give every item of every module instance its index in the merged module.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result, bail};
use wasmparser::{CanonicalOption, ExternalKind, TypeRef};

use crate::component::{Component, CoreFunction, CoreInstance};
use crate::core::Module;

/// A function before host functions and defined functions are put into one index space.
#[derive(Clone, Copy)]
enum Function {
    Host(u32),
    Defined(u32),
}

/// Where the items of one module instance ended up: index in the module → index in the merged module.
#[derive(Default)]
pub struct Map {
    /// Added to every type index.
    pub types: u32,
    pub functions: Vec<u32>,
    pub globals: Vec<u32>,
    pub tables: Vec<u32>,
    pub memories: Vec<u32>,
    /// Added to every data index.
    pub data: u32,
    /// Added to every element index.
    pub elements: u32,
}

/// A module instance, in instantiation order.
pub struct Part<'c, 'a> {
    pub module: &'c Module<'a>,
    pub map: Map,
}

/// The merged module, on paper.
pub struct Linked<'c, 'a> {
    /// Host imports: ((interface, function), type index).
    pub host: Vec<((String, String), u32)>,
    pub parts: Vec<Part<'c, 'a>>,
    /// Every defined function: (part, index among its module's bodies). Its index is `host.len()` + position.
    pub functions: Vec<(usize, usize)>,
    /// Kept exports besides the memory: (name, function).
    pub exports: Vec<(String, u32)>,
    pub data_segments: u32,
}

/// What a (core instance, name) stands for.
enum Item {
    Of { instance: usize, kind: ExternalKind, index: u32 },
    Host(String, String),
}

/// Follow aliases until a real module instance or the host.
fn resolve(component: &Component, mut instance: u32, mut name: String) -> Result<Item> {
    loop {
        match component.instances.get(instance as usize).context("bad core instance index")? {
            CoreInstance::Module { module, .. } => {
                let module = component.modules.get(*module).context("bad module index")?;
                let (kind, index) = *module
                    .exports
                    .get(name.as_str())
                    .with_context(|| format!("core instance {instance} does not export {name}"))?;
                return Ok(Item::Of { instance: instance as usize, kind, index });
            }
            CoreInstance::Exports(exports) => {
                let (kind, index) = *exports
                    .get(name.as_str())
                    .with_context(|| format!("core instance {instance} does not hold {name}"))?;
                let index = index as usize;
                let place = match kind {
                    ExternalKind::Func => match component.functions.get(index).context("bad function index")? {
                        CoreFunction::Alias(place) => place,
                        CoreFunction::Host { interface, name, .. } => {
                            return Ok(Item::Host(interface.clone(), name.clone()));
                        }
                    },
                    ExternalKind::Global => component.globals.get(index).context("bad global index")?,
                    ExternalKind::Table => component.tables.get(index).context("bad table index")?,
                    ExternalKind::Memory => component.memories.get(index).context("bad memory index")?,
                    other => bail!("{name} is a {other:?}"),
                };
                (instance, name) = place.clone();
            }
        }
    }
}

/// Link all module instances and find the exports to keep: `export` and the functions that its lifting names.
pub fn link<'c, 'a>(component: &'c Component<'a>, export: &str) -> Result<Linked<'c, 'a>> {
    let mut host: Vec<((String, String), u32)> = Vec::new();
    let mut host_index: HashMap<(String, String), u32> = HashMap::new();
    let mut parts: Vec<Part> = Vec::new();
    let mut raw_functions: Vec<Vec<Function>> = Vec::new();
    let mut part_of: HashMap<usize, usize> = HashMap::new();
    let mut functions: Vec<(usize, usize)> = Vec::new();
    let (mut types, mut globals, mut tables, mut memories, mut data, mut elements) =
        (0u32, 0u32, 0u32, 0u32, 0u32, 0u32);

    for (number, instance) in component.instances.iter().enumerate() {
        let CoreInstance::Module { module, arguments } = instance else { continue };
        let module = component.modules.get(*module).context("bad module index")?;
        let mut map = Map { types, data, elements, ..Map::default() };
        let mut own: Vec<Function> = Vec::new();
        for import in &module.imports {
            let from = *arguments.get(import.module).with_context(|| format!("no argument {}", import.module))?;
            match (resolve(component, from, import.name.to_string())?, import.ty) {
                (Item::Host(interface, name), TypeRef::Func(ty)) => {
                    let key = (interface, name);
                    let index = *host_index.entry(key.clone()).or_insert_with(|| {
                        host.push((key, types + ty));
                        host.len() as u32 - 1
                    });
                    own.push(Function::Host(index));
                }
                (Item::Of { instance, kind, index }, ty) => {
                    let other = *part_of.get(&instance).context("an import from a later instance")?;
                    let index = index as usize;
                    let source = &parts[other].map;
                    match (kind, ty) {
                        (ExternalKind::Func, TypeRef::Func(_)) => own.push(raw_functions[other][index]),
                        (ExternalKind::Global, TypeRef::Global(_)) => map.globals.push(source.globals[index]),
                        (ExternalKind::Table, TypeRef::Table(_)) => map.tables.push(source.tables[index]),
                        (ExternalKind::Memory, TypeRef::Memory(_)) => map.memories.push(source.memories[index]),
                        (kind, ty) => bail!("{} is a {kind:?}, imported as {ty:?}", import.name),
                    }
                }
                (Item::Host(interface, name), ty) => bail!("the host's {interface} {name} is imported as {ty:?}"),
            }
        }
        for body in 0..module.functions.len() {
            own.push(Function::Defined(functions.len() as u32));
            functions.push((parts.len(), body));
        }
        let number_own = |target: &mut Vec<u32>, next: &mut u32, count: usize| {
            for _ in 0..count {
                target.push(*next);
                *next += 1;
            }
        };
        number_own(&mut map.globals, &mut globals, module.globals.len());
        number_own(&mut map.tables, &mut tables, module.tables.len());
        number_own(&mut map.memories, &mut memories, module.memories.len());
        types += module.types.len() as u32;
        data += module.data.len() as u32;
        elements += module.elements.len() as u32;
        part_of.insert(number, parts.len());
        parts.push(Part { module, map });
        raw_functions.push(own);
    }
    if memories != 1 {
        bail!("{memories} memories; exactly one is expected");
    }
    let imported = host.len() as u32;
    for (part, own) in parts.iter_mut().zip(&raw_functions) {
        part.map.functions = own
            .iter()
            .map(|f| match f {
                Function::Host(index) => *index,
                Function::Defined(index) => imported + index,
            })
            .collect();
    }
    let mut linked = Linked { host, parts, functions, exports: Vec::new(), data_segments: data };
    linked.find_exports(component, &part_of, export)?;
    Ok(linked)
}

impl Linked<'_, '_> {
    fn find_exports(&mut self, component: &Component, part_of: &HashMap<usize, usize>, export: &str) -> Result<()> {
        let lifted =
            component.exports.get(export).with_context(|| format!("the component does not export {export}"))?;
        let (core, options) =
            component.lifts.get(lifted).with_context(|| format!("{export} is not a lifted function"))?;
        let find = |index: u32| -> Result<u32> {
            let Some(CoreFunction::Alias((instance, name))) = component.functions.get(index as usize) else {
                bail!("function {index} is not defined in a core module");
            };
            match resolve(component, *instance, name.clone())? {
                Item::Of { instance, kind: ExternalKind::Func, index } => {
                    let part = *part_of.get(&instance).context("unknown instance")?;
                    self.parts[part].map.functions.get(index as usize).copied().context("bad function index")
                }
                _ => bail!("function {index} is not defined in a core module"),
            }
        };
        let mut exports: Vec<(String, u32)> = vec![(export.to_string(), find(*core)?)];
        for option in options {
            match option {
                CanonicalOption::Realloc(index) => exports.push(("cabi_realloc".into(), find(*index)?)),
                CanonicalOption::PostReturn(index) => exports.push((format!("cabi_post_{export}"), find(*index)?)),
                _ => {}
            }
        }
        // Imports that return lists allocate through the function that *their* module named, which need not be the lifted one's.
        let lifted = exports.iter().find(|(name, _)| name == "cabi_realloc").map(|(_, index)| *index);
        let mut allocators: HashMap<(&str, &str), BTreeSet<u32>> = HashMap::new();
        for function in &component.functions {
            if let CoreFunction::Host { interface, name, realloc: Some(realloc) } = function {
                allocators.entry((interface, name)).or_default().insert(find(*realloc)?);
            }
        }
        let others: BTreeSet<u32> = allocators
            .values()
            .filter(|set| set.len() == 1)
            .flatten()
            .copied()
            .filter(|index| Some(*index) != lifted)
            .collect();
        match others.into_iter().collect::<Vec<_>>().as_slice() {
            [] => {}
            [only] => exports.push(("cabi_import_realloc".into(), *only)),
            several => bail!("imports allocate through {} different functions", several.len()),
        }
        self.exports = exports;
        Ok(())
    }
}
