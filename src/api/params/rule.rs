//! What is allowed, in plain words: serde's texts are for programmers.

/// The rule that a value broke, from serde's text of the error. The value itself stands beside it.
pub(super) fn plain(text: &str) -> String {
    if text.contains("public key") {
        return "must be a node id, 66 hex digits".into();
    }
    // our own texts: `what `value`: rule`
    if let Some((_, rule)) = text.rsplit_once("`: ") {
        return rule.to_owned();
    }
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("must be {}", named(expected)),
        None => text.to_owned(),
    }
}

/// A type by its serde name, with its range.
fn named(expected: &str) -> String {
    match expected {
        "u64" => format!("a whole number from 0 to {}", u64::MAX),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "i64" => format!("a whole number from {} to {}", i64::MIN, i64::MAX),
        "a boolean" => "true or false".into(),
        "a string" => "a text".into(),
        "a sequence" => "a list".into(),
        choice if choice.starts_with("struct ") => "an object".into(),
        choice => choice.to_owned(),
    }
}
