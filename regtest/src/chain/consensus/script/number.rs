//! Numbers and truth on the stack (script/script.h, `CScriptNum`).

use super::ScriptError;

/// Reads a number of at most `max_len` bytes, least significant first, sign in the top bit.
pub fn read(item: &[u8], max_len: usize, minimal: bool) -> Result<i64, ScriptError> {
    if item.len() > max_len || (minimal && !is_minimal(item)) {
        return Err(ScriptError::Unknown);
    }
    let Some((last, _)) = item.split_last() else {
        return Ok(0);
    };
    let magnitude = item.iter().rev().fold(0_i64, |acc, byte| (acc << 8) | i64::from(*byte));
    let sign_bit = 0x80_i64 << (8 * (item.len() - 1));
    Ok(if last & 0x80 == 0 {
        magnitude
    } else {
        -(magnitude & !sign_bit)
    })
}

fn is_minimal(item: &[u8]) -> bool {
    match item {
        [] => true,
        [only] => only & 0x7f != 0,
        // A top byte that carries nothing but the sign is needed only where the next one uses its own top bit.
        [.., before, last] => last & 0x7f != 0 || before & 0x80 != 0,
    }
}

/// Writes a number in the fewest bytes.
pub fn write(value: i64) -> Vec<u8> {
    let mut rest = value.unsigned_abs();
    let mut bytes = Vec::new();
    while rest > 0 {
        bytes.push((rest & 0xff) as u8);
        rest >>= 8;
    }
    let sign = if value < 0 { 0x80 } else { 0 };
    match bytes.last_mut() {
        Some(last) if *last & 0x80 == 0 => *last |= sign,
        Some(_) => bytes.push(sign),
        None => {}
    }
    bytes
}

/// Whether an item counts as true: any byte that is not zero, but for the sign of a negative zero.
pub fn is_true(item: &[u8]) -> bool {
    match item.split_last() {
        Some((last, rest)) => rest.iter().any(|byte| *byte != 0) || last & 0x7f != 0,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_writing_and_reading() {
        for value in [
            0,
            1,
            -1,
            127,
            128,
            -128,
            255,
            256,
            10_080,
            -10_080,
            i64::from(i32::MAX),
            0xffff_ffff,
        ] {
            assert_eq!(read(&write(value), 5, true), Ok(value));
        }
        assert_eq!(write(10_080), [0x60, 0x27]);
    }

    #[test]
    fn numbers_with_needless_bytes_are_refused() {
        assert_eq!(read(&[0x01, 0x00], 4, true), Err(ScriptError::Unknown));
        assert_eq!(read(&[0x80], 4, true), Err(ScriptError::Unknown));
        assert_eq!(read(&[0xff, 0x00], 4, true), Ok(255));
    }

    #[test]
    fn negative_zero_is_false() {
        assert!(!is_true(&[]) && !is_true(&[0, 0x80]) && !is_true(&[0]));
        assert!(is_true(&[0x80, 0]) && is_true(&[1]));
    }
}
