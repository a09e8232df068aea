//! Reading `tests/attacks/*.py`. A file holds the programs of one technique:
//!
//! ```text
//! #### Title, which says the idea
//! ## wrong_answer                        the verdict on tests of every kind, or
//! ## call exception, io wrong_answer     the verdict on each kind that it is run against
//! ## 300 ms                              optional: the time limit of its tests, where the usual one is too short to get there
//! ## expand                              optional: the program is written with ⟦…⟧ (see `expand`)
//! the program, up to the next title
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use novice_sandbox::Outcome;

/// Milliseconds that a test may take: endless attacks use all of it, on every test.
pub const TIMEOUT_MS: u64 = 20;

/// The kinds of tests.
pub const KINDS: [&str; 4] = ["call", "io", "script", "unittest"];

/// A program and what must become of it.
pub struct Attack {
    /// Name of its file.
    pub file: String,
    /// The idea.
    pub title: String,
    /// Verdicts by kind of test.
    pub verdicts: BTreeMap<&'static str, Outcome>,
    /// Time limit of its tests.
    pub timeout_ms: u64,
    /// Python.
    pub code: String,
}

/// All attacks, in the order of files and of programs in them.
pub fn read() -> Vec<Attack> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/attacks");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "py"));
    files.sort();
    files.iter().flat_map(|path| attacks(path)).collect()
}

fn attacks(path: &Path) -> Vec<Attack> {
    let file = path.file_name().unwrap().to_string_lossy().into_owned();
    let text = format!("\n{}", std::fs::read_to_string(path).unwrap());
    text.split("\n#### ").skip(1).map(|part| attack(&file, part)).collect()
}

fn attack(file: &str, part: &str) -> Attack {
    let (title, mut rest) = part.split_once('\n').unwrap_or((part, ""));
    let (mut verdicts, mut written, mut timeout_ms) = (BTreeMap::new(), false, TIMEOUT_MS);
    while let Some(line) = rest.strip_prefix("## ") {
        let (directive, after) = line.split_once('\n').unwrap_or((line, ""));
        rest = after;
        if directive == "expand" {
            written = true;
        } else if let Some(number) = directive.strip_suffix(" ms") {
            timeout_ms = number.parse().unwrap();
        } else {
            read_verdicts(directive, &mut verdicts)
                .unwrap_or_else(|| panic!("{file} `{title}`: cannot read `{directive}`"));
        }
    }
    assert!(!verdicts.is_empty(), "{file} `{title}`: no verdict");
    let body = rest.trim_end_matches('\n');
    let code = if written { expand(body) } else { format!("{body}\n") };
    Attack { file: file.into(), title: title.into(), verdicts, timeout_ms, code }
}

fn outcome(name: &str) -> Option<Outcome> {
    Outcome::ALL.into_iter().find(|outcome| outcome.name() == name)
}

fn read_verdicts(directive: &str, verdicts: &mut BTreeMap<&'static str, Outcome>) -> Option<()> {
    if let Some(all) = outcome(directive) {
        verdicts.extend(KINDS.map(|kind| (kind, all)));
        return Some(());
    }
    for pair in directive.split(", ") {
        let (kind, name) = pair.split_once(' ')?;
        verdicts.insert(KINDS.into_iter().find(|known| *known == kind)?, outcome(name)?);
    }
    Some(())
}

/// The header line that says these verdicts.
pub fn header(verdicts: &BTreeMap<&'static str, Outcome>) -> String {
    let pairs: Vec<String> = verdicts.iter().map(|(kind, outcome)| format!("{kind} {outcome}")).collect();
    match verdicts.values().next() {
        Some(first) if verdicts.len() == KINDS.len() && verdicts.values().all(|o| o == first) => format!("## {first}"),
        _ => format!("## {}", pairs.join(", ")),
    }
}

/// `⟦U+FEFF⟧` is that character; `⟦1000 × text⟧` is the text so many times, with ⏎ for a newline and # for the number of the copy.
fn expand(body: &str) -> String {
    let mut out = String::new();
    let mut parts = body.split('⟦');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (inside, after) = part.split_once('⟧').expect("a closing ⟧");
        if let Some(code) = inside.strip_prefix("U+") {
            out.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
        } else {
            let (count, text) = inside.split_once(" × ").expect("a count, ` × ` and a text");
            for number in 0..count.parse::<usize>().unwrap() {
                out.push_str(&text.replace('⏎', "\n").replace('#', &number.to_string()));
            }
        }
        out.push_str(after);
    }
    out
}

#[test]
fn programs_are_written_out() {
    assert_eq!(expand("a⟦U+41⟧⟦3 × x#⏎⟧b"), "aAx0\nx1\nx2\nb");
}
