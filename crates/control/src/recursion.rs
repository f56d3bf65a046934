//! PutFunctionRecursionConfig and GetFunctionRecursionConfig.

use rushlight_api::lambda::types;
use rushlight_api::lambda::types::{
    GetFunctionRecursionConfigRequest, GetFunctionRecursionConfigResponse, PutFunctionRecursionConfigRequest,
    PutFunctionRecursionConfigResponse,
};
use rushlight_model::function::FunctionHead;
use rushlight_model::recursion::RecursiveLoop;

use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::function::name;

pub(crate) async fn put(
    control: &Control,
    context: &RequestContext,
    input: PutFunctionRecursionConfigRequest,
) -> Result<PutFunctionRecursionConfigResponse> {
    let reference = name::latest(&context.scope, &input.function_name)?;
    let recursive_loop = match input.recursive_loop {
        types::RecursiveLoop::Allow => RecursiveLoop::Allow,
        _ => RecursiveLoop::Terminate,
    };
    control
        .functions
        .update(&control.key(&reference.function), |present| {
            let entry = present.ok_or_else(|| Error::FunctionNotFound { arn: reference.arn() })?;
            Ok::<_, Error>(FunctionHead { recursive_loop, ..entry.value.as_ref().clone() })
        })
        .await?;
    tracing::info!(function = %reference.arn(), recursive_loop = recursive_loop.as_str(),
        request = %context.request_id, "recursion.set");
    Ok(PutFunctionRecursionConfigResponse { recursive_loop: Some(recursive_loop.as_str().into()) })
}

pub(crate) async fn get(
    control: &Control,
    context: &RequestContext,
    input: GetFunctionRecursionConfigRequest,
) -> Result<GetFunctionRecursionConfigResponse> {
    let reference = name::latest(&context.scope, &input.function_name)?;
    let entry = control.functions.get(&control.key(&reference.function)).await?;
    let entry = entry.ok_or_else(|| Error::FunctionNotFound { arn: reference.arn() })?;
    Ok(GetFunctionRecursionConfigResponse {
        recursive_loop: Some(entry.value.recursive_loop.as_str().into()),
    })
}
