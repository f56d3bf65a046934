//! PutFunctionScalingConfig and GetFunctionScalingConfig: how many execution environments a version has on the
//! instances of a capacity provider.
//!
//! ```text
//!              none at all                         some again
//!   Active ─────────────────> Deactivating ─> Deactivated ─────────────> Pending ─> Active
//! ```
//! Rushlight keeps and shows the bounds. Between them it starts what invocations need, as for every other function;
//! a version that is to have none is not invoked.

use rushlight_api::lambda::types::{
    FunctionScalingConfig, GetFunctionScalingConfigRequest, GetFunctionScalingConfigResponse,
    PutFunctionScalingConfigRequest, PutFunctionScalingConfigResponse,
};
use rushlight_model::arn::{FunctionReference, Qualifier};
use rushlight_model::function::{FunctionHead, State};
use rushlight_model::managed_instances::ExecutionEnvironments;
use rushlight_model::version::PublishedVersion;
use uuid::Uuid;

use crate::Control;
use crate::context::RequestContext;
use crate::dependencies::Retirement;
use crate::error::{Error, Result};
use crate::function::{found, state};

/// The least execution environments of a version for which nothing else was asked.
const LEAST: i32 = 3;

pub(crate) async fn put(
    control: &Control,
    context: &RequestContext,
    input: PutFunctionScalingConfigRequest,
) -> Result<PutFunctionScalingConfigResponse> {
    let reference = FunctionReference::parse(&context.scope, &input.function_name, Some(&input.qualifier))?;
    let requested = requested(input.function_scaling_config.as_ref())?;
    let entry = control
        .functions
        .update(&control.key(&reference.function), |present| {
            let mut head = found(present, &reference.arn())?.clone();
            let number = version(&head, &reference)?.0;
            if let Some(version) = head.versions.get_mut(&number) {
                scale(version, requested)?;
            }
            Ok::<_, Error>(head)
        })
        .await?;
    let head = &entry.value;
    let (number, version) = version(head, &reference)?;
    if state::is_unsettled(head) {
        control.settle(head);
    }
    if version.state == State::Deactivating {
        let retirement = Retirement::VersionDeleted { incarnation: &head.incarnation, version: number };
        control.data_plane.retire(&head.id, retirement);
    }
    tracing::info!(function = %reference.arn(), state = version.state.as_str(), request = %context.request_id,
        "function_scaling.set");
    Ok(PutFunctionScalingConfigResponse { function_state: Some(version.state.as_str().into()) })
}

pub(crate) async fn get(
    control: &Control,
    context: &RequestContext,
    input: GetFunctionScalingConfigRequest,
) -> Result<GetFunctionScalingConfigResponse> {
    let reference = FunctionReference::parse(&context.scope, &input.function_name, Some(&input.qualifier))?;
    let entry = control.functions.get(&control.key(&reference.function)).await?;
    let version = version(found(entry.as_ref(), &reference.arn())?, &reference)?.1;
    Ok(GetFunctionScalingConfigResponse {
        function_arn: Some(reference.arn()),
        applied_function_scaling_config: Some(view(version.scaling.applied)),
        requested_function_scaling_config: Some(view(version.scaling.requested)),
    })
}

/// What is asked for; `None` is the default.
fn requested(given: Option<&FunctionScalingConfig>) -> Result<Option<ExecutionEnvironments>> {
    let bound = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    let bounds =
        given.map(|given| (bound(given.min_execution_environments), bound(given.max_execution_environments)));
    let (min, max) = match bounds {
        None | Some((None, None)) => return Ok(None),
        Some((Some(min), Some(max))) => (min, max),
        Some(_) => {
            return Err(Error::invalid(
                "MinExecutionEnvironments and MaxExecutionEnvironments must be specified together.",
            ));
        }
    };
    if min > max {
        return Err(Error::invalid(
            "MinExecutionEnvironments must be less than or equal to MaxExecutionEnvironments.",
        ));
    }
    if min == 0 && max > 0 {
        return Err(Error::invalid(
            "MinExecutionEnvironments can only be 0 when MaxExecutionEnvironments is also 0.",
        ));
    }
    Ok(Some(ExecutionEnvironments { min, max }))
}

/// The version that a request is for.
fn version<'a>(head: &'a FunctionHead, reference: &FunctionReference) -> Result<(u64, &'a PublishedVersion)> {
    if head.latest.managed_instances.is_none() {
        return Err(Error::AccessDenied(
            "The function provided by the arn does not contain a capacity provider configuration".to_owned(),
        ));
    }
    match reference.qualifier {
        Some(Qualifier::Version(number)) => head.versions.get(&number).map(|version| (number, version)),
        _ => None,
    }
    .ok_or_else(|| Error::FunctionNotFound { arn: reference.arn() })
}

fn scale(version: &mut PublishedVersion, requested: Option<ExecutionEnvironments>) -> Result<()> {
    let none = requested == Some(ExecutionEnvironments::NONE);
    version.scaling.requested = requested;
    version.state = match (&version.state, none) {
        (State::Active, true) => State::Deactivating,
        (State::Deactivated, false) => state::pending(),
        (settled @ (State::Active | State::Deactivated), _) => {
            version.scaling.applied = requested;
            settled.clone()
        }
        (passing, _) => return Err(Error::UnfitState { state: passing.as_str() }),
    };
    version.revision_id = Uuid::new_v4().to_string();
    Ok(())
}

fn view(environments: Option<ExecutionEnvironments>) -> FunctionScalingConfig {
    let count = |number: u32| i32::try_from(number).ok();
    FunctionScalingConfig {
        min_execution_environments: environments.map_or(Some(LEAST), |bounds| count(bounds.min)),
        max_execution_environments: environments.and_then(|bounds| count(bounds.max)),
    }
}
