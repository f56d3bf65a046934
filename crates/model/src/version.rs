//! Versions of a function: `$LATEST`, which changes, and published ones, which do not.
//!
//! See "Manage Lambda function versions" in the AWS Lambda developer guide.

use serde::{Deserialize, Serialize};

use crate::arn::Qualifier;
use crate::clock::Timestamp;
use crate::function::{FunctionConfiguration, LastUpdate, State};
use crate::managed_instances::FunctionScaling;

/// The version that a configuration belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Version {
    /// `$LATEST`.
    Latest,
    /// A published version, from 1.
    Published(u64),
}

impl std::fmt::Display for Version {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Latest => formatter.write_str("$LATEST"),
            Self::Published(number) => number.fmt(formatter),
        }
    }
}

impl From<Version> for Qualifier {
    fn from(version: Version) -> Self {
        match version {
            Version::Latest => Qualifier::Latest,
            Version::Published(number) => Qualifier::Version(number),
        }
    }
}

/// What a function's head says of a published version: where its configuration is, and what changes after all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublishedVersion {
    /// Names the row that holds the configuration. A name of its own for every attempt to publish: what a crash or a
    /// lost race left behind is never mistaken for the version.
    pub row: String,
    /// Changes with the state and with the version's own settings, such as its policy.
    pub revision_id: String,
    /// Pending until it can be invoked.
    pub state: State,
    /// The archive of its code; absent for images.
    pub package: Option<Package>,
    /// The archives of its layers.
    #[serde(default)]
    pub layers: Vec<Package>,
    /// ARN of the capacity provider whose instances it runs on.
    #[serde(default)]
    pub capacity_provider_arn: Option<String>,
    /// How many execution environments it has there.
    #[serde(default)]
    pub scaling: FunctionScaling,
    /// If it is initialised before it can be invoked (`SnapStart`).
    #[serde(default)]
    pub snapshot: Option<Snapshot>,
    /// ARN of the runtime version that it was given since it was published.
    #[serde(default)]
    pub runtime_version_arn: Option<String>,
    /// Counts how often that was: an execution environment serves only the generation that it was made for.
    #[serde(default)]
    pub generation: u64,
}

/// What is known of the snapshot of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When the version was invoked last, to the day, or else initialised.
    pub used_at: Timestamp,
}

/// A zip archive as it was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// SHA-256 of the archive in lower-case hex.
    pub sha256: String,
    /// Bytes of the archive.
    pub size: u64,
    /// Whether it stays in a bucket of the owner's, and so takes nothing of the account's code storage.
    #[serde(default)]
    pub referenced: bool,
}

impl Package {
    /// What it takes of the account's code storage, in bytes.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        if self.referenced { 0 } else { self.size }
    }
}

/// The row of a published version: written once, real once a head names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublishedConfiguration {
    /// Of the function that was published.
    pub incarnation: String,
    /// Code and configuration of `$LATEST` as they were published, with the number, state and revision id of then.
    pub configuration: FunctionConfiguration,
    /// The version's own description, if it was given one.
    pub description: Option<String>,
}

impl PublishedConfiguration {
    /// Code and configuration of the version with this number, of which the head says this, as they run. Revision id and
    /// state are those of `$LATEST` when it was published.
    #[must_use]
    pub fn numbered(&self, number: u64, version: &PublishedVersion) -> FunctionConfiguration {
        let description = self.description.as_ref().unwrap_or(&self.configuration.description);
        let runtime =
            version.runtime_version_arn.as_ref().or(self.configuration.runtime_version_arn.as_ref());
        FunctionConfiguration {
            version: Version::Published(number),
            description: description.clone(),
            runtime_version_arn: runtime.cloned(),
            ..self.configuration.clone()
        }
    }

    /// The version with this number as it is now, of which the head says this.
    #[must_use]
    pub fn at_present(&self, number: u64, version: &PublishedVersion) -> FunctionConfiguration {
        FunctionConfiguration {
            revision_id: version.revision_id.clone(),
            state: version.state.clone(),
            last_update: (!matches!(version.state, State::Pending(_) | State::Failed(_)))
                .then_some(LastUpdate::Successful),
            ..self.numbered(number, version)
        }
    }

    /// Whether publishing `latest` would publish the same code and configuration again.
    #[must_use]
    pub fn is_the_same_as(&self, latest: &FunctionConfiguration) -> bool {
        let published = &self.configuration;
        let as_published = FunctionConfiguration {
            generation: published.generation,
            // It was given to the function, which is none other for it.
            runtime_version_arn: published.runtime_version_arn.clone(),
            last_modified: published.last_modified,
            revision_id: published.revision_id.clone(),
            state: published.state.clone(),
            last_update: published.last_update.clone(),
            ..latest.clone()
        };
        as_published == *published
    }
}
