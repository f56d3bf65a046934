//! Function URLs: CreateFunctionUrlConfig, GetFunctionUrlConfig, ListFunctionUrlConfigs, UpdateFunctionUrlConfig,
//! DeleteFunctionUrlConfig.
//!
//! ```text
//! CreateFunctionUrlConfig ─> row under the URL's id ─> head has the URL: it is real
//! ```
//! A URL is an entry of its function's head, by `$LATEST` for the function itself or by alias. The row leads from the id
//! to the head and nothing else; see [`index`].

mod index;
mod view;

use std::ops::Bound;

use rushlight_api::lambda::types;
use rushlight_api::lambda::types::{
    CreateFunctionUrlConfigRequest, CreateFunctionUrlConfigResponse, DeleteFunctionUrlConfigRequest,
    GetFunctionUrlConfigRequest, GetFunctionUrlConfigResponse, ListFunctionUrlConfigsRequest,
    ListFunctionUrlConfigsResponse, UpdateFunctionUrlConfigRequest, UpdateFunctionUrlConfigResponse,
};
use rushlight_model::arn::{FunctionReference, Qualifier};
use rushlight_model::function::FunctionHead;
use rushlight_model::function_url::{Cors, FunctionUrl, InvokeMode, UrlAuthType, UrlTarget};
use rushlight_store::table::{Entry, UpdateError};

use self::view::View;
use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::function::{existing, name};
use crate::page::Page;

/// The most URLs on one page, whatever is asked for.
const PAGE: usize = 50;
/// What is said of a function or alias that is not there.
const MISSING: &str = "Function does not exist";

pub(crate) async fn create(
    control: &Control,
    context: &RequestContext,
    input: CreateFunctionUrlConfigRequest,
) -> Result<CreateFunctionUrlConfigResponse> {
    let reference =
        FunctionReference::parse(&context.scope, &input.function_name, input.qualifier.as_deref())?;
    let key = control.key(&reference.function);
    // Before anything is written.
    without_url(control.functions.get(&key).await?.as_ref(), &reference)?;
    let now = control.clock.now();
    let url = FunctionUrl {
        id: index::new_id(),
        auth_type: auth_type(&input.auth_type),
        invoke_mode: input.invoke_mode.as_ref().map(invoke_mode),
        cors: input.cors.as_ref().and_then(cors),
        created: now,
        last_modified: now,
    };
    let target = UrlTarget {
        function: reference.function.clone(),
        qualifier: reference.qualifier_or_latest().to_string(),
    };
    control.index_url(&url.id, target).await?;
    let named = control
        .functions
        .update(&key, |present| {
            let mut head = without_url(present, &reference)?.clone();
            head.urls.insert(reference.qualifier_or_latest().to_string(), url.clone());
            Ok::<_, Error>(head)
        })
        .await;
    if let Err(UpdateError::Refused(refusal)) = named {
        control.forget_url(&url.id).await;
        return Err(refusal);
    }
    named?;
    report(context, &reference, "function_url.created");
    Ok(View::new(control, context).created(&reference, &url))
}

pub(crate) async fn get(
    control: &Control,
    context: &RequestContext,
    input: GetFunctionUrlConfigRequest,
) -> Result<GetFunctionUrlConfigResponse> {
    let reference =
        FunctionReference::parse(&context.scope, &input.function_name, input.qualifier.as_deref())?;
    let entry = control.functions.get(&control.key(&reference.function)).await?;
    let entry = entry.ok_or_else(no_url)?;
    Ok(View::new(control, context).got(&reference, url_of(&entry.value, &reference)?))
}

pub(crate) async fn list(
    control: &Control,
    context: &RequestContext,
    input: ListFunctionUrlConfigsRequest,
) -> Result<ListFunctionUrlConfigsResponse> {
    let reference = name::latest(&context.scope, &input.function_name)?;
    let entry = control.functions.get(&control.key(&reference.function)).await?;
    let head = existing(entry.as_ref(), &reference, MISSING)?;
    let list = format!("function URLs of {}", head.incarnation);
    let page = Page::read(&context.scope, &list, input.marker.as_deref(), input.max_items, PAGE)?;
    let after = page.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let urls = head.urls.range::<str, _>((after, Bound::Unbounded)).take(page.look_ahead());
    let (urls, next_marker) = page.cut(urls.collect(), |(qualifier, _)| qualifier.as_str());
    let view = View::new(control, context);
    let urls = urls.into_iter().map(|(qualifier, url)| {
        let qualifier = Some(Qualifier::parse(qualifier)).filter(|parsed| *parsed != Qualifier::Latest);
        view.listed(&FunctionReference { qualifier, ..reference.clone() }, url)
    });
    Ok(ListFunctionUrlConfigsResponse { function_url_configs: urls.collect(), next_marker })
}

