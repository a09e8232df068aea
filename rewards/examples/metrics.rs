//! Metrics of inputs that come as JSON lines; one line of numbers out for each.
//!
//!     cargo run --release -p novice-rewards --example metrics < inputs.jsonl
//!
//! | input | output |
//! |---|---|
//! | `{"reference", "candidate"}`, programs | `published` CodeBLEU and its four parts, `corrected`, `tokens` and `tree` similarity, `words` of both |
//! | `{"texts": […]}` | `self_bleu` |
//! | `{"warp": [[grade, …], [grade, …]]}` | `distance`, normalised |
//! | `{"p": […]}` | `holm` |
//! | `{"students": [[grade, …], …], "resamples", "seed"}` and perhaps `"others"` of the same shape | mean grade over all rollouts / 100: `value`, `low`, `high`, and beside others the difference and `p` |
//! | `{"solved": [[grade before, model, student], …]}` | the three statistics of solving at the next step |
//!
//! `tests/peers/metrics/` compares the output with public packages.

use novice_rewards::codebleu::{Form, codebleu};
use novice_rewards::curve::grade_warping;
use novice_rewards::metrics::diversity::{Memory, self_bleu};
use novice_rewards::metrics::interval::{Bootstrap, bootstrap, compare, holm};
use novice_rewards::metrics::statistics::{STATISTICS, Statistic};
use novice_rewards::metrics::tally::Tally;
use novice_rewards::python::{Word, words};
use novice_rewards::similarity::{edit_similarity, tree_similarity};
use novice_rewards::{RewardInput, Start, StepView};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{BufRead, Write};

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Pair { reference: String, candidate: String },
    Texts { texts: Vec<String> },
    Warp { warp: (Vec<f64>, Vec<f64>) },
    Holm { p: Vec<f64> },
    Students { students: Vec<Vec<f64>>, others: Option<Vec<Vec<f64>>>, resamples: usize, seed: u64 },
    Solved { solved: Vec<(f64, bool, bool)> },
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let input: Input = serde_json::from_str(&line?)?;
        writeln!(out, "{}", output(&input))?;
    }
    Ok(())
}

fn output(input: &Input) -> Value {
    match input {
        Input::Pair { reference, candidate } => {
            let published = codebleu(reference, candidate, Form::Published);
            json!({
                "published":
                    [published.total, published.ngrams, published.weighted, published.syntax, published.dataflow],
                "corrected": codebleu(reference, candidate, Form::Corrected).total,
                "tokens": edit_similarity(reference, candidate),
                "tree": tree_similarity(reference, candidate),
                "words": [spelt(reference), spelt(candidate)],
            })
        }
        Input::Texts { texts } => {
            json!({ "self_bleu": self_bleu(&texts.iter().map(String::as_str).collect::<Vec<_>>()) })
        }
        Input::Warp { warp: (ours, theirs) } => {
            // Every program another one: the gate against copies is open.
            let programs: Vec<String> = (0..ours.len()).map(|turn| format!("print({turn})")).collect();
            let rollout: Vec<StepView> =
                ours.iter().zip(&programs).map(|(grade, code)| StepView::ran(code, *grade)).collect();
            let student: Vec<StepView> = theirs.iter().map(|grade| StepView::ran("x", *grade)).collect();
            let input =
                RewardInput { start: None, rollout: &rollout, student: &student, max_turns: 0, max_new_tokens: 0 };
            json!({ "distance": 1.0 - grade_warping(&input) })
        }
        Input::Holm { p } => json!({ "holm": holm(p) }),
        Input::Students { students, others, resamples, seed } => {
            let options = Bootstrap { resamples: *resamples, confidence: 0.95, seed: *seed };
            let (ours, statistics) = (tallies(students), statistics(&["joint_grade_proximity"]));
            match others {
                None => json!(
                    bootstrap(&ours, &statistics, options)
                        .first()
                        .copied()
                        .flatten()
                        .map(|found| { json!({ "value": found.value, "low": found.low, "high": found.high }) })
                ),
                Some(others) => {
                    let found = compare(&ours, &tallies(others), &statistics, options).first().copied().flatten();
                    json!(found.map(|found| {
                        let interval = found.interval;
                        json!({ "value": interval.value, "low": interval.low, "high": interval.high, "p": found.p })
                    }))
                }
            }
        }
        Input::Solved { solved } => {
            let mut tally = Tally::new(1);
            for (before, model, student) in solved {
                let full = |solved: &bool| if *solved { 100.0 } else { 0.0 };
                observe(&mut tally, *before, full(model), full(student));
            }
            let names = ["solved_next_gap", "solved_next_calibration", "solved_next_discrimination"];
            json!(statistics(&names).iter().map(|statistic| (statistic.of)(&tally)).collect::<Vec<_>>())
        }
    }
}

fn statistics(names: &[&str]) -> Vec<Statistic> {
    STATISTICS.iter().copied().filter(|statistic| names.contains(&statistic.name)).collect()
}

/// The words of a program as strings; a line's mark cannot be a word of a program.
fn spelt(code: &str) -> Vec<String> {
    let spell = |word: &Word| match word {
        Word::Line(level) => format!("\n{level}"),
        Word::Text(text) => (*text).to_string(),
    };
    words(code).iter().map(spell).collect()
}

/// Counts one rollout of one submission beside a student's.
fn observe(tally: &mut Tally, before: f64, model: f64, student: f64) {
    let start = Some(Start { program: "x = 0", grade: before, passed: &[] });
    let (rollout, student) = ([StepView::ran("x = 1", model)], [StepView::ran("x = 1", student)]);
    let input = RewardInput { start, rollout: &rollout, student: &student, max_turns: 1, max_new_tokens: 0 };
    tally.observe(&input, &Memory::default(), &[]);
}

/// A tally a student: rollouts with these grades beside real submissions of 100.
fn tallies(students: &[Vec<f64>]) -> Vec<Tally> {
    let of = |grades: &Vec<f64>| {
        let mut tally = Tally::new(1);
        grades.iter().for_each(|grade| observe(&mut tally, 0.0, *grade, 100.0));
        tally
    };
    students.iter().map(of).collect()
}
