//! PutRuntimeManagementConfig and GetRuntimeManagementConfig, of one version each.
//!
//! A version that is held at a runtime version has it at once, and one that lets the service decide gets what it has
//! missed. A runtime version that is not here, such as one of AWS', is taken all the same, so that a deployment made for
//! AWS goes through; `RuntimeVersionConfig` goes on saying what the function runs with.

use rushlight_api::lambda::types;
use rushlight_api::lambda::types::{
    GetRuntimeManagementConfigRequest, GetRuntimeManagementConfigResponse, PutRuntimeManagementConfigRequest,
    PutRuntimeManagementConfigResponse,
};
use rushlight_model::arn::{FunctionReference, Qualifier};
use rushlight_model::function::FunctionHead;
use rushlight_model::runtime_management::RuntimeUpdates;
use rushlight_model::version::Version;

use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::function::state;

pub(crate) async fn put(
    control: &Control,
    context: &RequestContext,
    input: PutRuntimeManagementConfigRequest,
) -> Result<PutRuntimeManagementConfigResponse> {
    let reference = reference(context, &input.function_name, input.qualifier.as_deref())?;
    let updates = match (&input.update_runtime_on, input.runtime_version_arn) {
        (types::UpdateRuntimeOn::Manual, Some(arn)) => RuntimeUpdates::Manual(arn),
        (types::UpdateRuntimeOn::Manual, None) => {
            return Err(Error::invalid("RuntimeVersionArn is required when UpdateRuntimeOn is Manual."));
        }
        (types::UpdateRuntimeOn::FunctionUpdate, _) => RuntimeUpdates::FunctionUpdate,
        _ => RuntimeUpdates::Auto,
    };
    let key = control.key(&reference.function);
    let seen = control.functions.get(&key).await?.ok_or_else(|| not_found(&reference))?.value;
    let version = version(Some(&seen), &reference)?;
    let given = given(control, &seen, version, &updates).await?;
    let entry = control
        .functions
        .update(&key, |present| {
            let head = present.map(|entry| entry.value.as_ref());
            let mut head = head.filter(|head| head.incarnation == seen.incarnation).cloned();
            let head = head.as_mut().ok_or_else(|| not_found(&reference))?;
            head.set_runtime_updates(self::version(Some(head), &reference)?, updates.clone());
            if let Some(arn) = &given {
                state::check_update(head, None)?;
                head.set_runtime_version(version, arn);
            }
            Ok::<_, Error>(head.clone())
        })
        .await?;
    if given.is_some() {
        control.runtime_changed(&entry.value);
    }
    tracing::info!(function = %reference.arn(), update_runtime_on = updates.as_str(), request = %context.request_id,
        "runtime_management.set");
    Ok(PutRuntimeManagementConfigResponse {
        update_runtime_on: updates.as_str().into(),
        function_arn: reference.arn(),
        runtime_version_arn: updates.runtime_version_arn().map(str::to_owned),
    })
}

pub(crate) async fn get(
    control: &Control,
    context: &RequestContext,
    input: GetRuntimeManagementConfigRequest,
) -> Result<GetRuntimeManagementConfigResponse> {
    let reference = reference(context, &input.function_name, input.qualifier.as_deref())?;
    let entry = control.functions.get(&control.key(&reference.function)).await?;
    let head = entry.ok_or_else(|| not_found(&reference))?.value;
    let updates = head.runtime_updates(version(Some(&head), &reference)?);
    Ok(GetRuntimeManagementConfigResponse {
        update_runtime_on: Some(updates.as_str().into()),
        function_arn: Some(reference.arn()),
        runtime_version_arn: updates.runtime_version_arn().map(str::to_owned),
    })
}

/// The runtime version that a version gets by being given this mode, if it is another one.
async fn given(
    control: &Control,
    head: &FunctionHead,
    version: Version,
    updates: &RuntimeUpdates,
) -> Result<Option<String>> {
    let configuration = control.version(head, version).await?;
    Ok(match updates {
        RuntimeUpdates::Auto => control.due_runtime(&head.id.scope, &configuration),
        RuntimeUpdates::FunctionUpdate => None,
        RuntimeUpdates::Manual(arn) => {
            let is_other = configuration.runtime_version_arn.as_ref() != Some(arn);
            (is_other && control.has_runtime_version(&configuration, arn)).then(|| arn.clone())
        }
    })
}

/// Modes belong to versions: an alias has none.
fn reference(context: &RequestContext, name: &str, qualifier: Option<&str>) -> Result<FunctionReference> {
    let reference = FunctionReference::parse(&context.scope, name, qualifier)?;
    match &reference.qualifier {
        Some(Qualifier::Alias(_)) => Err(Error::invalid(format!(
            "The provided function name {} is invalid. Aliases are not allowed.",
            reference.arn()
        ))),
        _ => Ok(reference),
    }
}

fn version(head: Option<&FunctionHead>, reference: &FunctionReference) -> Result<Version> {
    head.and_then(|head| head.version(reference.qualifier.as_ref())).ok_or_else(|| not_found(reference))
}

fn not_found(reference: &FunctionReference) -> Error {
    Error::FunctionNotFound { arn: reference.arn() }
}
