//! Ranges and combinations that the types cannot say.

use super::load::{Problem, problem};
use super::{Run, Source, StageName};
use crate::optimiser::OptimiserSettings;

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
    let mut not_negative = |section: &str, key: &str, value: f64| {
        if !(value >= 0.0 && value.is_finite()) {
            found.push(problem(section, key, format!("zero or more is expected, found {value}")));
        }
    };
    not_negative("dpo", "beta", run.dpo.beta);
    not_negative("dpo", "sft_weight", run.dpo.sft_weight);
    not_negative("dapo", "clip_high", run.dapo.clip_high);
    not_negative("dapo", "overlong_weight", run.dapo.overlong_weight);
    not_negative("dapo.sampling", "temperature", run.dapo.sampling.temperature);
    not_negative("evaluate.sampling", "temperature", run.evaluate.sampling.temperature);
    if run.dapo.sampling.temperature == 0.0 {
        found.push(problem("dapo.sampling", "temperature", "more than 0 is expected: greedy rollouts of a group are equal"));
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
    for (section, settings) in
        [("sft.optimiser", &run.sft.optimiser), ("dpo.optimiser", &run.dpo.optimiser), ("dapo.optimiser", &run.dapo.optimiser)]
    {
        optimiser(section, settings, &mut found);
    }
    found
}

fn optimiser(section: &str, settings: &OptimiserSettings, found: &mut Vec<Problem>) {
    let mut expect = |ok: bool, key: &str, expected: &str, value: f64| {
        if !ok {
            found.push(problem(section, key, format!("{expected} is expected, found {value}")));
        }
    };
    let s = settings;
    expect(s.learning_rate > 0.0 && s.learning_rate < 1.0, "learning_rate", "more than 0 and less than 1", s.learning_rate);
    expect((0.0..=1.0).contains(&s.warmup_ratio), "warmup_ratio", "a share from 0 to 1", s.warmup_ratio);
    expect(s.weight_decay >= 0.0, "weight_decay", "zero or more", s.weight_decay);
    expect(s.max_grad_norm >= 0.0, "max_grad_norm", "zero (no clipping) or more", s.max_grad_norm);
}
