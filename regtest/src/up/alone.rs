//! `cargo regtest liquid`: the chain alone, for wallets and scripts that need no Sluice.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};

use super::place::Place;
use super::site::Site;
use super::stay::{Ending, stay};
use super::{Common, env, screen};
use crate::liquid::{Auth, LiquidChain, Options, Release};
use crate::world::chains::Chains;
use crate::world::liquid::Liquid;

/// How.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port of 127.0.0.1 that it listens on; 0 takes a free one
    #[arg(long, default_value_t = 7041)]
    port: u16,
    /// The name that callers give
    #[arg(long, default_value = "regtest", value_parser = user)]
    user: String,
    /// The password that callers give
    #[arg(long, default_value = "regtest")]
    password: String,
    /// Writes a random password to this file instead, as elementsd does to its .cookie
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "password"])]
    cookie: Option<PathBuf>,
    /// The Elements release whose answers are imitated
    #[arg(long, value_enum, default_value_t = Imitated::V28)]
    release: Imitated,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Imitated {
    #[value(name = "23.3.3")]
    V23,
    #[value(name = "28.99")]
    V28,
}

/// Basic authentication cannot tell a colon in the name from the one before the password.
fn user(text: &str) -> Result<String, String> {
    match text.contains(':') {
        true => Err("must not contain a colon".to_owned()),
        false => Ok(text.to_owned()),
    }
}

pub(super) async fn run(args: Args) -> Result<()> {
    let began = Instant::now();
    let mut ending = Ending::listen()?;
    let place = Place::claim(args.common.world.as_deref())?;
    let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let options = Options {
        bind,
        auth: match args.cookie {
            Some(path) => Auth::Cookie(path),
            None => Auth::User {
                user: args.user,
                password: args.password,
            },
        },
        release: match args.release {
            Imitated::V23 => Release::V23,
            Imitated::V28 => Release::V28,
        },
        state_file: args.common.state.clone(),
        ..Options::default()
    };
    let named = || match &args.common.state {
        Some(state) => format!("{bind} with state {}", state.display()),
        None => bind.to_string(),
    };
    let chain = LiquidChain::start(options).await.with_context(named)?;
    chain.save().with_context(named)?;
    let liquid = Liquid::Embedded(chain);
    let site = Site::of_chain(&place, &liquid).await?;
    env::write(&site, None)?;
    let ready = || {
        let text = match args.common.json {
            true => serde_json::to_string(&site)? + "\n",
            false => screen::text(&site, None, began.elapsed(), args.common.block_time)?,
        };
        Ok(std::io::stdout().write_all(text.as_bytes())?)
    };
    stay(&place, Chains::of_liquid(&liquid), &args.common, ready, &mut ending).await
}
