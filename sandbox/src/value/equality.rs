//! Python's `==` on values.
//!
//! Two values are equal when their canonical forms are the same bytes: numbers by their mathematical value whatever their type
//! (`1 == 1.0 == True == 1+0j`), lists never equal tuples, sets equal frozensets, sets and dictionaries in any order, ranges by
//! their items. Source: The Python Language Reference, 6.10.1. One deviation, on purpose: NaN equals NaN, since a test
//! that expects NaN means "is NaN". An opaque object equals nothing.

use super::{Integer, Value};

/// Is `left == right`? With a `tolerance`, numbers may also differ by that much (absolute), anywhere in lists, tuples and dictionary values.
///
/// The work is bounded by the size of `right`, which is therefore the value that is expected: `left` may be anything.
pub fn equal(left: &Value, right: &Value, tolerance: Option<f64>) -> bool {
    match tolerance {
        Some(tolerance) => near(left, right, tolerance),
        None => {
            canonical(right).is_some_and(|right| canonical_within(left, right.len()).is_some_and(|left| left == right))
        }
    }
}

fn near(left: &Value, right: &Value, tolerance: f64) -> bool {
    let pairs = |a: &[Value], b: &[Value]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a, b, tolerance));
    match (left, right) {
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => pairs(a, b),
        (Value::Set(a) | Value::FrozenSet(a), Value::Set(b) | Value::FrozenSet(b)) => {
            equal(left, right, None)
                || match (sorted_numbers(a), sorted_numbers(b)) {
                    (Some(a), Some(b)) => {
                        a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= tolerance)
                    }
                    _ => false,
                }
        }
        (Value::Dict(a), Value::Dict(b)) => {
            let key = |pair: &(Value, Value)| canonical(&pair.0);
            let find = |k: &Option<Vec<u8>>| b.iter().find(|pair| k.is_some() && key(pair) == *k);
            a.len() == b.len()
                && a.iter().all(|pair| find(&key(pair)).is_some_and(|other| near(&pair.1, &other.1, tolerance)))
        }
        _ => {
            equal(left, right, None)
                || match (real(left), real(right)) {
                    (Some(a), Some(b)) => (a - b).abs() <= tolerance,
                    _ => match (left, right) {
                        (Value::Complex(..), _) | (_, Value::Complex(..)) => match (complex(left), complex(right)) {
                            (Some(a), Some(b)) => (a.0 - b.0).hypot(a.1 - b.1) <= tolerance,
                            _ => false,
                        },
                        _ => false,
                    },
                }
        }
    }
}

fn real(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(b) => Some(f64::from(u8::from(*b))),
        Value::Int(i) => Some(i.to_f64()),
        Value::Float(f) => Some(*f),
        _ => None,
    }
}

fn complex(value: &Value) -> Option<(f64, f64)> {
    match value {
        Value::Complex(re, im) => Some((*re, *im)),
        other => real(other).map(|re| (re, 0.0)),
    }
}

fn sorted_numbers(items: &[Value]) -> Option<Vec<f64>> {
    let mut numbers: Vec<f64> = items.iter().map(real).collect::<Option<_>>()?;
    numbers.sort_by(f64::total_cmp);
    Some(numbers)
}

/// Bytes that are the same exactly when values are equal; `None` when an opaque object is inside.
pub(super) fn canonical(value: &Value) -> Option<Vec<u8>> {
    canonical_within(value, usize::MAX)
}

/// As [`canonical`]; also `None` as soon as it is certain that there are more than `limit` bytes. (Sets within sets are written once a
/// level, so a small message could ask for a lot of work.)
fn canonical_within(value: &Value, limit: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    write(value, limit, &mut out)?;
    (out.len() <= limit).then_some(out)
}

fn write_sized(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend((bytes.len() as u64).to_le_bytes());
    out.extend(bytes);
}

fn write_integer(number: &Integer, out: &mut Vec<u8>) {
    out.push(if number.is_negative() { b'-' } else { b'+' });
    out.extend((number.limbs().len() as u64).to_le_bytes());
    number.limbs().iter().for_each(|limb| out.extend(limb.to_le_bytes()));
}

