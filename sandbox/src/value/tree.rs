//! The two forms in which a value crosses: `(0, value)` when `marshal` has types for all of it, else `(1, tree)`.
//!
//! The tree is described in the guest's `values.py`, which writes and reads the same.

use super::marshal::MarshalError;
use super::{Integer, Opaque, Value, decode, encode};

/// Why a message is not a value.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MessageError {
    /// Not `marshal`.
    #[error(transparent)]
    Marshal(#[from] MarshalError),
    /// `marshal`, but not of the agreed form.
    #[error("a value of an unknown form")]
    Form,
}

impl MessageError {
    /// Whether there is too much of it.
    pub(crate) fn is_size(&self) -> bool {
        *self == MessageError::Marshal(MarshalError::Size)
    }
}

/// The value in a message of the guest.
pub fn from_message(bytes: &[u8]) -> Result<Value, MessageError> {
    let Value::Tuple(parts) = decode(bytes)? else { return Err(MessageError::Form) };
    let mut parts = parts.into_iter();
    match (parts.next().and_then(|p| p.as_i64()), parts.next(), parts.next()) {
        (Some(0), Some(value), None) => Ok(value),
        (Some(1), Some(node), None) => from_node(&node).ok_or(MessageError::Form),
        _ => Err(MessageError::Form),
    }
}

fn from_node(node: &Value) -> Option<Value> {
    let (tag, body) = node.items()?.split_first()?;
    let nodes = || body.first()?.items()?.iter().map(from_node).collect::<Option<Vec<_>>>();
    Some(match tag.as_str()? {
        "v" => body.first()?.clone(),
        "l" => Value::List(nodes()?),
        "t" => Value::Tuple(nodes()?),
        "s" => Value::Set(nodes()?),
        "f" => Value::FrozenSet(nodes()?),
        "d" => {
            let pair = |pair: &Value| {
                let [key, value] = pair.items()? else { return None };
                Some((from_node(key)?, from_node(value)?))
            };
            Value::Dict(body.first()?.items()?.iter().map(pair).collect::<Option<Vec<_>>>()?)
        }
        "r" => {
            let [Value::Int(start), Value::Int(stop), Value::Int(step)] = body else { return None };
            Value::Range(start.clone(), stop.clone(), step.clone())
        }
        "o" => {
            let [handle, type_name, text, kind, detail] = body else { return None };
            Value::Opaque(Opaque {
                handle: handle.as_i64()?,
                type_name: type_name.as_str()?.to_string(),
                text: text.as_str()?.to_string(),
                kind: kind.as_str()?.to_string(),
                detail: detail.items()?.iter().map(|d| d.as_str().map(str::to_string)).collect::<Option<_>>()?,
            })
        }
        _ => return None,
    })
}

/// The message that carries a value into the guest.
pub fn to_message(value: &Value) -> Vec<u8> {
    if is_plain(value) {
        encode(&Value::Tuple(vec![Value::int(0), value.clone()]))
    } else {
        encode(&Value::Tuple(vec![Value::int(1), to_node(value)]))
    }
}

fn is_plain(value: &Value) -> bool {
    match value {
        Value::Range(..) | Value::Opaque(_) => false,
        Value::List(items) | Value::Tuple(items) | Value::Set(items) | Value::FrozenSet(items) => {
            items.iter().all(is_plain)
        }
        Value::Dict(pairs) => pairs.iter().all(|(k, v)| is_plain(k) && is_plain(v)),
        _ => true,
    }
}

fn to_node(value: &Value) -> Value {
    let node = |tag: &str, body: Vec<Value>| Value::Tuple(std::iter::once(Value::str(tag)).chain(body).collect());
    let nodes = |tag: &str, items: &[Value]| node(tag, vec![Value::List(items.iter().map(to_node).collect())]);
    let int = |i: &Integer| Value::Int(i.clone());
    match value {
        Value::List(items) => nodes("l", items),
        Value::Tuple(items) => nodes("t", items),
        Value::Set(items) => nodes("s", items),
        Value::FrozenSet(items) => nodes("f", items),
        Value::Dict(pairs) => {
            let pairs = pairs.iter().map(|(k, v)| Value::Tuple(vec![to_node(k), to_node(v)])).collect();
            node("d", vec![Value::List(pairs)])
        }
        Value::Range(start, stop, step) => node("r", vec![int(start), int(stop), int(step)]),
        Value::Opaque(o) => node(
            "o",
            vec![
                Value::int(o.handle),
                Value::str(&o.type_name),
                Value::str(&o.text),
                Value::str(&o.kind),
                Value::Tuple(o.detail.iter().map(Value::str).collect()),
            ],
        ),
        leaf => node("v", vec![leaf.clone()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_objects_cross_in_tree_form() {
        let object =
            Opaque { handle: 4, type_name: "P".into(), text: "<P>".into(), kind: "object".into(), detail: vec![] };
        let range = Value::Range(Integer::from(0), Integer::from(9), Integer::from(2));
        let value = Value::List(vec![Value::Dict(vec![(Value::int(1), range)]), Value::Opaque(object)]);
        let back = from_message(&to_message(&value)).unwrap();
        assert_eq!(back.repr(100), "[{1: range(0, 9, 2)}, <P>]");
        assert_eq!(format!("{back:?}"), format!("{value:?}"));
    }

    #[test]
    fn other_forms_are_refused() {
        assert_eq!(from_message(b"i\x01\0\0\0").unwrap_err(), MessageError::Form);
        assert_eq!(
            from_message(&encode(&Value::Tuple(vec![Value::int(1), Value::str("v")]))).unwrap_err(),
            MessageError::Form
        );
    }
}
