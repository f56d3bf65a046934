//! UpdateFunctionCode and UpdateFunctionConfiguration.

use rushlight_api::lambda::types::{
    UpdateFunctionCodeRequest, UpdateFunctionCodeResponse, UpdateFunctionConfigurationRequest,
    UpdateFunctionConfigurationResponse,
};
use rushlight_model::arn::FunctionReference;
use rushlight_model::clock::Timestamp;
use rushlight_model::function::{Code, FunctionConfiguration, FunctionHead};
use rushlight_model::runtime_management::RuntimeUpdates;
use rushlight_model::version::Version;
use rushlight_store::Expect;
use rushlight_store::table::Entry;
use tokio::sync::RwLockReadGuard;

use super::code::{DeploymentPackage, PackageType, Source};
use super::layers::Resolved;
use super::managed_instances::{self, Instances};
use super::settings::Settings;
use super::{architecture, layers, name, runtime, state, view};
use crate::Control;
use crate::code_signing_config::deployment;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::ledger;
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
    let (dry_run, publish) = (input.dry_run == Some(true), input.publish == Some(true));
    let present = control.functions.get(&control.key(&reference.function)).await?;
    let head = &present.as_ref().ok_or_else(|| not_found(&reference))?.value;
    let package_type = package_type(head, &input)?;
    // A revision is compared when the archive is known to be in order, and not by a dry run. The state is looked at
    // before, so that what is refused anyway costs nothing, and again when it counts.
    let revision_id = input.revision_id.as_deref().filter(|_| !dry_run);
    if revision_id.is_none_or(|seen| seen == head.latest.revision_id) {
        state::check_update(head, None)?;
    }
    check_signature(control, context, head).await?;
    let architecture = architecture(input.architectures.as_deref()).unwrap_or(head.latest.architecture);
    let package = source(&input).package(control, context, package_type, architecture).await?;
    let instances = Instances::find(control, context, head.latest.managed_instances.as_ref()).await?;
    let change =
        |head: &FunctionHead| changed_code(control, context, head, &input, &package, instances.as_ref());
    let published = if publish { package.stored_size() } else { 0 };
    let grown = published + package.stored_size().saturating_sub(ledger::code_bytes(&head.latest));
    let _reserved = control.ledger.reserve(&context.scope, grown).await?;
    if dry_run {
        return dry_run_answer(control, head, &input, change(head)?);
    }
    let _hold = package.keep(&control.blobs, &control.ledger).await?;
    let _associating = deployable(control, context, &reference).await?;
    let updated = if publish {
        commit_published(control, context, &reference, revision_id, change).await?
    } else {
        commit(control, context, &reference, revision_id, change).await?
    };
    deployment::note_untrusted(head.code_signing_config_arn.as_deref(), &reference.function.name);
    Ok(updated)
}

/// What AWS shows of a change that is not made, whatever revision the caller saw.
fn dry_run_answer(
    control: &Control,
    head: &FunctionHead,
    input: &UpdateFunctionCodeRequest,
    latest: FunctionConfiguration,
) -> Result<UpdateFunctionCodeResponse> {
    if input.publish == Some(true) {
        return Err(Error::invalid(
            "Publish and DryRun are mutually exclusive parameters. Please provide only one of the two parameters and \
             try again.",
        ));
    }
    let latest =
        FunctionConfiguration { last_modified: control.clock.now(), state: state::restoring(), ..latest };
    Ok(view::configuration(head, &latest, None))
}

pub(crate) async fn configuration(
    control: &Control,
    context: &RequestContext,
    input: UpdateFunctionConfigurationRequest,
) -> Result<UpdateFunctionConfigurationResponse> {
    let reference = name::latest(&context.scope, &input.function_name)?;
    check_offered(&input)?;
    if let Some(role) = &input.role {
        control.check_execution_role(&reference.function, role)?;
    }
    if let Some(identifier) = &input.runtime {
        runtime::check_known(identifier.as_str(), control.deprecation_policy, control.clock.now())?;
    }
    let layers = match input.layers.as_deref() {
        None => None,
        given => layers::resolve(control, context, present_type(control, &reference).await?, given).await?,
    };
    let settings = settings(&input, layers.as_ref());
    let _associating = match input.layers.as_deref() {
        None | Some([]) => control.associations.read().await,
        Some(_) => deployable(control, context, &reference).await?,
    };
    let instances = given_instances(control, context, &reference, &input).await?;
    let change = |head: &FunctionHead| {
        let mut latest = head.latest.clone();
        if let Some(instances) = &instances {
            managed_instances::check_began_there(&latest)?;
            instances.check(&latest)?;
        }
        settings.apply(&mut latest)?;
        if settings.layers.is_some() {
            layers::check_layers(&latest)?;
        }
        if settings.speaks_of_role() {
            control.check_role_serves(&head.id, &latest)?;
        }
        renew_runtime(control, context, head, &mut latest)?;
        Ok(latest)
    };
    commit(control, context, &reference, input.revision_id.as_deref(), change).await
}

