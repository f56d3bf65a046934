//! GetLayerVersion and GetLayerVersionByArn.

use rushlight_api::lambda::types::{
    GetLayerVersionByArnRequest, GetLayerVersionByArnResponse, GetLayerVersionRequest,
    GetLayerVersionResponse,
};
use rushlight_model::layer::LayerId;

use super::access::{self, not_there, number};
use super::view;
use crate::Control;
use crate::context::RequestContext;
use crate::error::Result;

pub(crate) async fn get(
    control: &Control,
    context: &RequestContext,
    input: GetLayerVersionRequest,
) -> Result<GetLayerVersionResponse> {
    let number = number(input.version_number)?;
    let layer = access::here(&context.scope, &input.layer_name)?;
    shown(control, context, &layer, number).await
}

pub(crate) async fn get_by_arn(
    control: &Control,
    context: &RequestContext,
    input: GetLayerVersionByArnRequest,
) -> Result<GetLayerVersionByArnResponse> {
    let Some((layer, Some(version))) = LayerId::parse(&input.arn) else {
        return Err(not_there());
    };
    // The pattern lets digits through only; what is too large a number names nothing.
    let number = number(version.parse().unwrap_or(i64::MAX))?;
    shown(control, context, &layer, number).await
}

async fn shown(
    control: &Control,
    context: &RequestContext,
    layer: &LayerId,
    number: u64,
) -> Result<GetLayerVersionResponse> {
    let version = access::find(control, &context.scope, layer, number).await?.ok_or_else(not_there)?;
    Ok(view::version(control, context, &version))
}
