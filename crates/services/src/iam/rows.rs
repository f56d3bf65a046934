//! Rows of one kind, all of them in memory as well: they are few, and asked for on every request.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use rushlight_store::table::Table;
use rushlight_store::table::iam::key;
use rushlight_store::{Backend, Expect, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::entity::Named;

/// Rows read at a time.
const READ_AT_ONCE: usize = 1000;

pub(super) struct Rows<T> {
    table: Table<T>,
    present: RwLock<BTreeMap<String, Arc<T>>>,
}

impl<T: Named + Serialize + DeserializeOwned + Send + Sync + 'static> Rows<T> {
    /// Reads all rows there are.
    pub(super) async fn open(store: &Arc<dyn Backend>) -> Result<Self> {
        let table: Table<T> = Table::new(store.clone(), T::TABLE, 0);
        let mut present = BTreeMap::new();
        loop {
            let after = present.keys().next_back().cloned();
            let rows = table.list("", after.as_deref(), READ_AT_ONCE).await?;
            if rows.is_empty() {
                return Ok(Self { table, present: RwLock::new(present) });
            }
            present.extend(rows.into_iter().map(|(key, entry)| (key, entry.value)));
        }
    }

    /// The row of this name, whatever its case.
    pub(super) fn get(&self, account: &str, name: &str) -> Option<Arc<T>> {
        self.present.read().get(&key(account, name)).cloned()
    }

    /// All rows of an account, in the order of their names.
    pub(super) fn of_account(&self, account: &str) -> Vec<Arc<T>> {
        let prefix = key(account, "");
        let present = self.present.read();
        let from = present.range(prefix.clone()..);
        from.take_while(|(key, _)| key.starts_with(&prefix)).map(|(_, row)| row.clone()).collect()
    }

    /// Whether the account has any.
    pub(super) fn has_any(&self, account: &str) -> bool {
        let prefix = key(account, "");
        let present = self.present.read();
        present.range(prefix.clone()..).next().is_some_and(|(key, _)| key.starts_with(&prefix))
    }

    /// All rows.
    pub(super) fn all(&self) -> Vec<Arc<T>> {
        self.present.read().values().cloned().collect()
    }

    /// Puts a row, on disk first. Only one may be put at a time.
    pub(super) async fn put(&self, row: T) -> Result<Arc<T>> {
        let key = key(row.account(), row.name());
        let entry = self.table.put(&key, row, Expect::Any).await?;
        self.present.write().insert(key, entry.value.clone());
        Ok(entry.value)
    }

    /// Removes a row, from the disk first.
    pub(super) async fn remove(&self, row: &T) -> Result<()> {
        let key = key(row.account(), row.name());
        self.table.delete(&key, Expect::Any).await?;
        self.present.write().remove(&key);
        Ok(())
    }
}
