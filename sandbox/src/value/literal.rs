//! Python literals, read without Python: what `expect` fields hold.
//!
//! A recursive-descent parser over the grammar that `ast.literal_eval` accepts (numbers, strings and bytes with their prefixes,
//! escapes and implicit concatenation, tuples, lists, sets, dictionaries, `None`, `True`, `False`, `...`, signs, `1+2j`) and the calls
//! that the values without a literal need: `set()`, `frozenset(…)`, `range(…)`, `float("nan")`, and the names `nan` and `inf`.
//! It does not know f-strings and `\N{…}` escapes. Reading it here and not in an instance means that a bad literal is
//! reported with its place when a course is loaded, and that an expected value is never inside an instance.

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

    /// One or more adjacent strings, all text or all bytes.
    fn strings(&mut self) -> Parsed<Value> {
        let mut whole: Option<(bool, Vec<u8>)> = None;
        loop {
            let start = self.at;
            let (bytes, raw) = self.prefix()?;
            let piece = self.quoted(bytes, raw)?;
            match &mut whole {
                None => whole = Some((bytes, piece)),
                Some((kind, all)) if *kind == bytes => all.extend(piece),
                Some(_) => {
                    self.at = start;
                    return self.fail("text and bytes side by side");
                }
            }
            self.peek();
            let next = self.rest().trim_start_matches(|c: char| "rRbBuU".contains(c));
            if !(next.starts_with(['\'', '"']) && self.rest().len() - next.len() <= 2) {
                break;
            }
        }
        match whole {
            Some((true, bytes)) => Ok(Value::Bytes(bytes)),
            Some((false, bytes)) => Ok(Value::Str(String::from_utf8_lossy(&bytes).into_owned())),
            None => self.fail("expected a string"),
        }
    }

    fn prefix(&mut self) -> Parsed<(bool, bool)> {
        let rest = self.rest();
        let length = rest.find(['\'', '"']).unwrap_or(0);
        let prefix = rest.get(..length).unwrap_or("").to_ascii_lowercase();
        let known = match prefix.as_str() {
            "" | "u" => (false, false),
            "r" => (false, true),
            "b" => (true, false),
            "br" | "rb" => (true, true),
            _ => return self.fail(format!("`{prefix}` is not a prefix of a string literal here")),
        };
        self.at += length;
        Ok(known)
    }

    fn quoted(&mut self, bytes: bool, raw: bool) -> Parsed<Vec<u8>> {
        let start = self.at;
        let rest = self.rest();
        let quote = if rest.starts_with("'''") {
            "'''"
        } else if rest.starts_with("\"\"\"") {
            "\"\"\""
        } else if rest.starts_with('\'') {
            "'"
        } else {
            "\""
        };
        self.at += quote.len();
        let mut out = Vec::new();
        loop {
            let rest = self.rest();
            if rest.starts_with(quote) {
                self.at += quote.len();
                return Ok(out);
            }
            let Some(c) = rest.chars().next().filter(|c| *c != '\n' || quote.len() == 3) else {
                self.at = start;
                return self.fail("a string without its closing quote");
            };
            self.at += c.len_utf8();
            if c == '\\' && raw {
                out.push(b'\\');
                if let Some(next) = self.rest().chars().next() {
                    self.at += next.len_utf8();
                    push(next, &mut out);
                }
            } else if c == '\\' {
                self.escape(bytes, &mut out)?;
            } else if bytes && !c.is_ascii() {
                return self.fail("bytes hold only ASCII characters");
            } else {
                push(c, &mut out);
            }
        }
    }

    fn escape(&mut self, bytes: bool, out: &mut Vec<u8>) -> Parsed<()> {
        let Some(c) = self.rest().chars().next() else { return self.fail("a string without its closing quote") };
        self.at += c.len_utf8();
        match c {
            '\n' => {}
            '\\' | '\'' | '"' => out.push(c as u8),
            'a' => out.push(7),
            'b' => out.push(8),
            'f' => out.push(12),
            'n' => out.push(b'\n'),
            'r' => out.push(b'\r'),
            't' => out.push(b'\t'),
            'v' => out.push(11),
            '0'..='7' => {
                self.at -= 1;
                let rest = self.rest();
                let length = rest.bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
                let code = u32::from_str_radix(rest.get(..length).unwrap_or("0"), 8).unwrap_or(0);
                self.at += length;
                push_code(code, bytes, out);
            }
            'x' => self.hexadecimal(2, bytes, out)?,
            'u' if !bytes => self.hexadecimal(4, bytes, out)?,
            'U' if !bytes => self.hexadecimal(8, bytes, out)?,
            'N' if !bytes => return self.fail("\\N{…} escapes are not read here; write the character or \\u…"),
            other => {
                out.push(b'\\');
                push(other, out);
            }
        }
        Ok(())
    }

    fn hexadecimal(&mut self, length: usize, bytes: bool, out: &mut Vec<u8>) -> Parsed<()> {
        let digits = self.rest().get(..length).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|d| u32::from_str_radix(d, 16).ok()).filter(|c| *c < 0x11_0000) else {
            return self.fail(format!("expected {length} hexadecimal digits"));
        };
        self.at += length;
        push_code(code, bytes, out);
        Ok(())
    }
}

