//! Versions of a managed runtime: the one that a server comes with, and those that its operator publishes.
//!
//! A new version reaches functions in two phases: at first those that are created or updated, then all others that let
//! the service decide. See "Understanding how Lambda manages runtime version updates" in the AWS Lambda developer guide.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::arn::Scope;
use crate::clock::Timestamp;

/// What was published for one runtime, oldest first: one row, so that numbers are given out one at a time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PublishedRuntimes {
    /// None of them is ever removed: a function may be held at it.
    pub versions: Vec<RuntimeVersion>,
}

/// A version of a runtime that was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeVersion {
    /// E.g. `python3.12`.
    pub identifier: String,
    /// The text that INIT_START prints, e.g. `python:3.12.v37`.
    pub text: String,
    /// What stands behind `runtime:` in its ARN: 64 hex digits.
    pub hash: String,
    /// The root file system that functions run in.
    pub root: PathBuf,
    /// When it was published.
    pub published_at: Timestamp,
    /// Which functions get it.
    pub phase: Phase,
}

/// Which functions get a version of a runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Those that are created or updated.
    One,
    /// All that let the service decide, one batch after the other.
    Two(Rollout),
    /// All of them have it.
    Complete,
    /// None: those that had it are given what came before it.
    Withdrawn {
        /// One sentence.
        reason: String,
        /// Whether no function has it any more but those that are held at it.
        left: bool,
    },
}

/// How a version reaches the functions that exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// When the first batch is due.
    pub begin: Timestamp,
    /// Functions that are moved at a time.
    pub batch: u32,
    /// Seconds that a batch is watched for before the next one follows.
    pub pause_seconds: u32,
}

/// How a function's version of a runtime compares to those that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Nobody knows it any more, or it was withdrawn.
    None,
    /// The server comes with it.
    Own,
    /// It was published as this one of all.
    Published(usize),
}

impl RuntimeVersion {
    fn stands(&self) -> bool {
        !matches!(self.phase, Phase::Withdrawn { .. })
    }
}

impl PublishedRuntimes {
    /// What functions get that are created or updated: the newest that stands; `None`: that of the server itself.
    #[must_use]
    pub fn newest(&self) -> Option<&RuntimeVersion> {
        self.versions.iter().rev().find(|version| version.stands())
    }

    /// What all functions get that let the service decide: the newest of the second phase.
    #[must_use]
    pub fn for_all(&self, now: Timestamp) -> Option<&RuntimeVersion> {
        self.versions.iter().rev().find(|version| match &version.phase {
            Phase::Complete => true,
            Phase::Two(rollout) => rollout.begin <= now,
            Phase::One | Phase::Withdrawn { .. } => false,
        })
    }

    /// The one with this hash.
    #[must_use]
    pub fn get(&self, hash: &str) -> Option<&RuntimeVersion> {
        self.versions.iter().find(|version| version.hash == hash)
    }

    /// How the version with this hash compares; `own` is that of the version that the server comes with.
    #[must_use]
    pub fn rank(&self, hash: &str, own: &str) -> Rank {
        let published = self.versions.iter().position(|version| version.hash == hash && version.stands());
        match published {
            Some(index) => Rank::Published(index),
            None if hash == own => Rank::Own,
            None => Rank::None,
        }
    }

    /// The text of the version after all of these, the first of which is `own`, e.g. `python:3.12.v36`.
    #[must_use]
    pub fn next_text(&self, own: &str) -> String {
        let number = |text: &str| text.rsplit_once(".v").and_then(|(_, number)| number.parse::<u64>().ok());
        let texts = self.versions.iter().map(|version| version.text.as_str());
        let highest = texts.chain([own]).filter_map(number).max().unwrap_or_default();
        let (name, _) = own.rsplit_once(".v").unwrap_or((own, ""));
        format!("{name}.v{}", highest + 1)
    }
}

/// The ARN of the runtime version with this hash, in that region; it belongs to no account.
#[must_use]
pub fn arn(scope: &Scope, hash: &str) -> String {
    format!("arn:{}:lambda:{}::runtime:{hash}", scope.partition(), scope.region)
}

/// What stands behind `runtime:` in the ARN of a runtime version.
#[must_use]
pub fn hash_of(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(hash: &str, phase: Phase) -> RuntimeVersion {
        RuntimeVersion {
            identifier: "python3.12".into(),
            text: format!("python:3.12.v{hash}"),
            hash: hash.into(),
            root: PathBuf::from("/"),
            published_at: Timestamp::from_millis(0),
            phase,
        }
    }

    fn rollout(begin: i64) -> Phase {
        Phase::Two(Rollout { begin: Timestamp::from_millis(begin), batch: 1, pause_seconds: 0 })
    }

    #[test]
    fn numbers_go_on_from_the_highest() {
        let mut published = PublishedRuntimes::default();
        assert_eq!(published.next_text("python:3.12.v36"), "python:3.12.v37");
        published.versions.push(version("41", Phase::One));
        assert_eq!(published.next_text("python:3.12.v36"), "python:3.12.v42");
        assert_eq!(published.next_text("python:3.12.v50"), "python:3.12.v51");
    }

    #[test]
    fn phases_decide_who_gets_what() {
        let withdrawn = Phase::Withdrawn { reason: String::new(), left: false };
        let published = PublishedRuntimes {
            versions: vec![
                version("37", Phase::Complete),
                version("38", rollout(100)),
                version("39", withdrawn),
            ],
        };
        let at = Timestamp::from_millis;
        assert_eq!(published.newest().unwrap().hash, "38");
        assert_eq!(published.for_all(at(99)).unwrap().hash, "37");
        assert_eq!(published.for_all(at(100)).unwrap().hash, "38");
        assert!(published.rank("38", "36") > published.rank("37", "36"));
        assert!(published.rank("37", "36") > published.rank("36", "36"));
        assert_eq!(published.rank("39", "36"), Rank::None);
        assert_eq!(published.rank("35", "36"), Rank::None);
        assert!(PublishedRuntimes::default().newest().is_none());
    }
}
