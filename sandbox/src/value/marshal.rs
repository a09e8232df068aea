//! The format of CPython's `marshal`, version 2: a type byte, then little-endian fields.
//!
//! Source: `Python/marshal.c`. Version 2 has no references and no short forms, and writes floats as 8 bytes. The reader trusts nothing:
//! lengths are checked against what is left, nesting is bounded, code objects do not exist. The writer is what puts values
//! into an instance, so an instance that reads with `marshal.loads` never reads bytes that another instance wrote.

use super::{Integer, Value};

/// CPython stops at 2,000 levels.
const DEPTH_LIMIT: usize = 2_100;
/// Values in one document. A byte of a message can become a hundred bytes of memory here, and the messages of a submission are its own.
const VALUE_LIMIT: usize = 1 << 20;

/// Why bytes are not a document.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MarshalError {
    /// The bytes end inside a value.
    #[error("the message ends inside a value")]
    Truncated,
    /// Bytes are left over.
    #[error("{0} bytes after the message")]
    Trailing(usize),
    /// A type byte that version 2 does not have or that is not a value.
    #[error("unknown type byte {0:#x}")]
    Unknown(u8),
    /// Too many levels of nesting.
    #[error("nested too deeply")]
    Depth,
    /// Too many values.
    #[error("more than {VALUE_LIMIT} values")]
    Large,
}

/// Bytes → value.
pub fn decode(bytes: &[u8]) -> Result<Value, MarshalError> {
    let mut reader = Reader { bytes, left: VALUE_LIMIT };
    let value = reader.value(0)?.ok_or(MarshalError::Unknown(b'0'))?;
    match reader.bytes.len() {
        0 => Ok(value),
        rest => Err(MarshalError::Trailing(rest)),
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
    /// Values that may still come.
    left: usize,
}

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], MarshalError> {
        let (head, tail) = self.bytes.split_at_checked(count).ok_or(MarshalError::Truncated)?;
        self.bytes = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], MarshalError> {
        self.take(N)?.try_into().map_err(|_| MarshalError::Truncated)
    }

    /// A length or count. Every counted item takes at least one byte, so it cannot exceed what is left.
    fn length(&mut self) -> Result<usize, MarshalError> {
        let length = i32::from_le_bytes(self.array()?);
        usize::try_from(length).ok().filter(|n| *n <= self.bytes.len()).ok_or(MarshalError::Truncated)
    }

    fn float(&mut self) -> Result<f64, MarshalError> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Value>, MarshalError> {
        let count = self.length()?;
        if count > self.left {
            return Err(MarshalError::Large);
        }
        // A count is only a claim, and claims can be nested.
        let mut items = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            items.push(self.value(depth + 1)?.ok_or(MarshalError::Unknown(b'0'))?);
        }
        Ok(items)
    }

    /// A value, or `None` for the mark that ends a dictionary.
    fn value(&mut self, depth: usize) -> Result<Option<Value>, MarshalError> {
        if depth > DEPTH_LIMIT {
            return Err(MarshalError::Depth);
        }
        self.left = self.left.checked_sub(1).ok_or(MarshalError::Large)?;
        let [tag] = self.array()?;
        Ok(Some(match tag {
            b'0' => return Ok(None),
            b'N' => Value::None,
            b'.' => Value::Ellipsis,
            b'T' => Value::Bool(true),
            b'F' => Value::Bool(false),
            b'i' => Value::int(i64::from(i32::from_le_bytes(self.array()?))),
            b'l' => self.long()?,
            b'g' => Value::Float(self.float()?),
            b'y' => Value::Complex(self.float()?, self.float()?),
            b's' => {
                let length = self.length()?;
                Value::Bytes(self.take(length)?.to_vec())
            }
            b'u' | b't' => {
                let length = self.length()?;
                Value::Str(String::from_utf8_lossy(self.take(length)?).into_owned())
            }
            b'(' => Value::Tuple(self.items(depth)?),
            b'[' => Value::List(self.items(depth)?),
            b'<' => Value::Set(self.items(depth)?),
            b'>' => Value::FrozenSet(self.items(depth)?),
            b'{' => {
                let mut pairs = Vec::new();
                while let Some(key) = self.value(depth + 1)? {
                    let value = self.value(depth + 1)?.ok_or(MarshalError::Unknown(b'0'))?;
                    pairs.push((key, value));
                }
                Value::Dict(pairs)
            }
            other => return Err(MarshalError::Unknown(other)),
        }))
    }

    fn long(&mut self) -> Result<Value, MarshalError> {
        let count = i32::from_le_bytes(self.array()?);
        let length = count.unsigned_abs() as usize;
        let bytes = self.take(length.checked_mul(2).ok_or(MarshalError::Truncated)?)?;
        let digits: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
        Ok(Value::Int(Integer::from_digits15(count < 0, &digits)))
    }
}

/// Value → bytes. What has no type in `marshal` (ranges, opaque objects) is written as its text; see [`super::to_message`].
pub fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

fn write_bytes(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}

