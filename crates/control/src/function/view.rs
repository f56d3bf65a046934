//! What a function looks like from outside: exactly the members that AWS shows.

use rushlight_api::lambda::types;
use rushlight_model::arn::Qualifier;
use rushlight_model::function::{
    Code, FunctionConfiguration, FunctionHead, LastUpdate, LogFormat, Logging, Reason, State, TracingMode,
    Vpc,
};
use rushlight_model::version::Version;

use super::image;
use super::managed_instances;
use crate::ledger;

/// A configuration as every operation but ListFunctions shows it. With a qualifier, the ARN carries it.
pub(crate) fn configuration(
    head: &FunctionHead,
    configuration: &FunctionConfiguration,
    qualifier: Option<&Qualifier>,
) -> types::FunctionConfiguration {
    let mut shown = listed(head, configuration, qualifier);
    show_state(&mut shown, &configuration.state);
    show_last_update(&mut shown, configuration.last_update.as_ref());
    shown.runtime_version_config = configuration
        .runtime_version_arn
        .as_ref()
        .map(|arn| types::RuntimeVersionConfig { runtime_version_arn: Some(arn.clone()), error: None });
    shown
}

/// A configuration as ListFunctions shows it: without states and runtime version.
pub(crate) fn listed(
    head: &FunctionHead,
    configuration: &FunctionConfiguration,
    qualifier: Option<&Qualifier>,
) -> types::FunctionConfiguration {
    let function_arn = match qualifier {
        Some(qualifier) => head.id.qualified_arn(qualifier),
        None => head.id.arn(),
    };
    let mut shown = types::FunctionConfiguration {
        function_name: Some(head.id.name.clone()),
        function_arn: Some(function_arn),
        version: Some(configuration.version.to_string()),
        role: Some(configuration.role.clone()),
        description: Some(configuration.description.clone()),
        timeout: i32::try_from(configuration.timeout_seconds).ok(),
        memory_size: i32::try_from(configuration.memory_size_mb).ok(),
        last_modified: Some(configuration.last_modified.to_last_modified()),
        revision_id: Some(configuration.revision_id.clone()),
        architectures: Some(vec![configuration.architecture.as_str().into()]),
        environment: configuration
            .environment
            .as_ref()
            .map(|variables| types::EnvironmentResponse { variables: Some(variables.clone()), error: None }),
        kms_key_arn: configuration.kms_key_arn.clone(),
        ephemeral_storage: i32::try_from(configuration.ephemeral_storage_mb)
            .ok()
            .map(|size| types::EphemeralStorage { size }),
        tracing_config: Some(types::TracingConfigResponse {
            mode: Some(tracing_mode(configuration.tracing_mode).into()),
        }),
        snap_start: configuration.managed_instances.is_none().then(|| snap_start(configuration)),
        capacity_provider_config: configuration
            .managed_instances
            .as_ref()
            .map(|instances| managed_instances::view(instances, configuration)),
        logging_config: Some(logging(&configuration.logging)),
        tenancy_config: configuration
            .tenant_isolation
            .then(|| types::TenancyConfig { tenant_isolation_mode: "PER_TENANT".into() }),
        layers: layers(configuration),
        ..types::FunctionConfiguration::default()
    };
    show_code(&mut shown, head, configuration);
    show_network(&mut shown, configuration);
    shown
}

fn show_code(
    shown: &mut types::FunctionConfiguration,
    head: &FunctionHead,
    configuration: &FunctionConfiguration,
) {
    shown.code_sha256 = code_sha256_at_present(head, configuration);
    match &configuration.code {
        Code::Zip { runtime, handler, size, .. } => {
            shown.package_type = Some("Zip".into());
            shown.runtime = Some(runtime.as_str().into());
            shown.handler = Some(handler.clone());
            shown.code_size = i64::try_from(*size).ok();
        }
        Code::Image { entry_point, command, working_directory, .. } => {
            shown.package_type = Some("Image".into());
            shown.code_size = Some(0);
            let image_config = types::ImageConfig {
                entry_point: entry_point.clone(),
                command: command.clone(),
                working_directory: working_directory.clone(),
            };
            shown.image_config_response = (image_config != types::ImageConfig::default())
                .then_some(types::ImageConfigResponse { image_config: Some(image_config), error: None });
        }
    }
}

/// The hash of the code, as far as it is known.
pub(crate) fn code_sha256(configuration: &FunctionConfiguration) -> Option<String> {
    match &configuration.code {
        Code::Zip { .. } => ledger::archive(configuration).map(|(digest, _)| digest.to_base64()),
        Code::Image { resolved_uri, .. } => resolved_uri.as_deref().and_then(image::sha256),
    }
}

