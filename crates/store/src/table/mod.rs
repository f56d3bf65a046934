//! Typed rows over the key-value store, with a cache that never shows less than what was acknowledged.
//!
//! A [`Table`] is a prefix of keys whose values are JSON of one type. What its keys look like is told by the module of
//! the noun, such as [`function`].

mod cache;
pub mod capacity_provider;
pub mod code_signing_config;
pub mod event_source_mapping;
pub mod function;
pub mod function_url;
pub mod iam;
pub mod layer;
pub mod notice;
pub mod runtime_version;
pub mod version;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::cache::Cache;
use crate::{Backend, Error, Expect, Record, Result};

/// How often [`Table::update`] begins anew before it gives up. Each attempt lost means that somebody else's succeeded.
const UPDATE_ATTEMPTS: usize = 64;

/// A value and the revision at which it was written.
#[derive(Debug)]
pub struct Entry<T> {
    /// The decoded value, shared with the cache.
    pub value: Arc<T>,
    /// To be handed back as [`Expect::Revision`].
    pub revision: u64,
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), revision: self.revision }
    }
}

/// Why [`Table::update`] changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError<E> {
    /// The caller's own rule refused the change.
    #[error("{0}")]
    Refused(E),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

/// The rows under one prefix. Clones share the cache.
pub struct Table<T> {
    backend: Arc<dyn Backend>,
    /// Ends with `/`.
    prefix: Arc<str>,
    cache: Arc<Cache<T>>,
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Self { backend: self.backend.clone(), prefix: self.prefix.clone(), cache: self.cache.clone() }
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Table<T> {
    /// The table of keys that begin with `prefix/`, keeping up to about `cache_capacity` decoded rows in memory.
    pub fn new(backend: Arc<dyn Backend>, prefix: &str, cache_capacity: usize) -> Self {
        let prefix: Arc<str> = format!("{prefix}/").into();
        let cache = Arc::new(Cache::new(prefix.clone(), cache_capacity));
        let observer: Arc<dyn crate::Observer> = cache.clone();
        backend.observe(&prefix, Arc::downgrade(&observer));
        Self { backend, prefix, cache }
    }

    /// The row if it is in memory. No I/O and no allocation: this is what the invoke path calls.
    /// Keys are relative to the table's prefix here and everywhere below.
    pub fn cached(&self, key: &str) -> Option<Entry<T>> {
        self.cache.get(key)
    }

    /// The row, from memory or from the store.
    ///
    /// # Errors
    /// As [`Backend::get`], and [`Error::Decode`].
    pub async fn get(&self, key: &str) -> Result<Option<Entry<T>>> {
        match self.cache.get(key) {
            Some(entry) => Ok(Some(entry)),
            None => self.read(key).await,
        }
    }

    /// Writes a row and returns it with its new revision once it is on disk.
    ///
    /// # Errors
    /// As [`Backend::put`], and [`Error::Encode`].
    pub async fn put(&self, key: &str, value: T, expect: Expect) -> Result<Entry<T>> {
        let full = self.full(key);
        let json = serde_json::to_vec(&value)
            .map_err(|source| Error::Encode { key: full.clone(), source: Arc::new(source) })?;
        let revision = self.backend.put(&full, Bytes::from(json), expect).await?;
        let entry = Entry { value: Arc::new(value), revision };
        self.cache.fill(key, &entry, revision);
        Ok(entry)
    }

    /// Changes a row by compare-and-set. `change` is given the present value (`None`: there is none) and may be called
    /// several times; its error ends the attempt and comes back as [`UpdateError::Refused`].
    ///
    /// # Errors
    /// [`UpdateError::Store`] with a conflict when others kept winning.
    pub async fn update<E>(
        &self,
        key: &str,
        mut change: impl FnMut(Option<&Entry<T>>) -> std::result::Result<T, E>,
    ) -> std::result::Result<Entry<T>, UpdateError<E>> {
        for _ in 0..UPDATE_ATTEMPTS {
            let present = self.read(key).await?;
            let expect = present.as_ref().map_or(Expect::Absent, |entry| Expect::Revision(entry.revision));
            let value = change(present.as_ref()).map_err(UpdateError::Refused)?;
            match self.put(key, value, expect).await {
                Err(error) if error.is_conflict() => {}
                result => return Ok(result?),
            }
        }
        Err(Error::conflict(&self.full(key)).into())
    }

    /// Deletes a row.
    ///
    /// # Errors
    /// As [`Backend::delete`].
    pub async fn delete(&self, key: &str, expect: Expect) -> Result<()> {
        self.backend.delete(&self.full(key), expect).await
    }

    /// Up to `limit` rows whose keys begin with `prefix`, in order, from the first above the key `start_after`.
    ///
    /// # Errors
    /// As [`Backend::list`], and [`Error::Decode`].
    pub async fn list(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Entry<T>)>> {
        let start_after = start_after.map(|key| self.full(key));
        let records = self.backend.list(&self.full(prefix), start_after.as_deref(), limit).await?;
        records
            .into_iter()
            .map(|(key, record)| {
                let entry = decode(&key, &record)?;
                Ok((key[self.prefix.len()..].to_owned(), entry))
            })
            .collect()
    }

    async fn read(&self, key: &str) -> Result<Option<Entry<T>>> {
        let full = self.full(key);
        let seen = self.cache.latest_change(key);
        let Some(record) = self.backend.get(&full).await? else {
            return Ok(None);
        };
        let entry = decode(&full, &record)?;
        self.cache.fill(key, &entry, seen);
        Ok(Some(entry))
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

impl<T> fmt::Debug for Table<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Table").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

fn decode<T: DeserializeOwned>(key: &str, record: &Record) -> Result<Entry<T>> {
    let value = serde_json::from_slice(&record.value)
        .map_err(|source| Error::Decode { key: key.to_owned(), source: Arc::new(source) })?;
    Ok(Entry { value: Arc::new(value), revision: record.revision })
}
