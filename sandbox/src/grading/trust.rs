//! What a test script may say to an object of the submission, so that the object cannot pass for the answer.
//!
//! A test that compares hands over what it compares with: `abs(area(2) - 12.56) < 0.01` asks the returned object to subtract, and an object
//! that answers 0 would be right whatever was expected. So an object only ever sees the test's values in an operator
//!
//! * if the test made the object itself, by calling a class all of whose names begin with a capital, as the names of classes do: then
//!   the class is what is being tested (a class that stands in for a function `area` is not);
//! * if it came out of an operator on such an object, as in `(v + w) * 2`.
//!
//! Any other object is asked for its value as a float first, before it can know the other operand, and the operator is applied here, in the host;
//! an object that is no number has no operators, equals nothing and contains nothing. What a *method* or *function* is called with is the test's own decision.
//!
//! An exception of class StopIteration is an end only where the test asked for the next item. Anywhere else `all(map(f, cases))` would take it for
//! the end of the cases; it becomes a RuntimeError, as it does within generators (PEP 479).

use std::collections::HashSet;

use super::reply::{Ending, Run};
use crate::value::{Opaque, Value, from_message, to_message};

/// The submission's module, by agreement with the guest.
const MODULE: i64 = 1;

/// Numbers of the objects that are known to be classes under test, and of those made by them.
#[derive(Default)]
pub struct Trust {
    classes: HashSet<i64>,
    /// Objects that (also) go by a name that is not a class's.
    others: HashSet<i64>,
    made: HashSet<i64>,
}

/// A request to do something to an object.
pub struct Operation<'r> {
    handle: i64,
    name: &'r str,
    args: Vec<Value>,
}

/// What the host does with an operation.
#[derive(Debug, PartialEq)]
pub enum Way {
    /// Hand it on.
    Forward,
    /// Answer this, without asking.
    Answer(bool),
    /// Ask the object for its value as a float, then see [`Operation::calculated`].
    AsNumber,
    /// The object has no such operator.
    Refuse,
}

impl<'r> Operation<'r> {
    /// From a request `("operate", handle, name, message with (args, kwargs), …)`.
    pub fn read(parts: &'r [Value]) -> Option<Operation<'r>> {
        let [_, handle, name, data, ..] = parts else { return None };
        let Value::Tuple(both) = from_message(data.as_bytes()?).ok()? else { return None };
        let args = both.first()?.items()?.to_vec();
        Some(Operation { handle: handle.as_i64()?, name: name.as_str()?, args })
    }

    /// Whether it asks for the next item.
    pub fn advances(&self) -> bool {
        self.name == "next"
    }

    /// The request that asks the object for its number.
    pub fn as_number(&self) -> Vec<Value> {
        let nothing = Value::Tuple(vec![Value::Tuple(vec![]), Value::Dict(vec![])]);
        let data = Value::Bytes(to_message(&nothing));
        vec![Value::str("operate"), Value::int(self.handle), Value::str("float"), data, Value::str("")]
    }

    /// The answer to that request, with the operator's result in place of the number.
    pub fn calculated(&self, mut run: Run) -> Run {
        match (&run.ending, &run.value) {
            (Ending::Finished, Some(Value::Float(own))) => match self.arithmetic(*own) {
                Some(result) => run.value = Some(result),
                None => return Run::type_error(),
            },
            (Ending::Finished | Ending::Raised { .. }, _) => return Run::type_error(),
            _ => {}
        }
        run
    }

    /// Name of the operator and the other operand.
    fn operator(&self) -> Option<(&str, Option<&Value>)> {
        match (self.name, self.args.as_slice()) {
            ("op" | "rop", [name, other @ ..]) => Some((name.as_str()?, other.first())),
            ("contains", [item]) => Some(("contains", Some(item))),
            _ => None,
        }
    }

    /// The result of the operator between the object's number and the other operand, where both are numbers.
    fn arithmetic(&self, own: f64) -> Option<Value> {
        let (name, other) = self.operator()?;
        let other = match other? {
            Value::Bool(b) => f64::from(u8::from(*b)),
            Value::Int(number) => number.to_f64(),
            Value::Float(number) => *number,
            _ => return None,
        };
        let (a, b) = if self.name == "rop" { (other, own) } else { (own, other) };
        match name {
            "add" => Some(a + b),
            "sub" => Some(a - b),
            "mul" => Some(a * b),
            "truediv" if b != 0.0 => Some(a / b),
            _ => None,
        }
        .map(Value::Float)
    }
}

fn opaque(value: &Value) -> Option<&Opaque> {
    match value {
        Value::Opaque(opaque) => Some(opaque),
        _ => None,
    }
}

fn is_class_name(name: &str) -> bool {
    name.trim_start_matches('_').starts_with(char::is_uppercase)
}

impl Trust {
    /// What to do with an operation.
    pub fn way(&self, operation: &Operation) -> Way {
        let Some((name, Some(other))) = operation.operator() else { return Way::Forward };
        // Another object of the submission says nothing about what is expected.
        if opaque(other).is_some() || self.made.contains(&operation.handle) {
            return Way::Forward;
        }
        match name {
            "eq" | "contains" => Way::Answer(false),
            "ne" => Way::Answer(true),
            "add" | "sub" | "mul" | "truediv" => Way::AsNumber,
            _ => Way::Refuse,
        }
    }

    /// Remember what the imported module offers by name.
    pub fn module(&mut self, run: &Run) {
        *self = Trust::default();
        if let Some(Value::Dict(names)) = &run.value {
            for (name, value) in names {
                self.named(name.as_str().unwrap_or_default(), value);
            }
        }
    }

