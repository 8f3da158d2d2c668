//! Checksums of output descriptors (script/descriptor.cpp).

const INPUT: &str = "0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH`#\"\\ ";
const CHECKSUM: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR: [u64; 5] = [
    0xf5_dee5_1989,
    0xa9_fdca_3312,
    0x1b_ab10_e32d,
    0x37_06b1_677a,
    0x64_4d62_6ffd,
];

/// The descriptor with its checksum after a `#`.
pub fn with_checksum(text: &str) -> String {
    let mut state = 1;
    let (mut group, mut count) = (0, 0);
    for position in text.chars().filter_map(|c| INPUT.find(c)) {
        let position = position as u64;
        state = step(state, position & 31);
        group = group * 3 + (position >> 5);
        count += 1;
        if count == 3 {
            state = step(state, group);
            (group, count) = (0, 0);
        }
    }
    if count > 0 {
        state = step(state, group);
    }
    for _ in 0..8 {
        state = step(state, 0);
    }
    state ^= 1;
    let digits = (0..8).map(|digit| char::from(CHECKSUM[(state >> (5 * (7 - digit)) & 31) as usize]));
    format!("{text}#{}", digits.collect::<String>())
}

fn step(state: u64, value: u64) -> u64 {
    let top = state >> 35;
    let next = ((state & 0x7_ffff_ffff) << 5) ^ value;
    GENERATOR
        .iter()
        .enumerate()
        .filter(|(bit, _)| top >> bit & 1 == 1)
        .fold(next, |state, (_, word)| state ^ word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_that_elementsd_prints() {
        assert_eq!(with_checksum("raw(6a)"), "raw(6a)#4mhr9ur5");
        assert_eq!(with_checksum("raw(51)"), "raw(51)#8lvh9jxk");
        let address = "addr(ert1qs8c0xwj84eqs57kw5neq0cd0glzpnfnrlfandd)";
        assert_eq!(with_checksum(address), format!("{address}#69stkqkg"));
    }
}
