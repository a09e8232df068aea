//! Room on the stack for programs that nest deeply.
//!
//! The parser grows its stack by itself, but dropping, walking and printing a syntax tree recurse once a level, and a
//! sampled program may hold a thousand minus signs in a row. A tree is never deeper than its source has atoms
//! (words and punctuation marks), so a source of few atoms is worked on in place and a longer one on a thread whose
//! stack is sized by them. Brackets nested deeper than CPython allows are refused before parsing.

/// CPython's tokenizer refuses more nested brackets than this (`MAXLEVEL` in `Parser/tokenizer.h`).
const MAX_BRACKETS: usize = 200;
/// Up to this many atoms the caller's own stack is enough.
const IN_PLACE_ATOMS: usize = 600;
/// Stack bytes set aside for each atom; generous, and only virtual until touched.
const BYTES_AN_ATOM: usize = 16 * 1024;
/// No stack larger than this is asked for.
const MAX_STACK_BYTES: usize = 4 << 30;

/// Runs `work` with enough stack for the syntax tree of `code`; `None` when the program nests too deeply for any
/// Python or no such stack can be had.
pub(crate) fn with_room<T: Send>(code: &str, work: impl FnOnce() -> T + Send) -> Option<T> {
    let (atoms, brackets) = measure(code);
    if brackets > MAX_BRACKETS {
        return None;
    }
    if atoms <= IN_PLACE_ATOMS {
        return Some(work());
    }
    let stack = atoms.checked_mul(BYTES_AN_ATOM).filter(|bytes| *bytes <= MAX_STACK_BYTES)?;
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().stack_size(stack).spawn_scoped(scope, work).ok()?;
        worker.join().ok()
    })
}

/// The number of atoms and the deepest bracket nesting. Strings and comments are counted as if they were code, which
/// can only overestimate the atoms; brackets inside them are skipped.
fn measure(code: &str) -> (usize, usize) {
    let (mut atoms, mut depth, mut deepest) = (0_usize, 0_usize, 0_usize);
    let mut in_word = false;
    let mut quote: Option<char> = None;
    let mut in_comment = false;
    for c in code.chars() {
        let word = c.is_alphanumeric() || c == '_';
        let continues = c.is_whitespace() || (word && in_word);
        atoms += usize::from(!continues);
        in_word = word;
        match (c, quote) {
            ('\n', _) => (quote, in_comment) = (None, false),
            _ if in_comment => {}
            ('#', None) => in_comment = true,
            ('"' | '\'', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            ('(' | '[' | '{', None) => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (')' | ']' | '}', None) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    (atoms, deepest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        assert_eq!(measure("f(a1, [2])"), (8, 2));
        assert_eq!(measure("x = '((((' # ((((").1, 0);
    }

    #[test]
    fn too_many_brackets_are_refused() {
        let deep = format!("x = {}1{}", "(".repeat(201), ")".repeat(201));
        assert!(with_room(&deep, || ()).is_none());
        let fine = format!("x = {}1{}", "(".repeat(199), ")".repeat(199));
        assert!(with_room(&fine, || ()).is_some());
    }
}
