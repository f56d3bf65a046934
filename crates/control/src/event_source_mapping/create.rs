//! CreateEventSourceMapping.

use rushlight_api::lambda::types::{CreateEventSourceMappingRequest, CreateEventSourceMappingResponse};
use rushlight_model::arn::Scope;
use rushlight_model::event_source_mapping::{EventSourceMapping, Family, Source, State};
use uuid::Uuid;

use super::{function, rules, view};
use crate::Control;
use crate::context::RequestContext;
use crate::dependencies::SourceCheck;
use crate::error::{Error, Result};
use crate::tags;

pub(crate) async fn create(
    control: &Control,
    context: &RequestContext,
    input: CreateEventSourceMappingRequest,
) -> Result<CreateEventSourceMappingResponse> {
    let source = source(&context.scope, &input)?;
    let uuid = Uuid::new_v4().to_string();
    let now = control.clock.now();
    let settings = rules::settings(source.kind, None, &input, &uuid, now)?;
    let (function, head) = function::find(control, context, &input.function_name).await?;
    function::check_concurrency(&head, &settings)?;
    control.check_role_reads(&head.id, &head.latest.role, &source)?;
    let tags = tags::of_new_resource(input.tags)?;
    let function_timeout_seconds = head.latest.timeout_seconds;
    let check = SourceCheck { scope: &context.scope, source: &source, function_timeout_seconds };
    control.event_sources.check(check).await.map_err(|refusal| Error::invalid(refusal.to_string()))?;
    let is_sqs = source.kind.family() == Family::Sqs;
    let mapping = EventSourceMapping {
        uuid,
        scope: context.scope.clone(),
        source,
        function,
        enabled: input.enabled.unwrap_or(true),
        state: State::Creating,
        transition: 0,
        settings,
        last_processing_result: (!is_sqs).then(|| "No records processed".to_owned()),
        last_modified: now,
        tags,
        claiming: None,
    };
    control.mappings.add(&mapping).await?;
    control.settle_mapping(&mapping);
    tracing::info!(mapping = %mapping.arn(), request = %context.request_id, "mapping.created");
    Ok(view::configuration(&mapping))
}

/// What is to be read: it has an ARN, or is a Kafka cluster of one's own.
fn source(here: &Scope, input: &CreateEventSourceMappingRequest) -> Result<Source> {
    match (&input.event_source_arn, &input.self_managed_event_source) {
        (Some(arn), None) => {
            let source = Source::from_arn(arn).ok_or_else(|| {
                Error::invalid(format!("Unrecognized event source. Unsupported source arn : {arn}"))
            })?;
            check_place(here, &source)?;
            Ok(source)
        }
        (None, Some(source)) => {
            let servers =
                source.endpoints.as_ref().and_then(|endpoints| endpoints.get("KAFKA_BOOTSTRAP_SERVERS"));
            match servers {
                Some(servers) if !servers.is_empty() => Ok(Source::self_managed_kafka(servers.clone())),
                _ => Err(Error::invalid("Required 'selfManagedEventSource.endpoints' parameter is missing.")),
            }
        }
        (None, None) | (Some(_), Some(_)) => Err(Error::invalid("Unrecognized event source.")),
    }
}

/// Sources are in the region of the function; brokers and database clusters also in its account.
fn check_place(here: &Scope, source: &Source) -> Result<()> {
    if source.region().is_some_and(|region| region != here.region) {
        return Err(Error::invalid(format!("Event source region must match Lambda region {}", here.region)));
    }
    let is_bound = matches!(source.kind.family(), Family::Mq | Family::DocumentDb);
    if is_bound && source.account().is_some_and(|account| account != here.account) {
        return Err(Error::invalid(
            "Role and event source must be in the same account as the cloud function",
        ));
    }
    Ok(())
}
