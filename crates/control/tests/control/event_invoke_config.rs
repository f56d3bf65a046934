//! Event invoke configs: put, merged, told of, and gone with what they are set for.

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;
use tokio::task::JoinSet;

use crate::world::{ACCOUNT, Answer, Fault, REGION, World, here, in_scope};

const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:q";
const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:t";
const BUCKET: &str = "arn:aws:s3:::b";

fn arn(end: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{end}")
}

/// A function `f` with version 1 and alias `live`.
async fn world() -> World {
    let world = World::new().await;
    world.created("f").await;
    let input = PublishVersionRequest { function_name: "f".into(), ..PublishVersionRequest::default() };
    world.control.publish_version(&here(), input).await.unwrap();
    let input = CreateAliasRequest {
        function_name: "f".into(),
        name: "live".into(),
        function_version: "1".into(),
        ..CreateAliasRequest::default()
    };
    world.control.create_alias(&here(), input).await.unwrap();
    world
}

fn retries(function: &str, attempts: i32) -> PutFunctionEventInvokeConfigRequest {
    PutFunctionEventInvokeConfigRequest {
        function_name: function.into(),
        maximum_retry_attempts: Some(attempts),
        ..PutFunctionEventInvokeConfigRequest::default()
    }
}

fn destinations(on_success: Option<&str>, on_failure: Option<&str>) -> DestinationConfig {
    DestinationConfig {
        on_success: on_success.map(|arn| OnSuccess { destination: Some(arn.into()) }),
        on_failure: on_failure.map(|arn| OnFailure { destination: Some(arn.into()) }),
    }
}

fn text(error: &rushlight_api::Error) -> &str {
    error.message.as_deref().unwrap()
}

async fn put(world: &World, input: PutFunctionEventInvokeConfigRequest) -> Answer<FunctionEventInvokeConfig> {
    world.control.put_function_event_invoke_config(&here(), input).await
}

async fn send(
    world: &World,
    function: &str,
    destinations: DestinationConfig,
) -> Answer<FunctionEventInvokeConfig> {
    let input = PutFunctionEventInvokeConfigRequest {
        function_name: function.into(),
        destination_config: Some(destinations),
        ..PutFunctionEventInvokeConfigRequest::default()
    };
    put(world, input).await
}

async fn get(world: &World, function: &str) -> Answer<FunctionEventInvokeConfig> {
    let input = GetFunctionEventInvokeConfigRequest { function_name: function.into(), qualifier: None };
    world.control.get_function_event_invoke_config(&here(), input).await
}

async fn list(world: &World, function: &str) -> Vec<String> {
    let input = ListFunctionEventInvokeConfigsRequest {
        function_name: function.into(),
        ..ListFunctionEventInvokeConfigsRequest::default()
    };
    let listed = world.control.list_function_event_invoke_configs(&here(), input).await.unwrap();
    let configs = listed.function_event_invoke_configs.unwrap();
    configs.into_iter().map(|config| config.function_arn.unwrap()).collect()
}

fn shown(config: &FunctionEventInvokeConfig) -> (Option<&str>, Option<&str>) {
    let given = config.destination_config.as_ref().unwrap();
    let on_success = given.on_success.as_ref().unwrap().destination.as_deref();
    let on_failure = given.on_failure.as_ref().unwrap().destination.as_deref();
    (on_success, on_failure)
}

#[tokio::test]
async fn each_qualifier_has_its_own_which_goes_with_it() {
    let world = world().await;
    for (name, attempts) in [("f", 0), ("f:1", 1), ("f:live", 2)] {
        let set = put(&world, retries(name, attempts)).await.unwrap();
        assert_eq!(set.maximum_retry_attempts, Some(attempts));
        assert_eq!(get(&world, name).await.unwrap(), set);
    }
    assert_eq!(list(&world, "f").await, [arn("f:$LATEST"), arn("f:1"), arn("f:live")]);
    let world = world.restart().await;
    assert_eq!(get(&world, "f:live").await.unwrap().maximum_retry_attempts, Some(2));
    let input = DeleteAliasRequest { function_name: "f".into(), name: "live".into() };
    world.control.delete_alias(&here(), input).await.unwrap();
    assert_eq!(list(&world, "f").await, [arn("f:$LATEST"), arn("f:1")]);
    world.delete("f", Some("1")).await.unwrap();
    assert_eq!(list(&world, "f").await, [arn("f:$LATEST")]);
    let error = get(&world, "f:1").await.unwrap_err();
    assert_eq!(text(&error), format!("The function {} doesn't have an EventInvokeConfig", arn("f:1")));
    world.delete("f", None).await.unwrap();
    world.created("f").await;
    assert_eq!(list(&world, "f").await, [""; 0], "a new function of the name has nothing of the old one");
}

#[tokio::test]
async fn put_replaces_and_update_merges() {
    let world = world().await;
    send(&world, "f", destinations(Some(QUEUE), Some(TOPIC))).await.unwrap();
    let update = |retries: Option<i32>, destination_config| {
        let input = UpdateFunctionEventInvokeConfigRequest {
            function_name: "f".into(),
            maximum_retry_attempts: retries,
            destination_config,
            ..UpdateFunctionEventInvokeConfigRequest::default()
        };
        let control = world.control.clone();
        async move { control.update_function_event_invoke_config(&here(), input).await.unwrap() }
    };
    let merged = update(Some(1), None).await;
    assert_eq!((merged.maximum_retry_attempts, shown(&merged)), (Some(1), (Some(QUEUE), Some(TOPIC))));
    // Of two destinations each is set for itself.
    let merged = update(None, Some(destinations(None, Some(BUCKET)))).await;
    assert_eq!((merged.maximum_retry_attempts, shown(&merged)), (Some(1), (Some(QUEUE), Some(BUCKET))));
    let merged = update(None, Some(destinations(Some(""), None))).await;
    assert_eq!(shown(&merged), (None, Some(BUCKET)));
    let emptied = DestinationConfig { on_failure: Some(OnFailure { destination: None }), on_success: None };
    assert_eq!(shown(&update(None, Some(emptied)).await), (None, None));
    send(&world, "f", destinations(None, Some(QUEUE))).await.unwrap();
    let put = put(&world, retries("f", 0)).await.unwrap();
    assert_eq!((put.maximum_retry_attempts, put.maximum_event_age_in_seconds), (Some(0), None));
    assert_eq!(shown(&put), (None, None));
}

