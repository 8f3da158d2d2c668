//! What the daemon is told on its command line.

use std::fmt;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::config::{Sources, keys_of};

/// The daemon's command line. What keys are set to does not print: one may be a password.
#[derive(clap::Args)]
pub struct Args {
    /// The configuration file [default: sluice.toml in the data folder, if it is there]
    #[arg(long, env = "SLUICE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data folder
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Begin an empty database beside the seed that is there: swaps that the lost one knew are forgotten
    #[arg(long)]
    pub new_database: bool,
    /// How log lines look
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<Format>,
    /// Any other key of the configuration, such as liquid.rpc_url=http://127.0.0.1:7041
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Format {
    /// Human on a terminal, JSON elsewhere
    Auto,
    /// Lines for people
    Human,
    /// One JSON object a line
    Json,
}

impl fmt::Debug for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Args")
            .field("config", &self.config)
            .field("data_dir", &self.data_dir)
            .field("new_database", &self.new_database)
            .field("log_format", &self.log_format)
            .field("overrides", &keys_of(&self.overrides))
            .finish()
    }
}

impl Args {
    /// Where the configuration comes from: this process's environment, the file, and what was given here.
    pub(super) fn sources(self) -> Sources {
        let mut overrides = self.overrides;
        overrides.extend(self.data_dir.map(|dir| format!("data_dir={dir}")));
        overrides.extend(self.log_format.map(|format| {
            let name = match format {
                Format::Auto => "auto",
                Format::Human => "human",
                Format::Json => "json",
            };
            format!("log.format={name}")
        }));
        Sources::of_process(self.config, overrides)
    }
}
