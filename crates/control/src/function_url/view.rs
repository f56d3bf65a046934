//! What a function URL looks like from outside.

use rushlight_api::lambda::types;
use rushlight_api::lambda::types::{
    CreateFunctionUrlConfigResponse, FunctionUrlConfig, GetFunctionUrlConfigResponse,
    UpdateFunctionUrlConfigResponse,
};
use rushlight_model::arn::FunctionReference;
use rushlight_model::function_url::{Cors, FunctionUrl, UrlPlace};

use crate::Control;
use crate::context::RequestContext;

/// Shows URLs to one caller.
pub(super) struct View<'a> {
    place: &'a UrlPlace,
    host: Option<&'a str>,
}

impl<'a> View<'a> {
    pub(super) fn new(control: &'a Control, context: &'a RequestContext) -> Self {
        Self { place: &control.url_place, host: context.host.as_deref() }
    }

    /// In a list the mode is always told, also where it is the default.
    pub(super) fn listed(&self, reference: &FunctionReference, url: &FunctionUrl) -> FunctionUrlConfig {
        FunctionUrlConfig {
            function_url: self.place.url(&url.id, &reference.function.scope.region, self.host),
            function_arn: reference.arn(),
            creation_time: url.created.to_iso_micros(),
            last_modified_time: url.last_modified.to_iso_micros(),
            cors: url.cors.as_ref().map(cors),
            auth_type: url.auth_type.as_str().into(),
            invoke_mode: Some(url.invoke_mode().as_str().into()),
        }
    }

    pub(super) fn got(
        &self,
        reference: &FunctionReference,
        url: &FunctionUrl,
    ) -> GetFunctionUrlConfigResponse {
        let shown = self.listed(reference, url);
        GetFunctionUrlConfigResponse {
            function_url: shown.function_url,
            function_arn: shown.function_arn,
            auth_type: shown.auth_type,
            cors: shown.cors,
            creation_time: shown.creation_time,
            last_modified_time: shown.last_modified_time,
            invoke_mode: shown.invoke_mode,
        }
    }

    /// Answers to changes tell the mode only if it was said.
    pub(super) fn updated(
        &self,
        reference: &FunctionReference,
        url: &FunctionUrl,
    ) -> UpdateFunctionUrlConfigResponse {
        let shown = self.listed(reference, url);
        UpdateFunctionUrlConfigResponse {
            function_url: shown.function_url,
            function_arn: shown.function_arn,
            auth_type: shown.auth_type,
            cors: shown.cors,
            creation_time: shown.creation_time,
            last_modified_time: shown.last_modified_time,
            invoke_mode: url.invoke_mode.map(|mode| mode.as_str().into()),
        }
    }

    /// As [`Self::updated`].
    pub(super) fn created(
        &self,
        reference: &FunctionReference,
        url: &FunctionUrl,
    ) -> CreateFunctionUrlConfigResponse {
        let shown = self.updated(reference, url);
        CreateFunctionUrlConfigResponse {
            function_url: shown.function_url,
            function_arn: shown.function_arn,
            auth_type: shown.auth_type,
            cors: shown.cors,
            creation_time: shown.creation_time,
            invoke_mode: shown.invoke_mode,
        }
    }
}

fn cors(cors: &Cors) -> types::Cors {
    types::Cors {
        allow_credentials: cors.allow_credentials,
        allow_headers: cors.allow_headers.clone(),
        allow_methods: cors.allow_methods.clone(),
        allow_origins: cors.allow_origins.clone(),
        expose_headers: cors.expose_headers.clone(),
        max_age: cors.max_age.and_then(|seconds| i32::try_from(seconds).ok()),
    }
}
