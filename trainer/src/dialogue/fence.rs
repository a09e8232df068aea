//! A program in a fenced block, and back.
//!
//! Fences follow CommonMark (section 4.5): an opening line of at least three backticks, indented by at most three spaces,
//! then an info string; the block ends at a line of at least as many backticks and nothing else. A program that holds
//! backticks itself gets a longer fence, so that every program comes back byte for byte. Tildes are not fences here, and the
//! lines of an indented block keep their indentation.

/// `program` as a fenced Python block, without a line end behind it.
pub fn fence(program: &str) -> String {
    block("python", program)
}

/// `diff` as a fenced block of its own kind, without a line end behind it.
pub fn fence_diff(diff: &str) -> String {
    block("diff", diff)
}

fn block(info: &str, text: &str) -> String {
    let mut longest = 0usize;
    let mut run = 0;
    for b in text.bytes() {
        run = if b == b'`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let ticks = "`".repeat(longest.saturating_add(1).max(3));
    format!("{ticks}{info}\n{text}\n{ticks}")
}

/// What to do with a block that is never closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclosed {
    /// It is no block: the turn is malformed.
    Refuse,
    /// It reaches to the end of the text.
    Accept,
}

/// What a turn hands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// A program.
    Program(&'a str),
    /// What is to be changed in the program before.
    Diff(&'a str),
}

/// The program of a turn: the first block whose info string says Python, else the first without an info string. Whatever
/// stands around the block is ignored. `None` when there is no such block.
pub fn extract_program(text: &str, unclosed: Unclosed) -> Option<&str> {
    match extract(text, unclosed, false) {
        Some(Payload::Program(body) | Payload::Diff(body)) => Some(body),
        None => None,
    }
}

/// As [`extract_program`], but the first block whose info string says Python or diff decides.
pub fn extract_payload(text: &str, unclosed: Unclosed) -> Option<Payload<'_>> {
    extract(text, unclosed, true)
}

fn extract(text: &str, unclosed: Unclosed, diffs: bool) -> Option<Payload<'_>> {
    let mut plain = None;
    let mut at = 0;
    while let Some(block) = next_block(text, at) {
        if block.closed || unclosed == Unclosed::Accept {
            let body = text.get(block.start..block.end)?;
            match block.info.split_whitespace().next().map(str::to_ascii_lowercase).as_deref() {
                Some("python" | "python3" | "py") => return Some(Payload::Program(body)),
                Some("diff" | "patch") if diffs => return Some(Payload::Diff(body)),
                None => plain = plain.or(Some(body)),
                Some(_) => {}
            }
        }
        at = block.next;
    }
    plain.map(Payload::Program)
}

struct Block<'a> {
    info: &'a str,
    /// Bytes of the content, without the line end before the closing fence.
    start: usize,
    end: usize,
    closed: bool,
    /// Where to look for the next block.
    next: usize,
}

fn next_block(text: &str, from: usize) -> Option<Block<'_>> {
    let mut at = from;
    let (ticks, info, start) = loop {
        let (line, next) = line_at(text, at)?;
        if let Some((ticks, info)) = opening(line) {
            break (ticks, info, next);
        }
        at = next;
    };
    at = start;
    while let Some((line, next)) = line_at(text, at) {
        if closing(line, ticks) {
            // The line end before the closing fence belongs to the fence; an empty block has none.
            let end = if at > start { at - 1 } else { at };
            return Some(Block { info, start, end, closed: true, next });
        }
        at = next;
    }
    Some(Block { info, start: start.min(text.len()), end: text.len(), closed: false, next: text.len() + 1 })
}

/// The line that starts at `at`, without its line end, and where the next one starts.
fn line_at(text: &str, at: usize) -> Option<(&str, usize)> {
    let rest = text.get(at..)?;
    if rest.is_empty() && at > 0 {
        return None;
    }
    let len = rest.find('\n').unwrap_or(rest.len());
    Some((rest.get(..len)?, at + len + 1))
}

fn opening(line: &str) -> Option<(usize, &str)> {
    let text = unindent(line)?;
    let info = text.trim_start_matches('`');
    let ticks = text.len() - info.len();
    // CommonMark: an info string holds no backtick, else it is inline code.
    (ticks >= 3 && !info.contains('`')).then(|| (ticks, info.trim()))
}

