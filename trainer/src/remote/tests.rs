//! A remote policy against a server that fails in every way: what comes out is as if it never had.

use super::testing::{Act, Seen, Server, completion};
use super::{Beginning, Remote, Usage};
use crate::config::{DialogueSettings, Feedback, RemoteSettings, Run, Sampling};
use crate::error::Result;
use crate::model::Model;
use crate::model::testing::tiny;
use crate::rollout::{End, Rollout, Turn};
use crate::traces::Trajectory;
use crate::traces::testing::trajectory;
use crate::workshop::{Workshop, testing};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tch::{Device, Kind};

const RIGHT: &str = "```python\nx = 1\n```";
const WRONG: &str = "I try.\n```python\nx = 2\n```";

/// A workshop of one problem, `x = 1`, whose policies make up to three submissions.
fn workshop(change: impl FnOnce(&mut Run)) -> Workshop {
    let mut run = Run {
        dialogue: DialogueSettings { system_prompt: Some("Be new.".into()), ..Default::default() },
        ..Run::default()
    };
    run.evaluate.horizon = 3;
    change(&mut run);
    testing::workshop(&run, "Set x to one.")
}

fn students(n: usize) -> Vec<Trajectory> {
    (0..n).map(|i| trajectory(&format!("s{i}"), "p", &[("x = 0", 0.0), ("x = 5", 0.0), ("x = 1", 100.0)])).collect()
}

fn settings(server: &Server) -> RemoteSettings {
    RemoteSettings {
        name: "them".into(),
        base_url: server.base_url.clone(),
        model: "m".into(),
        timeout_s: 20.0,
        backoff_ms: 1,
        ..RemoteSettings::default()
    }
}

fn rolled(
    settings: &RemoteSettings,
    workshop: &Workshop,
    folder: &Path,
    students: &[Trajectory],
) -> (Result<Vec<Rollout>>, Usage) {
    let remote = Remote::open(settings, &workshop.run, folder).unwrap();
    let beginnings: Vec<Beginning> = students.iter().map(|trajectory| Beginning { trajectory, position: 1 }).collect();
    let rollouts = remote.run(workshop, &beginnings, &|_| {});
    (rollouts, remote.usage())
}

/// What is written of a rollout.
fn told(rollouts: &[Rollout]) -> Vec<String> {
    let turn = |t: &Turn| format!("{:?}", (&t.text, &t.program, t.grade(), &t.feedback, &t.tokens, &t.reply));
    let turns = |r: &Rollout| r.turns.iter().map(turn).collect::<Vec<_>>();
    rollouts.iter().map(|r| format!("{:?} {:?}", r.end, turns(r))).collect()
}

/// A model that answers by the seed alone: at each turn right one time in four.
fn by_seed(seen: &Seen) -> String {
    if seen.seed().is_multiple_of(4) { RIGHT.into() } else { format!("```python\nx = {}\n```", 2 + seen.seed() % 9) }
}

#[test]
fn the_loop_reads_as_a_model_of_the_run_would_and_ends_as_one() {
    let server = Server::start(|seen, _| {
        let turns = seen.body["messages"].as_array().unwrap().len();
        let last = seen.body["messages"][turns - 1]["content"].as_str().unwrap().to_string();
        let problem = seen.body["messages"][1]["content"].as_str().unwrap();
        match turns {
            4 if problem == "Set x to one." => Act::Say(WRONG.into(), "stop"),
            6 if last.contains("got 2") => Act::Say(RIGHT.into(), "stop"),
            _ => Act::Say("?".into(), "stop"),
        }
    });
    let (workshop, folder) = (workshop(|_| {}), tempfile::tempdir().unwrap());
    let students = students(1);
    let (rollouts, usage) = rolled(&settings(&server), &workshop, folder.path(), &students);
    let rollout = rollouts.unwrap().remove(0);
    assert_eq!(rollout.end, Some(End::Solved));
    assert_eq!(rollout.turns.iter().map(|t| t.grade()).collect::<Vec<_>>(), [0.0, 100.0]);
    assert_eq!(rollout.turns[0].program.as_deref(), Some("x = 2"));
    assert!(rollout.turns[0].tokens.len() > 5 && rollout.turns[0].log_probs.is_empty());
    let said: Vec<(String, String)> = (workshop.told(&students[0], 1, &rollout).unwrap().into_iter())
        .map(|(role, text)| (role.name().to_string(), text))
        .collect();
    let sent = server.seen();
    let messages: Vec<(String, String)> = (sent[1].body["messages"].as_array().unwrap().iter())
        .map(|m| (m["role"].as_str().unwrap().into(), m["content"].as_str().unwrap().into()))
        .collect();
    assert_eq!(messages, said[..6], "the second request holds all that was said until then");
    assert_eq!(sent[0].body["messages"].as_array().unwrap()[..], sent[1].body["messages"].as_array().unwrap()[..4]);
    assert_eq!((sent[0].body["model"].as_str(), sent[0].body["temperature"].as_f64()), (Some("m"), Some(0.0)));
    assert_ne!(sent[0].seed(), sent[1].seed());
    assert!(!sent[0].head.to_lowercase().contains("authorization"), "no key was named, none is sent");
    assert_eq!((usage.answers, usage.requests, usage.prompt_tokens, usage.completion_tokens), (2, 2, 200, 20));
}

