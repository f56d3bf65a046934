//! Versions of runtimes: which there are, and which of them a function gets.
//!
//! What is published is the operator's to say, not a caller's: see `rushlight runtimes publish`. How it reaches the
//! functions that exist is in [`rollout`].

mod rollout;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;
use rushlight_model::arn::Scope;
use rushlight_model::function::{Architecture, Code, FunctionConfiguration};
use rushlight_model::runtime_version::{
    Phase, PublishedRuntimes, Rank, Rollout, RuntimeVersion, arn, hash_of,
};
use rushlight_store::table::Table;
use rushlight_store::table::runtime_version::{RUNTIME_VERSIONS, key};
use rushlight_store::{Backend, Digest};
use tokio::sync::Notify;

use crate::Control;
use crate::error::{Error, Result};
use crate::ledger;

pub(crate) use rollout::run;

/// What was published, on disk and in memory.
pub(crate) struct RuntimeVersions {
    table: Table<PublishedRuntimes>,
    /// By runtime identifier.
    present: RwLock<BTreeMap<String, Arc<PublishedRuntimes>>>,
    /// There may be functions to move.
    changed: Notify,
}

impl RuntimeVersions {
    pub(crate) fn new(store: &Arc<dyn Backend>) -> Self {
        // What is read often is in memory as it is.
        let table = Table::new(store.clone(), RUNTIME_VERSIONS, 0);
        Self { table, present: RwLock::default(), changed: Notify::new() }
    }

    fn of(&self, identifier: &str) -> Arc<PublishedRuntimes> {
        self.present.read().get(identifier).cloned().unwrap_or_default()
    }

    fn all(&self) -> Vec<Arc<PublishedRuntimes>> {
        self.present.read().values().cloned().collect()
    }

    async fn change(
        &self,
        identifier: &str,
        mut change: impl FnMut(&mut PublishedRuntimes) -> Result<RuntimeVersion>,
    ) -> Result<RuntimeVersion> {
        let mut changed = None;
        let key = key(identifier);
        let entry = self.table.update(&key, |present| {
            let mut published =
                present.map(|entry| PublishedRuntimes::clone(&entry.value)).unwrap_or_default();
            changed = Some(change(&mut published)?);
            Ok::<_, Error>(published)
        });
        let entry = entry.await?;
        self.present.write().insert(identifier.to_owned(), entry.value);
        self.changed.notify_one();
        changed.ok_or(Error::Closing)
    }
}

impl Control {
    /// Reads what was published and makes it known to what runs functions.
    pub(crate) async fn load_runtime_versions(&self) -> Result<()> {
        let mut rows = Vec::new();
        ledger::for_each_row(&self.runtime_versions.table, |_, published| rows.push(published.clone()))
            .await?;
        for published in rows {
            let Some(identifier) = published.versions.first().map(|version| version.identifier.clone())
            else {
                continue;
            };
            for version in &published.versions {
                if let Err(reason) = self.runtimes.add(version) {
                    tracing::error!(runtime = version.text, reason, "runtime_version.unusable");
                }
            }
            self.runtime_versions.present.write().insert(identifier, Arc::new(published));
        }
        Ok(())
    }

    /// The ARN of the runtime version that a function gets which is created or updated now.
    ///
    /// # Errors
    /// One sentence for the caller: this machine cannot run it.
    pub(crate) fn newest_runtime(
        &self,
        scope: &Scope,
        identifier: &str,
        architecture: Architecture,
    ) -> std::result::Result<String, String> {
        let published = self.runtime_versions.of(identifier);
        match published.newest().filter(|_| self.runtimes.is_native(architecture)) {
            Some(version) => Ok(arn(scope, &version.hash)),
            None => Ok(arn(scope, &self.runtimes.check(identifier, architecture)?)),
        }
    }

    /// The ARN of the runtime version that a function is to be given which lets the service decide, unless it has it,
    /// or a newer one.
    pub(crate) fn due_runtime(&self, scope: &Scope, configuration: &FunctionConfiguration) -> Option<String> {
        let Code::Zip { runtime, .. } = &configuration.code else { return None };
        let own = self.runtimes.own(runtime)?;
        let published = self.runtime_versions.of(runtime);
        let for_all = published.for_all(self.clock.now());
        let wanted = match for_all.filter(|_| self.runtimes.is_native(configuration.architecture)) {
            Some(version) => &version.hash,
            None => &own.hash,
        };
        let rank = |hash: &str| published.rank(hash, &own.hash);
        let has = configuration.runtime_version_arn.as_deref().map_or(Rank::None, |has| rank(hash_of(has)));
        (has < rank(wanted)).then(|| arn(scope, wanted))
    }

