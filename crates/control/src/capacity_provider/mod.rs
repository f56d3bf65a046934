//! Capacity providers: created, read, listed, updated, deleted.
//!
//! ```text
//!  CreateCapacityProvider                    DeleteCapacityProvider
//!       │                                           │ no function names it
//!       v                                           v
//!   Pending ──────────────> Active ─────────────> Deleting ──────────────> gone
//! ```
//! | file | what it holds |
//! |---|---|
//! | settings | what a request may say of a provider, and what a provider looks like from outside |
//! | state | what moves a provider on |
//! | versions | the versions of functions that run on a provider |
//!
//! A function's head names its provider; nothing is kept with the provider, see
//! [`code_signing_config`](crate::code_signing_config).

mod settings;
pub(crate) mod state;
pub(crate) mod versions;

use rushlight_api::lambda::types::{
    CreateCapacityProviderRequest, CreateCapacityProviderResponse, DeleteCapacityProviderRequest,
    DeleteCapacityProviderResponse, GetCapacityProviderRequest, GetCapacityProviderResponse,
    ListCapacityProvidersRequest, ListCapacityProvidersResponse, UpdateCapacityProviderRequest,
    UpdateCapacityProviderResponse,
};
use rushlight_model::arn::Scope;
use rushlight_model::capacity_provider::{
    CapacityProvider, CapacityProviderId, CapacityProviderState, Elsewhere,
};
use rushlight_store::Expect;
use rushlight_store::table::Entry;
use rushlight_store::table::capacity_provider::key;
use rushlight_store::table::function::scope;

use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::page::Page;
use crate::tags::Tags;

/// The most providers on one page.
const PAGE: usize = 50;
/// How many providers an account may have in a region.
const LIMIT: usize = 1000;
/// Longest bare name, in characters.
const NAME: usize = 64;

pub(crate) async fn create(
    control: &Control,
    context: &RequestContext,
    input: CreateCapacityProviderRequest,
) -> Result<CreateCapacityProviderResponse> {
    // What is not there yet cannot be missing: AWS lists no such error for this operation.
    let id = named(&context.scope, &input.capacity_provider_name).map_err(|refusal| match refusal {
        Error::ResourceNotFound(text) => Error::InvalidParameter(text),
        other => other,
    })?;
    if id.name.chars().count() > NAME {
        let constraint = format!("Member must have length less than or equal to {NAME}");
        return Err(Error::invalid(Error::constraint(&id.name, "capacityProviderName", &constraint)));
    }
    let provider = settings::new(id, input, control.clock.now())?;
    let (row, arn) = (row(&provider.id), provider.id.arn());
    // One creation at a time, or two could pass the limit together.
    let _alone = control.associations.write().await;
    let Scope { account, region } = &context.scope;
    let present = control.capacity_providers.list(&scope(account, region), None, LIMIT).await?;
    if present.iter().any(|(key, _)| *key == row) {
        return Err(Error::CapacityProviderExists { arn });
    }
    if present.len() >= LIMIT {
        return Err(Error::CapacityProviderLimit);
    }
    let entry = match control.capacity_providers.put(&row, provider, Expect::Absent).await {
        Err(error) if error.is_conflict() => return Err(Error::CapacityProviderExists { arn }),
        result => result?,
    };
    control.settle_capacity_provider(&entry.value.id);
    tracing::info!(provider = %arn, request = %context.request_id, "capacity_provider.created");
    Ok(CreateCapacityProviderResponse { capacity_provider: settings::view(&entry.value) })
}

pub(crate) async fn get(
    control: &Control,
    context: &RequestContext,
    input: GetCapacityProviderRequest,
) -> Result<GetCapacityProviderResponse> {
    let id = named(&context.scope, &input.capacity_provider_name)?;
    let entry = existing(control, &id).await?;
    Ok(GetCapacityProviderResponse { capacity_provider: settings::view(&entry.value) })
}