fn write_float(number: f64, out: &mut Vec<u8>) {
    match Integer::from_f64(number) {
        Some(integer) => write_integer(&integer, out),
        None => {
            out.push(b'f');
            out.extend((if number.is_nan() { f64::NAN } else { number }).to_bits().to_le_bytes());
        }
    }
}

fn write_items(tag: u8, items: &[Value], limit: usize, out: &mut Vec<u8>) -> Option<()> {
    out.push(tag);
    out.extend((items.len() as u64).to_le_bytes());
    items.iter().try_for_each(|item| write(item, limit, out))
}

fn write_unordered(tag: u8, mut members: Vec<Vec<u8>>, out: &mut Vec<u8>) {
    members.sort_unstable();
    out.push(tag);
    out.extend((members.len() as u64).to_le_bytes());
    members.iter().for_each(|member| write_sized(b'm', member, out));
}

fn write(value: &Value, limit: usize, out: &mut Vec<u8>) -> Option<()> {
    if out.len() > limit {
        return None;
    }
    let canonical = |value: &Value| canonical_within(value, limit);
    match value {
        Value::None => out.push(b'N'),
        Value::Ellipsis => out.push(b'.'),
        Value::Bool(b) => write_integer(&Integer::from(i64::from(*b)), out),
        Value::Int(number) => write_integer(number, out),
        Value::Float(number) => write_float(*number, out),
        Value::Complex(re, im) => {
            if *im != 0.0 {
                out.push(b'c');
                write_float(*im, out);
            }
            write_float(*re, out);
        }
        Value::Str(text) => write_sized(b'u', text.as_bytes(), out),
        Value::Bytes(bytes) => write_sized(b's', bytes, out),
        Value::List(items) => write_items(b'[', items, limit, out)?,
        Value::Tuple(items) => write_items(b'(', items, limit, out)?,
        Value::Set(items) | Value::FrozenSet(items) => {
            write_unordered(b'<', items.iter().map(canonical).collect::<Option<_>>()?, out);
        }
        Value::Dict(pairs) => {
            let member = |(key, value): &(Value, Value)| {
                let mut member = Vec::new();
                write_sized(b'k', &canonical(key)?, &mut member);
                write(value, limit, &mut member)?;
                Some(member)
            };
            write_unordered(b'{', pairs.iter().map(member).collect::<Option<_>>()?, out);
        }
        Value::Range(start, stop, step) => write_range(start, stop, step, out),
        Value::Opaque(_) => return None,
    }
    Some(())
}

