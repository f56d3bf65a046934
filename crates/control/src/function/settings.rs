//! The settings that CreateFunction and UpdateFunctionConfiguration share: their rules, and how they change a
//! configuration. What is not given stays; what is given replaces the whole of what was there.

use rushlight_api::lambda::types;
use rushlight_model::function::{Code, FunctionConfiguration, TracingMode};
use rushlight_model::layer::FunctionLayer;

use super::{environment, image, logging, managed_instances, network, runtime};
use crate::error::{Error, Result};

/// Longest timeout of a function that does not run on Managed Instances, in seconds.
const TIMEOUT_SECONDS: i32 = 900;
/// Most memory of a function that does not run on Managed Instances, in MB.
const MEMORY_SIZE_MB: i32 = 10_240;
/// Largest `/tmp` of a function without an accelerator, in MB.
const EPHEMERAL_STORAGE_MB: i32 = 10_240;
/// Largest `/tmp` that a snapshot is made with, in MB.
const SNAP_START_EPHEMERAL_STORAGE_MB: u32 = 512;

/// Settings as a request gives them.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub(super) description: Option<String>,
    pub(super) role: Option<String>,
    pub(super) runtime: Option<String>,
    pub(super) handler: Option<String>,
    pub(super) timeout: Option<i32>,
    pub(super) memory_size: Option<i32>,
    pub(super) ephemeral_storage: Option<types::EphemeralStorage>,
    pub(super) environment: Option<types::Environment>,
    pub(super) layers: Option<Vec<FunctionLayer>>,
    pub(super) vpc: Option<types::VpcConfig>,
    pub(super) file_systems: Option<Vec<types::FileSystemConfig>>,
    pub(super) dead_letter: Option<types::DeadLetterConfig>,
    pub(super) kms_key_arn: Option<String>,
    pub(super) tracing: Option<types::TracingConfig>,
    pub(super) snap_start: Option<types::SnapStart>,
    pub(super) logging: Option<types::LoggingConfig>,
    pub(super) image: Option<types::ImageConfig>,
    pub(super) capacity_provider: Option<types::CapacityProviderConfig>,
}

impl Settings {
    /// Whether the request sets a role, or something that a role must have permissions for.
    pub(super) fn speaks_of_role(&self) -> bool {
        self.role.is_some() || self.vpc.is_some() || self.dead_letter.is_some()
    }

    /// Changes `configuration`, or refuses and says why. The configuration is of no use after a refusal.
    pub(super) fn apply(&self, configuration: &mut FunctionConfiguration) -> Result<()> {
        self.check_image(configuration)?;
        self.apply_environment(configuration)?;
        if let Some(given) = &self.capacity_provider {
            configuration.managed_instances = Some(managed_instances::given(given));
        }
        if let Some(layers) = &self.layers {
            configuration.layers.clone_from(layers);
        }
        if let Some(description) = &self.description {
            configuration.description.clone_from(description);
        }
        if let Some(role) = &self.role {
            configuration.role.clone_from(role);
        }
        if let Some(arn) = &self.kms_key_arn {
            configuration.kms_key_arn = Some(arn.clone()).filter(|arn| !arn.is_empty());
        }
        if let Some(mode) = self.tracing.as_ref().and_then(|tracing| tracing.mode.as_ref()) {
            configuration.tracing_mode = match mode.as_str() {
                "Active" => TracingMode::Active,
                _ => TracingMode::PassThrough,
            };
        }
        if let Some(logging) = &self.logging {
            configuration.logging = logging::merged(&configuration.logging, logging)?;
        }
        self.apply_sizes(configuration)?;
        self.apply_network(configuration)?;
        self.apply_code(configuration)?;
        self.apply_snap_start(configuration)?;
        managed_instances::check(configuration)
    }

    fn apply_environment(&self, configuration: &mut FunctionConfiguration) -> Result<()> {
        if let Some(environment) = &self.environment {
            let variables = environment.variables.clone().unwrap_or_default();
            environment::check(&variables)?;
            configuration.environment = Some(variables);
        }
        Ok(())
    }

    fn apply_sizes(&self, configuration: &mut FunctionConfiguration) -> Result<()> {
        let (longest, largest) = match configuration.managed_instances {
            Some(_) => (managed_instances::TIMEOUT_SECONDS, managed_instances::MEMORY_SIZE_MB),
            None => (TIMEOUT_SECONDS, MEMORY_SIZE_MB),
        };
        if let Some(seconds) = self.timeout {
            configuration.timeout_seconds = bounded("Timeout", seconds, longest)?;
        }
        if let Some(megabytes) = self.memory_size {
            configuration.memory_size_mb = bounded("MemorySize", megabytes, largest)?;
        }
        if let Some(storage) = &self.ephemeral_storage {
            configuration.ephemeral_storage_mb =
                bounded("EphemeralStorage.Size", storage.size, EPHEMERAL_STORAGE_MB)?;
        }
        Ok(())
    }

    fn apply_network(&self, configuration: &mut FunctionConfiguration) -> Result<()> {
        if let Some(given) = &self.vpc {
            let vpc = network::vpc(given)?;
            if let (None, Some(kept)) = (&self.file_systems, configuration.file_systems.first())
                && !network::is_connected(Some(&vpc))
            {
                return Err(Error::invalid(format!(
                    "Function VPC configuration cannot be removed with access point {} referenced.",
                    kept.arn
                )));
            }
            configuration.vpc = Some(vpc);
        }
        if configuration.managed_instances.is_some() {
            managed_instances::check_network(configuration)?;
        }
        if let Some(file_systems) = &self.file_systems {
            configuration.file_systems = network::file_systems(file_systems);
        }
        if let Some(dead_letter) = &self.dead_letter {
            configuration.dead_letter_target_arn = network::dead_letter_target(dead_letter)?;
        }
        network::check_together(configuration.vpc.as_ref(), &configuration.file_systems)
    }