#[test]
fn every_other_end() {
    for (text, finish, end, turns) in [
        ("no program", "stop", End::Malformed, 1),
        ("```python\nx = 1\n```", "length", End::OutOfTokens, 1),
        ("```python\nx = 1", "stop", End::Malformed, 1),
        (WRONG, "stop", End::OutOfTurns, 3),
        ("", "stop", End::GaveUp, 1),
    ] {
        let server = Server::start(move |_, _| Act::Say(text.into(), finish));
        let workshop = workshop(|run| run.dialogue.give_up = true);
        let folder = tempfile::tempdir().unwrap();
        let rollout = rolled(&settings(&server), &workshop, folder.path(), &students(1)).0.unwrap().remove(0);
        assert_eq!((rollout.end, rollout.turns.len(), server.seen().len()), (Some(end), turns, turns), "{text}");
    }
    // What has no room in the run's dialogue is not asked.
    let server = Server::start(|_, _| Act::Say(WRONG.into(), "stop"));
    let folder = tempfile::tempdir().unwrap();
    let small = workshop(|run| (run.dialogue.max_tokens, run.dialogue.reserve_tokens) = (64, 60));
    let rollout = rolled(&settings(&server), &small, folder.path(), &students(1)).0.unwrap().remove(0);
    assert_eq!((rollout.end, rollout.turns.len(), server.seen().len()), (Some(End::OutOfTokens), 0, 0));
}