#[tokio::test]
async fn destinations_are_held_against_what_there_is() {
    let world = world().await;
    world.created("g").await;
    for good in
        [QUEUE, TOPIC, &arn("g"), &arn("g:$LATEST"), "arn:aws:events:eu-west-1:123456789012:event-bus/b"]
    {
        let set = send(&world, "f:live", destinations(Some(good), Some(good))).await.unwrap();
        assert_eq!(shown(&set), (Some(good), Some(good)));
    }
    assert!(send(&world, "f", destinations(None, Some(BUCKET))).await.is_ok());
    for bad in [
        arn("nobody"),
        arn("g:1"),
        arn("g:nobody"),
        arn("g").replace(REGION, "us-east-1"),
        arn("g").replace(ACCOUNT, "999999999999"),
        format!("{QUEUE}.fifo"),
        "arn:aws:s3:::b/key".into(),
    ] {
        let error = send(&world, "f", destinations(None, Some(&bad))).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterValueException");
        assert_eq!(text(&error), format!("The destination ARN {bad} is invalid."));
    }
    for own in [arn("f"), arn("f:1"), arn("f:nobody")] {
        for given in [destinations(Some(&own), None), destinations(None, Some(&own))] {
            let error = send(&world, "f:live", given).await.unwrap_err();
            assert_eq!(text(&error), "You can't specify the function as a destination for itself.");
        }
    }
    let error = send(&world, "f", destinations(Some(&format!("{TOPIC}.fifo")), None)).await.unwrap_err();
    assert_eq!(text(&error), "FIFO-type Amazon SNS topics aren't supported as a destination.");
    assert_eq!(shown(&get(&world, "f").await.unwrap()), (None, Some(BUCKET)), "nothing was changed");
}

#[tokio::test]
async fn pairs_that_aws_does_not_offer_are_printed_as_it_prints_them() {
    let world = world().await;
    let iam = "arn:aws:iam::123456789012:role/r";
    let nothing = Some(OnFailure { destination: None });
    let half = DestinationConfig { on_failure: nothing, ..destinations(Some("kafka://t"), None) };
    for (given, printed) in [
        (
            destinations(Some(BUCKET), None),
            format!("onSuccess=OnSuccess(destination={BUCKET}), onFailure=null"),
        ),
        (destinations(None, Some(iam)), format!("onSuccess=null, onFailure=OnFailure(destination={iam})")),
        (
            destinations(Some(BUCKET), Some(QUEUE)),
            format!("onSuccess=OnSuccess(destination={BUCKET}), onFailure=OnFailure(destination={QUEUE})"),
        ),
        (half, "onSuccess=OnSuccess(destination=kafka://t), onFailure=OnFailure(destination=null)".into()),
    ] {
        let error = send(&world, "f", given).await.unwrap_err();
        let message = format!("The provided destination config DestinationConfig({printed}) is invalid.");
        assert_eq!((&*error.code, text(&error)), ("InvalidParameterValueException", &*message));
    }
}

#[tokio::test]
async fn other_accounts_and_regions_see_nothing() {
    let world = world().await;
    put(&world, retries("f", 1)).await.unwrap();
    for context in [in_scope("999999999999", REGION), in_scope(ACCOUNT, "us-east-1")] {
        let input = GetFunctionEventInvokeConfigRequest { function_name: "f".into(), qualifier: None };
        let error = world.control.get_function_event_invoke_config(&context, input).await.unwrap_err();
        assert_eq!(error.code, "ResourceNotFoundException");
        let input = DeleteFunctionEventInvokeConfigRequest { function_name: "f".into(), qualifier: None };
        world.control.delete_function_event_invoke_config(&context, input).await.unwrap_err();
    }
    assert!(get(&world, "f").await.is_ok());
}

#[tokio::test]
async fn settings_made_at_a_time_are_all_kept() {
    let world = world().await;
    let mut setters = JoinSet::new();
    for name in ["f", "f:1", "f:live"] {
        for _ in 0..5 {
            let control = world.control.clone();
            setters.spawn(async move {
                control.put_function_event_invoke_config(&here(), retries(name, 1)).await.unwrap()
            });
        }
    }
    setters.join_all().await;
    assert_eq!(list(&world, "f").await.len(), 3);
}

/// The store fails within a change: the old config is there, or the new one.
#[tokio::test]
async fn a_change_that_is_cut_off_leaves_old_or_new() {
    for (fault, left) in [(Fault::BeforeCommit, 1), (Fault::AfterCommit, 2)] {
        let world = world().await;
        put(&world, retries("f", 1)).await.unwrap();
        *world.disk.fault.lock() = Some(fault);
        assert_eq!(put(&world, retries("f", 2)).await.unwrap_err().code, "ServiceException");
        let world = world.restart().await;
        assert_eq!(get(&world, "f").await.unwrap().maximum_retry_attempts, Some(left));
    }
}
