//! Requests as a real client sends them are understood to the last member.
//!
//! `requests.jsonl` has one request per operation, every member given; `requests.py` writes it.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use rushlight_api::lambda::{self, routes::resolve};
use rushlight_api::protocol::query::parse_form;
use rushlight_api::{Error, Query, iam, logs, sts};
use serde::Deserialize;

#[derive(Deserialize)]
struct Request {
    service: String,
    operation: String,
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: String,
}

fn requests(service: &str) -> Vec<Request> {
    let parse = |line| serde_json::from_str(line).expect("a request");
    let all = include_str!("requests.jsonl").lines().map(parse);
    all.filter(|request: &Request| request.service == service).collect()
}

/// Prints an input, or what is wrong with it.
fn print(input: Result<impl Debug, Error>) -> String {
    input.map_or_else(|error| panic!("{error}"), |input| format!("{input:?}"))
}

/// The input of a request to Lambda, printed.
fn lambda_input(request: &Request) -> String {
    let query = Query::parse(Some(&request.query));
    let method: Method = request.method.parse().expect("a method");
    let resolution = resolve(&method, &request.path, &query).expect("a route");
    assert_eq!(resolution.operation.name(), request.operation);
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name: HeaderName = name.parse().expect("a header");
        headers.insert(name, HeaderValue::from_str(value).expect("a value"));
    }
    let body = Bytes::copy_from_slice(request.body.as_bytes());
    macro_rules! by_operation {
        ($($operation:ident $decode:ident,)*) => {
            match resolution.operation {
                $(lambda::Operation::$operation => {
                    print(lambda::decode::$decode(&resolution.labels, &query, &headers, body))
                })*
            }
        };
    }
    by_operation! {
        AddLayerVersionPermission add_layer_version_permission_request,
        AddPermission add_permission_request,
        CheckpointDurableExecution checkpoint_durable_execution_request,
        CreateAlias create_alias_request,
        CreateCapacityProvider create_capacity_provider_request,
        CreateCodeSigningConfig create_code_signing_config_request,
        CreateEventSourceMapping create_event_source_mapping_request,
        CreateFunction create_function_request,
        CreateFunctionUrlConfig create_function_url_config_request,
        DeleteAlias delete_alias_request,
        DeleteCapacityProvider delete_capacity_provider_request,
        DeleteCodeSigningConfig delete_code_signing_config_request,
        DeleteDurableExecution delete_durable_execution_request,
        DeleteEventSourceMapping delete_event_source_mapping_request,
        DeleteFunction delete_function_request,
        DeleteFunctionCodeSigningConfig delete_function_code_signing_config_request,
        DeleteFunctionConcurrency delete_function_concurrency_request,
        DeleteFunctionEventInvokeConfig delete_function_event_invoke_config_request,
        DeleteFunctionUrlConfig delete_function_url_config_request,
        DeleteLayerVersion delete_layer_version_request,
        DeleteProvisionedConcurrencyConfig delete_provisioned_concurrency_config_request,
        DeleteResourcePolicy delete_resource_policy_request,
        GetAccountSettings get_account_settings_request,
        GetAlias get_alias_request,
        GetCapacityProvider get_capacity_provider_request,
        GetCodeSigningConfig get_code_signing_config_request,
        GetDurableExecution get_durable_execution_request,
        GetDurableExecutionHistory get_durable_execution_history_request,
        GetDurableExecutionState get_durable_execution_state_request,
        GetEventSourceMapping get_event_source_mapping_request,
        GetFunction get_function_request,
        GetFunctionCodeSigningConfig get_function_code_signing_config_request,
        GetFunctionConcurrency get_function_concurrency_request,
        GetFunctionConfiguration get_function_configuration_request,
        GetFunctionEventInvokeConfig get_function_event_invoke_config_request,
        GetFunctionRecursionConfig get_function_recursion_config_request,
        GetFunctionScalingConfig get_function_scaling_config_request,
        GetFunctionUrlConfig get_function_url_config_request,
        GetLayerVersion get_layer_version_request,
        GetLayerVersionByArn get_layer_version_by_arn_request,
        GetLayerVersionPolicy get_layer_version_policy_request,
        GetPolicy get_policy_request,
        GetProvisionedConcurrencyConfig get_provisioned_concurrency_config_request,
        GetResourcePolicy get_resource_policy_request,
        GetRuntimeManagementConfig get_runtime_management_config_request,
        Invoke invoke_request,
        InvokeAsync invoke_async_request,
        InvokeWithResponseStream invoke_with_response_stream_request,
        ListAliases list_aliases_request,
        ListCapacityProviders list_capacity_providers_request,
        ListCodeSigningConfigs list_code_signing_configs_request,
        ListDurableExecutionsByFunction list_durable_executions_by_function_request,
        ListEventSourceMappings list_event_source_mappings_request,
        ListFunctionEventInvokeConfigs list_function_event_invoke_configs_request,
        ListFunctionUrlConfigs list_function_url_configs_request,
        ListFunctionVersionsByCapacityProvider list_function_versions_by_capacity_provider_request,
        ListFunctions list_functions_request,
        ListFunctionsByCodeSigningConfig list_functions_by_code_signing_config_request,
        ListLayerVersions list_layer_versions_request,
        ListLayers list_layers_request,
        ListProvisionedConcurrencyConfigs list_provisioned_concurrency_configs_request,
        ListTags list_tags_request,
        ListVersionsByFunction list_versions_by_function_request,
        PauseDurableExecution pause_durable_execution_request,
        PublishLayerVersion publish_layer_version_request,
        PublishVersion publish_version_request,
        PutFunctionCodeSigningConfig put_function_code_signing_config_request,
        PutFunctionConcurrency put_function_concurrency_request,
        PutFunctionEventInvokeConfig put_function_event_invoke_config_request,
        PutFunctionRecursionConfig put_function_recursion_config_request,
        PutFunctionScalingConfig put_function_scaling_config_request,
        PutProvisionedConcurrencyConfig put_provisioned_concurrency_config_request,
        PutResourcePolicy put_resource_policy_request,
        PutRuntimeManagementConfig put_runtime_management_config_request,
        RemoveLayerVersionPermission remove_layer_version_permission_request,
        RemovePermission remove_permission_request,
        ResumeDurableExecution resume_durable_execution_request,
        SendDurableExecutionCallbackFailure send_durable_execution_callback_failure_request,
        SendDurableExecutionCallbackHeartbeat send_durable_execution_callback_heartbeat_request,
        SendDurableExecutionCallbackSuccess send_durable_execution_callback_success_request,
        StopDurableExecution stop_durable_execution_request,
        TagResource tag_resource_request,
        UntagResource untag_resource_request,
        UpdateAlias update_alias_request,
        UpdateCapacityProvider update_capacity_provider_request,
        UpdateCodeSigningConfig update_code_signing_config_request,
        UpdateEventSourceMapping update_event_source_mapping_request,
        UpdateFunctionCode update_function_code_request,
        UpdateFunctionConfiguration update_function_configuration_request,
        UpdateFunctionEventInvokeConfig update_function_event_invoke_config_request,
        UpdateFunctionUrlConfig update_function_url_config_request,
    }
}

