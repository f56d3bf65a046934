//! GetEventSourceMapping.

use rushlight_api::lambda::types::{GetEventSourceMappingRequest, GetEventSourceMappingResponse};

use super::view;
use crate::Control;
use crate::context::RequestContext;
use crate::error::Result;

pub(crate) async fn get(
    control: &Control,
    context: &RequestContext,
    input: GetEventSourceMappingRequest,
) -> Result<GetEventSourceMappingResponse> {
    let entry = control.mappings.get(&context.scope, &input.uuid).await?;
    Ok(view::configuration(&entry.value))
}
