//! Roles.

use std::sync::Arc;

use rushlight_api::iam::errors;
use rushlight_api::iam::types::*;

use super::change::{new_id, shown};
use super::page::{Page, page};
use super::user::{ROOT, check_bare};
use super::{Answer, Iam, boundary, document, percent_encoded, tag};
use crate::RequestContext;
use crate::iam::entity::{Attachments, Entity, Role as Row, arn};

/// How long a session may last when the role does not say, in seconds.
const SESSION_SECONDS: i32 = 3600;

pub(super) async fn create(
    iam: &Iam,
    context: &RequestContext,
    input: CreateRoleRequest,
) -> Answer<CreateRoleResponse> {
    let account = &context.scope.account;
    let path = input.path.unwrap_or_else(|| ROOT.to_owned());
    let tags = tag::of_new(input.tags.as_deref())?;
    let limit = input.permissions_boundary.as_deref();
    iam.allow_with(
        context,
        "iam:CreateRole",
        &arn(account, "role", &path, &input.role_name),
        |conditions| {
            tag::describe(&tags, conditions);
            boundary::describe(limit, conditions);
        },
    )?;
    document::check_trust(&input.assume_role_policy_document)?;
    boundary::check(iam, limit)?;
    let change = iam.directory.change().await;
    if iam.directory.roles.get(account, &input.role_name).is_some() {
        let message = format!("Role with name {} already exists.", input.role_name);
        return Err(errors::entity_already_exists_exception(message));
    }
    let row = Row {
        account: account.clone(),
        path,
        name: input.role_name,
        id: new_id("AROA")?,
        created: iam.directory.clock.now(),
        trust: input.assume_role_policy_document,
        description: input.description.filter(|text| !text.is_empty()),
        max_session_seconds: input.max_session_duration.unwrap_or(SESSION_SECONDS),
        attachments: Attachments { boundary: input.permissions_boundary, ..Attachments::default() },
        tags,
    };
    let row = change.put(row).await?;
    tracing::info!(role = row.arn(), caller = context.caller.principal.arn(), "iam.role.created");
    // AWS leaves these out here, even if they were given.
    let role = Role { description: None, max_session_duration: None, role_last_used: None, ..view(&row) };
    Ok(CreateRoleResponse { role })
}

pub(super) fn get(iam: &Iam, context: &RequestContext, input: GetRoleRequest) -> Answer<GetRoleResponse> {
    let row = allowed(iam, context, "iam:GetRole", &input.role_name)
        .and_then(|()| iam.directory.existing::<Row>(&context.scope.account, &input.role_name))?;
    Ok(GetRoleResponse { role: view(&row) })
}

pub(super) fn list(
    iam: &Iam,
    context: &RequestContext,
    input: ListRolesRequest,
) -> Answer<ListRolesResponse> {
    let account = &context.scope.account;
    iam.allow(context, "iam:ListRoles", &arn(account, "role", ROOT, ""))?;
    let prefix = input.path_prefix.as_deref().unwrap_or(ROOT);
    let rows = iam.directory.roles.of_account(account).into_iter().filter(|row| row.path.starts_with(prefix));
    let name = |row: &Arc<Row>| row.name.to_lowercase();
    let Page { items, is_truncated, marker } = page(rows, name, input.marker.as_deref(), input.max_items)?;
    let listed =
        |row: &Arc<Row>| Role { tags: None, permissions_boundary: None, role_last_used: None, ..view(row) };
    Ok(ListRolesResponse { roles: items.iter().map(listed).collect(), is_truncated, marker })
}

pub(super) async fn update(
    iam: &Iam,
    context: &RequestContext,
    input: UpdateRoleRequest,
) -> Answer<UpdateRoleResponse> {
    allowed(iam, context, "iam:UpdateRole", &input.role_name)?;
    let change = iam.directory.change().await;
    change
        .update::<Row>(&context.scope.account, &input.role_name, |role| {
            if let Some(description) = input.description {
                role.description = Some(description).filter(|text| !text.is_empty());
            }
            role.max_session_seconds = input.max_session_duration.unwrap_or(role.max_session_seconds);
            Ok(())
        })
        .await?;
    Ok(UpdateRoleResponse {})
}

