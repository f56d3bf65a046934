//! Managed policies: the customer's, and AWS' to be read and attached.

pub(super) mod version;

use std::sync::Arc;

use rushlight_api::Error;
use rushlight_api::iam::errors;
use rushlight_api::iam::types::*;

use super::change::{new_id, no_such, shown};
use super::page::{Page, page};
use super::user::ROOT;
use super::{Answer, Iam, document, tag};
use crate::RequestContext;
use crate::iam::directory::Directory;
use crate::iam::entity::{Attachments, Entity, ManagedPolicy, Version, arn};
use crate::iam::managed::{self, AwsManagedPolicy};

/// A managed policy of either kind.
enum Found {
    Aws(&'static AwsManagedPolicy),
    Customer(Arc<ManagedPolicy>),
}

impl Found {
    fn arn(&self) -> String {
        match self {
            Self::Aws(policy) => policy.arn(),
            Self::Customer(policy) => policy.arn(),
        }
    }

    fn path(&self) -> &str {
        match self {
            Self::Aws(policy) => &policy.path,
            Self::Customer(policy) => &policy.path,
        }
    }
}

fn find(directory: &Directory, arn: &str) -> Option<Found> {
    let aws = managed::find(arn).map(Found::Aws);
    aws.or_else(|| directory.managed_policy(arn).map(Found::Customer))
}

pub(super) async fn create(
    iam: &Iam,
    context: &RequestContext,
    input: CreatePolicyRequest,
) -> Answer<CreatePolicyResponse> {
    let account = &context.scope.account;
    let path = input.path.unwrap_or_else(|| ROOT.to_owned());
    let tags = tag::of_new_policy(input.tags.as_deref())?;
    let resource = arn(account, "policy", &path, &input.policy_name);
    iam.allow_with(context, "iam:CreatePolicy", &resource, |conditions| tag::describe(&tags, conditions))?;
    document::check_managed(&input.policy_document)?;
    let change = iam.directory.change().await;
    if iam.directory.policies.get(account, &input.policy_name).is_some() {
        let message =
            format!("A policy called {} already exists. Duplicate names are not allowed.", input.policy_name);
        return Err(errors::entity_already_exists_exception(message));
    }
    let now = iam.directory.clock.now();
    let row = ManagedPolicy {
        account: account.clone(),
        path,
        name: input.policy_name,
        id: new_id("ANPA")?,
        description: input.description.filter(|text| !text.is_empty()),
        created: now,
        updated: now,
        default_version: 1,
        last_version: 1,
        versions: [(1, Version { document: input.policy_document, created: now })].into(),
        tags,
    };
    let row = change.put(row).await?;
    tracing::info!(policy = row.arn(), caller = context.caller.principal.arn(), "iam.policy.created");
    let view = view(iam, account, &Found::Customer(row));
    Ok(CreatePolicyResponse { policy: Some(Policy { description: None, ..view }) })
}

pub(super) fn get(iam: &Iam, context: &RequestContext, input: GetPolicyRequest) -> Answer<GetPolicyResponse> {
    iam.allow(context, "iam:GetPolicy", &input.policy_arn)?;
    let found = find(&iam.directory, &input.policy_arn)
        .ok_or_else(|| no_such(format!("Policy {} was not found.", input.policy_arn)))?;
    let view = view(iam, &context.scope.account, &found);
    let tags = Some(view.tags.unwrap_or_default());
    Ok(GetPolicyResponse { policy: Some(Policy { tags, ..view }) })
}

pub(super) fn list(
    iam: &Iam,
    context: &RequestContext,
    input: ListPoliciesRequest,
) -> Answer<ListPoliciesResponse> {
    let account = &context.scope.account;
    iam.allow(context, "iam:ListPolicies", &arn(account, "policy", ROOT, ""))?;
    let (wants_aws, wants_local) = match input.scope {
        Some(PolicyScopeType::Aws) => (true, false),
        Some(PolicyScopeType::Local) => (false, true),
        _ => (true, true),
    };
    let local = iam.directory.policies.of_account(account).into_iter().map(Found::Customer);
    let mut found: Vec<(String, Found)> = managed::all()
        .map(Found::Aws)
        .filter(|_| wants_aws)
        .chain(local.filter(|_| wants_local))
        .filter(|found| found.path().starts_with(input.path_prefix.as_deref().unwrap_or(ROOT)))
        .map(|found| (found.arn(), found))
        .filter(|(arn, _)| {
            input.only_attached != Some(true) || uses(&iam.directory, account, arn).attached > 0
        })
        .collect();
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    let Page { items, is_truncated, marker } =
        page(found, |(arn, _)| arn.clone(), input.marker.as_deref(), input.max_items)?;
    let listed =
        items.iter().map(|(_, found)| Policy { description: None, tags: None, ..view(iam, account, found) });
    Ok(ListPoliciesResponse { policies: Some(listed.collect()), is_truncated, marker })
}

pub(super) async fn delete(iam: &Iam, context: &RequestContext, input: DeletePolicyRequest) -> Answer<()> {
    iam.allow(context, "iam:DeletePolicy", &input.policy_arn)?;
    let change = iam.directory.change().await;
    let row = own(&iam.directory, context, &input.policy_arn)?
        .ok_or_else(|| no_such(format!("Policy {} was not found.", input.policy_arn)))?;
    let uses = uses(&iam.directory, &context.scope.account, &input.policy_arn);
    if uses.attached + uses.boundaries > 0 {
        return Err(errors::delete_conflict_exception("Cannot delete a policy attached to entities."));
    }
    if row.versions.len() > 1 {
        return Err(errors::delete_conflict_exception(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. \
             The default version is deleted with the policy.",
        ));
    }
    change.remove(&*row).await?;
    tracing::info!(policy = row.arn(), caller = context.caller.principal.arn(), "iam.policy.deleted");
    Ok(())
}

/// The customer's policy that is to be changed. AWS' policies belong to nobody here, and those of other accounts are
/// not there.
fn own(directory: &Directory, context: &RequestContext, arn: &str) -> Answer<Option<Arc<ManagedPolicy>>> {
    if managed::find(arn).is_some() {
        let message = format!("Policy {arn} is managed by AWS and cannot be changed.");
        return Err(Error::access_denied(Some(message)));
    }
    Ok(directory.managed_policy(arn).filter(|policy| policy.account == context.scope.account))
}

/// How often a policy is used.
struct Uses {
    attached: usize,
    boundaries: usize,
}

fn uses(directory: &Directory, account: &str, arn: &str) -> Uses {
    let (users, roles) = (directory.users.of_account(account), directory.roles.of_account(account));
    let of_users = users.iter().map(|user| user.attachments());
    let all: Vec<&Attachments> = of_users.chain(roles.iter().map(|role| role.attachments())).collect();
    let attached = |one: &&&Attachments| one.managed.iter().any(|managed| managed == arn);
    let bounded = |one: &&&Attachments| one.boundary.as_deref() == Some(arn);
    Uses { attached: all.iter().filter(attached).count(), boundaries: all.iter().filter(bounded).count() }
}

fn view(iam: &Iam, account: &str, found: &Found) -> Policy {
    let arn = found.arn();
    let Uses { attached, boundaries } = uses(&iam.directory, account, &arn);
    let count = |number: usize| Some(i32::try_from(number).unwrap_or(i32::MAX));
    let common = Policy {
        arn: Some(arn),
        path: Some(found.path().to_owned()),
        attachment_count: count(attached),
        permissions_boundary_usage_count: count(boundaries),
        is_attachable: Some(true),
        ..Policy::default()
    };
    match found {
        Found::Aws(policy) => Policy {
            policy_name: Some(policy.name.to_owned()),
            default_version_id: Some(policy.version_id.clone()),
            description: Some(policy.description.clone()),
            ..common
        },
        Found::Customer(policy) => Policy {
            policy_name: Some(policy.name.clone()),
            policy_id: Some(policy.id.clone()),
            default_version_id: Some(version::id(policy.default_version)),
            description: policy.description.clone(),
            create_date: Some(shown(policy.created)),
            update_date: Some(shown(policy.updated)),
            tags: tag::view_if_any(&policy.tags),
            ..common
        },
    }
}
