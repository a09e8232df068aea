//! Fuzzing of everything that reads what a submission or a stranger wrote: replies and values from the guest, literals, courses.
//!
//! Mutations of valid documents, from a fixed seed. The ordinary tests run each target for a moment; `NOVICE_FUZZ_SECONDS=600 cargo test
//! --release -p novice-sandbox --lib fuzz_for_long -- --ignored --nocapture` for as long as wanted, all at a time. A failing input is printed before the panic goes on.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use crate::course::Course;
use crate::grading::read_reply;
use crate::value::{Value, decode, encode, equal, from_message, to_message};

/// xorshift64 (Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides.max(1) as u64) as usize
    }
}

/// Bytes that mean something in one of the formats.
const TELLING: &[u8] = b"(){}[]<>,:'\"\\#-+.eEjJxX0179_NTFilgysut.\n \t|&*!%@`\x00\x01\x7f\xff\xfe\x80\xc3\xa9";

fn mutate(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = seeds[dice.roll(seeds.len())].clone();
    for _ in 0..1 + dice.roll(8) {
        let at = dice.roll(input.len() + 1);
        match dice.roll(8) {
            0 if !input.is_empty() => {
                let at = at.min(input.len() - 1);
                input[at] ^= 1 << dice.roll(8);
            }
            1 => input.insert(at, TELLING[dice.roll(TELLING.len())]),
            2 if at < input.len() => {
                input.remove(at);
            }
            3 => {
                // A part of another document.
                let other = &seeds[dice.roll(seeds.len())];
                let from = dice.roll(other.len() + 1);
                let part = &other[from..(from + dice.roll(40)).min(other.len())];
                input.splice(at..at, part.iter().copied());
            }
            4 => {
                // The same again and again: depth and length.
                let end = (at + dice.roll(6)).min(input.len());
                let part = input[at..end].repeat(1 + dice.roll(300));
                input.splice(at..at, part);
            }
            5 => input.truncate(at),
            6 if at + 4 <= input.len() => {
                let number = [0u32, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 65536][dice.roll(6)];
                input[at..at + 4].copy_from_slice(&number.to_le_bytes());
            }
            _ if at < input.len() => input[at] = TELLING[dice.roll(TELLING.len())],
            _ => {}
        }
        input.truncate(1 << 16);
    }
    input
}

fn seconds() -> Option<u64> {
    std::env::var("NOVICE_FUZZ_SECONDS").ok()?.parse().ok()
}

/// Run a target on a thread with a grading thread's stack, for `time`.
fn fuzz(name: &'static str, seed: u64, time: Duration, seeds: Vec<Vec<u8>>, target: fn(&[u8])) {
    let work = move || {
        let (mut dice, start, mut count) = (Dice(seed), Instant::now(), 0u64);
        seeds.iter().for_each(|seed| target(seed));
        while start.elapsed() < time {
            for _ in 0..64 {
                let input = mutate(&mut dice, &seeds);
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&input))) {
                    eprintln!("{name} fails for {:?}", input.escape_ascii().to_string());
                    resume_unwind(panic);
                }
                count += 1;
            }
        }
        eprintln!("{name}: {count} inputs in {:.0} s", start.elapsed().as_secs_f64());
    };
    std::thread::Builder::new().stack_size(64 << 20).spawn(work).unwrap().join().unwrap();
}

fn values() -> Vec<Value> {
    [
        "[1, -2.5, 'a', b'b', None, True, ...]",
        "{'a': {1, 2}, 3: (frozenset({1}), range(3), range(5, 1, -2))}",
        "123456789012345678901234567890",
        "(1+2j, nan, -inf, [[[[]]]], {}, set())",
        "'\\u00e9\\U0001F600'",
    ]
    .iter()
    .map(|text| Value::literal(text).unwrap())
    .collect()
}

fn messages() -> Vec<Vec<u8>> {
    values().iter().flat_map(|value| [to_message(value), encode(value)]).collect()
}

fn replies() -> Vec<Vec<u8>> {
    let field = |name: &str, value: Value| (Value::str(name), value);
    let value = || Value::Bytes(messages()[0].clone());
    let statuses = ["ok", "error", "exit", "output", "memory", "syntax", "harness", "?"];
    let reply = |status: &&str| {
        encode(&Value::Dict(vec![
            field("status", Value::str(*status)),
            field("out", Value::Bytes(b"out\xff".to_vec())),
            field("value", value()),
            field("trace", Value::str("Traceback")),
            field("error", Value::str("E: x")),
            field("types", Value::Tuple(vec![Value::str("ValueError")])),
            field("after", Value::List(vec![Value::Tuple(vec![Value::int(0), value()])])),
            field("drawn", Value::Tuple(vec![Value::int(3)])),
        ]))
    };
    statuses.iter().map(reply).collect()
}

