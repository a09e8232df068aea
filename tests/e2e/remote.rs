//! A prompted model behind an HTTP API, evaluated without any training: against a server on this machine that fails on purpose.

use super::{data, novice, text, with_course};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const KEY: &str = "sk-e2e-0123456789abcdef";

const RUN: &str = concat!(
    "seed: 3\nthreads: 1\n",
    data!(),
    r#"stages: []
dialogue: {max_tokens: 1024, reserve_tokens: 160}
tokenizer: {train_vocab_size: 400}
evaluate:
  horizon: 2
  max_trajectories: 3
  starts_per_trajectory: 1
  resamples: 200
  baselines: false
  remote:
    - {name: them, base_url: "URL", model: test-model, key_env: NOVICE_TEST_KEY, backoff_ms: 1, prompt_price: 1.5,
       completion_price: 6, max_concurrent: CONCURRENT, extra: {reasoning_effort: low}}
"#
);

/// The bodies that a server was sent, in the order in which they came.
type Bodies = Arc<Mutex<Vec<Value>>>;

/// A server that knows one key, refuses its first request and drops its second, and takes its time. With a certificate it
/// speaks TLS.
fn server(wait: Duration, tls: Option<Arc<ServerConfig>>) -> (String, Bodies) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://localhost:{}/v1", listener.local_addr().unwrap().port());
    let bodies = Bodies::default();
    let seen = bodies.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (seen, tls) = (seen.clone(), tls.clone());
            std::thread::spawn(move || match tls {
                Some(tls) => answer(StreamOwned::new(ServerConnection::new(tls).unwrap(), stream), &seen, wait),
                None => answer(stream, &seen, wait),
            });
        }
    });
    (url, bodies)
}

fn answer(stream: impl Read + Write, seen: &Bodies, wait: Duration) -> Option<()> {
    let (mut reader, mut head) = (BufReader::new(stream), String::new());
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body: Value = serde_json::from_slice(&body).unwrap();
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(body.clone());
        seen.len()
    };
    std::thread::sleep(wait);
    let content = format!("A program.\n```python\nprint({})\n```", body["seed"]);
    let completion = json!({
        "choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
    });
    let known = head.contains(&format!("authorization: bearer {KEY}"));
    let (status, body) = match number {
        _ if !known => (401, json!({"error": {"message": format!("wrong key in: {head}")}})),
        1 => (429, json!({"error": {"message": "later"}})),
        2 => return None,
        _ => (200, completion),
    };
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
    let stream = reader.get_mut();
    stream.write_all(format!("{head}retry-after: 0\r\n\r\n{body}").as_bytes()).ok()?;
    stream.flush().ok()
}

fn folder(url: &str, concurrent: usize) -> tempfile::TempDir {
    let run = RUN.replace("URL", url).replace("CONCURRENT", &concurrent.to_string());
    with_course(&[("tiny.yaml", &run)])
}

/// Every file below a folder must be free of the key.
fn no_key_in(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            no_key_in(&path);
        } else {
            assert!(!text(&fs::read(&path).unwrap()).contains(KEY), "{}", path.display());
        }
    }
}

fn turns(run: &Path) -> usize {
    let lines = fs::read_to_string(run.join("evaluation/rollouts.jsonl")).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["policy"] == "them").map(|line| line["turns"].as_array().unwrap().len()).sum()
}