/// Ranges are equal when their items are: by length, then first item, then step.
fn write_range(start: &Integer, stop: &Integer, step: &Integer, out: &mut Vec<u8>) {
    out.push(b'r');
    let (Some(a), Some(b), Some(s)) = (start.to_i64(), stop.to_i64(), step.to_i64()) else {
        [start, stop, step].into_iter().for_each(|part| write_integer(part, out));
        return;
    };
    let (a, b, s) = (i128::from(a), i128::from(b), i128::from(s));
    let length = if s > 0 && b > a {
        (b - a + s - 1) / s
    } else if s < 0 && b < a {
        (a - b - s - 1) / -s
    } else {
        0
    };
    out.extend(length.to_le_bytes());
    if length > 0 {
        out.extend(a.to_le_bytes());
    }
    if length > 1 {
        out.extend(s.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn eq(left: &str, right: &str) -> bool {
        equal(&Value::literal(left).unwrap(), &Value::literal(right).unwrap(), None)
    }

    #[test]
    fn numbers_are_equal_by_value_whatever_their_type() {
        for (left, right) in [("1", "1.0"), ("1", "True"), ("0", "False"), ("-0.0", "0"), ("1+0j", "1")] {
            assert!(eq(left, right), "{left} {right}");
        }
        assert!(eq("9007199254740993", "9007199254740993") && !eq("9007199254740993", "9007199254740992.0"));
        assert!(eq("1e400", "inf") && !eq("inf", "-inf") && eq("nan", "nan"));
        assert!(!eq("100000000000000000000000", "1e23") && eq("99999999999999991611392", "1e23"));
    }

    #[test]
    fn containers_keep_their_type_but_not_their_order() {
        assert!(!eq("[1]", "(1,)") && !eq("'1'", "1") && !eq("b'a'", "'a'") && !eq("None", "False"));
        assert!(eq("{1, 2.0}", "{2, 1}") && eq("{1: [2], 'a': {3}}", "{'a': {3.0}, True: [2]}"));
        assert!(!eq("{1: 2}", "{1: 2, 2: 2}") && !eq("[1, 2]", "[2, 1]") && eq("frozenset({1})", "{1}"));
        assert!(
            eq("range(0)", "range(5, 1)") && eq("range(0, 3, 2)", "range(0, 4, 2)") && !eq("range(3)", "[0, 1, 2]")
        );
    }

    #[test]
    fn tolerance_reaches_into_containers_and_only_numbers() {
        let near = |a: &str, b: &str| equal(&Value::literal(a).unwrap(), &Value::literal(b).unwrap(), Some(0.01));
        assert!(near("0.1", "0.105") && !near("0.1", "0.12") && near("[1, (2.004,)]", "[1, (2,)]"));
        assert!(near("{'a': 1.005}", "{'a': 1}") && near("{1.001, 2}", "{2, 1}") && near("1.001+1j", "1+1j"));
        assert!(!near("'1'", "'1.001'") && !near("1", "'1'") && near("inf", "inf") && !near("nan", "1"));
    }

    #[test]
    fn an_object_equals_nothing() {
        let object = super::super::Opaque {
            handle: 1,
            type_name: "E".into(),
            text: "1".into(),
            kind: "object".into(),
            detail: vec![],
        };
        let value = Value::List(vec![Value::Opaque(object)]);
        assert!(!equal(&value, &value, None) && !equal(&value, &value, Some(1e9)));
    }

    /// Values with an order-shuffled, type-changed twin that Python calls equal.
    fn twins() -> impl Strategy<Value = (Value, Value)> {
        let leaf = prop_oneof![
            any::<i32>().prop_map(|n| (Value::int(n.into()), Value::Float(n.into()))),
            any::<bool>().prop_map(|b| (Value::Bool(b), Value::int(b.into()))),
            "[a-c]{0,3}".prop_map(|s| (Value::str(&s), Value::str(&s))),
            (-1e3..1e3f64).prop_map(|f| (Value::Float(f), Value::Complex(f, 0.0))),
            Just((Value::None, Value::None)),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let many = prop::collection::vec(inner.clone(), 0..4);
            prop_oneof![
                many.clone().prop_map(|v| {
                    let (a, b) = v.into_iter().unzip();
                    (Value::List(a), Value::List(b))
                }),
                many.clone().prop_map(|v| {
                    let (a, b) = v.into_iter().unzip();
                    (Value::Tuple(a), Value::Tuple(b))
                }),
                many.prop_map(|v| {
                    let keyed = v
                        .into_iter()
                        .enumerate()
                        .map(|(i, (a, b))| ((Value::int(i as i64), a), (Value::Float(i as f64), b)));
                    let (a, mut b): (Vec<_>, Vec<_>) = keyed.unzip();
                    b.reverse();
                    (Value::Dict(a), Value::Dict(b))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn twins_are_equal_both_ways_and_with_any_tolerance((a, b) in twins(), tolerance in 0.0..1.0f64) {
            prop_assert!(equal(&a, &b, None) && equal(&b, &a, None) && equal(&a, &a, None));
            prop_assert!(equal(&a, &b, Some(tolerance)));
            prop_assert!(!equal(&Value::List(vec![a.clone()]), &Value::Tuple(vec![a.clone()]), None));
            prop_assert!(!equal(&Value::List(vec![a.clone(), a.clone()]), &Value::List(vec![a]), None));
        }
    }
}
