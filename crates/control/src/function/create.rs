//! CreateFunction.
//!
//! ```text
//! rules of the request ─> archive looked through ─> archive on disk ─> head put where none was ─> answer: Pending
//! ```

use std::sync::Arc;

use rushlight_api::lambda::types::{self, CreateFunctionRequest, CreateFunctionResponse};
use rushlight_model::arn::FunctionReference;
use rushlight_model::clock::Timestamp;
use rushlight_model::function::{Architecture, Code, FunctionConfiguration, FunctionHead, TracingMode};
use rushlight_model::version::Version;
use rushlight_runtimes::Policy;
use rushlight_store::Expect;
use uuid::Uuid;

use super::code::{PackageType, Source};
use super::layers::Resolved;
use super::managed_instances::{self, Instances};
use super::settings::Settings;
use super::{architecture, layers, logging, name, runtime, state, view};
use crate::Control;
use crate::code_signing_config::deployment;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::tags;
use crate::version::publish::{self, Draft};

const TIMEOUT_SECONDS: u32 = 3;
const MEMORY_SIZE_MB: u32 = 128;
const EPHEMERAL_STORAGE_MB: u32 = 512;

pub(crate) async fn create(
    control: &Control,
    context: &RequestContext,
    input: CreateFunctionRequest,
) -> Result<CreateFunctionResponse> {
    let reference = name::new_function(&context.scope, &input.function_name)?;
    check_offered(&input)?;
    control.check_execution_role(&reference.function, &input.role)?;
    let tags = tags::of_new_resource(input.tags.clone())?;
    let signing = input.code_signing_config_arn.clone();
    let layers = layers::resolve(control, context, package_type(&input), input.layers.as_deref()).await?;
    let mut latest = configuration(control, context, &reference, &input, layers.as_ref())?;
    control.check_role_serves(&reference.function, &latest)?;
    let key = control.key(&reference.function);
    if control.functions.get(&key).await?.is_some() {
        return Err(exists(&reference));
    }
    // Looked at before the archive, so that what is refused anyway costs nothing; looked at again when it counts.
    let name = &reference.function.name;
    deployment::check(control, &context.scope, signing.as_deref(), name).await?;
    Instances::check_for(control, context, &latest).await?;
    let package = source(&input).package(control, context, package_type(&input), latest.architecture).await?;
    package.put(&mut latest);
    layers::check_code(&latest)?;
    let copies = if input.publish == Some(true) { 2 } else { 1 };
    let size = package.stored_size() * copies;
    let _reserved = control.ledger.reserve(&context.scope, size).await?;
    let _hold = package.keep(&control.blobs, &control.ledger).await?;
    let incarnation = Uuid::new_v4().to_string();
    let head = FunctionHead {
        tags,
        code_signing_config_arn: signing.clone(),
        ..FunctionHead::new(reference.function.clone(), incarnation, latest)
    };
    let _associating = control.associations.read().await;
    deployment::check(control, &context.scope, signing.as_deref(), name).await?;
    Instances::check_for(control, context, &head.latest).await?;
    if input.publish == Some(true) {
        return create_published(control, context, &reference, head).await;
    }
    let head = put(control, context, &reference, head).await?;
    Ok(view::configuration(&head, &head.latest, None))
}

/// Creates a function with its version 1, which is Pending as long as the function is.
async fn create_published(
    control: &Control,
    context: &RequestContext,
    reference: &FunctionReference,
    head: FunctionHead,
) -> Result<CreateFunctionResponse> {
    let draft = Draft::write(control, &head, None, state::pending()).await?;
    let (named, version) = draft.name_in(head.clone());
    match put(control, context, reference, named).await {
        Ok(head) => {
            publish::report(context, reference, &version);
            // Unlike other operations that publish, this one shows the function's ARN without the version.
            Ok(view::configuration(&head, &version, None))
        }
        Err(error) => {
            draft.discard(control, &head).await;
            Err(error)
        }
    }
}

/// Puts the head where none was.
async fn put(
    control: &Control,
    context: &RequestContext,
    reference: &FunctionReference,
    head: FunctionHead,
) -> Result<Arc<FunctionHead>> {
    let entry = match control.functions.put(&control.key(&head.id), head, Expect::Absent).await {
        Err(error) if error.is_conflict() => return Err(exists(reference)),
        result => result?,
    };
    let head = &entry.value;
    deployment::note_untrusted(head.code_signing_config_arn.as_deref(), &head.id.name);
    control.settle(&entry.value);
    tracing::info!(function = %reference.arn(), request = %context.request_id, "function.created");
    Ok(entry.value)
}

