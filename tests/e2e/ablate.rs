//! Ablations: planned, killed, resumed, with an arm that fails.

use super::{data, novice, repository, shown, text, with_course};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const BASE: &str = concat!(
    "seed: 3\nthreads: 1\n",
    data!(),
    r#"stages: [sft, dpo]
dialogue: {system_prompt: "", max_tokens: 640, reserve_tokens: 160}
tokenizer: {train_vocab_size: 400}
model:
  init: {hidden_size: 32, intermediate_size: 64, layers: 2, heads: 2, kv_heads: 1, head_dim: 16}
sft: {epochs: 1, batch_trajectories: 4, eval_every: 0}
dpo: {batch_pairs: 8}
evaluate: {horizon: 2, max_trajectories: 3, starts_per_trajectory: 1, max_new_tokens: 32, resamples: 200}
monitor: {checkpoint_every: 1, samples: 0, tensorboard: false}
"#
);

fn folder(matrix: &str) -> tempfile::TempDir {
    with_course(&[("base.yaml", BASE), ("m.yaml", matrix)])
}

/// The tables, which must not depend on how often the ablation was stopped.
fn tables(folder: &Path) -> Vec<String> {
    let read = |name: &&str| fs::read_to_string(folder.join("runs/ablations/m").join(name)).unwrap();
    ["table.md", "table.csv", "table.tex", "table.json"].iter().map(read).collect()
}

fn finished(folder: &Path) -> usize {
    let units = fs::read_dir(folder.join("runs/ablations/m/units"));
    let ended = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().path().extension().is_some_and(|e| e == "done");
    units.map_or(0, |units| units.map(ended).filter(|yes| *yes).count())
}

/// Kills an ablation twice, as soon as more units are done than before, and compares it with one that was not killed.
fn killed_twice(matrix: &str, units: usize) {
    let whole = folder(matrix);
    let out = novice(whole.path()).args(["ablate", "m.yaml"]).output().unwrap();
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert_eq!(finished(whole.path()), units);
    let killed = folder(matrix);
    for stop in [1, units / 2] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_novice"));
        command.current_dir(killed.path()).args(["ablate", "m.yaml"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(300);
        while finished(killed.path()) < stop && child.try_wait().unwrap().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let before = finished(killed.path());
    assert!((1..units).contains(&before));
    let out = novice(killed.path()).args(["ablate", "m.yaml"]).output().unwrap();
    assert!(out.status.success(), "{}", text(&out.stderr));
    // One line of progress for each unit that was run this time: nothing that was done is done again.
    assert_eq!(text(&out.stderr).matches(" done: ").count(), units - before, "{}", text(&out.stderr));
    assert_eq!(tables(whole.path()), tables(killed.path()));
    // Nothing is left to do, and the table stays.
    let again = novice(killed.path()).args(["ablate", "m.yaml", "--jobs", "2"]).output().unwrap();
    assert_eq!(text(&again.stderr).matches(" done: ").count(), 0);
    assert_eq!(tables(whole.path()), tables(killed.path()));
    let events = killed.path().join("runs/ablations/m/tensorboard/arm-01/seed-1");
    assert_eq!(fs::read_dir(events).unwrap().count(), 1);
    // Its report shows the rollouts of every arm under the arm's name.
    let out = novice(killed.path()).args(["report", "runs/ablations/m"]).output().unwrap();
    assert!(out.status.success(), "{}", text(&out.stderr));
    let table: Value = serde_json::from_str(&tables(killed.path())[3]).unwrap();
    let arms: BTreeSet<&str> =
        table["arms"].as_array().unwrap().iter().filter_map(|arm| arm["name"].as_str()).collect();
    let page = shown(&killed.path().join("runs/ablations/m/report.html"));
    let rollouts = page["runs"][0]["rollouts"].as_array().unwrap();
    assert_eq!(rollouts.iter().filter_map(|rollout| rollout["policy"].as_str()).collect::<BTreeSet<&str>>(), arms);
}

#[test]
fn a_killed_ablation_ends_with_the_same_table() {
    // One SFT for both arms: an SFT, two DPO, two evaluations; and a model to begin with for two evaluations of scripts.
    killed_twice("base: base.yaml\nseeds: [1]\naxes: {dpo.beta: [0.1, 1.0]}\nbaselines: [COPY, ORACLE]\n", 8);
}

#[test]
#[ignore = "minutes: 2 × 2 arms × 3 seeds"]
fn a_killed_matrix_of_four_arms_and_three_seeds_ends_with_the_same_table() {
    // A seed: two SFT, four DPO, four evaluations.
    let matrix = "base: base.yaml\nseeds: [1, 2, 3]\naxes: {dialogue.feedback: [none, full], dpo.beta: [0.1, 1.0]}\n";
    killed_twice(matrix, 30);
}

#[test]
fn a_failed_arm_is_reported_and_the_others_go_on() {
    // What the broken arm begins with is a folder without a model, which is found out when its evaluation opens it.
    let matrix = "base: base.yaml\nseeds: [1]\narms:\n  plain: {stages: []}\n  broken: {stages: [], model.path: empty}\nbaselines: [COPY]\n";
    let folder = folder(matrix);
    fs::create_dir(folder.path().join("empty")).unwrap();
    let out = novice(folder.path()).args(["ablate", "m.yaml", "--jobs", "2"]).output().unwrap();
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains("1 of 3 arms and seeds failed"), "{said}");
    let table = text(&out.stdout);
    assert!(
        table.contains("| plain") && table.contains("| COPY") && table.contains("failed: broken seed 1"),
        "{table}"
    );
}

#[test]
fn ready_matrices_can_be_planned() {
    let mut seen = 0;
    for entry in fs::read_dir(repository("configs/ablations")).unwrap() {
        let path = entry.unwrap().path();
        let empty = tempfile::tempdir().unwrap();
        let mut command = novice(empty.path());
        command.args(["ablate", "--plan"]).arg(&path);
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("newcaledonia")) {
            // Whose data lie elsewhere: any two files will do for a plan.
            let file = repository("configs/demo/course.yaml");
            let set = ["course", "traces"].map(|field| format!("--set=data.{field}={}", file.display()));
            command.args(set);
        }
        let out = command.output().unwrap();
        assert!(out.status.success(), "{}: {}", path.display(), text(&out.stderr));
        let plan = text(&out.stdout);
        let last = plan.lines().last().unwrap().to_string();
        let number = |before: &str| -> usize {
            let at = last.find(before).unwrap();
            last[..at].split([' ', '(']).rfind(|word| !word.is_empty()).unwrap().parse().unwrap()
        };
        let (trained, unshared) = (number(" stages to train"), number(" if none were shared"));
        assert!(trained <= unshared && number(" evaluations") > 1, "{plan}");
        assert_eq!(plan.lines().count(), trained + number(" evaluations") + 1, "{plan}");
        assert!(fs::read_dir(empty.path()).unwrap().next().is_none(), "a plan writes nothing");
        seen += 1;
    }
    assert!(seen >= 8);
}
