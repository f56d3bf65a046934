//! The versions of functions that run on a capacity provider: listed, and counted against the limit.

use rushlight_api::lambda::types::{
    FunctionVersionsByCapacityProviderListItem, ListFunctionVersionsByCapacityProviderRequest,
    ListFunctionVersionsByCapacityProviderResponse,
};
use rushlight_model::arn::{FunctionId, Qualifier};
use tokio::sync::OwnedMutexGuard;

use super::{existing, named};
use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::page::Page;
use crate::users;

/// The most versions on one page.
const PAGE: usize = 50;
/// How many versions may run on one provider.
const LIMIT: usize = 100;

/// By name of the function and number of the version. `$LATEST` never runs on a provider.
pub(crate) async fn list(
    control: &Control,
    context: &RequestContext,
    input: ListFunctionVersionsByCapacityProviderRequest,
) -> Result<ListFunctionVersionsByCapacityProviderResponse> {
    let id = named(&context.scope, &input.capacity_provider_name)?;
    existing(control, &id).await?;
    let arn = id.arn();
    let page = Page::read(&context.scope, &arn, input.marker.as_deref(), input.max_items, PAGE)?;
    let (after, limit) = (page.after.as_deref(), page.look_ahead());
    let versions = control.ledger.users(&users::of_versions(&arn), after, limit).await?;
    let (versions, next_marker) = page.cut(versions, String::as_str);
    let mut function_versions = Vec::new();
    for version in versions {
        let Some((name, number)) = users::split_version(&version) else { continue };
        let function = FunctionId { scope: context.scope.clone(), name: name.to_owned() };
        let head = control.functions.get(&control.key(&function)).await?;
        // What was deleted meanwhile is left out.
        if let Some(published) = head.as_ref().and_then(|head| head.value.versions.get(&number)) {
            function_versions.push(FunctionVersionsByCapacityProviderListItem {
                function_arn: function.qualified_arn(&Qualifier::Version(number)),
                state: published.state.as_str().into(),
            });
        }
    }
    Ok(ListFunctionVersionsByCapacityProviderResponse {
        capacity_provider_arn: arn,
        function_versions,
        next_marker,
    })
}

/// Refuses one more version on the provider if it has as many as it may. Nobody else publishes one until the guard is
/// dropped.
pub(crate) async fn make_room(control: &Control, arn: &str) -> Result<OwnedMutexGuard<()>> {
    let alone = control.publishing.clone().lock_owned().await;
    if control.ledger.count_users(&users::of_versions(arn)).await? >= LIMIT {
        return Err(Error::CapacityProviderFull);
    }
    Ok(alone)
}
