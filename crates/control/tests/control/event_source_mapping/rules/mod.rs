//! Which members a source takes, which it needs, and what they may be.

mod brokers;
mod kafka;
mod queues;
mod streams;

use rushlight_control::SourceRefusal;

use super::*;

type Input = CreateEventSourceMappingRequest;

async fn assert_refused(world: &World, input: Input, text: &str) {
    match create(world, input.clone()).await {
        Ok(_) => panic!("accepted: {input:?}"),
        Err(error) => {
            assert_eq!(error.message.as_deref(), Some(text), "{input:?}");
            assert_eq!(error.code, "InvalidParameterValueException");
        }
    }
}

async fn assert_update_refused(world: &World, input: UpdateEventSourceMappingRequest, text: &str) {
    let error = update(world, input.clone()).await.expect_err(&format!("{input:?}"));
    assert_eq!(error.message.as_deref(), Some(text), "{input:?}");
    assert_eq!(error.code, "InvalidParameterValueException");
}

/// Creates, looks and deletes.
async fn accepted(world: &World, input: Input) -> Mapping {
    let mapping = create(world, input.clone()).await.unwrap_or_else(|error| panic!("{error:?}: {input:?}"));
    let shown = settled(world, &uuid(&mapping)).await;
    delete(world, &uuid(&mapping)).await.unwrap();
    gone(world, &uuid(&mapping)).await;
    shown
}

fn filters(patterns: &[&str]) -> Option<FilterCriteria> {
    let filters = patterns.iter().map(|pattern| Filter { pattern: Some((*pattern).to_owned()) }).collect();
    Some(FilterCriteria { filters: Some(filters) })
}

fn on_failure(destination: &str) -> Option<DestinationConfig> {
    Some(DestinationConfig {
        on_success: None,
        on_failure: Some(OnFailure { destination: Some(destination.into()) }),
    })
}

fn pollers(minimum: Option<i32>, maximum: Option<i32>) -> Option<ProvisionedPollerConfig> {
    Some(ProvisionedPollerConfig {
        minimum_pollers: minimum,
        maximum_pollers: maximum,
        poller_group_name: None,
    })
}

fn metrics(metrics: &[&str]) -> Option<EventSourceMappingMetricsConfig> {
    let metrics = metrics.iter().map(|metric| (*metric).into()).collect();
    Some(EventSourceMappingMetricsConfig { metrics: Some(metrics) })
}

fn reports() -> Option<Vec<FunctionResponseType>> {
    Some(vec![FunctionResponseType::ReportBatchItemFailures])
}

#[tokio::test]
async fn sources() {
    let world = world_with(&["f"]).await;
    let none = Input { event_source_arn: None, ..mapping_of(QUEUE) };
    assert_refused(&world, none, "Unrecognized event source.").await;
    let both = Input { self_managed_event_source: servers(&["k:1"]), ..mapping_of(QUEUE) };
    assert_refused(&world, both, "Unrecognized event source.").await;
    for arn in ["arn:aws:s3:::bucket", "arn:aws:docdb-elastic:eu-west-1:123456789012:cluster/1"] {
        let text = format!("Unrecognized event source. Unsupported source arn : {arn}");
        assert_refused(&world, mapping_of(arn), &text).await;
    }
    for arn in
        ["arn:aws:sqs:us-east-1:123456789012:q", "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/1"]
    {
        let text = "Event source region must match Lambda region eu-west-1";
        assert_refused(&world, stream(arn), text).await;
    }
    let other_account = |arn: &str| Some(arn.replace("123456789012", "999999999999"));
    let text = "Role and event source must be in the same account as the cloud function";
    assert_refused(&world, Input { event_source_arn: other_account(BROKER), ..broker() }, text).await;
    assert_refused(&world, Input { event_source_arn: other_account(DATABASE), ..database() }, text).await;
    accepted(&world, Input { event_source_arn: other_account(QUEUE), ..mapping_of(QUEUE) }).await;
}

#[tokio::test]
async fn functions() {
    let world = world_with(&["f"]).await;
    let named = |name: &str| Input { function_name: name.into(), ..mapping_of(QUEUE) };
    for name in ["g", &"f".repeat(65), "f:live", "f:1", "arn:aws:lambda:eu-west-1:123456789012:function:g"] {
        assert_refused(&world, named(name), "Function does not exist").await;
    }
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f";
    for name in ["f", "function:f", "123456789012:function:f", arn] {
        assert_eq!(accepted(&world, named(name)).await.function_arn.as_deref(), Some(arn));
        let qualified = accepted(&world, named(&format!("{name}:$LATEST"))).await;
        assert_eq!(qualified.function_arn, Some(format!("{arn}:$LATEST")));
    }
    let other = create(&world, named("999999999999:function:f")).await.unwrap_err();
    assert_eq!((other.code.as_ref(), other.status.as_u16()), ("AccessDeniedException", 403));
    let id = uuid(&created(&world, mapping_of(QUEUE)).await);
    let input = UpdateEventSourceMappingRequest { function_name: Some("g".into()), ..change(&id) };
    assert_update_refused(&world, input, "Function does not exist").await;
}

