//! Which layer a request means, and whether the caller may use it.
//!
//! | the layer is | of the caller's account | of another account |
//! |---|---|---|
//! | in this region | the caller's | to be got, if the version's policy says so |
//! | in another region | not there | denied, as is everything that no policy allows |

use std::sync::Arc;

use rushlight_model::layer::{LayerId, LayerVersion};
use rushlight_store::table::layer::version_key;

use super::policy;
use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};

/// What layer policies allow.
pub(super) const GET: &str = "lambda:GetLayerVersion";

/// A layer as a request names it.
pub(crate) struct Addressed {
    pub(crate) layer: LayerId,
}

impl Addressed {
    /// Reads the `LayerName` of a request: a name, or the ARN of a layer.
    pub(super) fn by_name(context: &RequestContext, text: &str) -> Result<Self> {
        if !text.starts_with("arn:") {
            return Ok(Self { layer: LayerId { scope: context.scope.clone(), name: text.to_owned() } });
        }
        match LayerId::parse(text) {
            Some((layer, None)) => Ok(Self { layer }),
            _ => Err(not_there()),
        }
    }

    /// Whether it belongs to the caller's account.
    pub(crate) fn is_own(&self, context: &RequestContext) -> bool {
        self.layer.scope.account == context.scope.account
    }

    /// Whether it is in the region of the request.
    pub(crate) fn is_here(&self, context: &RequestContext) -> bool {
        self.layer.scope.region == context.scope.region
    }

    /// The layer, for an operation that no policy opens to other accounts.
    pub(super) fn own(self, context: &RequestContext, action: &str, version: Option<u64>) -> Result<LayerId> {
        if !self.is_own(context) {
            let resource = version.map_or_else(|| self.layer.arn(), |number| self.layer.version_arn(number));
            return Err(denied(context, action, &resource));
        }
        if self.is_here(context) { Ok(self.layer) } else { Err(not_there()) }
    }

    /// The version, for whoever may get it. `None` if it is the caller's and does not exist: of other accounts'
    /// layers it is not told which exist.
    pub(crate) async fn version(
        &self,
        control: &Control,
        context: &RequestContext,
        number: u64,
    ) -> Result<Option<Arc<LayerVersion>>> {
        let found = match self.is_here(context) {
            true => find(control, &self.layer, number).await?,
            false => None,
        };
        if self.is_own(context) {
            return Ok(found);
        }
        let caller = policy::Caller { account: &context.scope.account, organization_id: None };
        match found.filter(|version| policy::allows(version.policy.as_ref(), &caller)) {
            Some(version) => Ok(Some(version)),
            None => Err(denied(context, GET, &self.layer.version_arn(number))),
        }
    }
}

/// The version, if it exists.
pub(super) async fn find(
    control: &Control,
    layer: &LayerId,
    number: u64,
) -> Result<Option<Arc<LayerVersion>>> {
    let entry = control.layer_versions.get(&key(layer, number)).await?;
    Ok(entry.map(|entry| entry.value))
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

/// The answer where a policy would have to allow it.
fn denied(context: &RequestContext, action: &str, resource: &str) -> Error {
    Error::AccessDenied(format!(
        "User: {} is not authorized to perform: {action} on resource: {resource} because no resource-based policy \
         allows the {action} action",
        context.principal
    ))
}