fn read_marshal(bytes: &[u8]) {
    if let Ok(value) = decode(bytes) {
        let again = decode(&encode(&value));
        assert!(again.is_ok(), "what was read cannot be written and read again");
        value.repr(200);
    }
}

fn read_message(bytes: &[u8]) {
    if let Ok(value) = from_message(bytes) {
        value.repr(200);
        equal(&value, &value, None);
        equal(&value, &value, Some(0.1));
        assert!(from_message(&to_message(&value)).is_ok());
    }
}

fn read_literal(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(value) = Value::literal(&text) {
        let shown = value.repr(1 << 20);
        // What is shown is a literal again, of the same value, but for what is cut for its length and Python's own `infj`.
        if !['…', '<'].iter().any(|c| shown.contains(*c)) && !shown.contains("infj") {
            let again = Value::literal(&shown).unwrap_or_else(|error| panic!("{shown}: {error}"));
            assert!(equal(&again, &value, None), "{text} became {shown}");
        }
    }
}

fn read_course(bytes: &[u8]) {
    // Errors name the file.
    if let Err(error) = Course::from_yaml(&String::from_utf8_lossy(bytes), "fuzz.yaml") {
        assert!(error.to_string().contains("fuzz.yaml"), "{error}");
    }
}

fn literals() -> Vec<Vec<u8>> {
    let texts = [
        "[1, -2.5, 0x_ff, 1_000, 0b11, 1e3, .5, 5.]",
        "('a' \"b\", r'\\n', '\\x41\\u00e9\\101\\n', \"\"\"t\"\"\")",
        "{1: 2, 'k': {1, 2}, (1, 2): {}} # comment",
        "(-1-2j, 3j, ..., None, True, b'\\xff', nan, inf, float('-inf'))",
        "frozenset([1, 2]), set(), range(1, 9, 2)",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn courses() -> Vec<Vec<u8>> {
    let texts = [
        "name: demo\nproblems:\n  - id: p\n    statement: \"Do it.\"\n    filename: area.py\n    files: {a.txt: \"1\"}\n    solution: \"x = 1\"\n    tests:\n      - {call: \"area(2)\", expect: \"[1, 2.5]\", tolerance: 0.1, weight: 2, name: two, hidden: true, timeout_ms: 50}\n      - {stdin: \"\", stdout: \"9\", match: tokens}\n      - {script: \"def test_passed(): return 1\", max_score: 5}\n      - {unittest: \"def test_a(): pass\"}\n",
        "problems: [{id: a, statement: &s text, prelude: |\n  x = 1\n, tests: [&t {stdout: x}, *t]}, {id: b, statement: *s, tests: [{stdout: x}]}]\n",
        "problems:\n  - id: q\n    statement: >-\n      folded\n      text\n    starter: 'it''s'\n    solutions: [a, b]\n    tests: [{call: f(), expect: !!str 6}]\n",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// The targets by name.
fn run(name: &str, time: Duration) {
    match name {
        "marshal" => fuzz("marshal", 11, time, messages().into_iter().chain(replies()).collect(), read_marshal),
        "message" => fuzz("message", 12, time, messages(), read_message),
        "reply" => fuzz("reply", 13, time, replies(), |bytes| drop(read_reply(bytes))),
        "literal" => fuzz("literal", 14, time, literals(), read_literal),
        _ => fuzz("course", 15, time, courses(), read_course),
    }
}

#[test]
fn fuzz_for_a_moment() {
    for name in ["marshal", "message", "reply", "literal", "course"] {
        run(name, Duration::from_millis(400));
    }
}

/// Each target on its own, for as long as is asked for.
macro_rules! fuzz_for_long {
    ($($name:ident),*) => {$(
        #[test]
        #[ignore = "runs for NOVICE_FUZZ_SECONDS, 20 without"]
        fn $name() {
            let name = stringify!($name).trim_start_matches("fuzz_for_long_");
            run(name, Duration::from_secs(seconds().unwrap_or(20)));
        }
    )*};
}

fuzz_for_long!(
    fuzz_for_long_marshal,
    fuzz_for_long_message,
    fuzz_for_long_reply,
    fuzz_for_long_literal,
    fuzz_for_long_course
);
