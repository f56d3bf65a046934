//! Inline policies of users and roles.

use std::sync::Arc;

use rushlight_api::iam::types::*;

use super::change::{Kept, no_such};
use super::page::{Page, page};
use super::{Answer, Iam, document, percent_encoded};
use crate::RequestContext;
use crate::iam::entity::{Entity, Role as RoleRow, User as UserRow};

pub(super) async fn put_user(iam: &Iam, context: &RequestContext, input: PutUserPolicyRequest) -> Answer<()> {
    let PutUserPolicyRequest { user_name, policy_name, policy_document } = input;
    put::<UserRow>(iam, context, "iam:PutUserPolicy", &user_name, policy_name, policy_document).await
}

pub(super) async fn put_role(iam: &Iam, context: &RequestContext, input: PutRolePolicyRequest) -> Answer<()> {
    let PutRolePolicyRequest { role_name, policy_name, policy_document } = input;
    put::<RoleRow>(iam, context, "iam:PutRolePolicy", &role_name, policy_name, policy_document).await
}

pub(super) async fn delete_user(
    iam: &Iam,
    context: &RequestContext,
    input: DeleteUserPolicyRequest,
) -> Answer<()> {
    delete::<UserRow>(iam, context, "iam:DeleteUserPolicy", &input.user_name, &input.policy_name).await
}

pub(super) async fn delete_role(
    iam: &Iam,
    context: &RequestContext,
    input: DeleteRolePolicyRequest,
) -> Answer<()> {
    delete::<RoleRow>(iam, context, "iam:DeleteRolePolicy", &input.role_name, &input.policy_name).await
}

pub(super) fn get_user(
    iam: &Iam,
    context: &RequestContext,
    input: GetUserPolicyRequest,
) -> Answer<GetUserPolicyResponse> {
    let GetUserPolicyRequest { user_name, policy_name } = input;
    let policy_document = get::<UserRow>(iam, context, "iam:GetUserPolicy", &user_name, &policy_name)?;
    Ok(GetUserPolicyResponse { user_name, policy_name, policy_document })
}

pub(super) fn get_role(
    iam: &Iam,
    context: &RequestContext,
    input: GetRolePolicyRequest,
) -> Answer<GetRolePolicyResponse> {
    let GetRolePolicyRequest { role_name, policy_name } = input;
    let policy_document = get::<RoleRow>(iam, context, "iam:GetRolePolicy", &role_name, &policy_name)?;
    Ok(GetRolePolicyResponse { role_name, policy_name, policy_document })
}

pub(super) fn list_user(
    iam: &Iam,
    context: &RequestContext,
    input: ListUserPoliciesRequest,
) -> Answer<ListUserPoliciesResponse> {
    let user = allowed::<UserRow>(iam, context, "iam:ListUserPolicies", &input.user_name)?;
    let Page { items, is_truncated, marker } = names(&*user, input.marker.as_deref(), input.max_items)?;
    Ok(ListUserPoliciesResponse { policy_names: items, is_truncated, marker })
}

pub(super) fn list_role(
    iam: &Iam,
    context: &RequestContext,
    input: ListRolePoliciesRequest,
) -> Answer<ListRolePoliciesResponse> {
    let role = allowed::<RoleRow>(iam, context, "iam:ListRolePolicies", &input.role_name)?;
    let Page { items, is_truncated, marker } = names(&*role, input.marker.as_deref(), input.max_items)?;
    Ok(ListRolePoliciesResponse { policy_names: items, is_truncated, marker })
}

async fn put<T: Kept + Entity>(
    iam: &Iam,
    context: &RequestContext,
    action: &str,
    name: &str,
    policy: String,
    text: String,
) -> Answer<()> {
    allow::<T>(iam, context, action, name)?;
    document::check_identity(&text)?;
    let change = iam.directory.change().await;
    let put = |entity: &mut T| {
        entity.attachments_mut().inline.insert(policy.clone(), text);
        let texts = entity.attachments().inline.values();
        document::check_inline(T::KIND, name, texts, T::INLINE_CHARACTERS)
    };
    let row = change.update::<T>(&context.scope.account, name, put).await?;
    tracing::info!(to = row.arn(), policy, caller = context.caller.principal.arn(), "iam.inline_policy.put");
    Ok(())
}

async fn delete<T: Kept + Entity>(
    iam: &Iam,
    context: &RequestContext,
    action: &str,
    name: &str,
    policy: &str,
) -> Answer<()> {
    allow::<T>(iam, context, action, name)?;
    let change = iam.directory.change().await;
    let remove = |entity: &mut T| match entity.attachments_mut().inline.remove(policy) {
        Some(_) => Ok(()),
        None => Err(missing::<T>(policy)),
    };
    let row = change.update::<T>(&context.scope.account, name, remove).await?;
    tracing::info!(
        of = row.arn(),
        policy,
        caller = context.caller.principal.arn(),
        "iam.inline_policy.deleted"
    );
    Ok(())
}

fn get<T: Kept + Entity>(
    iam: &Iam,
    context: &RequestContext,
    action: &str,
    name: &str,
    policy: &str,
) -> Answer<String> {
    let row = allowed::<T>(iam, context, action, name)?;
    let text = row.attachments().inline.get(policy).ok_or_else(|| missing::<T>(policy))?;
    Ok(percent_encoded(text))
}

fn names<T: Entity>(row: &T, marker: Option<&str>, max_items: Option<i32>) -> Answer<Page<String>> {
    page(row.attachments().inline.keys().cloned(), String::clone, marker, max_items)
}

fn allow<T: Kept + Entity>(iam: &Iam, context: &RequestContext, action: &str, name: &str) -> Answer<()> {
    iam.allow(context, action, &iam.directory.arn_of::<T>(&context.scope.account, name))
}

fn allowed<T: Kept + Entity>(
    iam: &Iam,
    context: &RequestContext,
    action: &str,
    name: &str,
) -> Answer<Arc<T>> {
    allow::<T>(iam, context, action, name)?;
    iam.directory.existing(&context.scope.account, name)
}

fn missing<T: Entity>(policy: &str) -> rushlight_api::Error {
    no_such(format!("The {} policy with name {policy} cannot be found.", T::KIND))
}
