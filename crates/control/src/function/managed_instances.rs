//! Rules of functions that run on managed instances, the instances of a capacity provider.
//!
//! Rushlight keeps to the rules and shows the settings; such a function runs on the machine that the server runs on,
//! with one invocation at a time in each execution environment.
//!
//! See "Lambda Managed Instances" in the AWS Lambda developer guide.

use rushlight_api::lambda::types;
use rushlight_model::capacity_provider::CapacityProviderState;
use rushlight_model::function::{Architecture, Code, FunctionConfiguration, LogFormat};
use rushlight_model::managed_instances::{MEMORY_GIB_PER_VCPU, ManagedInstances};

use super::{logging, network};
use crate::Control;
use crate::capacity_provider;
use crate::context::RequestContext;
use crate::error::{Error, Result};

/// Longest timeout, in seconds.
pub(super) const TIMEOUT_SECONDS: i32 = 5400;
/// Most memory, in MB.
pub(super) const MEMORY_SIZE_MB: i32 = 32_768;
/// Least memory, in MB, and what is given unless something else is asked for.
const LEAST_MEMORY_SIZE_MB: u32 = 2048;
/// The ratios of memory to vCPUs that instances come in.
const MEMORY_GIB_PER_VCPU_CHOICES: [f64; 3] = [2.0, 4.0, 8.0];
/// Most invocations that an execution environment takes at a time on each vCPU.
const CONCURRENCY_PER_VCPU: f64 = 64.0;
/// Runtimes that take several invocations at a time.
const RUNTIMES: &[&str] = &[
    "dotnet10",
    "dotnet8",
    "java21",
    "java25",
    "nodejs22.x",
    "nodejs24.x",
    "nodejs26.x",
    "provided.al2023",
    "python3.13",
    "python3.14",
    "python3.15",
];

/// What a request asks for. What it does not give is as if it had never been given.
pub(super) fn given(config: &types::CapacityProviderConfig) -> ManagedInstances {
    let config = &config.lambda_managed_instances_capacity_provider_config;
    ManagedInstances {
        capacity_provider_arn: config.capacity_provider_arn.clone(),
        max_concurrency: config.per_execution_environment_max_concurrency.and_then(|n| u32::try_from(n).ok()),
        memory_gib_per_vcpu: config.execution_environment_memory_gib_per_vcpu.unwrap_or(MEMORY_GIB_PER_VCPU),
    }
}

/// What a new function has unless a setting says otherwise.
pub(super) fn prepare(configuration: &mut FunctionConfiguration) {
    configuration.memory_size_mb = LEAST_MEMORY_SIZE_MB;
    configuration.logging = logging::json(&configuration.logging);
}

/// Refuses to move a function onto managed instances that did not begin there.
pub(super) fn check_began_there(configuration: &FunctionConfiguration) -> Result<()> {
    if configuration.managed_instances.is_some() {
        return Ok(());
    }
    check_network(configuration)?;
    Err(Error::invalid("CapacityProviderConfig isn't supported for Lambda Default functions."))
}

/// The network is that of the instances.
pub(super) fn check_network(configuration: &FunctionConfiguration) -> Result<()> {
    if network::is_connected(configuration.vpc.as_ref()) {
        return Err(not_with("VPC configurations"));
    }
    Ok(())
}

/// What must hold of the settings together.
pub(super) fn check(configuration: &FunctionConfiguration) -> Result<()> {
    let Some(instances) = &configuration.managed_instances else { return Ok(()) };
    let memory = configuration.memory_size_mb;
    if memory < LEAST_MEMORY_SIZE_MB {
        return Err(Error::Validation(format!(
            "Lambda Managed Instance functions must have memory size greater than or equal to {LEAST_MEMORY_SIZE_MB}"
        )));
    }
    let ratio = instances.memory_gib_per_vcpu;
    if !MEMORY_GIB_PER_VCPU_CHOICES.contains(&ratio) {
        return Err(Error::invalid(format!(
            "ExecutionEnvironmentMemoryGiBPerVCpu must be 2, 4 or 8, but is {ratio}."
        )));
    }
    let vcpus = instances.vcpus(memory);
    if vcpus < 1.0 {
        return Err(Error::invalid(format!(
            "A memory size of {memory} MB is less than one vCPU with {ratio} GiB of memory for each vCPU."
        )));
    }
    let concurrency = instances.concurrency(&configuration.code, memory);
    if f64::from(concurrency) > vcpus * CONCURRENCY_PER_VCPU {
        return Err(Error::invalid(format!(
            "PerExecutionEnvironmentMaxConcurrency must be at most {CONCURRENCY_PER_VCPU} for each vCPU, but is \
             {concurrency} for {vcpus} vCPUs."
        )));
    }
    check_company(configuration)
}

