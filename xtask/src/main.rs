//! Chores of the project that need more than a line of shell: `cargo xtask <verb>`.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks on its terminal")]

mod codegen;
mod compat;
mod deps;
mod lint_size;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "usage: cargo xtask <verb>
  codegen [--check]   write the wire types of every service from its public model (or only compare)
  compat [--check]    write docs/compat.md: what of the API is built and what shows it (or only compare)
  deps                check the directions in which the crates depend on each other
  lint-size           check that no file and no function has grown too long";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["codegen"] => codegen::run(codegen::Mode::Write),
        ["codegen", "--check"] => codegen::run(codegen::Mode::Check),
        ["compat"] => compat::run(codegen::Mode::Write),
        ["compat", "--check"] => compat::run(codegen::Mode::Check),
        ["deps"] => deps::run(),
        ["lint-size"] => lint_size::run(),
        _ => bail!("{USAGE}"),
    }
}

/// The root of the workspace.
fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