#[test]
fn failures_leave_no_trace_in_the_results() {
    let (workshop, students) = (workshop(|_| {}), students(12));
    let calm = Server::start(|seen, _| Act::Say(by_seed(seen), "stop"));
    let folder = tempfile::tempdir().unwrap();
    let expected = rolled(&settings(&calm), &workshop, folder.path(), &students).0.unwrap();
    let turns: usize = expected.iter().map(|r| r.turns.len()).sum();
    assert_eq!(calm.seen().len(), turns);
    assert!(expected.iter().any(|r| r.end == Some(End::Solved)) && turns > 20);

    // Every turn fails once or twice, each in another way; answers come in another order.
    let body = |value: serde_json::Value| Act::Status(200, "", value.to_string());
    let modes: Mutex<BTreeMap<u64, usize>> = Mutex::default();
    let wild = Server::start(move |seen, before| {
        let mut modes = modes.lock().unwrap();
        let next = modes.len() % 14;
        let mode = *modes.entry(seen.seed()).or_insert(next);
        let text = by_seed(seen);
        let late = Act::Late(Duration::from_millis(seen.seed() % 40), text.clone());
        let past = "retry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
        match (before, mode) {
            (0, 0) => Act::Status(429, "", "slow down".into()),
            (0, 1) => Act::Status(429, "retry-after: 0\r\n", "slow down".into()),
            (0, 2) => Act::Status(503, past, "{}".into()),
            (0, 3) => Act::Status(500, "", String::new()),
            (0, 4) => Act::Status(408, "", String::new()),
            (0, 5) => Act::Late(Duration::from_millis(900), text),
            (0, 6) => Act::Status(200, "", "{\"choices\": [{\"mess".into()),
            (0, 7) => body(serde_json::json!({"choices": []})),
            (0, 8) => body(serde_json::json!({"choices": [{"message": {"role": "assistant"}}]})),
            (0, 9) => Act::Status(200, "", "<html>busy</html>".into()),
            (0, 10) => Act::Hang,
            (0, 11) => Act::Half,
            (0, 12) | (1, 0 | 3) => Act::Status(502, "", "{\"error\": {\"message\": \"bad gateway\"}}".into()),
            (1, 1 | 10) => Act::Half,
            (_, 13) => {
                let mut value = completion(&text, "stop");
                value.as_object_mut().unwrap().remove("usage");
                body(value)
            }
            _ => late,
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let settings = RemoteSettings { timeout_s: 0.6, max_concurrent: 5, ..settings(&wild) };
    let (found, usage) = rolled(&settings, &workshop, folder.path(), &students);
    assert_eq!(told(&found.unwrap()), told(&expected));
    assert_eq!((usage.answers, usage.from_journal), (turns as u64, 0));
    assert_eq!(usage.retries, usage.requests - turns as u64);
    assert!(usage.retries >= 13 && usage.uncounted >= 1, "every failure came up: {usage:?}");
    let mut asked: BTreeMap<u64, usize> = BTreeMap::new();
    wild.seen().iter().for_each(|seen| *asked.entry(seen.seed()).or_default() += 1);
    assert_eq!(asked.len(), turns, "each turn has a seed of its own");
}

#[test]
fn a_stopped_evaluation_asks_for_nothing_twice() {
    let (workshop, students, folder) = (workshop(|_| {}), students(8), tempfile::tempdir().unwrap());
    let count = std::sync::atomic::AtomicUsize::new(0);
    let ill = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let sick = ill.clone();
    // From the eleventh request on the server is down, until it is well again.
    let server = Server::start(move |seen, _| {
        let n = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let down = n >= 10 && sick.load(std::sync::atomic::Ordering::SeqCst);
        if down { Act::Status(500, "", "down".into()) } else { Act::Say(by_seed(seen), "stop") }
    });
    let settings = RemoteSettings { max_retries: 2, max_concurrent: 3, ..settings(&server) };
    let error = rolled(&settings, &workshop, folder.path(), &students).0.unwrap_err().to_string();
    assert!(error.contains("no answer after 3 requests") && error.contains("them.jsonl"), "{error}");
    let journal = folder.path().join("them.jsonl");
    let lines = |path: &Path| std::fs::read_to_string(path).unwrap().lines().count();
    assert_eq!(lines(&journal), 10);
    // As a process leaves it that was killed while it wrote.
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes.extend_from_slice(b"{\"key\": \"abc");
    std::fs::write(&journal, bytes).unwrap();

    ill.store(false, std::sync::atomic::Ordering::SeqCst);
    let first = server.seen().len();
    let (found, usage) = rolled(&settings, &workshop, folder.path(), &students);
    let found = found.unwrap();
    let turns: u64 = found.iter().map(|r| r.turns.len() as u64).sum();
    assert_eq!((usage.answers, usage.from_journal, usage.requests), (turns, 10, turns - 10));
    let again: Vec<u64> = server.seen()[first..].iter().map(Seen::seed).collect();
    let answered: Vec<u64> = server.seen()[..10].iter().map(Seen::seed).collect();
    assert!(again.iter().all(|seed| !answered.contains(seed)), "{again:?} {answered:?}");

    // As if it had never been stopped; and a third time nothing is asked at all.
    let calm = Server::start(|seen, _| Act::Say(by_seed(seen), "stop"));
    let other = tempfile::tempdir().unwrap();
    let whole = RemoteSettings { base_url: calm.base_url.clone(), ..settings.clone() };
    assert_eq!(told(&found), told(&rolled(&whole, &workshop, other.path(), &students).0.unwrap()));
    let (third, usage) = rolled(&settings, &workshop, folder.path(), &students);
    assert_eq!((told(&third.unwrap()), usage.requests, usage.from_journal), (told(&found), 0, turns));
    assert_eq!(usage.prompt_tokens, 100 * turns, "tokens are those of the whole evaluation");
}

#[test]
fn what_the_server_refuses_is_said_once_and_without_the_key() {
    // The path is there in every process of the tests and long enough to be a key.
    let variable = ("PATH", std::env::var("PATH").unwrap());
    for (status, words) in
        [(400, "extra"), (401, "check the key"), (403, "check the key"), (404, "base_url"), (302, "moved")]
    {
        let echo = variable.1.clone();
        let server = Server::start(move |_, _| {
            Act::Status(
                status,
                "location: http://127.0.0.1:1/\r\n",
                serde_json::json!({"error": {"message": format!("I do not know {echo}")}}).to_string(),
            )
        });
        let (workshop, folder) = (workshop(|_| {}), tempfile::tempdir().unwrap());
        let settings = RemoteSettings { key_env: Some(variable.0.into()), max_concurrent: 1, ..settings(&server) };
        let (error, usage) = rolled(&settings, &workshop, folder.path(), &students(5));
        let error = error.unwrap_err().to_string();
        for part in ["them", "(m at http://127.0.0.1:", &format!("status {status}"), "I do not know ***", words] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(!error.contains(&variable.1));
        assert_eq!((server.seen().len(), usage.requests), (1, 1), "never again");
        assert!(server.seen()[0].head.contains(&format!("Bearer {}", variable.1)));
        assert_eq!(std::fs::read_to_string(folder.path().join("them.jsonl")).unwrap(), "");
    }
    // The others do not wait for their turn, which would come in an hour.
    let server = Server::start(|_, _| Act::Status(400, "", String::new()));
    let (workshop, folder) = (workshop(|_| {}), tempfile::tempdir().unwrap());
    let (slow, begun) = (RemoteSettings { tokens_per_minute: 5, ..settings(&server) }, Instant::now());
    assert!(rolled(&slow, &workshop, folder.path(), &students(5)).0.unwrap_err().to_string().contains("status 400"));
    assert!(server.seen().len() == 1 && begun.elapsed() < Duration::from_secs(60));
    let server = Server::start(|_, _| Act::Say(RIGHT.into(), "stop"));
    let folder = tempfile::tempdir().unwrap();
    let unset = RemoteSettings { key_env: Some("NOVICE_NO_SUCH_KEY".into()), ..settings(&server) };
    let error = rolled(&unset, &workshop, folder.path(), &students(1)).0.unwrap_err();
    assert!(error.to_string().contains("NOVICE_NO_SUCH_KEY holds no key") && error.exit_code() == 2, "{error}");
    assert_eq!(server.seen().len(), 0);
}

#[test]
fn a_server_that_asks_for_time_gets_it_and_limits_are_kept() {
    let server = Server::start(|_, before| match before {
        0 => Act::Status(429, "retry-after: 0.4\r\n", String::new()),
        _ => Act::Say(RIGHT.into(), "stop"),
    });
    let (workshop, folder) = (workshop(|_| {}), tempfile::tempdir().unwrap());
    rolled(&settings(&server), &workshop, folder.path(), &students(1)).0.unwrap();
    let seen = server.seen();
    assert!(seen.len() == 2 && seen[1].at - seen[0].at >= Duration::from_millis(400));

    let server = Server::start(|_, _| Act::Say(RIGHT.into(), "stop"));
    // Twenty a second: four requests, though all may be open at once, take three twentieths of a second.
    let slow = RemoteSettings { requests_per_minute: 1200, ..settings(&server) };
    let (folder, begun) = (tempfile::tempdir().unwrap(), Instant::now());
    rolled(&slow, &workshop, folder.path(), &students(4)).0.unwrap();
    assert!(server.seen().iter().map(|seen| seen.at - begun).max().unwrap() >= Duration::from_millis(150));
}

#[test]
fn feedback_in_an_evaluation_changes_the_answers_to_the_policy_and_nothing_else() {
    let server = Server::start(|_, _| Act::Say(WRONG.into(), "stop"));
    let students = students(1);
    let messages = |feedback: Option<Feedback>| -> Vec<String> {
        let workshop = workshop(|run| (run.dialogue.feedback, run.evaluate.feedback) = (Feedback::None, feedback));
        let model = Model::init(tiny("qwen3", serde_json::json!({})), 1, Kind::Float, Device::Cpu).unwrap();
        assert_eq!(workshop.evaluation(&model).dialogue, &workshop.evaluated, "a model of the run is told the same");
        assert_eq!(workshop.classroom(&model, 3, 64, Sampling::GREEDY).dialogue, &workshop.dialogue);
        let folder = tempfile::tempdir().unwrap();
        let rollout = rolled(&settings(&server), &workshop, folder.path(), &students).0.unwrap().remove(0);
        let told = workshop.told(&students[0], 1, &rollout).unwrap();
        let start = workshop.start(&students[0], 1, Default::default()).unwrap().unwrap();
        assert!(workshop.renderer.tokenizer().decode(&start.prompt).unwrap().contains(&told[3].1));
        told.into_iter().map(|(_, text)| text).collect()
    };
    let (trained, none, full) = (messages(None), messages(Some(Feedback::None)), messages(Some(Feedback::Full)));
    assert_eq!(trained, none);
    assert_eq!(trained.len(), 10); // system, problem, one exchange, three of its own
    let differs: Vec<usize> = (0..10).filter(|i| none[*i] != full[*i]).collect();
    assert_eq!(differs, [5, 7, 9], "only what the grader says to the policy's own submissions");
    assert!(full[5].contains("0") && none[5] == none[3] && full[3] == none[3]);
}
