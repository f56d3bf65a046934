//! The code that a request brings: where it comes from, what it must be, and how it is kept.

use std::sync::Arc;

use bytes::Bytes;
use rushlight_api::lambda::types::S3ObjectStorageMode;
use rushlight_model::function::{Architecture, Code, FunctionConfiguration, ReferencedObject};
use rushlight_store::{BlobStore, Digest};

use super::image::Image;
use crate::Control;
use crate::code;
use crate::context::RequestContext;
use crate::dependencies::Objects;
use crate::error::{Error, Result};
use crate::ledger::{Hold, Ledger};
use crate::object;

/// The members of a request that name code.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    pub(crate) zip_file: Option<Bytes>,
    pub(crate) s3_bucket: Option<String>,
    pub(crate) s3_key: Option<String>,
    pub(crate) s3_object_version: Option<String>,
    pub(crate) s3_object_storage_mode: Option<S3ObjectStorageMode>,
    pub(crate) image_uri: Option<String>,
}

/// What kind of package a function has; it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PackageType {
    Zip,
    Image,
}

/// Code that is in order, as far as can be told.
#[derive(Debug, Clone)]
pub(super) enum DeploymentPackage {
    Archive(Archive),
    Image(Image),
}

impl DeploymentPackage {
    /// What it takes of the account's code storage, in bytes.
    pub(super) fn stored_size(&self) -> u64 {
        match self {
            Self::Archive(archive) => archive.stored_size(),
            Self::Image(_) => 0,
        }
    }

    /// Notes in the configuration that this is its code.
    pub(super) fn put(&self, configuration: &mut FunctionConfiguration) {
        match (self, &mut configuration.code) {
            (Self::Archive(archive), Code::Zip { sha256, size, unpacked_size, .. }) => {
                *sha256 = archive.digest.to_string();
                *size = archive.size();
                *unpacked_size = archive.unpacked_size;
                configuration.referenced_object.clone_from(&archive.reference);
            }
            (Self::Image(image), Code::Image { uri, resolved_uri, .. }) => {
                image.uri.clone_into(uri);
                resolved_uri.clone_from(&image.resolved_uri);
            }
            // `Source::package` makes what was asked for.
            (Self::Archive(_), Code::Image { .. }) | (Self::Image(_), Code::Zip { .. }) => {}
        }
    }

    /// Writes an archive to disk. As long as the hold lives it is not removed, although no function names it yet.
    pub(super) async fn keep(&self, blobs: &BlobStore, ledger: &Arc<Ledger>) -> Result<Option<Hold>> {
        match self {
            Self::Archive(archive) => Ok(Some(archive.keep(blobs, ledger).await?)),
            Self::Image(_) => Ok(None),
        }
    }
}

impl Source {
    /// The package that the request names; an archive is looked through from end to end.
    pub(super) async fn package(
        &self,
        control: &Control,
        context: &RequestContext,
        package_type: PackageType,
        architecture: Architecture,
    ) -> Result<DeploymentPackage> {
        match (package_type, &self.image_uri) {
            (PackageType::Image, Some(uri)) if !self.names_archive() => {
                let image = Image::resolve(uri, architecture, control.images.as_ref()).await?;
                Ok(DeploymentPackage::Image(image))
            }
            (PackageType::Image, Some(_)) => Err(Error::invalid(
                "Please do not provide other FunctionCode parameters when providing an ImageUri.",
            )),
            (PackageType::Image, None) => Err(Error::invalid(
                "Please provide ImageUri when creating a function with packageType Image.",
            )),
            (PackageType::Zip, _) => {
                Ok(DeploymentPackage::Archive(self.archive(control.objects.as_ref(), context).await?))
            }
        }
    }

    fn names_archive(&self) -> bool {
        self.zip_file.is_some() || self.names_object()
    }

    /// The archive that the request names, looked through from end to end.
    pub(crate) async fn archive(
        &self,
        objects: Option<&Arc<dyn Objects>>,
        context: &RequestContext,
    ) -> Result<Archive> {
        if let Some(zip) = &self.zip_file {
            if self.names_object() || self.image_uri.is_some() {
                return Err(Error::invalid(
                    "Please do not provide other FunctionCode parameters when providing a ZipFile.",
                ));
            }
            code::check_zipped_size(zip.len() as u64)?;
            return Archive::inspect(zip.clone(), None).await;
        }
        if !self.names_object() {
            return Err(Error::invalid("Please provide a source for function code."));
        }
        let (Some(bucket), Some(key)) = (&self.s3_bucket, &self.s3_key) else {
            return Err(Error::invalid("S3 Bucket and Key are required for uploading with S3 parameters."));
        };
        let version = self.s3_object_version.as_deref();
        let object = object::fetch(objects, &context.scope.region, bucket, key, version).await?;
        let reference = match self.s3_object_storage_mode {
            Some(S3ObjectStorageMode::Reference) => Some(ReferencedObject {
                bucket: bucket.clone(),
                key: key.clone(),
                version: object.version.ok_or_else(|| {
                    Error::invalid("S3ObjectStorageMode REFERENCE needs a bucket that keeps versions.")
                })?,
            }),
            _ => None,
        };
        Archive::inspect(object.bytes, reference).await
    }

    fn names_object(&self) -> bool {
        self.s3_bucket.is_some()
            || self.s3_key.is_some()
            || self.s3_object_version.is_some()
            || self.s3_object_storage_mode.is_some()
    }
}

/// An archive that is known to be in order.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    zip: Bytes,
    pub(crate) digest: Digest,
    pub(crate) unpacked_size: u64,
    /// Where it stays, if that is not here.
    pub(crate) reference: Option<ReferencedObject>,
}

impl Archive {
    async fn inspect(zip: Bytes, reference: Option<ReferencedObject>) -> Result<Self> {
        let looking = tokio::task::spawn_blocking(move || {
            let unpacked_size = code::inspect(&zip)?.unzipped_bytes;
            Ok(Self { digest: Digest::of(&zip), unpacked_size, reference, zip })
        });
        // The task only fails when the runtime is going away.
        looking.await.unwrap_or(Err(Error::Closing))
    }

    /// Bytes of the archive.
    pub(crate) fn size(&self) -> u64 {
        self.zip.len() as u64
    }

    /// What it takes of the account's code storage, in bytes.
    pub(crate) fn stored_size(&self) -> u64 {
        if self.reference.is_none() { self.size() } else { 0 }
    }

    /// Writes the archive to disk. As long as the hold lives it is not removed, although nothing names it yet.
    pub(crate) async fn keep(&self, blobs: &BlobStore, ledger: &Arc<Ledger>) -> Result<Hold> {
        let hold = ledger.hold(self.digest).await;
        blobs.put(self.zip.clone()).await?;
        Ok(hold)
    }
}