pub(super) async fn update_trust(
    iam: &Iam,
    context: &RequestContext,
    input: UpdateAssumeRolePolicyRequest,
) -> Answer<()> {
    allowed(iam, context, "iam:UpdateAssumeRolePolicy", &input.role_name)?;
    document::check_trust(&input.policy_document)?;
    let change = iam.directory.change().await;
    change
        .update::<Row>(&context.scope.account, &input.role_name, |role| {
            role.trust = input.policy_document;
            Ok(())
        })
        .await?;
    tracing::info!(role = input.role_name, caller = context.caller.principal.arn(), "iam.role.trust_updated");
    Ok(())
}

pub(super) async fn delete(iam: &Iam, context: &RequestContext, input: DeleteRoleRequest) -> Answer<()> {
    allowed(iam, context, "iam:DeleteRole", &input.role_name)?;
    let change = iam.directory.change().await;
    let row = iam.directory.existing::<Row>(&context.scope.account, &input.role_name)?;
    check_bare(&row.attachments)?;
    change.remove(&*row).await?;
    tracing::info!(role = row.arn(), caller = context.caller.principal.arn(), "iam.role.deleted");
    Ok(())
}

/// There are no instances here, so roles have no profiles for them. Deployment tools ask before they delete a role.
pub(super) fn instance_profiles(
    iam: &Iam,
    context: &RequestContext,
    input: ListInstanceProfilesForRoleRequest,
) -> Answer<ListInstanceProfilesForRoleResponse> {
    allowed(iam, context, "iam:ListInstanceProfilesForRole", &input.role_name)?;
    iam.directory.existing::<Row>(&context.scope.account, &input.role_name)?;
    let instance_profiles = Vec::new();
    Ok(ListInstanceProfilesForRoleResponse { instance_profiles, is_truncated: Some(false), marker: None })
}

pub(super) async fn tag(iam: &Iam, context: &RequestContext, input: TagRoleRequest) -> Answer<()> {
    tag::put::<Row>(iam, context, "iam:TagRole", &input.role_name, &input.tags).await
}

pub(super) async fn untag(iam: &Iam, context: &RequestContext, input: UntagRoleRequest) -> Answer<()> {
    tag::remove::<Row>(iam, context, "iam:UntagRole", &input.role_name, &input.tag_keys).await
}

pub(super) fn tags(
    iam: &Iam,
    context: &RequestContext,
    input: ListRoleTagsRequest,
) -> Answer<ListRoleTagsResponse> {
    let (action, marker) = ("iam:ListRoleTags", input.marker.as_deref());
    let Page { items, is_truncated, marker } =
        tag::list::<Row>(iam, context, action, &input.role_name, marker, input.max_items)?;
    Ok(ListRoleTagsResponse { tags: items, is_truncated, marker })
}

fn allowed(iam: &Iam, context: &RequestContext, action: &str, name: &str) -> Answer<()> {
    iam.allow(context, action, &iam.directory.arn_of::<Row>(&context.scope.account, name))
}

fn view(row: &Row) -> Role {
    Role {
        path: row.path.clone(),
        role_name: row.name.clone(),
        role_id: row.id.clone(),
        arn: row.arn(),
        create_date: shown(row.created),
        assume_role_policy_document: Some(percent_encoded(&row.trust)),
        description: row.description.clone(),
        max_session_duration: Some(row.max_session_seconds),
        permissions_boundary: boundary::view(&row.attachments),
        tags: tag::view_if_any(&row.tags),
        role_last_used: Some(RoleLastUsed::default()),
        source_role_template: None,
    }
}
