//! Which function a request means.

use std::sync::Arc;

use rushlight_model::arn::{FunctionId, FunctionReference};
use rushlight_model::event_source_mapping::{EventSourceMapping, MappedFunction, Settings};
use rushlight_model::function::FunctionHead;

use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};

/// The function as the caller named it.
pub(super) fn mapped(reference: &FunctionReference) -> MappedFunction {
    MappedFunction {
        name: reference.function.name.clone(),
        qualifier: reference.qualifier.as_ref().map(ToString::to_string),
    }
}

/// The function, which must exist with what its qualifier names.
pub(super) async fn find(
    control: &Control,
    context: &RequestContext,
    name: &str,
) -> Result<(MappedFunction, Arc<FunctionHead>)> {
    let reference = FunctionReference::parse(&context.scope, name, None)?;
    let entry = control.functions.get(&control.key(&reference.function)).await?;
    let head =
        entry.map(|entry| entry.value).filter(|head| head.version(reference.qualifier.as_ref()).is_some());
    let head = head.ok_or_else(|| Error::invalid("Function does not exist"))?;
    // Records of a source name no tenant.
    if head.latest.tenant_isolation {
        return Err(Error::invalid(
            "Event source mappings are not supported for functions with tenant isolation.",
        ));
    }
    Ok((mapped(&reference), head))
}

/// The function of a mapping, unless it was deleted.
pub(super) async fn current(
    control: &Control,
    mapping: &EventSourceMapping,
) -> Result<Option<Arc<FunctionHead>>> {
    let function = FunctionId { scope: mapping.scope.clone(), name: mapping.function.name.clone() };
    let entry = control.functions.get(&control.key(&function)).await?;
    Ok(entry.map(|entry| entry.value))
}

/// A mapping may not use more than what is reserved for its function.
pub(super) fn check_concurrency(head: &FunctionHead, settings: &Settings) -> Result<()> {
    match (settings.maximum_concurrency, head.reserved_concurrency) {
        (Some(maximum), Some(reserved)) if maximum > reserved => Err(Error::invalid(format!(
            "MaximumConcurrency: {maximum} is greater than Function Reserved Concurrency: {reserved}"
        ))),
        _ => Ok(()),
    }
}
