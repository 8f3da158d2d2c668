//! Log lines: for people on a terminal, JSON for machines.

use std::io::IsTerminal;

use anyhow::Context;
use sluice::config::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

/// Begins logging to standard error.
///
/// # Errors
/// If the level is not one.
pub fn begin(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.level).with_context(|| format!("log.level `{}`", log.level))?;
    let terminal = std::io::stderr().is_terminal();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let human = match log.format {
        LogFormat::Auto => terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    if human {
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        subscriber.with_target(false).with_ansi(colour).init();
    } else {
        subscriber.json().flatten_event(true).init();
    }
    Ok(())
}
