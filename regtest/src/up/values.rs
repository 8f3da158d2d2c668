//! Values that people type.

use std::time::Duration;

use crate::liquid::params::MAX_MONEY_SAT;

/// Blocks come no faster and no slower than this.
const BLOCK_TIMES: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(3600);
/// Longest name of a world or a snapshot: the path of a world's socket has to fit into 108 bytes.
const LONGEST_NAME: usize = 32;

/// A time with its unit; seconds without one.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a time such as 2s, 500ms or 1m".to_owned();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "" | "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        _ => return Err(wrong()),
    };
    milliseconds
        .map(Duration::from_millis)
        .filter(|time| BLOCK_TIMES.contains(time))
        .ok_or_else(|| "must lie between 10ms and 60m".to_owned())
}

/// Whole satoshi; underscores set thousands apart. No point, no unit: a slip must not change the amount.
pub(super) fn satoshi(text: &str) -> Result<u64, String> {
    let wrong = || "must be whole satoshi, digits and `_` only, such as 1_000_000".to_owned();
    let shape = text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || c == '_');
    if !shape {
        return Err(wrong());
    }
    text.replace('_', "")
        .parse()
        .ok()
        .filter(|sat| (1..=MAX_MONEY_SAT).contains(sat))
        .ok_or_else(|| format!("must lie between 1 and {MAX_MONEY_SAT} sat"))
}

/// The name of a world or a snapshot; it becomes a folder's.
pub(super) fn name(text: &str) -> Result<String, String> {
    let fits = (1..=LONGEST_NAME).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits {
        Ok(text.to_owned())
    } else {
        Err(format!("must be 1 to {LONGEST_NAME} letters, digits, `-` or `_`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_bounds() {
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1m"), Ok(Duration::from_secs(60)));
        for text in [
            "",
            "s",
            "2h",
            "2 s",
            "-1s",
            "1.5s",
            "0",
            "0ms",
            "61m",
            "18446744073709551615m",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_are_whole_satoshi_that_exist() {
        assert_eq!(satoshi("1_000_000"), Ok(1_000_000));
        assert_eq!(satoshi("2100000000000000"), Ok(MAX_MONEY_SAT));
        for text in [
            "",
            "_1",
            "0",
            "1.5",
            "1e8",
            "-1",
            "2100000000000001",
            "99999999999999999999999",
        ] {
            assert!(satoshi(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_cannot_leave_their_folder() {
        assert_eq!(name("mine-2"), Ok("mine-2".to_owned()));
        for text in ["", ".", "..", "a/b", "a b", "abcdefghijklmnopqrstuvwxyz0123456"] {
            assert!(name(text).is_err(), "{text}");
        }
    }
}
