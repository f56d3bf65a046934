//! Event source mappings.

mod claims;
mod lists;
mod rules;
mod sequences;
mod states;

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;
use rushlight_control::RequestContext;

use crate::world::{Answer, World, here, is_eventually, new_function};

type Mapping = EventSourceMappingConfiguration;

const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:q";
const FIFO_QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:q.fifo";
const STREAM: &str = "arn:aws:kinesis:eu-west-1:123456789012:stream/s";
const TABLE_STREAM: &str = "arn:aws:dynamodb:eu-west-1:123456789012:table/t/stream/2026-01-01T00:00:00.000";
const CLUSTER: &str = "arn:aws:kafka:eu-west-1:123456789012:cluster/c/11111111-1111-1111-1111-111111111111-1";
const BROKER: &str = "arn:aws:mq:eu-west-1:123456789012:broker:b:b-11111111-1111-1111-1111-111111111111";
const DATABASE: &str = "arn:aws:rds:eu-west-1:123456789012:cluster:c";
const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s";

/// The least that a mapping of a source with an ARN needs, to the function `f`.
fn mapping_of(arn: &str) -> CreateEventSourceMappingRequest {
    CreateEventSourceMappingRequest {
        event_source_arn: Some(arn.into()),
        function_name: "f".into(),
        ..CreateEventSourceMappingRequest::default()
    }
}

fn stream(arn: &str) -> CreateEventSourceMappingRequest {
    CreateEventSourceMappingRequest {
        starting_position: Some(EventSourcePosition::Latest),
        ..mapping_of(arn)
    }
}

fn msk() -> CreateEventSourceMappingRequest {
    CreateEventSourceMappingRequest {
        starting_position: Some(EventSourcePosition::Latest),
        topics: Some(vec!["topic".into()]),
        ..mapping_of(CLUSTER)
    }
}

fn access(kind: &str) -> Vec<SourceAccessConfiguration> {
    vec![SourceAccessConfiguration { r#type: Some(kind.into()), uri: Some(SECRET.into()) }]
}

fn servers(servers: &[&str]) -> Option<SelfManagedEventSource> {
    let servers = servers.iter().map(ToString::to_string).collect();
    Some(SelfManagedEventSource { endpoints: Some([("KAFKA_BOOTSTRAP_SERVERS".to_owned(), servers)].into()) })
}

fn self_managed() -> CreateEventSourceMappingRequest {
    CreateEventSourceMappingRequest {
        event_source_arn: None,
        self_managed_event_source: servers(&["kafka:1000"]),
        source_access_configurations: Some(access("BASIC_AUTH")),
        ..msk()
    }
}

fn broker() -> CreateEventSourceMappingRequest {
    CreateEventSourceMappingRequest {
        queues: Some(vec!["queue".into()]),
        source_access_configurations: Some(access("BASIC_AUTH")),
        ..mapping_of(BROKER)
    }
}

fn database() -> CreateEventSourceMappingRequest {
    CreateEventSourceMappingRequest {
        source_access_configurations: Some(access("BASIC_AUTH")),
        document_db_event_source_config: Some(DocumentDBEventSourceConfig {
            database_name: Some("db".into()),
            ..DocumentDBEventSourceConfig::default()
        }),
        ..mapping_of(DATABASE)
    }
}

fn change(uuid: &str) -> UpdateEventSourceMappingRequest {
    UpdateEventSourceMappingRequest { uuid: uuid.into(), ..UpdateEventSourceMappingRequest::default() }
}

/// A world with functions of these names.
async fn world_with(functions: &[&str]) -> World {
    let world = World::new().await;
    for name in functions {
        world.create(new_function(name)).await.unwrap();
    }
    world
}

async fn create(world: &World, input: CreateEventSourceMappingRequest) -> Answer<Mapping> {
    world.control.create_event_source_mapping(&here(), input).await
}

async fn update(world: &World, input: UpdateEventSourceMappingRequest) -> Answer<Mapping> {
    world.control.update_event_source_mapping(&here(), input).await
}

async fn delete(world: &World, uuid: &str) -> Answer<Mapping> {
    let input = DeleteEventSourceMappingRequest { uuid: uuid.into() };
    world.control.delete_event_source_mapping(&here(), input).await
}

async fn get(world: &World, uuid: &str) -> Answer<Mapping> {
    get_as(world, &here(), uuid).await
}

async fn get_as(world: &World, context: &RequestContext, uuid: &str) -> Answer<Mapping> {
    let input = GetEventSourceMappingRequest { uuid: uuid.into() };
    world.control.get_event_source_mapping(context, input).await
}

async fn list(world: &World, input: ListEventSourceMappingsRequest) -> Vec<Mapping> {
    let page = world.control.list_event_source_mappings(&here(), input).await.unwrap();
    page.event_source_mappings.unwrap()
}

async fn list_all(world: &World) -> Vec<Mapping> {
    list(world, ListEventSourceMappingsRequest::default()).await
}

fn state(mapping: &Mapping) -> &str {
    mapping.state.as_deref().unwrap()
}

fn uuid(mapping: &Mapping) -> String {
    mapping.uuid.clone().unwrap()
}

/// Waits until the mapping is Enabled or Disabled.
async fn settled(world: &World, uuid: &str) -> Mapping {
    is_eventually("settled", async || {
        let mapping = get(world, uuid).await.unwrap();
        matches!(state(&mapping), "Enabled" | "Disabled").then_some(mapping)
    })
    .await
}

/// A mapping that is Enabled or Disabled.
async fn created(world: &World, input: CreateEventSourceMappingRequest) -> Mapping {
    let mapping = create(world, input).await.unwrap();
    settled(world, &uuid(&mapping)).await
}

/// Waits until the mapping is gone.
async fn gone(world: &World, uuid: &str) {
    is_eventually("gone", async || get(world, uuid).await.is_err().then_some(())).await;
}
