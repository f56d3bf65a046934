//! Members that were found to be allowed become settings.

use rushlight_api::lambda::types::{
    DestinationConfig, KafkaEventSourceMappingConsumptionMode, KafkaSchemaRegistryConfig,
    SourceAccessConfiguration,
};
use rushlight_model::event_source_mapping::{
    ConsumptionMode, DocumentDb, Family, Kafka, Retries, SchemaRegistry, Settings, Typed,
};

use super::super::members::{DESTINATION_CONFIG, Members, upper};
use super::{Case, filters, pollers, position, unsupported_here};
use crate::error::{Error, Result};

pub(super) fn apply(case: &Case<'_>, settings: &mut Settings) -> Result<()> {
    let members = case.members;
    let number = |given: Option<i32>| given.and_then(|given| u32::try_from(given).ok());
    if let Some(size) = number(members.batch_size) {
        settings.batch_size = size;
    }
    if let Some(window) = number(members.maximum_batching_window_in_seconds) {
        settings.batching_window_seconds = Some(window);
    }
    if let Some(factor) = number(members.parallelization_factor) {
        settings.parallelization_factor = Some(factor);
    }
    if let Some(window) = number(members.tumbling_window_in_seconds) {
        settings.tumbling_window_seconds = Some(window);
    }
    if let Some(scaling) = &members.scaling_config {
        settings.maximum_concurrency = number(scaling.maximum_concurrency);
    }
    if let Some(key) = &members.kms_key_arn {
        settings.kms_key_arn = Some(key.clone()).filter(|key| !key.is_empty());
    }
    if let Some(types) = &members.function_response_types {
        settings.reports_batch_item_failures = !types.is_empty();
    }
    if let Some(config) = &members.metrics_config {
        let metrics = config.metrics.iter().flatten().map(ToString::to_string);
        settings.metrics = Some(metrics.collect());
    }
    if let Some(config) = &members.logging_config {
        settings.system_log_level = config.system_log_level.as_ref().map(ToString::to_string);
    }
    if let Some(criteria) = &members.filter_criteria {
        settings.filters = filters::patterns(criteria)?;
    }
    if let Some(config) = &members.provisioned_poller_config {
        settings.provisioned_pollers = pollers::provisioned(case.kind.family(), config)?;
    }
    if let Some(config) = &members.destination_config {
        settings.on_failure = on_failure(case.kind.family(), config)?;
    }
    if case.is_new {
        settings.starting_position = position::read(case)?;
        settings.topics = members.topics.clone().unwrap_or_default();
        settings.queues = members.queues.clone().unwrap_or_default();
    }
    apply_retries(members, settings)?;
    apply_source(members, settings);
    Ok(())
}

fn apply_retries(members: &Members, settings: &mut Settings) -> Result<()> {
    let given = (
        members.maximum_record_age_in_seconds,
        members.maximum_retry_attempts,
        members.bisect_batch_on_function_error,
    );
    if given == (None, None, None) {
        return Ok(());
    }
    if given.0.is_some_and(|age| age != -1 && age < 60) {
        return Err(Error::invalid(
            "MaximumRecordAgeInSeconds must be either -1 (forever) or between 60 and 604800 (inclusive)",
        ));
    }
    let present = settings.retries.unwrap_or_default();
    settings.retries = Some(Retries {
        maximum_record_age_seconds: given.0.unwrap_or(present.maximum_record_age_seconds),
        maximum_attempts: given.1.unwrap_or(present.maximum_attempts),
        bisects: given.2.unwrap_or(present.bisects),
    });
    Ok(())
}

