//! DeleteEventSourceMapping.

use rushlight_api::lambda::types::{DeleteEventSourceMappingRequest, DeleteEventSourceMappingResponse};
use rushlight_model::event_source_mapping::State;

use super::{key, state, view};
use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};

pub(crate) async fn delete(
    control: &Control,
    context: &RequestContext,
    input: DeleteEventSourceMappingRequest,
) -> Result<DeleteEventSourceMappingResponse> {
    let now = control.clock.now();
    let change = |present: Option<&_>| {
        let mapping = state::settled(present, "delete")?;
        Ok::<_, Error>(mapping.in_state(State::Deleting, now))
    };
    let entry = control.mappings.rows.update(&key(&context.scope, &input.uuid), change).await?;
    control.settle_mapping(&entry.value);
    tracing::info!(mapping = %entry.value.arn(), request = %context.request_id, "mapping.deleted");
    Ok(view::configuration(&entry.value))
}
