//! `rushlight`: the server and its client commands in one binary.

#![forbid(unsafe_code)]

mod client;
mod command;
mod config;
mod delivery;
mod forward;
mod http_client;
mod images;
mod keys;
mod log_destination;
mod otlp;
mod output;
mod postbox;
mod s3;
mod tls;
mod trace_destination;
mod wire;
mod xml;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::output::Output;

/// AWS Lambda that you own.
#[derive(Debug, Parser)]
#[command(name = "rushlight", version, propagate_version = true, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the AWS Lambda API.
    Serve(Box<config::Flags>),
    /// Tell what this machine offers, what that means for isolation, and how to mend what is missing.
    Doctor(command::doctor::Arguments),
    /// List functions.
    Functions(command::functions::Arguments),
    /// Invoke a function and show its result.
    Invoke(command::invoke::Arguments),
    /// Show a function's log.
    Logs(command::logs::Arguments),
    /// Work with users, roles and what they may do.
    Iam(command::iam::Arguments),
    /// Work with what functions run on.
    Runtimes(command::runtimes::Arguments),
    /// Work with the server's clock.
    Clock(command::clock::Arguments),
}

fn main() -> ExitCode {
    // The sandbox backend starts this binary again as its privileged helper: nothing may come before this, since the
    // helper must be the only thread of its process.
    rushlight_sandbox::jailer::main_if_requested();
    let arguments = Arguments::parse();
    let output = Output::standard();
    match run(arguments.command, &output) {
        Ok(code) => code,
        Err(error) => {
            output.failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, output: &Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(flags) => command::serve::run(*flags, output),
        Command::Doctor(arguments) => command::doctor::run(&arguments, output),
        Command::Functions(arguments) => client::block_on(command::functions::run(arguments, output)),
        Command::Invoke(arguments) => client::block_on(command::invoke::run(arguments, output)),
        Command::Logs(arguments) => client::block_on(command::logs::run(arguments, output)),
        Command::Iam(arguments) => client::block_on(command::iam::run(arguments, output)),
        Command::Runtimes(arguments) => client::block_on(command::runtimes::run(arguments, output)),
        Command::Clock(arguments) => client::block_on(command::clock::run(arguments, output)),
    }
}
