//! Names of a test's source that the submission must not take over.
//!
//! `from area import *` in a test, and the names that a bare assert test finds, give it the submission's names. A submission that defines `abs`, or an
//! `autograder` of its own, would then grade itself. So what the test's source binds at its outermost level (imports, functions,
//! classes, assignments), and what is built into Python, is not among the names that are handed over; `area.abs` still reaches it.
//!
//! The source is read line by line, not parsed: a name too many only means that the test must say `area.name`.

use std::collections::HashSet;

/// Public names of Python 3.14's `builtins`.
const BUILT_IN: &str = "ArithmeticError AssertionError AttributeError BaseException BaseExceptionGroup BlockingIOError BrokenPipeError \
BufferError BytesWarning ChildProcessError ConnectionAbortedError ConnectionError ConnectionRefusedError \
ConnectionResetError DeprecationWarning EOFError Ellipsis EncodingWarning EnvironmentError Exception ExceptionGroup \
False FileExistsError FileNotFoundError FloatingPointError FutureWarning GeneratorExit IOError ImportError \
ImportWarning IndentationError IndexError InterruptedError IsADirectoryError KeyError KeyboardInterrupt LookupError \
MemoryError ModuleNotFoundError NameError None NotADirectoryError NotImplemented NotImplementedError OSError \
OverflowError PendingDeprecationWarning PermissionError ProcessLookupError PythonFinalizationError RecursionError \
ReferenceError ResourceWarning RuntimeError RuntimeWarning StopAsyncIteration StopIteration SyntaxError SyntaxWarning \
SystemError SystemExit TabError TimeoutError True TypeError UnboundLocalError UnicodeDecodeError UnicodeEncodeError \
UnicodeError UnicodeTranslateError UnicodeWarning UserWarning ValueError Warning ZeroDivisionError abs aiter all anext \
any ascii bin bool breakpoint bytearray bytes callable chr classmethod compile complex delattr dict dir divmod \
enumerate eval exec filter float format frozenset getattr globals hasattr hash help hex id input int isinstance \
issubclass iter len list locals map max memoryview min next object oct open ord pow print property range repr reversed \
round set setattr slice sorted staticmethod str sum super tuple type vars zip exit quit";

/// Names that belong to the test. What it imports from the submission, which is known as `modules`, does not.
pub fn of_the_test(source: &str, modules: &[String]) -> HashSet<String> {
    let mut names: HashSet<String> = BUILT_IN.split_whitespace().map(str::to_string).collect();
    for line in source.lines() {
        let line = line.strip_prefix(">>> ").unwrap_or(line);
        let first = line.split(|c: char| !is_word(c)).next().unwrap_or_default();
        match first {
            "from" if words(line).nth(1).is_some_and(|module| modules.contains(&module)) => {}
            "import" | "from" => {
                // `from a import b as c, d`: a name too many does no harm.
                names.extend(words(line.split_once('#').map_or(line, |(code, _)| code)));
            }
            "def" | "class" => names.extend(words(line).nth(1)),
            "async" => names.extend(words(line).nth(2)),
            "" => {}
            name => {
                let rest = line.get(name.len()..).unwrap_or_default().trim_start();
                if rest.starts_with(['=', ',', ':']) && !rest.starts_with("==") {
                    names.extend(words(line.split_once('=').map_or("", |(targets, _)| targets)));
                }
            }
        }
    }
    names
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !is_word(c)).filter(|word| !word.is_empty()).map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_test_binds_is_its_own() {
        let source = "from cs110 import autograder as grader\nimport math, random\nfrom area import *\nlimit, rest = 5, 6\n\n\
                      def solution(n):\n    inner = n\n    return n\nasync def later(): pass\nclass TestArea: pass\nx == 1\nprint(y)\n";
        let names = of_the_test(source, &[]);
        for name in ["grader", "math", "random", "limit", "rest", "solution", "later", "TestArea", "abs", "ValueError"]
        {
            assert!(names.contains(name), "{name}");
        }
        for name in ["inner", "n", "x", "y", "perimeter"] {
            assert!(!names.contains(name), "{name}");
        }
        assert!(of_the_test(">>> import turtle\n>>> turtle.up()\n", &[]).contains("turtle"));
        let names = of_the_test("from area import Circle, solution\ndef solution(): pass\n", &["area".to_string()]);
        assert!(!names.contains("Circle") && names.contains("solution"));
    }
}
