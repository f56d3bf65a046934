//! Functions that run on the instances of a [capacity provider](crate::capacity_provider).
//!
//! See "Lambda Managed Instances" in the AWS Lambda developer guide.

use serde::{Deserialize, Serialize};

use crate::function::Code;

/// GiB of memory that come with a vCPU unless another ratio is given.
pub const MEMORY_GIB_PER_VCPU: f64 = 2.0;

/// `CapacityProviderConfig.LambdaManagedInstancesCapacityProviderConfig`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManagedInstances {
    /// ARN of the capacity provider.
    pub capacity_provider_arn: String,
    /// Invocations that one execution environment takes at a time, if that was given.
    pub max_concurrency: Option<u32>,
    /// GiB of memory for each vCPU: 2, 4 or 8.
    pub memory_gib_per_vcpu: f64,
}

impl ManagedInstances {
    /// The vCPUs of an execution environment with so much memory.
    #[must_use]
    pub fn vcpus(&self, memory_size_mb: u32) -> f64 {
        f64::from(memory_size_mb) / 1024.0 / self.memory_gib_per_vcpu
    }

    /// Invocations that one execution environment takes at a time.
    #[must_use]
    pub fn concurrency(&self, code: &Code, memory_size_mb: u32) -> u32 {
        let vcpus = self.vcpus(memory_size_mb);
        self.max_concurrency.unwrap_or_else(|| (f64::from(default_per_vcpu(code)) * vcpus) as u32)
    }
}

/// How many execution environments a version has on managed instances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionScaling {
    /// What was asked for last; absent where that was the default.
    pub requested: Option<ExecutionEnvironments>,
    /// What has come about of it.
    pub applied: Option<ExecutionEnvironments>,
}

/// `FunctionScalingConfig`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionEnvironments {
    /// What there are at least, up to 15,000.
    pub min: u32,
    /// What there are at most, up to 15,000.
    pub max: u32,
}

impl ExecutionEnvironments {
    /// A version that has none, and so cannot be invoked.
    pub const NONE: Self = Self { min: 0, max: 0 };
}

/// What a runtime takes at a time on each vCPU.
fn default_per_vcpu(code: &Code) -> u32 {
    match code {
        Code::Zip { runtime, .. } if runtime.starts_with("nodejs") => 64,
        Code::Zip { runtime, .. } if runtime.starts_with("java") || runtime.starts_with("dotnet") => 32,
        Code::Zip { runtime, .. } if runtime.starts_with("provided") => 8,
        _ => 16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(runtime: &str) -> Code {
        Code::Zip {
            runtime: runtime.into(),
            handler: "h".into(),
            sha256: String::new(),
            size: 0,
            unpacked_size: 0,
        }
    }

    #[test]
    fn concurrency_follows_the_runtime_and_the_vcpus() {
        let mut instances = ManagedInstances {
            capacity_provider_arn: "p".into(),
            max_concurrency: None,
            memory_gib_per_vcpu: MEMORY_GIB_PER_VCPU,
        };
        for (runtime, memory, concurrency) in [
            ("python3.13", 2048, 16),
            ("nodejs24.x", 2048, 64),
            ("java25", 4096, 64),
            ("dotnet10", 3072, 48),
            ("provided.al2023", 32_768, 128),
        ] {
            assert_eq!(instances.concurrency(&code(runtime), memory), concurrency, "{runtime}");
        }
        instances.memory_gib_per_vcpu = 8.0;
        assert!((instances.vcpus(8192) - 1.0).abs() < f64::EPSILON);
        instances.max_concurrency = Some(5);
        assert_eq!(instances.concurrency(&code("python3.13"), 8192), 5);
    }
}