/// The hash of an archive that stays in a bucket of the owner's is not told before the function has it.
fn code_sha256_at_present(head: &FunctionHead, configuration: &FunctionConfiguration) -> Option<String> {
    if configuration.referenced_object.is_some() {
        match (&configuration.state, &configuration.last_update) {
            (State::Pending(_), None) => return Some(String::new()),
            (_, Some(LastUpdate::InProgress(_))) if head.serving().code != configuration.code => return None,
            _ => {}
        }
    }
    code_sha256(configuration)
}

fn show_network(shown: &mut types::FunctionConfiguration, configuration: &FunctionConfiguration) {
    shown.vpc_config = configuration.vpc.as_ref().map(vpc);
    shown.dead_letter_config = configuration
        .dead_letter_target_arn
        .as_ref()
        .map(|arn| types::DeadLetterConfig { target_arn: Some(arn.clone()) });
    let file_systems: Vec<types::FileSystemConfig> = configuration
        .file_systems
        .iter()
        .map(|file_system| types::FileSystemConfig {
            arn: file_system.arn.clone(),
            local_mount_path: file_system.local_mount_path.clone(),
            s3_files_config: file_system
                .direct_s3_read
                .as_deref()
                .map(|mode| types::S3FilesConfig { direct_s3_read: Some(mode.into()) }),
        })
        .collect();
    shown.file_system_configs = Some(file_systems).filter(|file_systems| !file_systems.is_empty());
}

/// The VPC itself is known to AWS' EC2 only, which is not asked.
fn vpc(vpc: &Vpc) -> types::VpcConfigResponse {
    types::VpcConfigResponse {
        subnet_ids: Some(vpc.subnet_ids.clone()),
        security_group_ids: Some(vpc.security_group_ids.clone()),
        vpc_id: Some(String::new()),
        ipv6_allowed_for_dual_stack: Some(vpc.ipv6_allowed_for_dual_stack),
    }
}

fn layers(configuration: &FunctionConfiguration) -> Option<Vec<types::Layer>> {
    let layers: Vec<types::Layer> = configuration
        .layers
        .iter()
        .map(|layer| types::Layer {
            arn: Some(layer.arn.clone()),
            code_size: i64::try_from(layer.content.size).ok(),
            ..types::Layer::default()
        })
        .collect();
    Some(layers).filter(|layers| !layers.is_empty())
}

/// Snapshots are made of published versions only, so `$LATEST` is never optimised.
fn snap_start(configuration: &FunctionConfiguration) -> types::SnapStartResponse {
    let apply_on = if configuration.snap_start_published_versions { "PublishedVersions" } else { "None" };
    let optimized = configuration.snap_start_published_versions
        && configuration.version != Version::Latest
        && configuration.is_active();
    let optimization_status = if optimized { "On" } else { "Off" };
    types::SnapStartResponse {
        apply_on: Some(apply_on.into()),
        optimization_status: Some(optimization_status.into()),
    }
}

fn logging(logging: &Logging) -> types::LoggingConfig {
    types::LoggingConfig {
        log_format: Some(
            match logging.format {
                LogFormat::Text => "Text",
                LogFormat::Json => "JSON",
            }
            .into(),
        ),
        application_log_level: logging.application_level.as_deref().map(Into::into),
        system_log_level: logging.system_level.as_deref().map(Into::into),
        log_group: Some(logging.group.clone()),
    }
}

fn tracing_mode(mode: TracingMode) -> &'static str {
    match mode {
        TracingMode::PassThrough => "PassThrough",
        TracingMode::Active => "Active",
    }
}

fn show_state(shown: &mut types::FunctionConfiguration, state: &State) {
    shown.state = Some(state.as_str().into());
    if let Some(Reason { code, text }) = state.reason() {
        shown.state_reason = Some(text.clone());
        shown.state_reason_code = Some(code.as_str().into());
    }
}

fn show_last_update(shown: &mut types::FunctionConfiguration, last_update: Option<&LastUpdate>) {
    let (name, reason) = match last_update {
        None => return,
        Some(LastUpdate::Successful) => ("Successful", None),
        Some(LastUpdate::InProgress(reason)) => ("InProgress", Some(reason)),
        Some(LastUpdate::Failed(reason)) => ("Failed", Some(reason)),
    };
    shown.last_update_status = Some(name.into());
    if let Some(Reason { code, text }) = reason {
        shown.last_update_status_reason = Some(text.clone());
        shown.last_update_status_reason_code = Some(code.as_str().into());
    }
}
