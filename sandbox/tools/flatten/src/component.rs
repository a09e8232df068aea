//! The outer layer: which core modules there are, how they are linked, which functions come from the host.

use std::collections::HashMap;

use anyhow::{Result, bail};
use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExternalKind, ComponentTypeRef, ExternalKind,
    Instance, Parser, Payload,
};

use crate::core::{self, Module};

/// An export of a core instance.
pub type Place = (u32, String);

/// A core function as the component sees it.
#[derive(Clone, Debug)]
pub enum CoreFunction {
    /// An export of a core instance.
    Alias(Place),
    /// A lowered import: interface, function, and the core function that allocates for its results.
    Host { interface: String, name: String, realloc: Option<u32> },
}

/// A core instance.
pub enum CoreInstance<'a> {
    /// An instantiated module with the instances it imports from.
    Module { module: usize, arguments: HashMap<&'a str, u32> },
    /// A bag of named items.
    Exports(HashMap<&'a str, (ExternalKind, u32)>),
}

/// Everything of a component that linking needs, in its own index spaces.
#[derive(Default)]
pub struct Component<'a> {
    pub modules: Vec<Module<'a>>,
    pub instances: Vec<CoreInstance<'a>>,
    pub functions: Vec<CoreFunction>,
    pub globals: Vec<Place>,
    pub tables: Vec<Place>,
    pub memories: Vec<Place>,
    /// Component function → the core function it lifts and its options.
    pub lifts: HashMap<u32, (u32, Vec<CanonicalOption>)>,
    /// Exported name → component function.
    pub exports: HashMap<String, u32>,
    // Component-level index spaces: names where they come from an import.
    component_instances: Vec<String>,
    component_functions: Vec<(String, String)>,
    component_types: Vec<(String, String)>,
}

/// Read a component. Nested components are skipped; what is not understood is an error.
pub fn parse(bytes: &[u8]) -> Result<Component<'_>> {
    let mut component = Component::default();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::ModuleSection { unchecked_range: range, .. } => {
                if depth == 0 {
                    let Some(module) = bytes.get(range.start..range.end) else { bail!("truncated module") };
                    component.modules.push(core::parse(module)?);
                }
                depth += 1;
            }
            Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = i32::max(depth - 1, 0),
            _ if depth > 0 => {}
            payload => component.section(payload)?,
        }
    }
    Ok(component)
}

impl<'a> Component<'a> {
    /// Take in one section of the outermost component.
    fn section(&mut self, payload: Payload<'a>) -> Result<()> {
        match payload {
            Payload::InstanceSection(section) => {
                for instance in section {
                    self.instances.push(match instance? {
                        Instance::Instantiate { module_index, args } => CoreInstance::Module {
                            module: module_index as usize,
                            arguments: args.iter().map(|a| (a.name, a.index)).collect(),
                        },
                        Instance::FromExports(exports) => {
                            CoreInstance::Exports(exports.iter().map(|e| (e.name, (e.kind, e.index))).collect())
                        }
                    });
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let import = import?;
                    match import.ty {
                        ComponentTypeRef::Instance(_) => self.component_instances.push(import.name.name.to_string()),
                        other => bail!("import {} is {other:?}; only interfaces are imported", import.name.name),
                    }
                }
            }
            Payload::ComponentTypeSection(section) => {
                for _ in 0..section.count() {
                    self.component_types.push(Default::default());
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for _ in 0..section.count() {
                    self.component_instances.push("<local>".into());
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export?;
                    match export.kind {
                        ComponentExternalKind::Func => {
                            self.exports.insert(export.name.name.to_string(), export.index);
                            self.component_functions.push(Default::default());
                        }
                        ComponentExternalKind::Instance => self.component_instances.push("<export>".into()),
                        ComponentExternalKind::Type => self.component_types.push(Default::default()),
                        _ => {}
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    self.alias(alias?)?;
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section {
                    self.canonical(function?)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn alias(&mut self, alias: ComponentAlias<'a>) -> Result<()> {
        match alias {
            ComponentAlias::InstanceExport { kind, instance_index, name } => {
                let Some(interface) = self.component_instances.get(instance_index as usize) else {
                    bail!("bad instance index")
                };
                let item = (interface.clone(), name.to_string());
                match kind {
                    ComponentExternalKind::Func => self.component_functions.push(item),
                    ComponentExternalKind::Type => self.component_types.push(item),
                    other => bail!("alias of a component {other:?}"),
                }
            }
            ComponentAlias::CoreInstanceExport { kind, instance_index, name } => {
                let place = (instance_index, name.to_string());
                match kind {
                    ExternalKind::Func => self.functions.push(CoreFunction::Alias(place)),
                    ExternalKind::Global => self.globals.push(place),
                    ExternalKind::Table => self.tables.push(place),
                    ExternalKind::Memory => self.memories.push(place),
                    other => bail!("alias of a core {other:?}"),
                }
            }
            other => bail!("alias {other:?}"),
        }
        Ok(())
    }

    fn canonical(&mut self, function: CanonicalFunction) -> Result<()> {
        match function {
            CanonicalFunction::Lower { func_index, options } => {
                let Some((interface, name)) = self.component_functions.get(func_index as usize) else {
                    bail!("bad function index")
                };
                let realloc = options.iter().find_map(|option| match option {
                    CanonicalOption::Realloc(index) => Some(*index),
                    _ => None,
                });
                self.functions.push(CoreFunction::Host { interface: interface.clone(), name: name.clone(), realloc });
            }
            CanonicalFunction::ResourceDrop { resource } => {
                let Some((interface, name)) = self.component_types.get(resource as usize) else {
                    bail!("bad type index")
                };
                let name = format!("[resource-drop]{name}");
                self.functions.push(CoreFunction::Host { interface: interface.clone(), name, realloc: None });
            }
            CanonicalFunction::Lift { core_func_index, options, .. } => {
                self.lifts.insert(self.component_functions.len() as u32, (core_func_index, options.to_vec()));
                self.component_functions.push(Default::default());
            }
            other => bail!("canonical function {other:?}"),
        }
        Ok(())
    }
}
