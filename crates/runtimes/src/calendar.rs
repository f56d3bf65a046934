//! Every identifier that AWS ever named, and its days.
//!
//! See "Lambda runtimes" in the AWS Lambda developer guide.

use std::sync::LazyLock;
use std::time::Duration;

use rushlight_model::clock::Timestamp;
use serde::Deserialize;

use crate::definition::{Dates, Feature};
use crate::{definitions, embedded};

/// A runtime, whether functions can run on it here or not.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Known {
    /// E.g. `python3.12`.
    pub identifier: String,
    #[serde(default)]
    features: Vec<Feature>,
    /// As AWS has them.
    #[serde(flatten)]
    pub dates: Dates,
}

/// By which rules runtimes come to their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Today's: functions can be created and updated for a while after the deprecation.
    #[default]
    Current,
    /// That of before: nothing is created from the day of the deprecation on, and nothing updated from a month later on.
    Classic,
}

/// What the classic policy calls a month.
const MONTH: Duration = Duration::from_hours(30 * 24);

#[derive(Deserialize)]
struct Others {
    runtime: Vec<Known>,
}

static ALL: LazyLock<Vec<Known>> = LazyLock::new(|| {
    // Both are right, or the tests of this file fail.
    let defined = definitions().unwrap_or_default().into_iter().map(|definition| Known {
        identifier: definition.identifier,
        features: definition.features,
        dates: definition.dates,
    });
    let others = toml::from_str::<Others>(embedded::OTHERS).map(|others| others.runtime).unwrap_or_default();
    let mut all: Vec<Known> = defined.chain(others).collect();
    all.sort_by_cached_key(|known| {
        let tie = TIES.iter().position(|identifier| *identifier == known.identifier);
        (bucket(&known.identifier), tie)
    });
    all
});

/// Those that share a bucket, in the order in which they are in it.
const TIES: [&str; 7] =
    ["nodejs20.x", "python3.14", "provided.al2023", "java25", "nodejs26.x", "java11", "dotnet6"];

/// AWS lists runtimes in the order of a Java hash set with 64 buckets.
fn bucket(identifier: &str) -> u32 {
    let hash =
        identifier.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
    (hash ^ (hash >> 16)) % 64
}

/// All of them, in the order in which AWS lists them.
#[must_use]
pub fn all() -> &'static [Known] {
    &ALL
}

/// The runtime with this identifier.
#[must_use]
pub fn find(identifier: &str) -> Option<&'static Known> {
    all().iter().find(|known| known.identifier == identifier)
}

impl Known {
    /// Whether versions of its functions can start from a snapshot.
    #[must_use]
    pub fn has_snap_start(&self) -> bool {
        self.features.contains(&Feature::SnapStart)
    }

    /// Whether functions are still created with it.
    #[must_use]
    pub fn is_offered(&self, policy: Policy, now: Timestamp) -> bool {
        !has_come(self.block_create(policy), now)
    }

    /// Whether functions that have it are still updated.
    #[must_use]
    pub fn is_updated(&self, policy: Policy, now: Timestamp) -> bool {
        match (policy, self.deprecation()) {
            (Policy::Classic, Some(day)) => now < day + MONTH,
            _ => !has_come(self.dates.block_update.as_deref(), now),
        }
    }

    /// The beginning of the day, in UTC, from which on it is not supported.
    #[must_use]
    pub fn deprecation(&self) -> Option<Timestamp> {
        self.dates.deprecation.as_deref().and_then(Timestamp::from_day)
    }

    /// The day from which on no function is created with it.
    #[must_use]
    pub fn block_create(&self, policy: Policy) -> Option<&str> {
        match policy {
            Policy::Current => self.dates.block_create.as_deref(),
            Policy::Classic => self.dates.deprecation.as_deref(),
        }
    }
}

fn has_come(day: Option<&str>, now: Timestamp) -> bool {
    day.is_some_and(|day| now.format("%Y-%m-%d").as_str() >= day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(day: &str) -> Timestamp {
        Timestamp::from_day(day).unwrap()
    }

    #[test]
    fn everything_embedded_is_read() {
        let others: Others = toml::from_str(embedded::OTHERS).unwrap();
        let defined = definitions().unwrap();
        assert!(defined.len() >= 27 && others.runtime.len() >= 20, "some are missing");
        assert_eq!(all().len(), defined.len() + others.runtime.len());
        for known in all() {
            assert_eq!(all().iter().filter(|other| other.identifier == known.identifier).count(), 1);
            // Long ago what was deprecated could be created no longer before that day.
            let dates = [&known.dates.block_create, &known.dates.block_update];
            let days: Vec<_> = dates.into_iter().flatten().map(|day| on(day)).collect();
            assert!(days.is_sorted(), "{}", known.identifier);
            assert!(known.dates.deprecation.iter().all(|day| on(day) < on("2040-01-01")));
        }
    }

    #[test]
    fn they_are_listed_as_aws_lists_them() {
        let today = on("2026-11-23");
        let offered: Vec<_> = all().iter().filter(|known| known.is_offered(Policy::Current, today)).collect();
        let names: Vec<_> = offered.iter().map(|known| known.identifier.as_str()).collect();
        assert_eq!(
            names.join(", "),
            "nodejs20.x, python3.14, provided.al2023, python3.15, python3.12, python3.13, nodejs24.x, nodejs22.x, \
             java25, nodejs26.x, python3.10, python3.11, java21, ruby3.3, ruby3.4, ruby4.0, ruby3.2, python3.8, \
             python3.9, java17.al2023, java17, nodejs16.x, dotnet10, dotnet8, java8.al2023, java11, dotnet6, \
             nodejs18.x, provided.al2, java8.al2, java11.al2023"
        );
    }

    #[test]
    fn a_runtime_ends_on_its_days() {
        let python = find("python3.12").unwrap();
        let offered = |policy, day| python.is_offered(policy, on(day));
        assert!(offered(Policy::Current, "2028-11-29") && !offered(Policy::Current, "2028-11-30"));
        assert!(offered(Policy::Classic, "2028-10-30") && !offered(Policy::Classic, "2028-10-31"));
        let updated = |policy, day| python.is_updated(policy, on(day));
        assert!(updated(Policy::Current, "2029-01-09") && !updated(Policy::Current, "2029-01-10"));
        assert!(updated(Policy::Classic, "2028-11-29") && !updated(Policy::Classic, "2028-11-30"));
    }

    #[test]
    fn snap_start_is_for_some() {
        let has = |identifier| find(identifier).unwrap().has_snap_start();
        assert!(has("python3.12") && has("java11") && has("dotnet8"));
        assert!(!has("python3.11") && !has("nodejs22.x") && !has("java8.al2") && !has("dotnet6"));
    }
}
