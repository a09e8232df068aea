//! Data inside a page: JSON in a `<script>` element, and files as `data:` addresses.
//!
//! A script element ends at the first `</script`, and `<!--` changes how it is read (HTML standard, 4.12.1.3), whatever the JSON around
//! them; U+2028 and U+2029 end a line in older JavaScript. So `<`, `>`, `&` and those two are written as `\u` escapes, which mean the same in JSON.

use serde_json::Value;
use std::fmt::Write;

/// `value` as JSON that can stand in a `<script type="application/json">`.
pub(super) fn script_json(value: &Value) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            _ => text.push(c),
        }
    }
    text
}

/// `text` as the address of a file to be saved (RFC 2397), all but letters and digits percent-encoded.
pub(super) fn data_address(media_type: &str, text: &str) -> String {
    let mut address = format!("data:{media_type};charset=utf-8,");
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            address.push(char::from(byte));
        } else {
            let _ = write!(address, "%{byte:02X}");
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_cannot_leave_the_script_element() {
        let program = "</script><script>alert(1)</script><!-- ]]> & \u{2028} \u{2029} \"é\"";
        let value = serde_json::json!({ "code": program });
        let text = script_json(&value);
        assert!(!text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn an_address_holds_no_character_that_means_something() {
        assert_eq!(data_address("text/csv", "a,\"b\"\n#é"), "data:text/csv;charset=utf-8,a%2C%22b%22%0A%23%C3%A9");
    }
}
