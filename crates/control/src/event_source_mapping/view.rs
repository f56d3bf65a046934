//! What a mapping looks like from outside.

use rushlight_api::Timestamp as WireTimestamp;
use rushlight_api::lambda::types::{
    AmazonManagedKafkaEventSourceConfig, DestinationConfig, DocumentDBEventSourceConfig,
    EventSourceMappingConfiguration, EventSourceMappingLoggingConfig, EventSourceMappingMetricsConfig,
    EventSourcePosition, Filter, FilterCriteria, FunctionResponseType, KafkaSchemaRegistryAccessConfig,
    KafkaSchemaRegistryConfig, KafkaSchemaValidationConfig, OnFailure, ProvisionedPollerConfig,
    ScalingConfig, SelfManagedEventSource, SelfManagedKafkaEventSourceConfig, SourceAccessConfiguration,
};
use rushlight_model::clock::Timestamp;
use rushlight_model::event_source_mapping::{
    ConsumptionMode, DocumentDb, EventSourceMapping, Family, Kafka, Location, ProvisionedPollers,
    SchemaRegistry, SourceKind, StartingPosition, Typed,
};

/// What a list shows: filters that are encrypted stay hidden.
pub(super) fn listed(mapping: &EventSourceMapping) -> EventSourceMappingConfiguration {
    let mut shown = configuration(mapping);
    if shown.kms_key_arn.is_some() {
        shown.filter_criteria = None;
    }
    shown
}

pub(super) fn configuration(mapping: &EventSourceMapping) -> EventSourceMappingConfiguration {
    let settings = &mapping.settings;
    let retries = settings.retries;
    let (starting_position, starting_position_timestamp) = starting_position(settings.starting_position);
    let (managed, self_managed) = kafka(mapping.source.kind, settings.kafka.as_ref());
    EventSourceMappingConfiguration {
        uuid: Some(mapping.uuid.clone()),
        starting_position,
        starting_position_timestamp,
        batch_size: number(Some(settings.batch_size)),
        maximum_batching_window_in_seconds: number(settings.batching_window_seconds),
        parallelization_factor: number(settings.parallelization_factor),
        event_source_arn: mapping.source.arn().map(str::to_owned),
        filter_criteria: filter_criteria(&settings.filters),
        filter_criteria_error: None,
        kms_key_arn: settings.kms_key_arn.clone(),
        metrics_config: settings.metrics.as_ref().map(|metrics| EventSourceMappingMetricsConfig {
            metrics: Some(metrics.iter().map(|metric| metric.as_str().into()).collect()),
        }),
        logging_config: settings
            .system_log_level
            .as_ref()
            .map(|level| EventSourceMappingLoggingConfig { system_log_level: Some(level.as_str().into()) }),
        scaling_config: settings
            .maximum_concurrency
            .map(|maximum| ScalingConfig { maximum_concurrency: number(Some(maximum)) }),
        function_arn: Some(mapping.function_arn()),
        last_modified: Some(time(mapping.last_modified)),
        last_processing_result: mapping.last_processing_result.clone(),
        state: Some(mapping.state.as_str().to_owned()),
        state_transition_reason: Some(reason(mapping.source.kind.family()).to_owned()),
        destination_config: destination_config(mapping),
        topics: given(&settings.topics),
        queues: given(&settings.queues),
        source_access_configurations: settings
            .source_access
            .as_ref()
            .map(|access| access.iter().map(source_access).collect()),
        self_managed_event_source: self_managed_source(&mapping.source.location),
        maximum_record_age_in_seconds: retries.map(|retries| retries.maximum_record_age_seconds),
        bisect_batch_on_function_error: retries.map(|retries| retries.bisects),
        maximum_retry_attempts: retries.map(|retries| retries.maximum_attempts),
        tumbling_window_in_seconds: number(settings.tumbling_window_seconds),
        function_response_types: Some(if settings.reports_batch_item_failures {
            vec![FunctionResponseType::ReportBatchItemFailures]
        } else {
            Vec::new()
        }),
        amazon_managed_kafka_event_source_config: managed,
        self_managed_kafka_event_source_config: self_managed,
        document_db_event_source_config: settings.document_db.as_ref().map(document_db),
        event_source_mapping_arn: Some(mapping.arn()),
        provisioned_poller_config: settings.provisioned_pollers.as_ref().map(pollers),
    }
}

/// Who made the last change. The older sources spell it in another way.
fn reason(family: Family) -> &'static str {
    match family {
        Family::Stream => "User action",
        _ => "USER_INITIATED",
    }
}

