//! Reserved and provisioned concurrency of a function.
//!
//! See "Understanding Lambda function scaling" in the AWS Lambda developer guide.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::function::FunctionHead;
use crate::version::Version;

/// Provisioned concurrency of a version or an alias, as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisionedConcurrency {
    /// Execution environments to be kept ready.
    pub requested: u32,
    /// When it was set.
    pub last_modified: Timestamp,
}

/// What there is of a version's provisioned concurrency at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Provision {
    /// Environments that are initialised.
    pub ready: u32,
    /// An initialisation failed, and no other is tried until something changes.
    pub failed: bool,
}

impl FunctionHead {
    /// Environments that all versions and aliases together are to have ready.
    #[must_use]
    pub fn provisioned_concurrency(&self) -> u32 {
        self.provisioned.values().map(|provisioned| provisioned.requested).sum()
    }

    /// Concurrency of the account that only this function can use: its reservation, or what it has provisioned.
    #[must_use]
    pub fn claimed_concurrency(&self) -> u32 {
        self.reserved_concurrency.unwrap_or_else(|| self.provisioned_concurrency())
    }

    /// Environments that each published version is to have ready. An alias that shares its requests between two
    /// versions shares its environments by the same weight, rounded up for the second.
    #[must_use]
    pub fn provisioned_versions(&self) -> BTreeMap<u64, u32> {
        let mut versions = BTreeMap::new();
        for (qualifier, provisioned) in &self.provisioned {
            for (number, share) in self.shares(qualifier, provisioned.requested) {
                *versions.entry(number).or_default() += share;
            }
        }
        versions.retain(|number, share| *share > 0 && self.versions.contains_key(number));
        versions
    }

    /// The versions that a version's number or an alias' name stands for, each with its share of `count`.
    #[must_use]
    pub fn shares(&self, qualifier: &str, count: u32) -> Vec<(u64, u32)> {
        let Some(alias) = self.aliases.get(qualifier) else {
            return qualifier.parse().map(|number| vec![(number, count)]).unwrap_or_default();
        };
        let second = alias.additional.map(|additional| {
            let share = (f64::from(count) * additional.weight).ceil().clamp(0.0, f64::from(count));
            (additional.number, share as u32)
        });
        let first = match alias.version {
            Version::Published(number) => Some((number, count - second.map_or(0, |(_, share)| share))),
            Version::Latest => None,
        };
        first.into_iter().chain(second).collect()
    }
}
