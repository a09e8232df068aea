//! What a submission's instance answered, checked field by field: the instance may have been rewritten by the submission.

use crate::engine::{INSTRUCTIONS_PER_MS, Stop};
use crate::outcome::Outcome;
use crate::value::{self, MarshalError, MessageError, Value};

/// Characters of a trace, and of its last line, that are kept.
const TRACE_LIMIT: usize = 4000;
const ERROR_LIMIT: usize = 500;
/// Bytes of all changed arguments together.
const AFTER_LIMIT: usize = 4 << 20;

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// To the end.
    Finished,
    /// By `sys.exit`, with the exception's text.
    Exited(String),
    /// By an exception: the last line of its trace, and the names of its built-in classes.
    Raised { error: String, types: Vec<String> },
    /// The source is not Python.
    Syntax(String),
    /// `MemoryError`.
    Memory,
    /// Too much output.
    Output,
    /// Too large an answer.
    Large,
    /// The instance was stopped.
    Stopped(Stop),
    /// The harness in the instance failed or answered nonsense.
    Broken(String),
}

/// One run of the submission.
#[derive(Clone, Debug)]
pub struct Run {
    pub ending: Ending,
    pub out: Vec<u8>,
    pub err: Vec<u8>,
    pub value: Option<Value>,
    pub trace: String,
    /// Position and new value of arguments that the call changed.
    pub after: Vec<(i64, Value)>,
    /// The state of Python's `random` at the end, where it was asked for.
    pub drawn: Option<Value>,
}

impl Run {
    fn empty(ending: Ending) -> Run {
        let (out, err) = (Vec::new(), Vec::new());
        Run { ending, out, err, value: None, trace: String::new(), after: Vec::new(), drawn: None }
    }

    /// What the host answers in the submission's place.
    pub fn answer(value: Value) -> Run {
        Run { value: Some(value), ..Run::empty(Ending::Finished) }
    }

    /// An operator that the submission's object does not have.
    pub fn type_error() -> Run {
        let types = ["TypeError", "Exception", "BaseException", "object"].map(str::to_string).to_vec();
        Run::empty(Ending::Raised { error: "TypeError: unsupported operand for the returned object".into(), types })
    }

    /// A run that was stopped.
    pub fn stopped(stop: Stop) -> Run {
        Run::empty(Ending::Stopped(stop))
    }

    /// Whether it ended for want of memory, in the program or in the harness around it.
    pub fn lacked_memory(&self) -> bool {
        match &self.ending {
            Ending::Memory | Ending::Stopped(Stop::Memory) => true,
            Ending::Broken(reason) => reason.starts_with("MemoryError"),
            _ => false,
        }
    }

    /// Of a run that asked for memory in vain. CPython 3.14.0 loses the `MemoryError` of `text += …`: it goes on with no object in the variable
    /// and soon says that a type without a name has no such operation.
    pub fn short_of_memory(mut self) -> Run {
        if matches!(&self.ending, Ending::Raised { error, .. } if error.starts_with("TypeError") && error.contains("''"))
        {
            (self.ending, self.trace) = (Ending::Memory, String::new());
        }
        self
    }

    /// Hold what was printed to the limit, which the instance may have forgotten.
    pub fn within(mut self, output_bytes: usize) -> Run {
        if self.out.len().max(self.err.len()) > output_bytes {
            self.ending = Ending::Output;
            self.out.truncate(output_bytes);
            self.err.truncate(output_bytes);
        }
        self
    }

    /// Read the replies to several requests; `None` where they cannot be told apart.
    pub fn read_several(bytes: &[u8]) -> Option<Vec<Run>> {
        let reply = value::decode(bytes).ok()?;
        reply.field("replies")?.items()?.iter().map(|item| Some(Run::read(item.as_bytes()?))).collect()
    }

    /// Whether it says what the submission did, and would say the same alone.
    pub fn stands_alone(&self) -> bool {
        !matches!(self.ending, Ending::Memory | Ending::Large | Ending::Broken(_) | Ending::Stopped(_))
    }

    /// Read a reply.
    pub fn read(bytes: &[u8]) -> Run {
        let broken = |reason: &str| Run::empty(Ending::Broken(reason.to_string()));
        let reply = match value::decode(bytes) {
            Ok(reply) => reply,
            Err(MarshalError::Large) => return Run::empty(Ending::Large),
            Err(_) => return broken("no reply"),
        };
        let text = |name: &str, limit| {
            reply.field(name).and_then(Value::as_str).map(|t| super::clip(t, limit)).unwrap_or_default()
        };
        let raw = |name: &str| reply.field(name).and_then(Value::as_bytes).unwrap_or_default().to_vec();
        let error = text("error", ERROR_LIMIT);
        let ending = match reply.field("status").and_then(Value::as_str) {
            Some("ok") => Ending::Finished,
            Some("exit") => Ending::Exited(error),
            Some("error") => {
                let types = reply.field("types").and_then(Value::items).unwrap_or_default();
                Ending::Raised { error, types: types.iter().filter_map(Value::as_str).map(str::to_string).collect() }
            }
            Some("syntax") => Ending::Syntax(error),
            Some("memory") => Ending::Memory,
            Some("output") => Ending::Output,
            Some("harness") => Ending::Broken(error),
            _ => return broken("a reply without status"),
        };
        let value = match reply.field("value") {
            None | Some(Value::None) => None,
            Some(Value::Bytes(bytes)) => match value::from_message(bytes) {
                Ok(value) => Some(value),
                Err(MessageError::Marshal(MarshalError::Large)) => return Run::empty(Ending::Large),
                Err(_) => return broken("a value that cannot be read"),
            },
            Some(_) => return broken("a value that cannot be read"),
        };
        let pair = |item: &Value| match item.items() {
            Some([position, Value::Bytes(bytes)]) => Some((position.as_i64()?, value::from_message(bytes).ok()?)),
            _ => None,
        };
        let after = reply.field("after").and_then(Value::items).unwrap_or_default();
        if after.iter().filter_map(Value::items).flatten().filter_map(Value::as_bytes).map(<[u8]>::len).sum::<usize>()
            > AFTER_LIMIT
        {
            return Run::empty(Ending::Large);
        }
        let after = after.iter().filter_map(pair).collect();
        let drawn = reply.field("drawn").cloned();
        Run { ending, out: raw("out"), err: raw("err"), value, trace: text("trace", TRACE_LIMIT), after, drawn }
    }