/// The configuration that the request asks for, with code yet to come.
fn configuration(
    control: &Control,
    context: &RequestContext,
    reference: &FunctionReference,
    input: &CreateFunctionRequest,
    layers: Option<&Resolved>,
) -> Result<FunctionConfiguration> {
    let now = control.clock.now();
    let architecture = architecture(input.architectures.as_deref()).unwrap_or(Architecture::X86_64);
    let mut configuration =
        initial(&reference.function.name, code(input, control.deprecation_policy, now)?, architecture, now);
    configuration.tenant_isolation = input.tenancy_config.is_some();
    configuration.source_kms_key_arn = input.code.source_kms_key_arn.clone();
    if input.capacity_provider_config.is_some() {
        managed_instances::prepare(&mut configuration);
    }
    settings(input, layers).apply(&mut configuration)?;
    if let Code::Zip { runtime, .. } = &configuration.code {
        let version = control.newest_runtime(&context.scope, runtime, architecture);
        configuration.runtime_version_arn = Some(version.map_err(Error::InvalidParameter)?);
    }
    Ok(configuration)
}

fn package_type(input: &CreateFunctionRequest) -> PackageType {
    match input.package_type {
        Some(types::PackageType::Image) => PackageType::Image,
        _ => PackageType::Zip,
    }
}

/// What is known of the code before it is looked at.
fn code(input: &CreateFunctionRequest, policy: Policy, now: Timestamp) -> Result<Code> {
    if package_type(input) == PackageType::Image {
        return Ok(Code::Image {
            uri: String::new(),
            resolved_uri: None,
            entry_point: None,
            command: None,
            working_directory: None,
        });
    }
    let (Some(identifier), Some(handler)) = (&input.runtime, &input.handler) else {
        return Err(Error::invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ));
    };
    runtime::check_choice(identifier.as_str(), policy, now)?;
    Ok(Code::Zip {
        runtime: identifier.to_string(),
        handler: handler.clone(),
        sha256: String::new(),
        size: 0,
        unpacked_size: 0,
    })
}

/// A new function's configuration before any setting is applied.
pub(crate) fn initial(
    name: &str,
    code: Code,
    architecture: Architecture,
    now: Timestamp,
) -> FunctionConfiguration {
    FunctionConfiguration {
        version: Version::Latest,
        generation: 1,
        code,
        role: String::new(),
        description: String::new(),
        timeout_seconds: TIMEOUT_SECONDS,
        memory_size_mb: MEMORY_SIZE_MB,
        ephemeral_storage_mb: EPHEMERAL_STORAGE_MB,
        architecture,
        environment: None,
        layers: Vec::new(),
        logging: logging::default_for(name),
        tracing_mode: TracingMode::PassThrough,
        runtime_version_arn: None,
        kms_key_arn: None,
        source_kms_key_arn: None,
        referenced_object: None,
        dead_letter_target_arn: None,
        vpc: None,
        file_systems: Vec::new(),
        snap_start_published_versions: false,
        tenant_isolation: false,
        managed_instances: None,
        last_modified: now,
        revision_id: Uuid::new_v4().to_string(),
        state: state::pending(),
        last_update: None,
    }
}

/// Refuses what this release does not have, instead of deploying something else than was asked for.
fn check_offered(input: &CreateFunctionRequest) -> Result<()> {
    if package_type(input) == PackageType::Image && input.code_signing_config_arn.is_some() {
        return Err(Error::signed_image());
    }
    let refused = [
        ("PublishTo", input.publish_to.is_some()),
        ("DurableConfig", input.durable_config.is_some()),
        ("RuntimeConfig", input.runtime_config.is_some()),
        ("AcceleratorConfig", input.accelerator_config.is_some()),
    ];
    match refused.iter().find(|(_, given)| *given) {
        Some((member, _)) => Err(Error::not_offered(member, "Create the function without it.")),
        None => Ok(()),
    }
}

fn settings(input: &CreateFunctionRequest, layers: Option<&Resolved>) -> Settings {
    // Variables are shown only if the member was there, even if it is empty.
    let environment = input.environment.clone().filter(|given| given.variables.is_some());
    Settings {
        description: input.description.clone(),
        role: Some(input.role.clone()),
        runtime: input.runtime.as_ref().map(ToString::to_string),
        handler: input.handler.clone(),
        timeout: input.timeout,
        memory_size: input.memory_size,
        ephemeral_storage: input.ephemeral_storage.clone(),
        environment,
        layers: layers.map(|resolved| resolved.layers.clone()),
        vpc: input.vpc_config.clone(),
        file_systems: input.file_system_configs.clone(),
        dead_letter: input.dead_letter_config.clone(),
        kms_key_arn: input.kms_key_arn.clone(),
        tracing: input.tracing_config.clone(),
        snap_start: input.snap_start.clone(),
        logging: input.logging_config.clone(),
        image: input.image_config.clone(),
        capacity_provider: input.capacity_provider_config.clone(),
    }
}

fn source(input: &CreateFunctionRequest) -> Source {
    Source {
        zip_file: input.code.zip_file.clone(),
        s3_bucket: input.code.s3_bucket.clone(),
        s3_key: input.code.s3_key.clone(),
        s3_object_version: input.code.s3_object_version.clone(),
        s3_object_storage_mode: input.code.s3_object_storage_mode.clone(),
        image_uri: input.code.image_uri.clone(),
    }
}

fn exists(reference: &FunctionReference) -> Error {
    Error::FunctionExists { name: reference.function.name.clone() }
}
