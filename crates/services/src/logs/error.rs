//! What can go wrong with logs.

use std::io;
use std::path::{Path, PathBuf};

/// The result of an operation on logs.
pub type Result<T> = std::result::Result<T, Error>;

/// An operation on logs that failed. The texts of those that are the caller's doing are CloudWatch's.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such group.
    #[error("The specified log group does not exist.")]
    NoSuchGroup,
    /// There is no such stream in the group.
    #[error("The specified log stream does not exist.")]
    NoSuchStream,
    /// There is a group of this name already.
    #[error("The specified log group already exists")]
    GroupExists,
    /// There is a stream of this name already.
    #[error("The specified log stream already exists")]
    StreamExists,
    /// The request contradicts itself or names what cannot be.
    #[error("{0}")]
    InvalidParameter(String),
    /// A file could not be read or written.
    #[error("could not {operation} {}", path.display())]
    Io {
        /// What was being done, as a verb.
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The runtime is going away.
    #[error("the log store is closed")]
    Closed,
}

impl Error {
    pub(super) fn io(operation: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { operation, path: path.to_owned(), source }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::InvalidParameter(message.into())
    }
}