fn write_items(tag: u8, items: &[Value], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend((items.len() as u32).to_le_bytes());
    items.iter().for_each(|item| write(item, out));
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::None => out.push(b'N'),
        Value::Ellipsis => out.push(b'.'),
        Value::Bool(b) => out.push(if *b { b'T' } else { b'F' }),
        Value::Int(number) => match number.to_i64().and_then(|n| i32::try_from(n).ok()) {
            Some(small) => {
                out.push(b'i');
                out.extend(small.to_le_bytes());
            }
            None => {
                let digits = number.digits15();
                let count = digits.len() as i32;
                out.push(b'l');
                out.extend((if number.is_negative() { -count } else { count }).to_le_bytes());
                digits.iter().for_each(|digit| out.extend(digit.to_le_bytes()));
            }
        },
        Value::Float(number) => {
            out.push(b'g');
            out.extend(number.to_le_bytes());
        }
        Value::Complex(re, im) => {
            out.push(b'y');
            out.extend(re.to_le_bytes());
            out.extend(im.to_le_bytes());
        }
        Value::Str(text) => write_bytes(b'u', text.as_bytes(), out),
        Value::Bytes(bytes) => write_bytes(b's', bytes, out),
        Value::Tuple(items) => write_items(b'(', items, out),
        Value::List(items) => write_items(b'[', items, out),
        Value::Set(items) => write_items(b'<', items, out),
        Value::FrozenSet(items) => write_items(b'>', items, out),
        Value::Dict(pairs) => {
            out.push(b'{');
            for (key, value) in pairs {
                write(key, out);
                write(value, out);
            }
            out.push(b'0');
        }
        Value::Range(..) | Value::Opaque(_) => write_bytes(b'u', value.repr(200).as_bytes(), out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::equal;
    use proptest::prelude::*;

    #[test]
    fn reads_what_cpython_writes() {
        // marshal.dumps((1, -2**40, 1.5, 'é', b'x', [None, True], {'a': ...}, {3}), 2)
        let bytes = b"(\x08\0\0\0i\x01\0\0\0l\xfd\xff\xff\xff\0\0\0\0\0\x04g\0\0\0\0\0\0\xf8?u\x02\0\0\0\xc3\xa9s\x01\0\0\0x[\x02\0\0\0NT{u\x01\0\0\0a.0<\x01\0\0\0i\x03\0\0\0";
        assert_eq!(
            decode(bytes).unwrap().repr(200),
            "(1, -1099511627776, 1.5, 'é', b'x', [None, True], {'a': Ellipsis}, {3})"
        );
        assert_eq!(encode(&decode(bytes).unwrap()), bytes);
    }

    #[test]
    fn refuses_lies_about_lengths_and_depth() {
        assert_eq!(decode(b"(\xff\xff\xff\x7f").unwrap_err(), MarshalError::Truncated);
        assert_eq!(decode(b"s\xff\xff\xff\xff").unwrap_err(), MarshalError::Truncated);
        assert_eq!(decode(b"l\0\0\0\x80").unwrap_err(), MarshalError::Truncated);
        assert_eq!(decode(b"NN").unwrap_err(), MarshalError::Trailing(1));
        assert_eq!(decode(b"c").unwrap_err(), MarshalError::Unknown(b'c'));
        let many = [b"[\0\x09\x3d\0".as_slice(), &vec![b'N'; 4_000_000]].concat();
        assert_eq!(decode(&many).unwrap_err(), MarshalError::Large);
        let pairs = [b"{".as_slice(), &vec![b'N'; 4_000_000], b"0"].concat();
        assert_eq!(decode(&pairs).unwrap_err(), MarshalError::Large);
        let deep: Vec<u8> = b"(\x01\0\0\0".iter().copied().cycle().take(5 * 5000).collect();
        let on_a_grading_stack =
            std::thread::Builder::new().stack_size(64 << 20).spawn(move || decode(&deep).unwrap_err());
        assert_eq!(on_a_grading_stack.unwrap().join().unwrap(), MarshalError::Depth);
    }

    #[test]
    fn refuses_more_values_than_memory_should_hold() {
        let list = |count: usize| [b"[".as_slice(), &(count as u32).to_le_bytes(), &vec![b'N'; count]].concat();
        assert!(decode(&list(VALUE_LIMIT - 1)).is_ok());
        assert_eq!(decode(&list(VALUE_LIMIT)).unwrap_err(), MarshalError::Large);
        // Lists that each claim to hold all of the rest.
        let claims: Vec<u8> = (0..100).flat_map(|_| *b"[\x00\x00\x0f\x00").chain(vec![b'N'; 1 << 20]).collect();
        assert_eq!(decode(&claims).unwrap_err(), MarshalError::Large);
        let pairs = [b"{".as_slice(), &vec![b'N'; 4 * VALUE_LIMIT], b"0"].concat();
        assert_eq!(decode(&pairs).unwrap_err(), MarshalError::Large);
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_value_or_an_error(bytes: Vec<u8>) {
            if let Ok(value) = decode(&bytes) {
                prop_assert!(decode(&encode(&value)).is_ok_and(|again| equal(&again, &value, None) || bytes.contains(&b'g') || bytes.contains(&b'y')));
            }
        }
    }
}