#[tokio::test]
async fn what_the_source_s_service_says() {
    let world = world_with(&["f"]).await;
    for (refusal, text) in [
        (
            SourceRefusal::NoQueue,
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS \
             Error Message: The specified queue does not exist."
                .to_owned(),
        ),
        (SourceRefusal::NoStream { arn: STREAM.into() }, format!("Stream not found: {STREAM}")),
        (
            SourceRefusal::VisibilityTimeout { queue: 30, function: 90 },
            "Queue visibility timeout: 30 seconds is less than Function timeout: 90 seconds".to_owned(),
        ),
    ] {
        *world.sources.refusal.lock() = Some(refusal);
        assert_refused(&world, mapping_of(QUEUE), &text).await;
    }
    assert!(list_all(&world).await.is_empty());
}

#[tokio::test]
async fn filter_patterns() {
    let world = world_with(&["f"]).await;
    let pattern = r#"{"body":{"a":[{"prefix":"x"}]}}"#;
    let filtered = |patterns: &[&str]| Input { filter_criteria: filters(patterns), ..mapping_of(QUEUE) };
    for bad in ["", "x", "{}", r#"{"a":1}"#, r#"{"a":[]}"#, r#"{"a":[{"unknown":1}]}"#] {
        assert_refused(&world, filtered(&[pattern, bad]), "Invalid filter pattern definition.").await;
    }
    let none = Some(FilterCriteria { filters: Some(vec![Filter { pattern: None }]) });
    let input = Input { filter_criteria: none, ..mapping_of(QUEUE) };
    assert_refused(&world, input, "Invalid filter pattern definition.").await;
    assert_refused(
        &world,
        filtered(&[pattern; 6]),
        "Too many filter patterns, maximum allowed 5 patterns, provided 6 patterns.",
    )
    .await;
    assert_eq!(accepted(&world, filtered(&[pattern; 5])).await.filter_criteria, filters(&[pattern; 5]));
    assert_eq!(accepted(&world, filtered(&[])).await.filter_criteria, None);
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_empty_members_clear() {
    let world = world_with(&["f"]).await;
    let pattern = r#"{"body":["x"]}"#;
    let key = "arn:aws:kms:eu-west-1:123456789012:key/1";
    let id = uuid(
        &created(
            &world,
            Input {
                batch_size: Some(20),
                maximum_batching_window_in_seconds: Some(5),
                filter_criteria: filters(&[pattern]),
                kms_key_arn: Some(key.into()),
                scaling_config: Some(ScalingConfig { maximum_concurrency: Some(7) }),
                function_response_types: reports(),
                metrics_config: metrics(&["EventCount"]),
                ..mapping_of(QUEUE)
            },
        )
        .await,
    );
    let before = get(&world, &id).await.unwrap();
    let size = UpdateEventSourceMappingRequest { batch_size: Some(30), ..change(&id) };
    update(&world, size).await.unwrap();
    let after = settled(&world, &id).await;
    assert_eq!(Mapping { batch_size: Some(20), last_modified: before.last_modified, ..after }, before);
    let no_window =
        UpdateEventSourceMappingRequest { maximum_batching_window_in_seconds: Some(0), ..change(&id) };
    assert_update_refused(
        &world,
        no_window,
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
    )
    .await;
    let unsupported = UpdateEventSourceMappingRequest { maximum_retry_attempts: Some(1), ..change(&id) };
    let text = "Unsupported MaximumRetryAttempts parameter for given event source mapping type.";
    assert_update_refused(&world, unsupported, text).await;
    let cleared = UpdateEventSourceMappingRequest {
        filter_criteria: Some(FilterCriteria::default()),
        kms_key_arn: Some(String::new()),
        scaling_config: Some(ScalingConfig::default()),
        function_response_types: Some(Vec::new()),
        metrics_config: metrics(&[]),
        ..change(&id)
    };
    let shown = update(&world, cleared).await.unwrap();
    assert_eq!((shown.filter_criteria, shown.kms_key_arn, shown.scaling_config), (None, None, None));
    assert_eq!((shown.function_response_types, shown.metrics_config), (Some(Vec::new()), metrics(&[])));
}

#[tokio::test]
async fn tags_are_counted() {
    let world = world_with(&["f"]).await;
    let tags = |number: usize| Some((0..number).map(|number| (number.to_string(), String::new())).collect());
    let input = Input { tags: tags(51), ..mapping_of(QUEUE) };
    assert_refused(&world, input, "Number of tags exceeds resource tag limit.").await;
    accepted(&world, Input { tags: tags(50), ..mapping_of(QUEUE) }).await;
}