/// Refuses what does not go together with managed instances.
fn check_company(configuration: &FunctionConfiguration) -> Result<()> {
    if configuration.logging.format == LogFormat::Text {
        return Err(Error::invalid(logging::LEVEL_WITH_TEXT));
    }
    if configuration.snap_start_published_versions {
        return Err(not_with("SnapStart"));
    }
    if configuration.tenant_isolation {
        return Err(not_with("tenant isolation"));
    }
    match &configuration.code {
        Code::Zip { runtime, .. } if !RUNTIMES.contains(&runtime.as_str()) => {
            Err(not_with(&format!("the runtime {runtime}")))
        }
        _ => Ok(()),
    }
}

/// Refuses a setting of the function as a whole that does not go together with managed instances.
pub(crate) fn refuse(configuration: &FunctionConfiguration, setting: &str) -> Result<()> {
    if configuration.managed_instances.is_some() { Err(not_with(setting)) } else { Ok(()) }
}

fn not_with(setting: &str) -> Error {
    Error::invalid(format!("You can't use Lambda Managed Instance functions with {setting}."))
}

/// The instances that a function is about to run on, as they were looked up. They stay what they are as long as the
/// caller holds [`Control::associations`] for reading.
#[derive(Debug)]
pub(super) struct Instances {
    arn: String,
    architecture: Architecture,
}

impl Instances {
    pub(super) async fn find(
        control: &Control,
        context: &RequestContext,
        managed: Option<&ManagedInstances>,
    ) -> Result<Option<Self>> {
        let Some(ManagedInstances { capacity_provider_arn, .. }) = managed else { return Ok(None) };
        let id = capacity_provider::named(&context.scope, capacity_provider_arn)?;
        let provider = capacity_provider::existing(control, &id).await?.value;
        match provider.state {
            CapacityProviderState::Active => {}
            state => return Err(Error::UnfitCapacityProvider { arn: id.arn(), state: state.as_str() }),
        }
        let architecture = provider.instances.architecture;
        Ok(Some(Self { arn: capacity_provider_arn.clone(), architecture }))
    }

    /// Refuses a function for which there are no instances that it could run on.
    pub(super) async fn check_for(
        control: &Control,
        context: &RequestContext,
        configuration: &FunctionConfiguration,
    ) -> Result<()> {
        let instances = Self::find(control, context, configuration.managed_instances.as_ref()).await?;
        instances.map_or(Ok(()), |instances| instances.check(configuration))
    }

    /// Refuses code that is for other processors.
    pub(super) fn check(&self, configuration: &FunctionConfiguration) -> Result<()> {
        let (needed, present) = (configuration.architecture.as_str(), self.architecture.as_str());
        if needed == present {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "The architecture of the function, {needed}, is not that of the capacity provider {}, {present}.",
            self.arn
        )))
    }
}

pub(super) fn view(
    instances: &ManagedInstances,
    configuration: &FunctionConfiguration,
) -> types::CapacityProviderConfig {
    let concurrency = instances.concurrency(&configuration.code, configuration.memory_size_mb);
    types::CapacityProviderConfig {
        lambda_managed_instances_capacity_provider_config:
            types::LambdaManagedInstancesCapacityProviderConfig {
                capacity_provider_arn: instances.capacity_provider_arn.clone(),
                per_execution_environment_max_concurrency: i32::try_from(concurrency).ok(),
                execution_environment_memory_gib_per_vcpu: Some(instances.memory_gib_per_vcpu),
            },
    }
}
