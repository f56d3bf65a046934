//! GetFunction and GetFunctionConfiguration.

use std::sync::Arc;
use std::time::Duration;

use rushlight_api::lambda::types::{
    Concurrency, FunctionCodeLocation, GetFunctionConfigurationRequest, GetFunctionConfigurationResponse,
    GetFunctionRequest, GetFunctionResponse, ResolvedS3Object,
};
use rushlight_model::arn::FunctionReference;
use rushlight_model::function::{Code, FunctionConfiguration, FunctionHead, ReferencedObject};
use rushlight_store::Digest;

use super::view;
use crate::Control;
use crate::context::RequestContext;
use crate::dependencies::CodeUrl;
use crate::error::{Error, Result};

/// How long `Code.Location` is good for.
pub(crate) const LOCATION_VALID: Duration = Duration::from_mins(10);

pub(crate) async fn get(
    control: &Control,
    context: &RequestContext,
    input: GetFunctionRequest,
) -> Result<GetFunctionResponse> {
    let reference =
        FunctionReference::parse(&context.scope, &input.function_name, input.qualifier.as_deref())?;
    let (head, configuration) = find(control, &reference).await?;
    let concurrency = head
        .reserved_concurrency
        .map(|reserved| Concurrency { reserved_concurrent_executions: i32::try_from(reserved).ok() });
    Ok(GetFunctionResponse {
        configuration: Some(view::configuration(&head, &configuration, reference.qualifier.as_ref())),
        code: Some(location(control, context, &configuration)),
        tags: Some(head.tags.clone()).filter(|tags| !tags.is_empty()),
        concurrency,
        ..GetFunctionResponse::default()
    })
}

pub(crate) async fn get_configuration(
    control: &Control,
    context: &RequestContext,
    input: GetFunctionConfigurationRequest,
) -> Result<GetFunctionConfigurationResponse> {
    let reference =
        FunctionReference::parse(&context.scope, &input.function_name, input.qualifier.as_deref())?;
    let (head, configuration) = find(control, &reference).await?;
    Ok(view::configuration(&head, &configuration, reference.qualifier.as_ref()))
}

/// The function and what the qualifier names, if both exist.
async fn find(
    control: &Control,
    reference: &FunctionReference,
) -> Result<(Arc<FunctionHead>, FunctionConfiguration)> {
    let not_found = || Error::FunctionNotFound { arn: reference.arn() };
    let entry = control.functions.get(&control.key(&reference.function)).await?.ok_or_else(not_found)?;
    let configuration = control.configuration(&entry.value, reference.qualifier.as_ref()).await?;
    Ok((entry.value, configuration.ok_or_else(not_found)?))
}

/// Where the code can be fetched from.
fn location(
    control: &Control,
    context: &RequestContext,
    configuration: &FunctionConfiguration,
) -> FunctionCodeLocation {
    match (&configuration.code, &configuration.referenced_object) {
        (Code::Zip { .. }, Some(ReferencedObject { bucket, key, version })) => FunctionCodeLocation {
            repository_type: Some("S3".into()),
            resolved_s3_object: Some(ResolvedS3Object {
                s3_bucket: Some(bucket.clone()),
                s3_key: Some(key.clone()),
                s3_object_version: Some(version.clone()),
            }),
            source_kms_key_arn: configuration.source_kms_key_arn.clone(),
            ..FunctionCodeLocation::default()
        },
        (Code::Zip { sha256, .. }, None) => FunctionCodeLocation {
            repository_type: Some("S3".into()),
            location: sha256.parse::<Digest>().ok().map(|package| {
                control.code_urls.presign(CodeUrl {
                    scope: &context.scope,
                    package: &package,
                    valid: LOCATION_VALID,
                    host: context.host.as_deref(),
                    is_encrypted: context.caller.is_encrypted,
                })
            }),
            source_kms_key_arn: configuration.source_kms_key_arn.clone(),
            ..FunctionCodeLocation::default()
        },
        (Code::Image { uri, resolved_uri, .. }, _) => FunctionCodeLocation {
            repository_type: Some("ECR".into()),
            image_uri: Some(uri.clone()),
            resolved_image_uri: resolved_uri.clone(),
            ..FunctionCodeLocation::default()
        },
    }
}
