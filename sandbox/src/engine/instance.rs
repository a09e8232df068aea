//! One instance of the guest: call it, bound it, put it back to its first state.
//!
//! All of an instance's state is its memory and a few mutable globals (`tools/flatten` proves it of the module) and the host's counters. One
//! more global is the fuel: the module lowers it as it runs and traps below zero; each call sets it. Resetting puts back every written
//! page (`restore`), then the globals. Memory cannot shrink, so an instance whose memory grew, or that has collected many written
//! pages, is dropped; the next call makes another.

use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::{Global, Memory, Store, Trap, TypedFunc, Val};

use super::imports::{Ask, Realloc};
use super::restore::{PAGE, Restorer};
use super::sums::Sums;
use super::watch::Watch;
use super::{Engine, Host};
use crate::error::{Error, Result};

/// The global that the module charges (`tools/flatten`).
const FUEL: &str = "fuel";
/// Bytes of the longest reply that is read.
const REPLY_LIMIT: usize = 16 << 20;

/// Why a call did not return.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// Out of fuel.
    #[error("the time limit was reached")]
    Fuel,
    /// A watched loop whose state repeats: it never ends.
    #[error("a loop without end")]
    Endless,
    /// A watched program turned too often without a repetition.
    #[error("no loop was proved endless")]
    Unproven,
    /// It ended after a request for memory was denied.
    #[error("the memory limit was reached")]
    Memory,
    /// It kept writing after the output limit.
    #[error("the output limit was reached")]
    Output,
    /// It called a function of the world outside.
    #[error("it reached for {0}")]
    Forbidden(String),
    /// It ended its own process.
    #[error("the interpreter exited with status {0}")]
    Exit(i32),
    /// Native stack exhausted.
    #[error("the interpreter's stack overflowed")]
    Stack,
    /// Any other trap, or a reply that is none.
    #[error("the interpreter crashed: {0}")]
    Crash(String),
}

impl Stop {
    /// `spent`: the fuel was used up.
    fn of(error: &wasmtime::Error, spent: bool, memory_denied: bool) -> Stop {
        if let Some(stop) = error.downcast_ref::<Stop>() {
            return stop.clone();
        }
        match error.downcast_ref::<Trap>() {
            Some(_) if spent => Stop::Fuel,
            _ if memory_denied => Stop::Memory,
            Some(Trap::StackOverflow) => Stop::Stack,
            Some(trap) => Stop::Crash(trap.to_string()),
            None => Stop::Crash(format!("{error:#}")),
        }
    }
}

/// Copies the page at an offset.
type CopyPage = Box<dyn Fn(usize, &mut [u8]) + Send + Sync>;

/// What an untouched instance looks like: one that is never called, whose pages are copied when they are needed.
pub struct Pristine {
    page: CopyPage,
    /// Bytes of memory in all.
    size: usize,
    globals: Vec<Val>,
}

impl Pristine {
    fn new(mut live: Live) -> Pristine {
        let (size, globals) = (live.memory.data_size(&live.store), live.globals());
        let live = Mutex::new(live);
        let page = move |at: usize, to: &mut [u8]| {
            let live = live.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(from) = live.memory.data(&live.store).get(at..at + to.len()) {
                to.copy_from_slice(from);
            }
        };
        Pristine { page: Box::new(page), size, globals }
    }

    /// Of a memory alone.
    #[cfg(test)]
    pub fn of(memory: &[u8]) -> Pristine {
        let memory = memory.to_vec();
        let size = memory.len();
        let page = move |at: usize, to: &mut [u8]| to.copy_from_slice(&memory[at..at + to.len()]);
        Pristine { page: Box::new(page), size, globals: Vec::new() }
    }

    /// The page at this offset; zeros beyond the end.
    pub fn page(&self, at: usize) -> Box<[u8]> {
        let mut page = vec![0; PAGE].into_boxed_slice();
        (self.page)(at, &mut page);
        page
    }
}

struct Live {
    store: Store<Host>,
    memory: Memory,
    handle: TypedFunc<(i32, i32), i32>,
    realloc: Realloc,
    post_return: TypedFunc<i32, ()>,
    globals: Vec<Global>,
    /// What the module may still execute.
    fuel: Global,
}

