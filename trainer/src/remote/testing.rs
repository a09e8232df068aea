//! A server for tests, on a port of its own: it speaks enough HTTP/1.1 for one request a connection, and misbehaves on purpose.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What a server does with a request.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// A completion with this text that ended so.
    Say(String, &'static str),
    /// The text after a while.
    Late(Duration, String),
    /// A status, further header lines, a body.
    Status(u16, &'static str, String),
    /// Closes the connection before a byte is sent.
    Hang,
    /// Closes it in the middle of the body.
    Half,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub head: String,
    pub body: Value,
    pub at: Instant,
}

impl Seen {
    /// What names a turn: its seed.
    pub fn seed(&self) -> u64 {
        self.body["seed"].as_u64().unwrap()
    }
}

/// A server that is there as long as the process.
pub(super) struct Server {
    pub base_url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// A completion.
pub(super) fn completion(text: &str, finish: &str) -> Value {
    json!({
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10},
    })
}

impl Server {
    /// `act` is told the request and how many had the same seed before it.
    pub fn start(act: impl Fn(&Seen, usize) -> Act + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (seen, act) = (Arc::new(Mutex::new(Vec::<Seen>::new())), Arc::new(act));
        let all = seen.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, act) = (all.clone(), act.clone());
                thread::spawn(move || {
                    let Some(request) = read(&stream) else { return };
                    let before = {
                        let mut all = all.lock().unwrap();
                        let before = all.iter().filter(|other| other.seed() == request.seed()).count();
                        all.push(request.clone());
                        before
                    };
                    reply(stream, act(&request, before));
                });
            }
        });
        Server { base_url, seen }
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Option<Seen> {
    let (mut reader, mut head) = (BufReader::new(stream), String::new());
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { head, body: serde_json::from_slice(&body).ok()?, at: Instant::now() })
}

fn reply(mut stream: TcpStream, act: Act) {
    let (status, headers, body, sent) = match act {
        Act::Hang => return,
        Act::Say(text, finish) => (200, "", completion(&text, finish).to_string(), 1.0),
        Act::Late(wait, text) => {
            thread::sleep(wait);
            (200, "", completion(&text, "stop").to_string(), 1.0)
        }
        Act::Status(status, headers, body) => (status, headers, body, 1.0),
        Act::Half => (200, "", completion("```python\nx = 1\n```", "stop").to_string(), 0.5),
    };
    let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n", body.len());
    let part = (body.len() as f64 * sent) as usize;
    // The client may be gone: that is what is tested.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body.as_bytes()[..part]));
}
