//! Quotas: AWS' documented limits as defaults, each of which the operator may change.
//!
//! See "Lambda quotas" in the AWS Lambda developer guide.

/// Largest payload of a synchronous invocation, request or response, in bytes (6 MB).
pub const SYNCHRONOUS_PAYLOAD_BYTES: usize = 6_291_456;

/// Largest response that a runtime may post, in bytes: the payload limit and 100 bytes.
pub const RUNTIME_RESPONSE_BYTES: usize = SYNCHRONOUS_PAYLOAD_BYTES + 100;

/// Largest response that a runtime may send piece by piece, in bytes (200 MB).
pub const STREAMED_RESPONSE_BYTES: usize = 200 * 1024 * 1024;

/// As much of a response that comes piece by piece, in bytes, goes as fast as it can, whatever the bandwidth (6 MB).
pub const UNCAPPED_STREAM_BYTES: u64 = 6 * 1024 * 1024;

/// Bandwidth of the rest on AWS, in bytes a second (2 MB/s).
pub const STREAM_BANDWIDTH: u64 = 2 * 1024 * 1024;

/// Largest payload of an asynchronous invocation, in bytes (1 MB).
pub const ASYNCHRONOUS_PAYLOAD_BYTES: usize = 1_048_576;

/// Largest whole CreateFunction or UpdateFunctionCode request, in bytes.
pub const CODE_REQUEST_BYTES: usize = 70_167_211;

/// Largest zip archive in a request, in bytes (50 MB).
pub const ZIPPED_CODE_BYTES: u64 = 52_428_800;

/// Largest unzipped function with its layers, in bytes (250 MB).
pub const UNZIPPED_CODE_BYTES: u64 = 262_144_000;

/// Size of all environment variables of a function, as compact JSON, in bytes (4 KB).
pub const ENVIRONMENT_VARIABLES_BYTES: usize = 4096;

/// Largest decoded `X-Amz-Client-Context` header, in bytes.
pub const CLIENT_CONTEXT_BYTES: usize = 3583;

/// Open descriptors of a process in an execution environment.
pub const DESCRIPTORS: u32 = 1024;

/// Processes and threads in an execution environment.
pub const PROCESSES: u32 = 1024;

/// Memory, in MB, that earns one full vCPU.
pub const MEMORY_MB_PER_VCPU: f64 = 1769.0;

/// Execution environments, active or idle, that a function with tenant isolation may have with so much concurrency of
/// its own or of its account: 2,500 for every 1,000.
#[must_use]
pub fn tenant_environments(concurrency: u32) -> u32 {
    u32::try_from(u64::from(concurrency) * 2500 / 1000).unwrap_or(u32::MAX)
}

/// Requests that a function takes each second for each environment that it may have, at AWS' pace.
pub const REQUESTS_PER_CONCURRENCY: u32 = 10;

/// New environments that a function gets within [`SCALING_SECONDS`], at AWS' pace.
pub const SCALING_ENVIRONMENTS: u32 = 1000;

/// See [`SCALING_ENVIRONMENTS`].
pub const SCALING_SECONDS: u32 = 10;

/// Limits of one account in one region that an operator may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountQuotas {
    /// Invocations that may run at one time.
    pub concurrent_executions: u32,
    /// Concurrency that reservations must leave for all other functions.
    pub minimum_unreserved_concurrency: u32,
    /// Bytes of all zip packages and layers together.
    pub code_storage_bytes: u64,
}

impl Default for AccountQuotas {
    fn default() -> Self {
        Self {
            concurrent_executions: 1000,
            minimum_unreserved_concurrency: 100,
            code_storage_bytes: 300 * 1024 * 1024 * 1024,
        }
    }
}