    /// Outcome and message of a run that did not answer. `fuel` is its limit.
    pub fn failure(&self, fuel: u64) -> (Outcome, String) {
        match &self.ending {
            Ending::Finished => (Outcome::Crashed, "the program gave no answer".into()),
            Ending::Exited(error) => (Outcome::Exception, error.clone()),
            Ending::Raised { error, .. } => (Outcome::Exception, error.clone()),
            Ending::Syntax(error) => (Outcome::SyntaxError, error.clone()),
            Ending::Memory => (Outcome::OutOfMemory, "MemoryError: the program used too much memory".into()),
            Ending::Output => (Outcome::OutputLimit, "the program printed too much".into()),
            Ending::Large => (Outcome::OutputLimit, "the program's answer is too large".into()),
            Ending::Broken(reason) => (Outcome::Crashed, format!("the interpreter's answer is broken: {reason}")),
            Ending::Stopped(stop) => match stop {
                Stop::Fuel => (Outcome::Timeout, format!("not finished after {} ms", fuel / INSTRUCTIONS_PER_MS)),
                Stop::Memory => (Outcome::OutOfMemory, "MemoryError: the program used too much memory".into()),
                Stop::Output => (Outcome::OutputLimit, "the program printed too much".into()),
                Stop::Forbidden(what) => (Outcome::Forbidden, format!("not allowed here: {}", plain_name(what))),
                other => (Outcome::Crashed, other.to_string()),
            },
        }
    }
}

/// `wasi:sockets/tcp-create-socket@0.2.9#create-tcp-socket` → `create-tcp-socket`
fn plain_name(what: &str) -> &str {
    what.rsplit('#').next().unwrap_or(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::encode;
    use proptest::prelude::*;

    fn reply(fields: &[(&str, Value)]) -> Vec<u8> {
        encode(&Value::Dict(fields.iter().map(|(k, v)| (Value::str(*k), v.clone())).collect()))
    }

    #[test]
    fn nonsense_is_a_crash_of_the_submission() {
        for bytes in [vec![], b"N".to_vec(), reply(&[]), reply(&[("status", Value::str("passed"))])] {
            assert_eq!(Run::read(&bytes).failure(1).0, Outcome::Crashed);
        }
        let lie = reply(&[("status", Value::str("ok")), ("value", Value::Bytes(b"\xff".to_vec()))]);
        assert_eq!(Run::read(&lie).failure(1).0, Outcome::Crashed);
    }

    #[test]
    fn output_is_held_to_its_limit() {
        let run = |count| {
            Run::read(&reply(&[("status", Value::str("ok")), ("err", Value::Bytes(vec![b'x'; count]))])).within(1000)
        };
        assert_eq!((run(1000).ending, run(1001).ending, run(1001).err.len()), (Ending::Finished, Ending::Output, 1000));
    }

    #[test]
    fn an_answer_that_is_too_large_is_too_much_output() {
        let nones = [b"(\x02\0\0\0i\0\0\0\0[\0\0\x20\0".as_slice(), &vec![b'N'; 2 << 20]].concat();
        let run = Run::read(&reply(&[("status", Value::str("ok")), ("value", Value::Bytes(nones))]));
        assert_eq!(run.failure(1).0, Outcome::OutputLimit);
        let pair = Value::Tuple(vec![Value::int(0), Value::Bytes(vec![b'N'; AFTER_LIMIT])]);
        let after = Value::List(vec![pair.clone(), pair]);
        assert_eq!(Run::read(&reply(&[("status", Value::str("ok")), ("after", after)])).ending, Ending::Large);
    }

    #[test]
    fn texts_are_bounded() {
        let long = Value::str("x".repeat(1 << 20));
        let run = Run::read(&reply(&[("status", Value::str("error")), ("error", long.clone()), ("trace", long)]));
        assert!(run.trace.chars().count() <= TRACE_LIMIT + 1 && run.failure(1).1.chars().count() <= ERROR_LIMIT + 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_run(bytes: Vec<u8>) {
            Run::read(&bytes);
        }
    }
}
