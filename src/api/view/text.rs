//! Numbers and times as people read them.

use std::time::Duration;

use crate::units::Timestamp;

/// A number with its thousands set apart: `1,000,000`.
#[must_use]
pub fn grouped(number: impl Into<i128>) -> String {
    let number = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An amount with its unit: `1,000,000 sat`.
#[must_use]
pub fn sats(number: impl Into<i128>) -> String {
    format!("{} sat", grouped(number))
}

/// A length of time in its two largest units: `6 d 23 h`, `9 min 30 s`, `0 s`. More would feign exactness.
#[must_use]
pub fn lasting(length: Duration) -> String {
    let secs = length.as_secs();
    let counts = [
        (secs / 86_400, "d"),
        (secs / 3600 % 24, "h"),
        (secs / 60 % 60, "min"),
        (secs % 60, "s"),
    ];
    let parts = counts.iter().skip_while(|(count, _)| *count == 0).take(2);
    let text: Vec<String> = parts
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    if text.is_empty() { "0 s".into() } else { text.join(" ") }
}

/// A moment in RFC 3339, UTC: `2026-11-21T03:15:00Z`.
#[must_use]
pub fn rfc3339(moment: Timestamp) -> String {
    moment.to_string()
}

/// `1st`, `2nd`, `3rd`, `4th`.
pub(super) fn ordinal(number: u32) -> String {
    let suffix = match (number % 10, number % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let cases: [(i128, &str); 6] = [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (-1_234_567, "-1,234,567"),
            (100_000, "100,000"),
            (2_100_000_000_000_000, "2,100,000,000,000,000"),
        ];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_length_of_time_names_its_two_largest_units() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (570, "9 min 30 s"),
            (3600, "1 h"),
            (3661, "1 h 1 min"),
            (86_400 * 6 + 3600 * 23 + 59 * 60, "6 d 23 h"),
            (86_400 * 7 + 59, "7 d"),
        ];
        for (secs, text) in cases {
            assert_eq!(lasting(Duration::from_secs(secs)), text, "{secs} s");
        }
    }

    #[test]
    fn moments_are_written_as_rfc_3339_says() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (secs, text) in cases {
            assert_eq!(rfc3339(Timestamp(secs)), text);
        }
    }

    #[test]
    fn ordinals_have_their_ending() {
        let texts: Vec<String> = [1, 2, 3, 4, 11, 12, 13, 21, 102, 112]
            .into_iter()
            .map(ordinal)
            .collect();
        assert_eq!(
            texts,
            [
                "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "112th"
            ]
        );
    }
}
