//! What an instance can reach of the world: virtual clocks, seeded entropy, and one function, `ask`.
//!
//! The guest imports about 116 functions of WASI 0.2 (lowered core signatures of the canonical ABI). Some twenty are answered here, by hand,
//! because the usual implementation would block in `sleep` and read real clocks. All others end the run as forbidden.

use wasmtime::{Caller, Engine, Error, Global, Linker, Memory, Module, Result, Trap, TypedFunc, Val, bail, format_err};

use super::Stop;
use super::watch::{Registers, Turn, Watch};

/// 2025-01-01T00:00:00Z
const START_OF_TIME: u64 = 1_735_689_600;
const NANOSECOND: u64 = 1_000_000_000;
/// What entropy begins with.
const ENTROPY: u64 = 0x9E37_79B9_7F4A_7C15;
/// Raw writes to the standard streams beyond this many bytes end the run.
const RAW_OUTPUT_LIMIT: u64 = 1 << 20;

/// Answers the examiner's requests: message in, message out.
pub type Ask = Box<dyn FnMut(&[u8]) -> Vec<u8> + Send>;

/// The canonical ABI's allocator: (old pointer, old size, alignment, new size) → pointer.
pub type Realloc = TypedFunc<(i32, i32, i32, i32), i32>;

/// The host's side of one instance.
pub struct Host {
    /// Nanoseconds since the start of time.
    now: u64,
    wake: u64,
    entropy: u64,
    raw_output: u64,
    memory_limit: usize,
    /// Whether a request for memory was turned down.
    pub memory_denied: bool,
    pub memory: Option<Memory>,
    /// Allocates what WASI functions return.
    pub import_realloc: Option<Realloc>,
    /// Allocates what `ask` returns.
    pub realloc: Option<Realloc>,
    pub ask: Option<Ask>,
    /// The instance's mutable globals.
    pub globals: Vec<Global>,
    /// The global that holds its fuel.
    pub fuel: Option<Global>,
    /// Looks for loops without end.
    pub watch: Option<Box<Watch>>,
}

impl Host {
    pub fn new(memory_limit: usize) -> Host {
        let mut host = Host {
            now: 0,
            wake: 0,
            entropy: 0,
            raw_output: 0,
            memory_limit,
            memory_denied: false,
            memory: None,
            import_realloc: None,
            realloc: None,
            ask: None,
            globals: Vec::new(),
            fuel: None,
            watch: None,
        };
        host.restart();
        host
    }

    /// Time, entropy and counters start again: each call of the guest sees the same world.
    pub fn restart(&mut self) {
        (self.now, self.wake, self.raw_output, self.memory_denied) = (0, 0, 0, false);
        self.entropy = ENTROPY;
        if let Some(watch) = self.watch.as_mut() {
            watch.restart();
        }
    }

    /// Whether all is as it was at the last start.
    pub fn is_untouched(&self) -> bool {
        let Host { now, wake, raw_output, memory_denied, entropy, .. } = *self;
        (now, wake, raw_output, memory_denied, entropy) == (0, 0, 0, false, ENTROPY)
    }

    /// A microsecond later. Sleeps may have brought the clock to its end.
    fn tick(&mut self) -> u64 {
        self.now = self.now.saturating_add(1000);
        self.now
    }

    /// xorshift64 (Marsaglia 2003). Not secret, only repeatable.
    fn random(&mut self) -> u64 {
        self.entropy ^= self.entropy << 13;
        self.entropy ^= self.entropy >> 7;
        self.entropy ^= self.entropy << 17;
        self.entropy
    }

    fn memory(&self) -> Result<Memory> {
        self.memory.ok_or_else(|| format_err!("called before the instance was ready"))
    }
}

impl wasmtime::ResourceLimiter for Host {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let allowed = desired <= self.memory_limit;
        self.memory_denied |= !allowed;
        Ok(allowed)
    }

    fn table_growing(&mut self, _current: usize, _desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(true)
    }
}

type Guest<'a> = Caller<'a, Host>;

/// Instructions that a byte of entropy or of raw output counts as. Work done out here must count, or it would be free.
const PER_BYTE: u64 = 18;