/// The managed instances that a function is to move to. A function that is not there is for others to find.
async fn given_instances(
    control: &Control,
    context: &RequestContext,
    reference: &FunctionReference,
    input: &UpdateFunctionConfigurationRequest,
) -> Result<Option<Instances>> {
    let Some(given) = &input.capacity_provider_config else { return Ok(None) };
    if let Some(entry) = control.functions.get(&control.key(&reference.function)).await? {
        managed_instances::check_began_there(&entry.value.latest)?;
    }
    Instances::find(control, context, Some(&managed_instances::given(given))).await
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

/// AWS notes updates to the second, and creations to the millisecond.
fn now(control: &Control) -> Timestamp {
    Timestamp::from_millis(control.clock.now().as_seconds() * 1000)
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
    let now = now(control);
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
    let now = now(control);
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
    let entry = present.ok_or_else(|| not_found(reference))?;
    state::check_update(&entry.value, revision_id)?;
    Ok(&entry.value)
}

fn not_found(reference: &FunctionReference) -> Error {
    Error::FunctionNotFound { arn: reference.arn() }
}

/// The configuration with the package as its code.
fn changed_code(
    control: &Control,
    context: &RequestContext,
    head: &FunctionHead,
    input: &UpdateFunctionCodeRequest,
    package: &DeploymentPackage,
    instances: Option<&Instances>,
) -> Result<FunctionConfiguration> {
    package_type(head, input)?;
    let mut latest = head.latest.clone();
    package.put(&mut latest);
    layers::check_code(&latest)?;
    latest.source_kms_key_arn.clone_from(&input.source_kms_key_arn);
    if let Some(architecture) = architecture(input.architectures.as_deref()) {
        latest.architecture = architecture;
    }
    instances.map_or(Ok(()), |instances| instances.check(&latest))?;
    renew_runtime(control, context, head, &mut latest)?;
    Ok(latest)
}

/// Gives the function the newest version of its runtime, unless it is held at one, and refuses a runtime that it cannot
/// be given.
///
/// A runtime that the function already had and that has since gone from this machine is no reason to refuse: the
/// version noted last stays.
fn renew_runtime(
    control: &Control,
    context: &RequestContext,
    before: &FunctionHead,
    latest: &mut FunctionConfiguration,
) -> Result<()> {
    let Code::Zip { runtime: identifier, .. } = &latest.code else {
        return Ok(());
    };
    let (policy, now) = (control.deprecation_policy, control.clock.now());
    let kept = matches!(&before.latest.code, Code::Zip { runtime, .. } if runtime == identifier);
    if kept {
        runtime::check_update(identifier, policy, now)?;
    } else {
        runtime::check_choice(identifier, policy, now)?;
    }
    if kept && matches!(before.runtime_updates(Version::Latest), RuntimeUpdates::Manual(_)) {
        return Ok(());
    }
    match control.newest_runtime(&context.scope, identifier, latest.architecture) {
        Ok(version) => latest.runtime_version_arn = Some(version),
        Err(_) if kept => {}
        Err(sentence) => return Err(Error::InvalidParameter(sentence)),
    }
    Ok(())
}

async fn present_type(control: &Control, reference: &FunctionReference) -> Result<PackageType> {
    let present = control.functions.get(&control.key(&reference.function)).await?;
    let entry = present.ok_or_else(|| not_found(reference))?;
    Ok(match entry.value.latest.code {
        Code::Zip { .. } => PackageType::Zip,
        Code::Image { .. } => PackageType::Image,
    })
}

/// The function's, if the request is made for it.
fn package_type(head: &FunctionHead, input: &UpdateFunctionCodeRequest) -> Result<PackageType> {
    match (&head.latest.code, input.image_uri.is_some()) {
        (Code::Zip { .. }, true) => Err(Error::invalid(
            "Please don't provide ImageUri when updating a function with packageType Zip.",
        )),
        (Code::Image { .. }, false) => {
            Err(Error::invalid("Please provide ImageUri when updating a function with packageType Image."))
        }
        (Code::Image { .. }, true) => Ok(PackageType::Image),
        (Code::Zip { .. }, false) => Ok(PackageType::Zip),
    }
}

fn check_offered(input: &UpdateFunctionConfigurationRequest) -> Result<()> {
    let refused = [
        ("DurableConfig", input.durable_config.is_some()),
        ("RuntimeConfig", input.runtime_config.is_some()),
        ("AcceleratorConfig", input.accelerator_config.is_some()),
    ];
    match refused.iter().find(|(_, given)| *given) {
        Some((member, _)) => Err(Error::not_offered(member, "Update the function without it.")),
        None => Ok(()),
    }
}

fn source(input: &UpdateFunctionCodeRequest) -> Source {
    Source {
        zip_file: input.zip_file.clone(),
        s3_bucket: input.s3_bucket.clone(),
        s3_key: input.s3_key.clone(),
        s3_object_version: input.s3_object_version.clone(),
        s3_object_storage_mode: input.s3_object_storage_mode.clone(),
        image_uri: input.image_uri.clone(),
    }
}

fn settings(input: &UpdateFunctionConfigurationRequest, layers: Option<&Resolved>) -> Settings {
    Settings {
        description: input.description.clone(),
        role: input.role.clone(),
        runtime: input.runtime.as_ref().map(ToString::to_string),
        handler: input.handler.clone(),
        timeout: input.timeout,
        memory_size: input.memory_size,
        ephemeral_storage: input.ephemeral_storage.clone(),
        environment: input.environment.clone(),
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
