//! AddLayerVersionPermission, RemoveLayerVersionPermission and GetLayerVersionPolicy.

use rushlight_api::lambda::types::{
    AddLayerVersionPermissionRequest, AddLayerVersionPermissionResponse, GetLayerVersionPolicyRequest,
    GetLayerVersionPolicyResponse, RemoveLayerVersionPermissionRequest,
};
use rushlight_model::arn::is_account;
use rushlight_model::layer::{LayerId, LayerPolicy, LayerPrincipal, LayerStatement, LayerVersion};
use rushlight_store::table::Entry;
use uuid::Uuid;

use super::access::{self, key};
use super::policy;
use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};

pub(crate) async fn add(
    control: &Control,
    context: &RequestContext,
    input: AddLayerVersionPermissionRequest,
) -> Result<AddLayerVersionPermissionResponse> {
    let number = access::number(input.version_number)?;
    let layer = access::here(&context.scope, &input.layer_name)?;
    let statement = LayerStatement {
        sid: input.statement_id,
        principal: principal(context, &input.principal),
        organization_id: input.organization_id,
    };
    let version = change(control, &layer, number, |version| {
        check_revision(version, input.revision_id.as_deref())?;
        with(version, &statement)
    })
    .await?;
    tracing::info!(layer = %version.arn(), sid = statement.sid, request = %context.request_id, "layer.shared");
    Ok(AddLayerVersionPermissionResponse {
        statement: Some(policy::statement(&version, &statement)),
        revision_id: version.policy.map(|policy| policy.revision_id),
    })
}

pub(crate) async fn remove(
    control: &Control,
    context: &RequestContext,
    input: RemoveLayerVersionPermissionRequest,
) -> Result<()> {
    let number = access::number(input.version_number)?;
    let layer = access::here(&context.scope, &input.layer_name)?;
    let sid = &input.statement_id;
    let version = change(control, &layer, number, |version| {
        check_revision(version, input.revision_id.as_deref())?;
        without(version, sid)
    })
    .await?;
    tracing::info!(layer = %version.arn(), sid, request = %context.request_id, "layer.unshared");
    Ok(())
}

pub(crate) async fn get_policy(
    control: &Control,
    context: &RequestContext,
    input: GetLayerVersionPolicyRequest,
) -> Result<GetLayerVersionPolicyResponse> {
    let number = access::number(input.version_number)?;
    let layer = access::here(&context.scope, &input.layer_name)?;
    let version = access::find(control, &context.scope, &layer, number)
        .await?
        .ok_or_else(|| does_not_exist(&layer, number))?;
    let policy = version.policy.as_ref().ok_or_else(no_policy)?;
    Ok(GetLayerVersionPolicyResponse {
        policy: Some(policy::document(&version, &policy.statements)),
        revision_id: Some(policy.revision_id.clone()),
    })
}

/// Changes the policy of a version by compare-and-set.
async fn change(
    control: &Control,
    layer: &LayerId,
    number: u64,
    mut change: impl FnMut(&LayerVersion) -> Result<Vec<LayerStatement>>,
) -> Result<LayerVersion> {
    let apply = |present: Option<&Entry<LayerVersion>>| {
        let version = present.ok_or_else(|| does_not_exist(layer, number))?;
        let statements = change(&version.value)?;
        let policy = LayerPolicy { revision_id: Uuid::new_v4().to_string(), statements };
        let policy = Some(policy).filter(|policy| !policy.statements.is_empty());
        Ok(LayerVersion { policy, ..LayerVersion::clone(&version.value) })
    };
    let entry = control.layer_versions.update(&key(layer, number), apply).await?;
    Ok(LayerVersion::clone(&entry.value))
}

fn check_revision(version: &LayerVersion, seen: Option<&str>) -> Result<()> {
    let current = version.policy.as_ref().map(|policy| policy.revision_id.as_str());
    if seen.is_some_and(|seen| Some(seen) != current) {
        return Err(Error::LayerPolicyRevisionMismatch);
    }
    Ok(())
}

/// The statements with one more.
fn with(version: &LayerVersion, statement: &LayerStatement) -> Result<Vec<LayerStatement>> {
    let mut statements = version.policy.as_ref().map(|policy| policy.statements.clone()).unwrap_or_default();
    if statements.iter().any(|other| other.sid == statement.sid) {
        return Err(Error::StatementExists { sid: statement.sid.clone() });
    }
    statements.push(statement.clone());
    let bytes = policy::document(version, &statements).len();
    if bytes > policy::MAX_BYTES {
        return Err(Error::PolicyTooLong { bytes, limit: policy::MAX_BYTES });
    }
    Ok(statements)
}

/// The statements with one less.
fn without(version: &LayerVersion, sid: &str) -> Result<Vec<LayerStatement>> {
    let policy = version.policy.as_ref().ok_or_else(no_policy)?;
    let kept: Vec<_> = policy.statements.iter().filter(|statement| statement.sid != sid).cloned().collect();
    if kept.len() == policy.statements.len() {
        return Err(Error::ResourceNotFound(format!("Statement {sid} is not found in resource policy.")));
    }
    Ok(kept)
}

/// The pattern lets through `*`, an account's id, and the ARN of its root.
fn principal(context: &RequestContext, given: &str) -> LayerPrincipal {
    match given {
        "*" => LayerPrincipal::Everybody,
        account if is_account(account) => {
            LayerPrincipal::Account(format!("arn:{}:iam::{account}:root", context.scope.partition()))
        }
        root => LayerPrincipal::Account(root.to_owned()),
    }
}

fn does_not_exist(layer: &LayerId, number: u64) -> Error {
    Error::ResourceNotFound(format!("Layer version {} does not exist.", layer.version_arn(number)))
}

fn no_policy() -> Error {
    Error::ResourceNotFound("No policy is associated with the given resource.".into())
}
