//! TensorBoard's page HParams: a row a session (one arm with one seed), its settings beside its numbers.
//!
//! The plugin reads messages (`tensorboard/plugins/hparams/{plugin_data,api}.proto`) from the metadata of summaries with reserved
//! tags: the experiment in the folder itself, the start and the end of each session in a folder of its own, whose scalars are the
//! numbers. The message types are not in `tensorboard-proto`, so the few fields are written by hand in the wire format.

use super::events::EventLog;
use super::summaries;
use crate::error::{Error, Result};
use protobuf::RepeatedField;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use tensorboard_proto::summary::{Summary, Summary_Value, SummaryMetadata, SummaryMetadata_PluginData};

/// One row of the page.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Its folder, relative; may have parts.
    pub folder: String,
    /// Sessions of one group are the seeds of one arm.
    pub group: String,
    /// Settings by name: text, numbers, true or false; anything else is shown as JSON.
    pub settings: Vec<(String, Value)>,
    /// Numbers by tag.
    pub numbers: Vec<(String, f64)>,
}

/// Writes the sessions' logs under `folder`, replacing what is there.
///
/// # Errors
/// [`Error::Io`].
pub fn write_sessions(folder: &Path, sessions: &[Session]) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(Error::io("remove", folder))?;
    }
    let mut log = EventLog::open(folder, None)?;
    log.add(reserved("_hparams_/experiment", message(2, &experiment(sessions))), 0)?;
    log.sync()?;
    for session in sessions {
        let mut log = EventLog::open(&folder.join(&session.folder), None)?;
        log.add(reserved("_hparams_/session_start_info", message(3, &start(session))), 0)?;
        for (tag, value) in session.numbers.iter().filter(|(_, value)| value.is_finite()) {
            log.add(summaries::scalar(tag, *value), 0)?;
        }
        // SessionEndInfo.status = STATUS_SUCCESS.
        log.add(reserved("_hparams_/session_end_info", message(4, &[0x08, 1])), 0)?;
        log.sync()?;
    }
    Ok(())
}

/// A summary that carries `content` for the plugin.
fn reserved(tag: &str, content: Vec<u8>) -> Summary {
    let mut plugin = SummaryMetadata_PluginData::new();
    plugin.set_plugin_name("hparams".into());
    plugin.set_content(content);
    let mut metadata = SummaryMetadata::new();
    metadata.set_plugin_data(plugin);
    let mut value = Summary_Value::new();
    value.set_tag(tag.into());
    value.set_metadata(metadata);
    let mut summary = Summary::new();
    summary.set_value(RepeatedField::from_vec(vec![value]));
    summary
}

/// `Experiment`: 4 the settings, 5 the numbers.
fn experiment(sessions: &[Session]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (name, value) in sessions.iter().flat_map(|s| &s.settings) {
        if !seen.insert(name) {
            continue;
        }
        // HParamInfo: 1 the name, 4 the type (1 text, 2 bool, 3 number), 5 the values. A name with values of several types is text.
        let kinds: BTreeSet<u8> = values(sessions, name).map(kind).collect();
        let kind_of_all = if kinds.len() == 1 { kind(value) } else { 1 };
        let mut different: Vec<&Value> = Vec::new();
        for value in values(sessions, name) {
            if !different.contains(&value) {
                different.push(value);
            }
        }
        let list: Vec<u8> = different.into_iter().flat_map(|value| message(1, &wrapped(value))).collect();
        let mut info = message(1, name.as_bytes());
        info.extend([0x20, kind_of_all]);
        info.extend(message(5, &list));
        out.extend(message(4, &info));
    }
    let mut tags: BTreeSet<&str> = BTreeSet::new();
    for (tag, _) in sessions.iter().flat_map(|s| &s.numbers) {
        if tags.insert(tag) {
            // MetricInfo: 1 MetricName (2 the tag).
            out.extend(message(5, &message(1, &message(2, tag.as_bytes()))));
        }
    }
    out
}

fn values<'a>(sessions: &'a [Session], name: &'a str) -> impl Iterator<Item = &'a Value> {
    sessions.iter().flat_map(|s| &s.settings).filter(move |(other, _)| other == name).map(|(_, value)| value)
}

/// `SessionStartInfo`: 1 the map of settings, 4 the group.
fn start(session: &Session) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in &session.settings {
        let entry = [message(1, name.as_bytes()), message(2, &wrapped(value))].concat();
        out.extend(message(1, &entry));
    }
    out.extend(message(4, session.group.as_bytes()));
    out
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Bool(_) => 2,
        Value::Number(_) => 3,
        _ => 1,
    }
}

/// `google.protobuf.Value`: 2 a number, 3 a text, 4 a truth value.
fn wrapped(value: &Value) -> Vec<u8> {
    match value {
        Value::Bool(truth) => vec![0x20, u8::from(*truth)],
        Value::Number(number) => {
            let mut out = vec![0x11];
            out.extend(number.as_f64().unwrap_or(f64::NAN).to_le_bytes());
            out
        }
        Value::String(text) => message(3, text.as_bytes()),
        other => message(3, other.to_string().as_bytes()),
    }
}

/// A field of bytes: its key, its length, its content.
fn message(field: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_format_by_hand() {
        assert_eq!(message(1, b"ab"), [0x0a, 2, b'a', b'b']);
        assert_eq!(message(2, &[7; 200])[..3], [0x12, 0xc8, 0x01]);
        assert_eq!(wrapped(&Value::from(1.0)), [0x11, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
        assert_eq!(wrapped(&Value::from(true)), [0x20, 1]);
        assert_eq!(wrapped(&serde_json::json!([1])), [0x1a, 3, b'[', b'1', b']']);
    }

    #[test]
    fn old_sessions_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("tensorboard");
        let session = |name: &str| Session {
            folder: name.into(),
            group: "g".into(),
            settings: vec![("dpo.beta".into(), Value::from(0.5))],
            numbers: vec![("solved".into(), 0.25)],
        };
        write_sessions(&at, &[session("a"), session("b")]).unwrap();
        write_sessions(&at, &[session("c")]).unwrap();
        assert!(at.join("c").is_dir() && !at.join("a").exists());
    }
}
