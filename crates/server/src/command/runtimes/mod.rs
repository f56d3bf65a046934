//! `rushlight runtimes`: what functions run on here, and root file systems for what this machine does not have.

mod versions;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use rushlight_environment::runtime::{Catalogue, Settings};
use rushlight_image::{Architecture, Source};
use rushlight_runtimes::{Architecture as Machine, Definition};
use serde_json::json;

use crate::config::{ImageConfig, Pair, default_data_dir};
use crate::images::{registries, runtime_images};
use crate::output::{Output, Style};

/// See `rushlight runtimes --help`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List runtimes: what each runs on here, and until when functions are created with it.
    List {
        #[command(flatten)]
        place: Place,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Tell how to get what is missing. The exit status is 1 if a runtime that was asked for cannot run.
    Doctor {
        /// The runtimes to look at [default: all].
        #[arg(value_name = "RUNTIME")]
        identifiers: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Give a runtime a root file system, e.g. that of AWS' base image for it. Running servers find it.
    Add {
        /// E.g. `python3.12`.
        #[arg(value_name = "RUNTIME")]
        identifier: String,
        /// A directory, an image of a registry (`HOST/REPOSITORY:TAG`), `oci:DIRECTORY[:TAG]`, `oci-archive:FILE` or
        /// `docker-archive:FILE`.
        #[arg(value_name = "SOURCE")]
        source: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        from: From,
    },
    /// Take that root file system away again.
    Remove {
        /// E.g. `python3.12`.
        #[arg(value_name = "RUNTIME")]
        identifier: String,
        #[command(flatten)]
        place: Place,
    },
    #[command(flatten)]
    Versions(versions::Command),
}

/// Where a server's data is, and what it was told.
#[derive(Debug, Args)]
struct Place {
    /// The directory of the server's data, as for `rushlight serve`.
    #[arg(long, env = "RUSHLIGHT_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// The interpreter or root file system of a runtime, as for `rushlight serve`; repeatable.
    #[arg(long = "runtime", env = "RUSHLIGHT_RUNTIMES", value_name = "RUNTIME=PATH", value_delimiter = ',')]
    runtimes: Vec<Pair>,
}

/// How registries are spoken to.
#[derive(Debug, Args)]
struct From {
    /// A registry that images may come from, as for `rushlight serve`; repeatable.
    #[arg(long = "registry", env = "RUSHLIGHT_REGISTRIES", value_name = "HOST", value_delimiter = ',')]
    registries: Vec<String>,

    /// A file in the form of Docker's `config.json`, as for `rushlight serve`.
    #[arg(long, env = "RUSHLIGHT_REGISTRY_CREDENTIALS", value_name = "FILE")]
    registry_credentials: Option<PathBuf>,
}

/// Runs the verb.
pub async fn run(arguments: Arguments, output: &Output) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Versions(command) => versions::run(command, output).await,
        Command::List { place, json } => {
            let runtimes = look(&place.catalogue()?);
            match json {
                true => output.json(&runtimes.iter().map(Runtime::to_json).collect()),
                false => runtimes.iter().for_each(|runtime| runtime.show(output)),
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Doctor { identifiers, place } => doctor(&place, &identifiers, output),
        Command::Add { identifier, source, place, from } => {
            let directory = place.directory()?;
            let catalogue = place.catalogue()?;
            let root = root(&source, &directory, from).await?;
            catalogue.add(&identifier, &root)?;
            output.line(format!("{identifier} runs in {} from now on.", root.display()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Remove { identifier, place } => {
            let catalogue = place.catalogue()?;
            ensure!(catalogue.remove(&identifier)?, "nothing was added for {identifier}");
            output.line(format!("{identifier} has no root file system of its own any more."));
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl Place {
    fn directory(&self) -> anyhow::Result<PathBuf> {
        let data = self.data_dir.clone().map_or_else(default_data_dir, Ok)?;
        Ok(std::path::absolute(data)?.join("runtimes"))
    }

    fn catalogue(&self) -> anyhow::Result<Catalogue> {
        let pairs = self.runtimes.iter().map(|pair| (pair.key.clone(), PathBuf::from(&pair.value)));
        let interpreters: BTreeMap<_, _> = pairs.collect();
        let settings = Settings { data_directory: self.directory()?, interpreters };
        Catalogue::discover(settings).context("cannot prepare the runtimes")
    }
}

/// The root file system that a source names: a directory as it is, an image unpacked.
async fn root(source: &str, directory: &Path, from: From) -> anyhow::Result<PathBuf> {
    if Path::new(source).is_dir() {
        return Ok(std::fs::canonicalize(source)?);
    }
    let config =
        ImageConfig { registries: from.registries, credentials: from.registry_credentials, directory: None };
    let source: Source = source.parse()?;
    let images = runtime_images(directory)?;
    let architecture = match std::env::consts::ARCH {
        "aarch64" => Architecture::Arm64,
        _ => Architecture::X86_64,
    };
    Ok(images.fetch(&source, architecture, &registries(&config)?).await?.root)
}

/// A runtime as it is found here.
struct Runtime {
    definition: Definition,
    found: Result<String, String>,
}

fn look(catalogue: &Catalogue) -> Vec<Runtime> {
    let listings = catalogue.list().into_iter();
    let runtimes = listings.filter_map(|listing| {
        let definition = catalogue.known(&listing.identifier)?.clone();
        Some(Runtime { definition, found: listing.status })
    });
    runtimes.collect()
}

impl Runtime {
    fn to_json(&self) -> serde_json::Value {
        let dates = &self.definition.dates;
        let (status, detail) = match &self.found {
            Ok(detail) => ("found", detail),
            Err(detail) => ("missing", detail),
        };
        json!({
            "identifier": self.definition.identifier,
            "version": self.definition.version,
            "architectures": self.definition.architectures.iter().map(name).collect::<Vec<_>>(),
            "status": status,
            "detail": detail,
            "deprecation": dates.deprecation,
            "blockCreate": dates.block_create,
            "blockUpdate": dates.block_update,
        })
    }

    fn show(&self, output: &Output) {
        let (mark, style, detail) = match &self.found {
            Ok(detail) => ("ok", Style::Good, detail.as_str()),
            Err(_) => ("missing", Style::Dim, "rushlight runtimes doctor says how to get it"),
        };
        let mark = output.styled(style, format!("{mark:>8}"));
        let until = self.definition.dates.block_create.as_deref();
        let until = until.map_or_else(String::new, |day| format!("created until {day}"));
        let detail = output.styled(Style::Dim, detail);
        output.line(format!("{mark}  {:16} {until:25} {detail}", self.definition.identifier));
    }
}

fn name(architecture: &Machine) -> &'static str {
    match architecture {
        Machine::X86_64 => "x86_64",
        Machine::Arm64 => "arm64",
    }
}

fn doctor(place: &Place, wanted: &[String], output: &Output) -> anyhow::Result<ExitCode> {
    let catalogue = place.catalogue()?;
    let runtimes = look(&catalogue);
    for identifier in wanted {
        // Says which ones there are.
        if catalogue.known(identifier).is_none() {
            catalogue.resolve(identifier)?;
        }
    }
    let asked = |runtime: &&Runtime| wanted.is_empty() || wanted.contains(&runtime.definition.identifier);
    let mut missing = false;
    for runtime in runtimes.iter().filter(asked) {
        match &runtime.found {
            Ok(detail) => output.line(format!(
                "{}  {:16} {}",
                output.styled(Style::Good, format!("{:>8}", "ok")),
                runtime.definition.identifier,
                output.styled(Style::Dim, detail)
            )),
            Err(sentence) => {
                missing = true;
                output
                    .line(format!("{}  {sentence}", output.styled(Style::Bad, format!("{:>8}", "missing"))));
            }
        }
    }
    Ok(if missing && !wanted.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
