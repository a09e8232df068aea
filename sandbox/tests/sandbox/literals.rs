//! The host's reading of literals against Python's own.

use novice_sandbox::{Value, equal};
use serde_json::json;

use crate::{grade, problem_with};

#[test]
fn the_hosts_literals_are_pythons() {
    let literals = [
        "[1, -2.5, 0x_ff, 1_000, 0b11, 0o17, 00, 1e3, .5, 5., 1E-2, 0XFF]",
        r#"('a' "b" 'c', u'x', r'\n', '\x41\u00e9\101\n\q\a\0', """t
q""", '\
joined')"#,
        r"(b'a' b'\xff\0\n', rb'\x', B'')",
        "{1: 2, True: 3, 'k': {1, 1.0, 2}, (1, 2): {}}",
        "(-1-2j, 3j, +4, - 5, 1e2-3.5J, ...)",
        "(None, True, False, (), (1,), [], [[[]]], {'a': None})",
        "123456789012345678901234567890123456789012345678901234567890",
        "-0.0, 1e400, 5e-324, 0.1, 123456789.123456789",
        "'😀é\\U0001F600'",
        "set()",
    ];
    for literal in literals {
        let problem = problem_with(
            json!([{"call": format!("__import__('ast').literal_eval({})", Value::str(literal).repr(10_000)), "expect": literal}]),
        );
        let report = grade(&problem, "");
        assert_eq!(report.grade, 100.0, "{literal}: {}", report.tests[0].message);
        // And what Python prints for it reads back as the same.
        let value = Value::literal(literal).unwrap();
        assert!(equal(&Value::literal(&value.repr(10_000)).unwrap(), &value, None));
    }
}

#[test]
fn reprs_are_pythons() {
    for literal in [
        "1.5",
        "1e16",
        "1e-5",
        "123456789012345.6",
        "-0.0",
        "(1+2j)",
        "'it\\'s'",
        "\"it's\"",
        "'\\t\\x7f\\xa0é'",
        "{1: (2,)}",
        "b'\\'\"'",
        "1e22",
        "9007199254740993.0",
    ] {
        let problem = problem_with(
            json!([{"call": format!("repr({literal})"), "expect": Value::str(Value::literal(literal).unwrap().repr(1000)).repr(1000)}]),
        );
        let report = grade(&problem, "");
        assert_eq!(report.grade, 100.0, "{literal}: {}", report.tests[0].message);
    }
}
