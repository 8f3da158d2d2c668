//! Text from strangers, made fit for a log line and a terminal.

/// The longest reason, in characters, that is kept of a peer's message or sent in ours.
pub const MAX_REASON: usize = 1000;

/// The text without what could steer a terminal or disguise what it says, cut to `max_chars`.
///
/// Line breaks and tabs become spaces; other control characters and the invisible ones that reorder text are dropped.
#[must_use]
pub fn plain(text: &str, max_chars: usize) -> String {
    let mut kept = text.chars().filter_map(|c| match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
        c if c.is_control() || is_invisible(c) => None,
        c => Some(c),
    });
    let mut plain: String = kept.by_ref().take(max_chars).collect();
    if kept.next().is_some() {
        plain.push('…');
    }
    plain
}

/// Format characters that take no space or turn the direction of what follows.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_direction_marks_do_not_reach_a_terminal() {
        let hostile = "\u{1b}[2Jno\u{7f} \u{202e}balance\u{9b}31m\r\nnext\tline";
        assert_eq!(plain(hostile, 100), "[2Jno balance31m  next line");
    }

    #[test]
    fn a_long_text_is_cut_by_characters_and_shows_it() {
        assert_eq!(plain("äöüß", 4), "äöüß");
        assert_eq!(plain("äöüßé", 4), "äöüß…");
    }
}
