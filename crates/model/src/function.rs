//! The function resource: one small head per function, its versions, its state.
//!
//! See "CreateFunction" and "Lambda function states" in the AWS Lambda documentation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::alias::Alias;
use crate::arn::{FunctionId, Qualifier};
use crate::clock::Timestamp;
use crate::concurrency::ProvisionedConcurrency;
use crate::event_invoke_config::EventInvokeConfig;
use crate::function_url::FunctionUrl;
use crate::layer::FunctionLayer;
use crate::managed_instances::ManagedInstances;
use crate::permission::ResourcePolicy;
use crate::recursion::RecursiveLoop;
use crate::runtime_management::RuntimeUpdates;
use crate::version::{Package, PublishedVersion, Version};

/// Everything mutable about one function in one row, changed by compare-and-set: so every change of a function is
/// atomic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionHead {
    /// Account, region and name.
    pub id: FunctionId,
    /// A value of its own for every function ever created, so that what a deleted function left behind is never
    /// mistaken for that of a new one of the same name.
    pub incarnation: String,
    /// The configuration of `$LATEST`.
    pub latest: FunctionConfiguration,
    /// What serves invocations of `$LATEST` while an update of it is in progress (and if it fails): the
    /// configuration before the update. Absent when `latest` itself serves.
    pub serving: Option<Box<FunctionConfiguration>>,
    /// The highest version number given out; numbers are never reused.
    pub last_version: u64,
    /// The published versions that exist, by number.
    pub versions: BTreeMap<u64, PublishedVersion>,
    /// Aliases by name.
    pub aliases: BTreeMap<String, Alias>,
    /// Reserved concurrency, if set.
    pub reserved_concurrency: Option<u32>,
    /// Provisioned concurrency by version number or alias name.
    #[serde(default)]
    pub provisioned: BTreeMap<String, ProvisionedConcurrency>,
    /// Tags of the function.
    pub tags: BTreeMap<String, String>,
    /// ARN of the code signing configuration that deployments are held against.
    #[serde(default)]
    pub code_signing_config_arn: Option<String>,
    /// What happens when the function is found to call itself in a loop.
    #[serde(default)]
    pub recursive_loop: RecursiveLoop,
    /// When versions get another runtime, by qualifier; what is not listed gets it automatically.
    #[serde(default)]
    pub runtime_updates: BTreeMap<String, RuntimeUpdates>,
    /// How events are handled that nobody waits for, by qualifier: `$LATEST`, a number, or the name of an alias.
    #[serde(default)]
    pub event_invoke_configs: BTreeMap<String, EventInvokeConfig>,
    /// URLs by qualifier: `$LATEST` for the function itself, or the name of an alias.
    #[serde(default)]
    pub urls: BTreeMap<String, FunctionUrl>,
    /// Resource-based policies by qualifier: `$LATEST` for the function itself, a number, or the name of an alias.
    #[serde(default)]
    pub policies: BTreeMap<String, ResourcePolicy>,
}

impl FunctionHead {
    /// A function that nobody has set anything for yet but its configuration.
    #[must_use]
    pub fn new(id: FunctionId, incarnation: String, latest: FunctionConfiguration) -> Self {
        Self {
            id,
            incarnation,
            latest,
            serving: None,
            last_version: 0,
            versions: BTreeMap::new(),
            aliases: BTreeMap::new(),
            reserved_concurrency: None,
            provisioned: BTreeMap::new(),
            tags: BTreeMap::new(),
            code_signing_config_arn: None,
            recursive_loop: RecursiveLoop::default(),
            runtime_updates: BTreeMap::new(),
            event_invoke_configs: BTreeMap::new(),
            urls: BTreeMap::new(),
            policies: BTreeMap::new(),
        }
    }

    /// Removes what is set for a version or alias that is going away.
    pub fn forget_qualifier(&mut self, qualifier: &str) {
        self.provisioned.remove(qualifier);
        self.runtime_updates.remove(qualifier);
        self.event_invoke_configs.remove(qualifier);
        self.urls.remove(qualifier);
        self.policies.remove(qualifier);
    }

    /// When a version gets another runtime.
    #[must_use]
    pub fn runtime_updates(&self, version: Version) -> RuntimeUpdates {
        self.runtime_updates.get(&version.to_string()).cloned().unwrap_or_default()
    }

    /// Sets when a version gets another runtime.
    pub fn set_runtime_updates(&mut self, version: Version, updates: RuntimeUpdates) {
        match updates {
            RuntimeUpdates::Auto => self.runtime_updates.remove(&version.to_string()),
            updates => self.runtime_updates.insert(version.to_string(), updates),
        };
    }

