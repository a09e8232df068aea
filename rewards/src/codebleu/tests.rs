//! Golden values of the package, hand-computed ones of the corrected form, and properties.

use super::*;
use proptest::prelude::*;

const SUM: &str = "a = int(input())\nb = int(input())\nprint(a + b)";
const MEAN: &str =
    "def mean(nums):\n    total = 0\n    for i in nums:\n        total += i\n    return total / len(nums)";
const SHORT_MEAN: &str = "def mean(nums):\n    return sum(nums) / len(nums)";

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1.5e-6
}

#[test]
fn the_packages_own_values() {
    // (reference, candidate, score, n-grams, weighted, syntax, dataflow), printed by codebleu 0.7.0.
    let golden: [(&str, &str, [f64; 5]); 15] = [
        (SUM, SUM, [1.0, 1.0, 1.0, 1.0, 1.0]),
        (SUM, "x = int(input())\ny = int(input())\nprint(x + y)", [0.537916, 0.075832, 0.075832, 1.0, 1.0]),
        ("a = int(input())\nprint(a)", "a = float(input())\nprint(a)", [0.591465, 0.188030, 0.177828, 1.0, 1.0]),
        (MEAN, SHORT_MEAN, [0.153384, 0.024384, 0.041535, 0.214286, 0.333333]),
        ("print('hi')", "print('bye')", [0.5, 0.0, 0.0, 1.0, 0.0]),
        ("a = 1\nb = a", "print('x')", [0.25, 0.0, 0.0, 0.0, 0.0]),
        ("while True:\n    pass", "x = [1, 2]", [0.25, 0.0, 0.0, 0.0, 0.0]),
        ("def f(x):\n    return x", "def f(x:\n    return x", [0.346433, 0.188030, 0.197704, 0.0, 1.0]),
        (
            "def f(n):\n    if n < 2:\n        r = 1\n    elif n == 2:\n        r = n\n    else:\n        r = n * f(n - 1)\n    return r",
            "def f(n):\n    r = 1\n    while n > 1:\n        r = r * n\n        n = n - 1\n    return r",
            [0.165577, 0.072348, 0.071325, 0.304348, 0.214286],
        ),
        (
            "def count(text, letter='a'):\n    \"\"\"Count.\"\"\"\n    n = 0\n    for c in text:  # each\n        if c == letter:\n            n += 1\n    return n",
            "def count(text, letter='a'):\n    n = 0\n    for c in text:\n        if c == letter:\n            n = n + 1\n            print(n)\n    return n",
            [0.600819, 0.51796, 0.53115, 0.4375, 0.916667],
        ),
        (
            "x, y = 1, 2\nx, y = y, x\nprint(x, y)",
            "x = 1\ny = 2\nt = x\nx = y\ny = t\nprint(x, y)",
            [0.315579, 0.045275, 0.067042, 0.25, 0.9],
        ),
        (
            "squares = [i * i for i in range(10) if i % 2]\nprint(sum(squares))",
            "total = 0\nfor i in range(10):\n    if i % 2:\n        total += i * i\nprint(total)",
            [0.220388, 0.112038, 0.147293, 0.4, 0.222222],
        ),
        ("def f(x)\n    return x + 1", "def f(x):\n    return x + 1\n", [0.572326, 0.537285, 0.552019, 0.2, 1.0]),
        (
            "class A:\n    def __init__(self, n):\n        self.n = n\n    def twice(self):\n        return 2 * self.n\nprint(A(3).twice())",
            "def twice(n):\n    return 2 * n\nprint(f'{twice(3)}')",
            [0.112553, 0.059237, 0.078721, 0.130435, 0.181818],
        ),
        (
            "while x > 0:\n    x -= 1\n    if x == 3:\n        break\nelse:\n    print('no', x)",
            "for i in range(3):\n    print(i)\nelse:\n    print('yes')",
            [0.104445, 0.010534, 0.011412, 0.0625, 0.333333],
        ),
    ];
    for (reference, candidate, [total, ngrams, weighted, syntax, dataflow]) in golden {
        let score = codebleu(reference, candidate, Form::Published);
        assert!(near(score.ngrams, ngrams) && near(score.weighted, weighted), "{candidate}: {score:?}");
        assert!(near(score.syntax, syntax), "{candidate}: {score:?}");
        assert!(near(score.dataflow.unwrap(), dataflow), "{candidate}: {score:?}");
        assert!(near(score.total, total), "{candidate}: {score:?}");
    }
}

