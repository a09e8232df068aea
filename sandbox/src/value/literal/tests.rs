//! The grammar, and where errors point.

use super::*;
use proptest::prelude::*;

fn repr(text: &str) -> String {
    parse(text).unwrap().repr(500)
}

#[test]
fn reads_the_whole_grammar() {
    assert_eq!(repr(" [1, -2.5, 0x_ff, 1_000, 0b11, 0o17, 00] # end"), "[1, -2.5, 255, 1000, 3, 15, 0]");
    assert_eq!(repr("1, 'a' \"b\"\n,"), "(1, 'ab')");
    assert_eq!(repr("(1)"), "1");
    assert_eq!(
        repr(
            r"('\x41\u00e9\101\n\q', r'\n', b'\xff\0', '''a
b''')"
        ),
        r"('Aé\x41\n\\q', '\\n', b'\xff\x00', 'a\nb')".replace(r"\x41", "A")
    );
    assert_eq!(repr("{1: 2, True: 3, 'k': {1, 1.0, 2}}"), "{1: 3, 'k': {1, 2}}");
    assert_eq!(repr("-1-2j, 3j, +4, --5, ..."), "((-1-2j), 3j, 4, 5, Ellipsis)");
    assert_eq!(
        repr("float('-inf'), set(), frozenset([1, 1]), range(2), nan"),
        "(-inf, set(), frozenset({1}), range(0, 2), nan)"
    );
}

#[test]
fn says_where_and_why_not() {
    let error = |text: &str| parse(text).unwrap_err().to_string();
    assert_eq!(error(""), "column 1: expected a Python literal");
    assert_eq!(error("[1, 2"), "column 6: expected `]` or `,`");
    assert_eq!(error("abc"), "column 1: `abc` is not a literal; a string needs quotes");
    assert_eq!(error("1 + 2"), "column 6: expected an imaginary number; a literal is not calculated");
    assert_eq!(error("'abc"), "column 1: a string without its closing quote");
    assert_eq!(error("{[1]}"), "column 6: a list cannot be a key or a member of a set");
    assert_eq!(error("1 2"), "column 3: `2` after the literal");
    assert_eq!(error("007"), "column 1: leading zeros in a number");
    assert!(parse(&"[".repeat(100_000)).is_err() && parse(&"-".repeat(100_000)).is_err());
}

proptest! {
    #[test]
    fn never_panics(text in "[-+\\[\\](){}0-9a-z_.,:'\"\\\\ ébruxN#]{0,30}") {
        let _ = parse(&text);
    }

    #[test]
    fn a_repr_reads_back(text: String, number: f64, items: Vec<i64>) {
        let value = Value::Tuple(vec![Value::Str(text), Value::Float(number), Value::List(items.into_iter().map(Value::int).collect())]);
        let again = parse(&value.repr(100_000)).unwrap();
        prop_assert!(crate::value::equal(&value, &again, None));
    }
}
