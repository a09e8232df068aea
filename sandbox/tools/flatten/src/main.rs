//! Merges a component of many linked core modules into one core module, and makes a module count what it executes.
//!
//! `flatten meter MODULE.wasm OUT.wasm` is the second ([`meter`]); between the two the module may be optimised.
//! `flatten merge COMPONENT.wasm OUT.wasm EXPORT` keeps the exported function EXPORT of a component that `componentize-py` made (after its
//! pre-initialisation) and everything it needs. Why: such a component links 14 core modules when it is instantiated, through tables and
//! global offset tables, which costs 0.6 ms an instance; the one flat module costs microseconds, its calls are direct, and all
//! its mutable state is one memory and a few exported globals (`mut-global-N`), so that a host can restore it.
//! The tool fails if the result could hold state anywhere else.
//!
//! It does not translate the canonical ABI: the host calls EXPORT with lowered core signatures, allocating arguments through `cabi_realloc`,
//! and `cabi_post_EXPORT` after it has read the result. Imports that return lists allocate through `cabi_import_realloc`, but those whose own
//! types share the export's module (functions of the world's own interfaces) through `cabi_realloc`. An import that several modules lower with different
//! allocators must not return a list that is not empty. It knows no threads, no second memory, no start functions, no GC types.

mod check;
mod component;
mod core;
mod emit;
mod link;
mod live;
mod meter;

use anyhow::{Context, Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let read = |path: &str| std::fs::read(path).with_context(|| format!("cannot read {path}"));
    let (output, bytes) = match *arguments.as_slice() {
        ["merge", input, output, export] => {
            let (flat, summary) = flatten(&read(input)?, export)?;
            eprintln!("{summary}");
            (output, flat)
        }
        ["meter", input, output] => (output, meter::meter(&read(input)?)?),
        _ => bail!("usage: flatten merge COMPONENT.wasm OUT.wasm EXPORT, or flatten meter MODULE.wasm OUT.wasm"),
    };
    std::fs::write(output, bytes).with_context(|| format!("cannot write {output}"))
}

/// The whole way: component bytes → bytes of one validated core module, and a line that says what is in it.
fn flatten(bytes: &[u8], export: &str) -> Result<(Vec<u8>, String)> {
    let component = component::parse(bytes)?;
    let linked = link::link(&component, export)?;
    let live = live::reach(&linked)?;
    let flat = emit::emit(&linked, &live, export)?;
    wasmparser::Validator::new().validate_all(&flat).context("the flattened module does not validate")?;
    check::state(&core::parse(&flat)?)?;
    let summary = format!(
        "{} host imports, {} of {} functions live, {} mutable globals, {} bytes",
        linked.host.len(),
        live.count(),
        linked.functions.len(),
        live.written.len(),
        flat.len()
    );
    Ok((flat, summary))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder as we;

    /// A component of two modules: `lib` owns the memory and a counter, `app` calls it and is lifted as `run`.
    fn two_modules() -> Vec<u8> {
        let mut lib = we::Module::new();
        let mut types = we::TypeSection::new();
        types.ty().function([], [we::ValType::I32]);
        let mut functions = we::FunctionSection::new();
        functions.function(0).function(0);
        let mut memories = we::MemorySection::new();
        let page = we::MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None };
        memories.memory(page);
        let mut globals = we::GlobalSection::new();
        let i32_mut = |mutable| we::GlobalType { val_type: we::ValType::I32, mutable, shared: false };
        globals
            .global(i32_mut(true), &we::ConstExpr::i32_const(40))
            .global(i32_mut(true), &we::ConstExpr::i32_const(7));
        let mut exports = we::ExportSection::new();
        exports.export("mem", we::ExportKind::Memory, 0).export("tick", we::ExportKind::Func, 0);
        let mut code = we::CodeSection::new();
        let mut tick = we::Function::new([]);
        tick.instructions().global_get(0).global_get(1).i32_add().global_set(0).global_get(0).end();
        let mut unused = we::Function::new([]);
        unused.instructions().i32_const(5).end();
        code.function(&tick).function(&unused);
        lib.section(&types).section(&functions).section(&memories).section(&globals).section(&exports).section(&code);

        let mut app = we::Module::new();
        let mut imports = we::ImportSection::new();
        imports.import("lib", "tick", we::EntityType::Function(0));
        let mut functions = we::FunctionSection::new();
        functions.function(0);
        let mut exports = we::ExportSection::new();
        exports.export("run", we::ExportKind::Func, 1);
        let mut code = we::CodeSection::new();
        let mut run = we::Function::new([]);
        run.instructions().call(0).end();
        code.function(&run);
        app.section(&types).section(&imports).section(&functions).section(&exports).section(&code);

        let mut builder = we::ComponentBuilder::default();
        let lib = builder.core_module(None, &lib);
        let app = builder.core_module(None, &app);
        let lib = builder.core_instantiate(None, lib, []);
        let app = builder.core_instantiate(None, app, [("lib", we::ModuleArg::Instance(lib))]);
        let run = builder.core_alias_export(None, app, "run", we::ExportKind::Func);
        let (ty, mut encoder) = builder.type_function(None);
        encoder
            .params([] as [(&str, we::ComponentValType); 0])
            .result(Some(we::ComponentValType::Primitive(we::PrimitiveValType::S32)));
        let lifted = builder.lift_func(None, run, ty, []);
        builder.export("run", we::ComponentExportKind::Func, lifted, None);
        builder.finish()
    }

    #[test]
    fn merges_modules_and_keeps_only_what_is_reached_and_written() {
        let (flat, summary) = flatten(&two_modules(), "run").unwrap();
        assert!(summary.starts_with("0 host imports, 2 of 3 functions live, 1 mutable globals"), "{summary}");
        let module = core::parse(&flat).unwrap();
        let mut names: Vec<_> = module.exports.keys().copied().collect();
        names.sort_unstable();
        assert_eq!(names, ["memory", "mut-global-0", "run"]);
        // The global that nothing writes has become a constant.
        assert_eq!(module.globals.iter().map(|g| g.ty.mutable).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn says_which_export_is_missing() {
        let error = flatten(&two_modules(), "walk").unwrap_err().to_string();
        assert!(error.contains("walk"), "{error}");
    }
}
