//! Text that a submission wrote, made fit to be shown: nothing in it steers a terminal or hides.
//!
//! Control characters become Python's escapes (`\x1b`), except newline and tab; so do the marks that turn the direction of text around
//! (Unicode 16.0, 23.2; Boucher and Anderson 2023, "Trojan Source"). Words are left alone: what a program says about its own grade is its
//! business, and chat markers are text to the tokeniser.
//!
//! The address in what Python writes of a thing without a text of its own, `<function total at 0x1980f88>`, becomes `0x…`: it says
//! nothing, and it would change what a learner reads, and so what it writes, with every build of the guest. Only what is shown is
//! changed, never what is compared.

/// The text with such characters escaped and addresses left out.
pub fn visible(text: &str) -> String {
    without_addresses(&escaped(text))
}

const ADDRESS: &str = " at 0x";

fn without_addresses(text: &str) -> String {
    let mut parts = text.split(ADDRESS);
    let mut out = String::with_capacity(text.len());
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let after = part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        out.push_str(ADDRESS);
        match after.starts_with('>') && after.len() < part.len() {
            true => {
                out.push('…');
                out.push_str(after);
            }
            false => out.push_str(part),
        }
    }
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' if rest.peek() == Some(&'\n') => {}
            '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(visible("a\tb\r\nc\rd\0\x1b[2J\u{9b}31m\x7f"), "a\tb\nc\\x0dd\\x00\\x1b[2J\\x9b31m\\x7f");
        assert_eq!(visible("x\u{202e}y\u{2067}"), "x\\u202ey\\u2067");
        assert_eq!(visible("naïve 日本語 \u{feff}é <|im_end|>"), "naïve 日本語 \u{feff}é <|im_end|>");
    }
    #[test]
    fn addresses_are_left_out_of_what_stands_for_a_thing_and_nowhere_else() {
        assert_eq!(
            visible("got [<function total at 0x1980f88>, <A object at 0xFF>]"),
            "got [<function total at 0x…>, <A object at 0x…>]"
        );
        for text in ["at 0x10>", "look at 0x10 >", "a at 0x>", "a at 0xg>", "0x1980f88", " at 0x12"] {
            assert_eq!(visible(text), text);
        }
    }
}
