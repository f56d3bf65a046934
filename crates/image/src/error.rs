//! Why an image is not to be had.

use std::io;
use std::path::{Path, PathBuf};

/// The result of what this crate does.
pub type Result<T> = std::result::Result<T, Error>;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that names no image.
    #[error(
        "'{0}' names no image: there are HOST/REPOSITORY:TAG, oci:DIRECTORY[:TAG], oci-archive:FILE and \
             docker-archive:FILE"
    )]
    Name(String),
    /// The registry or the layout has no such image.
    #[error("there is no image {0}")]
    NotFound(String),
    /// The registry does not let us have it.
    #[error("the registry does not give out {image}: {reason}")]
    Denied {
        /// As it was asked for.
        image: String,
        /// What the registry says.
        reason: String,
    },
    /// The registry does not answer, or not as it should.
    #[error("cannot fetch {image}: {reason}")]
    Registry {
        /// As it was asked for.
        image: String,
        /// What went wrong.
        reason: String,
    },
    /// The image is for other machines.
    #[error("the image is for {found}, not for linux/{wanted}")]
    Architecture {
        /// As images name it.
        wanted: &'static str,
        /// What it is for.
        found: String,
    },
    /// Not as an image should be.
    #[error("the image is not valid: {0}")]
    Invalid(String),
    /// More than may be unpacked.
    #[error("the image is too large: {0}")]
    TooLarge(String),
    /// The disk.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid(reason.into())
    }
}