/// Take instructions from the guest's own, or end its run when it has too few → what is left.
fn spend(guest: &mut Guest, instructions: u64) -> Result<i64> {
    let fuel = guest.data().fuel.ok_or_else(|| format_err!("called before the instance was ready"))?;
    let left = fuel.get(&mut *guest).i64().unwrap_or(0).saturating_sub_unsigned(instructions);
    fuel.set(&mut *guest, Val::I64(left))?;
    if left < 0 { Err(Error::from(Trap::OutOfFuel)) } else { Ok(left) }
}

fn write(guest: &mut Guest, at: i32, bytes: &[u8]) -> Result<()> {
    let memory = guest.data().memory()?;
    Ok(memory.write(guest, at as u32 as usize, bytes)?)
}

fn write_u32(guest: &mut Guest, at: i32, value: u32) -> Result<()> {
    write(guest, at, &value.to_le_bytes())
}

fn write_u64(guest: &mut Guest, at: i32, value: u64) -> Result<()> {
    write(guest, at, &value.to_le_bytes())
}

/// Put bytes into memory that the guest allocates, and pointer and length at `result`.
fn give_list(
    guest: &mut Guest,
    realloc: Option<Realloc>,
    bytes: &[u8],
    count: usize,
    align: i32,
    result: i32,
) -> Result<()> {
    let realloc = realloc.ok_or_else(|| format_err!("called before the instance was ready"))?;
    let size = i32::try_from(bytes.len())?;
    let at = if size == 0 { align } else { realloc.call(&mut *guest, (0, 0, align, size))? };
    write(guest, at, bytes)?;
    write_u32(guest, result, at as u32)?;
    write_u32(guest, result + 4, u32::try_from(count)?)
}

/// Everything that the module imports.
pub fn linker(engine: &Engine, module: &Module) -> Result<Linker<Host>> {
    let mut linker = Linker::<Host>::new(engine);
    linker.allow_shadowing(true);
    for import in module.imports() {
        let (interface, name) = (import.module().to_string(), import.name().to_string());
        if name.starts_with("[resource-drop]") {
            linker.func_wrap(&interface, &name, |_: i32| {})?; // handles are plain numbers
            continue;
        }
        let Some(ty) = import.ty().func().cloned() else { bail!("import {interface} {name} is not a function") };
        let what = format!("{interface}#{name}");
        linker.func_new(&interface, &name, ty, move |_: Guest, _: &[Val], _: &mut [Val]| {
            Err(Error::from(Stop::Forbidden(what.clone())))
        })?;
    }
    for import in module.imports() {
        let interface = import.module();
        match interface.split('@').next().unwrap_or_default() {
            "wasi:clocks/wall-clock" | "wasi:clocks/monotonic-clock" | "wasi:io/poll" => {
                clocks(&mut linker, interface, import.name())?
            }
            "wasi:io/streams" => streams(&mut linker, interface, import.name())?,
            "wasi:random/random" | "wasi:random/insecure" | "wasi:random/insecure-seed" => {
                random(&mut linker, interface, import.name())?
            }
            "novice:guest/host" => ask(&mut linker, interface, import.name())?,
            _ => environment(&mut linker, interface, import.name())?,
        }
    }
    Ok(linker)
}

