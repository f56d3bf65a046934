//! Log groups: create, delete, describe, retention.

use rushlight_api::logs::types::{
    CreateLogGroupRequest, DeleteLogGroupRequest, DeleteRetentionPolicyRequest, DescribeLogGroupsRequest,
    DescribeLogGroupsResponse, LogGroup, LogGroupClass, PutRetentionPolicyRequest,
};

use super::super::store::LogStore;
use super::super::{Error, Result};
use super::{RequestContext, token};

/// How many days a group may keep its events.
const RETENTION_DAYS: [i32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];
const DEFAULT_LIMIT: i32 = 50;

pub(super) fn create(store: &LogStore, context: &RequestContext, input: CreateLogGroupRequest) -> Result<()> {
    store.create_group(context.group(input.log_group_name), None).map(drop)
}

pub(super) fn delete(store: &LogStore, context: &RequestContext, input: DeleteLogGroupRequest) -> Result<()> {
    store.delete_group(&context.group(input.log_group_name))
}

pub(super) fn put_retention(
    store: &LogStore,
    context: &RequestContext,
    input: PutRetentionPolicyRequest,
) -> Result<()> {
    let days = input.retention_in_days;
    if !RETENTION_DAYS.contains(&days) {
        let allowed = RETENTION_DAYS.map(|days| days.to_string()).join(", ");
        return Err(Error::invalid(format!(
            "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member must \
             satisfy enum value set: [{allowed}]"
        )));
    }
    store.group(&context.group(input.log_group_name))?.set_retention(Some(days))
}

pub(super) fn delete_retention(
    store: &LogStore,
    context: &RequestContext,
    input: DeleteRetentionPolicyRequest,
) -> Result<()> {
    store.group(&context.group(input.log_group_name))?.set_retention(None)
}

pub(super) fn describe(
    store: &LogStore,
    context: &RequestContext,
    input: DescribeLogGroupsRequest,
) -> Result<DescribeLogGroupsResponse> {
    if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
        return Err(Error::invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let after = input.next_token.as_deref().map(token::read_name).transpose()?.unwrap_or_default();
    let limit = usize::try_from(input.limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or_default();
    let pattern = input.log_group_name_pattern.map(|pattern| pattern.to_lowercase());
    let wanted = |name: &str| {
        input.log_group_name_prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix.as_str()))
            && pattern.as_ref().is_none_or(|pattern| name.to_lowercase().contains(pattern.as_str()))
    };
    let found = store.groups(&context.scope.account, &context.scope.region, &after, limit + 1, wanted);
    let mut groups: Vec<LogGroup> =
        found.iter().map(|group| describe_one(context, &group.describe())).collect();
    let more = groups.len() > limit;
    groups.truncate(limit);
    let last = groups.last().and_then(|group| group.log_group_name.as_deref());
    let next_token = last.filter(|_| more).map(token::write_name);
    Ok(DescribeLogGroupsResponse { log_groups: Some(groups), next_token })
}

fn describe_one(context: &RequestContext, group: &super::super::group::GroupDescription) -> LogGroup {
    let arn = context.group_arn(&group.facts.key.name);
    LogGroup {
        log_group_name: Some(group.facts.key.name.clone()),
        creation_time: Some(group.facts.created),
        retention_in_days: group.facts.retention_days,
        metric_filter_count: Some(0),
        arn: Some(format!("{arn}:*")),
        stored_bytes: Some(i64::try_from(group.stored_bytes).unwrap_or(i64::MAX)),
        log_group_class: Some(LogGroupClass::Standard),
        log_group_arn: Some(arn),
        deletion_protection_enabled: Some(false),
        ..LogGroup::default()
    }
}
