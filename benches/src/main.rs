//! `rushlight-bench`: measures the server against a two-hop reference, interleaved, in one run on one machine.
//!
//! ```text
//!   load.rs ──> server.rs     `rushlight serve` as users run it: sandbox, signatures verified, logs kept
//!           └─> reference.rs  a bare HTTP server that hands the body to a waiting Runtime API client
//!                             and returns its answer
//! ```
//! Both run the same functions with the same runtime clients (`function.rs`) and get the same bytes from the
//! same load generator. What counts is the ratio between the two: absolute figures describe the machine and the
//! moment. `docs/performance.md` says what is measured and how to read it.

#![forbid(unsafe_code)]

mod bare;
mod check;
mod cold;
mod control;
mod function;
mod load;
mod machine;
mod memory;
mod peers;
mod process;
mod reference;
mod report;
mod request;
mod rooted;
mod sandboxes;
mod server;
mod settings;
mod start;
mod statistics;
mod warm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::function::Function;
use crate::report::Report;
use crate::settings::{Measure, Options, Settings};

#[derive(Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The two-hop reference; the bench starts it itself.
    #[command(hide = true)]
    Reference(reference::Arguments),
}

fn main() -> ExitCode {
    let CommandLine { command, options } = CommandLine::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.map_err(anyhow::Error::from).and_then(|runtime| match command {
        Some(Command::Reference(arguments)) => runtime.block_on(reference::serve(arguments)),
        None => runtime.block_on(run_until_interrupted(options)),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::note(&format!("rushlight-bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// A signal drops what runs, and dropping it ends every process and removes every directory that it made.
async fn run_until_interrupted(options: Options) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        outcome = run(options) => outcome,
        _ = interrupt.recv() => anyhow::bail!("interrupted"),
        _ = terminate.recv() => anyhow::bail!("told to end"),
    }
}

async fn run(options: Options) -> anyhow::Result<()> {
    let settings = Settings::prepare(options)?;
    let functions = Function::prepare_all(&settings)?;
    let mut report = Report::begin(&settings, &functions);
    for measure in &settings.measures {
        match measure {
            Measure::Start => start::measure(&settings, &mut report).await?,
            Measure::Warm => {
                // Sixty-four machines of Java or .NET would measure the memory of this one.
                for function in functions.iter().filter(|function| function.kind.is_measured_warm()) {
                    warm::measure(&settings, function, &mut report).await?;
                }
            }
            Measure::Cold => {
                for function in &functions {
                    cold::measure(&settings, function, &mut report).await?;
                }
            }
            Measure::Control => control::measure(&settings, &functions, &mut report).await?,
            Measure::Sandboxes => sandboxes::measure(&settings, &functions, &mut report).await?,
            Measure::Peers => {
                for function in functions.iter().filter(|function| function.kind.is_measured_warm()) {
                    peers::measure(&settings, function, &mut report).await?;
                }
            }
            Measure::Memory => {
                for function in &functions {
                    memory::measure(&settings, function, &mut report).await?;
                }
            }
        }
    }
    report.finish(&settings)
}
