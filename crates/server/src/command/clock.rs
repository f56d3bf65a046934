//! `rushlight clock advance SECONDS`

use std::process::ExitCode;

use bytes::Bytes;
use clap::{Args, Subcommand};
use http::Method;

use crate::client::{Client, ClientFlags};
use crate::output::Output;

/// See `rushlight clock --help`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Push the clock of a server that runs with `--clock virtual` ahead.
    Advance {
        /// By how much.
        #[arg(value_name = "SECONDS")]
        seconds: u64,
        #[command(flatten)]
        client: ClientFlags,
    },
}

/// Runs the verb.
pub async fn run(arguments: Arguments, output: &Output) -> anyhow::Result<ExitCode> {
    let Command::Advance { seconds, client: flags } = arguments.command;
    let path = format!("/_rushlight/clock/advance?seconds={seconds}");
    let answer = Client::new(&flags)?.send("lambda", Method::POST, &path, &[], Bytes::new()).await?.json()?;
    match flags.json {
        true => output.json(&answer),
        false => output.line(format!("It is now {}", answer["now"].as_str().unwrap_or_default())),
    }
    Ok(ExitCode::SUCCESS)
}
