//! An image as its source has it.

use crate::digest::Digest;
use crate::manifest::Config;

/// How large a manifest or a configuration may be: what registries themselves allow.
pub(crate) const DOCUMENT_BYTES: u64 = 4 * 1024 * 1024;

/// What is known of an image before its layers are fetched; a layer is found by `Layer`.
#[derive(Debug)]
pub(crate) struct Package<Layer> {
    /// Of the manifest.
    pub(crate) digest: Digest,
    pub(crate) config: Config,
    /// The configuration as it came.
    pub(crate) document: Vec<u8>,
    pub(crate) layers: Vec<Layer>,
}
