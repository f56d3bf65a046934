//! Which function has which code signing configuration.

use rushlight_api::lambda::types::{
    DeleteFunctionCodeSigningConfigRequest, GetFunctionCodeSigningConfigRequest,
    GetFunctionCodeSigningConfigResponse, ListFunctionsByCodeSigningConfigRequest,
    ListFunctionsByCodeSigningConfigResponse, PutFunctionCodeSigningConfigRequest,
    PutFunctionCodeSigningConfigResponse,
};
use rushlight_model::arn::{FunctionId, FunctionReference};
use rushlight_model::function::{Code, FunctionHead};

use super::{PAGE, deployment, existing};
use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::function::name;
use crate::page::Page;

/// Code that the function already has is not looked at: a configuration speaks when code is deployed.
pub(crate) async fn put(
    control: &Control,
    context: &RequestContext,
    input: PutFunctionCodeSigningConfigRequest,
) -> Result<PutFunctionCodeSigningConfigResponse> {
    let reference = name::latest(&context.scope, &input.function_name)?;
    let arn = input.code_signing_config_arn;
    let _alone = control.associations.write().await;
    deployment::configured(control, &context.scope, &arn).await?;
    associate(control, &reference, Some(&arn)).await?;
    tracing::info!(function = %reference.arn(), config = %arn, request = %context.request_id,
        "code_signing_config.attached");
    Ok(PutFunctionCodeSigningConfigResponse {
        code_signing_config_arn: arn,
        function_name: reference.function.name,
    })
}

pub(crate) async fn get(
    control: &Control,
    context: &RequestContext,
    input: GetFunctionCodeSigningConfigRequest,
) -> Result<GetFunctionCodeSigningConfigResponse> {
    let reference = name::latest(&context.scope, &input.function_name)?;
    let entry = control.functions.get(&control.key(&reference.function)).await?;
    let entry = entry.ok_or_else(|| Error::FunctionNotFound { arn: reference.arn() })?;
    refuse_image(&entry.value)?;
    let arn = entry.value.code_signing_config_arn.clone();
    Ok(GetFunctionCodeSigningConfigResponse {
        function_name: arn.as_ref().map(|_| reference.function.name),
        code_signing_config_arn: arn,
    })
}

pub(crate) async fn delete(
    control: &Control,
    context: &RequestContext,
    input: DeleteFunctionCodeSigningConfigRequest,
) -> Result<()> {
    let reference = name::latest(&context.scope, &input.function_name)?;
    let _alone = control.associations.write().await;
    associate(control, &reference, None).await?;
    tracing::info!(function = %reference.arn(), request = %context.request_id, "code_signing_config.detached");
    Ok(())
}

pub(crate) async fn list(
    control: &Control,
    context: &RequestContext,
    input: ListFunctionsByCodeSigningConfigRequest,
) -> Result<ListFunctionsByCodeSigningConfigResponse> {
    let arn = &input.code_signing_config_arn;
    existing(control, &context.scope, arn).await?;
    let page = Page::read(&context.scope, arn, input.marker.as_deref(), input.max_items, PAGE)?;
    let names = control.ledger.users(arn, page.after.as_deref(), page.look_ahead()).await?;
    let (names, next_marker) = page.cut(names, String::as_str);
    let arns = names.into_iter().map(|name| FunctionId { scope: context.scope.clone(), name }.arn());
    Ok(ListFunctionsByCodeSigningConfigResponse { function_arns: Some(arns.collect()), next_marker })
}

async fn associate(control: &Control, reference: &FunctionReference, arn: Option<&str>) -> Result<()> {
    control
        .functions
        .update(&control.key(&reference.function), |present| {
            let entry = present.ok_or_else(|| Error::FunctionNotFound { arn: reference.arn() })?;
            refuse_image(&entry.value)?;
            Ok::<_, Error>(FunctionHead {
                code_signing_config_arn: arn.map(str::to_owned),
                ..entry.value.as_ref().clone()
            })
        })
        .await?;
    Ok(())
}

fn refuse_image(head: &FunctionHead) -> Result<()> {
    match head.latest.code {
        Code::Zip { .. } => Ok(()),
        Code::Image { .. } => Err(Error::signed_image()),
    }
}
