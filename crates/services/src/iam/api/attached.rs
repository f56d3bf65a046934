//! Managed policies attached to users and roles.

use rushlight_api::Error;
use rushlight_api::iam::types::*;

use super::change::{Kept, no_such, quota};
use super::page::{Page, page};
use super::{Answer, Iam};
use crate::RequestContext;
use crate::iam::entity::{Entity, Role as RoleRow, User as UserRow};

/// How many managed policies may be attached to a user or a role.
const LIMIT: usize = 10;

/// The condition key that tells the policy in a request.
const POLICY_ARN: &str = "iam:PolicyARN";

pub(super) async fn attach_user(
    iam: &Iam,
    context: &RequestContext,
    input: AttachUserPolicyRequest,
) -> Answer<()> {
    attach::<UserRow>(iam, context, "iam:AttachUserPolicy", &input.user_name, &input.policy_arn).await
}

pub(super) async fn attach_role(
    iam: &Iam,
    context: &RequestContext,
    input: AttachRolePolicyRequest,
) -> Answer<()> {
    attach::<RoleRow>(iam, context, "iam:AttachRolePolicy", &input.role_name, &input.policy_arn).await
}

pub(super) async fn detach_user(
    iam: &Iam,
    context: &RequestContext,
    input: DetachUserPolicyRequest,
) -> Answer<()> {
    detach::<UserRow>(iam, context, "iam:DetachUserPolicy", &input.user_name, &input.policy_arn).await
}

pub(super) async fn detach_role(
    iam: &Iam,
    context: &RequestContext,
    input: DetachRolePolicyRequest,
) -> Answer<()> {
    detach::<RoleRow>(iam, context, "iam:DetachRolePolicy", &input.role_name, &input.policy_arn).await
}

pub(super) fn list_user(
    iam: &Iam,
    context: &RequestContext,
    input: ListAttachedUserPoliciesRequest,
) -> Answer<ListAttachedUserPoliciesResponse> {
    let action = "iam:ListAttachedUserPolicies";
    let (marker, prefix) = (input.marker.as_deref(), input.path_prefix.as_deref());
    let Page { items, is_truncated, marker } =
        list::<UserRow>(iam, context, action, &input.user_name, prefix, marker, input.max_items)?;
    Ok(ListAttachedUserPoliciesResponse { attached_policies: Some(items), is_truncated, marker })
}

pub(super) fn list_role(
    iam: &Iam,
    context: &RequestContext,
    input: ListAttachedRolePoliciesRequest,
) -> Answer<ListAttachedRolePoliciesResponse> {
    let action = "iam:ListAttachedRolePolicies";
    let (marker, prefix) = (input.marker.as_deref(), input.path_prefix.as_deref());
    let Page { items, is_truncated, marker } =
        list::<RoleRow>(iam, context, action, &input.role_name, prefix, marker, input.max_items)?;
    Ok(ListAttachedRolePoliciesResponse { attached_policies: Some(items), is_truncated, marker })
}

async fn attach<T: Kept + Entity>(
    iam: &Iam,
    context: &RequestContext,
    action: &str,
    name: &str,
    policy: &str,
) -> Answer<()> {
    allow::<T>(iam, context, action, name, policy)?;
    check_arn(policy)?;
    let change = iam.directory.change().await;
    if iam.directory.managed_document(policy).is_none() {
        return Err(no_such(format!("Policy {policy} does not exist or is not attachable.")));
    }
    let attach = |entity: &mut T| {
        let attached = &mut entity.attachments_mut().managed;
        if attached.iter().any(|present| present == policy) {
            return Ok(());
        }
        if attached.len() >= LIMIT {
            return Err(quota(T::ATTACHED_QUOTA, LIMIT));
        }
        attached.push(policy.to_owned());
        Ok(())
    };
    let row = change.update::<T>(&context.scope.account, name, attach).await?;
    tracing::info!(to = row.arn(), policy, caller = context.caller.principal.arn(), "iam.policy.attached");
    Ok(())
}

async fn detach<T: Kept + Entity>(
    iam: &Iam,
    context: &RequestContext,
    action: &str,
    name: &str,
    policy: &str,
) -> Answer<()> {
    allow::<T>(iam, context, action, name, policy)?;
    check_arn(policy)?;
    let change = iam.directory.change().await;
    let detach = |entity: &mut T| {
        let attached = &mut entity.attachments_mut().managed;
        let before = attached.len();
        attached.retain(|present| present != policy);
        let is_gone = attached.len() < before;
        if is_gone { Ok(()) } else { Err(no_such(format!("Policy {policy} was not found."))) }
    };
    let row = change.update::<T>(&context.scope.account, name, detach).await?;
    tracing::info!(from = row.arn(), policy, caller = context.caller.principal.arn(), "iam.policy.detached");
    Ok(())
}

fn list<T: Kept + Entity>(
    iam: &Iam,
    context: &RequestContext,
    action: &str,
    name: &str,
    prefix: Option<&str>,
    marker: Option<&str>,
    max_items: Option<i32>,
) -> Answer<Page<AttachedPolicy>> {
    let account = &context.scope.account;
    iam.allow(context, action, &iam.directory.arn_of::<T>(account, name))?;
    let row = iam.directory.existing::<T>(account, name)?;
    let mut arns = row.attachments().managed.clone();
    arns.retain(|arn| path_of(arn).starts_with(prefix.unwrap_or("/")));
    arns.sort_unstable();
    let Page { items, is_truncated, marker } = page(arns, String::clone, marker, max_items)?;
    let items = items.into_iter().map(|arn| AttachedPolicy {
        policy_name: arn.rsplit('/').next().map(str::to_owned),
        policy_arn: Some(arn),
    });
    Ok(Page { items: items.collect(), is_truncated, marker })
}

/// The path in a policy's ARN: what stands between `policy` and the name.
fn path_of(arn: &str) -> &str {
    let resource = arn.split_once(":policy").map_or("/", |(_, resource)| resource);
    resource.rfind('/').and_then(|end| resource.get(..=end)).unwrap_or("/")
}

fn allow<T: Kept + Entity>(
    iam: &Iam,
    context: &RequestContext,
    action: &str,
    name: &str,
    policy: &str,
) -> Answer<()> {
    let entity = iam.directory.arn_of::<T>(&context.scope.account, name);
    iam.allow_with(context, action, &entity, |conditions| {
        conditions.insert(POLICY_ARN, policy.to_owned());
    })
}

pub(super) fn check_arn(policy: &str) -> Answer<()> {
    if policy.starts_with("arn:") {
        return Ok(());
    }
    let message = format!("ARN {policy} is not valid.");
    Err(Error { code: "ValidationError".into(), ..Error::validation(message) })
}
