//! Ranges and combinations that the types cannot say.

use super::load::{Problem, problem};
use super::{Run, Source, StageName};
use crate::error::Result;

/// Everything that is out of range; empty when the run makes sense.
pub(super) fn check(run: &Run) -> Vec<Problem> {
    let mut found = Vec::new();
    let name_ok = run.name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c)) && !run.name.starts_with('.');
    if run.name.is_empty() || !name_ok {
        found.push(problem("", "name", "letters, digits, `-`, `_` and `.` are expected: it names a folder"));
    }
    if run.stages.iter().enumerate().any(|(i, s)| run.stages[..i].contains(s)) {
        found.push(problem("", "stages", "a stage can be run once"));
    }
    let mut at_least = |section: &str, key: &str, value: u64, least: u64| {
        if value < least {
            found.push(problem(section, key, format!("at least {least} is expected, found {value}")));
        }
    };
    at_least("", "pack_tokens", run.pack_tokens as u64, 64);
    at_least("data.synthetic", "students", run.data.synthetic.students as u64, 2);
    at_least("data.filters", "min_submissions", run.data.filters.min_submissions as u64, 1);
    at_least("dialogue", "max_tokens", run.dialogue.max_tokens as u64, 64);
    at_least("tokenizer", "train_vocab_size", run.tokenizer.train_vocab_size as u64, 300);
    at_least("sft", "batch_trajectories", run.sft.batch_trajectories as u64, 1);
    at_least("dpo", "batch_pairs", run.dpo.batch_pairs as u64, 1);
    at_least("dapo", "groups", run.dapo.groups as u64, 1);
    at_least("dapo", "group_size", run.dapo.group_size as u64, 2);
    at_least("dapo", "turns", run.dapo.turns as u64, 1);
    at_least("dapo", "max_new_tokens", run.dapo.max_new_tokens as u64, 8);
    at_least("dapo", "updates", run.dapo.updates as u64, 1);
    at_least("evaluate", "horizon", run.evaluate.horizon as u64, 1);
    at_least("evaluate", "max_new_tokens", run.evaluate.max_new_tokens as u64, 8);
    at_least("evaluate", "samples", run.evaluate.samples as u64, 1);
    at_least("evaluate", "resamples", run.evaluate.resamples as u64, 100);
    at_least("sandbox", "memory_mb", run.sandbox.memory_mb as u64, 64);
    at_least("sandbox", "timeout_ms", run.sandbox.timeout_ms, 1);
    for message in run.data.synthetic.problems() {
        found.push(problem("data", "synthetic", message));
    }
    let shape = &run.model.init;
    for (key, value) in [
        ("hidden_size", shape.hidden_size),
        ("intermediate_size", shape.intermediate_size),
        ("layers", shape.layers),
        ("heads", shape.heads),
        ("kv_heads", shape.kv_heads),
        ("head_dim", shape.head_dim),
    ] {
        if value < 1 {
            found.push(problem("model.init", key, format!("at least 1 is expected, found {value}")));
        }
    }
    if shape.kv_heads > 0 && shape.heads % shape.kv_heads != 0 {
        found.push(problem("model.init", "kv_heads", format!("a divisor of `heads` ({}) is expected", shape.heads)));
    }
    if shape.head_dim % 2 != 0 {
        found.push(problem("model.init", "head_dim", "an even number is expected: rotary positions turn pairs"));
    }
    if run.dialogue.reserve_tokens >= run.dialogue.max_tokens {
        found.push(problem("dialogue", "reserve_tokens", "less than `max_tokens` is expected"));
    }
    if run.dialogue.stop.iter().any(String::is_empty) {
        found.push(problem("dialogue", "stop", "texts are expected; the empty one would end every turn at once"));
    }
    if run.data.source == Source::Native && run.data.traces.is_none() {
        found.push(problem("data", "traces", "`source: native` needs a JSON-lines file: `traces: logs.jsonl`"));
    }
    let mut share = |section: &str, key: &str, value: f64, open: bool| {
        let inside = if open { (0.0..1.0).contains(&value) } else { (0.0..=1.0).contains(&value) };
        if !inside {
            let range = if open { "0 up to but not 1" } else { "0 to 1" };
            found.push(problem(section, key, format!("a share from {range} is expected, found {value}")));
        }
    };
    share("data.split", "held_out_students", run.data.split.held_out_students, true);
    share("data.split", "held_out_problems", run.data.split.held_out_problems, true);
    share("dapo", "clip_low", run.dapo.clip_low, true);
    share("dapo.keep", "low", run.dapo.keep.low, false);
    share("dapo.keep", "high", run.dapo.keep.high, false);
    share("evaluate", "confidence", run.evaluate.confidence, true);
    let mut not_negative = |section: &str, key: &str, value: f64| {
        if !(value >= 0.0 && value.is_finite()) {
            found.push(problem(section, key, format!("zero or more is expected, found {value}")));
        }
    };
    not_negative("dpo", "sft_weight", run.dpo.sft_weight);
    not_negative("dapo", "clip_high", run.dapo.clip_high);
    not_negative("dapo", "overlong_weight", run.dapo.overlong_weight);
    not_negative("dapo", "kl_weight", run.dapo.kl_weight);
    if !(run.dpo.beta > 0.0 && run.dpo.beta.is_finite()) {
        found.push(problem("dpo", "beta", format!("more than 0 is expected, found {}", run.dpo.beta)));
    }
    if !(0.0..0.5).contains(&run.dpo.label_smoothing) {
        let value = run.dpo.label_smoothing;
        found.push(problem("dpo", "label_smoothing", format!("0 up to but not 0.5 is expected, found {value}")));
    }
    if run.dpo.label_smoothing != 0.0 && !run.dpo.loss.smooths_labels() {
        let name = run.dpo.loss.as_str();
        found.push(problem("dpo", "label_smoothing", format!("0 is expected: `loss: {name}` has no such term")));
    }
    if !run.dpo.gamma.is_finite() {
        found.push(problem("dpo", "gamma", format!("a finite number is expected, found {}", run.dpo.gamma)));
    }
    if run.dapo.sampling.temperature == 0.0 {
        found.push(problem(
            "dapo.sampling",
            "temperature",
            "more than 0 is expected: greedy rollouts of a group are equal",
        ));
    }
    if run.dapo.keep.low > run.dapo.keep.high {
        found.push(problem("dapo.keep", "low", format!("at most `high` ({}) is expected", run.dapo.keep.high)));
    }
    if !(0.0..=100.0).contains(&run.data.filters.min_final_grade) {
        found.push(problem("data.filters", "min_final_grade", "a grade from 0 to 100 is expected"));
    }
    if run.stages.contains(&StageName::Dapo) && run.dapo.rewards.iter().all(|r| r.weight == 0.0) {
        found.push(problem("dapo", "rewards", "at least one reward with a weight is expected"));
    }
    for (i, reward) in run.dapo.rewards.iter().enumerate() {
        if !reward.weight.is_finite() {
            found.push(problem("dapo", &format!("rewards[{i}].weight"), "a finite number is expected"));
        }
    }
    let optimisers = [("sft", &run.sft.optimiser), ("dpo", &run.dpo.optimiser), ("dapo", &run.dapo.optimiser)];
    for (stage, settings) in optimisers {
        checked(&format!("{stage}.optimiser"), settings.check(), &mut found);
    }
    checked("dapo.sampling", run.dapo.sampling.check(), &mut found);
    checked("evaluate.sampling", run.evaluate.sampling.check(), &mut found);
    for (i, remote) in run.evaluate.remote.iter().enumerate() {
        let section = format!("evaluate.remote[{i}]");
        found.extend(remote.problems().into_iter().map(|(key, message)| problem(&section, key, message)));
        if let Some(sampling) = &remote.sampling {
            checked(&format!("{section}.sampling"), sampling.check(), &mut found);
        }
        let earlier = run.evaluate.remote.iter().take(i).map(|other| other.name.as_str());
        let own = ["base", "sft", "dpo", "dapo", "real_student"].into_iter();
        if earlier.chain(own).any(|other| other.eq_ignore_ascii_case(&remote.name)) {
            found.push(problem(&section, "name", "another policy has this name"));
        }
    }
    if run.model.adapter.is_some() && run.model.lora.is_some() {
        found.push(problem(
            "model",
            "adapter",
            "either `adapter` or `lora` is expected: the folder says what its adapters are",
        ));
    }
    if run.model.adapter.is_some() && run.model.path.is_none() {
        found.push(problem("model", "adapter", "adapters belong to a pretrained model: `path` is expected too"));
    }
    if let Some(lora) = &run.model.lora {
        checked("model", lora.check(), &mut found);
    }
    found
}