    /// Whether a function with this configuration can be held at the runtime version with this ARN: it is a version of
    /// its runtime, and here.
    pub(crate) fn has_runtime_version(&self, configuration: &FunctionConfiguration, version: &str) -> bool {
        let Code::Zip { runtime, .. } = &configuration.code else { return false };
        let is_own = self.runtimes.own(runtime).is_some_and(|own| own.hash == hash_of(version));
        let published = self.runtime_versions.of(runtime);
        let is_native = self.runtimes.is_native(configuration.architecture);
        is_own || is_native && published.get(hash_of(version)).is_some()
    }

    /// Makes a root file system the newest version of a runtime: functions that are created or updated get it from now
    /// on.
    ///
    /// # Errors
    /// If there is no such runtime, or it cannot run in there.
    pub async fn publish_runtime(&self, identifier: &str, root: PathBuf) -> Result<RuntimeVersion> {
        let own = self.runtimes.own(identifier);
        let own = own.ok_or_else(|| Error::InvalidParameter(format!("there is no runtime {identifier}")))?;
        let published_at = self.clock.now();
        let change = |published: &mut PublishedRuntimes| {
            let text = published.next_text(&own.text);
            let digest = format!("{text} {} {}", root.display(), published_at.to_iso_micros());
            let version = RuntimeVersion {
                identifier: identifier.to_owned(),
                hash: Digest::of(digest.as_bytes()).to_string(),
                text,
                root: root.clone(),
                published_at,
                phase: Phase::One,
            };
            // Before anything gets it.
            self.runtimes.add(&version).map_err(Error::InvalidParameter)?;
            published.versions.push(version.clone());
            Ok(version)
        };
        let version = self.runtime_versions.change(identifier, change).await?;
        tracing::info!(runtime = version.text, root = %version.root.display(), "runtime_version.published");
        Ok(version)
    }

    /// What was published for any runtime, oldest first of each.
    #[must_use]
    pub fn runtime_versions(&self) -> Vec<RuntimeVersion> {
        self.runtime_versions.all().iter().flat_map(|published| published.versions.clone()).collect()
    }

    /// Lets the newest version of a runtime reach all functions that let the service decide.
    ///
    /// # Errors
    /// If there is none that stands.
    pub async fn roll_out_runtime(&self, identifier: &str, rollout: Rollout) -> Result<RuntimeVersion> {
        let version = self
            .change_newest(identifier, |version| {
                version.phase = Phase::Two(rollout.clone());
            })
            .await?;
        tracing::info!(runtime = version.text, begin = %rollout.begin.to_iso_millis(), "runtime_version.rollout");
        Ok(version)
    }

    /// Takes the newest version of a runtime back: functions that have it get what came before it, at once.
    ///
    /// # Errors
    /// If there is none that stands.
    pub async fn withdraw_runtime(&self, identifier: &str, reason: &str) -> Result<RuntimeVersion> {
        let reason = reason.to_owned();
        let version = self
            .change_newest(identifier, |version| {
                version.phase = Phase::Withdrawn { reason: reason.clone(), left: false };
            })
            .await?;
        tracing::warn!(runtime = version.text, reason, "runtime_version.withdrawn");
        Ok(version)
    }

    async fn change_newest(
        &self,
        identifier: &str,
        mut change: impl FnMut(&mut RuntimeVersion),
    ) -> Result<RuntimeVersion> {
        let none =
            || Error::InvalidParameter(format!("no version of {identifier} was published that stands"));
        let change = |published: &mut PublishedRuntimes| {
            let mut standing = published.versions.iter_mut().rev();
            let newest = standing.find(|version| !matches!(version.phase, Phase::Withdrawn { .. }));
            let newest = newest.ok_or_else(none)?;
            change(newest);
            Ok(newest.clone())
        };
        self.runtime_versions.change(identifier, change).await
    }
}
