//! What a person reads: 80 columns, colours on a terminal only.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::Result;

/// Columns of the page.
const WIDTH: usize = 80;
/// Columns before the text of a line of the timeline: time, a gap, who, a gap.
const MARGIN: usize = 16;

/// How a text is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A heading.
    Strong,
    /// Of second rank.
    Dim,
    /// As it should be.
    Good,
    /// Alice's.
    Alice,
    /// Bob's.
    Bob,
    /// The chain's.
    Chain,
}

/// Where the story goes.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    to_stderr: bool,
    color: bool,
}

impl Page {
    /// A page on standard output, or, where that is a program's, on standard error.
    #[must_use]
    pub fn new(to_stderr: bool) -> Page {
        // https://no-color.org: present and not empty
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let terminal = if to_stderr {
            std::io::stderr().is_terminal()
        } else {
            std::io::stdout().is_terminal()
        };
        Page {
            to_stderr,
            color: terminal && !unwanted,
        }
    }

    /// One line as it is.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub fn line(&self, text: &str) -> Result<()> {
        if self.to_stderr {
            writeln!(std::io::stderr().lock(), "{}", text.trim_end())?;
        } else {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", text.trim_end())?;
            out.flush()?;
        }
        Ok(())
    }

    /// An empty line and a heading.
    ///
    /// # Errors
    /// As [`Page::line`].
    pub fn heading(&self, text: &str) -> Result<()> {
        self.line("")?;
        self.line(&self.paint(text, Tone::Strong))
    }

    /// A name and what is to be said about it.
    ///
    /// # Errors
    /// As [`Page::line`].
    pub fn fact(&self, name: &str, text: &str) -> Result<()> {
        self.hanging(&self.paint(&format!("  {name:<12}"), Tone::Dim), 14, text)
    }

    /// A line of the timeline. What does not fit goes on below; `details` have lines of their own.
    ///
    /// # Errors
    /// As [`Page::line`].
    pub fn event(&self, at: Duration, who: (&str, Tone), text: &str, details: &[String]) -> Result<()> {
        let time = self.paint(&format!("{:>7.3}", at.as_secs_f64()), Tone::Dim);
        let name = self.paint(&format!("{:<5}", who.0), who.1);
        self.hanging(&format!("{time}  {name}  "), MARGIN, text)?;
        for detail in details {
            for row in wrapped(detail, WIDTH - MARGIN) {
                self.line(&format!("{:MARGIN$}{}", "", self.paint(&row, Tone::Dim)))?;
            }
        }
        Ok(())
    }

    /// A text beside a head that takes up `margin` columns; what does not fit goes on below, beside the head as well.
    ///
    /// # Errors
    /// As [`Page::line`].
    pub fn hanging(&self, head: &str, margin: usize, text: &str) -> Result<()> {
        for (index, row) in wrapped(text, WIDTH - margin).iter().enumerate() {
            let before = if index == 0 { head } else { &" ".repeat(margin) };
            self.line(&format!("{before}{row}"))?;
        }
        Ok(())
    }

    /// The text in the colour of its meaning, where there are colours.
    #[must_use]
    pub fn paint(&self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Strong => "1",
            Tone::Dim => "2",
            Tone::Good => "32",
            Tone::Alice => "36",
            Tone::Bob => "35",
            Tone::Chain => "33",
        };
        if self.color {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Keeps words together in a row.
pub const NO_BREAK: char = '\u{a0}';

/// The text in rows of at most `width` characters, broken between words. A longer word has a row of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    for word in text.split(' ') {
        let last = rows.last_mut().expect("there is a first row");
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= width {
            last.push(' ');
            last.push_str(word);
        } else {
            rows.push(word.to_owned());
        }
    }
    rows.into_iter().map(|row| row.replace(NO_BREAK, " ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_break_between_words_and_keep_long_ones_whole() {
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("ab cd ef", 5), ["ab cd", "ef"]);
        assert_eq!(wrapped("ab 0123456789 c", 5), ["ab", "0123456789", "c"]);
        assert_eq!(wrapped("a b\u{a0}c", 4), ["a", "b c"]);
    }

    #[test]
    fn a_transaction_id_fits_beside_the_margin() {
        assert_eq!(wrapped(&"f".repeat(64), WIDTH - MARGIN).len(), 1);
    }
}
