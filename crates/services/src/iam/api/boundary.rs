//! Permissions boundaries of users and roles.

use rushlight_api::iam::errors;
use rushlight_api::iam::types::{
    AttachedPermissionsBoundary, DeleteRolePermissionsBoundaryRequest, DeleteUserPermissionsBoundaryRequest,
    PermissionsBoundaryAttachmentType, PutRolePermissionsBoundaryRequest, PutUserPermissionsBoundaryRequest,
};
use rushlight_auth::policy::Context;

use super::change::{Kept, no_such};
use super::{Answer, Iam};
use crate::RequestContext;
use crate::iam::entity::{Attachments, Entity, Role, User};

/// The condition key that tells the boundary in a request.
const PERMISSIONS_BOUNDARY: &str = "iam:PermissionsBoundary";

pub(super) async fn put_user(
    iam: &Iam,
    context: &RequestContext,
    input: PutUserPermissionsBoundaryRequest,
) -> Answer<()> {
    let (action, arn) = ("iam:PutUserPermissionsBoundary", input.permissions_boundary);
    set::<User>(iam, context, action, &input.user_name, Some(arn)).await
}

pub(super) async fn delete_user(
    iam: &Iam,
    context: &RequestContext,
    input: DeleteUserPermissionsBoundaryRequest,
) -> Answer<()> {
    set::<User>(iam, context, "iam:DeleteUserPermissionsBoundary", &input.user_name, None).await
}

pub(super) async fn put_role(
    iam: &Iam,
    context: &RequestContext,
    input: PutRolePermissionsBoundaryRequest,
) -> Answer<()> {
    let (action, arn) = ("iam:PutRolePermissionsBoundary", input.permissions_boundary);
    set::<Role>(iam, context, action, &input.role_name, Some(arn)).await
}

pub(super) async fn delete_role(
    iam: &Iam,
    context: &RequestContext,
    input: DeleteRolePermissionsBoundaryRequest,
) -> Answer<()> {
    set::<Role>(iam, context, "iam:DeleteRolePermissionsBoundary", &input.role_name, None).await
}

async fn set<T: Kept + Entity>(
    iam: &Iam,
    context: &RequestContext,
    action: &str,
    name: &str,
    boundary: Option<String>,
) -> Answer<()> {
    let account = &context.scope.account;
    let present = iam.directory.find::<T>(account, name).and_then(|row| row.attachments().boundary.clone());
    iam.allow_with(context, action, &iam.directory.arn_of::<T>(account, name), |conditions| {
        // The key speaks of the boundary that comes, or else of the one that goes.
        if let Some(arn) = boundary.clone().or(present) {
            conditions.insert(PERMISSIONS_BOUNDARY, arn);
        }
    })?;
    check(iam, boundary.as_deref())?;
    let change = iam.directory.change().await;
    change
        .update::<T>(account, name, |entity| {
            entity.attachments_mut().boundary = boundary;
            Ok(())
        })
        .await?;
    tracing::info!(name, caller = context.caller.principal.arn(), "iam.boundary.set");
    Ok(())
}

/// Refuses a boundary that is no managed policy.
pub(super) fn check(iam: &Iam, boundary: Option<&str>) -> Answer<()> {
    let Some(arn) = boundary else { return Ok(()) };
    if !arn.split(':').nth(5).is_some_and(|resource| resource.starts_with("policy/")) {
        return Err(errors::invalid_input_exception(format!("ARN {arn} is not valid.")));
    }
    match iam.directory.managed_document(arn) {
        Some(_) => Ok(()),
        None => Err(no_such(format!("Scope ARN: {arn} does not exist or is not attachable."))),
    }
}

pub(super) fn describe(boundary: Option<&str>, context: &mut Context<'_>) {
    if let Some(arn) = boundary {
        context.insert(PERMISSIONS_BOUNDARY, arn.to_owned());
    }
}

pub(super) fn view(attachments: &Attachments) -> Option<AttachedPermissionsBoundary> {
    attachments.boundary.as_ref().map(|arn| AttachedPermissionsBoundary {
        permissions_boundary_type: Some(PermissionsBoundaryAttachmentType::from("Policy")),
        permissions_boundary_arn: Some(arn.clone()),
    })
}
