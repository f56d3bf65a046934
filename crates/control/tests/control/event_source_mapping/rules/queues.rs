//! Queues of SQS.

use rushlight_api::Timestamp;

use super::*;

#[tokio::test]
async fn queues() {
    let world = world_with(&["f"]).await;
    let queue = || mapping_of(QUEUE);
    let fifo = || mapping_of(FIFO_QUEUE);
    let timestamp = Some(Timestamp::from_milliseconds(1));
    let window =
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10";
    for (input, text) in [
        (stream(QUEUE), "StartingPosition is not valid for SQS event sources."),
        (
            Input { starting_position_timestamp: timestamp, ..stream(QUEUE) },
            "StartingPosition is not valid for SQS event sources.",
        ),
        (
            Input { starting_position_timestamp: timestamp, ..queue() },
            "Timestamp is not valid for SQS event sources.",
        ),
        (Input { batch_size: Some(11), ..queue() }, window),
        (Input { batch_size: Some(11), maximum_batching_window_in_seconds: Some(0), ..queue() }, window),
        (Input { batch_size: Some(11), ..fifo() }, window),
        (
            Input { batch_size: Some(11), maximum_batching_window_in_seconds: Some(1), ..fifo() },
            "Batching window is not supported for FIFO queues",
        ),
        (
            Input { maximum_batching_window_in_seconds: Some(1), ..fifo() },
            "Batching window is not supported for FIFO queues",
        ),
        (
            Input { destination_config: on_failure("arn:aws:sns:eu-west-1:123456789012:t"), ..queue() },
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ),
        (
            Input { parallelization_factor: Some(1), ..queue() },
            "Unsupported ParallelizationFactor parameter for given event source mapping type.",
        ),
        (
            Input { maximum_record_age_in_seconds: Some(-1), ..queue() },
            "Unsupported MaximumRecordAgeInSeconds parameter for given event source mapping type.",
        ),
        (
            Input { maximum_retry_attempts: Some(3), ..queue() },
            "Unsupported MaximumRetryAttempts parameter for given event source mapping type.",
        ),
        (
            Input { bisect_batch_on_function_error: Some(false), ..queue() },
            "Unsupported BisectBatchOnFunctionError parameter for given event source mapping type.",
        ),
        (
            Input { tumbling_window_in_seconds: Some(30), ..queue() },
            "Unsupported TumblingWindowInSeconds parameter for given event source mapping type.",
        ),
        (
            Input { topics: Some(vec!["t".into()]), ..queue() },
            "Unsupported Topics parameter for given event source mapping type.",
        ),
        (
            Input { source_access_configurations: Some(access("BASIC_AUTH")), ..queue() },
            "Unsupported SourceAccessConfigurations parameter for given event source mapping type.",
        ),
        (
            Input { document_db_event_source_config: database().document_db_event_source_config, ..queue() },
            "Unsupported DocumentDBEventSourceConfig parameter for given event source mapping type.",
        ),
        (
            Input {
                logging_config: Some(EventSourceMappingLoggingConfig {
                    system_log_level: Some("INFO".into()),
                }),
                ..queue()
            },
            "Unsupported LoggingConfig parameter for given event source mapping type.",
        ),
        (
            Input { metrics_config: metrics(&["ErrorCount"]), ..queue() },
            "Invalid EventSourceMapping metrics. Expected values: [EventCount]",
        ),
    ] {
        assert_refused(&world, input, text).await;
    }
    for (input, size, window) in [
        (queue(), 10, 0),
        (fifo(), 10, 0),
        (
            Input { batch_size: Some(10_000), maximum_batching_window_in_seconds: Some(300), ..queue() },
            10_000,
            300,
        ),
        (Input { batch_size: Some(1), maximum_batching_window_in_seconds: Some(0), ..fifo() }, 1, 0),
    ] {
        let shown = accepted(&world, input).await;
        assert_eq!((shown.batch_size, shown.maximum_batching_window_in_seconds), (Some(size), Some(window)));
    }
    let shown = accepted(
        &world,
        Input { function_response_types: reports(), metrics_config: metrics(&["EventCount"]), ..queue() },
    )
    .await;
    assert_eq!((shown.function_response_types, shown.metrics_config), (reports(), metrics(&["EventCount"])));
}

#[tokio::test]
async fn scaling_of_queues() {
    let world = world_with(&["f"]).await;
    let queue = || mapping_of(QUEUE);
    let concurrency = |maximum| Some(ScalingConfig { maximum_concurrency: Some(maximum) });
    let range = "MinimumPollers should be between [2, 200] and MaximumPollers should be between [MinimumPollers, 10000]";
    for (minimum, maximum, text) in [
        (Some(1), None, range),
        (Some(201), Some(300), range),
        (None, Some(1), range),
        (Some(2), Some(10_001), range),
        (Some(10), Some(5), "MinimumPollers must be less than or equal to MaximumPollers."),
    ] {
        let input = Input { provisioned_poller_config: pollers(minimum, maximum), ..queue() };
        assert_refused(&world, input, text).await;
    }
    for (minimum, maximum, shown) in
        [(Some(2), Some(10_000), (2, 10_000)), (Some(200), None, (200, 200)), (None, Some(2), (2, 2))]
    {
        let input = Input { provisioned_poller_config: pollers(minimum, maximum), ..queue() };
        let config = accepted(&world, input).await.provisioned_poller_config;
        assert_eq!(config, pollers(Some(shown.0), Some(shown.1)));
    }
    let group = Some(ProvisionedPollerConfig {
        poller_group_name: Some("g".into()),
        ..pollers(Some(2), Some(10)).unwrap()
    });
    let input = Input { provisioned_poller_config: group, ..queue() };
    assert_refused(&world, input, "Invalid parameter: pollerGroupName").await;
    let both = Input {
        provisioned_poller_config: pollers(Some(2), Some(10)),
        scaling_config: concurrency(2),
        ..queue()
    };
    let text = "Provisioned mode for SQS ESM does not support maximum concurrency feature. Use MaximumPollers as the \
                control mechanism and remove maximum concurrency.";
    assert_refused(&world, both, text).await;
    let shown = accepted(&world, Input { scaling_config: concurrency(1000), ..queue() }).await;
    assert_eq!(shown.scaling_config, concurrency(1000));
    let empty = Input { provisioned_poller_config: pollers(None, None), ..queue() };
    assert_eq!(accepted(&world, empty).await.provisioned_poller_config, None);
}
