//! Which layer a request means, and which policy it has. Whether the caller may use it has been decided before.

use std::sync::Arc;

use rushlight_model::arn::Scope;
use rushlight_model::layer::{LayerId, LayerVersion};
use rushlight_store::table::layer::version_key;

use super::policy;
use crate::Control;
use crate::error::{Error, Result};

/// Reads the `LayerName` of a request: a name, or the ARN of a layer, which may be of another account or region.
pub(crate) fn named(here: &Scope, text: &str) -> Result<LayerId> {
    if !text.starts_with("arn:") {
        return Ok(LayerId { scope: here.clone(), name: text.to_owned() });
    }
    match LayerId::parse(text) {
        Some((layer, None)) => Ok(layer),
        _ => Err(not_there()),
    }
}

/// The layer that `LayerName` means, if it is in the region of the request.
pub(super) fn here(here: &Scope, text: &str) -> Result<LayerId> {
    let layer = named(here, text)?;
    if layer.scope.region == here.region { Ok(layer) } else { Err(not_there()) }
}

/// The version, if it exists and is in the region of the request.
pub(crate) async fn find(
    control: &Control,
    here: &Scope,
    layer: &LayerId,
    number: u64,
) -> Result<Option<Arc<LayerVersion>>> {
    if layer.scope.region != here.region {
        return Ok(None);
    }
    let entry = control.layer_versions.get(&key(layer, number)).await?;
    Ok(entry.map(|entry| entry.value))
}

/// The document that lets other accounts use a version in the region of the request, if there is one.
pub(crate) async fn policy(
    control: &Control,
    here: &Scope,
    layer: &LayerId,
    number: u64,
) -> Result<Option<String>> {
    let version = find(control, here, layer, number).await?;
    Ok(version.and_then(|version| Some(policy::document(&version, &version.policy.as_ref()?.statements))))
}

/// The key of a version.
pub(super) fn key(layer: &LayerId, number: u64) -> String {
    version_key(&layer.scope.account, &layer.scope.region, &layer.name, number)
}

/// The number of a version as a request gives it.
pub(crate) fn number(given: i64) -> Result<u64> {
    u64::try_from(given)
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| Error::invalid("Layer Version Cannot be less than 1"))
}

/// The answer to a request for a layer that does not exist.
pub(super) fn not_there() -> Error {
    Error::ResourceNotFound("The resource you requested does not exist.".into())
}
