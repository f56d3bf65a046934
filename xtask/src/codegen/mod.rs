//! `cargo xtask codegen`: the wire types of every service, from its public model.
//!
//! The model (botocore's, at a pinned version) is downloaded, never committed; corrections where AWS
//! behaves differently from it are data in `xtask/overlay/<service>.toml`. What is written is
//! `crates/api/src/generated/<service>/`, one file per concern; `emit` has a module for each.

mod emit;
mod model;
mod names;
mod overlay;
mod pattern;
mod service;
mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::{Context, Result, bail};

use crate::workspace_root;
use service::Service;

/// The services that are generated, by the name of their overlay.
const SERVICES: [&str; 4] = ["lambda", "logs", "iam", "sts"];

/// What to do with the generated files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Write them.
    Write,
    /// Fail if they differ from what is committed.
    Check,
}

/// What is generated of a service, for those who want to say something about all of it.
pub(crate) struct ServiceOperations {
    /// For people: `CloudWatch Logs`.
    pub(crate) title: String,
    /// The name of the AWS CLI and of boto3.
    pub(crate) cli_name: String,
    /// The generated trait.
    pub(crate) trait_name: String,
    /// The operations in the order of their names.
    pub(crate) operations: Vec<String>,
    /// Whether the service has more operations than are generated.
    pub(crate) is_partial: bool,
}

impl ServiceOperations {
    /// Tells an operation from one of the same name of another service: `lambda.GetPolicy`.
    pub(crate) fn key(&self, operation: &str) -> String {
        format!("{}.{operation}", self.cli_name)
    }
}

/// The operations of every service.
pub(crate) fn operations(root: &Path) -> Result<Vec<ServiceOperations>> {
    let mut wheel = source::Wheel::open(root)?;
    let load = |name: &&str| {
        let service = Service::load(root, name, &mut wheel).with_context(|| format!("service {name}"))?;
        Ok(ServiceOperations {
            title: service.title.clone(),
            cli_name: (*name).to_owned(),
            trait_name: format!("{}Service", service.overlay.name),
            is_partial: !service.overlay.operations.is_empty(),
            operations: service.operations.into_keys().collect(),
        })
    };
    SERVICES.iter().map(load).collect()
}

/// The method that implements an operation.
pub(crate) fn method_name(operation: &str) -> String {
    service::OperationNames::new(operation).method
}

/// Generates every service.
pub(crate) fn run(mode: Mode) -> Result<()> {
    let root = workspace_root();
    let target = root.join("crates/api/src/generated");
    let mut wheel = source::Wheel::open(&root)?;
    let mut files = BTreeMap::from([(PathBuf::from("mod.rs"), emit::modules(&SERVICES))]);
    for name in SERVICES {
        let service = Service::load(&root, name, &mut wheel).with_context(|| format!("service {name}"))?;
        for (file, text) in emit::service(&service).with_context(|| format!("service {name}"))? {
            files.insert(Path::new(name).join(file), text);
        }
    }
    let files = source::format_all(&root, files)?;
    match mode {
        Mode::Write => write(&target, &files),
        Mode::Check => check(&target, &files),
    }
}

fn write(target: &Path, files: &BTreeMap<PathBuf, String>) -> Result<()> {
    for (file, text) in files {
        let path = target.join(file);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // An unchanged file keeps its time, so that cargo does not rebuild for it.
        if fs::read_to_string(&path).ok().as_ref() != Some(text) {
            fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
            println!("wrote {}", path.display());
        }
    }
    for stray in strays(target, files)? {
        fs::remove_file(&stray).with_context(|| format!("removing {}", stray.display()))?;
        println!("removed {}", stray.display());
    }
    Ok(())
}

fn check(target: &Path, files: &BTreeMap<PathBuf, String>) -> Result<()> {
    let mut stale = strays(target, files)?;
    for (file, text) in files {
        let path = target.join(file);
        if fs::read_to_string(&path).ok().as_ref() != Some(text) {
            stale.push(path);
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = stale.iter().map(|path| path.display().to_string()).collect();
    bail!("generated files are stale, run `cargo xtask codegen`:\n  {}", list.join("\n  "))
}

/// Files in the target folder that were not generated this time.
fn strays(target: &Path, files: &BTreeMap<PathBuf, String>) -> Result<Vec<PathBuf>> {
    let mut strays = Vec::new();
    let mut folders = vec![target.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.with_context(|| format!("reading {}", folder.display()))?,
        };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if !files.contains_key(path.strip_prefix(target)?) {
                strays.push(path);
            }
        }
    }
    Ok(strays)
}
