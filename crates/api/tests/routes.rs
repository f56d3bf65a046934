//! Every operation of Lambda is found by its method and path, and by nothing else.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use http::Method;
use rushlight_api::lambda::Operation;
use rushlight_api::lambda::routes::{resolve, unresolved};
use rushlight_api::{Labels, Query};

/// Method, path and operation, as AWS documents them.
#[rustfmt::skip]
const ROUTES: [(&str, &str, Operation, &str); 91] = [
    ("POST", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy", Operation::AddLayerVersionPermission, "AddLayerVersionPermission"),
    ("POST", "/2015-03-31/functions/{FunctionName}/policy", Operation::AddPermission, "AddPermission"),
    ("POST", "/2025-12-01/durable-executions/{DurableExecutionArn}/checkpoint", Operation::CheckpointDurableExecution, "CheckpointDurableExecution"),
    ("POST", "/2015-03-31/functions/{FunctionName}/aliases", Operation::CreateAlias, "CreateAlias"),
    ("POST", "/2025-11-30/capacity-providers", Operation::CreateCapacityProvider, "CreateCapacityProvider"),
    ("POST", "/2020-04-22/code-signing-configs", Operation::CreateCodeSigningConfig, "CreateCodeSigningConfig"),
    ("POST", "/2015-03-31/event-source-mappings", Operation::CreateEventSourceMapping, "CreateEventSourceMapping"),
    ("POST", "/2015-03-31/functions", Operation::CreateFunction, "CreateFunction"),
    ("POST", "/2021-10-31/functions/{FunctionName}/url", Operation::CreateFunctionUrlConfig, "CreateFunctionUrlConfig"),
    ("DELETE", "/2015-03-31/functions/{FunctionName}/aliases/{Name}", Operation::DeleteAlias, "DeleteAlias"),
    ("DELETE", "/2025-11-30/capacity-providers/{CapacityProviderName}", Operation::DeleteCapacityProvider, "DeleteCapacityProvider"),
    ("DELETE", "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}", Operation::DeleteCodeSigningConfig, "DeleteCodeSigningConfig"),
    ("DELETE", "/2025-12-01/durable-executions/{DurableExecutionArn}", Operation::DeleteDurableExecution, "DeleteDurableExecution"),
    ("DELETE", "/2015-03-31/event-source-mappings/{UUID}", Operation::DeleteEventSourceMapping, "DeleteEventSourceMapping"),
    ("DELETE", "/2015-03-31/functions/{FunctionName}", Operation::DeleteFunction, "DeleteFunction"),
    ("DELETE", "/2020-06-30/functions/{FunctionName}/code-signing-config", Operation::DeleteFunctionCodeSigningConfig, "DeleteFunctionCodeSigningConfig"),
    ("DELETE", "/2017-10-31/functions/{FunctionName}/concurrency", Operation::DeleteFunctionConcurrency, "DeleteFunctionConcurrency"),
    ("DELETE", "/2019-09-25/functions/{FunctionName}/event-invoke-config", Operation::DeleteFunctionEventInvokeConfig, "DeleteFunctionEventInvokeConfig"),
    ("DELETE", "/2021-10-31/functions/{FunctionName}/url", Operation::DeleteFunctionUrlConfig, "DeleteFunctionUrlConfig"),
    ("DELETE", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}", Operation::DeleteLayerVersion, "DeleteLayerVersion"),
    ("DELETE", "/2019-09-30/functions/{FunctionName}/provisioned-concurrency", Operation::DeleteProvisionedConcurrencyConfig, "DeleteProvisionedConcurrencyConfig"),
    ("DELETE", "/2026-07-09/resource-policy/{ResourceArn}", Operation::DeleteResourcePolicy, "DeleteResourcePolicy"),
    ("GET", "/2016-08-19/account-settings", Operation::GetAccountSettings, "GetAccountSettings"),
    ("GET", "/2015-03-31/functions/{FunctionName}/aliases/{Name}", Operation::GetAlias, "GetAlias"),
    ("GET", "/2025-11-30/capacity-providers/{CapacityProviderName}", Operation::GetCapacityProvider, "GetCapacityProvider"),
    ("GET", "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}", Operation::GetCodeSigningConfig, "GetCodeSigningConfig"),
    ("GET", "/2025-12-01/durable-executions/{DurableExecutionArn}", Operation::GetDurableExecution, "GetDurableExecution"),
    ("GET", "/2025-12-01/durable-executions/{DurableExecutionArn}/history", Operation::GetDurableExecutionHistory, "GetDurableExecutionHistory"),
    ("GET", "/2025-12-01/durable-executions/{DurableExecutionArn}/state", Operation::GetDurableExecutionState, "GetDurableExecutionState"),
    ("GET", "/2015-03-31/event-source-mappings/{UUID}", Operation::GetEventSourceMapping, "GetEventSourceMapping"),
    ("GET", "/2015-03-31/functions/{FunctionName}", Operation::GetFunction, "GetFunction"),
    ("GET", "/2020-06-30/functions/{FunctionName}/code-signing-config", Operation::GetFunctionCodeSigningConfig, "GetFunctionCodeSigningConfig"),
    ("GET", "/2019-09-30/functions/{FunctionName}/concurrency", Operation::GetFunctionConcurrency, "GetFunctionConcurrency"),
    ("GET", "/2015-03-31/functions/{FunctionName}/configuration", Operation::GetFunctionConfiguration, "GetFunctionConfiguration"),
    ("GET", "/2019-09-25/functions/{FunctionName}/event-invoke-config", Operation::GetFunctionEventInvokeConfig, "GetFunctionEventInvokeConfig"),
    ("GET", "/2024-08-31/functions/{FunctionName}/recursion-config", Operation::GetFunctionRecursionConfig, "GetFunctionRecursionConfig"),
    ("GET", "/2025-11-30/functions/{FunctionName}/function-scaling-config", Operation::GetFunctionScalingConfig, "GetFunctionScalingConfig"),
    ("GET", "/2021-10-31/functions/{FunctionName}/url", Operation::GetFunctionUrlConfig, "GetFunctionUrlConfig"),
    ("GET", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}", Operation::GetLayerVersion, "GetLayerVersion"),
    ("GET", "/2018-10-31/layers?find=LayerVersion", Operation::GetLayerVersionByArn, "GetLayerVersionByArn"),
    ("GET", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy", Operation::GetLayerVersionPolicy, "GetLayerVersionPolicy"),
    ("GET", "/2015-03-31/functions/{FunctionName}/policy", Operation::GetPolicy, "GetPolicy"),
    ("GET", "/2019-09-30/functions/{FunctionName}/provisioned-concurrency", Operation::GetProvisionedConcurrencyConfig, "GetProvisionedConcurrencyConfig"),
    ("GET", "/2026-07-09/resource-policy/{ResourceArn}", Operation::GetResourcePolicy, "GetResourcePolicy"),
    ("GET", "/2021-07-20/functions/{FunctionName}/runtime-management-config", Operation::GetRuntimeManagementConfig, "GetRuntimeManagementConfig"),
    ("POST", "/2015-03-31/functions/{FunctionName}/invocations", Operation::Invoke, "Invoke"),
    ("POST", "/2014-11-13/functions/{FunctionName}/invoke-async", Operation::InvokeAsync, "InvokeAsync"),
    ("POST", "/2021-11-15/functions/{FunctionName}/response-streaming-invocations", Operation::InvokeWithResponseStream, "InvokeWithResponseStream"),
    ("GET", "/2015-03-31/functions/{FunctionName}/aliases", Operation::ListAliases, "ListAliases"),
    ("GET", "/2025-11-30/capacity-providers", Operation::ListCapacityProviders, "ListCapacityProviders"),
    ("GET", "/2020-04-22/code-signing-configs", Operation::ListCodeSigningConfigs, "ListCodeSigningConfigs"),
    ("GET", "/2025-12-01/functions/{FunctionName}/durable-executions", Operation::ListDurableExecutionsByFunction, "ListDurableExecutionsByFunction"),
    ("GET", "/2015-03-31/event-source-mappings", Operation::ListEventSourceMappings, "ListEventSourceMappings"),
    ("GET", "/2019-09-25/functions/{FunctionName}/event-invoke-config/list", Operation::ListFunctionEventInvokeConfigs, "ListFunctionEventInvokeConfigs"),
    ("GET", "/2021-10-31/functions/{FunctionName}/urls", Operation::ListFunctionUrlConfigs, "ListFunctionUrlConfigs"),
    ("GET", "/2025-11-30/capacity-providers/{CapacityProviderName}/function-versions", Operation::ListFunctionVersionsByCapacityProvider, "ListFunctionVersionsByCapacityProvider"),
    ("GET", "/2015-03-31/functions", Operation::ListFunctions, "ListFunctions"),
    ("GET", "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}/functions", Operation::ListFunctionsByCodeSigningConfig, "ListFunctionsByCodeSigningConfig"),
    ("GET", "/2018-10-31/layers/{LayerName}/versions", Operation::ListLayerVersions, "ListLayerVersions"),
    ("GET", "/2018-10-31/layers", Operation::ListLayers, "ListLayers"),
    ("GET", "/2019-09-30/functions/{FunctionName}/provisioned-concurrency?List=ALL", Operation::ListProvisionedConcurrencyConfigs, "ListProvisionedConcurrencyConfigs"),
    ("GET", "/2017-03-31/tags/{Resource}", Operation::ListTags, "ListTags"),
    ("GET", "/2015-03-31/functions/{FunctionName}/versions", Operation::ListVersionsByFunction, "ListVersionsByFunction"),
    ("POST", "/2025-12-01/durable-executions/{DurableExecutionArn}/pause", Operation::PauseDurableExecution, "PauseDurableExecution"),
    ("POST", "/2018-10-31/layers/{LayerName}/versions", Operation::PublishLayerVersion, "PublishLayerVersion"),
    ("POST", "/2015-03-31/functions/{FunctionName}/versions", Operation::PublishVersion, "PublishVersion"),
    ("PUT", "/2020-06-30/functions/{FunctionName}/code-signing-config", Operation::PutFunctionCodeSigningConfig, "PutFunctionCodeSigningConfig"),
    ("PUT", "/2017-10-31/functions/{FunctionName}/concurrency", Operation::PutFunctionConcurrency, "PutFunctionConcurrency"),
    ("PUT", "/2019-09-25/functions/{FunctionName}/event-invoke-config", Operation::PutFunctionEventInvokeConfig, "PutFunctionEventInvokeConfig"),
    ("PUT", "/2024-08-31/functions/{FunctionName}/recursion-config", Operation::PutFunctionRecursionConfig, "PutFunctionRecursionConfig"),
    ("PUT", "/2025-11-30/functions/{FunctionName}/function-scaling-config", Operation::PutFunctionScalingConfig, "PutFunctionScalingConfig"),
    ("PUT", "/2019-09-30/functions/{FunctionName}/provisioned-concurrency", Operation::PutProvisionedConcurrencyConfig, "PutProvisionedConcurrencyConfig"),
    ("PUT", "/2026-07-09/resource-policy/{ResourceArn}", Operation::PutResourcePolicy, "PutResourcePolicy"),
    ("PUT", "/2021-07-20/functions/{FunctionName}/runtime-management-config", Operation::PutRuntimeManagementConfig, "PutRuntimeManagementConfig"),
    ("DELETE", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy/{StatementId}", Operation::RemoveLayerVersionPermission, "RemoveLayerVersionPermission"),
    ("DELETE", "/2015-03-31/functions/{FunctionName}/policy/{StatementId}", Operation::RemovePermission, "RemovePermission"),
    ("POST", "/2025-12-01/durable-executions/{DurableExecutionArn}/resume", Operation::ResumeDurableExecution, "ResumeDurableExecution"),
    ("POST", "/2025-12-01/durable-execution-callbacks/{CallbackId}/fail", Operation::SendDurableExecutionCallbackFailure, "SendDurableExecutionCallbackFailure"),
    ("POST", "/2025-12-01/durable-execution-callbacks/{CallbackId}/heartbeat", Operation::SendDurableExecutionCallbackHeartbeat, "SendDurableExecutionCallbackHeartbeat"),
    ("POST", "/2025-12-01/durable-execution-callbacks/{CallbackId}/succeed", Operation::SendDurableExecutionCallbackSuccess, "SendDurableExecutionCallbackSuccess"),
    ("POST", "/2025-12-01/durable-executions/{DurableExecutionArn}/stop", Operation::StopDurableExecution, "StopDurableExecution"),
    ("POST", "/2017-03-31/tags/{Resource}", Operation::TagResource, "TagResource"),
    ("DELETE", "/2017-03-31/tags/{Resource}", Operation::UntagResource, "UntagResource"),
    ("PUT", "/2015-03-31/functions/{FunctionName}/aliases/{Name}", Operation::UpdateAlias, "UpdateAlias"),
    ("PUT", "/2025-11-30/capacity-providers/{CapacityProviderName}", Operation::UpdateCapacityProvider, "UpdateCapacityProvider"),
    ("PUT", "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}", Operation::UpdateCodeSigningConfig, "UpdateCodeSigningConfig"),
    ("PUT", "/2015-03-31/event-source-mappings/{UUID}", Operation::UpdateEventSourceMapping, "UpdateEventSourceMapping"),
    ("PUT", "/2015-03-31/functions/{FunctionName}/code", Operation::UpdateFunctionCode, "UpdateFunctionCode"),
    ("PUT", "/2015-03-31/functions/{FunctionName}/configuration", Operation::UpdateFunctionConfiguration, "UpdateFunctionConfiguration"),
    ("POST", "/2019-09-25/functions/{FunctionName}/event-invoke-config", Operation::UpdateFunctionEventInvokeConfig, "UpdateFunctionEventInvokeConfig"),
    ("PUT", "/2021-10-31/functions/{FunctionName}/url", Operation::UpdateFunctionUrlConfig, "UpdateFunctionUrlConfig"),
];

/// What stands for each label: an ARN with its colons, once encoded and once not, and odd characters.
const LABELS: [(&str, &str); 3] = [
    ("arn:aws:lambda:us-east-1:123456789012:function:f", "arn:aws:lambda:us-east-1:123456789012:function:f"),
    (
        "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Aruntime%2Fr",
        "arn:aws:lambda:us-east-1:123456789012:runtime/r",
    ),
    ("%24LATEST+%C3%A4", "$LATEST+ä"),
];

/// A path and query of a template, its labels filled in, and what the labels should decode to.
fn fill(template: &str, shift: usize) -> (String, Option<String>, Vec<&'static str>) {
    let (path, query) =
        template.split_once('?').map_or((template, None), |(path, query)| (path, Some(query)));
    let mut expected = Vec::new();
    let mut filled = String::new();
    for segment in path.split('/').skip(1) {
        filled.push('/');
        if segment.starts_with('{') {
            let (raw, decoded) = LABELS[(expected.len() + shift) % LABELS.len()];
            expected.push(decoded);
            filled.push_str(raw);
        } else {
            filled.push_str(segment);
        }
    }
    (filled, query.map(str::to_owned), expected)
}

fn values(labels: &Labels<'_>) -> Vec<String> {
    (0..).map_while(|index| labels.get(index).map(str::to_owned)).collect()
}

#[test]
fn every_operation_is_found() {
    for (method, template, operation, name) in ROUTES {
        for shift in 0..LABELS.len() {
            let (path, query, expected) = fill(template, shift);
            for path in [path.clone(), format!("{path}/")] {
                let query = Query::parse(query.as_deref());
                let method: Method = method.parse().expect("a method");
                let resolution = resolve(&method, &path, &query).unwrap_or_else(|| panic!("{method} {path}"));
                assert_eq!(resolution.operation, operation, "{method} {path}");
                assert_eq!(values(&resolution.labels), expected, "{method} {path}");
            }
        }
        assert_eq!(operation.name(), name);
        assert_eq!(Operation::from_name(name), Some(operation));
    }
    let mut operations: Vec<Operation> = ROUTES.iter().map(|(_, _, operation, _)| *operation).collect();
    operations.dedup();
    assert_eq!(operations, Operation::ALL);
}

#[test]
fn query_routes_need_their_query() {
    let find = |path: &str, query: &str| {
        resolve(&Method::GET, path, &Query::parse(Some(query))).map(|resolution| resolution.operation)
    };
    assert_eq!(find("/2018-10-31/layers", "find=LayerVersion&Arn=a"), Some(Operation::GetLayerVersionByArn));
    assert_eq!(find("/2018-10-31/layers", "find=Other"), Some(Operation::ListLayers));
    let path = "/2019-09-30/functions/f/provisioned-concurrency";
    assert_eq!(find(path, "List=ALL&Marker=x"), Some(Operation::ListProvisionedConcurrencyConfigs));
    assert_eq!(find(path, "Qualifier=1"), Some(Operation::GetProvisionedConcurrencyConfig));
}

#[test]
fn what_is_not_a_route_is_not_found() {
    let query = Query::default();
    for path in [
        "",
        "/",
        "//",
        "2015-03-31/functions",
        "/2015-03-31",
        "/2015-03-31/functions//configuration",
        "/2015-03-31/functions/f/configuration/x",
        "/2015-03-31/functions/f/nothing",
        "/2099-01-01/functions",
        "/2015-03-31/functions/f/configuration//",
        "/a/b/c/d/e/f/g/h/i/j/k",
        "/2021-10-31/functions/f/policy",
    ] {
        assert_eq!(resolve(&Method::GET, path, &query), None, "{path}");
        assert_eq!(unresolved(path).code, "UnknownOperationException", "{path}");
    }
}

#[test]
fn a_path_with_another_method_is_denied_like_on_aws() {
    let path = "/2015-03-31/functions/f/invocations";
    assert_eq!(resolve(&Method::GET, path, &Query::default()), None);
    let error = unresolved(path);
    assert_eq!(error.code, "AccessDeniedException");
    assert_eq!(error.status, 403);
    assert_eq!(error.message.as_deref(), Some("Unable to determine service/operation name to be authorized"));
}

#[test]
fn actions_are_those_of_iam() {
    assert_eq!(Operation::CreateFunction.iam_action(), "lambda:CreateFunction");
    assert_eq!(Operation::Invoke.iam_action(), "lambda:InvokeFunction");
    assert_eq!(Operation::InvokeWithResponseStream.iam_action(), "lambda:InvokeFunction");
    assert_eq!(Operation::GetLayerVersionByArn.iam_action(), "lambda:GetLayerVersion");
}
