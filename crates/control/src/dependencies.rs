//! What the control plane needs from the rest of the server, as traits where that rest must not be known here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rushlight_auth::Authorizer;
use rushlight_model::arn::{FunctionId, Scope};
use rushlight_model::clock::{Clock, Timestamp};
use rushlight_model::concurrency::Provision;
use rushlight_model::event_source_mapping::Source;
use rushlight_model::function::{Architecture, FunctionHead};
use rushlight_model::function_url::UrlPlace;
use rushlight_model::invocation::Outcomes;
use rushlight_model::notice::{Channel, Notice};
use rushlight_model::quota::AccountQuotas;
use rushlight_model::runtime_version::RuntimeVersion;
use rushlight_model::version::{PublishedConfiguration, Version};
use rushlight_runtimes::Policy;
use rushlight_store::table::Table;
use rushlight_store::{Backend, BlobStore, BoxFuture, Digest, PackageStore};
use tokio::sync::mpsc;

/// Everything that a [`crate::Control`] works with.
pub struct Dependencies {
    /// Rows.
    pub store: Arc<dyn Backend>,
    /// The heads of all functions: a table of `store` under `rushlight_store::table::function::HEADS`, shared with
    /// the data plane so that there is one cache.
    pub functions: Table<FunctionHead>,
    /// The rows of published versions: a table of `store` under `rushlight_store::table::version::VERSIONS`, shared
    /// with the data plane.
    pub versions: Table<PublishedConfiguration>,
    /// Archives as they were uploaded.
    pub blobs: BlobStore,
    /// Archives unpacked.
    pub packages: PackageStore,
    /// Time.
    pub clock: Clock,
    /// Limits of each account in each region.
    pub quotas: AccountQuotas,
    /// Decides what callers may do.
    pub authorizer: Authorizer,
    /// Whether resource-based policies that let in whoever comes are refused.
    pub block_public_policies: bool,
    /// By which rules runtimes come to their end.
    pub deprecation_policy: Policy,
    /// Take notices of that to whom it may concern.
    pub postboxes: Vec<Arc<dyn Postbox>>,
    /// What this machine can run.
    pub runtimes: Arc<dyn Runtimes>,
    /// Makes the URLs that packages are downloaded from.
    pub code_urls: Arc<dyn CodeUrls>,
    /// Where function URLs are served.
    pub url_place: UrlPlace,
    /// The data plane, as far as it has to be told of changes and asked about them.
    pub data_plane: Arc<dyn DataPlane>,
    /// Where code named by bucket and key is fetched from; `None` until such a service is configured.
    pub objects: Option<Arc<dyn Objects>>,
    /// Has container images fetched; `None` where there are none.
    pub images: Option<Arc<dyn ContainerImages>>,
    /// Versions with `SnapStart` that were invoked although they were given up.
    pub invoked_inactive: mpsc::Receiver<(FunctionId, u64)>,
    /// Looks at queues and streams before they are mapped; [`AnySource`] where there is nothing to look at.
    pub event_sources: Arc<dyn EventSources>,
}

impl fmt::Debug for Dependencies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Dependencies")
            .field("clock", &self.clock)
            .field("quotas", &self.quotas)
            .finish_non_exhaustive()
    }
}

/// The version of a managed runtime that a server comes with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRuntimeVersion {
    /// E.g. `python:3.12.v36`.
    pub text: String,
    /// What stands behind `runtime:` in its ARN: 64 hex digits.
    pub hash: String,
}

/// The runtimes that this server can start.
pub trait Runtimes: Send + Sync {
    /// The hash of the version of the runtime that a function gets which has none that was published.
    ///
    /// A machine of another architecture is no reason to refuse: the function is then created as on AWS, and its
    /// invocation says that it cannot run here. So a deployment made for several architectures goes through.
    ///
    /// # Errors
    /// One sentence for the caller: what is not there, what is, and how to add what is not.
    fn check(&self, identifier: &str, architecture: Architecture) -> Result<String, String>;

    /// The version that the server comes with, whether this machine can run it or not; `None` if there is no such
    /// runtime.
    fn own(&self, identifier: &str) -> Option<OwnRuntimeVersion>;

