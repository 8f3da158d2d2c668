//! JSON objects as Go's `encoding/json` prints them: keys in the order given, no spaces, and `<`, `>`, `&` escaped,
//! so that what we send is byte for byte what the running implementation would.

use std::fmt::{Display, Write};

/// An object that is being written.
pub(super) struct Object(String);

impl Object {
    /// An object without members.
    pub(super) fn new() -> Object {
        Object("{".into())
    }

    /// Adds a string.
    pub(super) fn text(mut self, key: &str, value: &str) -> Object {
        self.key(key);
        push_string(&mut self.0, value);
        self
    }

    /// Adds what prints as a JSON literal: a number, a bool, `null`.
    pub(super) fn literal(mut self, key: &str, value: impl Display) -> Object {
        self.key(key);
        write!(self.0, "{value}").expect("a String takes whatever is written");
        self
    }

    /// Adds an array of strings.
    pub(super) fn texts(mut self, key: &str, values: impl IntoIterator<Item = String>) -> Object {
        self.key(key);
        for (index, value) in values.into_iter().enumerate() {
            self.0.push(if index == 0 { '[' } else { ',' });
            push_string(&mut self.0, &value);
        }
        if self.0.ends_with(':') {
            self.0.push('[');
        }
        self.0.push(']');
        self
    }

    /// The finished text.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.0.push('}');
        self.0.into_bytes()
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        push_string(&mut self.0, key);
        self.0.push(':');
    }
}

/// Source: appendString in go/src/encoding/json/encode.go (Go 1.22 and later), with HTML escaping, its default.
fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{08}' => out.push_str("\\b"),
            '\u{0c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("a String takes whatever is written");
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_go_escapes_them() {
        // printed by encoding/json of go1.26 for the same string
        let text = "<a href=\"x\">&amp;</a> \\ /\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}\u{2028}\u{2029} ü €";
        let go = r#"{"k":"\u003ca href=\"x\"\u003e\u0026amp;\u003c/a\u003e \\ /\b\f\n\r\t\u0000\u001f"#.to_owned()
            + "\u{7f}"
            + r#"\u2028\u2029 ü €"}"#;
        assert_eq!(
            String::from_utf8(Object::new().text("k", text).into_bytes()).unwrap(),
            go
        );
    }

    #[test]
    fn members_and_elements_are_parted_by_commas_without_spaces() {
        let object = Object::new()
            .literal("a", 1)
            .texts("b", ["x".to_owned(), "y".to_owned()])
            .texts("c", [])
            .literal("d", true);
        assert_eq!(object.into_bytes(), br#"{"a":1,"b":["x","y"],"c":[],"d":true}"#);
    }
}