/// The input of a request to CloudWatch Logs, printed.
fn logs_input(request: &Request) -> String {
    let operation = logs::Operation::from_target(&request.headers["x-amz-target"]).expect("an operation");
    assert_eq!(operation.name(), request.operation);
    let body = Bytes::copy_from_slice(request.body.as_bytes());
    macro_rules! by_operation {
        ($($operation:ident $decode:ident,)*) => {
            match operation {
                $(logs::Operation::$operation => print(logs::decode::$decode(body)),)*
            }
        };
    }
    by_operation! {
        CreateLogGroup create_log_group_request,
        CreateLogStream create_log_stream_request,
        DeleteLogGroup delete_log_group_request,
        DeleteLogStream delete_log_stream_request,
        DeleteRetentionPolicy delete_retention_policy_request,
        DescribeLogGroups describe_log_groups_request,
        DescribeLogStreams describe_log_streams_request,
        FilterLogEvents filter_log_events_request,
        GetLogEvents get_log_events_request,
        PutLogEvents put_log_events_request,
        PutRetentionPolicy put_retention_policy_request,
    }
}

/// The input of a request to IAM, printed.
fn iam_input(request: &Request) -> String {
    let form = parse_form(request.body.as_bytes()).expect("a form");
    let operation =
        iam::Operation::from_action(form.get("Action").expect("an action")).expect("an operation");
    assert_eq!(operation.name(), request.operation);
    macro_rules! by_operation {
        ($($operation:ident $decode:ident,)*) => {
            match operation {
                $(iam::Operation::$operation => print(iam::decode::$decode(&form)),)*
            }
        };
    }
    by_operation! {
        AttachRolePolicy attach_role_policy_request,
        AttachUserPolicy attach_user_policy_request,
        CreateAccessKey create_access_key_request,
        CreatePolicy create_policy_request,
        CreatePolicyVersion create_policy_version_request,
        CreateRole create_role_request,
        CreateUser create_user_request,
        DeleteAccessKey delete_access_key_request,
        DeletePolicy delete_policy_request,
        DeletePolicyVersion delete_policy_version_request,
        DeleteRole delete_role_request,
        DeleteRolePermissionsBoundary delete_role_permissions_boundary_request,
        DeleteRolePolicy delete_role_policy_request,
        DeleteUser delete_user_request,
        DeleteUserPermissionsBoundary delete_user_permissions_boundary_request,
        DeleteUserPolicy delete_user_policy_request,
        DetachRolePolicy detach_role_policy_request,
        DetachUserPolicy detach_user_policy_request,
        GetPolicy get_policy_request,
        GetPolicyVersion get_policy_version_request,
        GetRole get_role_request,
        GetRolePolicy get_role_policy_request,
        GetUser get_user_request,
        GetUserPolicy get_user_policy_request,
        ListAccessKeys list_access_keys_request,
        ListAttachedRolePolicies list_attached_role_policies_request,
        ListAttachedUserPolicies list_attached_user_policies_request,
        ListInstanceProfilesForRole list_instance_profiles_for_role_request,
        ListPolicies list_policies_request,
        ListPolicyVersions list_policy_versions_request,
        ListRolePolicies list_role_policies_request,
        ListRoleTags list_role_tags_request,
        ListRoles list_roles_request,
        ListUserPolicies list_user_policies_request,
        ListUserTags list_user_tags_request,
        ListUsers list_users_request,
        PutRolePermissionsBoundary put_role_permissions_boundary_request,
        PutRolePolicy put_role_policy_request,
        PutUserPermissionsBoundary put_user_permissions_boundary_request,
        PutUserPolicy put_user_policy_request,
        SetDefaultPolicyVersion set_default_policy_version_request,
        TagRole tag_role_request,
        TagUser tag_user_request,
        UntagRole untag_role_request,
        UntagUser untag_user_request,
        UpdateAccessKey update_access_key_request,
        UpdateAssumeRolePolicy update_assume_role_policy_request,
        UpdateRole update_role_request,
    }
}

