//! Random modules, metered, against wasmtime's own count of what they execute.

use wasm_encoder as we;
use wasmtime::{Config, Engine, Instance, Module, Store, Trap, Val};

use super::{FUEL, meter};

/// Functions of a random module, all (i32) → i32.
const FUNCTIONS: u32 = 5;
/// Fuel of the module that is not metered.
const GIVEN: u64 = 200_000;
/// How deep calls go.
const LEVELS: i32 = 6;

/// xorshift64 (Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % u64::from(sides)) as u32
    }
}

/// Writes one random function. Local 0: levels of calls that are left; local 1: numbers that decide at run time.
struct Author<'d> {
    dice: &'d mut Dice,
    to: we::Function,
    /// Labels around the place.
    labels: u32,
}

impl Author<'_> {
    fn to(&mut self) -> we::InstructionSink<'_> {
        self.to.instructions()
    }

    /// A number below `sides` that the running program draws.
    fn draw(&mut self, sides: i32) {
        let mut to = self.to();
        to.local_get(1).i32_const(1_103_515_245).i32_mul().i32_const(12345).i32_add().local_tee(1);
        to.i32_const(16).i32_shr_u().i32_const(sides).i32_rem_u();
    }

    fn statements(&mut self, depth: u32) {
        for _ in 0..self.dice.roll(5) {
            self.statement(depth);
        }
    }

    /// `write` within a block, loop or condition that `open` begins.
    fn within(&mut self, open: fn(&mut we::InstructionSink), depth: u32, write: impl FnOnce(&mut Self, u32)) {
        open(&mut self.to());
        self.labels += 1;
        write(self, depth + 1);
        self.labels -= 1;
        self.to().end();
    }

    fn statement(&mut self, depth: u32) {
        let most = if depth > 4 { 6 } else { 11 };
        match self.dice.roll(most) {
            0 | 1 => {
                for number in 0..self.dice.roll(40) {
                    self.to().i32_const(number as i32).drop();
                    self.to().local_get(1).i32_const(1).i32_add().local_set(1);
                }
            }
            2 => {
                let function = self.dice.roll(FUNCTIONS);
                self.to().local_get(0).i32_const(1).i32_sub().call(function).local_set(1);
            }
            3 => {
                self.to().local_get(0).i32_const(1).i32_sub();
                self.draw(FUNCTIONS as i32);
                self.to().call_indirect(0, 0).local_set(1);
            }
            4 => {
                self.to().i32_const(8).i32_const(1);
                self.draw(200);
                self.to().memory_fill(0);
            }
            5 => {
                let label = self.dice.roll(self.labels);
                self.draw(3);
                self.to().br_if(label);
            }
            6 => self.within(
                |to| {
                    to.block(we::BlockType::Empty);
                },
                depth,
                Self::statements,
            ),
            7 => self.within(
                |to| {
                    to.loop_(we::BlockType::Empty);
                },
                depth,
                |author, depth| {
                    author.statements(depth);
                    author.draw(4);
                    author.to().br_if(0);
                },
            ),
            8 => {
                self.draw(2);
                let other = self.dice.roll(2) == 0;
                self.within(
                    |to| {
                        to.if_(we::BlockType::Empty);
                    },
                    depth,
                    |author, depth| {
                        author.statements(depth);
                        if other {
                            author.to().else_();
                            author.statements(depth);
                        }
                    },
                );
            }
            9 => {
                let targets: Vec<u32> = (0..self.dice.roll(4)).map(|_| self.dice.roll(self.labels)).collect();
                let default = self.dice.roll(self.labels);
                self.within(
                    |to| {
                        to.block(we::BlockType::Empty);
                    },
                    depth,
                    |author, _| {
                        author.draw(6);
                        author.to().br_table(targets, default);
                    },
                );
            }
            _ => {
                self.draw(4);
                self.within(
                    |to| {
                        to.if_(we::BlockType::Empty);
                    },
                    depth,
                    |author, _| {
                        author.to().local_get(1).return_();
                    },
                );
            }
        }
    }
}