/// A reusable instance, owned by one thread.
pub struct Instance {
    engine: Engine,
    live: Option<Live>,
    restorer: Option<Restorer>,
    pristine: Arc<Pristine>,
    used: bool,
    /// Instances made, and resets done: for tests and statistics.
    pub made: u64,
    pub resets: u64,
}

/// A call's result: the reply or why there is none, and the fuel that it took.
pub struct Call {
    pub reply: std::result::Result<Vec<u8>, Stop>,
    pub fuel: u64,
    /// Whether it asked for memory in vain.
    pub memory_denied: bool,
    /// Whether another call right after it begins in the same world as it did: it looked at no clock, drew no entropy, wrote to no raw
    /// stream, and was denied no memory.
    pub untouched: bool,
}

impl Instance {
    pub fn new(engine: Engine) -> Result<Instance> {
        let pristine = match engine.inner.pristine.get() {
            Some(pristine) => pristine.clone(),
            None => {
                let made = Arc::new(Pristine::new(Live::new(&engine)?));
                engine.inner.pristine.get_or_init(|| made).clone()
            }
        };
        let restorer = if engine.inner.reset { Restorer::new().ok() } else { None };
        Ok(Instance { engine, live: None, restorer, pristine, used: false, made: 0, resets: 0 })
    }

    /// Send a request and wait for its reply. After a stop the instance must be reset before the next call; this does it.
    pub fn call(&mut self, request: &[u8], given: u64, ask: Option<Ask>) -> Result<Call> {
        if self.live.is_none() {
            let mut live = Live::new(&self.engine)?;
            if let Some(restorer) = self.restorer.as_mut() {
                restorer.begin(live.memory.data_mut(&mut live.store));
            }
            self.live = Some(live);
            self.made += 1;
        }
        self.used = true;
        let Some(live) = self.live.as_mut() else {
            return Err(Error::Engine { doing: "calling", reason: "no instance".into() });
        };
        live.store.data_mut().restart();
        live.store.data_mut().ask = ask;
        live.set_fuel(given)?;
        let result = match self.restorer.as_mut() {
            Some(restorer) => restorer.during(|| live.call(request)),
            None => live.call(request),
        };
        let left = live.fuel_left();
        let fuel = given.saturating_sub(left.unwrap_or(0));
        live.store.data_mut().ask = None;
        let (memory_denied, untouched) = (live.store.data().memory_denied, live.store.data().is_untouched());
        let reply = result.map_err(|error| Stop::of(&error, left.is_none(), memory_denied));
        // What is left when the fuel runs out depends on where it did.
        let fuel = if reply == Err(Stop::Fuel) { given } else { fuel };
        if reply.is_err() {
            self.reset()?;
        }
        Ok(Call { reply, fuel, memory_denied, untouched })
    }

    /// Whether [`Instance::watch`] can work: it needs to know which pages were written.
    pub fn can_watch(&self) -> bool {
        self.restorer.is_some()
    }

    /// Watch for loops without end until the next reset. `code`: where the submission's code objects lie. `slate`: where the harness notes
    /// what adds up. `whole`: fuel that a run may use by its own terms.
    pub fn watch(&mut self, code: Vec<std::ops::Range<usize>>, slate: usize, whole: u64) {
        let Some(live) = self.live.as_mut() else { return };
        let room =
            ((self.engine.inner.options.memory_mb as usize) << 20).saturating_sub(live.memory.data_size(&live.store));
        let host = live.store.data_mut();
        let sums = Sums::new(slate, whole, room as u64);
        host.watch = Watch::new(self.pristine.clone(), code, host.globals.len(), sums).ok().map(Box::new);
    }

    /// Back to the first state.
    pub fn reset(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.used, false) {
            return Ok(());
        }
        let (Some(live), Some(restorer)) = (self.live.as_mut(), self.restorer.as_mut()) else {
            self.live = None;
            return Ok(());
        };
        live.store.data_mut().watch = None;
        let keep = live.restore(restorer, &self.pristine).map_err(Error::engine("resetting an instance"))?;
        self.resets += 1;
        if !keep {
            self.live = None;
        }
        Ok(())
    }

    /// Whether memory and globals are those of an untouched instance. Slow; for tests.
    #[cfg(test)]
    pub fn is_pristine(&mut self) -> bool {
        let Some(live) = self.live.as_mut() else { return true };
        let globals = live.globals();
        let memory = live.memory.data(&live.store);
        memory.len() == self.pristine.size
            && memory.chunks(PAGE).enumerate().all(|(number, page)| *page == *self.pristine.page(number * PAGE))
            && format!("{globals:?}") == format!("{:?}", self.pristine.globals)
    }
}

