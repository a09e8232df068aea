//! A whole run, small: train, resume after a kill, evaluate, simulate, traces.

use super::{data, novice, shown, text, with_course};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const RUN: &str = concat!(
    "seed: 3\nthreads: 2\n",
    data!(),
    r#"dialogue: {system_prompt: "", max_tokens: 640, reserve_tokens: 160}
tokenizer: {train_vocab_size: 400}
model:
  init: {hidden_size: 32, intermediate_size: 64, layers: 2, heads: 2, kv_heads: 1, head_dim: 16}
sft: {epochs: 3, batch_trajectories: 4, eval_every: 3, optimiser: {learning_rate: 3.0e-3}}
dpo: {batch_pairs: 4}
dapo: {steps: 4, groups: 2, group_size: 4, turns: 2, max_new_tokens: 48, resample_rounds: 1}
evaluate: {horizon: 2, max_trajectories: 3, starts_per_trajectory: 1, max_new_tokens: 48}
monitor: {checkpoint_every: 1, samples: 1, samples_every: 2}
"#
);

fn folder(config: &str) -> tempfile::TempDir {
    with_course(&[("tiny.yaml", config)])
}

fn succeed(folder: &Path, args: &[&str]) -> String {
    let out = novice(folder).args(args).output().unwrap();
    assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
    text(&out.stdout)
}

/// Files of a finished run that must not depend on how often it was stopped.
fn bytes(run: &Path) -> Vec<(String, blake3::Hash)> {
    let files = [
        "metrics.jsonl",
        "rollouts.jsonl",
        "rollouts/000001.jsonl",
        "rollouts/000002.jsonl",
        "models/sft/model.safetensors",
        "models/dpo/model.safetensors",
        "models/dapo/model.safetensors",
        "models/dapo/tokenizer.json",
    ];
    files
        .iter()
        .map(|f| (f.to_string(), blake3::hash(&fs::read(run.join(f)).unwrap_or_else(|e| panic!("{f}: {e}")))))
        .collect()
}