fn apply_source(members: &Members, settings: &mut Settings) {
    if let Some(access) = &members.source_access_configurations {
        settings.source_access = Some(access.iter().map(source_access).collect());
    }
    if let Some(config) = &members.document_db_event_source_config {
        let present = settings.document_db.take();
        settings.document_db = Some(DocumentDb {
            database: config
                .database_name
                .clone()
                .or(present.as_ref().map(|present| present.database.clone()))
                .unwrap_or_default(),
            collection: config
                .collection_name
                .clone()
                .or(present.as_ref().and_then(|present| present.collection.clone())),
            full_document: config
                .full_document
                .as_ref()
                .map(ToString::to_string)
                .or(present.and_then(|present| present.full_document)),
        });
    }
    if let Some(kafka) = &mut settings.kafka {
        apply_kafka(members, kafka);
    }
}

fn source_access(access: &SourceAccessConfiguration) -> Typed {
    Typed {
        kind: access.r#type.as_ref().map(ToString::to_string).unwrap_or_default(),
        uri: access.uri.clone(),
    }
}

fn apply_kafka(members: &Members, kafka: &mut Kafka) {
    if let Some(config) = &members.amazon_managed_kafka_event_source_config {
        apply_group(kafka, config.consumer_group_id.as_ref());
        apply_registry(kafka, config.schema_registry_config.as_ref());
    }
    if let Some(config) = &members.self_managed_kafka_event_source_config {
        apply_group(kafka, config.consumer_group_id.as_ref());
        apply_registry(kafka, config.schema_registry_config.as_ref());
        if let Some(mode) = &config.consumption_mode {
            kafka.consumption_mode = Some(match mode {
                KafkaEventSourceMappingConsumptionMode::Queue => ConsumptionMode::Queue,
                _ => ConsumptionMode::Stream,
            });
        }
    }
}

fn apply_group(kafka: &mut Kafka, given: Option<&String>) {
    if let Some(id) = given {
        kafka.consumer_group_id.clone_from(id);
    }
}

/// An empty registry removes the one that was there.
fn apply_registry(kafka: &mut Kafka, given: Option<&KafkaSchemaRegistryConfig>) {
    if let Some(registry) = given {
        kafka.schema_registry =
            (*registry != KafkaSchemaRegistryConfig::default()).then(|| schema_registry(registry));
    }
}

fn schema_registry(config: &KafkaSchemaRegistryConfig) -> SchemaRegistry {
    let access = config.access_configs.iter().flatten();
    let validation = config.schema_validation_configs.iter().flatten();
    SchemaRegistry {
        uri: config.schema_registry_uri.clone(),
        event_record_format: config.event_record_format.as_ref().map(ToString::to_string),
        access: access
            .map(|access| Typed {
                kind: access.r#type.as_ref().map(ToString::to_string).unwrap_or_default(),
                uri: access.uri.clone(),
            })
            .collect(),
        validated_attributes: validation
            .filter_map(|validation| validation.attribute.as_ref())
            .map(ToString::to_string)
            .collect(),
    }
}

/// Where batches go that are given up. An empty configuration removes it.
fn on_failure(family: Family, config: &DestinationConfig) -> Result<Option<String>> {
    if config.on_success.as_ref().is_some_and(|on_success| on_success.destination.is_some()) {
        return Err(unsupported_here(&upper(DESTINATION_CONFIG)));
    }
    let Some(destination) = config.on_failure.as_ref().and_then(|on_failure| on_failure.destination.clone())
    else {
        return Ok(None);
    };
    if destination.is_empty() {
        return Ok(None);
    }
    let is_fifo = destination.ends_with(".fifo");
    match destination.split(':').nth(2) {
        _ if destination.starts_with("kafka://") && family == Family::Kafka => {}
        Some("sqs") if is_fifo => {
            return Err(Error::invalid("FIFO-type Amazon SQS queues aren't supported as a destination."));
        }
        Some("sns") if is_fifo => {
            return Err(Error::invalid("FIFO-type Amazon SNS topics aren't supported as a destination."));
        }
        Some("sqs" | "sns" | "s3") => {}
        _ => {
            return Err(Error::invalid(
                "The service specified by the TargetArn isn't supported as a destination.",
            ));
        }
    }
    Ok(Some(destination))
}