impl Live {
    fn new(engine: &Engine) -> Result<Live> {
        let inner = &engine.inner;
        let make = || -> wasmtime::Result<Live> {
            let host = Host::new((inner.options.memory_mb as usize) << 20);
            let mut store = Store::new(&inner.engine, host);
            store.limiter(|host| host);
            let instance = inner.pre.instantiate(&mut store)?;
            let missing = |name: &str| wasmtime::format_err!("the guest does not export {name}");
            let memory = instance.get_memory(&mut store, "memory").ok_or_else(|| missing("memory"))?;
            let handle = instance.get_typed_func(&mut store, "handle")?;
            let realloc: Realloc = instance.get_typed_func(&mut store, "cabi_realloc")?;
            let import_realloc: Realloc = instance.get_typed_func(&mut store, "cabi_import_realloc")?;
            let post_return = instance.get_typed_func(&mut store, "cabi_post_handle")?;
            store.data_mut().memory = Some(memory);
            store.data_mut().realloc = Some(realloc.clone());
            store.data_mut().import_realloc = Some(import_realloc);
            let mut globals = Vec::new();
            for name in &inner.globals {
                globals.push(instance.get_global(&mut store, name).ok_or_else(|| missing(name))?);
            }
            store.data_mut().globals = globals.clone();
            let fuel = instance.get_global(&mut store, FUEL).ok_or_else(|| missing(FUEL))?;
            store.data_mut().fuel = Some(fuel);
            Ok(Live { store, memory, handle, realloc, post_return, globals, fuel })
        };
        make().map_err(Error::engine("starting an instance"))
    }

    /// Values of the mutable globals.
    fn globals(&mut self) -> Vec<Val> {
        self.globals.clone().into_iter().map(|global| global.get(&mut self.store)).collect()
    }

    fn set_fuel(&mut self, given: u64) -> Result<()> {
        let given = i64::try_from(given).unwrap_or(i64::MAX);
        self.fuel.set(&mut self.store, Val::I64(given)).map_err(Error::engine("setting the fuel"))
    }

    /// `None`: it was used up.
    fn fuel_left(&mut self) -> Option<u64> {
        self.fuel.get(&mut self.store).i64().and_then(|left| u64::try_from(left).ok())
    }

    /// The canonical ABI by hand: bytes in through `cabi_realloc`, pointer and length of the reply out, then `cabi_post_handle`. Without
    /// the last step the guest's next call corrupts its memory.
    fn call(&mut self, request: &[u8]) -> wasmtime::Result<Vec<u8>> {
        let length = i32::try_from(request.len())?;
        let at = self.realloc.call(&mut self.store, (0, 0, 1, length.max(1)))?;
        self.memory.write(&mut self.store, at as u32 as usize, request)?;
        let place = self.handle.call(&mut self.store, (at, length))?;
        let result = place as u32 as usize;
        let data = self.memory.data(&self.store);
        let outside = || wasmtime::format_err!("a reply outside of memory");
        let word = |at: usize| -> wasmtime::Result<usize> {
            let bytes: [u8; 4] = data.get(at..at + 4).and_then(|b| b.try_into().ok()).ok_or_else(outside)?;
            Ok(u32::from_le_bytes(bytes) as usize)
        };
        let (start, length) = (word(result)?, word(result + 4)?);
        if length > REPLY_LIMIT {
            return Err(wasmtime::Error::from(Stop::Output));
        }
        let reply = data.get(start..).and_then(|rest| rest.get(..length)).ok_or_else(outside)?.to_vec();
        self.post_return.call(&mut self.store, place)?;
        Ok(reply)
    }

    /// Put back what was written. False: better drop this instance.
    fn restore(&mut self, restorer: &mut Restorer, pristine: &Pristine) -> wasmtime::Result<bool> {
        let memory = self.memory.data_mut(&mut self.store);
        if memory.len() != pristine.size || !restorer.restore(memory, pristine)? {
            return Ok(false);
        }
        for (global, value) in self.globals.clone().into_iter().zip(&pristine.globals) {
            global.set(&mut self.store, *value)?;
        }
        Ok(true)
    }
}
