//! The code that a request brings: where it comes from, what it must be, and how it is kept.

use std::sync::Arc;

use bytes::Bytes;
use rushlight_api::lambda::types::S3ObjectStorageMode;
use rushlight_store::{BlobStore, Digest};

use crate::code::{self, MAX_UNZIPPED_BYTES};
use crate::dependencies::Objects;
use crate::error::{Error, Result};
use crate::ledger::{Hold, Ledger};

/// The members of a request that name code.
#[derive(Debug, Clone, Default)]
pub(super) struct Source {
    pub(super) zip_file: Option<Bytes>,
    pub(super) s3_bucket: Option<String>,
    pub(super) s3_key: Option<String>,
    pub(super) s3_object_version: Option<String>,
    pub(super) s3_object_storage_mode: Option<S3ObjectStorageMode>,
}

impl Source {
    /// The archive, looked through from end to end.
    pub(super) async fn archive(&self, objects: Option<&Arc<dyn Objects>>) -> Result<Archive> {
        let zip = match (&self.zip_file, &self.s3_bucket, &self.s3_key) {
            (Some(zip), None, None) => {
                code::check_zipped_size(zip.len() as u64)?;
                zip.clone()
            }
            (Some(_), _, _) => {
                return Err(Error::invalid(
                    "Please do not provide other FunctionCode parameters when providing a ZipFile.",
                ));
            }
            (None, Some(bucket), Some(key)) => self.fetch(bucket, key, objects).await?,
            (None, None, None) => {
                return Err(Error::invalid("Please provide a source for function code."));
            }
            _ => return Err(Error::invalid("S3Bucket and S3Key must both be provided.")),
        };
        Archive::inspect(zip).await
    }

    async fn fetch(&self, bucket: &str, key: &str, objects: Option<&Arc<dyn Objects>>) -> Result<Bytes> {
        if self.s3_object_storage_mode == Some(S3ObjectStorageMode::Reference) {
            return Err(Error::not_offered("S3ObjectStorageMode REFERENCE", "Use COPY, the default."));
        }
        let Some(objects) = objects else {
            return Err(Error::invalid(
                "Rushlight has no S3-style service to fetch code from. Send the archive as ZipFile, or start the \
                 server with --endpoint s3=URL.",
            ));
        };
        objects.get(bucket, key, self.s3_object_version.as_deref(), MAX_UNZIPPED_BYTES).await.map_err(
            |error| {
                Error::invalid(format!(
                    "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}",
                    error.code, error.message
                ))
            },
        )
    }
}

/// An archive that is known to be in order.
#[derive(Debug, Clone)]
pub(super) struct Archive {
    zip: Bytes,
    pub(super) digest: Digest,
    pub(super) unpacked_size: u64,
}

impl Archive {
    async fn inspect(zip: Bytes) -> Result<Self> {
        let looking = tokio::task::spawn_blocking(move || {
            let inspection = code::inspect(&zip)?;
            Ok(Self { digest: Digest::of(&zip), unpacked_size: inspection.unzipped_bytes, zip })
        });
        // The task only fails when the runtime is going away.
        looking.await.unwrap_or(Err(Error::Closing))
    }

    /// Bytes of the archive.
    pub(super) fn size(&self) -> u64 {
        self.zip.len() as u64
    }

    /// Writes the archive to disk. As long as the hold lives it is not removed, although no function names it yet.
    pub(super) async fn keep(self, blobs: &BlobStore, ledger: &Arc<Ledger>) -> Result<Hold> {
        let hold = ledger.hold(self.digest).await;
        blobs.put(self.zip).await?;
        Ok(hold)
    }
}
