//! Whole answers, as they go over the wire.

use bytes::Bytes;
use rushlight_api::lambda::encode;
use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;
use rushlight_api::protocol::rest_json;
use serde_json::{Value, json};

use crate::world::{World, archive, here, new_code, new_description, new_function};

/// Status and body, with what differs from run to run replaced.
macro_rules! wire {
    ($encode:ident, $answer:expr) => {{
        let response = encode::$encode(&$answer).unwrap();
        let mut body = parsed(response.body());
        redact(&mut body);
        json!({ "status": response.status().as_u16(), "body": body })
    }};
}

fn parsed(body: &Bytes) -> Value {
    if body.is_empty() { Value::Null } else { serde_json::from_slice(body).unwrap() }
}

/// Keeps the form of revision ids and times and drops their value.
fn redact(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    "RevisionId" => {
                        let id = member.as_str().unwrap();
                        assert!(uuid::Uuid::try_parse(id).is_ok() && id.len() == 36, "{id}");
                        *member = json!("[uuid]");
                    }
                    "LastModified" => {
                        let time = member.as_str().unwrap();
                        assert!(time.len() == 28 && time.ends_with("+0000"), "{time}");
                        *member = json!("[time]");
                    }
                    _ => redact(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

fn refusal(error: &rushlight_api::Error) -> Value {
    let response = rest_json::error_response(error);
    json!({
        "status": response.status().as_u16(),
        "type": response.headers()["x-amzn-errortype"].to_str().unwrap(),
        "body": parsed(response.body()),
    })
}

fn everything(name: &str) -> CreateFunctionRequest {
    CreateFunctionRequest {
        description: Some("All settings".into()),
        timeout: Some(30),
        memory_size: Some(1024),
        architectures: Some(vec![Architecture::Arm64]),
        ephemeral_storage: Some(EphemeralStorage { size: 512 }),
        environment: Some(Environment { variables: Some([("KEY".to_owned(), "value".to_owned())].into()) }),
        vpc_config: Some(VpcConfig {
            subnet_ids: Some(vec!["subnet-1".into()]),
            security_group_ids: Some(vec!["sg-1".into()]),
            ipv6_allowed_for_dual_stack: None,
        }),
        dead_letter_config: Some(DeadLetterConfig {
            target_arn: Some("arn:aws:sqs:eu-west-1:123456789012:dead".into()),
        }),
        tracing_config: Some(TracingConfig { mode: Some(TracingMode::Active) }),
        snap_start: Some(SnapStart { apply_on: Some(SnapStartApplyOn::PublishedVersions) }),
        logging_config: Some(LoggingConfig {
            log_format: Some("JSON".into()),
            application_log_level: Some("DEBUG".into()),
            system_log_level: None,
            log_group: Some("own".into()),
        }),
        kms_key_arn: Some("arn:aws:kms:eu-west-1:123456789012:key/1".into()),
        tags: Some([("team".to_owned(), "a".to_owned())].into()),
        ..new_function(name)
    }
}

#[tokio::test]
async fn a_function_with_defaults() {
    let world = World::new().await;
    let created = world.create(new_function("f")).await.unwrap();
    insta::assert_json_snapshot!("create", wire!(create_function_response, created));
    world.settled("f").await;
    let got = world.get("f", None).await.unwrap();
    insta::assert_json_snapshot!("get", wire!(get_function_response, got));
    let configuration = world.configuration("f").await.unwrap();
    insta::assert_json_snapshot!(
        "get_configuration",
        wire!(get_function_configuration_response, configuration)
    );
    let updated = world.update_code(new_code("f", "2")).await.unwrap();
    insta::assert_json_snapshot!("update_code", wire!(update_function_code_response, updated));
    world.settled("f").await;
    let updated = world.update(new_description("f", "new")).await.unwrap();
    insta::assert_json_snapshot!(
        "update_configuration",
        wire!(update_function_configuration_response, updated)
    );
    let listed = world.control.list_functions(&here(), ListFunctionsRequest::default()).await.unwrap();
    insta::assert_json_snapshot!("list", wire!(list_functions_response, listed));
    let settings = world.control.get_account_settings(&here(), GetAccountSettingsRequest {}).await.unwrap();
    insta::assert_json_snapshot!("account_settings", wire!(get_account_settings_response, settings));
    let deleted = world.delete("f", None).await.unwrap();
    insta::assert_json_snapshot!("delete", wire!(delete_function_response, deleted));
    insta::assert_json_snapshot!("not_found", refusal(&world.get("f", None).await.unwrap_err()));
}

#[tokio::test]
async fn a_function_with_every_setting() {
    let world = World::new().await;
    let created = world.create(everything("g")).await.unwrap();
    insta::assert_json_snapshot!("create_everything", wire!(create_function_response, created));
    world.settled("g").await;
    let got = world.get("g", Some("$LATEST")).await.unwrap();
    insta::assert_json_snapshot!("get_everything_qualified", wire!(get_function_response, got));
}

#[tokio::test]
async fn the_forms_of_refusals() {
    let world = World::new().await;
    world.created("f").await;
    let exists = world.create(new_function("f")).await.unwrap_err();
    insta::assert_json_snapshot!("refused_conflict", refusal(&exists));
    let mut unreadable = new_function("g");
    unreadable.code.zip_file = Some("not a zip".into());
    let invalid = world.create(unreadable).await.unwrap_err();
    insta::assert_json_snapshot!("refused_invalid", refusal(&invalid));
    let mut stale = new_description("f", "x");
    stale.revision_id = Some("00000000-0000-0000-0000-000000000000".into());
    insta::assert_json_snapshot!("refused_precondition", refusal(&world.update(stale).await.unwrap_err()));
    let other = world.get("999999999999:function:f", None).await.unwrap_err();
    insta::assert_json_snapshot!("refused_other_account", refusal(&other));
}

#[tokio::test]
async fn the_location_is_asked_for_and_the_archive_is_there() {
    let world = World::new().await;
    let zip = archive(&[("a.py", b"1")]);
    let mut input = new_function("f");
    input.code.zip_file = Some(zip.clone());
    world.create(input).await.unwrap();
    let location = world.get("f", None).await.unwrap().code.unwrap().location.unwrap();
    let digest = rushlight_store::Digest::of(&zip);
    assert_eq!(
        location,
        format!("http://localhost:9000/_rushlight/code/123456789012/eu-west-1/{digest}?X-Amz-Expires=600")
    );
    let mut kept = Vec::new();
    let mut file = world.control.archive(&digest).unwrap().unwrap();
    std::io::Read::read_to_end(&mut file, &mut kept).unwrap();
    assert_eq!(kept, zip);
    let absent = rushlight_store::Digest::of(b"absent");
    assert!(world.control.archive(&absent).unwrap().is_none());
}