/// Virtual time: it moves a microsecond at each look, and on by the whole wait when the guest waits.
fn clocks(linker: &mut Linker<Host>, interface: &str, name: &str) -> Result<()> {
    let wall = interface.starts_with("wasi:clocks/wall-clock");
    match name {
        "now" if wall => linker.func_wrap(interface, name, |mut guest: Guest, result: i32| -> Result<()> {
            let now = guest.data_mut().tick();
            write_u64(&mut guest, result, START_OF_TIME + now / NANOSECOND)?;
            write_u32(&mut guest, result + 8, (now % NANOSECOND) as u32)
        })?,
        "resolution" if wall => linker.func_wrap(interface, name, |mut guest: Guest, result: i32| -> Result<()> {
            signal(&mut guest, |watch, memory, _, fuel| {
                watch.mark(memory, fuel);
                Turn::GoOn
            })?;
            write_u64(&mut guest, result, 0)?;
            write_u32(&mut guest, result + 8, 1000)
        })?,
        "now" => linker.func_wrap(interface, name, |mut guest: Guest| -> u64 { guest.data_mut().tick() })?,
        "resolution" => linker.func_wrap(interface, name, |mut guest: Guest| -> Result<u64> {
            signal(&mut guest, Watch::turn)?;
            Ok(1000)
        })?,
        "subscribe-duration" => linker.func_wrap(interface, name, |mut guest: Guest, duration: u64| -> i32 {
            let host = guest.data_mut();
            host.wake = host.now.saturating_add(duration);
            1
        })?,
        "subscribe-instant" => linker.func_wrap(interface, name, |mut guest: Guest, instant: u64| -> i32 {
            guest.data_mut().wake = instant;
            1
        })?,
        "[method]pollable.block" => linker.func_wrap(interface, name, |mut guest: Guest, _: i32| {
            let host = guest.data_mut();
            host.now = host.now.max(host.wake);
        })?,
        "[method]pollable.ready" => linker.func_wrap(interface, name, |_: i32| -> i32 { 1 })?,
        "poll" => {
            linker.func_wrap(interface, name, |mut guest: Guest, _: i32, count: i32, result: i32| -> Result<()> {
                let host = guest.data_mut();
                host.now = host.now.max(host.wake);
                if !(0..1024).contains(&count) {
                    bail!("too many pollables");
                }
                let ready: Vec<u8> = (0..count as u32).flat_map(u32::to_le_bytes).collect();
                let realloc = guest.data().import_realloc.clone();
                give_list(&mut guest, realloc, &ready, count as usize, 4, result)
            })?
        }
        _ => linker,
    };
    Ok(())
}

/// The real standard streams: input is closed, output is counted and thrown away. (Python's own streams are in memory.)
fn streams(linker: &mut Linker<Host>, interface: &str, name: &str) -> Result<()> {
    match name {
        "[method]output-stream.check-write" => {
            linker.func_wrap(interface, name, |mut guest: Guest, _: i32, result: i32| -> Result<()> {
                write_u32(&mut guest, result, 0)?;
                write_u64(&mut guest, result + 8, 65536)
            })?
        }
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => linker.func_wrap(
            interface,
            name,
            |mut guest: Guest, _: i32, _: i32, length: i32, result: i32| -> Result<()> {
                let length = u64::from(length as u32);
                spend(&mut guest, length * PER_BYTE)?;
                let host = guest.data_mut();
                host.raw_output += length;
                if host.raw_output > RAW_OUTPUT_LIMIT {
                    return Err(Error::from(Stop::Output));
                }
                write_u32(&mut guest, result, 0)
            },
        )?,
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => {
            linker.func_wrap(interface, name, |mut guest: Guest, _: i32, result: i32| -> Result<()> {
                write_u32(&mut guest, result, 0)
            })?
        }
        "[method]output-stream.subscribe" | "[method]input-stream.subscribe" => {
            linker.func_wrap(interface, name, |_: i32| -> i32 { 1 })?
        }
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => {
            linker.func_wrap(interface, name, |mut guest: Guest, _: i32, _: u64, result: i32| -> Result<()> {
                write_u32(&mut guest, result, 1)?;
                write_u32(&mut guest, result + 4, 1)
            })?
        }
        _ => linker,
    };
    Ok(())
}

fn random(linker: &mut Linker<Host>, interface: &str, name: &str) -> Result<()> {
    match name {
        "get-random-bytes" | "get-insecure-random-bytes" => {
            linker.func_wrap(interface, name, |mut guest: Guest, count: u64, result: i32| -> Result<()> {
                if count > 1 << 20 {
                    bail!("too much randomness asked for");
                }
                spend(&mut guest, count * PER_BYTE)?;
                let count = count as usize;
                let mut bytes = Vec::with_capacity(count + 8);
                while bytes.len() < count {
                    bytes.extend(guest.data_mut().random().to_le_bytes());
                }
                bytes.truncate(count);
                let realloc = guest.data().import_realloc.clone();
                give_list(&mut guest, realloc, &bytes, count, 1, result)
            })?
        }
        "get-random-u64" | "get-insecure-random-u64" => {
            linker.func_wrap(interface, name, |mut guest: Guest| -> u64 { guest.data_mut().random() })?
        }
        "insecure-seed" => linker.func_wrap(interface, name, |mut guest: Guest, result: i32| -> Result<()> {
            write_u64(&mut guest, result, 7)?;
            write_u64(&mut guest, result + 8, 7)
        })?,
        _ => linker,
    };
    Ok(())
}

