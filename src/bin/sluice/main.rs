//! `sluice`, the command line of `sluiced`: types commands into calls of the API and answers into words.

mod args;
mod ask;
mod chain;
mod connect;
mod db;
mod exit;
mod follow;
mod operate;
mod peer;
mod progress;
mod rescue;
mod screen;
mod seed;
mod swap;
mod values;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use sluice::keys::forbid_core_dumps;

use args::{Asked, ChainCommand, Cli, Command};
use connect::Daemon;
use exit::{Exit, Failure};
use screen::Screen;

fn main() -> ExitCode {
    // it reads the token, and for some commands the seed
    if let Err(error) = forbid_core_dumps() {
        eprintln!("note: core dumps cannot be forbidden ({error}): after a crash a file may hold keys");
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let screen = Screen::new(&cli.global);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("the system gives a runtime its threads");
    let exit = match runtime.block_on(run(cli, screen)) {
        Ok(exit) => exit,
        Err(failure) => {
            screen.failure(&failure);
            failure.exit()
        }
    };
    // a thread may be waiting for a node's next block
    runtime.shutdown_background();
    exit.into()
}

async fn run(cli: Cli, screen: Screen) -> Result<Exit, Failure> {
    let asked = match cli.command {
        Command::Asked(asked) => asked,
        Command::Seed(command) => return seed::run(command, &cli.global, screen),
        Command::Db(command) => return db::run(command, &cli.global, screen),
        Command::Rescue(args) => return rescue::run(&args, screen).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "sluice", &mut std::io::stdout());
            return Ok(Exit::Done);
        }
    };
    let daemon = Daemon::find(&cli.global)?;
    match asked {
        Asked::Info => operate::info(&daemon, screen).await,
        Asked::Swap(command) => swap::run(command, &daemon, screen).await,
        Asked::Peer(command) => peer::run(command, &daemon, screen).await,
        Asked::Chain { command } => chain::run(command.unwrap_or(ChainCommand::List), &daemon, screen).await,
        Asked::Policy(command) => operate::policy(command, &daemon, screen).await,
        Asked::Premium(command) => operate::premium(command, &daemon, screen).await,
        Asked::Wallet(command) => operate::wallet(command, &daemon, screen).await,
        Asked::Stop => operate::stop(&daemon, screen).await,
    }
}

/// Help and version, or what is wrong with the command line: clap's text, and with `--json` the object as well.
fn usage(error: &clap::Error) -> ExitCode {
    let wrong = error.use_stderr();
    // the arguments could not be read, so the flag is looked for as it was typed
    if wrong
        && std::env::args_os()
            .take_while(|arg| arg != "--")
            .any(|arg| arg == "--json")
    {
        let failure = Failure::Usage(exit::one_sentence(&error.render().to_string()));
        // if this cannot be printed, the exit code still tells
        let _ = writeln!(std::io::stdout(), "{}", failure.json());
    }
    let _ = error.print();
    if wrong { Exit::Usage } else { Exit::Done }.into()
}
