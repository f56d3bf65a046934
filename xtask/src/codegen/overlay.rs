//! Corrections of a model: where AWS behaves differently from what its model says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// `xtask/overlay/<service>.toml`; unknown keys are errors, so that a typing mistake is one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Overlay {
    /// The model within the wheel, as `service/version`.
    pub(super) model: String,
    /// The service's name in Rust: the trait is `<name>Service`.
    pub(super) name: String,
    /// What precedes the colon in an IAM action.
    pub(super) iam_prefix: String,
    /// The code of the error that names broken constraints.
    pub(super) validation_code: String,
    /// The operations to generate; all if empty.
    #[serde(default)]
    pub(super) operations: Vec<String>,
    /// Structures and enumerations that get another name in Rust.
    #[serde(default)]
    pub(super) rename: BTreeMap<String, String>,
    /// IAM actions that are not the operation's name.
    #[serde(default)]
    pub(super) iam_actions: BTreeMap<String, String>,
    /// Statuses that are not the model's.
    #[serde(default)]
    pub(super) status: BTreeMap<String, u16>,
    /// Members of outputs that the model requires and the service leaves out at times, by structure.
    #[serde(default)]
    pub(super) optional: BTreeMap<String, Vec<String>>,
    /// Enumerations that decoding does not check, because AWS checks them later.
    #[serde(default)]
    pub(super) unchecked_enums: Vec<String>,
    /// The order in which AWS prints an enumeration's values, where it is not the usual one.
    #[serde(default)]
    pub(super) enum_order: BTreeMap<String, Vec<String>>,
    /// Patterns that accept every word of letters, digits, `-` and `_`.
    #[serde(default)]
    pub(super) words_match: Vec<String>,
    /// What the service itself says of values that do not match a pattern, where it does not name the
    /// constraint.
    #[serde(default)]
    pub(super) remarks: BTreeMap<String, String>,
    /// Patterns that the `regex` crate cannot express as they are.
    #[serde(default)]
    pub(super) patterns: BTreeMap<String, PatternOverlay>,
}

/// How to match a pattern that uses look-around.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PatternOverlay {
    pub(super) expression: String,
    pub(super) refused_prefix: Option<String>,
}

impl Overlay {
    pub(super) fn load(root: &Path, service: &str) -> Result<Self> {
        let path = root.join("xtask/overlay").join(format!("{service}.toml"));
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("reading {}", path.display()))
    }
}
