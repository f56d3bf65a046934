//! Event invoke configs: PutFunctionEventInvokeConfig, UpdateFunctionEventInvokeConfig, GetFunctionEventInvokeConfig,
//! ListFunctionEventInvokeConfigs, DeleteFunctionEventInvokeConfig.
//!
//! A config is an entry of its function's head, by `$LATEST`, version or alias.

use std::ops::Bound;

use rushlight_api::Timestamp;
use rushlight_api::lambda::types::{
    DeleteFunctionEventInvokeConfigRequest, DestinationConfig, FunctionEventInvokeConfig,
    GetFunctionEventInvokeConfigRequest, ListFunctionEventInvokeConfigsRequest,
    ListFunctionEventInvokeConfigsResponse, OnFailure, OnSuccess, PutFunctionEventInvokeConfigRequest,
    UpdateFunctionEventInvokeConfigRequest,
};
use rushlight_model::arn::{FunctionReference, Qualifier};
use rushlight_model::event_invoke_config::{Destination, DestinationError, EventInvokeConfig};
use rushlight_model::function::FunctionHead;

use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::function::{existing, name};
use crate::page::Page;

/// The most configs on one page, whatever is asked for.
const PAGE: usize = 50;
/// What is said of a function, version or alias that is not there.
const MISSING: &str = "The function doesn't exist.";

