//! What must hold of the report of an attack.

use novice_sandbox::{FeedbackLevel, INSTRUCTIONS_PER_MS, Outcome, Report};

use crate::corpus::Attack;
use crate::problems::Task;

/// What only the inside of the sandbox, or this machine, could have written.
const INSIDE: [&str; 10] = [
    "novice_guest",
    "novice_entry",
    "wit_world",
    "componentize",
    "wasmtime",
    "/rustc/",
    ".rs:",
    "cabi_",
    "examiner.py",
    "/proc/self",
];

/// Everything that is wrong with the report, in words.
pub fn check(attack: &Attack, kind: &str, task: &Task, report: &Report, expected: Outcome) -> Vec<String> {
    let mut wrong = Vec::new();
    if report.verdict != expected {
        wrong.push(format!("the verdict is {}, not {expected}", report.verdict));
    }
    wrong.extend(earns(report));
    // Tests, loading again after each, and the scripts' own time come on top of each other at worst.
    let most = (report.tests.len() as u64 * 3 + 2) * attack.timeout_ms * INSTRUCTIONS_PER_MS;
    if report.instructions > most {
        wrong.push(format!("it took {} instructions, more than {most}", report.instructions));
    }
    for text in texts(report) {
        wrong.extend(leaks(attack, kind, task, &text));
    }
    wrong
}

/// What it earns, in words.
pub fn earns(report: &Report) -> Option<String> {
    let earning = report.tests.iter().filter(|test| test.earned != 0.0 || test.outcome == Outcome::Passed);
    let names: Vec<&str> = earning.map(|test| test.name.as_str()).collect();
    (report.grade != 0.0 || !names.is_empty()).then(|| format!("it earns {} for {}", report.grade, names.join(", ")))
}

/// Everything of a report that anyone is shown.
fn texts(report: &Report) -> Vec<String> {
    let mut texts: Vec<String> =
        report.tests.iter().flat_map(|test| [&test.name, &test.message, &test.trace, &test.output]).cloned().collect();
    for level in [FeedbackLevel::None, FeedbackLevel::Summary, FeedbackLevel::Full] {
        texts.push(report.feedback(level));
    }
    texts.push(report.to_json(serde_json::json!(1), "task", FeedbackLevel::Full).to_string());
    texts
}

fn leaks(attack: &Attack, kind: &str, task: &Task, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let near = |at: usize| {
        let start = (0..=at.saturating_sub(60)).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text[start..].chars().take(200).collect::<String>()
    };
    for secret in &task.hidden {
        if let Some(at) = text.find(secret) {
            wrong.push(format!("a hidden answer is shown: {}", near(at)));
        }
    }
    for secret in &task.shown {
        let told =
            [format!("expected '{secret}'"), format!("(Expected: '{secret}')"), format!("expected output '{secret}'")];
        let rest = told.iter().fold(text.to_string(), |rest, words| rest.replace(words, ""));
        if rest.contains(secret) {
            wrong.push(format!("the answer is shown outside of what was expected: {rest}"));
        }
    }
    // What the program itself wrote down proves nothing.
    for word in INSIDE.into_iter().filter(|word| !attack.code.contains(word)) {
        if let Some(at) = text.find(word) {
            wrong.push(format!("`{word}` of the inside is shown: {}", near(at)));
        }
    }
    for word in of_this_machine().iter().filter(|word| !attack.code.contains(word.as_str())) {
        if let Some(at) = text.find(word.as_str()) {
            wrong.push(format!("`{word}` of this machine is shown: {}", near(at)));
        }
    }
    for (at, start) in text.match_indices("File \"") {
        let name = text[at + start.len()..].split('"').next().unwrap_or_default();
        if !["program.py", "test.py"].contains(&name) && !attack.code.contains("File") {
            wrong.push(format!("a frame of {name} is shown: {}", near(at)));
        }
    }
    if let Some(at) = text.find(|c: char| c.is_control() && !matches!(c, '\n' | '\t')) {
        wrong.push(format!("a control character is shown: {:?}", near(at)));
    }
    if text.chars().count() > 60_000 {
        wrong.push(format!("a text of {} characters is shown ({kind})", text.chars().count()));
    }
    wrong
}

/// Values of this process's environment and names of this machine that are long enough to tell.
fn of_this_machine() -> &'static [String] {
    static WORDS: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    WORDS.get_or_init(|| {
        let mut words: Vec<String> =
            std::env::vars().map(|(_, value)| value).filter(|v| v.len() >= 8 && v.contains('/')).collect();
        words.push(env!("CARGO_MANIFEST_DIR").into());
        for file in ["/etc/hostname", "/proc/version"] {
            words.extend(
                std::fs::read_to_string(file).map(|text| text.trim().to_string()).ok().filter(|text| text.len() >= 6),
            );
        }
        words
    })
}
