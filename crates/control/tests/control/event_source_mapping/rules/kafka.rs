//! Topics of Kafka.

use super::*;

#[tokio::test]
async fn kafka() {
    let world = world_with(&["f"]).await;
    let group = |id: &str| {
        Some(AmazonManagedKafkaEventSourceConfig {
            consumer_group_id: Some(id.into()),
            schema_registry_config: None,
        })
    };
    let self_managed_group = |id: &str, mode: Option<&str>| {
        Some(SelfManagedKafkaEventSourceConfig {
            consumer_group_id: Some(id.into()),
            schema_registry_config: None,
            consumption_mode: mode.map(Into::into),
        })
    };
    let access_type = "Unsupported source access configurations type for given event source mapping type.";
    let quoted = |name: &str| format!("Unsupported '{name}' parameter for given event source mapping type.");
    let missing = |name: &str| format!("Required '{name}' parameter is missing.");
    let endpoints = Some(SelfManagedEventSource { endpoints: None });
    for (input, text) in [
        (Input { topics: None, ..msk() }, missing("topics")),
        (Input { starting_position: None, ..msk() }, missing("startingPosition")),
        (
            Input { source_access_configurations: None, topics: None, ..self_managed() },
            missing("sourceAccessConfigurations"),
        ),
        (
            Input { self_managed_event_source: endpoints, ..self_managed() },
            missing("selfManagedEventSource.endpoints"),
        ),
        (Input { parallelization_factor: Some(1), ..msk() }, quoted("parallelizationFactor")),
        (Input { tumbling_window_in_seconds: Some(1), ..msk() }, quoted("tumblingWindowInSeconds")),
        (Input { queues: Some(vec!["q".into()]), ..msk() }, quoted("queues")),
        (
            Input { self_managed_kafka_event_source_config: self_managed_group("g", None), ..msk() },
            quoted("selfManagedKafkaEventSourceConfig"),
        ),
        (
            Input { amazon_managed_kafka_event_source_config: group("g"), ..self_managed() },
            quoted("amazonManagedKafkaEventSourceConfig"),
        ),
        (
            Input {
                self_managed_kafka_event_source_config: self_managed_group("g", Some("Queue")),
                ..self_managed()
            },
            quoted("startingPosition"),
        ),
        (Input { source_access_configurations: Some(access("BASIC_AUTH")), ..msk() }, access_type.into()),
        (
            Input { source_access_configurations: Some(access("VIRTUAL_HOST")), ..self_managed() },
            access_type.into(),
        ),
    ] {
        assert_refused(&world, input, &text).await;
    }
    let shown = create(&world, msk()).await.unwrap();
    assert_eq!(shown.amazon_managed_kafka_event_source_config, group(shown.uuid.as_deref().unwrap()));
    assert_eq!((shown.batch_size, shown.maximum_batching_window_in_seconds), (Some(100), None));
    assert_eq!((shown.maximum_retry_attempts, shown.provisioned_poller_config), (None, None));
    let own = Input {
        amazon_managed_kafka_event_source_config: group("g"),
        topics: Some(vec!["own".into()]),
        ..msk()
    };
    assert_eq!(accepted(&world, own).await.amazon_managed_kafka_event_source_config, group("g"));
    let queue = Input {
        starting_position: None,
        self_managed_kafka_event_source_config: self_managed_group("g", Some("Queue")),
        provisioned_poller_config: pollers(Some(1), None),
        ..self_managed()
    };
    let shown = accepted(&world, queue).await;
    assert_eq!(shown.self_managed_kafka_event_source_config, self_managed_group("g", Some("Queue")));
    assert_eq!((shown.starting_position, shown.maximum_retry_attempts), (None, Some(0)));
}