#[test]
fn a_remote_model_without_any_training() {
    let (url, bodies) = server(Duration::ZERO, None);
    let folder = folder(&url, 8);
    let (at, run) = (folder.path(), folder.path().join("runs/tiny"));
    let dry = novice(at).args(["train", "tiny.yaml", "--dry-run"]).env("NOVICE_TEST_KEY", KEY).output().unwrap();
    assert!(dry.status.success() && !text(&dry.stderr).contains(KEY), "{}", text(&dry.stderr));

    let wrong = "sk-e2e-wrong-987654";
    let out = novice(at).args(["evaluate", "tiny.yaml"]).env("NOVICE_TEST_KEY", wrong).output().unwrap();
    let err = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{err}");
    for part in ["them (test-model at http://localhost:", "status 401", "wrong key in: ", "key_env"] {
        assert!(err.contains(part), "{part}: {err}");
    }
    assert!(!err.contains(wrong) && !err.contains("panicked"), "{err}");
    bodies.lock().unwrap().clear();

    let evaluate = || {
        let mut command = novice(at);
        command.args(["evaluate", "tiny.yaml", "-vv"]).env("RUST_LOG", "trace");
        command
    };
    let out = evaluate().env("NOVICE_TEST_KEY", KEY).output().unwrap();
    let (table, err) = (text(&out.stdout), text(&out.stderr));
    assert!(out.status.success(), "{err}");
    assert!(table.contains("| them ") && table.contains("| COPY "), "{table}");
    assert!(!table.contains(KEY) && !err.contains(KEY), "the key is in what was printed");
    no_key_in(&at.join("runs"));
    let (turns, asked) = (turns(&run), bodies.lock().unwrap().len());
    assert!(turns >= 3 && asked == turns + 2, "{turns} {asked}");
    assert!(bodies.lock().unwrap().iter().all(|b| b["reasoning_effort"] == "low" && b["model"] == "test-model"));
    let usage: Value =
        serde_json::from_slice(&fs::read(run.join("evaluation/remote/them.usage.json")).unwrap()).unwrap();
    assert_eq!((&usage["answers"], &usage["retries"]), (&json!(turns), &json!(2)));
    let cost = turns as f64 * (1000.0 * 1.5 + 100.0 * 6.0) / 1e6;
    assert!((usage["cost"].as_f64().unwrap() - cost).abs() < 1e-12 && err.contains("2 of them again"), "{usage} {err}");

    // Once more, without the key and without a request: the answers are there.
    let again = evaluate().env_remove("NOVICE_TEST_KEY").output().unwrap();
    assert_eq!((text(&again.stdout), bodies.lock().unwrap().len()), (table.clone(), asked));
    let only = novice(at).args(["evaluate", "runs/tiny", "--only", "them"]).output().unwrap();
    assert!(only.status.success() && !text(&only.stdout).contains("COPY"), "{}", text(&only.stderr));
    let nobody = novice(at).args(["evaluate", "runs/tiny", "--only", "nobody"]).output().unwrap();
    assert!(nobody.status.code() == Some(2) && text(&nobody.stderr).contains("them"), "{}", text(&nobody.stderr));
    let report = novice(at).args(["report", "runs/tiny"]).output().unwrap();
    assert!(report.status.success(), "{}", text(&report.stderr));

    // Another question is asked for.
    let warmer = ["evaluate", "tiny.yaml", "--set", "evaluate.sampling.temperature=0.5"];
    assert!(novice(at).args(warmer).env("NOVICE_TEST_KEY", KEY).output().unwrap().status.success());
    assert!(bodies.lock().unwrap().len() > asked);
}

#[test]
fn a_killed_evaluation_of_a_remote_model_goes_on() {
    let (url, whole) = server(Duration::ZERO, None);
    let other = folder(&url, 4);
    let out = novice(other.path()).args(["evaluate", "tiny.yaml"]).env("NOVICE_TEST_KEY", KEY).output().unwrap();
    assert!(out.status.success(), "{}", text(&out.stderr));
    let (table, turns) = (text(&out.stdout), turns(&other.path().join("runs/tiny")));
    assert_eq!(whole.lock().unwrap().len(), turns + 2);

    let (url, bodies) = server(Duration::from_millis(150), None);
    let killed = folder(&url, 1);
    let journal = killed.path().join("runs/tiny/evaluation/remote/them.jsonl");
    let answered = || fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
    let mut command = Command::new(env!("CARGO_BIN_EXE_novice"));
    command.current_dir(killed.path()).args(["evaluate", "tiny.yaml"]).env("NOVICE_TEST_KEY", KEY);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while answered() < 2 && child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = answered();
    assert!((2..turns).contains(&kept), "{kept} of {turns}");
    std::thread::sleep(Duration::from_millis(300));
    let before = bodies.lock().unwrap().len();
    let out = novice(killed.path()).args(["evaluate", "tiny.yaml"]).env("NOVICE_TEST_KEY", KEY).output().unwrap();
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert_eq!(text(&out.stdout), table, "as if it had not been killed, however many were asked at once");
    assert_eq!(bodies.lock().unwrap().len() - before, turns - kept, "what was answered is not asked again");
}

#[test]
fn a_server_with_a_certificate() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_string()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let (url, bodies) = server(Duration::ZERO, Some(Arc::new(config)));
    let folder = folder(&url, 2);
    let certificate = folder.path().join("certificate.pem");
    fs::write(&certificate, made.cert.pem()).unwrap();
    let evaluate = |change: &str| {
        let mut command = novice(folder.path());
        command.args(["evaluate", "tiny.yaml", "--set", change]).env("NOVICE_TEST_KEY", KEY);
        command
    };
    // Whom nobody vouches for is told nothing.
    let out = evaluate("evaluate.remote[0].max_retries=0").output().unwrap();
    let err = text(&out.stderr);
    assert!(out.status.code() == Some(1) && err.contains("certificate"), "{err}");
    assert_eq!(bodies.lock().unwrap().len(), 0);
    let out = evaluate("threads=1").env("SSL_CERT_FILE", &certificate).output().unwrap();
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert_eq!(bodies.lock().unwrap().len(), turns(&folder.path().join("runs/tiny")) + 2);
}
