//! `runtime.toml`: what a managed runtime is.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A runtime as `runtimes/<identifier>/runtime.toml` describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Definition {
    /// E.g. `python3.12`.
    pub identifier: String,
    /// `python`, `nodejs`, `ruby`, `java`, `dotnet` or `provided`: which client it has.
    pub family: String,
    /// `AL2` or `AL2023`.
    pub operating_system: String,
    /// The text that INIT_START prints.
    pub version: String,
    /// `AWS_EXECUTION_ENV`.
    pub execution_environment: Option<String>,
    /// Processor architectures that AWS offers it for.
    pub architectures: Vec<Architecture>,
    /// What it can do beyond running.
    pub features: Vec<Feature>,
    /// The command line in the sandbox; empty where an entry point is executed.
    pub command: Vec<String>,
    /// A script of the client's that starts the command, and with it the function's wrapper.
    #[serde(default)]
    pub starter: Option<String>,
    /// Files of which the first that exists is executed.
    #[serde(default)]
    pub entrypoints: Vec<String>,
    /// The interpreter, if it needs one.
    pub interpreter: Option<Interpreter>,
    /// Variables of every process.
    pub environment: BTreeMap<String, String>,
    /// Where layers put what the runtime finds.
    pub layers: Layers,
    /// AWS' calendar for it.
    #[serde(default)]
    pub dates: Dates,
    /// Arguments that only some interpreters take.
    #[serde(default)]
    pub conditional_arguments: Vec<ConditionalArgument>,
}

impl Definition {
    /// A definition that says nothing but its name.
    #[must_use]
    pub fn bare(identifier: &str) -> Self {
        Self {
            identifier: identifier.to_owned(),
            family: identifier.to_owned(),
            operating_system: String::new(),
            version: String::new(),
            execution_environment: None,
            architectures: Vec::new(),
            features: Vec::new(),
            command: Vec::new(),
            starter: None,
            entrypoints: Vec::new(),
            interpreter: None,
            environment: BTreeMap::new(),
            layers: Layers::default(),
            dates: Dates::default(),
            conditional_arguments: Vec::new(),
        }
    }
}

/// Processor architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Architecture {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit ARM.
    #[serde(rename = "arm64")]
    Arm64,
}

/// What a runtime can do beyond running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// Structured logs.
    JsonLogs,
    /// Start from a snapshot.
    SnapStart,
}

/// The interpreter that a runtime needs.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Interpreter {
    /// What its executable may be called, best first.
    pub names: Vec<String>,
    /// The version, or its beginning.
    pub version: String,
    /// The executable's name below `/var/lang/bin`.
    pub binary: String,
    /// It finds its own library only where it was installed, and so has to be there too.
    #[serde(default)]
    pub in_place: bool,
}

impl Interpreter {
    /// Whether an interpreter of `version` serves.
    #[must_use]
    pub fn accepts(&self, version: &str) -> bool {
        version.strip_prefix(&self.version).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// Where layers put what the runtime finds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    /// Directories below `/opt`.
    pub paths: Vec<String>,
}

/// AWS' calendar; a date that is absent is not scheduled.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Dates {
    /// `YYYY-MM-DD`.
    pub deprecation: Option<String>,
    /// From when functions cannot be created.
    pub block_create: Option<String>,
    /// From when functions cannot be updated.
    pub block_update: Option<String>,
}

/// An argument that goes right after the interpreter, where that understands it and the function does not want the
/// opposite.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ConditionalArgument {
    /// The argument.
    pub argument: String,
    /// A word of the function's `NODE_OPTIONS` that stands against it.
    pub unless_in_node_options: String,
    /// The least version of the interpreter.
    pub since: String,
}

impl ConditionalArgument {
    /// Whether it is given to an interpreter of `version`, for a function with these `NODE_OPTIONS`.
    #[must_use]
    pub fn applies(&self, version: &str, node_options: &str) -> bool {
        let numbers =
            |text: &str| text.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u32>>();
        numbers(version) >= numbers(&self.since)
            && !node_options.split_whitespace().any(|word| word == self.unless_in_node_options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_match_by_whole_numbers() {
        let interpreter =
            Interpreter { names: vec![], version: "3.1".to_owned(), binary: String::new(), in_place: false };
        assert!(interpreter.accepts("3.1") && interpreter.accepts("3.1.4"));
        assert!(!interpreter.accepts("3.12.1") && !interpreter.accepts("3"));
    }

    #[test]
    fn conditional_arguments_compare_numbers() {
        let argument = ConditionalArgument {
            argument: "--no-x".to_owned(),
            unless_in_node_options: "--x".to_owned(),
            since: "20.17".to_owned(),
        };
        assert!(argument.applies("20.17.0", "") && argument.applies("22.1.0", "--y"));
        assert!(!argument.applies("20.9.0", "") && !argument.applies("22.1.0", "--y --x"));
    }
}
