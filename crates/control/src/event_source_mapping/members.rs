//! The members of a request under the names that refusals give them.

use rushlight_api::lambda::types::{CreateEventSourceMappingRequest, UpdateEventSourceMappingRequest};

/// The members of either request. An update has fewer.
pub(super) type Members = CreateEventSourceMappingRequest;

/// The members of an update.
pub(super) fn of_update(input: UpdateEventSourceMappingRequest) -> Members {
    Members {
        function_name: input.function_name.unwrap_or_default(),
        enabled: input.enabled,
        batch_size: input.batch_size,
        filter_criteria: input.filter_criteria,
        kms_key_arn: input.kms_key_arn,
        metrics_config: input.metrics_config,
        logging_config: input.logging_config,
        scaling_config: input.scaling_config,
        maximum_batching_window_in_seconds: input.maximum_batching_window_in_seconds,
        parallelization_factor: input.parallelization_factor,
        destination_config: input.destination_config,
        maximum_record_age_in_seconds: input.maximum_record_age_in_seconds,
        bisect_batch_on_function_error: input.bisect_batch_on_function_error,
        maximum_retry_attempts: input.maximum_retry_attempts,
        tumbling_window_in_seconds: input.tumbling_window_in_seconds,
        source_access_configurations: input.source_access_configurations,
        function_response_types: input.function_response_types,
        amazon_managed_kafka_event_source_config: input.amazon_managed_kafka_event_source_config,
        self_managed_kafka_event_source_config: input.self_managed_kafka_event_source_config,
        document_db_event_source_config: input.document_db_event_source_config,
        provisioned_poller_config: input.provisioned_poller_config,
        ..Members::default()
    }
}

/// The members that not every source takes, in lower camel case as the newer sources' refusals have them.
type Named = (&'static str, fn(&Members) -> bool);

pub(super) const STARTING_POSITION: &str = "startingPosition";
pub(super) const STARTING_POSITION_TIMESTAMP: &str = "startingPositionTimestamp";
pub(super) const PARALLELIZATION_FACTOR: &str = "parallelizationFactor";
pub(super) const DESTINATION_CONFIG: &str = "destinationConfig";
pub(super) const MAXIMUM_RECORD_AGE: &str = "maximumRecordAgeInSeconds";
pub(super) const BISECT_BATCH: &str = "bisectBatchOnFunctionError";
pub(super) const MAXIMUM_RETRY_ATTEMPTS: &str = "maximumRetryAttempts";
pub(super) const TUMBLING_WINDOW: &str = "tumblingWindowInSeconds";
pub(super) const TOPICS: &str = "topics";
pub(super) const QUEUES: &str = "queues";
pub(super) const SOURCE_ACCESS: &str = "sourceAccessConfigurations";
pub(super) const FUNCTION_RESPONSE_TYPES: &str = "functionResponseTypes";
pub(super) const AMAZON_MANAGED_KAFKA: &str = "amazonManagedKafkaEventSourceConfig";
pub(super) const SELF_MANAGED_KAFKA: &str = "selfManagedKafkaEventSourceConfig";
pub(super) const DOCUMENT_DB: &str = "documentDBEventSourceConfig";
pub(super) const SCALING_CONFIG: &str = "scalingConfig";
pub(super) const PROVISIONED_POLLERS: &str = "provisionedPollerConfig";
pub(super) const FILTER_CRITERIA: &str = "filterCriteria";
pub(super) const METRICS_CONFIG: &str = "metricsConfig";
pub(super) const LOGGING_CONFIG: &str = "loggingConfig";

const NAMED: [Named; 20] = [
    (STARTING_POSITION, |members| members.starting_position.is_some()),
    (STARTING_POSITION_TIMESTAMP, |members| members.starting_position_timestamp.is_some()),
    (PARALLELIZATION_FACTOR, |members| members.parallelization_factor.is_some()),
    (DESTINATION_CONFIG, |members| members.destination_config.is_some()),
    (MAXIMUM_RECORD_AGE, |members| members.maximum_record_age_in_seconds.is_some()),
    (BISECT_BATCH, |members| members.bisect_batch_on_function_error.is_some()),
    (MAXIMUM_RETRY_ATTEMPTS, |members| members.maximum_retry_attempts.is_some()),
    (TUMBLING_WINDOW, |members| members.tumbling_window_in_seconds.is_some()),
    (TOPICS, |members| members.topics.is_some()),
    (QUEUES, |members| members.queues.is_some()),
    (SOURCE_ACCESS, |members| members.source_access_configurations.is_some()),
    (FUNCTION_RESPONSE_TYPES, |members| members.function_response_types.is_some()),
    (AMAZON_MANAGED_KAFKA, |members| members.amazon_managed_kafka_event_source_config.is_some()),
    (SELF_MANAGED_KAFKA, |members| members.self_managed_kafka_event_source_config.is_some()),
    (DOCUMENT_DB, |members| members.document_db_event_source_config.is_some()),
    (SCALING_CONFIG, |members| members.scaling_config.is_some()),
    (PROVISIONED_POLLERS, |members| members.provisioned_poller_config.is_some()),
    (FILTER_CRITERIA, |members| members.filter_criteria.is_some()),
    (METRICS_CONFIG, |members| members.metrics_config.is_some()),
    (LOGGING_CONFIG, |members| members.logging_config.is_some()),
];

/// The members that the request has and `accepted` does not list.
pub(super) fn unsupported<'a>(
    members: &'a Members,
    accepted: &'a [&'static str],
) -> impl Iterator<Item = &'static str> + 'a {
    NAMED
        .iter()
        .filter(|(name, is_given)| !accepted.contains(name) && is_given(members))
        .map(|(name, _)| *name)
}

/// The name as the model has it.
pub(super) fn upper(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_and_not_accepted_is_named() {
        let members = Members {
            parallelization_factor: Some(2),
            topics: Some(vec!["t".into()]),
            batch_size: Some(1),
            ..Members::default()
        };
        let named: Vec<_> = unsupported(&members, &[TOPICS]).collect();
        assert_eq!(named, [PARALLELIZATION_FACTOR]);
        assert_eq!(upper(PARALLELIZATION_FACTOR), "ParallelizationFactor");
        assert_eq!(upper(DOCUMENT_DB), "DocumentDBEventSourceConfig");
    }
}