    /// Gives a version another version of its runtime, which makes it a new generation.
    pub fn set_runtime_version(&mut self, version: Version, arn: &str) {
        match version {
            Version::Latest => {
                let generation = self.latest.generation + 1;
                for configuration in
                    [Some(&mut self.latest), self.serving.as_deref_mut()].into_iter().flatten()
                {
                    configuration.runtime_version_arn = Some(arn.to_owned());
                    configuration.generation = generation;
                }
            }
            Version::Published(number) => {
                if let Some(version) = self.versions.get_mut(&number) {
                    version.runtime_version_arn = Some(arn.to_owned());
                    version.generation += 1;
                }
            }
        }
    }

    /// The version that a qualifier names, if it exists; of an alias, the one it points to first of all.
    #[must_use]
    pub fn version(&self, qualifier: Option<&Qualifier>) -> Option<Version> {
        match qualifier {
            None | Some(Qualifier::Latest) => Some(Version::Latest),
            Some(Qualifier::Version(number)) => {
                self.versions.contains_key(number).then_some(Version::Published(*number))
            }
            Some(Qualifier::Alias(name)) => Some(self.aliases.get(name)?.version),
        }
    }

    /// The configuration that invocations of `$LATEST` run with.
    #[must_use]
    pub fn serving(&self) -> &FunctionConfiguration {
        self.serving.as_deref().unwrap_or(&self.latest)
    }
}

/// Code and configuration of one version. Immutable once published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionConfiguration {
    /// `$LATEST` or a number.
    pub version: Version,
    /// Counts the changes of code and configuration within one incarnation, from 1; unlike `revision_id` it does not
    /// change with the state. An execution environment serves only the generation that it was made for.
    pub generation: u64,
    /// The code.
    pub code: Code,
    /// ARN of the execution role.
    pub role: String,
    /// Free text, at most 256 characters.
    pub description: String,
    /// Seconds that an invocation may take, 1 to 900; to 5,400 on managed instances.
    pub timeout_seconds: u32,
    /// Memory in MB, 128 to 10,240; 2,048 to 32,768 on managed instances.
    pub memory_size_mb: u32,
    /// Size of `/tmp` in MB, 512 to 10,240.
    pub ephemeral_storage_mb: u32,
    /// Processor architecture of the code.
    pub architecture: Architecture,
    /// Environment variables; absent when never given (an empty map is echoed as such).
    pub environment: Option<BTreeMap<String, String>>,
    /// Layers in the order of merging.
    pub layers: Vec<FunctionLayer>,
    /// Where and how logs are written.
    pub logging: Logging,
    /// X-Ray mode.
    pub tracing_mode: TracingMode,
    /// ARN of the runtime version in use; absent for images.
    #[serde(default)]
    pub runtime_version_arn: Option<String>,
    /// ARN of the customer's key, echoed.
    pub kms_key_arn: Option<String>,
    /// ARN of the customer's key for the archive, echoed.
    #[serde(default)]
    pub source_kms_key_arn: Option<String>,
    /// The object that the archive was read from, if the owner keeps it there instead of leaving it to the service.
    #[serde(default)]
    pub referenced_object: Option<ReferencedObject>,
    /// ARN of the dead-letter queue or topic.
    pub dead_letter_target_arn: Option<String>,
    /// Network configuration, echoed.
    pub vpc: Option<Vpc>,
    /// File systems, echoed.
    pub file_systems: Vec<FileSystem>,
    /// Whether published versions start from a snapshot.
    pub snap_start_published_versions: bool,
    /// Whether tenants get environments of their own.
    pub tenant_isolation: bool,
    /// The instances that it runs on, if they are a capacity provider's.
    #[serde(default)]
    pub managed_instances: Option<ManagedInstances>,
    /// When code or configuration was last changed.
    pub last_modified: Timestamp,
    /// Changes with every change.
    pub revision_id: String,
    /// Creation.
    pub state: State,
    /// The last update; absent before the first activation.
    pub last_update: Option<LastUpdate>,
}

impl FunctionConfiguration {
    /// The archive of the code; `None` for images.
    #[must_use]
    pub fn package(&self) -> Option<Package> {
        match &self.code {
            Code::Zip { sha256, size, .. } => Some(Package {
                sha256: sha256.clone(),
                size: *size,
                referenced: self.referenced_object.is_some(),
            }),
            Code::Image { .. } => None,
        }
    }

