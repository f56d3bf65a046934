//! What can go wrong while remembering something.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The result of a store operation.
pub type Result<T> = std::result::Result<T, Error>;

/// A store operation that failed. Cheap to clone: one failed commit is reported to every write that was part of it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The key's present state is not the one that the write expected. Nothing was written.
    #[error("the record {key:?} was changed in the meantime")]
    Conflict {
        /// The key that was to be written.
        key: String,
    },
    /// The key contains a byte outside `[A-Za-z0-9_=/-]`, or is empty or too long.
    #[error("{key:?} is not a key of the store")]
    InvalidKey {
        /// The key as given.
        key: String,
    },
    /// The value is larger than [`crate::MAX_VALUE_BYTES`].
    #[error("the value of {key:?} has {bytes} bytes, more than a record may hold")]
    TooLarge {
        /// The key that was to be written.
        key: String,
        /// Size of the value in bytes.
        bytes: usize,
    },
    /// Another server works on the data directory.
    #[error(
        "the data directory {} is in use by another Rushlight server{}: stop that server or choose another --data-dir",
        path.display(),
        process.as_ref().map(|id| format!(" (process {id})")).unwrap_or_default()
    )]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// The process that holds it, when it could be learned.
        process: Option<String>,
    },
    /// The store was written by a newer release.
    #[error("{} has schema version {found}, this release knows versions up to {known}: use a newer release", path.display())]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// The version in the file.
        found: i64,
        /// The newest version that this release knows.
        known: i64,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// SQLite refused an operation. A write that ends so was not acknowledged; whether it is there is not known.
    #[error("the database could not {operation}")]
    Sqlite {
        /// What was being done, as a verb phrase.
        operation: &'static str,
        /// SQLite's own error.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// A file could not be read or written.
    #[error("could not {operation} {}", path.display())]
    Io {
        /// What was being done, as a verb.
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: Arc<io::Error>,
    },
    /// A record is not the JSON that its table expects.
    #[error("the record {key:?} cannot be read")]
    Decode {
        /// The record's key.
        key: String,
        /// Where and why decoding stopped.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// A value cannot be written as JSON.
    #[error("the value of {key:?} cannot be written as JSON")]
    Encode {
        /// The record's key.
        key: String,
        /// Why.
        #[source]
        source: Arc<serde_json::Error>,
    },
}

impl Error {
    /// Whether the write lost a race and may be tried again on the new state.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    pub(crate) fn conflict(key: &str) -> Self {
        Self::Conflict { key: key.to_owned() }
    }

    pub(crate) fn sqlite(operation: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |source| Self::Sqlite { operation, source: Arc::new(source) }
    }

    pub(crate) fn io(operation: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { operation, path: path.to_owned(), source: Arc::new(source) }
    }

    /// The blocking task that carried an operation did not come back: it panicked or the runtime is going away.
    pub(crate) fn lost(_: tokio::task::JoinError) -> Self {
        Self::Closed
    }
}
