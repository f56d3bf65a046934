//! What every store can do: rows by key, compare-and-set, ordered listing.

use std::future::Future;
use std::pin::Pin;
use std::sync::Weak;

use bytes::Bytes;

use crate::Result;

/// A boxed future, so that the backend can be chosen at run time.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The largest value of a record in bytes: what one JetStream message carries by default.
pub const MAX_VALUE_BYTES: usize = 1024 * 1024;

/// A value and the revision at which it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The value as it was put.
    pub value: Bytes,
    /// Rises with every change anywhere in the store.
    pub revision: u64,
}

/// The state of a key that a write demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// There is no such record.
    Absent,
    /// The record is still the one of this revision.
    Revision(u64),
    /// Whatever is there.
    Any,
}

impl Expect {
    /// Whether a key whose record has this revision (`None`: no record) is as demanded.
    pub fn allows(self, present: Option<u64>) -> bool {
        match self {
            Self::Absent => present.is_none(),
            Self::Revision(revision) => present == Some(revision),
            Self::Any => true,
        }
    }
}

/// Is told of committed changes. Called on the backend's writing thread: it must be quick and must not call the store.
pub trait Observer: Send + Sync {
    /// The record of `key` was put or deleted at `revision`.
    fn changed(&self, key: &str, revision: u64);
}

/// A durable map from keys to small values.
///
/// The contract is what [`crate::conformance`] checks. No operation spans two keys. All futures may be dropped at any
/// time; a write whose future was dropped may or may not happen.
pub trait Backend: Send + Sync + 'static {
    /// The record of `key`. Sees every write that was acknowledged before the call.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Record>>>;

    /// Writes a record if the key is as expected and returns its revision once it is on disk.
    ///
    /// # Errors
    /// [`crate::Error::Conflict`] when the key is not as expected: then nothing was written.
    fn put<'a>(&'a self, key: &'a str, value: Bytes, expect: Expect) -> BoxFuture<'a, Result<u64>>;

    /// Deletes a record if the key is as expected. Deleting what is not there succeeds, unless a revision was expected.
    ///
    /// # Errors
    /// [`crate::Error::Conflict`] when the key is not as expected.
    fn delete<'a>(&'a self, key: &'a str, expect: Expect) -> BoxFuture<'a, Result<()>>;

    /// Up to `limit` records whose keys begin with `prefix`, in byte order of the keys, from the first one above the
    /// whole key `start_after`. The cost depends on `limit`, not on how many records lie before.
    fn list<'a>(
        &'a self,
        prefix: &'a str,
        start_after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(String, Record)>>>;

    /// Has `observer` told of each later change to a key that begins with `prefix`, in order of revisions. On a single
    /// node it is told before the write is acknowledged; on a cluster other nodes' changes arrive later.
    /// The observer is forgotten when it is dropped.
    fn observe(&self, prefix: &str, observer: Weak<dyn Observer>);
}
