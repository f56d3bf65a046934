//! Why a package is refused, in Lambda's words.

use std::io;
use std::path::{Path, PathBuf};

use super::MAX_UNZIPPED_BYTES;

/// A package that was not accepted. All but [`CodeError::Io`] are the caller's doing; their texts are Lambda's.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// Not a zip archive that can be trusted. 400 `InvalidParameterValueException`.
    #[error("Could not unzip uploaded file. Please check your file, then try to upload again.")]
    Unreadable {
        /// What is wrong with it, for the log.
        reason: String,
    },
    /// An archive without entries. 400 `InvalidParameterValueException`.
    #[error("Uploaded file must be a non-empty zip")]
    Empty,
    /// More than [`super::MAX_ZIPPED_BYTES`]. 413 `RequestEntityTooLargeException`.
    #[error("Zipped size must be smaller than {} bytes", super::MAX_ZIPPED_BYTES)]
    TooLargeZipped,
    /// More than [`MAX_UNZIPPED_BYTES`]. 400 `InvalidParameterValueException`.
    #[error("Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes")]
    TooLargeUnzipped,
    /// The package could not be written to the disk: the platform's fault.
    #[error("could not write {} of a package", path.display())]
    Io {
        /// The file or directory, relative to the package.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

impl CodeError {
    pub(super) fn unreadable(reason: impl Into<String>) -> Self {
        Self::Unreadable { reason: reason.into() }
    }

    pub(super) fn io(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.as_ref().to_owned(), source }
    }
}

/// What the zip crate refuses. It reads from memory, so even its I/O errors speak of the archive.
impl From<zip::result::ZipError> for CodeError {
    fn from(error: zip::result::ZipError) -> Self {
        Self::unreadable(error.to_string())
    }
}
