//! Access keys of users.

use rushlight_api::iam::types::*;
use rushlight_auth::AccessKey as Generated;

use super::change::{quota, shown};
use super::page::{Page, page};
use super::user::{meant, no_such_key};
use super::{Answer, Iam};
use crate::RequestContext;
use crate::iam::entity::{Key, User as Row};

/// How many keys a user may have.
const LIMIT: usize = 2;

/// A new key, or why the operating system gives none.
pub(super) fn generate(iam: &Iam) -> Answer<Key> {
    let generated = Generated::generate().map_err(|error| {
        tracing::error!(%error, "iam.randomness.failed");
        rushlight_api::iam::errors::service_failure_exception("The request cannot be processed.")
    })?;
    Ok(Key {
        id: generated.access_key_id,
        secret: generated.secret_access_key,
        is_active: true,
        created: iam.directory.clock.now(),
    })
}

pub(super) async fn create(
    iam: &Iam,
    context: &RequestContext,
    input: CreateAccessKeyRequest,
) -> Answer<CreateAccessKeyResponse> {
    let name = allowed(iam, context, "iam:CreateAccessKey", input.user_name.as_deref())?;
    let key = generate(iam)?;
    let change = iam.directory.change().await;
    let user = change
        .update::<Row>(&context.scope.account, name, |user| {
            if user.keys.len() >= LIMIT {
                return Err(quota("AccessKeysPerUser", LIMIT));
            }
            user.keys.push(key.clone());
            Ok(())
        })
        .await?;
    iam.directory.know_keys(&user);
    tracing::info!(
        user = name,
        key = key.id,
        caller = context.caller.principal.arn(),
        "iam.access_key.created"
    );
    let access_key = AccessKey {
        user_name: user.name.clone(),
        access_key_id: key.id,
        status: StatusType::Active,
        secret_access_key: key.secret.expose().to_owned(),
        create_date: Some(shown(key.created)),
    };
    Ok(CreateAccessKeyResponse { access_key })
}

pub(super) async fn update(iam: &Iam, context: &RequestContext, input: UpdateAccessKeyRequest) -> Answer<()> {
    let name = allowed(iam, context, "iam:UpdateAccessKey", input.user_name.as_deref())?;
    let change = iam.directory.change().await;
    let user = change
        .update::<Row>(&context.scope.account, name, |user| {
            let key = user.keys.iter_mut().find(|key| key.id == input.access_key_id);
            key.ok_or_else(|| no_such_key(&input.access_key_id))?.is_active =
                input.status == StatusType::Active;
            Ok(())
        })
        .await?;
    iam.directory.know_keys(&user);
    tracing::info!(
        user = name,
        key = input.access_key_id,
        status = input.status.as_str(),
        "iam.access_key.updated"
    );
    Ok(())
}

pub(super) async fn delete(iam: &Iam, context: &RequestContext, input: DeleteAccessKeyRequest) -> Answer<()> {
    let name = allowed(iam, context, "iam:DeleteAccessKey", input.user_name.as_deref())?;
    let change = iam.directory.change().await;
    change
        .update::<Row>(&context.scope.account, name, |user| {
            let before = user.keys.len();
            user.keys.retain(|key| key.id != input.access_key_id);
            if user.keys.len() == before { Err(no_such_key(&input.access_key_id)) } else { Ok(()) }
        })
        .await?;
    iam.directory.forget_key(&input.access_key_id);
    tracing::info!(user = name, key = input.access_key_id, "iam.access_key.deleted");
    Ok(())
}

pub(super) fn list(
    iam: &Iam,
    context: &RequestContext,
    input: ListAccessKeysRequest,
) -> Answer<ListAccessKeysResponse> {
    let name = allowed(iam, context, "iam:ListAccessKeys", input.user_name.as_deref())?;
    let user = iam.directory.existing::<Row>(&context.scope.account, name)?;
    let mut keys = user.keys.clone();
    keys.sort_by(|one, other| one.id.cmp(&other.id));
    let Page { items, is_truncated, marker } =
        page(keys, |key| key.id.clone(), input.marker.as_deref(), input.max_items)?;
    let shown = |key: Key| AccessKeyMetadata {
        user_name: Some(user.name.clone()),
        access_key_id: Some(key.id),
        status: Some(if key.is_active { StatusType::Active } else { StatusType::Inactive }),
        create_date: Some(shown(key.created)),
    };
    Ok(ListAccessKeysResponse {
        access_key_metadata: items.into_iter().map(shown).collect(),
        is_truncated,
        marker,
    })
}

/// The name of the user whose keys the caller may work on.
fn allowed<'a>(
    iam: &Iam,
    context: &'a RequestContext,
    action: &str,
    given: Option<&'a str>,
) -> Answer<&'a str> {
    let name = meant(context, given)?;
    iam.allow(context, action, &iam.directory.arn_of::<Row>(&context.scope.account, name))?;
    Ok(name)
}
