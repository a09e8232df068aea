//! Python literals, read without Python: what `expect` fields hold.
//!
//! A recursive-descent parser over the grammar that `ast.literal_eval` accepts (numbers, strings and bytes with their prefixes,
//! escapes and implicit concatenation, tuples, lists, sets, dictionaries, `None`, `True`, `False`, `...`, signs, `1+2j`) and the calls
//! that the values without a literal need: `set()`, `frozenset(…)`, `range(…)`, `float("nan")`, and the names `nan` and `inf`.
//! It does not know f-strings and `\N{…}` escapes. Reading it here and not in an instance means that a bad literal is
//! reported with its place when a course is loaded, and that an expected value is never inside an instance.

mod strings;

use super::equality::canonical;
use super::{Integer, Value};

const DEPTH_LIMIT: usize = 100;

/// Where and why a text is not a literal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {reason}")]
pub struct LiteralError {
    /// Column of the first character that does not fit, from 1.
    pub column: usize,
    /// What was expected.
    pub reason: String,
}

/// Text → value.
pub fn parse(text: &str) -> Result<Value, LiteralError> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.tuple_or_value(0)?;
    match parser.peek() {
        None => Ok(value),
        Some(c) => parser.fail(format!("`{c}` after the literal")),
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

type Parsed<T> = Result<T, LiteralError>;

impl<'t> Parser<'t> {
    fn fail<T>(&self, reason: impl Into<String>) -> Parsed<T> {
        let column = self.text.get(..self.at).map_or(0, |before| before.chars().count()) + 1;
        Err(LiteralError { column, reason: reason.into() })
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// The next character that is neither white space nor comment.
    fn peek(&mut self) -> Option<char> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            match trimmed.strip_prefix('#') {
                Some(comment) => self.at += 1 + comment.find('\n').unwrap_or(comment.len()),
                None => return trimmed.chars().next(),
            }
        }
    }

    fn eat(&mut self, token: char) -> bool {
        let found = self.peek() == Some(token);
        if found {
            self.at += token.len_utf8();
        }
        found
    }

    fn expect(&mut self, token: char, what: &str) -> Parsed<()> {
        if self.eat(token) { Ok(()) } else { self.fail(format!("expected `{token}` {what}")) }
    }

    fn tuple_or_value(&mut self, depth: usize) -> Parsed<Value> {
        let first = self.value(depth)?;
        if self.peek() != Some(',') {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.eat(',') {
            if self.peek().is_none() {
                break;
            }
            items.push(self.value(depth)?);
        }
        Ok(Value::Tuple(items))
    }

    /// A signed number with an optional imaginary part, or any other literal.
    fn value(&mut self, depth: usize) -> Parsed<Value> {
        let start = self.at;
        let left = self.signed(depth)?;
        let sign = match self.peek() {
            Some('+') => 1.0,
            Some('-') => -1.0,
            _ => return Ok(left),
        };
        let re = match &left {
            Value::Int(number) => number.to_f64(),
            Value::Float(number) => *number,
            _ => {
                self.at = start;
                return self.fail("only numbers take a sign");
            }
        };
        self.at += 1;
        match self.signed(depth)? {
            Value::Complex(0.0, im) => Ok(Value::Complex(re, sign * im)),
            _ => self.fail("expected an imaginary number; a literal is not calculated"),
        }
    }

    fn signed(&mut self, depth: usize) -> Parsed<Value> {
        if depth > DEPTH_LIMIT {
            return self.fail("nested too deeply");
        }
        if self.eat('+') {
            return self.number_only(depth);
        }
        if !self.eat('-') {
            return self.atom(depth);
        }
        Ok(match self.number_only(depth)? {
            Value::Int(number) => Value::Int(number.negated()),
            Value::Float(number) => Value::Float(-number),
            Value::Complex(re, im) => Value::Complex(-re, -im),
            other => other,
        })
    }

    fn number_only(&mut self, depth: usize) -> Parsed<Value> {
        match self.signed(depth + 1)? {
            number @ (Value::Int(_) | Value::Float(_) | Value::Complex(..)) => Ok(number),
            _ => self.fail("only numbers take a sign"),
        }
    }

    fn atom(&mut self, depth: usize) -> Parsed<Value> {
        match self.peek() {
            None => self.fail("expected a Python literal"),
            Some('(') => self.parenthesised(depth),
            Some('[') => {
                self.at += 1;
                Ok(Value::List(self.items(']', depth)?))
            }
            Some('{') => self.braces(depth),
            Some('\'' | '"') => self.strings(),
            Some('.') if self.rest().starts_with("...") => {
                self.at += 3;
                Ok(Value::Ellipsis)
            }
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if c.is_alphabetic() || c == '_' => self.word(depth),
            Some(c) => self.fail(format!("expected a Python literal, found `{c}`")),
        }
    }

    fn items(&mut self, close: char, depth: usize) -> Parsed<Vec<Value>> {
        let mut items = Vec::new();
        while !self.eat(close) {
            items.push(self.value(depth + 1)?);
            if !self.eat(',') {
                self.expect(close, "or `,`")?;
                break;
            }
        }
        Ok(items)
    }

    fn parenthesised(&mut self, depth: usize) -> Parsed<Value> {
        self.at += 1;
        if self.eat(')') {
            return Ok(Value::Tuple(Vec::new()));
        }
        let first = self.value(depth + 1)?;
        if self.eat(')') {
            return Ok(first);
        }
        self.expect(',', "or `)`")?;
        let mut items = vec![first];
        items.extend(self.items(')', depth)?);
        Ok(Value::Tuple(items))
    }

    fn hashable(&self, value: &Value) -> Parsed<Vec<u8>> {
        fn hashable(value: &Value) -> bool {
            match value {
                Value::List(_) | Value::Set(_) | Value::Dict(_) => false,
                Value::Tuple(items) => items.iter().all(hashable),
                _ => true,
            }
        }
        match canonical(value).filter(|_| hashable(value)) {
            Some(key) => Ok(key),
            None => self.fail(format!("a {} cannot be a key or a member of a set", value.type_name())),
        }
    }

    fn unique(&self, items: Vec<Value>) -> Parsed<Vec<Value>> {
        let mut seen = std::collections::HashSet::new();
        let mut kept = Vec::with_capacity(items.len());
        for item in items {
            if seen.insert(self.hashable(&item)?) {
                kept.push(item);
            }
        }
        Ok(kept)
    }

    fn braces(&mut self, depth: usize) -> Parsed<Value> {
        self.at += 1;
        if self.eat('}') {
            return Ok(Value::Dict(Vec::new()));
        }
        let first = self.value(depth + 1)?;
        if !self.eat(':') {
            let mut items = vec![first];
            if self.eat(',') {
                items.extend(self.items('}', depth)?);
            } else {
                self.expect('}', "or `,`")?;
            }
            return Ok(Value::Set(self.unique(items)?));
        }
        let mut positions = std::collections::HashMap::new();
        let mut pairs: Vec<(Value, Value)> = Vec::new();
        let mut key = first;
        loop {
            let identity = self.hashable(&key)?;
            let value = self.value(depth + 1)?;
            match positions.get(&identity).and_then(|p: &usize| pairs.get_mut(*p)) {
                Some(pair) => pair.1 = value,
                None => {
                    positions.insert(identity, pairs.len());
                    pairs.push((key, value));
                }
            }
            if !self.eat(',') {
                self.expect('}', "or `,`")?;
                break;
            }
            if self.eat('}') {
                break;
            }
            key = self.value(depth + 1)?;
            self.expect(':', "after a key")?;
        }
        Ok(Value::Dict(pairs))
    }

    fn number(&mut self) -> Parsed<Value> {
        let rest = self.rest();
        let based = |prefix: &str| {
            let head = rest.get(..2)?;
            head.eq_ignore_ascii_case(prefix).then(|| rest.get(2..).unwrap_or(""))
        };
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
            if let Some(body) = based(prefix) {
                let length = body.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(body.len());
                let digits = body.get(..length).unwrap_or("").replace('_', "");
                return match Integer::from_text(&digits, radix) {
                    Some(number) => {
                        self.at += 2 + length;
                        Ok(Value::Int(number))
                    }
                    None => self.fail(format!("not a number in base {radix}")),
                };
            }
        }
        let mut length = 0;
        let mut previous = ' ';
        for c in rest.chars() {
            let exponent_sign = (c == '+' || c == '-') && (previous == 'e' || previous == 'E');
            if !(c.is_ascii_digit() || matches!(c, '.' | '_' | 'e' | 'E') || exponent_sign) {
                break;
            }
            previous = c;
            length += c.len_utf8();
        }
        let raw = rest.get(..length).unwrap_or("");
        let digits = raw.replace('_', "");
        let imaginary = rest.get(length..).is_some_and(|r| r.starts_with(['j', 'J']));
        let integral = digits.bytes().all(|b| b.is_ascii_digit());
        let value = if raw.ends_with('_') || raw.contains("__") {
            None
        } else if imaginary {
            digits.parse().ok().map(|im| Value::Complex(0.0, im))
        } else if integral && digits.len() > 1 && digits.starts_with('0') && digits.bytes().any(|b| b != b'0') {
            return self.fail("leading zeros in a number");
        } else if integral {
            Integer::from_text(&digits, 10).map(Value::Int)
        } else {
            digits.parse().ok().map(Value::Float)
        };
        let Some(value) = value else { return self.fail("not a number") };
        self.at += length + usize::from(imaginary);
        match self.rest().chars().next() {
            Some(c) if c.is_alphanumeric() || c == '_' => self.fail(format!("`{c}` after a number")),
            _ => Ok(value),
        }
    }

    fn word(&mut self, depth: usize) -> Parsed<Value> {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let word = rest.get(..length).unwrap_or("");
        if rest.get(length..).is_some_and(|r| r.starts_with(['\'', '"'])) {
            return self.strings();
        }
        let start = self.at;
        self.at += length;
        match word {
            "None" => Ok(Value::None),
            "Ellipsis" => Ok(Value::Ellipsis),
            "True" => Ok(Value::Bool(true)),
            "False" => Ok(Value::Bool(false)),
            "nan" => Ok(Value::Float(f64::NAN)),
            "inf" => Ok(Value::Float(f64::INFINITY)),
            "set" | "frozenset" | "range" | "float" if self.eat('(') => {
                let arguments = self.items(')', depth)?;
                self.call(word, arguments, start)
            }
            _ => {
                self.at = start;
                self.fail(format!("`{word}` is not a literal; a string needs quotes"))
            }
        }
    }

    fn call(&mut self, function: &str, arguments: Vec<Value>, start: usize) -> Parsed<Value> {
        let value = match (function, arguments.as_slice()) {
            ("set", []) => Some(Value::Set(Vec::new())),
            ("frozenset", []) => Some(Value::FrozenSet(Vec::new())),
            ("set", [Value::List(items) | Value::Tuple(items) | Value::Set(items)]) => {
                Some(Value::Set(self.unique(items.clone())?))
            }
            ("frozenset", [Value::List(items) | Value::Tuple(items) | Value::Set(items)]) => {
                Some(Value::FrozenSet(self.unique(items.clone())?))
            }
            ("float", [Value::Str(text)]) => match text.trim().to_ascii_lowercase().as_str() {
                "nan" => Some(Value::Float(f64::NAN)),
                "inf" | "infinity" => Some(Value::Float(f64::INFINITY)),
                "-inf" | "-infinity" => Some(Value::Float(f64::NEG_INFINITY)),
                number => number.parse().ok().map(Value::Float),
            },
            ("range", [Value::Int(stop)]) => Some(Value::Range(Integer::from(0), stop.clone(), Integer::from(1))),
            ("range", [Value::Int(start), Value::Int(stop)]) => {
                Some(Value::Range(start.clone(), stop.clone(), Integer::from(1)))
            }
            ("range", [Value::Int(start), Value::Int(stop), Value::Int(step)]) if step.to_i64() != Some(0) => {
                Some(Value::Range(start.clone(), stop.clone(), step.clone()))
            }
            _ => None,
        };
        match value {
            Some(value) => Ok(value),
            None => {
                self.at = start;
                self.fail(format!("arguments that `{function}` does not take in a literal"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
