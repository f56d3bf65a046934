//! UpdateFunctionCode and UpdateFunctionConfiguration.

use rushlight_api::lambda::types::{
    UpdateFunctionCodeRequest, UpdateFunctionCodeResponse, UpdateFunctionConfigurationRequest,
    UpdateFunctionConfigurationResponse,
};
use rushlight_model::arn::FunctionReference;
use rushlight_model::function::{Code, FunctionConfiguration, FunctionHead};
use rushlight_store::Expect;
use rushlight_store::table::Entry;
use tokio::sync::RwLockReadGuard;

use super::code::{Archive, Source};
use super::create::put_code;
use super::settings::Settings;
use super::{architecture, name, runtime, state, view};
use crate::Control;
use crate::code_signing_config::deployment;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::version::publish::{self, Draft};

pub(crate) async fn code(
    control: &Control,
    context: &RequestContext,
    input: UpdateFunctionCodeRequest,
) -> Result<UpdateFunctionCodeResponse> {
    let reference = name::latest(&context.scope, &input.function_name)?;
    if input.publish_to.is_some() {
        return Err(Error::not_offered("PublishTo", "Update the code without it."));
    }
    let publish = input.publish == Some(true);
    let revision_id = input.revision_id.as_deref();
    // Looked at before the archive, so that what is refused anyway costs nothing; looked at again when it counts.
    let present = control.functions.get(&control.key(&reference.function)).await?;
    let head = updatable(present.as_ref(), &reference, revision_id)?;
    check_package_type(head, &input)?;
    check_signature(control, context, head).await?;
    let archive = source(&input).archive(control.objects.as_ref()).await?;
    let change = |head: &FunctionHead| changed_code(control, context, head, &input, &archive);
    if input.dry_run == Some(true) {
        let latest = change(head)?;
        return Ok(view::configuration(head, &latest, None));
    }
    let published = if publish { archive.size() } else { 0 };
    let grown = published + archive.size().saturating_sub(code_size(&head.latest));
    let _reserved = control.ledger.reserve(&control.functions, &context.scope, grown).await?;
    let _hold = archive.clone().keep(&control.blobs, &control.ledger).await?;
    let _associating = deployable(control, context, &reference).await?;
    let updated = if publish {
        commit_published(control, context, &reference, revision_id, change).await?
    } else {
        commit(control, context, &reference, revision_id, change).await?
    };
    deployment::note_untrusted(head.code_signing_config_arn.as_deref(), &reference.function.name);
    Ok(updated)
}

pub(crate) async fn configuration(
    control: &Control,
    context: &RequestContext,
    input: UpdateFunctionConfigurationRequest,
) -> Result<UpdateFunctionConfigurationResponse> {
    let reference = name::latest(&context.scope, &input.function_name)?;
    check_offered(&input)?;
    if let Some(identifier) = &input.runtime {
        runtime::check_known(identifier.as_str(), control.clock.now())?;
    }
    let settings = settings(&input);
    let change = |head: &FunctionHead| {
        let mut latest = head.latest.clone();
        settings.apply(&mut latest, context)?;
        renew_runtime(control, context, &head.latest, &mut latest)?;
        Ok(latest)
    };
    let _associating = match input.layers.as_deref() {
        None | Some([]) => None,
        Some(_) => Some(deployable(control, context, &reference).await?),
    };
    commit(control, context, &reference, input.revision_id.as_deref(), change).await
}

/// Refuses a package or layers that the function's code signing configuration does not let pass; as long as the guard
/// is held it does not become stricter. A function that is not there is for others to find.
async fn deployable<'a>(
    control: &'a Control,
    context: &RequestContext,
    reference: &FunctionReference,
) -> Result<RwLockReadGuard<'a, ()>> {
    let associating = control.associations.read().await;
    if let Some(entry) = control.functions.get(&control.key(&reference.function)).await? {
        check_signature(control, context, &entry.value).await?;
    }
    Ok(associating)
}

async fn check_signature(control: &Control, context: &RequestContext, head: &FunctionHead) -> Result<()> {
    let signing = head.code_signing_config_arn.as_deref();
    deployment::check(control, &context.scope, signing, &head.id.name).await
}

/// Changes the function by compare-and-set and sets it on its way to being updated.
async fn commit(
    control: &Control,
    context: &RequestContext,
    reference: &FunctionReference,
    revision_id: Option<&str>,
    change: impl Fn(&FunctionHead) -> Result<FunctionConfiguration>,
) -> Result<UpdateFunctionCodeResponse> {
    let key = control.key(&reference.function);
    let now = control.clock.now();
    let entry = control
        .functions
        .update(&key, |present| {
            let head = updatable(present, reference, revision_id)?;
            let latest = FunctionConfiguration { last_modified: now, ..change(head)? };
            Ok(state::begin_update(head, latest))
        })
        .await?;
    control.settle(&entry.value);
    tracing::info!(function = %reference.arn(), request = %context.request_id, "function.updated");
    Ok(view::configuration(&entry.value, &entry.value.latest, None))
}

