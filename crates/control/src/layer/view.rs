//! What a layer's version looks like from outside: exactly the members that AWS shows.

use rushlight_api::lambda::types::{
    Architecture, GetLayerVersionResponse, LayerVersionContentOutput, LayerVersionsListItem,
    ResolvedS3Object, Runtime,
};
use rushlight_model::function::ReferencedObject;
use rushlight_model::layer::LayerVersion;
use rushlight_store::Digest;

use crate::Control;
use crate::context::RequestContext;
use crate::dependencies::CodeUrl;
use crate::function::get::LOCATION_VALID;

/// A version in full.
pub(super) fn version(
    control: &Control,
    context: &RequestContext,
    version: &LayerVersion,
) -> GetLayerVersionResponse {
    let LayerVersionsListItem {
        layer_version_arn,
        version: number,
        description,
        created_date,
        compatible_architectures,
        compatible_runtimes,
        license_info,
    } = listed(version);
    GetLayerVersionResponse {
        content: Some(content(control, context, version)),
        layer_arn: Some(version.layer.arn()),
        layer_version_arn,
        description,
        created_date,
        version: number,
        compatible_architectures,
        compatible_runtimes,
        license_info,
    }
}

/// A version as lists show it.
pub(super) fn listed(version: &LayerVersion) -> LayerVersionsListItem {
    let runtimes = version.compatible_runtimes.as_ref();
    let architectures = version.compatible_architectures.as_ref();
    LayerVersionsListItem {
        layer_version_arn: Some(version.arn()),
        version: i64::try_from(version.number).ok(),
        description: Some(version.description.clone()),
        created_date: Some(version.created.to_last_modified()),
        compatible_architectures: architectures
            .map(|given| given.iter().map(|one| Architecture::from(one.as_str())).collect()),
        compatible_runtimes: runtimes
            .map(|given| given.iter().map(|one| Runtime::from(one.as_str())).collect()),
        license_info: version.license_info.clone(),
    }
}

fn content(control: &Control, context: &RequestContext, version: &LayerVersion) -> LayerVersionContentOutput {
    let digest = version.content.sha256.parse::<Digest>().ok();
    LayerVersionContentOutput {
        location: digest.as_ref().map(|package| {
            control.code_urls.presign(CodeUrl {
                scope: &context.scope,
                package,
                valid: LOCATION_VALID,
                host: context.host.as_deref(),
                is_encrypted: context.caller.is_encrypted,
            })
        }),
        code_sha256: digest.as_ref().map(Digest::to_base64),
        code_size: i64::try_from(version.content.size).ok(),
        resolved_s3_object: version.content.referenced_object.as_ref().map(resolved),
        ..LayerVersionContentOutput::default()
    }
}

fn resolved(object: &ReferencedObject) -> ResolvedS3Object {
    ResolvedS3Object {
        s3_bucket: Some(object.bucket.clone()),
        s3_key: Some(object.key.clone()),
        s3_object_version: Some(object.version.clone()),
    }
}
