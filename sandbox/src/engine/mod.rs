//! The engine: wasmtime, the compiled guest, and the image that every instance starts from. Shared by all workers.
//!
//! | file | job |
//! |---|---|
//! | `guest` | the embedded interpreter |
//! | `cache` | its machine code on disk, never trusted |
//! | `imports` | the little of WASI that it sees: virtual clocks, seeded entropy, nothing else |
//! | `instance` | one instance: call it, bound it, put it back to its first state |
//! | `pagemap` | which pages of memory have been written |
//! | `restore` | putting the written pages back |
//! | `sums` | what a watched loop would have counted and collected |
//! | `watch` | proofs that a loop never ends |

mod cache;
mod guest;
mod imports;
mod instance;
mod pagemap;
mod restore;
mod sums;
mod watch;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::{Config, InstanceAllocationStrategy, InstancePre, PoolingAllocationConfig};

use crate::deviations::Deviation;
use crate::error::{Error, Result};

pub use imports::Ask;
pub(crate) use imports::Host;
pub use instance::{Instance, Stop};

/// Instructions that count as a millisecond. Here 1.8e10 of them take 0.5 to 1.1 seconds of processor time (measured with 26
/// endless programs: 0.6 in an empty loop), since they count the costliest way to a place rather than the one taken.
pub const INSTRUCTIONS_PER_MS: u64 = 18_000_000;

/// Native stack that the guest may use. Python's own recursion limit is reached well before.
const WASM_STACK: usize = 8 << 20;

/// Settings of an [`Engine`].
#[derive(Clone, Debug, PartialEq)]
pub struct EngineOptions {
    /// Folder for compiled code. `None`: `$XDG_CACHE_HOME/novice`, or `~/.cache/novice`. An unusable folder only costs a compilation at
    /// each start.
    pub cache_dir: Option<PathBuf>,
    /// Use no folder for compiled code at all.
    pub no_disk_cache: bool,
    /// Memory of one instance in MiB, the interpreter's own 60 included. 64 to 4096.
    pub memory_mb: u32,
    /// Time limit of a test in milliseconds of [`INSTRUCTIONS_PER_MS`], where the test names none.
    pub timeout_ms: u64,
    /// Seconds of real time after which no further test of a submission is begun. A backstop for a starved machine: the limits that
    /// count are in instructions. A submission that meets it has no grade of its own, and its report is not remembered.
    pub backstop_s: u64,
    /// Bytes that one run may write to standard output, and again to standard error.
    pub output_bytes: u32,
    /// Put instances back to their first state by their dirty pages, where the kernel can (Linux 6.7). Off: a fresh instance for each
    /// submission. Results are the same.
    pub reset: bool,
    /// Prove loops endless where that is possible, instead of waiting until their time is used up. Results are the same.
    pub prove_endless: bool,
    /// Reports that the in-memory cache holds; 0 turns it off.
    pub cached_reports: usize,
    /// Keep reports in the cache folder too, for later processes.
    pub keep_reports: bool,
    /// Where to grade as the published grader does.
    pub deviations: BTreeSet<Deviation>,
    /// Instances that may exist at a time; a worker uses up to two.
    pub max_instances: u32,
}

impl Default for EngineOptions {
    fn default() -> EngineOptions {
        EngineOptions {
            cache_dir: None,
            no_disk_cache: false,
            memory_mb: 256,
            timeout_ms: 1000,
            backstop_s: 600,
            output_bytes: 64 << 10,
            reset: true,
            prove_endless: true,
            cached_reports: 100_000,
            keep_reports: false,
            deviations: BTreeSet::new(),
            max_instances: 64,
        }
    }
}

