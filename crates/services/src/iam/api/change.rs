//! How something is changed, and refused.

use std::sync::Arc;

use rushlight_api::Error;
use rushlight_api::iam::errors;
use rushlight_auth::unique_id;
use rushlight_model::clock::Timestamp;
use rushlight_store::Error as StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::MutexGuard;

use super::Answer;
use crate::iam::directory::Directory;
use crate::iam::entity::{Entity, ManagedPolicy, Named, Role, User, arn};
use crate::iam::rows::Rows;

/// Where rows of this kind are.
pub(super) trait Kept: Named + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// As in AWS' messages: `user`.
    const WHAT: &'static str;

    fn rows(directory: &Directory) -> &Rows<Self>;
}

impl Kept for User {
    const WHAT: &'static str = "user";

    fn rows(directory: &Directory) -> &Rows<Self> {
        &directory.users
    }
}

impl Kept for Role {
    const WHAT: &'static str = "role";

    fn rows(directory: &Directory) -> &Rows<Self> {
        &directory.roles
    }
}

impl Kept for ManagedPolicy {
    const WHAT: &'static str = "policy";

    fn rows(directory: &Directory) -> &Rows<Self> {
        &directory.policies
    }
}

/// The only change under way.
pub(super) struct Changing<'a> {
    directory: &'a Directory,
    _alone: MutexGuard<'a, ()>,
}

impl Directory {
    /// Waits until no other change is under way.
    pub(super) async fn change(&self) -> Changing<'_> {
        Changing { directory: self, _alone: self.changing.lock().await }
    }

    /// The user or role of that name, or AWS' words for one that is not there.
    pub(super) fn existing<T: Kept>(&self, account: &str, name: &str) -> Answer<Arc<T>> {
        self.find(account, name)
            .ok_or_else(|| no_such(format!("The {} with name {name} cannot be found.", T::WHAT)))
    }

    /// The row of exactly that name.
    pub(super) fn find<T: Kept>(&self, account: &str, name: &str) -> Option<Arc<T>> {
        T::rows(self).get(account, name).filter(|row| row.name() == name)
    }

    /// The ARN of a user or role, which need not exist: then it is taken to have no path.
    pub(super) fn arn_of<T: Kept + Entity>(&self, account: &str, name: &str) -> String {
        self.find::<T>(account, name).map_or_else(|| arn(account, T::KIND, "/", name), |row| row.arn())
    }
}

impl Changing<'_> {
    /// Puts a row; it counts when this returns.
    pub(super) async fn put<T: Kept>(&self, row: T) -> Answer<Arc<T>> {
        let row = T::rows(self.directory).put(row).await.map_err(failure)?;
        self.directory.changed();
        Ok(row)
    }

    pub(super) async fn remove<T: Kept>(&self, row: &T) -> Answer<()> {
        T::rows(self.directory).remove(row).await.map_err(failure)?;
        self.directory.changed();
        Ok(())
    }

    /// Changes the user or role of that name.
    pub(super) async fn update<T: Kept>(
        &self,
        account: &str,
        name: &str,
        change: impl FnOnce(&mut T) -> Answer<()>,
    ) -> Answer<Arc<T>> {
        let mut row = T::clone(&*self.directory.existing::<T>(account, name)?);
        change(&mut row)?;
        self.put(row).await
    }
}

/// A new unique id.
pub(super) fn new_id(prefix: &str) -> Answer<String> {
    unique_id(prefix).map_err(|error| {
        tracing::error!(%error, "iam.randomness.failed");
        errors::service_failure_exception("The request cannot be processed.")
    })
}

pub(super) fn failure(error: StoreError) -> Error {
    tracing::error!(error = &error as &dyn std::error::Error, "iam.store.failed");
    errors::service_failure_exception("The request cannot be processed.")
}

pub(super) fn no_such(message: impl Into<String>) -> Error {
    errors::no_such_entity_exception(message)
}

/// A quota that is used up.
pub(super) fn quota(name: &str, limit: usize) -> Error {
    errors::limit_exceeded_exception(format!("Cannot exceed quota for {name}: {limit}"))
}

/// A time as answers carry it.
pub(super) fn shown(time: Timestamp) -> rushlight_api::Timestamp {
    rushlight_api::Timestamp::from_milliseconds(time.as_millis())
}