/// Sets everything: what is not given is not set any more.
pub(crate) async fn put(
    control: &Control,
    context: &RequestContext,
    input: PutFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig> {
    let settings = Settings::read(
        input.maximum_retry_attempts,
        input.maximum_event_age_in_seconds,
        input.destination_config,
    )?;
    let reference = reference(context, &input.function_name, input.qualifier.as_deref())?;
    let key = control.key(&reference.function);
    existing(control.functions.get(&key).await?.as_ref(), &reference, MISSING)?;
    settings.check_destinations(control, &reference).await?;
    let nothing = EventInvokeConfig {
        maximum_retry_attempts: None,
        maximum_event_age_seconds: None,
        on_success: None,
        on_failure: None,
        last_modified: control.clock.now(),
    };
    let config = settings.apply(nothing);
    control
        .functions
        .update(&key, |present| {
            Ok::<_, Error>(with(existing(present, &reference, MISSING)?, &reference, config.clone()))
        })
        .await?;
    report(context, &reference, "event_invoke_config.put");
    Ok(shown(&reference, &config))
}

/// Sets what is given and keeps the rest.
pub(crate) async fn update(
    control: &Control,
    context: &RequestContext,
    input: UpdateFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig> {
    let settings = Settings::read(
        input.maximum_retry_attempts,
        input.maximum_event_age_in_seconds,
        input.destination_config,
    )?;
    let reference = reference(context, &input.function_name, input.qualifier.as_deref())?;
    let key = control.key(&reference.function);
    let entry = control.functions.get(&key).await?;
    configured(existing(entry.as_ref(), &reference, MISSING)?, &reference)?;
    settings.check_destinations(control, &reference).await?;
    let now = control.clock.now();
    let entry = control
        .functions
        .update(&key, |present| {
            let head = existing(present, &reference, MISSING)?;
            let before = configured(head, &reference)?.clone();
            let config = settings.apply(EventInvokeConfig { last_modified: now, ..before });
            Ok::<_, Error>(with(head, &reference, config))
        })
        .await?;
    report(context, &reference, "event_invoke_config.updated");
    Ok(shown(&reference, configured(&entry.value, &reference)?))
}

pub(crate) async fn get(
    control: &Control,
    context: &RequestContext,
    input: GetFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig> {
    let reference = reference(context, &input.function_name, input.qualifier.as_deref())?;
    let entry = control.functions.get(&control.key(&reference.function)).await?;
    let entry = entry.ok_or_else(|| not_configured(&reference))?;
    Ok(shown(&reference, configured(&entry.value, &reference)?))
}

pub(crate) async fn list(
    control: &Control,
    context: &RequestContext,
    input: ListFunctionEventInvokeConfigsRequest,
) -> Result<ListFunctionEventInvokeConfigsResponse> {
    let reference = name::latest(&context.scope, &input.function_name)?;
    let entry = control.functions.get(&control.key(&reference.function)).await?;
    let head = existing(entry.as_ref(), &reference, MISSING)?;
    let list = format!("event invoke configs of {}", head.incarnation);
    let page = Page::read(&context.scope, &list, input.marker.as_deref(), input.max_items, PAGE)?;
    let after = page.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let configs = head.event_invoke_configs.range::<str, _>((after, Bound::Unbounded));
    let (configs, next_marker) =
        page.cut(configs.take(page.look_ahead()).collect(), |(qualifier, _)| qualifier.as_str());
    let configs = configs.into_iter().map(|(qualifier, config)| {
        let qualifier = Some(Qualifier::parse(qualifier));
        shown(&FunctionReference { qualifier, ..reference.clone() }, config)
    });
    Ok(ListFunctionEventInvokeConfigsResponse {
        function_event_invoke_configs: Some(configs.collect()),
        next_marker,
    })
}

pub(crate) async fn delete(
    control: &Control,
    context: &RequestContext,
    input: DeleteFunctionEventInvokeConfigRequest,
) -> Result<()> {
    let reference = reference(context, &input.function_name, input.qualifier.as_deref())?;
    control
        .functions
        .update(&control.key(&reference.function), |present| {
            let head = &*present.ok_or_else(|| not_configured(&reference))?.value;
            configured(head, &reference)?;
            let mut head = head.clone();
            head.event_invoke_configs.remove(&reference.qualifier_or_latest().to_string());
            Ok::<_, Error>(head)
        })
        .await?;
    report(context, &reference, "event_invoke_config.deleted");
    Ok(())
}

/// What a request sets.
struct Settings {
    maximum_retry_attempts: Option<u32>,
    maximum_event_age_seconds: Option<u32>,
    destinations: Option<DestinationConfig>,
}

impl Settings {
    /// Refuses a request that sets nothing. The ranges of the numbers are seen to by the service's model.
    fn read(
        retry_attempts: Option<i32>,
        event_age: Option<i32>,
        destinations: Option<DestinationConfig>,
    ) -> Result<Self> {
        if retry_attempts.is_none() && event_age.is_none() && destinations.is_none() {
            return Err(Error::invalid(
                "You must specify at least one of error handling or destination setting.",
            ));
        }
        let number = |given: Option<i32>| given.and_then(|number| u32::try_from(number).ok());
        Ok(Self {
            maximum_retry_attempts: number(retry_attempts),
            maximum_event_age_seconds: number(event_age),
            destinations,
        })
    }

    /// The config with what is given in the place of what was. Of destinations each is set for itself; one without an
    /// ARN, or with an empty one, is removed.
    fn apply(&self, before: EventInvokeConfig) -> EventInvokeConfig {
        let given = self.destinations.as_ref();
        let on_success = given.and_then(|given| given.on_success.as_ref());
        let on_failure = given.and_then(|given| given.on_failure.as_ref());
        EventInvokeConfig {
            maximum_retry_attempts: self.maximum_retry_attempts.or(before.maximum_retry_attempts),
            maximum_event_age_seconds: self.maximum_event_age_seconds.or(before.maximum_event_age_seconds),
            on_success: on_success.map_or(before.on_success, |given| named(given.destination.as_deref())),
            on_failure: on_failure.map_or(before.on_failure, |given| named(given.destination.as_deref())),
            last_modified: before.last_modified,
        }
    }

    /// Refuses destinations that AWS does not offer, or that are not there as far as that can be told here: functions.
    async fn check_destinations(&self, control: &Control, reference: &FunctionReference) -> Result<()> {
        let Some(given) = &self.destinations else { return Ok(()) };
        let on_success = given.on_success.as_ref().and_then(|given| named(given.destination.as_deref()));
        let on_failure = given.on_failure.as_ref().and_then(|given| named(given.destination.as_deref()));
        let scope = &reference.function.scope;
        let parse = |arn: String| (Destination::parse(scope, &arn), arn);
        let (on_success, on_failure) = (on_success.map(parse), on_failure.map(parse));
        let unfit = |(destination, _): &(_, String)| matches!(destination, Err(DestinationError::Service));
        let takes_failures_only = matches!(on_success, Some((Ok(Destination::Bucket), _)));
        if takes_failures_only || on_success.iter().chain(&on_failure).any(unfit) {
            return Err(Error::invalid(format!(
                "The provided destination config {} is invalid.",
                printed(given)
            )));
        }
        for (destination, arn) in on_failure.into_iter().chain(on_success) {
            check_destination(control, reference, destination, &arn).await?;
        }
        Ok(())
    }
}

async fn check_destination(
    control: &Control,
    reference: &FunctionReference,
    destination: std::result::Result<Destination, DestinationError>,
    arn: &str,
) -> Result<()> {
    let invalid = || Error::invalid(format!("The destination ARN {arn} is invalid."));
    let destination = match destination {
        Ok(destination) => destination,
        Err(DestinationError::FifoTopic) => {
            return Err(Error::invalid("FIFO-type Amazon SNS topics aren't supported as a destination."));
        }
        Err(_) => return Err(invalid()),
    };
    if let Destination::Function { function, qualifier } = &destination {
        if *function == reference.function {
            return Err(Error::invalid("You can't specify the function as a destination for itself."));
        }
        if function.scope != reference.function.scope {
            return Err(invalid());
        }
        let entry = control.functions.get(&control.key(function)).await?;
        entry.and_then(|entry| entry.value.version(qualifier.as_ref())).map(drop).ok_or_else(invalid)?;
    }
    // A function that is not there is for others to find.
    match control.functions.get(&control.key(&reference.function)).await? {
        Some(entry) => {
            let head = &entry.value;
            control.check_role_sends(&head.id, &head.latest.role, &destination, arn)
        }
        None => Ok(()),
    }
}

/// An ARN, if there is one in the text.
fn named(destination: Option<&str>) -> Option<String> {
    destination.filter(|arn| !arn.is_empty()).map(ToOwned::to_owned)
}

/// As AWS prints it.
fn printed(given: &DestinationConfig) -> String {
    let one = |name: &str, destination: Option<&Option<String>>| match destination {
        None => "null".to_owned(),
        Some(arn) => format!("{name}(destination={})", arn.as_deref().unwrap_or("null")),
    };
    let on_success = one("OnSuccess", given.on_success.as_ref().map(|given| &given.destination));
    let on_failure = one("OnFailure", given.on_failure.as_ref().map(|given| &given.destination));
    format!("DestinationConfig(onSuccess={on_success}, onFailure={on_failure})")
}

/// What a request is about: always with a qualifier.
fn reference(context: &RequestContext, name: &str, qualifier: Option<&str>) -> Result<FunctionReference> {
    let reference = FunctionReference::parse(&context.scope, name, qualifier)?;
    let qualifier = reference.qualifier.or(Some(Qualifier::Latest));
    Ok(FunctionReference { qualifier, ..reference })
}

fn configured<'a>(head: &'a FunctionHead, reference: &FunctionReference) -> Result<&'a EventInvokeConfig> {
    head.event_invoke_configs
        .get(&reference.qualifier_or_latest().to_string())
        .ok_or_else(|| not_configured(reference))
}

fn not_configured(reference: &FunctionReference) -> Error {
    Error::ResourceNotFound(format!("The function {} doesn't have an EventInvokeConfig", reference.arn()))
}

fn with(head: &FunctionHead, reference: &FunctionReference, config: EventInvokeConfig) -> FunctionHead {
    let mut head = head.clone();
    head.event_invoke_configs.insert(reference.qualifier_or_latest().to_string(), config);
    head
}

fn report(context: &RequestContext, reference: &FunctionReference, event: &'static str) {
    tracing::info!(function = %reference.arn(), request = %context.request_id, "{event}");
}

fn shown(reference: &FunctionReference, config: &EventInvokeConfig) -> FunctionEventInvokeConfig {
    let number = |set: Option<u32>| set.and_then(|number| i32::try_from(number).ok());
    FunctionEventInvokeConfig {
        last_modified: Some(Timestamp::from_milliseconds(config.last_modified.as_millis())),
        function_arn: Some(reference.arn()),
        maximum_retry_attempts: number(config.maximum_retry_attempts),
        maximum_event_age_in_seconds: number(config.maximum_event_age_seconds),
        destination_config: Some(DestinationConfig {
            on_success: Some(OnSuccess { destination: config.on_success.clone() }),
            on_failure: Some(OnFailure { destination: config.on_failure.clone() }),
        }),
    }
}