#[test]
fn the_corrected_form_by_hand() {
    // Equal programs score 1 however short; the published form gives `print(1)` 0.25 · (0.1^(3/4) · 2 + 1 + 1).
    let same = codebleu("print(1)", "print(1)", Form::Corrected);
    assert_eq!(same.total, 1.0);
    assert!(codebleu("print(1)", "print(1)", Form::Published).total < 0.7);
    // Unrelated programs score near 0, not 0.25: |0 a = 1 |0 b = a against |0 print ( 'x' ) share one token.
    let unrelated = codebleu("a = 1\nb = a", "print('x')", Form::Corrected);
    assert!(unrelated.total < 0.06, "{unrelated:?}");
    assert_eq!(unrelated.dataflow, Some(0.0));
    // No dataflow on either side: the other three are averaged.
    let flat = codebleu("print('hi')", "print('bye')", Form::Corrected);
    assert_eq!(flat.dataflow, None);
    assert!(near(flat.total, (flat.ngrams + flat.weighted + flat.syntax) / 3.0));
    // A candidate that contains the reference and more no longer has full syntax and dataflow.
    let more = codebleu("a = 1\nprint(a)", "a = 1\nprint(a)\nb = 2\nprint(b)", Form::Corrected);
    assert!(more.syntax < 1.0 && more.dataflow.unwrap() < 1.0, "{more:?}");
    assert_eq!(codebleu("a = 1\nprint(a)", "a = 1\nprint(a)\nb = 2\nprint(b)", Form::Published).syntax, 5.0 / 6.0);
}

#[test]
fn hostile_texts_are_scored_in_bounded_time() {
    let loops: String = (0..40).map(|depth| format!("{}while x:\n", " ".repeat(depth))).collect();
    let nested = format!("{loops}{}x = 1", " ".repeat(40));
    let deep = format!("x = {}1", "-".repeat(3000));
    for text in [nested.as_str(), &deep, &"(".repeat(3000), "\0", "é = 'ü'\nprint(é)"] {
        for form in [Form::Published, Form::Corrected] {
            let score = codebleu(text, "x = 1", form);
            assert!((0.0..=1.0).contains(&score.total));
        }
    }
}

fn program() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("x = 1"),
        Just("y = x + 1"),
        Just("print(x, 'a')"),
        Just("for i in x:\n    y += i * 2"),
        Just("if x:\n    y = 1\nelif y:\n    x = 2\nelse:\n    z = x"),
        Just("def f(a, b=x):\n    return a < b"),
        Just("while y:\n    y = y - x"),
        Just("z = [i for i in x if i]"),
    ];
    proptest::collection::vec(line, 1..6).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn in_range_and_one_of_itself(a in program(), b in program()) {
        for form in [Form::Published, Form::Corrected] {
            let score = codebleu(&a, &b, form);
            for part in [score.ngrams, score.weighted, score.syntax, score.dataflow.unwrap_or(0.0), score.total] {
                prop_assert!((0.0..=1.0 + 1e-12).contains(&part), "{:?}", score);
            }
        }
        prop_assert!(near(codebleu(&a, &a, Form::Corrected).total, 1.0));
        prop_assert!(codebleu(&a, &b, Form::Corrected).total <= 1.0);
    }

    #[test]
    fn comments_and_renaming_leave_syntax_and_dataflow(a in program()) {
        // An error's extent is another one beside a comment, so these programs are whole.
        let renamed = a.replace('x', "value").replace('y', "other");
        let commented = a.replace('\n', " # note\n");
        for other in [renamed, commented] {
            let score = codebleu(&a, &other, Form::Corrected);
            prop_assert!(near(score.syntax, 1.0) && near(score.dataflow.unwrap_or(1.0), 1.0), "{:?} {}", score, other);
        }
    }
}
