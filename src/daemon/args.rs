//! What the daemon is told on its command line.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::config::Sources;

/// The daemon's command line.
#[derive(Debug, clap::Args)]
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
