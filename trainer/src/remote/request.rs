//! The body of a request, and its name in the journal.
//!
//! The name is a hash of everything that the answer follows from: the address, the body (model, messages, sampling, seed, `extra`) and which
//! learner's which turn it is. Two learners that have come to the same conversation are two samples and are asked for apart.

use crate::config::{RemoteSettings, Sampling};
use crate::dialogue::Role;
use crate::random;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Which learner's which turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub student: String,
    pub problem: String,
    /// Real submissions before the rollout.
    pub start: usize,
    /// The rollout's number among those from the same start.
    pub sample: usize,
    /// The turn, from 0.
    pub turn: usize,
}

impl Identity {
    fn with<R>(&self, use_ids: impl FnOnce(&[&str]) -> R) -> R {
        let (start, sample, turn) = (self.start.to_string(), self.sample.to_string(), self.turn.to_string());
        use_ids(&[&self.student, &self.problem, &start, &sample, &turn])
    }

    /// The seed that is sent: 31 bits, since not every server takes more.
    pub fn seed(&self, seed: u64) -> u32 {
        (self.unit(seed, "remote seed", 0) * f64::from(1u32 << 31)) as u32
    }

    /// A number in 0..1 for the `n`-th time that something is drawn for `purpose`.
    pub fn unit(&self, seed: u64, purpose: &str, n: u32) -> f64 {
        self.with(|ids| random::unit(seed, purpose, &[ids, &[&n.to_string()]].concat()))
    }
}

/// The body for a conversation.
pub(super) fn body(
    settings: &RemoteSettings,
    messages: &[(Role, String)],
    sampling: Sampling,
    max_new_tokens: usize,
    seed: u32,
) -> Value {
    let said = messages.iter().map(|(role, text)| json!({"role": role.name(), "content": text}));
    let mut body = Map::new();
    body.insert("model".into(), settings.model.as_str().into());
    body.insert("messages".into(), said.collect());
    body.insert("temperature".into(), sampling.temperature.into());
    body.insert("top_p".into(), sampling.top_p.into());
    if sampling.top_k != 0 {
        body.insert("top_k".into(), sampling.top_k.into());
    }
    if sampling.min_p != 0.0 {
        body.insert("min_p".into(), sampling.min_p.into());
    }
    body.insert("max_tokens".into(), max_new_tokens.into());
    body.insert("seed".into(), seed.into());
    for (key, value) in &settings.extra {
        if value.is_null() {
            body.shift_remove(key);
        } else {
            body.insert(key.clone(), value.clone());
        }
    }
    Value::Object(body)
}

/// The name of a request in the journal.
pub(super) fn key(base_url: &str, body: &Value, identity: &Identity) -> String {
    let mut hasher = blake3::Hasher::new();
    let body = body.to_string();
    identity.with(|ids| {
        for part in [base_url, &body].into_iter().chain(ids.iter().copied()) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
    });
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity { student: "s".into(), problem: "p".into(), start: 1, sample: 0, turn: 0 }
    }

    #[test]
    fn a_body_reads_like_this() {
        let extra =
            [("reasoning_effort".into(), "low".into()), ("seed".into(), Value::Null), ("top_p".into(), 0.5.into())];
        let settings = RemoteSettings { model: "m".into(), extra: extra.into(), ..Default::default() };
        let sampling = Sampling { temperature: 0.5, top_k: 20, ..Sampling::default() };
        let messages = [(Role::System, "Be new.".to_string()), (Role::User, "Do \"it\".".to_string())];
        insta::assert_snapshot!(body(&settings, &messages, sampling, 64, 7), @r#"{"model":"m","messages":[{"role":"system","content":"Be new."},{"role":"user","content":"Do \"it\"."}],"temperature":0.5,"top_p":0.5,"top_k":20,"max_tokens":64,"reasoning_effort":"low"}"#);
        let plain = body(&RemoteSettings::default(), &messages, Sampling::GREEDY, 64, 7);
        assert_eq!((plain["seed"].as_u64(), plain.get("top_k"), plain.get("min_p")), (Some(7), None, None));
    }

    #[test]
    fn every_part_makes_another_name_and_another_seed() {
        let base = identity();
        let others = [
            Identity { student: "t".into(), ..identity() },
            Identity { problem: "q".into(), ..identity() },
            Identity { start: 2, ..identity() },
            Identity { sample: 1, ..identity() },
            Identity { turn: 1, ..identity() },
        ];
        let body = json!({"model": "m"});
        let mut names: Vec<String> = others.iter().map(|o| key("http://a", &body, o)).collect();
        names.extend([
            key("http://a", &body, &base),
            key("http://b", &body, &base),
            key("http://a", &json!({}), &base),
        ]);
        assert_eq!(key("http://a", &body, &base), key("http://a", &body, &identity()));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 8);
        let mut seeds: Vec<u32> = others.iter().map(|o| o.seed(7)).chain([base.seed(7), base.seed(8)]).collect();
        assert!(seeds.iter().all(|seed| *seed < 1 << 31));
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 7);
    }
}
