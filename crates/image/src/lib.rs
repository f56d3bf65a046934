//! Container images: fetched from registries, layouts and archives, and unpacked into root file systems that are kept
//! by digest. What an image is used for is not known here.
//!
//! Everything about an image is others' doing: documents are held against their digests, archives are unpacked beneath
//! one directory and within limits.

mod credentials;
mod decompress;
mod digest;
mod directory;
mod error;
mod images;
mod layer;
mod layout;
mod manifest;
mod package;
mod reference;
mod registry;
mod root;
mod source;
#[cfg(test)]
mod tests;

pub use self::credentials::Credentials;
pub use self::digest::{Digest, NotADigest};
pub use self::error::{Error, Result};
pub use self::images::{Image, Images};
pub use self::layer::Limits;
pub use self::manifest::{Architecture, Config, Execution};
pub use self::reference::Reference;
pub use self::registry::{Head, Http, Registries, Sink};
pub use self::source::{Named, Source};