fn number(value: Option<u32>) -> Option<i32> {
    value.and_then(|value| i32::try_from(value).ok())
}

fn time(value: Timestamp) -> WireTimestamp {
    WireTimestamp::from_milliseconds(value.as_millis())
}

fn given(names: &[String]) -> Option<Vec<String>> {
    (!names.is_empty()).then(|| names.to_vec())
}

fn starting_position(
    position: Option<StartingPosition>,
) -> (Option<EventSourcePosition>, Option<WireTimestamp>) {
    match position {
        None => (None, None),
        Some(StartingPosition::TrimHorizon) => (Some(EventSourcePosition::TrimHorizon), None),
        Some(StartingPosition::Latest) => (Some(EventSourcePosition::Latest), None),
        Some(StartingPosition::AtTimestamp(at)) => (Some(EventSourcePosition::AtTimestamp), Some(time(at))),
    }
}

fn filter_criteria(patterns: &[String]) -> Option<FilterCriteria> {
    let filters = patterns.iter().map(|pattern| Filter { pattern: Some(pattern.clone()) }).collect();
    (!patterns.is_empty()).then_some(FilterCriteria { filters: Some(filters) })
}

/// Sources that know destinations show the place of one that is not set.
fn destination_config(mapping: &EventSourceMapping) -> Option<DestinationConfig> {
    matches!(mapping.source.kind.family(), Family::Stream | Family::Kafka).then(|| DestinationConfig {
        on_success: None,
        on_failure: Some(OnFailure { destination: mapping.settings.on_failure.clone() }),
    })
}

fn source_access(access: &Typed) -> SourceAccessConfiguration {
    SourceAccessConfiguration { r#type: Some(access.kind.as_str().into()), uri: access.uri.clone() }
}

fn self_managed_source(location: &Location) -> Option<SelfManagedEventSource> {
    match location {
        Location::Arn(_) => None,
        Location::BootstrapServers(servers) => Some(SelfManagedEventSource {
            endpoints: Some([("KAFKA_BOOTSTRAP_SERVERS".to_owned(), servers.clone())].into()),
        }),
    }
}

fn kafka(
    kind: SourceKind,
    kafka: Option<&Kafka>,
) -> (Option<AmazonManagedKafkaEventSourceConfig>, Option<SelfManagedKafkaEventSourceConfig>) {
    let Some(kafka) = kafka else {
        return (None, None);
    };
    let consumer_group_id = Some(kafka.consumer_group_id.clone());
    let schema_registry_config = kafka.schema_registry.as_ref().map(schema_registry);
    if kind == SourceKind::Msk {
        let config = AmazonManagedKafkaEventSourceConfig { consumer_group_id, schema_registry_config };
        return (Some(config), None);
    }
    let consumption_mode = kafka.consumption_mode.map(|mode| match mode {
        ConsumptionMode::Stream => "Stream".into(),
        ConsumptionMode::Queue => "Queue".into(),
    });
    let config =
        SelfManagedKafkaEventSourceConfig { consumer_group_id, schema_registry_config, consumption_mode };
    (None, Some(config))
}

fn schema_registry(registry: &SchemaRegistry) -> KafkaSchemaRegistryConfig {
    let access = |access: &Typed| KafkaSchemaRegistryAccessConfig {
        r#type: Some(access.kind.as_str().into()),
        uri: access.uri.clone(),
    };
    let validation =
        |attribute: &String| KafkaSchemaValidationConfig { attribute: Some(attribute.as_str().into()) };
    KafkaSchemaRegistryConfig {
        schema_registry_uri: registry.uri.clone(),
        event_record_format: registry.event_record_format.as_deref().map(Into::into),
        access_configs: (!registry.access.is_empty()).then(|| registry.access.iter().map(access).collect()),
        schema_validation_configs: Some(registry.validated_attributes.iter().map(validation).collect()),
    }
}

fn document_db(document_db: &DocumentDb) -> DocumentDBEventSourceConfig {
    DocumentDBEventSourceConfig {
        database_name: Some(document_db.database.clone()),
        collection_name: document_db.collection.clone(),
        full_document: document_db.full_document.as_deref().map(Into::into),
    }
}

fn pollers(pollers: &ProvisionedPollers) -> ProvisionedPollerConfig {
    ProvisionedPollerConfig {
        minimum_pollers: number(Some(pollers.minimum)),
        maximum_pollers: number(Some(pollers.maximum)),
        poller_group_name: pollers.group.clone(),
    }
}
