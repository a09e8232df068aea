//! Python's `repr` of values, cut at a length so that a huge answer costs nothing to show.

use std::fmt::Write;

use super::Value;

/// The text of `value`, at most about `limit` characters; what is cut ends in `…`.
pub fn repr(value: &Value, limit: usize) -> String {
    let mut writer = Limited { text: String::new(), room: limit };
    match write_value(value, &mut writer) {
        Ok(()) => writer.text,
        Err(_) => writer.text + "…",
    }
}

/// A string that refuses to grow beyond a number of characters.
struct Limited {
    text: String,
    room: usize,
}

impl Write for Limited {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        s.chars().try_for_each(|c| self.write_char(c))
    }

    fn write_char(&mut self, c: char) -> std::fmt::Result {
        self.room = self.room.checked_sub(1).ok_or(std::fmt::Error)?;
        self.text.push(c);
        Ok(())
    }
}

fn write_value(value: &Value, out: &mut Limited) -> std::fmt::Result {
    match value {
        Value::None => out.write_str("None"),
        Value::Ellipsis => out.write_str("Ellipsis"),
        Value::Bool(b) => out.write_str(if *b { "True" } else { "False" }),
        Value::Int(number) => write!(out, "{number}"),
        Value::Float(number) => out.write_str(&float(*number)),
        Value::Complex(re, im) => write_complex(*re, *im, out),
        Value::Str(text) => write_str(text, out),
        Value::Bytes(bytes) => write_bytes(bytes, out),
        Value::List(items) => write_items("[", items, "]", out),
        Value::Tuple(items) if items.len() == 1 => write_items("(", items, ",)", out),
        Value::Tuple(items) => write_items("(", items, ")", out),
        Value::Set(items) if items.is_empty() => out.write_str("set()"),
        Value::Set(items) => write_items("{", items, "}", out),
        Value::FrozenSet(items) if items.is_empty() => out.write_str("frozenset()"),
        Value::FrozenSet(items) => write_items("frozenset({", items, "})", out),
        Value::Dict(pairs) => {
            out.write_str("{")?;
            for (position, (key, value)) in pairs.iter().enumerate() {
                out.write_str(if position > 0 { ", " } else { "" })?;
                write_value(key, out)?;
                out.write_str(": ")?;
                write_value(value, out)?;
            }
            out.write_str("}")
        }
        Value::Range(start, stop, step) if step.to_i64() == Some(1) => write!(out, "range({start}, {stop})"),
        Value::Range(start, stop, step) => write!(out, "range({start}, {stop}, {step})"),
        Value::Opaque(opaque) => out.write_str(&opaque.text),
    }
}

fn write_items(open: &str, items: &[Value], close: &str, out: &mut Limited) -> std::fmt::Result {
    out.write_str(open)?;
    for (position, item) in items.iter().enumerate() {
        out.write_str(if position > 0 { ", " } else { "" })?;
        write_value(item, out)?;
    }
    out.write_str(close)
}

/// Python writes the shortest digits that read back the same, with an exponent below 1e-4 and from 1e16 on.
pub(super) fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{number:e}");
        return match text.split_once('e') {
            Some((digits, exponent)) => {
                let (sign, size) = match exponent.strip_prefix('-') {
                    Some(size) => ('-', size),
                    None => ('+', exponent),
                };
                format!("{digits}e{sign}{size:0>2}")
            }
            None => text,
        };
    }
    let text = format!("{number}");
    if text.contains('.') { text } else { text + ".0" }
}

fn write_complex(re: f64, im: f64, out: &mut Limited) -> std::fmt::Result {
    let part = |number: f64| {
        let text = float(number);
        text.strip_suffix(".0").map_or(text.clone(), str::to_string)
    };
    if re == 0.0 && re.is_sign_positive() {
        return write!(out, "{}j", part(im));
    }
    let sign = if im.is_sign_negative() { "" } else { "+" };
    write!(out, "({}{sign}{}j)", part(re), part(im))
}

fn write_str(text: &str, out: &mut Limited) -> std::fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.write_char(quote)?;
    for c in text.chars() {
        match c {
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            c if c == quote => write!(out, "\\{c}")?,
            c if (c as u32) < 0x20 || (0x7f..0xa1).contains(&(c as u32)) || c == '\u{ad}' => {
                write!(out, "\\x{:02x}", c as u32)?
            }
            c if matches!(c as u32, 0x2028 | 0x2029 | 0xfeff | 0x200b..=0x200f | 0xe000..=0xf8ff) => {
                write!(out, "\\u{:04x}", c as u32)?
            }
            c => out.write_char(c)?,
        }
    }
    out.write_char(quote)
}

fn write_bytes(bytes: &[u8], out: &mut Limited) -> std::fmt::Result {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    write!(out, "b{quote}")?;
    for byte in bytes {
        match byte {
            b'\\' => out.write_str("\\\\")?,
            b'\n' => out.write_str("\\n")?,
            b'\r' => out.write_str("\\r")?,
            b'\t' => out.write_str("\\t")?,
            b if char::from(*b) == quote => write!(out, "\\{quote}")?,
            0x20..0x7f => out.write_char(char::from(*byte))?,
            other => write!(out, "\\x{other:02x}")?,
        }
    }
    out.write_char(quote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_python_writes() {
        // Each line is a literal whose repr is itself.
        for text in [
            "None",
            "-5",
            "1.0",
            "-0.0",
            "1e+16",
            "1234567.125",
            "0.0001",
            "1e-05",
            "1.5e-07",
            "5e-324",
            "inf",
            "nan",
            "2j",
            "(1+2j)",
            "(-1.5-2j)",
            "'it\\'s \"x\"'",
            "\"it's\"",
            "'a\\n\\t\\\\\\x00é'",
            "b'a\\xff\\''",
            "[1, [2, ()], (3,)]",
            "{'a': {1}, 2: set()}",
            "frozenset({1})",
            "range(0, 3)",
            "range(5, 1, -2)",
            "123456789012345678901234567890",
        ] {
            let text = text.replace("b'a\\xff\\''", "b\"a\\xff'\"");
            assert_eq!(Value::literal(&text).unwrap().repr(200), text);
        }
    }

    #[test]
    fn long_values_are_cut() {
        let long = Value::List(vec![Value::int(7); 100_000]);
        assert_eq!(long.repr(10), "[7, 7, 7, …");
    }
}
