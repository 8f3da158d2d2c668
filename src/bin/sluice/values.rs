//! Values that people type.

use sluice::units::Preimage;

/// A limit that can be lifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(pub Option<u64>);

/// Whole satoshi; underscores set thousands apart. No point, no unit: a slip must not change the amount.
pub fn amount(text: &str) -> Result<u64, String> {
    let wrong = || "must be whole satoshi, digits and `_` only, such as 1_000_000".to_owned();
    let shape = text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || c == '_');
    if !shape {
        return Err(wrong());
    }
    text.replace('_', "").parse().map_err(|_| wrong())
}

pub fn limit(text: &str) -> Result<Limit, String> {
    match text {
        "none" => Ok(Limit(None)),
        text => amount(text).map(|sat| Limit(Some(sat))),
    }
}

pub fn swap_prefix(text: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    if fits {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("must be the id of a swap or its beginning, 1 to 64 hex digits".into())
    }
}

pub fn preimage(text: &str) -> Result<Preimage, String> {
    text.parse().map_err(|_| "must be 64 hex digits".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_whole_satoshi() {
        assert_eq!(amount("1_000_000"), Ok(1_000_000));
        assert_eq!(amount("21"), Ok(21));
        for wrong in [
            "",
            "_1",
            "1.5",
            "1M",
            "-1",
            "+1",
            "1,000",
            "0x10",
            "99999999999999999999",
        ] {
            assert!(amount(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_limit_is_lifted_by_none() {
        assert_eq!(limit("none"), Ok(Limit(None)));
        assert_eq!(limit("5_000"), Ok(Limit(Some(5000))));
        assert!(limit("0.5").is_err());
    }

    #[test]
    fn a_swap_is_named_by_the_beginning_of_its_id() {
        assert_eq!(swap_prefix("A91F"), Ok("a91f".into()));
        for wrong in ["", "xyz", &"a".repeat(65)] {
            assert!(swap_prefix(wrong).is_err(), "{wrong}");
        }
    }
}