    /// Share of CPU: 1.0 is one full vCPU.
    #[must_use]
    pub fn cpus(&self) -> f64 {
        match &self.managed_instances {
            Some(instances) => instances.vcpus(self.memory_size_mb),
            None => f64::from(self.memory_size_mb) / crate::quota::MEMORY_MB_PER_VCPU,
        }
    }

    /// Whether this configuration may serve invocations.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.state, State::Active)
    }
}

/// The code of a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "package_type")]
pub enum Code {
    /// A zip archive, kept as a blob and unpacked into a content-addressed directory.
    Zip {
        /// Runtime identifier, e.g. `python3.12`.
        runtime: String,
        /// Handler, as the runtime understands it.
        handler: String,
        /// SHA-256 of the archive in lower-case hex: its name in the blob store.
        sha256: String,
        /// Size of the archive in bytes.
        size: u64,
        /// Size of all files unpacked, in bytes.
        unpacked_size: u64,
    },
    /// A container image.
    Image {
        /// The reference as given.
        uri: String,
        /// The reference with the image's digest, as far as it is known.
        #[serde(default)]
        resolved_uri: Option<String>,
        /// Entry point, command and working directory that override the image's.
        entry_point: Option<Vec<String>>,
        /// See `entry_point`.
        command: Option<Vec<String>>,
        /// See `entry_point`.
        working_directory: Option<String>,
    },
}

/// A version of an object in a bucket of the owner's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferencedObject {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key.
    pub key: String,
    /// The version.
    pub version: String,
}

/// Processor architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Architecture {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit ARM.
    #[serde(rename = "arm64")]
    Arm64,
}

impl Architecture {
    /// AWS' name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

/// `LoggingConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    /// Text or JSON.
    pub format: LogFormat,
    /// The log group, by default `/aws/lambda/<name>`.
    pub group: String,
    /// Lowest level of the function's own log records that is kept; only with JSON.
    pub application_level: Option<String>,
    /// Lowest level of platform events that is kept; only with JSON.
    pub system_level: Option<String>,
}

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogFormat {
    /// Plain lines.
    Text,
    /// One JSON object a line.
    #[serde(rename = "JSON")]
    Json,
}

/// X-Ray mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TracingMode {
    /// Trace only what the caller traces.
    PassThrough,
    /// Also sample on the service's own account.
    Active,
}

/// `VpcConfig`, kept as given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    /// At most 16.
    pub subnet_ids: Vec<String>,
    /// At most 5.
    pub security_group_ids: Vec<String>,
    /// Whether IPv6 is allowed in dual-stack subnets.
    pub ipv6_allowed_for_dual_stack: bool,
}

/// One entry of `FileSystemConfigs`, kept as given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystem {
    /// ARN of the access point.
    pub arn: String,
    /// Where it is mounted, below `/mnt/`.
    pub local_mount_path: String,
    /// `S3FilesConfig.DirectS3Read`, if given.
    #[serde(default)]
    pub direct_s3_read: Option<String>,
}

/// `State` with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Being created.
    Pending(Reason),
    /// Can be invoked.
    Active,
    /// Idle for so long that resources were given back.
    Inactive(Reason),
    /// Creation failed.
    Failed(Reason),
    /// In order, but not what is invoked: `$LATEST` of a function on managed instances.
    ActiveNonInvocable,
    /// Its execution environments are being taken from managed instances.
    Deactivating,
    /// It has no execution environments on managed instances, because it was given none.
    Deactivated,
}

impl State {
    /// AWS' name.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending(_) => "Pending",
            Self::Active => "Active",
            Self::Inactive(_) => "Inactive",
            Self::Failed(_) => "Failed",
            Self::ActiveNonInvocable => "ActiveNonInvocable",
            Self::Deactivating => "Deactivating",
            Self::Deactivated => "Deactivated",
        }
    }

    /// Why it is in this state, if there is more to say than the state's name.
    #[must_use]
    pub const fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Pending(reason) | Self::Inactive(reason) | Self::Failed(reason) => Some(reason),
            Self::Active | Self::ActiveNonInvocable | Self::Deactivating | Self::Deactivated => None,
        }
    }
}

/// `LastUpdateStatus` with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LastUpdate {
    /// Under way.
    InProgress(Reason),
    /// Done.
    Successful,
    /// Failed; the version before it goes on serving.
    Failed(Reason),
}

/// Text and code of a state's reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// E.g. `Creating`.
    pub code: String,
    /// E.g. `The function is being created.`
    pub text: String,
}
