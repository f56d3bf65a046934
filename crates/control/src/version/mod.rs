//! Versions: published, found, listed, deleted.
//!
//! ```text
//! PublishVersion ─> row written under a name of its own ─> head names it: the version exists
//! ```
//! A row that no head names is not a version. It is left by a crash or a lost race, and removed when a server starts.

pub(crate) mod list;
pub(crate) mod publish;
pub(crate) mod snapshot;

use rushlight_model::arn::{FunctionId, Qualifier};
use rushlight_model::function::{FunctionConfiguration, FunctionHead};
use rushlight_model::version::Version;
use rushlight_store::Expect;
use rushlight_store::table::version::row_key;

use crate::Control;
use crate::error::{Error, Result};

/// How many rows are looked through at a time.
const PAGE: usize = 500;

impl Control {
    /// The configuration that a qualifier names, as it is now.
    pub(crate) async fn configuration(
        &self,
        head: &FunctionHead,
        qualifier: Option<&Qualifier>,
    ) -> Result<Option<FunctionConfiguration>> {
        match head.version(qualifier) {
            Some(version) => self.version(head, version).await.map(Some),
            None => Ok(None),
        }
    }

    /// The configuration of a version that the head names.
    pub(crate) async fn version(
        &self,
        head: &FunctionHead,
        version: Version,
    ) -> Result<FunctionConfiguration> {
        let Version::Published(number) = version else { return Ok(head.latest.clone()) };
        let lost = || Error::VersionLost { arn: head.id.qualified_arn(&Qualifier::Version(number)) };
        let published = head.versions.get(&number).ok_or_else(lost)?;
        let row = self.versions.get(&self.row_key(&head.id, &published.row)).await?.ok_or_else(lost)?;
        Ok(row.value.at_present(number, published))
    }

    fn row_key(&self, function: &FunctionId, row: &str) -> String {
        row_key(&function.scope.account, &function.scope.region, &function.name, row)
    }

    /// Removes a row that no head names any more. What fails here is removed when a server starts.
    pub(crate) async fn remove_row(&self, function: &FunctionId, row: &str) {
        if let Err(error) = self.versions.delete(&self.row_key(function, row), Expect::Any).await {
            tracing::warn!(function = %function.arn(), row, %error, "version.row_not_removed");
        }
    }

    /// Removes the rows that earlier servers left behind. This server's own may be about to be named.
    pub(crate) async fn sweep_rows(&self) -> Result<()> {
        let mut after: Option<String> = None;
        loop {
            let rows = self.versions.list("", after.as_deref(), PAGE).await?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            after = Some(last.clone());
            for (key, _) in rows {
                self.sweep_row(&key).await?;
            }
        }
    }

    async fn sweep_row(&self, key: &str) -> Result<()> {
        let Some((function, row)) = key.rsplit_once('/') else { return Ok(()) };
        if row.starts_with(&*self.run) {
            return Ok(());
        }
        let head = self.functions.get(function).await?;
        if head.is_none_or(|head| head.value.versions.values().all(|version| version.row != row)) {
            self.versions.delete(key, Expect::Any).await?;
            tracing::debug!(row = key, "version.row_removed");
        }
        Ok(())
    }

    /// Removes the rows of a function that is gone.
    pub(crate) async fn remove_rows(&self, head: &FunctionHead) {
        for version in head.versions.values() {
            self.remove_row(&head.id, &version.row).await;
        }
    }
}
