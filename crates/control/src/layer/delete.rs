//! DeleteLayerVersion.

use rushlight_api::lambda::types::DeleteLayerVersionRequest;
use rushlight_store::Expect;

use super::access::{Addressed, key, number};
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
    let addressed = Addressed::by_name(context, &input.layer_name)?;
    let layer = addressed.own(context, "lambda:DeleteLayerVersion", Some(number))?;
    control.layer_versions.delete(&key(&layer, number), Expect::Any).await?;
    tracing::info!(layer = %layer.version_arn(number), request = %context.request_id, "layer.deleted");
    Ok(())
}
