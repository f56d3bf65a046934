//! Brokers of Amazon MQ and clusters of DocumentDB.

use rushlight_api::Timestamp;

use super::*;

#[tokio::test]
async fn brokers() {
    let world = world_with(&["f"]).await;
    let quoted = |name: &str| format!("Unsupported '{name}' parameter for given event source mapping type.");
    let access_type = "Unsupported source access configurations type for given event source mapping type.";
    for (input, text) in [
        (
            Input { source_access_configurations: None, ..broker() },
            "Required 'sourceAccessConfigurations' parameter is missing.".into(),
        ),
        (
            Input { source_access_configurations: Some(access("VIRTUAL_HOST")), ..broker() },
            "Required 'sourceAccessConfigurations' parameter is missing.".into(),
        ),
        (Input { queues: None, ..broker() }, "Required 'queues' parameter is missing.".into()),
        (
            Input { starting_position: stream(BROKER).starting_position, ..broker() },
            quoted("startingPosition"),
        ),
        (
            Input { starting_position_timestamp: Some(Timestamp::from_milliseconds(1)), ..broker() },
            quoted("startingPositionTimestamp"),
        ),
        (Input { function_response_types: reports(), ..broker() }, quoted("functionResponseTypes")),
        (Input { maximum_retry_attempts: Some(1), ..broker() }, quoted("maximumRetryAttempts")),
        (Input { destination_config: on_failure("arn:aws:s3:::b"), ..broker() }, quoted("destinationConfig")),
        (
            Input { source_access_configurations: Some(access("CLIENT_CERTIFICATE_TLS_AUTH")), ..broker() },
            access_type.into(),
        ),
        (
            Input { source_access_configurations: Some(access("SASL_SCRAM_512_AUTH")), ..broker() },
            access_type.into(),
        ),
    ] {
        assert_refused(&world, input, &text).await;
    }
    let virtual_host =
        SourceAccessConfiguration { r#type: Some("VIRTUAL_HOST".into()), uri: Some("/".into()) };
    let rabbit = [access("BASIC_AUTH"), vec![virtual_host]].concat();
    let shown =
        accepted(&world, Input { source_access_configurations: Some(rabbit.clone()), ..broker() }).await;
    assert_eq!(shown.source_access_configurations, Some(rabbit));
    assert_eq!((shown.batch_size, shown.starting_position), (Some(100), None));
}

#[tokio::test]
async fn databases() {
    let world = world_with(&["f"]).await;
    let collection = Some(DocumentDBEventSourceConfig {
        collection_name: Some("c".into()),
        ..DocumentDBEventSourceConfig::default()
    });
    for (input, text) in [
        (
            Input { source_access_configurations: None, ..database() },
            "Invalid parameters: sourceAccessConfigurations, sourceAccessConfigurations",
        ),
        (
            Input { document_db_event_source_config: collection, ..database() },
            "Invalid parameters: databaseName",
        ),
        (
            Input { filter_criteria: filters(&[r#"{"a":[1]}"#]), ..database() },
            "Invalid parameters: filterCriteria",
        ),
        (
            Input { source_access_configurations: Some(access("SASL_SCRAM_512_AUTH")), ..database() },
            "Invalid parameters: sourceAccessConfigurations",
        ),
        (
            Input {
                document_db_event_source_config: None,
                maximum_retry_attempts: Some(1),
                topics: Some(vec!["t".into()]),
                ..database()
            },
            "Invalid parameters: databaseName, maximumRetryAttempts, topics",
        ),
        (
            Input { starting_position: Some(EventSourcePosition::AtTimestamp), ..database() },
            "Need to specify a timestamp",
        ),
    ] {
        assert_refused(&world, input, text).await;
    }
    let id = uuid(
        &created(&world, Input { starting_position: stream(DATABASE).starting_position, ..database() }).await,
    );
    let input = UpdateEventSourceMappingRequest {
        document_db_event_source_config: Some(DocumentDBEventSourceConfig {
            full_document: Some(FullDocument::UpdateLookup),
            ..DocumentDBEventSourceConfig::default()
        }),
        ..change(&id)
    };
    let config = update(&world, input).await.unwrap().document_db_event_source_config.unwrap();
    assert_eq!(
        (config.database_name.as_deref(), config.full_document),
        (Some("db"), Some(FullDocument::UpdateLookup))
    );
}
