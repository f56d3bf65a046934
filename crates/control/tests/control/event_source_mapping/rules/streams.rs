//! Streams of Kinesis and DynamoDB.

use rushlight_api::Timestamp;

use super::*;

#[tokio::test]
async fn streams() {
    let world = world_with(&["f"]).await;
    let kinesis = || stream(STREAM);
    let position = |position: EventSourcePosition, timestamp: Option<i64>| Input {
        starting_position: Some(position),
        starting_position_timestamp: timestamp.map(Timestamp::from_milliseconds),
        ..mapping_of(STREAM)
    };
    let at = EventSourcePosition::AtTimestamp;
    let missing = "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member \
                   must not be null.";
    let only = "Timestamp only valid with StartingPosition AT_TIMESTAMP";
    let service = "The service specified by the TargetArn isn't supported as a destination.";
    let age = "MaximumRecordAgeInSeconds must be either -1 (forever) or between 60 and 604800 (inclusive)";
    let tomorrow = world.clock.now().as_millis() + 86_400_000;
    for (input, text) in [
        (mapping_of(STREAM), missing),
        (mapping_of(TABLE_STREAM), missing),
        (position(EventSourcePosition::Latest, Some(1)), only),
        (position(EventSourcePosition::TrimHorizon, Some(1)), only),
        (position(at.clone(), None), "Need to specify a timestamp"),
        (
            position(at.clone(), Some(-1)),
            "Received Exception while reading from provided stream. class java.lang.Long can not be converted to a \
             Timestamp",
        ),
        (position(at.clone(), Some(tomorrow)), "StartingPositionTimestamp cannot be in the future."),
        (
            Input { starting_position: Some(at.clone()), ..mapping_of(TABLE_STREAM) },
            &format!("Unsupported starting position for arn type: {TABLE_STREAM}"),
        ),
        (Input { maximum_record_age_in_seconds: Some(59), ..kinesis() }, age),
        (Input { maximum_record_age_in_seconds: Some(0), ..kinesis() }, age),
        (
            Input { scaling_config: Some(ScalingConfig { maximum_concurrency: Some(10) }), ..kinesis() },
            "Unsupported ScalingConfig parameter for given event source mapping type.",
        ),
        (
            Input { provisioned_poller_config: pollers(Some(2), Some(10)), ..kinesis() },
            "Unsupported ProvisionedPollerConfig parameter for given event source mapping type.",
        ),
        (
            Input { queues: Some(vec!["q".into()]), ..kinesis() },
            "Unsupported Queues parameter for given event source mapping type.",
        ),
        (
            Input { metrics_config: metrics(&["EventCount", "KafkaMetrics"]), ..kinesis() },
            "Invalid EventSourceMapping metrics. Expected values: [EventCount]",
        ),
        (
            Input {
                destination_config: on_failure("arn:aws:lambda:eu-west-1:123456789012:function:f"),
                ..kinesis()
            },
            service,
        ),
        (Input { destination_config: on_failure("kafka://topic"), ..kinesis() }, service),
        (
            Input {
                destination_config: on_failure("arn:aws:sqs:eu-west-1:123456789012:q.fifo"),
                ..kinesis()
            },
            "FIFO-type Amazon SQS queues aren't supported as a destination.",
        ),
        (
            Input {
                destination_config: Some(DestinationConfig {
                    on_success: Some(OnSuccess {
                        destination: Some("arn:aws:sqs:eu-west-1:123456789012:q".into()),
                    }),
                    on_failure: None,
                }),
                ..kinesis()
            },
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ),
        (
            Input { tumbling_window_in_seconds: Some(1), parallelization_factor: Some(2), ..kinesis() },
            "TumblingWindowInSeconds is not supported with a ParallelizationFactor greater than 1.",
        ),
    ] {
        assert_refused(&world, input, text).await;
    }
    let shown = accepted(&world, position(at, Some(1_700_000_000_123))).await;
    assert_eq!(shown.starting_position, Some(EventSourcePosition::AtTimestamp));
    assert_eq!(shown.starting_position_timestamp, Some(Timestamp::from_milliseconds(1_700_000_000_123)));
    accepted(&world, stream(&format!("{STREAM}/consumer/c:1700000000"))).await;
    for destination in [
        "arn:aws:sqs:eu-west-1:123456789012:q",
        "arn:aws:sns:eu-west-1:123456789012:t",
        "arn:aws:s3:::bucket",
    ] {
        let input = Input { destination_config: on_failure(destination), ..stream(TABLE_STREAM) };
        assert_eq!(accepted(&world, input).await.destination_config, on_failure(destination));
    }
    for (retries, age) in [(-1, 60), (10_000, 604_800), (0, -1)] {
        let input = Input {
            maximum_retry_attempts: Some(retries),
            maximum_record_age_in_seconds: Some(age),
            bisect_batch_on_function_error: Some(true),
            ..kinesis()
        };
        let shown = accepted(&world, input).await;
        assert_eq!(
            (
                shown.maximum_retry_attempts,
                shown.maximum_record_age_in_seconds,
                shown.bisect_batch_on_function_error
            ),
            (Some(retries), Some(age), Some(true))
        );
    }
}

#[tokio::test]
async fn an_update_of_a_stream_sets_and_clears_its_destination() {
    let world = world_with(&["f"]).await;
    let id = uuid(&created(&world, stream(STREAM)).await);
    let nothing =
        Some(DestinationConfig { on_success: None, on_failure: Some(OnFailure { destination: None }) });
    let topic = on_failure("arn:aws:sns:eu-west-1:123456789012:t");
    for (config, shown) in
        [(topic.clone(), topic.clone()), (None, topic), (Some(DestinationConfig::default()), nothing)]
    {
        let input = UpdateEventSourceMappingRequest { destination_config: config, ..change(&id) };
        assert_eq!(update(&world, input).await.unwrap().destination_config, shown);
        settled(&world, &id).await;
    }
}