/// The input of a request to STS, printed.
fn sts_input(request: &Request) -> String {
    let form = parse_form(request.body.as_bytes()).expect("a form");
    match sts::Operation::from_action(form.get("Action").expect("an action")).expect("an operation") {
        sts::Operation::AssumeRole => print(sts::decode::assume_role_request(&form)),
        sts::Operation::GetCallerIdentity => print(sts::decode::get_caller_identity_request(&form)),
    }
}

/// Nothing that the client sent was overlooked or taken for an unknown value.
fn assert_complete(request: &Request, printed: &str) {
    assert!(!printed.contains("None"), "{}: {printed}", request.operation);
    assert!(!printed.contains("Unknown"), "{}: {printed}", request.operation);
}

#[test]
fn every_member_of_every_lambda_operation_arrives() {
    let requests = requests("lambda");
    assert_eq!(requests.len(), lambda::Operation::ALL.len());
    for request in requests {
        assert_complete(&request, &lambda_input(&request));
    }
}

#[test]
fn every_member_of_every_logs_operation_arrives() {
    let requests = requests("logs");
    assert_eq!(requests.len(), logs::Operation::ALL.len());
    for request in requests {
        assert_complete(&request, &logs_input(&request));
    }
}

#[test]
fn every_member_of_every_iam_operation_arrives() {
    let requests = requests("iam");
    assert_eq!(requests.len(), iam::Operation::ALL.len());
    for request in requests {
        assert_complete(&request, &iam_input(&request));
    }
}

#[test]
fn every_member_of_every_sts_operation_arrives() {
    let requests = requests("sts");
    assert_eq!(requests.len(), sts::Operation::ALL.len());
    for request in requests {
        assert_complete(&request, &sts_input(&request));
    }
}
