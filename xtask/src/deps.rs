//! `cargo xtask deps`: the directions in which the crates of the workspace may depend on each other.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::workspace_root;

/// What each crate may depend on among the others. Dev-dependencies do not count: a test may wire the
/// real parts together. A crate that is not listed may depend on nothing of ours.
const ALLOWED: [(&str, &[&str]); 14] = [
    (
        "server",
        &[
            "gateway",
            "control",
            "invoke",
            "environment",
            "services",
            "image",
            "runtimes",
            "api",
            "auth",
            "sandbox",
            "store",
            "model",
        ],
    ),
    ("image", &[]),
    ("gateway", &["control", "invoke", "services", "api", "auth", "model"]),
    ("control", &["store", "invoke", "image", "runtimes", "api", "auth", "model"]),
    ("services", &["store", "api", "auth", "model"]),
    ("invoke", &["environment", "store", "model"]),
    ("environment", &["sandbox", "runtimes", "model"]),
    ("runtimes", &["model"]),
    ("store", &["model"]),
    ("auth", &["model"]),
    ("api", &["model"]),
    ("sandbox", &["model"]),
    // Tests and measurements look at the whole from outside.
    (
        "it",
        &[
            "server",
            "gateway",
            "control",
            "invoke",
            "environment",
            "services",
            "api",
            "auth",
            "sandbox",
            "store",
            "model",
        ],
    ),
    (
        "bench",
        &[
            "server",
            "gateway",
            "control",
            "invoke",
            "environment",
            "services",
            "runtimes",
            "api",
            "auth",
            "sandbox",
            "store",
            "model",
        ],
    ),
];

const PREFIX: &str = "rushlight-";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `dev`, `build`, or nothing for an ordinary one.
    kind: Option<String>,
}

/// Fails with every dependency that goes in a direction that is not allowed.
pub(crate) fn run() -> Result<()> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(workspace_root())
        .output()
        .context("running cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("reading cargo metadata")?;
    let wrong = wrong_directions(&metadata);
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("dependencies in a direction that is not allowed:\n  {}", wrong.join("\n  "))
}

fn wrong_directions(metadata: &Metadata) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into_iter().collect();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let from = short(&package.name);
        let may = allowed.get(from).copied().unwrap_or_default();
        for dependency in &package.dependencies {
            let Some(to) = dependency.name.strip_prefix(PREFIX) else { continue };
            if dependency.kind.as_deref() != Some("dev") && !may.contains(&to) {
                wrong.push(format!("{from} → {to}"));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    wrong
}

fn short(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(from: &str, to: &str) -> Metadata {
        metadata_of_kind(from, to, None)
    }

    fn metadata_of_kind(from: &str, to: &str, kind: Option<&str>) -> Metadata {
        let dependency = Dependency { name: format!("{PREFIX}{to}"), kind: kind.map(str::to_owned) };
        Metadata {
            packages: vec![Package { name: format!("{PREFIX}{from}"), dependencies: vec![dependency] }],
        }
    }

    #[test]
    fn directions_against_the_grain_are_named() {
        assert!(wrong_directions(&metadata("gateway", "api")).is_empty());
        assert_eq!(wrong_directions(&metadata("sandbox", "environment")), ["sandbox → environment"]);
        assert_eq!(wrong_directions(&metadata("invoke", "api")), ["invoke → api"]);
        assert_eq!(wrong_directions(&metadata("unlisted", "model")), ["unlisted → model"]);
        assert!(wrong_directions(&metadata_of_kind("invoke", "api", Some("dev"))).is_empty());
    }
}