    fn apply_code(&self, configuration: &mut FunctionConfiguration) -> Result<()> {
        let Code::Zip { runtime, handler, .. } = &mut configuration.code else {
            if let Some(given) = &self.image {
                image::configure(&mut configuration.code, given)?;
            }
            return Ok(());
        };
        if self.image.as_ref().is_some_and(|image| *image != types::ImageConfig::default()) {
            return Err(Error::invalid(
                "Please don't provide ImageConfig for a function with packageType Zip.",
            ));
        }
        if let Some(given) = &self.runtime {
            runtime.clone_from(given);
        }
        if let Some(given) = &self.handler {
            handler.clone_from(given);
        }
        Ok(())
    }

    /// An image brings its own runtime, handler and what layers would bring.
    fn check_image(&self, configuration: &FunctionConfiguration) -> Result<()> {
        let layered = self.layers.as_ref().is_some_and(|layers| !layers.is_empty());
        let is_image = matches!(configuration.code, Code::Image { .. });
        if is_image && (self.handler.is_some() || self.runtime.is_some() || layered) {
            return Err(image::brings_its_own());
        }
        Ok(())
    }

    fn apply_snap_start(&self, configuration: &mut FunctionConfiguration) -> Result<()> {
        if let Some(apply_on) = self.snap_start.as_ref().and_then(|snap| snap.apply_on.as_ref()) {
            configuration.snap_start_published_versions = apply_on.as_str() == "PublishedVersions";
        }
        if !configuration.snap_start_published_versions {
            return Ok(());
        }
        // Images bring a runtime that asks for the restore, or is stopped when it first asks for an event.
        if let Code::Zip { runtime, .. } = &configuration.code {
            runtime::check_snap_start(runtime)?;
        }
        let obstacle = if configuration.ephemeral_storage_mb > SNAP_START_EPHEMERAL_STORAGE_MB {
            Some("EphemeralStorage larger than 512 MB")
        } else if !configuration.file_systems.is_empty() {
            Some("FileSystemConfigs")
        } else if configuration.tenant_isolation {
            Some("TenancyConfig")
        } else {
            None
        };
        obstacle.map_or(Ok(()), |obstacle| {
            Err(Error::invalid(format!("{obstacle} is not supported for SnapStart enabled functions.")))
        })
    }
}

/// A number that the model's own bounds, which are those of Managed Instances, let through.
fn bounded(member: &str, value: i32, maximum: i32) -> Result<u32> {
    u32::try_from(value)
        .ok()
        .filter(|_| value <= maximum)
        .ok_or_else(|| {
            Error::invalid(format!(
                "'{member}' value failed to satisfy constraint: Member must have value less than or equal to {maximum}"
            ))
        })
}

#[cfg(test)]
mod tests {
    use rushlight_model::clock::Timestamp;
    use rushlight_model::function::Architecture;

    use super::*;

    fn configuration(runtime: &str) -> FunctionConfiguration {
        let code = Code::Zip {
            runtime: runtime.into(),
            handler: "h.h".into(),
            sha256: String::new(),
            size: 1,
            unpacked_size: 1,
        };
        super::super::create::initial("f", code, Architecture::X86_64, Timestamp::from_millis(0))
    }

    fn refusal(settings: &Settings) -> String {
        settings.apply(&mut configuration("python3.12")).unwrap_err().to_string()
    }

    #[test]
    fn sizes_beyond_those_of_ordinary_functions_are_refused() {
        let timeout = Settings { timeout: Some(901), ..Settings::default() };
        assert_eq!(
            refusal(&timeout),
            "'Timeout' value failed to satisfy constraint: Member must have value less than or equal to 900"
        );
        let memory = Settings { memory_size: Some(10_241), ..Settings::default() };
        assert_eq!(
            refusal(&memory),
            "'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to 10240"
        );
        let fitting = Settings {
            timeout: Some(900),
            memory_size: Some(10_240),
            ephemeral_storage: Some(types::EphemeralStorage { size: 10_240 }),
            ..Settings::default()
        };
        let mut configuration = configuration("python3.12");
        fitting.apply(&mut configuration).unwrap();
        assert_eq!(
            (configuration.timeout_seconds, configuration.memory_size_mb, configuration.ephemeral_storage_mb),
            (900, 10_240, 10_240)
        );
    }

    #[test]
    fn snap_start_needs_a_runtime_and_a_small_tmp() {
        let snap_start = Settings {
            snap_start: Some(types::SnapStart { apply_on: Some("PublishedVersions".into()) }),
            ..Settings::default()
        };
        let mut python = configuration("python3.12");
        snap_start.apply(&mut python).unwrap();
        assert!(python.snap_start_published_versions);
        assert_eq!(
            snap_start.apply(&mut configuration("nodejs22.x")).unwrap_err().to_string(),
            "nodejs22.x is not supported for SnapStart enabled functions."
        );
        let larger = Settings {
            ephemeral_storage: Some(types::EphemeralStorage { size: 513 }),
            ..Settings::default()
        };
        assert!(larger.apply(&mut python).is_err());
        let off = Settings { snap_start: Some(types::SnapStart { apply_on: Some("None".into()) }), ..larger };
        off.apply(&mut configuration("nodejs22.x")).unwrap();
    }

    #[test]
    fn what_is_not_given_stays() {
        let mut changed = configuration("python3.12");
        let before = changed.clone();
        Settings::default().apply(&mut changed).unwrap();
        assert_eq!(changed, before);
    }
}
