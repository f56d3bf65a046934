//! Versions of managed policies.

use std::sync::Arc;

use rushlight_api::iam::errors;
use rushlight_api::iam::types::*;

use super::{Found, find, own};
use crate::RequestContext;
use crate::iam::api::change::{no_such, shown};
use crate::iam::api::page::{Page, page};
use crate::iam::api::{Answer, Iam, document, percent_encoded};
use crate::iam::entity::{ManagedPolicy, Version};

/// How many versions a policy may have.
const LIMIT: usize = 5;

/// `v1`.
pub(super) fn id(number: u32) -> String {
    format!("v{number}")
}

pub(in crate::iam::api) async fn create(
    iam: &Iam,
    context: &RequestContext,
    input: CreatePolicyVersionRequest,
) -> Answer<CreatePolicyVersionResponse> {
    iam.allow(context, "iam:CreatePolicyVersion", &input.policy_arn)?;
    document::check_managed(&input.policy_document)?;
    let change = iam.directory.change().await;
    let mut policy = mutable(iam, context, &input.policy_arn)?
        .ok_or_else(|| no_such(format!("Policy {} was not found.", input.policy_arn)))?;
    if policy.versions.len() >= LIMIT {
        return Err(errors::limit_exceeded_exception(format!(
            "A managed policy can have up to {LIMIT} versions. Before you create a new version, you must delete an \
             existing version."
        )));
    }
    let now = iam.directory.clock.now();
    policy.last_version += 1;
    policy.updated = now;
    let number = policy.last_version;
    policy.versions.insert(number, Version { document: input.policy_document, created: now });
    if input.set_as_default == Some(true) {
        policy.default_version = number;
    }
    let policy = change.put(policy).await?;
    tracing::info!(
        policy = policy.arn(),
        version = number,
        caller = context.caller.principal.arn(),
        "iam.policy.version_created"
    );
    let shown = PolicyVersion {
        document: None,
        version_id: Some(id(number)),
        is_default_version: Some(policy.default_version == number),
        create_date: Some(shown(now)),
    };
    Ok(CreatePolicyVersionResponse { policy_version: Some(shown) })
}

pub(in crate::iam::api) async fn delete(
    iam: &Iam,
    context: &RequestContext,
    input: DeletePolicyVersionRequest,
) -> Answer<()> {
    iam.allow(context, "iam:DeletePolicyVersion", &input.policy_arn)?;
    let change = iam.directory.change().await;
    let missing = || no_such_version(&input.policy_arn, &input.version_id);
    let mut policy = mutable(iam, context, &input.policy_arn)?.ok_or_else(missing)?;
    let number = number(&policy, &input.version_id).ok_or_else(missing)?;
    if number == policy.default_version {
        return Err(errors::delete_conflict_exception("Cannot delete the default version of a policy."));
    }
    policy.versions.remove(&number);
    change.put(policy).await.map(drop)
}

pub(in crate::iam::api) async fn set_default(
    iam: &Iam,
    context: &RequestContext,
    input: SetDefaultPolicyVersionRequest,
) -> Answer<()> {
    iam.allow(context, "iam:SetDefaultPolicyVersion", &input.policy_arn)?;
    let change = iam.directory.change().await;
    let missing = || no_such_version(&input.policy_arn, &input.version_id);
    let mut policy = mutable(iam, context, &input.policy_arn)?.ok_or_else(missing)?;
    policy.default_version = number(&policy, &input.version_id).ok_or_else(missing)?;
    policy.updated = iam.directory.clock.now();
    tracing::info!(
        policy = policy.arn(),
        version = input.version_id,
        caller = context.caller.principal.arn(),
        "iam.policy.default_version_set"
    );
    change.put(policy).await.map(drop)
}

pub(in crate::iam::api) fn get(
    iam: &Iam,
    context: &RequestContext,
    input: GetPolicyVersionRequest,
) -> Answer<GetPolicyVersionResponse> {
    iam.allow(context, "iam:GetPolicyVersion", &input.policy_arn)?;
    let missing = || no_such_version(&input.policy_arn, &input.version_id);
    let version = match find(&iam.directory, &input.policy_arn).ok_or_else(missing)? {
        Found::Aws(policy) if policy.version_id == input.version_id => PolicyVersion {
            document: Some(percent_encoded(&policy.text)),
            version_id: Some(policy.version_id.clone()),
            is_default_version: Some(true),
            create_date: None,
        },
        Found::Aws(_) => return Err(missing()),
        Found::Customer(policy) => {
            let number = number(&policy, &input.version_id).ok_or_else(missing)?;
            view(&policy, number).ok_or_else(missing)?
        }
    };
    Ok(GetPolicyVersionResponse { policy_version: Some(version) })
}

/// The newest first, without their documents.
pub(in crate::iam::api) fn list(
    iam: &Iam,
    context: &RequestContext,
    input: ListPolicyVersionsRequest,
) -> Answer<ListPolicyVersionsResponse> {
    iam.allow(context, "iam:ListPolicyVersions", &input.policy_arn)?;
    let found = find(&iam.directory, &input.policy_arn)
        .ok_or_else(|| no_such(format!("Policy {} was not found.", input.policy_arn)))?;
    let versions: Vec<(u32, PolicyVersion)> = match found {
        Found::Aws(policy) => {
            let version_id = Some(policy.version_id.clone());
            vec![(
                1,
                PolicyVersion { version_id, is_default_version: Some(true), ..PolicyVersion::default() },
            )]
        }
        Found::Customer(policy) => {
            let numbers = policy.versions.keys().rev().copied();
            numbers.filter_map(|number| Some((number, view(&policy, number)?))).collect()
        }
    };
    // Pages go upwards by name: the newest has the smallest.
    let name = |(number, _): &(u32, PolicyVersion)| format!("{:010}", u32::MAX - number);
    let Page { items, is_truncated, marker } =
        page(versions, name, input.marker.as_deref(), input.max_items)?;
    let versions =
        items.into_iter().map(|(_, version)| PolicyVersion { document: None, ..version }).collect();
    Ok(ListPolicyVersionsResponse { versions: Some(versions), is_truncated, marker })
}

/// A copy of the customer's policy to be changed and put back.
fn mutable(iam: &Iam, context: &RequestContext, arn: &str) -> Answer<Option<ManagedPolicy>> {
    Ok(own(&iam.directory, context, arn)?.map(Arc::unwrap_or_clone))
}

fn number(policy: &ManagedPolicy, version_id: &str) -> Option<u32> {
    let number = version_id.strip_prefix('v')?.parse().ok()?;
    policy.versions.contains_key(&number).then_some(number)
}

fn view(policy: &ManagedPolicy, number: u32) -> Option<PolicyVersion> {
    let version = policy.versions.get(&number)?;
    Some(PolicyVersion {
        document: Some(percent_encoded(&version.document)),
        version_id: Some(id(number)),
        is_default_version: Some(policy.default_version == number),
        create_date: Some(shown(version.created)),
    })
}

fn no_such_version(arn: &str, version_id: &str) -> rushlight_api::Error {
    no_such(format!("Policy {arn} version {version_id} does not exist or is not attachable."))
}
