//! Layers: their versions, their policies, and the functions that have them.

mod functions;
mod lists;
mod policies;
mod versions;

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;
use rushlight_control::RequestContext;

use crate::world::{Answer, World, archive, here};

const LAYER: &str = "arn:aws:lambda:eu-west-1:123456789012:layer:tools";

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Answer<T>, code: &str, message: &str) {
    let error = answer.unwrap_err();
    assert_eq!((error.code.as_ref(), error.message.as_deref()), (code, Some(message)));
}

#[track_caller]
fn invalid<T: std::fmt::Debug>(answer: Answer<T>, message: &str) {
    refused(answer, "InvalidParameterValueException", message);
}

/// The archive of a layer, the same bytes for the same text.
fn content(text: &str) -> bytes::Bytes {
    archive(&[("python/tools.py", format!("NAME = '{text}'").as_bytes())])
}

fn new_version(layer: &str, text: &str) -> PublishLayerVersionRequest {
    PublishLayerVersionRequest {
        layer_name: layer.into(),
        content: LayerVersionContentInput {
            zip_file: Some(content(text)),
            ..LayerVersionContentInput::default()
        },
        ..PublishLayerVersionRequest::default()
    }
}

impl World {
    async fn publish(&self, input: PublishLayerVersionRequest) -> Answer<PublishLayerVersionResponse> {
        self.control.publish_layer_version(&here(), input).await
    }

    /// Publishes a version and returns its ARN.
    pub(crate) async fn published(&self, layer: &str, text: &str) -> String {
        self.publish(new_version(layer, text)).await.unwrap().layer_version_arn.unwrap()
    }

    async fn layer_version(&self, layer: &str, number: i64) -> Answer<GetLayerVersionResponse> {
        self.layer_version_as(&here(), layer, number).await
    }

    async fn layer_version_as(
        &self,
        context: &RequestContext,
        layer: &str,
        number: i64,
    ) -> Answer<GetLayerVersionResponse> {
        let input = GetLayerVersionRequest { layer_name: layer.into(), version_number: number };
        self.control.get_layer_version(context, input).await
    }

    async fn by_arn(&self, context: &RequestContext, arn: &str) -> Answer<GetLayerVersionResponse> {
        let input = GetLayerVersionByArnRequest { arn: arn.into() };
        self.control.get_layer_version_by_arn(context, input).await
    }

    async fn delete_version(&self, layer: &str, number: i64) -> Answer<()> {
        let input = DeleteLayerVersionRequest { layer_name: layer.into(), version_number: number };
        self.control.delete_layer_version(&here(), input).await
    }

    async fn list_versions(&self, input: ListLayerVersionsRequest) -> Answer<ListLayerVersionsResponse> {
        self.control.list_layer_versions(&here(), input).await
    }

    /// Numbers of all versions of a layer.
    async fn numbers(&self, layer: &str) -> Vec<i64> {
        let input =
            ListLayerVersionsRequest { layer_name: layer.into(), ..ListLayerVersionsRequest::default() };
        let versions = self.list_versions(input).await.unwrap().layer_versions.unwrap();
        versions.iter().filter_map(|version| version.version).collect()
    }
}
