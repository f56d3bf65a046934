//! What this machine cannot run, each in one sentence for whoever asked.

use std::io;

/// A runtime that this machine cannot run, in one sentence for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No such identifier.
    #[error("there is no runtime {identifier}; the known ones are {}", known.join(", "))]
    Unknown {
        /// As asked for.
        identifier: String,
        /// Every identifier.
        known: Vec<String>,
    },
    /// No interpreter of that version.
    #[error(
        "{identifier} needs {language} {version}, which is not on this machine ({}); install it so that `{name}` is on \
         the PATH, say where it is with `--runtime {identifier}=/path/to/{name}`, or give it a root file system with \
         `rushlight runtimes add {identifier} IMAGE`",
        found_text(found)
    )]
    Interpreter {
        /// The runtime.
        identifier: String,
        /// E.g. `Python`.
        language: String,
        /// E.g. `3.12`.
        version: String,
        /// What the executable is usually called.
        name: String,
        /// Other versions that were found.
        found: Vec<String>,
    },
    /// A function for another processor, and no emulator.
    #[error(
        "the function is for {architecture}, which is not this machine's architecture, and there is no emulator for it; \
         install qemu-user-static, or deploy {identifier} functions for this machine's architecture"
    )]
    Emulator {
        /// The runtime.
        identifier: String,
        /// E.g. `arm64`.
        architecture: &'static str,
    },
    /// A function for another processor, and an interpreter only for this one.
    #[error(
        "the function is for {architecture}, and the interpreters of this machine are not; say where a root file system of \
         that architecture is with `--runtime {identifier}/{architecture}=DIRECTORY`"
    )]
    Foreign {
        /// The runtime.
        identifier: String,
        /// E.g. `arm64`.
        architecture: &'static str,
    },
    /// The executable or the root file system that the operator named does not serve.
    #[error("{identifier}: {path}, which it was given, {reason}")]
    Given {
        /// The runtime.
        identifier: String,
        /// The executable or the directory.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A root file system cannot be added, or not removed.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// It does not serve, or there is no such runtime.
    #[error(transparent)]
    Unfit(#[from] Missing),
    /// The link cannot be written.
    #[error("cannot note it: {0}")]
    Write(#[from] io::Error),
}

fn found_text(found: &[String]) -> String {
    if found.is_empty() { "none was found".to_owned() } else { format!("found: {}", found.join(", ")) }
}