/// The compiled guest, ready to instantiate. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    options: EngineOptions,
    engine: wasmtime::Engine,
    pre: InstancePre<Host>,
    /// Names of the guest's mutable globals.
    globals: Vec<String>,
    /// An untouched instance, made when first needed.
    pristine: std::sync::OnceLock<Arc<instance::Pristine>>,
    /// Whether instances are reset (asked for, and the kernel can).
    reset: bool,
    from_cache: bool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("options", &self.inner.options)
            .field("reset", &self.inner.reset)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Load or compile the guest: milliseconds with warm cache, some seconds without.
    ///
    /// # Errors
    /// A setting out of range, or wasmtime's refusal. Problems with the cache folder are not errors.
    pub fn open(options: &EngineOptions) -> Result<Engine> {
        check(options)?;
        let engine = wasmtime::Engine::new(&configuration(options)).map_err(Error::engine("configuring"))?;
        let (module, from_cache) = cache::module(&engine, options)?;
        let globals = module.exports().map(|e| e.name().to_string()).filter(|n| n.starts_with("mut-global-")).collect();
        let pre = imports::linker(&engine, &module)
            .and_then(|linker| linker.instantiate_pre(&module))
            .map_err(Error::engine("linking the guest"))?;
        let reset = options.reset && pagemap::available();
        let inner =
            Inner { options: options.clone(), engine, pre, globals, pristine: Default::default(), reset, from_cache };
        Ok(Engine { inner: Arc::new(inner) })
    }

    /// The settings that it was opened with.
    pub fn options(&self) -> &EngineOptions {
        &self.inner.options
    }

    /// Whether instances are reset rather than made anew.
    pub fn resets(&self) -> bool {
        self.inner.reset
    }

    /// Whether the machine code came from the cache folder.
    pub fn from_cache(&self) -> bool {
        self.inner.from_cache
    }

    /// The folder for compiled code and kept reports. `None`: switched off or unusable.
    pub fn cache_folder(&self) -> Option<PathBuf> {
        cache::folder(&self.inner.options)
    }

    /// Hash of the guest: a report depends on it, on the options, the problem and the program, and on nothing else.
    pub fn guest_hash(&self) -> &'static str {
        guest::hash()
    }

    /// A new instance.
    ///
    /// # Errors
    /// wasmtime's refusal, such as more than `max_instances`.
    pub(crate) fn instance(&self) -> Result<Instance> {
        Instance::new(self.clone())
    }
}

fn check(options: &EngineOptions) -> Result<()> {
    let setting = |field, value: String, expected| Err(Error::Setting { field, value, expected });
    if !(64..=4096).contains(&options.memory_mb) {
        return setting("memory_mb", options.memory_mb.to_string(), "64 to 4096");
    }
    if options.timeout_ms == 0 || options.timeout_ms > 3_600_000 {
        return setting("timeout_ms", options.timeout_ms.to_string(), "1 to 3600000");
    }
    if options.backstop_s == 0 {
        return setting("backstop_s", "0".into(), "1 or more");
    }
    if options.output_bytes == 0 || options.output_bytes > 16 << 20 {
        return setting("output_bytes", options.output_bytes.to_string(), "1 to 16777216");
    }
    if options.max_instances == 0 || options.max_instances > 1000 {
        return setting("max_instances", options.max_instances.to_string(), "1 to 1000");
    }
    Ok(())
}

/// wasmtime's configuration. No epochs: a limit must not depend on the machine's load. No fuel either: the module counts its own.
fn configuration(options: &EngineOptions) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    let instances = options.max_instances + 1; // one stays untouched
    pool.total_core_instances(instances).total_memories(instances).total_tables(instances * 2);
    pool.max_tables_per_module(2).table_elements(16384).max_core_instance_size(1 << 20);
    pool.max_memory_size((options.memory_mb as usize) << 20).max_unused_warm_slots(8);
    let mut config = Config::new();
    config.concurrency_support(false);
    config.memory_init_cow(true);
    config.memory_guaranteed_dense_image_size(256 << 20);
    config.async_stack_size(WASM_STACK + (1 << 20)); // checked against the other even where nothing is asynchronous
    config.max_wasm_stack(WASM_STACK);
    config.wasm_backtrace_max_frames(None);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_named() {
        let error = |options: EngineOptions| Engine::open(&options).unwrap_err().to_string();
        assert_eq!(error(EngineOptions { memory_mb: 3, ..Default::default() }), "memory_mb is 3, expected 64 to 4096");
        assert_eq!(
            error(EngineOptions { timeout_ms: 0, ..Default::default() }),
            "timeout_ms is 0, expected 1 to 3600000"
        );
    }
}