/// The files that a run reads and that are not there.
pub(super) fn files(run: &Run) -> Vec<Problem> {
    let traces = run.data.traces.as_deref().filter(|_| run.data.source == Source::Native);
    let named = [
        ("data", "course", Some(run.data.course.as_path()), "a course is expected: a YAML file or a folder"),
        ("data", "traces", traces, "submission logs are expected: a JSON-lines file"),
        (
            "tokenizer",
            "path",
            run.tokenizer.path.as_deref(),
            "a tokenizer.json is expected, or a folder that holds one",
        ),
        (
            "model",
            "path",
            run.model.path.as_deref(),
            "a model's folder is expected, as transformers' save_pretrained writes it",
        ),
    ];
    let missing = named.into_iter().filter_map(|(section, key, path, expected)| {
        let path = path.filter(|path| !path.exists())?;
        Some(problem(section, key, format!("{} does not exist; {expected}", path.display())))
    });
    missing.collect()
}

/// Adds what a room says of its own settings; its message begins with the field's name.
fn checked(section: &str, result: Result<()>, found: &mut Vec<Problem>) {
    if let Err(error) = result {
        let message = error.to_string();
        let field = message.split([' ', ':']).next().unwrap_or_default().to_string();
        found.push(problem(section, &field, message));
    }
}