fn closing(line: &str, ticks: usize) -> bool {
    unindent(line).is_some_and(|text| {
        let text = text.trim_end();
        text.len() >= ticks && text.bytes().all(|b| b == b'`')
    })
}

fn unindent(line: &str) -> Option<&str> {
    let text = line.trim_start_matches(' ');
    (line.len() - text.len() <= 3).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::Unclosed::{Accept, Refuse};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_python_block_wins() {
        let cases: &[(&str, Option<&str>)] = &[
            ("```python\nx = 1\n```", Some("x = 1")),
            ("I will try.\n```py\nx = 1\n```\nand then", Some("x = 1")),
            ("```\nprinted: 3\n```\n```python\nx = 1\n```", Some("x = 1")),
            ("```\nx = 1\n```\n```\ny\n```", Some("x = 1")),
            ("```text\nnot code\n```", None),
            ("```Python 3\nx\n```", Some("x")),
            ("```python\n```", Some("")),
            ("```python\n\n```", Some("")),
            ("```python\n\n\n```", Some("\n")),
            ("```python\r\nx = 1\r\n```\r\n", Some("x = 1\r")),
            ("   ```python\nx\n  ```  ", Some("x")),
            ("    ```python\nx\n```", None),
            ("x = 1", None),
            ("", None),
            ("```", None),
            ("``` a`b\nx\n```", None),
            ("````python\n```\n````", Some("```")),
            ("inline ```python x``` no", None),
        ];
        for (text, expected) in cases {
            assert_eq!(extract_program(text, Refuse), *expected, "{text:?}");
        }
    }

    #[test]
    fn an_open_block_counts_only_when_asked() {
        for (text, program) in [("```python\nx = 1", "x = 1"), ("```python\n", ""), ("```python", "")] {
            assert_eq!(extract_program(text, Refuse), None, "{text:?}");
            assert_eq!(extract_program(text, Accept), Some(program), "{text:?}");
        }
        assert_eq!(extract_program("```python\na\n```\n```python\nb", Accept), Some("a"));
    }

    #[test]
    fn a_diff_is_a_payload_only_where_diffs_are_wanted() {
        let diff = fence_diff("@@ -1 +1 @@\n-a\n+```");
        assert_eq!(diff, "````diff\n@@ -1 +1 @@\n-a\n+```\n````");
        let cases = [
            (diff.clone(), Some(Payload::Diff("@@ -1 +1 @@\n-a\n+```")), None),
            (format!("{diff}\n{}", fence("x")), Some(Payload::Diff("@@ -1 +1 @@\n-a\n+```")), Some("x")),
            (format!("{}\n{diff}", fence("x")), Some(Payload::Program("x")), Some("x")),
            (format!("```\ny\n```\n{diff}"), Some(Payload::Diff("@@ -1 +1 @@\n-a\n+```")), Some("y")),
            ("```patch\n".into(), None, None),
        ];
        for (text, payload, program) in cases {
            assert_eq!(extract_payload(&text, Refuse), payload, "{text:?}");
            assert_eq!(extract_program(&text, Refuse), program, "{text:?}");
        }
    }

    #[test]
    fn the_fence_outgrows_the_program() {
        assert_eq!(fence("x"), "```python\nx\n```");
        assert!(fence("'''\n```\n'''").starts_with("````python\n"));
    }

    proptest! {
        #[test]
        fn any_program_comes_back(program in "([a-z =()\\n\\r`~\t]|```|\\PC){0,40}", after in "[a-z\\n ]{0,9}") {
            let text = fence(&program);
            prop_assert_eq!(extract_program(&text, Refuse), Some(program.as_str()));
            let text = format!("{text}\n{after}");
            prop_assert_eq!(extract_program(&text, Refuse), Some(program.as_str()));
        }

        #[test]
        fn no_text_breaks_the_search(text in "(\\PC|[\\n`]|```|python){0,30}") {
            let closed = extract_program(&text, Refuse);
            let open = extract_program(&text, Accept);
            prop_assert!(closed.is_none() || open.is_some());
        }
    }
}
