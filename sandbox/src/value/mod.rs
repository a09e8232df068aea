//! Python values, outside Python.
//!
//! What a submission returns leaves its instance as bytes and becomes a [`Value`] here; what a test expects is a literal that
//! [`Value::literal`] reads. Both are data: comparing them ([`equal`]) runs no line of anybody's code.
//!
//! | file | job |
//! |---|---|
//! | `integer` | integers of any size |
//! | `marshal` | bytes ↔ `Value` (the format of CPython's `marshal`, version 2) |
//! | `tree` | the tagged form for values that `marshal` has no type for |
//! | `literal` | text of a Python literal → `Value` |
//! | `equality` | Python's `==`, with an optional tolerance |
//! | `display` | Python's `repr`, with a length limit |

mod display;
mod equality;
mod integer;
mod literal;
mod marshal;
mod tree;

pub use equality::equal;
pub use integer::Integer;
pub use literal::LiteralError;
pub(crate) use marshal::{MarshalError, decode, encode};
pub(crate) use tree::{MessageError, from_message, to_message};

/// A Python value of an exact built-in type.
#[derive(Clone, Debug)]
pub enum Value {
    /// `None`
    None,
    /// `...`
    Ellipsis,
    /// `True`, `False`
    Bool(bool),
    /// An integer of any size.
    Int(Integer),
    /// A float, infinities and NaN included.
    Float(f64),
    /// A complex number: real and imaginary part.
    Complex(f64, f64),
    /// A string. Lone surrogates, which no text file can hold, have become U+FFFD.
    Str(String),
    /// `bytes` (and `bytearray`, which compares equal to it).
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A set, in no particular order.
    Set(Vec<Value>),
    /// A frozenset, in no particular order.
    FrozenSet(Vec<Value>),
    /// A dictionary, in insertion order.
    Dict(Vec<(Value, Value)>),
    /// `range(start, stop, step)`.
    Range(Integer, Integer, Integer),
    /// An object without a value of its own. Equal to nothing.
    Opaque(Opaque),
}

/// An object that stays in its instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opaque {
    /// Its number there; 0 when it cannot be reached.
    pub handle: i64,
    /// Name of its class.
    pub type_name: String,
    /// Its `repr`, clipped.
    pub text: String,
    /// "object", "function", "class", "error", "module" or "deep".
    pub kind: String,
    /// Names of base classes, for classes.
    pub detail: Vec<String>,
}

impl Value {
    /// A string value.
    pub fn str(text: impl Into<String>) -> Value {
        Value::Str(text.into())
    }

    /// An integer value.
    pub fn int(number: i64) -> Value {
        Value::Int(Integer::from(number))
    }

    /// Read a Python literal: what `ast.literal_eval` accepts, and `nan`, `inf`, `float("…")`, `set()`, `frozenset(…)` and
    /// `range(…)` besides.
    ///
    /// # Errors
    /// Where the text stops being a literal, and why.
    pub fn literal(text: &str) -> Result<Value, LiteralError> {
        literal::parse(text)
    }

    /// The text that Python's `repr` gives, cut at `limit` characters.
    pub fn repr(&self, limit: usize) -> String {
        display::repr(self, limit)
    }

    /// The Python name of the type.
    pub fn type_name(&self) -> &str {
        match self {
            Value::None => "NoneType",
            Value::Ellipsis => "ellipsis",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Complex(..) => "complex",
            Value::Str(_) => "str",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "list",
            Value::Tuple(_) => "tuple",
            Value::Set(_) => "set",
            Value::FrozenSet(_) => "frozenset",
            Value::Dict(_) => "dict",
            Value::Range(..) => "range",
            Value::Opaque(opaque) => &opaque.type_name,
        }
    }

    /// The entry of a dictionary with string keys, as messages are.
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        let Value::Dict(pairs) = self else { return None };
        pairs.iter().find(|(key, _)| matches!(key, Value::Str(k) if k == name)).map(|(_, value)| value)
    }

    /// The text of a string.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes of a bytes object.
    pub(crate) fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A number that fits 64 bits.
    pub(crate) fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(number) => number.to_i64(),
            Value::Bool(b) => Some(i64::from(*b)),
            _ => None,
        }
    }

    /// The items of a list or tuple.
    pub(crate) fn items(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) | Value::Tuple(items) => Some(items),
            _ => None,
        }
    }
}
