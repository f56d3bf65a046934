//! Requests reach the service's methods, and their outputs leave in AWS's form.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use rushlight_api::lambda::errors;
use rushlight_api::lambda::routes::resolve;
use rushlight_api::lambda::service::{LambdaService, dispatch};
use rushlight_api::lambda::types::{
    CreateFunctionRequest, CreateFunctionResponse, DeleteAliasRequest, DeleteFunctionRequest,
    DeleteFunctionResponse, EventSourceMappingConfiguration, FunctionConfiguration,
    GetEventSourceMappingRequest, InvokeRequest, InvokeResponse, State,
};
use rushlight_api::protocol::rest_json::error_response;
use rushlight_api::{Error, Query, Timestamp, logs};

struct Sample;

impl LambdaService for Sample {
    type Context = str;

    async fn create_function(
        &self,
        region: &str,
        input: CreateFunctionRequest,
    ) -> Result<CreateFunctionResponse, Error> {
        Ok(FunctionConfiguration {
            function_arn: Some(format!("arn:aws:lambda:{region}:1:function:{}", input.function_name)),
            state: Some(State::Pending),
            layers: Some(Vec::new()),
            ..Default::default()
        })
    }

    async fn delete_function(
        &self,
        _: &str,
        _: DeleteFunctionRequest,
    ) -> Result<DeleteFunctionResponse, Error> {
        Ok(DeleteFunctionResponse::default())
    }

    async fn delete_alias(&self, _: &str, input: DeleteAliasRequest) -> Result<(), Error> {
        Err(errors::resource_not_found_exception(format!("Function not found: {}", input.function_name)))
    }

    async fn get_event_source_mapping(
        &self,
        _: &str,
        input: GetEventSourceMappingRequest,
    ) -> Result<EventSourceMappingConfiguration, Error> {
        Ok(EventSourceMappingConfiguration {
            uuid: Some(input.uuid),
            last_modified: Some(Timestamp::from_milliseconds(1_700_000_000_250)),
            ..Default::default()
        })
    }

    async fn invoke(&self, _: &str, input: InvokeRequest) -> Result<InvokeResponse, Error> {
        Ok(InvokeResponse {
            status_code: Some(200),
            function_error: Some("Unhandled".to_owned()),
            executed_version: Some("$LATEST".to_owned()),
            payload: input.payload,
            ..Default::default()
        })
    }
}

/// Carries a future out that never waits.
fn finish<T>(future: impl Future<Output = T> + Send) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}

fn send(method: Method, path: &str, body: &'static str) -> Result<Response<Bytes>, Error> {
    let query = Query::default();
    let resolution = resolve(&method, path, &query).expect("a route");
    let body = Bytes::from_static(body.as_bytes());
    finish(dispatch(&Sample, "us-east-1", &resolution, &query, &HeaderMap::new(), body))
}

#[test]
fn an_output_is_a_json_body_without_absent_members() {
    let body = r#"{"FunctionName": "f", "Role": "arn:aws:iam::123456789012:role/r", "Code": {}}"#;
    let response = send(Method::POST, "/2015-03-31/functions", body).expect("an answer");
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(
        response.body(),
        r#"{"FunctionArn":"arn:aws:lambda:us-east-1:1:function:f","Layers":[],"State":"Pending"}"#
    );
}

#[test]
fn deleting_answers_204_without_a_body() {
    let response = send(Method::DELETE, "/2015-03-31/functions/f", "").expect("an answer");
    assert_eq!((response.status(), response.body().len()), (StatusCode::NO_CONTENT, 0));
}

#[test]
fn timestamps_are_epoch_seconds() {
    let path = "/2015-03-31/event-source-mappings/91eaeb7e-c976-1234-9451-8709db01f137";
    let response = send(Method::GET, path, "").expect("an answer");
    assert_eq!(
        response.body(),
        r#"{"UUID":"91eaeb7e-c976-1234-9451-8709db01f137","LastModified":1700000000.25}"#
    );
}

#[test]
fn an_invocation_answers_in_headers_and_payload() {
    let response = send(Method::POST, "/2015-03-31/functions/f/invocations", "[1]").expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["x-amz-function-error"], "Unhandled");
    assert_eq!(response.headers()["x-amz-executed-version"], "$LATEST");
    assert!(!response.headers().contains_key("x-amz-log-result"));
    assert_eq!(response.body(), "[1]");
}

#[test]
fn errors_of_the_service_pass_through() {
    let error = send(Method::DELETE, "/2015-03-31/functions/f/aliases/a", "").expect_err("an error");
    let response = error_response(&error);
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.headers()["x-amzn-errortype"], "ResourceNotFoundException");
    assert_eq!(response.body(), r#"{"Type":"User","Message":"Function not found: f"}"#);
}

