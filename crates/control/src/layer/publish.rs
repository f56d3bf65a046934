//! PublishLayerVersion.
//!
//! ```text
//! rules of the request ─> archive looked through ─> archive on disk ─> number from the head ─> row of the version
//! ```

use rushlight_api::lambda::types::{
    LayerVersionContentInput, PublishLayerVersionRequest, PublishLayerVersionResponse,
};
use rushlight_model::layer::{LayerContent, LayerHead, LayerId, LayerVersion};
use rushlight_store::Expect;
use rushlight_store::table::layer::head_key;

use super::access::{self, key};
use super::{compatibility, view};
use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::function::code::Source;

pub(crate) async fn publish(
    control: &Control,
    context: &RequestContext,
    input: PublishLayerVersionRequest,
) -> Result<PublishLayerVersionResponse> {
    let runtimes = input.compatible_runtimes.as_deref();
    compatibility::check_runtimes(runtimes, control.deprecation_policy, control.clock.now())?;
    let layer = access::here(&context.scope, &input.layer_name)?;
    let archive = source(input.content).archive(control.objects.as_ref(), context).await?;
    let content = LayerContent {
        sha256: archive.digest.to_string(),
        size: archive.size(),
        unpacked_size: archive.unpacked_size,
        referenced_object: archive.reference.clone(),
    };
    let _reserved = control.ledger.reserve(&context.scope, archive.stored_size()).await?;
    let _hold = archive.keep(&control.blobs, &control.ledger).await?;
    let number = next_number(control, &layer).await?;
    let texts = |given: Vec<_>| given.iter().map(ToString::to_string).collect();
    let version = LayerVersion {
        number,
        description: input.description.unwrap_or_default(),
        license_info: input.license_info,
        compatible_architectures: input
            .compatible_architectures
            .map(|given| given.iter().map(ToString::to_string).collect()),
        compatible_runtimes: input.compatible_runtimes.map(texts),
        created: control.clock.now(),
        content,
        policy: None,
        layer,
    };
    let key = key(&version.layer, number);
    let entry = control.layer_versions.put(&key, version, Expect::Absent).await?;
    tracing::info!(layer = %entry.value.arn(), request = %context.request_id, "layer.published");
    let shown = view::version(control, context, &entry.value);
    Ok(PublishLayerVersionResponse {
        content: shown.content,
        layer_arn: shown.layer_arn,
        layer_version_arn: shown.layer_version_arn,
        description: shown.description,
        created_date: shown.created_date,
        version: shown.version,
        compatible_architectures: shown.compatible_architectures,
        compatible_runtimes: shown.compatible_runtimes,
        license_info: shown.license_info,
    })
}

/// Takes a number that nobody else gets, whatever becomes of the version.
async fn next_number(control: &Control, layer: &LayerId) -> Result<u64> {
    let key = head_key(&layer.scope.account, &layer.scope.region, &layer.name);
    let head = control
        .layers
        .update(&key, |present| {
            let last_version = present.map_or(0, |entry| entry.value.last_version) + 1;
            Ok::<_, Error>(LayerHead { id: layer.clone(), last_version })
        })
        .await?;
    Ok(head.value.last_version)
}

fn source(content: LayerVersionContentInput) -> Source {
    Source {
        zip_file: content.zip_file,
        s3_bucket: content.s3_bucket,
        s3_key: content.s3_key,
        s3_object_version: content.s3_object_version,
        s3_object_storage_mode: content.s3_object_storage_mode,
        image_uri: None,
    }
}