#[tokio::test]
async fn provisioned_mode_of_kafka() {
    let world = world_with(&["f"]).await;
    let registry = KafkaSchemaRegistryConfig {
        schema_registry_uri: Some("https://registry".into()),
        event_record_format: Some("JSON".into()),
        access_configs: None,
        schema_validation_configs: Some(vec![KafkaSchemaValidationConfig { attribute: Some("KEY".into()) }]),
    };
    let with_registry = |registry: &KafkaSchemaRegistryConfig| {
        Some(AmazonManagedKafkaEventSourceConfig {
            consumer_group_id: None,
            schema_registry_config: Some(registry.clone()),
        })
    };
    let only = |name: &str| {
        format!(
            "{name} is only available for Provisioned Mode. Enable Provisioned Mode by specifying MinimumPollers in \
             ProvisionedPollerConfig."
        )
    };
    let logging = Some(EventSourceMappingLoggingConfig { system_log_level: Some("DEBUG".into()) });
    let provisioned = Input {
        maximum_retry_attempts: Some(3),
        maximum_record_age_in_seconds: Some(60),
        bisect_batch_on_function_error: Some(true),
        function_response_types: reports(),
        metrics_config: metrics(&["EventCount", "ErrorCount", "KafkaMetrics"]),
        logging_config: logging.clone(),
        destination_config: on_failure("kafka://failed"),
        amazon_managed_kafka_event_source_config: with_registry(&registry),
        provisioned_poller_config: pollers(Some(1), Some(2000)),
        ..msk()
    };
    for (input, text) in [
        (Input { maximum_retry_attempts: Some(0), ..msk() }, only("MaximumRetryAttempts")),
        (Input { maximum_record_age_in_seconds: Some(60), ..msk() }, only("MaximumRecordAgeInSeconds")),
        (Input { bisect_batch_on_function_error: Some(true), ..msk() }, only("BisectBatchOnFunctionError")),
        (Input { function_response_types: reports(), ..msk() }, only("FunctionResponseTypes")),
        (Input { metrics_config: metrics(&["EventCount"]), ..msk() }, only("MetricsConfig")),
        (Input { logging_config: logging, ..msk() }, only("LoggingConfig")),
        (Input { destination_config: on_failure("kafka://failed"), ..msk() }, only("DestinationConfig")),
        (
            Input { provisioned_poller_config: None, ..provisioned.clone() },
            "SchemaRegistryConfig is only available for Provisioned Mode. To configure Schema Registry, please enable \
             Provisioned Mode by specifying MinimumPollers in ProvisionedPollerConfig."
                .into(),
        ),
        (
            Input { provisioned_poller_config: pollers(Some(1), Some(2001)), ..msk() },
            "MinimumPollers should be between [1, 200] and MaximumPollers should be between [MinimumPollers, 2000]"
                .into(),
        ),
        (
            Input {
                amazon_managed_kafka_event_source_config: with_registry(&KafkaSchemaRegistryConfig {
                    schema_validation_configs: None,
                    ..registry.clone()
                }),
                ..provisioned.clone()
            },
            "Required 'schemaRegistryConfig.schemaValidationConfigs' parameter is missing.".into(),
        ),
    ] {
        assert_refused(&world, input, &text).await;
    }
    let id = uuid(&created(&world, provisioned).await);
    let shown = get(&world, &id).await.unwrap();
    let config = shown.amazon_managed_kafka_event_source_config.unwrap();
    assert_eq!(config.schema_registry_config, Some(registry));
    assert_eq!((shown.maximum_retry_attempts, shown.bisect_batch_on_function_error), (Some(3), Some(true)));
    let update_config = |consumer_group_id: Option<&str>, registry| UpdateEventSourceMappingRequest {
        amazon_managed_kafka_event_source_config: Some(AmazonManagedKafkaEventSourceConfig {
            consumer_group_id: consumer_group_id.map(Into::into),
            schema_registry_config: registry,
        }),
        ..change(&id)
    };
    assert_update_refused(
        &world,
        update_config(Some(&id), None),
        "Unsupported 'amazonManagedKafkaEventSourceConfig.consumerGroupId' parameter for given event source mapping \
         type.",
    )
    .await;
    for (registry, remains) in [(None, true), (Some(KafkaSchemaRegistryConfig::default()), false)] {
        let shown = update(&world, update_config(None, registry)).await.unwrap();
        let config = shown.amazon_managed_kafka_event_source_config.unwrap();
        assert_eq!(
            (config.schema_registry_config.is_some(), config.consumer_group_id.as_deref()),
            (remains, Some(id.as_str()))
        );
        settled(&world, &id).await;
    }
    let on_demand =
        UpdateEventSourceMappingRequest { provisioned_poller_config: pollers(None, None), ..change(&id) };
    assert_update_refused(&world, on_demand, &only("MaximumRecordAgeInSeconds")).await;
}