/// As [`commit`], publishing a version of what is new in the same step. The version is Pending until the update is
/// through.
async fn commit_published(
    control: &Control,
    context: &RequestContext,
    reference: &FunctionReference,
    revision_id: Option<&str>,
    change: impl Fn(&FunctionHead) -> Result<FunctionConfiguration>,
) -> Result<UpdateFunctionCodeResponse> {
    let key = control.key(&reference.function);
    let now = control.clock.now();
    for _ in 0..publish::ATTEMPTS {
        let present = control.functions.get(&key).await?;
        let head = updatable(present.as_ref(), reference, revision_id)?;
        let latest = FunctionConfiguration { last_modified: now, ..change(head)? };
        let updating = state::begin_update(head, latest);
        let draft = Draft::write(control, &updating, None, state::pending()).await?;
        let (next, version) = draft.name_in(updating);
        let expect = present.as_ref().map_or(Expect::Absent, |entry| Expect::Revision(entry.revision));
        match control.functions.put(&key, next, expect).await {
            Err(error) if error.is_conflict() => draft.discard(control, head).await,
            result => {
                let entry = result?;
                control.settle(&entry.value);
                tracing::info!(function = %reference.arn(), request = %context.request_id, "function.updated");
                publish::report(context, reference, &version);
                return Ok(publish::shown(&entry.value, &version));
            }
        }
    }
    Err(Error::UpdateInProgress { arn: reference.arn() })
}

fn updatable<'a>(
    present: Option<&'a Entry<FunctionHead>>,
    reference: &FunctionReference,
    revision_id: Option<&str>,
) -> Result<&'a FunctionHead> {
    let entry = present.ok_or_else(|| Error::FunctionNotFound { arn: reference.arn() })?;
    state::check_update(&entry.value, revision_id)?;
    Ok(&entry.value)
}

/// The configuration with the archive as its code.
fn changed_code(
    control: &Control,
    context: &RequestContext,
    head: &FunctionHead,
    input: &UpdateFunctionCodeRequest,
    archive: &Archive,
) -> Result<FunctionConfiguration> {
    check_package_type(head, input)?;
    let mut latest = head.latest.clone();
    put_code(&mut latest, archive);
    latest.source_kms_key_arn.clone_from(&input.source_kms_key_arn);
    if let Some(architecture) = architecture(input.architectures.as_deref()) {
        latest.architecture = architecture;
    }
    renew_runtime(control, context, &head.latest, &mut latest)?;
    Ok(latest)
}

/// Gives the function the present version of its runtime, and refuses a runtime that it cannot be given.
///
/// A runtime that the function already had and that has since gone from this machine is no reason to refuse: the
/// version noted last stays.
fn renew_runtime(
    control: &Control,
    context: &RequestContext,
    before: &FunctionConfiguration,
    latest: &mut FunctionConfiguration,
) -> Result<()> {
    let Code::Zip { runtime: identifier, .. } = &latest.code else {
        return Ok(());
    };
    let now = control.clock.now();
    let kept = matches!(&before.code, Code::Zip { runtime, .. } if runtime == identifier);
    if kept {
        runtime::check_update(identifier, now)?;
    } else {
        runtime::check_choice(identifier, now)?;
    }
    match control.runtimes.check(identifier, latest.architecture) {
        Ok(version) => latest.runtime_version_arn = Some(version.arn(&context.scope)),
        Err(_) if kept => {}
        Err(sentence) => return Err(Error::InvalidParameter(sentence)),
    }
    Ok(())
}

fn check_package_type(head: &FunctionHead, input: &UpdateFunctionCodeRequest) -> Result<()> {
    match (&head.latest.code, input.image_uri.is_some()) {
        (Code::Zip { .. }, true) => Err(Error::invalid(
            "Please don't provide ImageUri when updating a function with packageType Zip.",
        )),
        (Code::Image { .. }, false) => {
            Err(Error::invalid("Please provide ImageUri when updating a function with packageType Image."))
        }
        (Code::Image { .. }, true) => {
            Err(Error::not_offered("PackageType Image", "Deploy a zip archive instead."))
        }
        (Code::Zip { .. }, false) => Ok(()),
    }
}

fn check_offered(input: &UpdateFunctionConfigurationRequest) -> Result<()> {
    let refused = [
        ("CapacityProviderConfig", input.capacity_provider_config.is_some()),
        ("DurableConfig", input.durable_config.is_some()),
        ("RuntimeConfig", input.runtime_config.is_some()),
        ("AcceleratorConfig", input.accelerator_config.is_some()),
    ];
    match refused.iter().find(|(_, given)| *given) {
        Some((member, _)) => Err(Error::not_offered(member, "Update the function without it.")),
        None => Ok(()),
    }
}

fn code_size(configuration: &FunctionConfiguration) -> u64 {
    match configuration.code {
        Code::Zip { size, .. } => size,
        Code::Image { .. } => 0,
    }
}

fn source(input: &UpdateFunctionCodeRequest) -> Source {
    Source {
        zip_file: input.zip_file.clone(),
        s3_bucket: input.s3_bucket.clone(),
        s3_key: input.s3_key.clone(),
        s3_object_version: input.s3_object_version.clone(),
        s3_object_storage_mode: input.s3_object_storage_mode.clone(),
    }
}

fn settings(input: &UpdateFunctionConfigurationRequest) -> Settings {
    Settings {
        description: input.description.clone(),
        role: input.role.clone(),
        runtime: input.runtime.as_ref().map(ToString::to_string),
        handler: input.handler.clone(),
        timeout: input.timeout,
        memory_size: input.memory_size,
        ephemeral_storage: input.ephemeral_storage.clone(),
        environment: input.environment.clone(),
        layers: input.layers.clone(),
        vpc: input.vpc_config.clone(),
        file_systems: input.file_system_configs.clone(),
        dead_letter: input.dead_letter_config.clone(),
        kms_key_arn: input.kms_key_arn.clone(),
        tracing: input.tracing_config.clone(),
        snap_start: input.snap_start.clone(),
        logging: input.logging_config.clone(),
        image: input.image_config.clone(),
    }
}