#[test]
fn a_run_from_logs_to_a_table() {
    let folder = folder(RUN);
    let at = folder.path();
    succeed(at, &["train", "tiny.yaml", "--dry-run"]);
    assert!(!at.join("runs").exists(), "a dry run wrote something");
    succeed(at, &["train", "tiny.yaml"]);
    let run = at.join("runs/tiny");
    let metrics: Vec<Value> = fs::read_to_string(run.join("metrics.jsonl"))
        .unwrap()
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let losses: Vec<f64> =
        metrics.iter().filter(|m| m["stage"] == "sft").filter_map(|m| m["held_out/loss"].as_f64()).collect();
    assert!(losses.len() >= 2 && losses.last() < losses.first(), "{losses:?}");
    let first_dpo = metrics.iter().find(|m| m["stage"] == "dpo" && m["loss"].is_f64()).unwrap();
    assert!((first_dpo["loss"].as_f64().unwrap() - std::f64::consts::LN_2).abs() < 1e-3, "{first_dpo}");
    let gaps: Vec<f64> = metrics.iter().filter_map(|m| m["log_prob_gap"].as_f64()).collect();
    assert!(gaps.iter().all(|g| *g < 1e-5), "drawn and recomputed log-probs differ: {gaps:?}");

    // Every rollout token by token, in the order of the text file.
    let lines = |path: &str| -> Vec<Value> {
        let text = fs::read_to_string(run.join(path)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (all, first) = (lines("rollouts.jsonl"), lines("rollouts/000001.jsonl"));
    assert!(!first.is_empty());
    for (told, line) in all.iter().filter(|line| line["step"] == 1).zip(&first) {
        for key in ["step", "student", "start", "sample", "reward", "rewards", "turns"] {
            assert_eq!(told[key], line[key], "{key}");
        }
        let list = |key: &str| line[key].as_array().unwrap_or_else(|| panic!("{key}")).clone();
        let log_probs = list("log_probs");
        for key in ["ids", "tokens", "mask", "advantages"] {
            assert_eq!(list(key).len(), log_probs.len(), "{key}");
        }
        let drawn: u64 = list("turns").iter().map(|turn| turn["tokens"].as_u64().unwrap()).sum();
        assert_eq!(log_probs.iter().filter(|p| p.is_f64()).count() as u64, drawn);
        assert!(log_probs.iter().filter_map(Value::as_f64).all(|p| p <= 0.0));
        assert!(
            log_probs.iter().zip(list("mask")).all(|(p, mask)| p.is_f64() || mask == 0),
            "what was told is no target"
        );
    }
    let replay = ["rewards", "replay", "runs/tiny", "--rollouts", "runs/tiny/rollouts/000001.jsonl"];
    assert!(succeed(at, &replay).contains('|'));

    // The name is taken now.
    let again = novice(at).args(["train", "tiny.yaml"]).output().unwrap();
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("--resume"));

    let table = succeed(at, &["evaluate", "runs/tiny"]);
    for policy in ["COPY", "BASE", "SFT", "DPO", "DAPO"] {
        assert!(table.contains(&format!("| {policy} ")), "{table}");
    }
    let copy = table.lines().find(|l| l.starts_with("| COPY")).unwrap();
    assert!(copy.contains("1.000"), "copying covers every step: {copy}");
    let oracle = table.lines().find(|l| l.starts_with("| ORACLE")).unwrap();
    assert!(oracle.contains(" 1.000 [1.000, 1.000]"), "a student is like himself: {oracle}");
    for kind in ["csv", "tex", "json"] {
        assert!(run.join("evaluation/table").with_extension(kind).exists());
    }
    let replayed =
        succeed(at, &["rewards", "replay", "runs/tiny", "--set", "dapo.rewards=[{name: ending, weight: 1.0}]"]);
    assert!(replayed.lines().filter(|l| l.starts_with('|')).count() > 2, "{replayed}");

    succeed(at, &["report", "runs/tiny", "--rollouts", "20"]);
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    let held = &shown(&run.join("report.html"))["runs"][0];
    assert_eq!(held["rollouts"].as_array().unwrap().len(), 20);
    assert!(held["students"][0]["steps"][0]["code"].is_string(), "the student's own programs are there");
    for wanted in ["joint grade proximity", "SFT: held-out loss", "DAPO: entropy", "Grade progression", "real students"]
    {
        assert!(page.contains(wanted), "{wanted} is missing");
    }
    let refused = novice(at).args(["report", "runs"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("not the folder of a run"));

    // Adapters on what was trained, and more training of those adapters.
    let on_sft = ["train", "tiny.yaml", "--set", "model.path=runs/tiny/models/sft"];
    let adapters = ["name=second", "model.lora={rank: 2}", "model.recompute=true", "stages=[dpo]", "dpo.loss=ipo"];
    let again = ["name=third", "model.adapter=runs/second/models/dpo/adapter", "stages=[sft]", "sft.epochs=1"];
    for (settings, stage) in [(adapters.as_slice(), "dpo"), (again.as_slice(), "sft")] {
        let sets = settings.iter().flat_map(|s| ["--set", *s]);
        succeed(at, &on_sft.into_iter().chain(sets).collect::<Vec<_>>());
        let name = settings[0].trim_start_matches("name=");
        let saved = at.join("runs").join(name).join("models").join(stage).join("adapter");
        let config: Value = serde_json::from_slice(&fs::read(saved.join("adapter_config.json")).unwrap()).unwrap();
        assert_eq!((&config["r"], &config["peft_type"]), (&Value::from(2), &Value::from("LORA")));
        assert!(saved.join("adapter_model.safetensors").exists());
    }

    let watched = succeed(at, &["simulate", "runs/tiny", "--problem", "total", "-n", "2"]);
    assert!(watched.contains("learner 2 of 2"), "{watched}");
    let statistics = succeed(at, &["traces", "tiny.yaml"]);
    assert!(statistics.contains("submissions"), "{statistics}");
}

#[test]
fn a_killed_run_ends_with_the_same_bytes() {
    // The audit says nothing new here and takes its time.
    let run = RUN.replace("dapo: {", "dapo: {audit: false, ");
    let whole = folder(&run);
    succeed(whole.path(), &["train", "tiny.yaml"]);
    let killed = folder(&run);
    let start = |args: &[&str]| -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_novice"));
        command.current_dir(killed.path()).args(["train", "tiny.yaml"]).args(args);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    // Killed in each stage, as soon as its first checkpoint is there.
    for (i, checkpoint) in ["sft-1", "dpo-1", "dapo-2"].iter().enumerate() {
        let mut child = start(if i == 0 { &[] } else { &["--resume"] });
        let path = killed.path().join("runs/tiny/checkpoints").join(checkpoint);
        let deadline = Instant::now() + Duration::from_secs(240);
        while !path.exists() && child.try_wait().unwrap().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    succeed(killed.path(), &["train", "tiny.yaml", "--resume"]);
    let (a, b) = (bytes(&whole.path().join("runs/tiny")), bytes(&killed.path().join("runs/tiny")));
    assert_eq!(a, b);
}
