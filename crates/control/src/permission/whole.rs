//! PutResourcePolicy, GetResourcePolicy and DeleteResourcePolicy.

use rushlight_api::lambda::types::{
    DeleteResourcePolicyRequest, GetResourcePolicyRequest, GetResourcePolicyResponse,
    PutResourcePolicyRequest, PutResourcePolicyResponse,
};
use rushlight_model::arn::{FunctionReference, Scope};

use super::document::check;
use super::{check_qualifier, check_revision, no_policy, nothing_there, report, with_policy};
use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::function::{check_exists, found};

pub(crate) async fn put(
    control: &Control,
    context: &RequestContext,
    input: PutResourcePolicyRequest,
) -> Result<PutResourcePolicyResponse> {
    let reference = named(&context.scope, &input.resource_arn)?;
    check_qualifier(reference.qualifier.as_ref())?;
    control.check_openness(&check(&input.policy)?)?;
    let entry = control
        .functions
        .update(&control.key(&reference.function), |present| {
            let head = found(present, &reference.function.arn())?;
            check_exists(head, &reference)?;
            check_revision(head, &reference, input.revision_id.as_deref())?;
            Ok::<_, Error>(with_policy(head, &reference, Some(input.policy.clone())))
        })
        .await?;
    report(context, &reference, None, "resource_policy.put");
    Ok(PutResourcePolicyResponse {
        policy: Some(input.policy),
        revision_id: entry.value.revision_id(reference.qualifier.as_ref()).map(str::to_owned),
    })
}

pub(crate) async fn get(
    control: &Control,
    context: &RequestContext,
    input: GetResourcePolicyRequest,
) -> Result<GetResourcePolicyResponse> {
    let reference = named(&context.scope, &input.resource_arn)?;
    let entry = control.functions.get(&control.key(&reference.function)).await?.ok_or_else(nothing_there)?;
    let qualifier = reference.qualifier.as_ref();
    let policy = entry.value.policy(qualifier).ok_or_else(nothing_there)?;
    Ok(GetResourcePolicyResponse {
        policy: Some(policy.document.clone()),
        revision_id: entry.value.revision_id(qualifier).map(str::to_owned),
    })
}

pub(crate) async fn delete(
    control: &Control,
    context: &RequestContext,
    input: DeleteResourcePolicyRequest,
) -> Result<()> {
    let reference = named(&context.scope, &input.resource_arn)?;
    control
        .functions
        .update(&control.key(&reference.function), |present| {
            let head = found(present, &reference.function.arn())?;
            check_exists(head, &reference)?;
            head.policy(reference.qualifier.as_ref()).ok_or_else(no_policy)?;
            check_revision(head, &reference, input.revision_id.as_deref())?;
            Ok::<_, Error>(with_policy(head, &reference, None))
        })
        .await?;
    report(context, &reference, None, "resource_policy.deleted");
    Ok(())
}

/// What the ARN, which has passed the API's pattern check, names. Customers' own runtimes, which have policies too on
/// AWS, are not there.
fn named(here: &Scope, arn: &str) -> Result<FunctionReference> {
    if arn.contains(":runtime/") {
        return Err(nothing_there());
    }
    Ok(FunctionReference::parse(here, arn, None)?)
}