#[test]
fn an_operation_that_is_left_out_is_named() {
    let error = send(Method::GET, "/2016-08-19/account-settings", "").expect_err("an error");
    assert_eq!(error.status, StatusCode::NOT_IMPLEMENTED);
    assert!(error.to_string().contains("GetAccountSettings"), "{error}");
}

#[test]
fn exceptions_are_spelled_as_recorded() {
    let body = |error: Error| String::from_utf8(error_response(&error).into_body().to_vec()).expect("UTF-8");
    for (error, status, expected) in [
        (errors::resource_conflict_exception("m"), 409, r#"{"Type":"User","message":"m"}"#),
        (errors::invalid_parameter_value_exception("m"), 400, r#"{"Type":"User","message":"m"}"#),
        (errors::precondition_failed_exception("m"), 412, r#"{"Type":"User","message":"m"}"#),
        (errors::invalid_request_content_exception("m"), 400, r#"{"Type":"User","message":"m"}"#),
        (
            errors::provisioned_concurrency_config_not_found_exception("m"),
            404,
            r#"{"Type":"User","message":"m"}"#,
        ),
        (errors::code_signing_config_not_found_exception("m"), 404, r#"{"Type":"User","Message":"m"}"#),
        (errors::resource_not_found_exception("m").without_type(), 404, r#"{"Message":"m"}"#),
        (
            errors::too_many_requests_exception("Rate Exceeded.")
                .with_reason("ReservedFunctionConcurrentInvocationLimitExceeded"),
            429,
            r#"{"Type":"User","message":"Rate Exceeded.","Reason":"ReservedFunctionConcurrentInvocationLimitExceeded"}"#,
        ),
        (errors::service_exception("m"), 500, r#"{"Type":"Service","Message":"m"}"#),
        (errors::kms_access_denied_exception("m"), 502, r#"{"Type":"Service","Message":"m"}"#),
        (errors::request_too_large_exception("m"), 413, r#"{"Type":"User","message":"m"}"#),
    ] {
        assert_eq!(error.status.as_u16(), status, "{error}");
        assert_eq!(body(error), expected);
    }
}

struct Groups;

impl logs::service::LogsService for Groups {
    type Context = ();

    async fn create_log_group(&self, (): &(), _: logs::types::CreateLogGroupRequest) -> Result<(), Error> {
        Err(logs::errors::resource_already_exists_exception("The specified log group already exists"))
    }

    async fn put_log_events(
        &self,
        (): &(),
        input: logs::types::PutLogEventsRequest,
    ) -> Result<logs::types::PutLogEventsResponse, Error> {
        let last = input.log_events.last().map(|event| event.timestamp.to_string());
        Ok(logs::types::PutLogEventsResponse { next_sequence_token: last, ..Default::default() })
    }
}

fn log(target: &str, body: &'static str) -> Result<Response<Bytes>, Error> {
    let operation = logs::Operation::from_target(target).ok_or_else(Error::unknown_operation)?;
    finish(logs::service::dispatch(&Groups, &(), operation, Bytes::from_static(body.as_bytes())))
}

#[test]
fn logs_speaks_json_1_1() {
    let body =
        r#"{"logGroupName": "g", "logStreamName": "s", "logEvents": [{"timestamp": 7, "message": "m"}]}"#;
    let response = log("Logs_20140328.PutLogEvents", body).expect("an answer");
    assert_eq!(response.headers()["content-type"], "application/x-amz-json-1.1");
    assert_eq!(response.body(), r#"{"nextSequenceToken":"7"}"#);
    let error = log("Logs_20140328.CreateLogGroup", r#"{"logGroupName": "g"}"#).expect_err("an error");
    let response = rushlight_api::protocol::aws_json::error_response(&error);
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(
        response.body(),
        r#"{"__type":"ResourceAlreadyExistsException","message":"The specified log group already exists"}"#
    );
}

#[test]
fn logs_names_its_own_error_for_broken_constraints() {
    let error = log("Logs_20140328.CreateLogGroup", r#"{"logGroupName": "g g"}"#).expect_err("an error");
    assert_eq!(error.code, "InvalidParameterException");
    assert_eq!(
        error.message.as_deref(),
        Some(
            "1 validation error detected: Value 'g g' at 'logGroupName' failed to satisfy constraint: Member \
             must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        )
    );
    let nested =
        r#"{"logGroupName": "g", "logStreamName": "s", "logEvents": [{"timestamp": 1, "message": ""}]}"#;
    let error = log("Logs_20140328.PutLogEvents", nested).expect_err("an error");
    assert_eq!(
        error.message.as_deref(),
        Some(
            "1 validation error detected: Value '' at 'logEvents.1.member.message' failed to satisfy \
             constraint: Member must have length greater than or equal to 1"
        )
    );
    assert_eq!(log("Other.CreateLogGroup", "{}").expect_err("an error").code, "UnknownOperationException");
}
