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

use super::group::GroupKey;
use super::store::LogStore;
use super::{Error, Result};

/// Whose logs a request is about: those of one account in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Twelve digits.
    pub account: String,
    /// E.g. `eu-west-1`.
    pub region: String,
}

impl Caller {
    fn group(&self, name: impl Into<String>) -> GroupKey {
        GroupKey { account: self.account.clone(), region: self.region.clone(), name: name.into() }
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

    /// The ARN of a group, without the `:*` that stands for its streams.
    fn group_arn(&self, name: &str) -> String {
        format!("arn:aws:logs:{}:{}:log-group:{name}", self.region, self.account)
    }
}

/// CloudWatch Logs as the gateway sees it.
#[derive(Debug, Clone)]
pub struct Logs {
    store: LogStore,
}

impl Logs {
    /// The service over a store.
    pub fn new(store: LogStore) -> Self {
        Self { store }
    }

    /// Runs an operation off the threads of the async runtime: it reads and writes files.
    async fn run<T: Send + 'static>(
        &self,
        caller: &Caller,
        operation: impl FnOnce(&LogStore, &Caller) -> Result<T> + Send + 'static,
    ) -> std::result::Result<T, rushlight_api::Error> {
        let (store, caller) = (self.store.clone(), caller.clone());
        let task = tokio::task::spawn_blocking(move || operation(&store, &caller));
        task.await.unwrap_or(Err(Error::Closed)).map_err(exception)
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
    type Context = Caller;

    async fn create_log_group(&self, caller: &Caller, input: CreateLogGroupRequest) -> Answer<()> {
        self.run(caller, |store, caller| groups::create(store, caller, input)).await
    }

    async fn delete_log_group(&self, caller: &Caller, input: DeleteLogGroupRequest) -> Answer<()> {
        self.run(caller, |store, caller| groups::delete(store, caller, input)).await
    }

    async fn describe_log_groups(
        &self,
        caller: &Caller,
        input: DescribeLogGroupsRequest,
    ) -> Answer<DescribeLogGroupsResponse> {
        self.run(caller, |store, caller| groups::describe(store, caller, input)).await
    }

    async fn put_retention_policy(&self, caller: &Caller, input: PutRetentionPolicyRequest) -> Answer<()> {
        self.run(caller, |store, caller| groups::put_retention(store, caller, input)).await
    }

    async fn delete_retention_policy(
        &self,
        caller: &Caller,
        input: DeleteRetentionPolicyRequest,
    ) -> Answer<()> {
        self.run(caller, |store, caller| groups::delete_retention(store, caller, input)).await
    }

    async fn create_log_stream(&self, caller: &Caller, input: CreateLogStreamRequest) -> Answer<()> {
        self.run(caller, |store, caller| streams::create(store, caller, input)).await
    }

    async fn delete_log_stream(&self, caller: &Caller, input: DeleteLogStreamRequest) -> Answer<()> {
        self.run(caller, |store, caller| streams::delete(store, caller, input)).await
    }

    async fn describe_log_streams(
        &self,
        caller: &Caller,
        input: DescribeLogStreamsRequest,
    ) -> Answer<DescribeLogStreamsResponse> {
        self.run(caller, |store, caller| streams::describe(store, caller, input)).await
    }

    async fn put_log_events(
        &self,
        caller: &Caller,
        input: PutLogEventsRequest,
    ) -> Answer<PutLogEventsResponse> {
        self.run(caller, |store, caller| put::put(store, caller, input)).await
    }

    async fn get_log_events(
        &self,
        caller: &Caller,
        input: GetLogEventsRequest,
    ) -> Answer<GetLogEventsResponse> {
        self.run(caller, |store, caller| events::get(store, caller, input)).await
    }

    async fn filter_log_events(
        &self,
        caller: &Caller,
        input: FilterLogEventsRequest,
    ) -> Answer<FilterLogEventsResponse> {
        self.run(caller, |store, caller| events::filter(store, caller, input)).await
    }
}
