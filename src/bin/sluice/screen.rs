//! What is printed: JSON for programs, aligned text for people.

use std::io::{IsTerminal, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};
use serde::Serialize;

use crate::args::{ColorWhen, Global};
use crate::exit::Failure;

/// Where answers go.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// JSON instead of text.
    pub json: bool,
    color: bool,
    /// Whether progress can be drawn over itself.
    pub live: bool,
}

/// How a text is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Dim,
    Good,
    Warning,
    Bad,
}

impl Screen {
    pub fn new(global: &Global) -> Screen {
        // https://no-color.org: present and not empty
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = match global.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => !unwanted && std::io::stdout().is_terminal(),
        };
        let terminal = std::io::stderr().is_terminal() && std::io::stdout().is_terminal();
        Screen {
            json: global.json,
            color: color && !global.json,
            live: terminal && !global.json,
        }
    }

    /// Prints an answer: the object itself with `--json`, else what `text` makes of it.
    pub fn answer<T: Serialize>(&self, answer: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        if self.json {
            let line = serde_json::to_string(answer).map_err(|error| Failure::Other(error.to_string()))?;
            self.line(&line)
        } else {
            self.line(text(answer).trim_end())
        }
    }

    /// Prints a line. A reader that has gone (`sluice … | head`) ends the command quietly.
    pub fn line(&self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
            other => other.map_err(|error| Failure::Other(format!("standard output: {error}"))),
        }
    }

    /// The sentence on standard error; with `--json` the object on standard output as well.
    pub fn failure(&self, failure: &Failure) {
        if self.json {
            // if this cannot be printed either, the exit code still tells
            let _ = self.line(&failure.json().to_string());
        }
        eprintln!("{}: {failure}", self.paint("error", Tone::Bad));
    }

    pub fn paint(&self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Dim => "2",
            Tone::Good => "32",
            Tone::Warning => "33",
            Tone::Bad => "31",
        };
        if self.color {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Columns under their names; those in `right` hold numbers.
    pub fn table(&self, head: &[&str], right: &[usize], rows: Vec<Vec<String>>) -> String {
        let mut table = Table::new();
        table
            .load_style(NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled);
        if self.color {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_header(head.iter().map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
        table.add_rows(rows);
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if right.contains(&index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.trim_fmt()
    }

    /// Names and values, aligned; pairs without a value are left out.
    pub fn facts(&self, pairs: &[(&str, Option<String>)]) -> String {
        let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let lines = pairs.iter().filter_map(|(name, value)| {
            let value = value.as_ref()?;
            let name = self.paint(&format!("{name:width$}"), Tone::Dim);
            Some(format!("{name}  {value}\n"))
        });
        lines.collect()
    }
}
