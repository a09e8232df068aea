//! String and bytes literals: prefixes, quotes, escapes, implicit concatenation.

use super::{Parsed, Parser};
use crate::value::Value;

impl Parser<'_> {
    /// One or more adjacent strings, all text or all bytes.
    pub(super) fn strings(&mut self) -> Parsed<Value> {
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
