//! Topics of Kafka, in clusters of Amazon MSK and others.

use rushlight_model::event_source_mapping::{ConsumptionMode, Retries, SchemaRegistry, Settings, SourceKind};

use super::super::members::{
    AMAZON_MANAGED_KAFKA, BISECT_BATCH, DESTINATION_CONFIG, FILTER_CRITERIA, FUNCTION_RESPONSE_TYPES,
    LOGGING_CONFIG, MAXIMUM_RECORD_AGE, MAXIMUM_RETRY_ATTEMPTS, METRICS_CONFIG, Members, PROVISIONED_POLLERS,
    SELF_MANAGED_KAFKA, SOURCE_ACCESS, STARTING_POSITION, STARTING_POSITION_TIMESTAMP, TOPICS,
};
use super::{Case, check_metrics, check_source_access, missing, refuse_unsupported_quoted, unsupported_here};
use crate::error::{Error, Result};

/// And the configuration of the cluster's kind.
const ACCEPTED: [&str; 13] = [
    STARTING_POSITION,
    STARTING_POSITION_TIMESTAMP,
    DESTINATION_CONFIG,
    MAXIMUM_RECORD_AGE,
    BISECT_BATCH,
    MAXIMUM_RETRY_ATTEMPTS,
    TOPICS,
    SOURCE_ACCESS,
    FUNCTION_RESPONSE_TYPES,
    PROVISIONED_POLLERS,
    FILTER_CRITERIA,
    METRICS_CONFIG,
    LOGGING_CONFIG,
];

const MSK_ACCESS: [&str; 4] =
    ["SASL_SCRAM_512_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH", "IAM_AUTH", "IAM_OAUTHBEARER_AUTH"];
const SELF_MANAGED_ACCESS: [&str; 14] = [
    "BASIC_AUTH",
    "VPC_SUBNET",
    "VPC_SECURITY_GROUP",
    "SASL_SCRAM_512_AUTH",
    "SASL_SCRAM_256_AUTH",
    "CLIENT_CERTIFICATE_TLS_AUTH",
    "SERVER_ROOT_CA_CERTIFICATE",
    "OAUTHBEARER_AUTH",
    "OAUTHBEARER_SCOPE",
    "OAUTHBEARER_AUDIENCE",
    "OAUTHBEARER_LOGICAL_CLUSTER",
    "OAUTHBEARER_IDENTITY_POOL",
    "IAM_AUTH",
    "IAM_OAUTHBEARER_AUTH",
];

pub(super) fn check_members(case: &Case<'_>) -> Result<()> {
    let members = case.members;
    let is_msk = case.kind == SourceKind::Msk;
    let shares = shares_a_group(members);
    if case.is_new {
        if !is_msk && members.source_access_configurations.is_none() {
            return Err(missing(SOURCE_ACCESS));
        }
        if members.topics.is_none() {
            return Err(missing(TOPICS));
        }
        if members.starting_position.is_none() && !shares {
            return Err(missing(STARTING_POSITION));
        }
    }
    let own = if is_msk { AMAZON_MANAGED_KAFKA } else { SELF_MANAGED_KAFKA };
    refuse_unsupported_quoted(case, &[ACCEPTED.as_slice(), &[own]].concat())?;
    if shares && members.starting_position.is_some() {
        return Err(unsupported_here(&format!("'{STARTING_POSITION}'")));
    }
    if shares && members.maximum_batching_window_in_seconds.is_some() {
        return Err(unsupported_here("'maximumBatchingWindowInSeconds'"));
    }
    if !case.is_new {
        check_fixed(members)?;
    }
    check_source_access(case, if is_msk { &MSK_ACCESS } else { &SELF_MANAGED_ACCESS })?;
    check_metrics(case, &["EventCount", "ErrorCount", "KafkaMetrics"])
}

fn shares_a_group(members: &Members) -> bool {
    let config = members.self_managed_kafka_event_source_config.as_ref();
    let mode = config.and_then(|config| config.consumption_mode.as_ref());
    mode.is_some_and(|mode| mode.as_str() == "Queue")
}

/// What cannot be changed is refused in an update even when it stays the same.
fn check_fixed(members: &Members) -> Result<()> {
    let refuse = |config: &str, member: &str| Err(unsupported_here(&format!("'{config}.{member}'")));
    if let Some(config) = &members.amazon_managed_kafka_event_source_config
        && config.consumer_group_id.is_some()
    {
        return refuse(AMAZON_MANAGED_KAFKA, "consumerGroupId");
    }
    if let Some(config) = &members.self_managed_kafka_event_source_config {
        if config.consumer_group_id.is_some() {
            return refuse(SELF_MANAGED_KAFKA, "consumerGroupId");
        }
        if config.consumption_mode.is_some() {
            return refuse(SELF_MANAGED_KAFKA, "consumptionMode");
        }
    }
    Ok(())
}

/// Much is only to be had in provisioned mode.
pub(super) fn check(settings: &mut Settings) -> Result<()> {
    let kafka = settings.kafka.clone().unwrap_or_default();
    if settings.provisioned_pollers.is_none() {
        if kafka.schema_registry.is_some() {
            return Err(Error::invalid(
                "SchemaRegistryConfig is only available for Provisioned Mode. To configure Schema Registry, please \
                 enable Provisioned Mode by specifying MinimumPollers in ProvisionedPollerConfig.",
            ));
        }
        if let Some(member) = needs_provisioned_mode(settings) {
            return Err(Error::invalid(format!(
                "{member} is only available for Provisioned Mode. Enable Provisioned Mode by specifying \
                 MinimumPollers in ProvisionedPollerConfig."
            )));
        }
        settings.retries = None;
        return Ok(());
    }
    if settings.retries.is_none() {
        settings.retries = Some(match kafka.consumption_mode {
            Some(ConsumptionMode::Queue) => Retries { maximum_attempts: 0, ..Retries::default() },
            _ => Retries::default(),
        });
    }
    kafka.schema_registry.as_ref().map_or(Ok(()), check_schema_registry)
}

fn needs_provisioned_mode(settings: &Settings) -> Option<&'static str> {
    let none = Retries::default();
    let retries = settings.retries.unwrap_or_default();
    [
        ("MaximumRecordAgeInSeconds", retries.maximum_record_age_seconds != none.maximum_record_age_seconds),
        ("MaximumRetryAttempts", retries.maximum_attempts != none.maximum_attempts),
        ("BisectBatchOnFunctionError", retries.bisects),
        ("FunctionResponseTypes", settings.reports_batch_item_failures),
        ("MetricsConfig", settings.metrics.as_ref().is_some_and(|metrics| !metrics.is_empty())),
        ("LoggingConfig", settings.system_log_level.is_some()),
        (
            "DestinationConfig",
            settings.on_failure.as_ref().is_some_and(|destination| destination.starts_with("kafka://")),
        ),
    ]
    .into_iter()
    .find_map(|(member, is_set)| is_set.then_some(member))
}

fn check_schema_registry(registry: &SchemaRegistry) -> Result<()> {
    for (member, is_given) in [
        ("schemaRegistryURI", registry.uri.is_some()),
        ("eventRecordFormat", registry.event_record_format.is_some()),
        ("schemaValidationConfigs", !registry.validated_attributes.is_empty()),
    ] {
        if !is_given {
            return Err(missing(&format!("schemaRegistryConfig.{member}")));
        }
    }
    Ok(())
}