/// Sets what is given and keeps the rest; what is set of CORS is replaced as a whole.
pub(crate) async fn update(
    control: &Control,
    context: &RequestContext,
    input: UpdateFunctionUrlConfigRequest,
) -> Result<UpdateFunctionUrlConfigResponse> {
    let reference =
        FunctionReference::parse(&context.scope, &input.function_name, input.qualifier.as_deref())?;
    let now = control.clock.now();
    let entry = control
        .functions
        .update(&control.key(&reference.function), |present| {
            let head = existing(present, &reference, MISSING)?;
            let before = url_of(head, &reference)?.clone();
            let url = FunctionUrl {
                auth_type: input.auth_type.as_ref().map_or(before.auth_type, auth_type),
                invoke_mode: input
                    .invoke_mode
                    .as_ref()
                    .map_or(before.invoke_mode, |given| Some(invoke_mode(given))),
                cors: input.cors.as_ref().map_or(before.cors, cors),
                last_modified: now,
                ..before
            };
            let mut head = head.clone();
            head.urls.insert(reference.qualifier_or_latest().to_string(), url);
            Ok::<_, Error>(head)
        })
        .await?;
    report(context, &reference, "function_url.updated");
    Ok(View::new(control, context).updated(&reference, url_of(&entry.value, &reference)?))
}

pub(crate) async fn delete(
    control: &Control,
    context: &RequestContext,
    input: DeleteFunctionUrlConfigRequest,
) -> Result<()> {
    let reference =
        FunctionReference::parse(&context.scope, &input.function_name, input.qualifier.as_deref())?;
    let mut id = String::new();
    control
        .functions
        .update(&control.key(&reference.function), |present| {
            let head = &*present.ok_or_else(no_url)?.value;
            id.clone_from(&url_of(head, &reference)?.id);
            let mut head = head.clone();
            head.urls.remove(&reference.qualifier_or_latest().to_string());
            Ok::<_, Error>(head)
        })
        .await?;
    control.forget_url(&id).await;
    report(context, &reference, "function_url.deleted");
    Ok(())
}

fn report(context: &RequestContext, reference: &FunctionReference, event: &'static str) {
    tracing::info!(function = %reference.arn(), request = %context.request_id, "{event}");
}

/// The head, if what the request names can be given a URL.
fn without_url<'a>(
    present: Option<&'a Entry<FunctionHead>>,
    reference: &FunctionReference,
) -> Result<&'a FunctionHead> {
    let head = existing(present, reference, MISSING)?;
    if head.urls.contains_key(&reference.qualifier_or_latest().to_string()) {
        return Err(Error::Conflict(format!(
            "Failed to create function url config for [functionArn = {}]. Error message:  FunctionUrlConfig exists for \
             this Lambda function",
            reference.arn()
        )));
    }
    // A caller of a URL cannot name a tenant.
    if head.latest.tenant_isolation {
        return Err(Error::invalid("Function URLs are not supported for functions with tenant isolation."));
    }
    Ok(head)
}

fn url_of<'a>(head: &'a FunctionHead, reference: &FunctionReference) -> Result<&'a FunctionUrl> {
    head.urls.get(&reference.qualifier_or_latest().to_string()).ok_or_else(no_url)
}

fn no_url() -> Error {
    Error::ResourceNotFound("The resource you requested does not exist.".into())
}

fn auth_type(given: &types::FunctionUrlAuthType) -> UrlAuthType {
    match given {
        types::FunctionUrlAuthType::None => UrlAuthType::None,
        _ => UrlAuthType::AwsIam,
    }
}

fn invoke_mode(given: &types::InvokeMode) -> InvokeMode {
    match given {
        types::InvokeMode::ResponseStream => InvokeMode::ResponseStream,
        _ => InvokeMode::Buffered,
    }
}

/// With nothing in it, none is set.
fn cors(given: &types::Cors) -> Option<Cors> {
    let cors = Cors {
        allow_credentials: given.allow_credentials,
        allow_headers: given.allow_headers.clone(),
        allow_methods: given.allow_methods.clone(),
        allow_origins: given.allow_origins.clone(),
        expose_headers: given.expose_headers.clone(),
        max_age: given.max_age.and_then(|seconds| u32::try_from(seconds).ok()),
    };
    (cors != Cors::default()).then_some(cors)
}
