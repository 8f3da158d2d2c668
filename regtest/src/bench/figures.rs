//! What was measured, how it is shown, and what it should be.

use anyhow::Result;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;
use sluice::units::Asset;

use super::Args;
use crate::world::backends::name_of;

/// One figure of one or several measurements.
#[derive(Debug, Serialize)]
struct Figure {
    what: String,
    unit: &'static str,
    n: usize,
    min: f64,
    median: f64,
    max: f64,
    /// The most that it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    met: Option<bool>,
}

/// All figures of a run.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    asset: Asset,
    chain: String,
    lightning: String,
    optimised: bool,
    figures: Vec<Figure>,
}

impl Figures {
    pub(super) fn new(args: &Args, optimised: bool) -> Figures {
        Figures {
            asset: args.asset,
            chain: args.backends.chain(args.asset),
            lightning: name_of(&args.backends.lightning),
            optimised,
            figures: Vec::new(),
        }
    }

    /// Notes a figure; `target` is the most that its median should be. Nothing measured is nothing noted.
    pub(super) fn add(
        &mut self,
        what: impl Into<String>,
        unit: &'static str,
        mut values: Vec<f64>,
        target: Option<f64>,
    ) {
        values.sort_by(f64::total_cmp);
        let (Some(min), Some(max)) = (values.first().copied(), values.last().copied()) else {
            return;
        };
        let median = values[values.len() / 2];
        let what = what.into();
        eprintln!("{what}: {median:.2} {unit}");
        self.figures.push(Figure {
            what,
            unit,
            n: values.len(),
            min,
            median,
            max,
            target,
            met: target.map(|target| median <= target),
        });
    }

    /// Prints a table, or one JSON object.
    #[expect(clippy::print_stdout, reason = "it is what the command was called for")]
    pub(super) fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string(self)?);
            return Ok(());
        }
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY);
        table.set_header(["what", "unit", "n", "min", "median", "max", "at most", ""]);
        for figure in &self.figures {
            let target = figure.target.map(number).unwrap_or_default();
            let met = figure.met.map_or("", |met| if met { "met" } else { "MISSED" });
            table.add_row([
                figure.what.clone(),
                figure.unit.into(),
                figure.n.to_string(),
                number(figure.min),
                number(figure.median),
                number(figure.max),
                target,
                met.into(),
            ]);
        }
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        println!(
            "{} on a chain that is {}, lightning {}",
            self.asset, self.chain, self.lightning
        );
        if !self.optimised {
            println!("This build is not optimised: times and memory are not what a release needs.");
        }
        println!("{table}");
        Ok(())
    }
}

fn number(value: f64) -> String {
    format!("{value:.2}")
}
