//! A conversation for people: with a rule at its side for the terminal, as Markdown for TensorBoard and reports.
//!
//! What a model or a program wrote is shown, never obeyed: control characters are spelled out, so that no text moves the
//! cursor or changes colours, and fences are longer than any in the text, so that none ends early.

use std::fmt::Write;

/// Turns `(role, text)` as lines for a terminal.
pub fn render_conversation(turns: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (role, text) in turns {
        let _ = writeln!(out, "╭─ {}", visible(role));
        for line in visible(text.trim_end()).lines() {
            let _ = writeln!(out, "{}", format!("│ {line}").trim_end());
        }
        out.push_str("╰─\n");
    }
    out
}

/// Turns `(role, text)` as Markdown: each text verbatim in a fence, the assistant's as Python.
pub fn conversation_markdown(turns: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (role, text) in turns {
        let fence = "`".repeat(longest_run_of_backticks(text).max(2) + 1);
        let language = if *role == "assistant" { "python" } else { "text" };
        let _ = writeln!(out, "**{}**\n\n{fence}{language}\n{}\n{fence}\n", visible(role), visible(text.trim_end()));
    }
    out
}

/// Control characters spelled out, but for line ends and tabs.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\n' | '\t' => out.push(c),
            // Also the marks that turn the direction of writing: they can make code read as other code.
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                let _ = write!(out, "{}", c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    out
}

fn longest_run_of_backticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURNS: [(&str, &str); 3] = [
        ("user", "Write `f`.\n\nIt adds.\n"),
        ("assistant", "def f(a, b):\n    return a - b\n"),
        ("user", "f(1, 2): expected 3\x1b[31m, got -1\x07"),
    ];

    #[test]
    fn on_a_terminal() {
        insta::assert_snapshot!(render_conversation(&TURNS), @r"
        ╭─ user
        │ Write `f`.
        │
        │ It adds.
        ╰─
        ╭─ assistant
        │ def f(a, b):
        │     return a - b
        ╰─
        ╭─ user
        │ f(1, 2): expected 3\u{1b}[31m, got -1\u{7}
        ╰─
        ");
    }

    #[test]
    fn as_markdown() {
        insta::assert_snapshot!(conversation_markdown(&TURNS[..2]), @r"
        **user**

        ```text
        Write `f`.

        It adds.
        ```

        **assistant**

        ```python
        def f(a, b):
            return a - b
        ```
        ");
    }

    #[test]
    fn a_fence_is_longer_than_any_in_the_text() {
        let markdown = conversation_markdown(&[("assistant", "````\nx\n````")]);
        assert!(markdown.contains("\n`````python\n````\nx\n````\n`````\n"), "{markdown}");
    }
}
