//! The CloudWatch Logs API over the log store.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/>

mod events;
mod groups;
mod put;
mod streams;
mod token;

use rushlight_api::logs::errors;
use rushlight_api::logs::service::LogsService;
use rushlight_api::logs::types::{
    CreateLogGroupRequest, CreateLogStreamRequest, DeleteLogGroupRequest, DeleteLogStreamRequest,
    DeleteRetentionPolicyRequest, DescribeLogGroupsRequest, DescribeLogGroupsResponse,
    DescribeLogStreamsRequest, DescribeLogStreamsResponse, FilterLogEventsRequest, FilterLogEventsResponse,
    GetLogEventsRequest, GetLogEventsResponse, PutLogEventsRequest, PutLogEventsResponse,
    PutRetentionPolicyRequest,
};

use rushlight_auth::Authorizer;
use rushlight_model::arn::Scope;

use super::group::GroupKey;
use super::store::LogStore;
use super::{Error, Result};
use crate::RequestContext;

impl RequestContext {
    fn group(&self, name: impl Into<String>) -> GroupKey {
        let Scope { account, region } = self.scope.clone();
        GroupKey { account, region, name: name.into() }
    }

    /// The group of a request that names it in one of two ways: by name, or by name or ARN.
    fn identified_group(&self, name: Option<String>, identifier: Option<String>) -> Result<GroupKey> {
        match (name, identifier) {
            (Some(name), None) => Ok(self.group(name)),
            (None, Some(identifier)) => match identifier.split_once(":log-group:") {
                None => Ok(self.group(identifier)),
                Some((_, name)) => Ok(self.group(name.trim_end_matches(":*"))),
            },
            _ => Err(Error::invalid("Exactly one of logGroupName and logGroupIdentifier must be specified.")),
        }
    }

    /// The same, before the request is let in.
    fn identified(&self, name: &Option<String>, identifier: &Option<String>) -> Answer<GroupKey> {
        self.identified_group(name.clone(), identifier.clone()).map_err(exception)
    }

    /// The ARN of a group, without the `:*` that stands for its streams.
    fn group_arn(&self, name: &str) -> String {
        let Scope { account, region } = &self.scope;
        format!("arn:{}:logs:{region}:{account}:log-group:{name}", self.scope.partition())
    }
}

/// CloudWatch Logs as the gateway sees it.
#[derive(Debug, Clone)]
pub struct Logs {
    store: LogStore,
    authorizer: Authorizer,
}

impl Logs {
    /// The service over a store, for whom the policies allow it.
    pub fn new(store: LogStore, authorizer: Authorizer) -> Self {
        Self { store, authorizer }
    }

    /// Runs an operation, if the caller has the permission for it, off the threads of the async runtime: it reads and
    /// writes files.
    async fn run<T: Send + 'static>(
        &self,
        context: &RequestContext,
        permission: Permission<'_>,
        operation: impl FnOnce(&LogStore, &RequestContext) -> Result<T> + Send + 'static,
    ) -> Answer<T> {
        let conditions = context.caller.context(&context.scope.region, self.store.now() / 1000);
        let Permission { action, group, stream } = permission;
        // The form that policies which end in `:*` are written for.
        let resource = format!("{}:log-stream:{stream}", context.group_arn(group));
        let (principal, account) = (&context.caller.principal, &context.scope.account);
        self.authorizer
            .check(principal, action, &resource, account, None, conditions)
            .map_err(|denied| rushlight_api::Error::access_denied(Some(denied.message)))?;
        let (store, context) = (self.store.clone(), context.clone());
        let task = tokio::task::spawn_blocking(move || operation(&store, &context));
        task.await.unwrap_or(Err(Error::Closed)).map_err(exception)
    }
}

/// What an operation takes: an action on a group, or on a stream of it.
struct Permission<'a> {
    action: &'static str,
    group: &'a str,
    stream: &'a str,
}

impl<'a> Permission<'a> {
    fn on_group(action: &'static str, group: &'a str) -> Self {
        Self { action, group, stream: "" }
    }

    fn on_stream(action: &'static str, group: &'a str, stream: &'a str) -> Self {
        Self { action, group, stream }
    }
}

fn exception(error: Error) -> rushlight_api::Error {
    match error {
        Error::NoSuchGroup | Error::NoSuchStream => errors::resource_not_found_exception(error.to_string()),
        Error::GroupExists | Error::StreamExists => {
            errors::resource_already_exists_exception(error.to_string())
        }
        Error::InvalidParameter(message) => errors::invalid_parameter_exception(message),
        Error::Io { .. } | Error::Closed => {
            tracing::error!(error = &error as &dyn std::error::Error, "logs.operation.failed");
            errors::service_unavailable_exception("The service cannot complete the request.")
        }
    }
}

