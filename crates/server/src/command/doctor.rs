//! `rushlight doctor`

use std::process::ExitCode;

use clap::Args;

use crate::output::Output;

/// See `rushlight doctor --help`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(_arguments: &Arguments, _output: &Output) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not yet")
}
