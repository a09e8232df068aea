//! YAML with locations: the document as plain data beside the line on which each of its fields stands.
//!
//! The typed configuration is read from the plain data, after `--set` has changed it; an error's path is looked up here.

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::fmt;

/// A parsed document.
#[derive(Debug, Clone)]
pub(super) struct Located {
    /// The document.
    pub value: Value,
    /// Dotted path of every field (`dapo.rewards[0].name`) → 1-based line.
    lines: BTreeMap<String, u64>,
}

impl Located {
    /// Parses YAML; duplicate keys are refused.
    ///
    /// # Errors
    /// The parser's message, with line and column.
    pub fn parse(text: &str) -> Result<Self, String> {
        let root: Option<Spanned<Node>> = serde_saphyr::from_str(text).map_err(|e| e.to_string())?;
        let mut lines = BTreeMap::new();
        let value = match root {
            Some(node) => node.value.into_value("", &mut lines),
            None => Value::Object(Map::new()),
        };
        Ok(Located { value, lines })
    }

    /// The line of a field, or of the nearest field around it that the document has.
    pub fn line(&self, path: &str) -> Option<u64> {
        let mut path = path;
        loop {
            if let Some(&line) = self.lines.get(path) {
                return Some(line);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}

enum Node {
    Scalar(Value),
    List(Vec<Spanned<Node>>),
    Fields(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl Node {
    fn into_value(self, path: &str, lines: &mut BTreeMap<String, u64>) -> Value {
        match self {
            Node::Scalar(value) => value,
            Node::List(items) => {
                let items = items.into_iter().enumerate().map(|(i, item)| {
                    let path = format!("{path}[{i}]");
                    lines.insert(path.clone(), item.referenced.line());
                    item.value.into_value(&path, lines)
                });
                Value::Array(items.collect())
            }
            Node::Fields(fields) => {
                let fields = fields.into_iter().map(|(key, value)| {
                    let path = join(path, &key.value);
                    lines.insert(path.clone(), key.referenced.line());
                    (key.value, value.value.into_value(&path, lines))
                });
                Value::Object(fields.collect())
            }
        }
    }
}

/// `a.b` from `a` and `b`.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Node;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a YAML value")
            }
            fn visit_bool<E: de::Error>(self, v: bool) -> Result<Node, E> {
                Ok(Node::Scalar(v.into()))
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Node, E> {
                Ok(Node::Scalar(v.into()))
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Node, E> {
                Ok(Node::Scalar(v.into()))
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<Node, E> {
                serde_json::Number::from_f64(v)
                    .map(|n| Node::Scalar(Value::Number(n)))
                    .ok_or_else(|| E::custom("a finite number is expected"))
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Node, E> {
                Ok(Node::Scalar(v.into()))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
                Ok(Node::Scalar(Value::Null))
            }
            fn visit_none<E: de::Error>(self) -> Result<Node, E> {
                Ok(Node::Scalar(Value::Null))
            }
            fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Node, D::Error> {
                Node::deserialize(d)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Node::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Node::Fields(fields))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_knows_its_line() {
        let doc = Located::parse("seed: 7\ndata:\n  # a comment\n  course: x.yaml\nlist:\n  - name: a\n  - name: b\n")
            .unwrap();
        assert_eq!(doc.value["data"]["course"], "x.yaml");
        assert_eq!(doc.line("seed"), Some(1));
        assert_eq!(doc.line("data.course"), Some(4));
        assert_eq!(doc.line("list[1].name"), Some(7));
        assert_eq!(doc.line("data.missing"), Some(2));
        assert_eq!(doc.line("missing"), None);
    }

    #[test]
    fn numbers_and_texts_keep_their_kinds() {
        let doc = Located::parse("a: 1\nb: 1.5\nc: 1e-5\nd: '1'\ne: null\nf: true\n").unwrap();
        assert_eq!(doc.value, serde_json::json!({"a": 1, "b": 1.5, "c": 1e-5, "d": "1", "e": null, "f": true}));
    }

    #[test]
    fn duplicate_keys_and_broken_yaml_are_refused() {
        assert!(Located::parse("a: 1\na: 2\n").unwrap_err().contains("line 2"));
        assert!(Located::parse("a: [1\n").is_err());
    }

    #[test]
    fn an_empty_document_is_an_empty_configuration() {
        assert_eq!(Located::parse("# nothing\n").unwrap().value, serde_json::json!({}));
    }
}