/// What an operation answers: its output or an exception.
type Answer<T> = std::result::Result<T, rushlight_api::Error>;

impl LogsService for Logs {
    type Context = RequestContext;

    async fn create_log_group(&self, context: &RequestContext, input: CreateLogGroupRequest) -> Answer<()> {
        let name = input.log_group_name.clone();
        let permission = Permission::on_group("logs:CreateLogGroup", &name);
        self.run(context, permission, |store, context| groups::create(store, context, input)).await
    }

    async fn delete_log_group(&self, context: &RequestContext, input: DeleteLogGroupRequest) -> Answer<()> {
        let name = input.log_group_name.clone();
        let permission = Permission::on_group("logs:DeleteLogGroup", &name);
        self.run(context, permission, |store, context| groups::delete(store, context, input)).await
    }

    async fn describe_log_groups(
        &self,
        context: &RequestContext,
        input: DescribeLogGroupsRequest,
    ) -> Answer<DescribeLogGroupsResponse> {
        let permission = Permission::on_group("logs:DescribeLogGroups", "");
        self.run(context, permission, |store, context| groups::describe(store, context, input)).await
    }

    async fn put_retention_policy(
        &self,
        context: &RequestContext,
        input: PutRetentionPolicyRequest,
    ) -> Answer<()> {
        let name = input.log_group_name.clone();
        let permission = Permission::on_group("logs:PutRetentionPolicy", &name);
        self.run(context, permission, |store, context| groups::put_retention(store, context, input)).await
    }

    async fn delete_retention_policy(
        &self,
        context: &RequestContext,
        input: DeleteRetentionPolicyRequest,
    ) -> Answer<()> {
        let name = input.log_group_name.clone();
        let permission = Permission::on_group("logs:DeleteRetentionPolicy", &name);
        self.run(context, permission, |store, context| groups::delete_retention(store, context, input)).await
    }

    async fn create_log_stream(&self, context: &RequestContext, input: CreateLogStreamRequest) -> Answer<()> {
        let name = input.log_group_name.clone();
        let permission = Permission::on_group("logs:CreateLogStream", &name);
        self.run(context, permission, |store, context| streams::create(store, context, input)).await
    }

    async fn delete_log_stream(&self, context: &RequestContext, input: DeleteLogStreamRequest) -> Answer<()> {
        let (group, stream) = (input.log_group_name.clone(), input.log_stream_name.clone());
        let permission = Permission::on_stream("logs:DeleteLogStream", &group, &stream);
        self.run(context, permission, |store, context| streams::delete(store, context, input)).await
    }

    async fn describe_log_streams(
        &self,
        context: &RequestContext,
        input: DescribeLogStreamsRequest,
    ) -> Answer<DescribeLogStreamsResponse> {
        let group = context.identified(&input.log_group_name, &input.log_group_identifier)?;
        let permission = Permission::on_group("logs:DescribeLogStreams", &group.name);
        self.run(context, permission, |store, context| streams::describe(store, context, input)).await
    }

    async fn put_log_events(
        &self,
        context: &RequestContext,
        input: PutLogEventsRequest,
    ) -> Answer<PutLogEventsResponse> {
        let (group, stream) = (input.log_group_name.clone(), input.log_stream_name.clone());
        let permission = Permission::on_stream("logs:PutLogEvents", &group, &stream);
        self.run(context, permission, |store, context| put::put(store, context, input)).await
    }

    async fn get_log_events(
        &self,
        context: &RequestContext,
        input: GetLogEventsRequest,
    ) -> Answer<GetLogEventsResponse> {
        let group = context.identified(&input.log_group_name, &input.log_group_identifier)?;
        let stream = input.log_stream_name.clone();
        let permission = Permission::on_stream("logs:GetLogEvents", &group.name, &stream);
        self.run(context, permission, |store, context| events::get(store, context, input)).await
    }

    async fn filter_log_events(
        &self,
        context: &RequestContext,
        input: FilterLogEventsRequest,
    ) -> Answer<FilterLogEventsResponse> {
        let group = context.identified(&input.log_group_name, &input.log_group_identifier)?;
        let permission = Permission::on_group("logs:FilterLogEvents", &group.name);
        self.run(context, permission, |store, context| events::filter(store, context, input)).await
    }
}
