//! DeleteFunction.

use rushlight_api::lambda::types::{DeleteFunctionRequest, DeleteFunctionResponse};
use rushlight_model::arn::{FunctionReference, Qualifier};
use rushlight_store::Expect;

use crate::Control;
use crate::context::RequestContext;
use crate::dependencies::Retirement;
use crate::error::{Error, Result};

pub(crate) async fn delete(
    control: &Control,
    context: &RequestContext,
    input: DeleteFunctionRequest,
) -> Result<DeleteFunctionResponse> {
    let reference =
        FunctionReference::parse(&context.scope, &input.function_name, input.qualifier.as_deref())?;
    match &reference.qualifier {
        None => function(control, context, &reference).await?,
        Some(Qualifier::Latest) => {
            return Err(Error::invalid("$LATEST version cannot be deleted without deleting the function."));
        }
        Some(Qualifier::Alias(_)) => {
            return Err(Error::invalid("Deletion of aliases is not currently supported."));
        }
        Some(Qualifier::Version(number)) => version(control, context, &reference, *number).await?,
    }
    Ok(DeleteFunctionResponse::default())
}

/// Deletes the head; with it goes everything that it names. Of several callers at a time one succeeds.
async fn function(control: &Control, context: &RequestContext, reference: &FunctionReference) -> Result<()> {
    let key = control.key(&reference.function);
    let head = loop {
        let entry = control.functions.get(&key).await?;
        let entry = entry.ok_or_else(|| not_found(reference))?;
        match control.functions.delete(&key, Expect::Revision(entry.revision)).await {
            Err(error) if error.is_conflict() => {}
            result => {
                result?;
                break entry.value;
            }
        }
    };
    let retirement = Retirement::Deleted { incarnation: &head.incarnation };
    control.data_plane.retire(&head.id, retirement);
    if head.claimed_concurrency() > 0 {
        control.tell_claims(&context.scope).await?;
    }
    control.remove_rows(&head).await;
    for url in head.urls.values() {
        control.forget_url(&url.id).await;
    }
    tracing::info!(function = %reference.arn(), request = %context.request_id, "function.deleted");
    Ok(())
}

/// Deletes a version. One that is not there is no error, if the function is.
async fn version(
    control: &Control,
    context: &RequestContext,
    reference: &FunctionReference,
    number: u64,
) -> Result<()> {
    let (mut row, mut provisioned) = (None, false);
    let entry = control
        .functions
        .update(&control.key(&reference.function), |present| {
            let head = &*present.ok_or_else(|| not_found(reference))?.value;
            row = head.versions.get(&number).map(|version| version.row.clone());
            provisioned = head.provisioned.contains_key(&number.to_string());
            Control::without_version(head, number)
        })
        .await?;
    let Some(row) = row else { return Ok(()) };
    let head = &entry.value;
    let retirement = Retirement::VersionDeleted { incarnation: &head.incarnation, version: number };
    control.data_plane.retire(&head.id, retirement);
    if provisioned {
        control.tell_claims(&context.scope).await?;
    }
    control.remove_row(&head.id, &row).await;
    tracing::info!(function = %reference.arn(), request = %context.request_id, "version.deleted");
    Ok(())
}

/// Names the function without qualifier, as AWS does here.
fn not_found(reference: &FunctionReference) -> Error {
    Error::FunctionNotFound { arn: reference.function.arn() }
}