    /// Whether functions of this architecture can be given versions that are published: they are for this machine's.
    fn is_native(&self, architecture: Architecture) -> bool;

    /// Lets functions be given a version that was published.
    ///
    /// # Errors
    /// One sentence: what is wrong with its root file system.
    fn add(&self, version: &RuntimeVersion) -> Result<(), String>;
}

/// Sends notices that runtimes come to their end.
pub trait Postbox: Send + Sync {
    /// What it is called where it is noted that it has taken a notice.
    fn name(&self) -> &str;

    /// Whether notices of this kind are for it.
    fn takes(&self, channel: Channel) -> bool;

    /// Sends one. It is tried again when it fails.
    ///
    /// # Errors
    /// One sentence: why it was not taken.
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), String>>;
}

/// What a URL for downloading a package must lead to.
#[derive(Debug, Clone, Copy)]
pub struct CodeUrl<'a> {
    /// Account and region of the function.
    pub scope: &'a Scope,
    /// The archive: its SHA-256 in lower-case hex.
    pub package: &'a Digest,
    /// How long the URL is good for.
    pub valid: Duration,
    /// The `Host` header of the request that asks for the URL.
    pub host: Option<&'a str>,
    /// Whether that request came over an encrypted connection.
    pub is_encrypted: bool,
}

/// Makes presigned URLs for packages, as in `Code.Location` of GetFunction.
pub trait CodeUrls: Send + Sync {
    /// A URL that serves the archive (`application/zip`) to whoever has it, without further credentials.
    fn presign(&self, url: CodeUrl<'_>) -> String;
}

/// What execution environments must go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retirement<'a> {
    /// Those of `$LATEST` of this incarnation whose generation is lower: code or configuration changed. Invocations
    /// that run there end as they would.
    Superseded {
        /// See `FunctionHead::incarnation`.
        incarnation: &'a str,
        /// The generation that serves from now on.
        generation: u64,
    },
    /// Those of a published version of this incarnation: the version is deleted, or has none on managed instances.
    VersionDeleted {
        /// See `FunctionHead::incarnation`.
        incarnation: &'a str,
        /// The number of the version.
        version: u64,
    },
    /// All of this incarnation: the function is deleted.
    Deleted {
        /// See `FunctionHead::incarnation`.
        incarnation: &'a str,
    },
}

/// Why a version could not be initialised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotFailure {
    /// It takes too long.
    TimedOut,
    /// It has failed.
    Failed {
        /// E.g. `Runtime.ExitError`.
        error_type: String,
    },
    /// It could not be begun.
    Unavailable,
}

/// That a version is initialised, or why it could not be.
pub type Initialized<'a> = BoxFuture<'a, Result<(), SnapshotFailure>>;

/// The data plane, seen from the control plane.
pub trait DataPlane: Send + Sync {
    /// Called once the change is committed. Must be quick: it marks environments and returns.
    fn retire(&self, function: &FunctionId, retirement: Retirement<'_>);

    /// Whether an environment has the unpacked package mounted, or is about to. While this is true neither the
    /// package nor its archive is removed.
    fn in_use(&self, package: &Digest) -> bool;

    /// Says how much of the concurrency of an account in a region only some functions can use: what is left is for
    /// all others.
    fn claim_concurrency(&self, scope: &Scope, claimed: u32);

    /// Called when the provisioned concurrency of a function changed, or what its aliases lead to, and when versions with
    /// `SnapStart` are to be kept initialised. Must be quick.
    fn provision(&self, function: &FunctionId);

    /// What became of the invocations that a version has served since it was last changed.
    fn outcomes(&self, function: &FunctionId, version: Version) -> Outcomes;

    /// Initialises a published version with `SnapStart`, and keeps it so.
    fn snapshot<'a>(&'a self, function: &'a FunctionId, version: u64) -> Initialized<'a>;

    /// When a published version with `SnapStart` was invoked last, since the server began to run.
    fn last_used(&self, function: &FunctionId, version: u64) -> Option<Timestamp>;

    /// What there is of the provisioned concurrency of a published version.
    fn provisioned(&self, function: &FunctionId, version: u64) -> Provision;
}

/// Which object is wanted.
#[derive(Debug, Clone, Copy)]
pub struct ObjectRequest<'a> {
    /// Region of the function or layer that the object is for.
    pub region: &'a str,
    /// The bucket's name.
    pub bucket: &'a str,
    /// The object's key.
    pub key: &'a str,
    /// The version; the present one if there is none.
    pub version: Option<&'a str>,
    /// The largest size of use, in bytes.
    pub limit: u64,
}