fn random_module(dice: &mut Dice) -> Vec<u8> {
    let (mut types, mut functions, mut tables) =
        (we::TypeSection::new(), we::FunctionSection::new(), we::TableSection::new());
    types.ty().function([we::ValType::I32], [we::ValType::I32]);
    let entries = Some(u64::from(FUNCTIONS));
    tables.table(we::TableType {
        element_type: we::RefType::FUNCREF,
        minimum: u64::from(FUNCTIONS),
        maximum: entries,
        table64: false,
        shared: false,
    });
    let (mut memories, mut exports, mut elements) =
        (we::MemorySection::new(), we::ExportSection::new(), we::ElementSection::new());
    memories.memory(we::MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
    exports.export("run", we::ExportKind::Func, 0);
    let mut globals = we::GlobalSection::new();
    let ty = we::GlobalType { val_type: we::ValType::I32, mutable: false, shared: false };
    globals.global(ty, &we::ConstExpr::i32_const(0));
    elements.active(
        None,
        &we::ConstExpr::i32_const(0),
        we::Elements::Functions((0..FUNCTIONS).collect::<Vec<_>>().into()),
    );
    let mut code = we::CodeSection::new();
    for _ in 0..FUNCTIONS {
        functions.function(0);
        // The outermost label returns a number, so branches go to the one within.
        let mut author = Author { dice, to: we::Function::new([(1, we::ValType::I32)]), labels: 0 };
        author.to().local_get(0).i32_const(77).i32_mul().local_set(1);
        author.to().local_get(0).i32_eqz().if_(we::BlockType::Empty).local_get(1).return_().end();
        author.within(
            |to| {
                to.block(we::BlockType::Empty);
            },
            0,
            |author, depth| {
                for _ in 0..4 {
                    author.statement(depth);
                }
            },
        );
        author.to().local_get(1).end();
        code.function(&author.to);
    }
    let mut module = we::Module::new();
    module.section(&types).section(&functions).section(&tables).section(&memories).section(&globals);
    module.section(&exports).section(&elements).section(&code);
    module.finish()
}

/// What `run` returned, and the fuel that it took, by wasmtime's count or by the module's own; `None` when it was used up.
fn run(engine: &Engine, bytes: &[u8], counted: bool, given: u64) -> Option<(i32, u64)> {
    let module = Module::new(engine, bytes).unwrap();
    let mut store = Store::new(engine, ());
    if counted {
        store.set_fuel(given).unwrap();
    }
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let fuel = instance.get_global(&mut store, FUEL);
    if let Some(fuel) = fuel {
        fuel.set(&mut store, Val::I64(given as i64)).unwrap();
    }
    let result = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap().call(&mut store, LEVELS);
    let left = match fuel {
        Some(fuel) => fuel.get(&mut store).unwrap_i64(),
        None => store.get_fuel().unwrap() as i64,
    };
    match result {
        Ok(number) => Some((number, (given as i64 - left) as u64)),
        Err(error) => {
            let trap = error.downcast_ref::<Trap>();
            assert!(matches!(trap, Some(Trap::OutOfFuel)) || trap.is_some() && left < 0, "{error:?}");
            None
        }
    }
}

/// A metered module does the same, and its fuel is at least what wasmtime counts, and no more than some times that.
#[test]
fn fuel_covers_what_is_executed() {
    let counting = Engine::new(Config::new().consume_fuel(true)).unwrap();
    let plain = Engine::new(&Config::new()).unwrap();
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let (mut ended, mut wasmtimes, mut ours) = (0, 0, 0);
    for _ in 0..400 {
        let module = random_module(&mut dice);
        let metered = meter(&module).unwrap();
        match run(&counting, &module, true, GIVEN) {
            Some((number, counted)) => {
                let (same, charged) = run(&plain, &metered, false, u64::MAX >> 1).unwrap();
                assert_eq!(number, same);
                assert!(charged >= counted, "{charged} charged for {counted}");
                assert!(charged < 60 * counted, "{charged} charged for {counted}");
                // What was charged is enough.
                assert!(run(&plain, &metered, false, charged).is_some());
                ended += 1;
                wasmtimes += counted;
                ours += charged;
            }
            None => assert!(run(&plain, &metered, false, GIVEN).is_none()),
        }
    }
    assert!((100..400).contains(&ended), "{ended} of the modules end");
    assert!(ours < 3 * wasmtimes, "{ours} charged for {wasmtimes}");
}
