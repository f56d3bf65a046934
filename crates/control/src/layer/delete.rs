//! DeleteLayerVersion.

use rushlight_api::lambda::types::DeleteLayerVersionRequest;
use rushlight_store::Expect;

use super::access::{self, key, number};
use crate::Control;
use crate::context::RequestContext;
use crate::error::Result;

/// Deletes a version with its policy. Deleting what is not there succeeds.
pub(crate) async fn delete(
    control: &Control,
    context: &RequestContext,
    input: DeleteLayerVersionRequest,
) -> Result<()> {
    let number = number(input.version_number)?;
    let layer = access::here(&context.scope, &input.layer_name)?;
    control.layer_versions.delete(&key(&layer, number), Expect::Any).await?;
    tracing::info!(layer = %layer.version_arn(number), request = %context.request_id, "layer.deleted");
    Ok(())
}
