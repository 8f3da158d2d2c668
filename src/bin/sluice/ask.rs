//! What is asked of the person at the keyboard. Secrets are read, never taken from the command line: other users of the
//! machine see that.

use std::io::{BufRead, IsTerminal, Read, Write};

use sluice::keys::Words;
use zeroize::Zeroizing;

use crate::exit::Failure;

/// Longer than twelve words ever are.
const LONGEST: u64 = 4096;

/// Whether there is somebody to ask.
pub fn is_possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks until the answer is yes or no; an empty answer, or none, is no.
pub fn is_yes(question: &str) -> Result<bool, Failure> {
    loop {
        eprint!("{question} [yes/no] ");
        let mut answer = String::new();
        let read = std::io::stdin().lock().take(LONGEST).read_line(&mut answer);
        read.map_err(|error| Failure::Other(format!("standard input: {error}")))?;
        match answer.trim().to_lowercase().as_str() {
            "yes" => return Ok(true),
            "no" | "" => return Ok(false),
            _ => {}
        }
    }
}

/// Reads the twelve words of a seed from the terminal, or all of standard input.
pub fn words() -> Result<Words, Failure> {
    let text = if is_possible() {
        eprint!("the twelve words of the seed: ");
        let _ = std::io::stderr().flush();
        typed()
    } else {
        let mut text = Zeroizing::new(String::new());
        let read = std::io::stdin().lock().take(LONGEST).read_to_string(&mut text);
        read.map(|_| text)
    };
    let text = text.map_err(|error| Failure::Other(format!("standard input: {error}")))?;
    if text.trim().is_empty() {
        return Err(Failure::Usage(
            "the twelve words of the seed are read from standard input, which holds none".into(),
        ));
    }
    Words::parse(&text).map_err(|error| Failure::Other(error.to_string()))
}

/// Lines until there are twelve words, or an empty one.
fn typed() -> std::io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(256));
    loop {
        let before = text.len();
        std::io::stdin().lock().take(LONGEST).read_line(&mut text)?;
        let line_is_empty = text[before..].trim().is_empty();
        if line_is_empty || text.split_whitespace().count() >= 12 {
            return Ok(text);
        }
    }
}