/// An object.
#[derive(Debug, Clone)]
pub struct Object {
    /// All of it.
    pub bytes: Bytes,
    /// The version that was read; none where the bucket keeps no versions.
    pub version: Option<String>,
}

/// Why an object could not be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectError {
    /// The service says why, in the terms of S3.
    Refused {
        /// E.g. `NoSuchKey`.
        code: String,
        /// E.g. `The specified key does not exist.`
        message: String,
        /// Whether it calls it its own failure: HTTP status 500 and above.
        by_failure: bool,
    },
    /// It has more bytes than are of use.
    TooLarge,
    /// The service did not answer: one sentence that names it.
    Unavailable(String),
}

/// Fetches archives from an S3-style service.
pub trait Objects: Send + Sync {
    /// The whole object.
    fn get<'a>(&'a self, request: ObjectRequest<'a>) -> BoxFuture<'a, Result<Object, ObjectError>>;
}

/// Why an image cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageError {
    /// There is none of that name.
    NotFound,
    /// It is not given to this server: what the registry says.
    Denied(String),
    /// It is not as it should be, or for another architecture: what is wrong.
    Unsupported(String),
    /// The registry, or the disk, does not do its part: one sentence.
    Unavailable(String),
}

/// Has container images ready for functions.
pub trait ContainerImages: Send + Sync {
    /// The image that a reference leads to now: the same repository with a digest.
    fn resolve<'a>(
        &'a self,
        uri: &'a str,
        architecture: Architecture,
    ) -> BoxFuture<'a, Result<String, ImageError>>;

    /// Has an image, named with its digest, ready to be run.
    fn prepare<'a>(
        &'a self,
        resolved_uri: &'a str,
        architecture: Architecture,
    ) -> BoxFuture<'a, Result<(), ImageError>>;

    /// Removes images that are not among these, each named with its digest.
    fn retain(&self, resolved_uris: Vec<String>) -> BoxFuture<'_, ()>;
}

/// What is about to be mapped to a function.
#[derive(Debug, Clone, Copy)]
pub struct SourceCheck<'a> {
    /// Account and region of the function.
    pub scope: &'a Scope,
    /// What is to be read.
    pub source: &'a Source,
    /// Seconds that an invocation may take.
    pub function_timeout_seconds: u32,
}

/// Why a source cannot be mapped, in AWS' words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceRefusal {
    /// There is no such queue.
    #[error(
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error \
         Message: The specified queue does not exist."
    )]
    NoQueue,
    /// There is no such stream.
    #[error("Stream not found: {arn}")]
    NoStream {
        /// ARN of the stream.
        arn: String,
    },
    /// Messages would be visible again before the function has ended.
    #[error("Queue visibility timeout: {queue} seconds is less than Function timeout: {function} seconds")]
    VisibilityTimeout {
        /// That of the queue, in seconds.
        queue: u32,
        /// That of the function, in seconds.
        function: u32,
    },
}

/// The services that queues and streams are in, as far as they are asked when a mapping is created.
pub trait EventSources: Send + Sync {
    /// Whether the source can be mapped. A service that cannot be reached is no reason to refuse: polling will tell.
    fn check<'a>(&'a self, check: SourceCheck<'a>) -> BoxFuture<'a, Result<(), SourceRefusal>>;
}

/// Takes every source as it is given.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnySource;

impl EventSources for AnySource {
    fn check<'a>(&'a self, _check: SourceCheck<'a>) -> BoxFuture<'a, Result<(), SourceRefusal>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