fn push(c: char, out: &mut Vec<u8>) {
    out.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn push_code(code: u32, bytes: bool, out: &mut Vec<u8>) {
    if bytes {
        out.push(code as u8);
    } else {
        push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn repr(text: &str) -> String {
        parse(text).unwrap().repr(500)
    }

    #[test]
    fn reads_the_whole_grammar() {
        assert_eq!(repr(" [1, -2.5, 0x_ff, 1_000, 0b11, 0o17, 00] # end"), "[1, -2.5, 255, 1000, 3, 15, 0]");
        assert_eq!(repr("1, 'a' \"b\"\n,"), "(1, 'ab')");
        assert_eq!(repr("(1)"), "1");
        assert_eq!(
            repr(
                r"('\x41\u00e9\101\n\q', r'\n', b'\xff\0', '''a
b''')"
            ),
            r"('Aé\x41\n\\q', '\\n', b'\xff\x00', 'a\nb')".replace(r"\x41", "A")
        );
        assert_eq!(repr("{1: 2, True: 3, 'k': {1, 1.0, 2}}"), "{1: 3, 'k': {1, 2}}");
        assert_eq!(repr("-1-2j, 3j, +4, --5, ..."), "((-1-2j), 3j, 4, 5, Ellipsis)");
        assert_eq!(
            repr("float('-inf'), set(), frozenset([1, 1]), range(2), nan"),
            "(-inf, set(), frozenset({1}), range(0, 2), nan)"
        );
    }

    #[test]
    fn says_where_and_why_not() {
        let error = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(error(""), "column 1: expected a Python literal");
        assert_eq!(error("[1, 2"), "column 6: expected `]` or `,`");
        assert_eq!(error("abc"), "column 1: `abc` is not a literal; a string needs quotes");
        assert_eq!(error("1 + 2"), "column 6: expected an imaginary number; a literal is not calculated");
        assert_eq!(error("'abc"), "column 1: a string without its closing quote");
        assert_eq!(error("{[1]}"), "column 6: a list cannot be a key or a member of a set");
        assert_eq!(error("1 2"), "column 3: `2` after the literal");
        assert_eq!(error("007"), "column 1: leading zeros in a number");
        assert!(parse(&"[".repeat(100_000)).is_err() && parse(&"-".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "[-+\\[\\](){}0-9a-z_.,:'\"\\\\ ébruxN#]{0,30}") {
            let _ = parse(&text);
        }

        #[test]
        fn a_repr_reads_back(text: String, number: f64, items: Vec<i64>) {
            let value = Value::Tuple(vec![Value::Str(text), Value::Float(number), Value::List(items.into_iter().map(Value::int).collect())]);
            let again = parse(&value.repr(100_000)).unwrap();
            prop_assert!(super::super::equal(&value, &again, None));
        }
    }
}