/// An empty environment, no arguments, no folders, no terminal.
fn environment(linker: &mut Linker<Host>, interface: &str, name: &str) -> Result<()> {
    match name {
        "get-stdin" => linker.func_wrap(interface, name, || -> i32 { 0 })?,
        "get-stdout" => linker.func_wrap(interface, name, || -> i32 { 1 })?,
        "get-stderr" => linker.func_wrap(interface, name, || -> i32 { 2 })?,
        "get-terminal-stdin" | "get-terminal-stdout" | "get-terminal-stderr" => {
            linker.func_wrap(interface, name, |mut guest: Guest, result: i32| -> Result<()> {
                write_u32(&mut guest, result, 0)
            })?
        }
        "get-environment" | "get-arguments" | "get-directories" => {
            linker.func_wrap(interface, name, |mut guest: Guest, result: i32| -> Result<()> {
                write_u32(&mut guest, result, 4)?;
                write_u32(&mut guest, result + 4, 0)
            })?
        }
        "initial-cwd" => linker.func_wrap(interface, name, |mut guest: Guest, result: i32| -> Result<()> {
            write_u32(&mut guest, result, 0)
        })?,
        "exit" => {
            linker.func_wrap(interface, name, |status: i32| -> Result<()> { Err(Error::from(Stop::Exit(status))) })?
        }
        _ => linker,
    };
    Ok(())
}

/// `ask`: in the examiner's instance a question to the submission's; in the submission's a request to stop.
fn ask(linker: &mut Linker<Host>, interface: &str, name: &str) -> Result<()> {
    if name != "ask" {
        return Ok(());
    }
    linker.func_wrap(interface, name, |mut guest: Guest, at: i32, length: i32, result: i32| -> Result<()> {
        let memory = guest.data().memory()?;
        let request = memory.data(&guest).get(at as u32 as usize..).and_then(|rest| rest.get(..length as u32 as usize));
        let request = request.ok_or_else(|| format_err!("a request outside of memory"))?.to_vec();
        if request == b"output" {
            return Err(Error::from(Stop::Output));
        }
        let Some(mut ask) = guest.data_mut().ask.take() else {
            return Err(Error::from(Stop::Forbidden("the examiner's channel".into())));
        };
        let reply = ask(&request);
        guest.data_mut().ask = Some(ask);
        let realloc = guest.data().realloc.clone();
        give_list(&mut guest, realloc, &reply, reply.len(), 1, result)
    })?;
    Ok(())
}

/// The harness of a watched submission looks at a clock's resolution: the monotonic one's to say that a loop turns, the wall clock's that a
/// loop of its own comes next, or that it begins or ends a work whose fuel is not the program's (`watch.py`).
fn signal(guest: &mut Guest, tell: impl FnOnce(&mut Watch, &[u8], Registers, i64) -> Turn) -> Result<()> {
    let Some(mut watch) = guest.data_mut().watch.take() else { return Ok(()) };
    let (memory, fuel) = (guest.data().memory()?, spend(guest, 0)?);
    let mut registers: Registers = Vec::with_capacity(8);
    for global in guest.data().globals.clone() {
        registers.push(match global.get(&mut *guest) {
            Val::I32(number) => u64::from(number as u32),
            Val::I64(number) => number as u64,
            _ => 0,
        });
    }
    let host = guest.data();
    registers.extend([host.now, host.wake, host.entropy, host.raw_output]);
    let said = tell(&mut watch, memory.data(&*guest), registers, fuel);
    guest.data_mut().watch = Some(watch);
    match said {
        Turn::GoOn => Ok(()),
        Turn::Endless => Err(Error::from(Stop::Endless)),
        Turn::GiveUp => Err(Error::from(Stop::Unproven)),
    }
}