    fn named(&mut self, name: &str, value: &Value) {
        let Some(object) = opaque(value) else { return };
        if !is_class_name(name) {
            self.others.insert(object.handle);
        } else if object.kind == "class" {
            self.classes.insert(object.handle);
        }
    }

    /// Remember what came of an operation.
    pub fn done(&mut self, operation: &Operation, run: &Run) {
        let (Ending::Finished, Some(value)) = (&run.ending, &run.value) else { return };
        match operation.name {
            "get" if operation.handle == MODULE => {
                self.named(operation.args.first().and_then(Value::as_str).unwrap_or_default(), value);
            }
            "call" if self.classes.contains(&operation.handle) && !self.others.contains(&operation.handle) => {
                self.made.extend(opaque(value).map(|made| made.handle));
            }
            "op" | "rop" if self.made.contains(&operation.handle) => {
                self.made.extend(opaque(value).map(|made| made.handle));
            }
            _ => {}
        }
    }
}

/// A StopIteration that ends nothing.
pub fn without_stop_iteration(mut run: Run) -> Run {
    if let Ending::Raised { types, .. } = &mut run.ending
        && types.iter().any(|name| name == "StopIteration" || name == "StopAsyncIteration")
    {
        *types = ["RuntimeError", "Exception"].map(str::to_string).to_vec();
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(handle: i64, kind: &str) -> Value {
        let (type_name, text) = ("T".to_string(), "<T>".to_string());
        Value::Opaque(Opaque { handle, type_name, text, kind: kind.into(), detail: vec![] })
    }

    fn parts(handle: i64, name: &str, args: &[Value]) -> Vec<Value> {
        let both = Value::Tuple(vec![Value::Tuple(args.to_vec()), Value::Dict(vec![])]);
        vec![Value::str("operate"), Value::int(handle), Value::str(name), Value::Bytes(to_message(&both))]
    }

    fn way(trust: &Trust, handle: i64, name: &str, args: &[Value]) -> Way {
        trust.way(&Operation::read(&parts(handle, name, args)).unwrap())
    }

    fn finished(value: Value) -> Run {
        let mut run = Run::stopped(crate::engine::Stop::Fuel);
        (run.ending, run.value) = (Ending::Finished, Some(value));
        run
    }

    #[test]
    fn only_what_a_class_under_test_made_meets_the_tests_values() {
        let mut trust = Trust::default();
        let names = [
            ("Account", object(2, "class")),
            ("area", object(3, "class")),
            ("g", object(4, "function")),
            ("Area", object(3, "class")),
        ];
        trust.module(&finished(Value::Dict(names.map(|(n, v)| (Value::str(n), v)).to_vec())));
        for (class, made) in [(2, 12), (3, 13), (4, 14)] {
            trust.done(&Operation::read(&parts(class, "call", &[])).unwrap(), &finished(object(made, "object")));
        }
        let five = Value::int(5);
        assert_eq!(way(&trust, 12, "op", &[Value::str("eq"), five.clone()]), Way::Forward);
        for handle in [13, 14] {
            assert_eq!(way(&trust, handle, "op", &[Value::str("eq"), five.clone()]), Way::Answer(false));
            assert_eq!(way(&trust, handle, "op", &[Value::str("ne"), five.clone()]), Way::Answer(true));
            assert_eq!(way(&trust, handle, "contains", std::slice::from_ref(&five)), Way::Answer(false));
            assert_eq!(way(&trust, handle, "rop", &[Value::str("sub"), five.clone()]), Way::AsNumber);
            assert_eq!(way(&trust, handle, "op", &[Value::str("xor"), five.clone()]), Way::Refuse);
            assert_eq!(way(&trust, handle, "op", &[Value::str("eq"), object(12, "object")]), Way::Forward);
            assert_eq!(way(&trust, handle, "call", std::slice::from_ref(&five)), Way::Forward);
            assert_eq!(way(&trust, handle, "op", &[Value::str("neg")]), Way::Forward);
        }
        trust.done(
            &Operation::read(&parts(12, "op", &[Value::str("add"), object(12, "object")])).unwrap(),
            &finished(object(20, "object")),
        );
        assert_eq!(way(&trust, 20, "op", &[Value::str("mul"), five]), Way::Forward);
    }

    #[test]
    fn an_end_is_an_end_only_where_one_was_asked_for() {
        let mut run = finished(Value::None);
        run.ending =
            Ending::Raised { error: "StopIteration".into(), types: vec!["StopIteration".into(), "Exception".into()] };
        let Ending::Raised { types, .. } = without_stop_iteration(run).ending else { panic!() };
        assert_eq!(types, ["RuntimeError", "Exception"]);
    }

    #[test]
    fn arithmetic_is_done_here() {
        let result = |name: &str, operator: &str, other: Value| {
            Operation::read(&parts(9, name, &[Value::str(operator), other]))
                .unwrap()
                .arithmetic(3.0)
                .map(|v| v.repr(20))
        };
        assert_eq!(result("op", "sub", Value::int(5)).as_deref(), Some("-2.0"));
        assert_eq!(result("rop", "sub", Value::int(5)).as_deref(), Some("2.0"));
        assert_eq!(result("op", "truediv", Value::Float(2.0)).as_deref(), Some("1.5"));
        assert_eq!(result("op", "truediv", Value::int(0)), None);
        assert_eq!(result("op", "add", Value::str("x")), None);
    }
}