/// With a state, pages are filled with what is in that state; there are few enough providers to look through.
pub(crate) async fn list(
    control: &Control,
    context: &RequestContext,
    input: ListCapacityProvidersRequest,
) -> Result<ListCapacityProvidersResponse> {
    let Scope { account, region } = &context.scope;
    let page =
        Page::read(&context.scope, "capacity-providers", input.marker.as_deref(), input.max_items, PAGE)?;
    let after = page.after.as_deref().map(|name| key(account, region, name));
    let fetched = if input.state.is_some() { LIMIT } else { page.look_ahead() };
    let mut rows =
        control.capacity_providers.list(&scope(account, region), after.as_deref(), fetched).await?;
    if let Some(state) = &input.state {
        rows.retain(|(_, entry)| entry.value.state.as_str() == state.as_str());
    }
    let (rows, next_marker) = page.cut(rows, |(_, entry)| entry.value.id.name.as_str());
    let capacity_providers = rows.iter().map(|(_, entry)| settings::view(&entry.value)).collect();
    Ok(ListCapacityProvidersResponse { capacity_providers, next_marker })
}

pub(crate) async fn update(
    control: &Control,
    context: &RequestContext,
    input: UpdateCapacityProviderRequest,
) -> Result<UpdateCapacityProviderResponse> {
    let id = named(&context.scope, &input.capacity_provider_name)?;
    let now = control.clock.now();
    let entry = change(control, &id, |provider| {
        check_active(provider)?;
        provider.last_modified = now;
        settings::update(provider, &input)
    })
    .await?;
    tracing::info!(provider = %id.arn(), request = %context.request_id, "capacity_provider.updated");
    Ok(UpdateCapacityProviderResponse { capacity_provider: settings::view(&entry.value) })
}

pub(crate) async fn delete(
    control: &Control,
    context: &RequestContext,
    input: DeleteCapacityProviderRequest,
) -> Result<DeleteCapacityProviderResponse> {
    let id = named(&context.scope, &input.capacity_provider_name)?;
    let arn = id.arn();
    let _alone = control.associations.write().await;
    existing(control, &id).await?;
    let functions = control.ledger.count_users(&arn).await?;
    if functions > 0 {
        return Err(Error::CapacityProviderInUse { arn, functions });
    }
    let entry = change(control, &id, |provider| {
        check_active(provider)?;
        provider.state = CapacityProviderState::Deleting;
        Ok(())
    })
    .await?;
    control.settle_capacity_provider(&id);
    tracing::info!(provider = %arn, request = %context.request_id, "capacity_provider.deleted");
    Ok(DeleteCapacityProviderResponse { capacity_provider: settings::view(&entry.value) })
}

/// Changes the tags of a provider.
pub(crate) async fn change_tags(
    control: &Control,
    id: &CapacityProviderId,
    alter: impl Fn(&mut Tags) -> Result<()>,
) -> Result<()> {
    change(control, id, |provider| alter(&mut provider.tags)).await.map(drop)
}

/// The provider that a name or an ARN means.
pub(crate) fn named(here: &Scope, text: &str) -> Result<CapacityProviderId> {
    CapacityProviderId::parse(here, text).map_err(|elsewhere| match elsewhere {
        Elsewhere::Account => Error::OtherAccount,
        Elsewhere::Region => missing(text),
    })
}

pub(crate) async fn existing(control: &Control, id: &CapacityProviderId) -> Result<Entry<CapacityProvider>> {
    find(control, id).await?.ok_or_else(|| missing(&id.arn()))
}

pub(crate) async fn find(
    control: &Control,
    id: &CapacityProviderId,
) -> Result<Option<Entry<CapacityProvider>>> {
    Ok(control.capacity_providers.get(&row(id)).await?)
}

async fn change(
    control: &Control,
    id: &CapacityProviderId,
    alter: impl Fn(&mut CapacityProvider) -> Result<()>,
) -> Result<Entry<CapacityProvider>> {
    let changed = control
        .capacity_providers
        .update(&row(id), |present| {
            let mut provider = present.ok_or_else(|| missing(&id.arn()))?.value.as_ref().clone();
            alter(&mut provider)?;
            Ok::<_, Error>(provider)
        })
        .await?;
    Ok(changed)
}

fn check_active(provider: &CapacityProvider) -> Result<()> {
    match provider.state {
        CapacityProviderState::Active => Ok(()),
        state => Err(Error::UnfitCapacityProvider { arn: provider.id.arn(), state: state.as_str() }),
    }
}

fn missing(arn: &str) -> Error {
    Error::ResourceNotFound(format!("Capacity provider not found: {arn}"))
}

fn row(id: &CapacityProviderId) -> String {
    key(&id.scope.account, &id.scope.region, &id.name)
}
