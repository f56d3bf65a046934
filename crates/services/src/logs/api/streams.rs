//! Log streams: create, delete, describe.

use std::cmp::Reverse;

use rushlight_api::logs::types::{
    CreateLogStreamRequest, DeleteLogStreamRequest, DescribeLogStreamsRequest, DescribeLogStreamsResponse,
    LogStream, OrderBy,
};

use super::super::group::Stream;
use super::super::store::LogStore;
use super::super::{Error, Result};
use super::{RequestContext, token};

const DEFAULT_LIMIT: i32 = 50;

pub(super) fn create(
    store: &LogStore,
    context: &RequestContext,
    input: CreateLogStreamRequest,
) -> Result<()> {
    store.group(&context.group(input.log_group_name))?.create_stream(&input.log_stream_name, store.now())
}

pub(super) fn delete(
    store: &LogStore,
    context: &RequestContext,
    input: DeleteLogStreamRequest,
) -> Result<()> {
    store.group(&context.group(input.log_group_name))?.delete_stream(&input.log_stream_name)
}

pub(super) fn describe(
    store: &LogStore,
    context: &RequestContext,
    input: DescribeLogStreamsRequest,
) -> Result<DescribeLogStreamsResponse> {
    let by_time = input.order_by == Some(OrderBy::LastEventTime);
    if by_time && input.log_stream_name_prefix.is_some() {
        return Err(Error::invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let key = context.identified_group(input.log_group_name, input.log_group_identifier)?;
    let mut streams = store.group(&key)?.streams(input.log_stream_name_prefix.as_deref().unwrap_or_default());
    if by_time {
        // Those without events come first, as if their last one were before all others.
        streams.sort_by(|a, b| (a.last, &a.name).cmp(&(b.last, &b.name)));
    }
    if input.descending == Some(true) {
        streams.reverse();
    }
    let start = match input.next_token.as_deref().map(token::read_name).transpose()? {
        Some(last) => place_after(&streams, &last),
        None => 0,
    };
    let limit = usize::try_from(input.limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or_default();
    let page: Vec<&Stream> = streams.iter().skip(start).take(limit).collect();
    let more = start + page.len() < streams.len();
    let next_token = page.last().filter(|_| more).map(|last| token::write_name(&last.name));
    let group_arn = context.group_arn(&key.name);
    let log_streams = page.into_iter().map(|stream| describe_one(&group_arn, stream)).collect();
    Ok(DescribeLogStreamsResponse { log_streams: Some(log_streams), next_token })
}

/// Where the page after the stream `last` begins. A stream deleted meanwhile ends the listing by time; by name the
/// next one is found all the same.
fn place_after(streams: &[Stream], last: &str) -> usize {
    if let Some(place) = streams.iter().position(|stream| &*stream.name == last) {
        return place + 1;
    }
    if streams.is_sorted_by_key(|stream| &stream.name) {
        streams.partition_point(|stream| &*stream.name <= last)
    } else if streams.is_sorted_by_key(|stream| Reverse(&stream.name)) {
        streams.partition_point(|stream| &*stream.name >= last)
    } else {
        streams.len()
    }
}

fn describe_one(group_arn: &str, stream: &Stream) -> LogStream {
    LogStream {
        log_stream_name: Some(stream.name.to_string()),
        creation_time: Some(stream.created),
        first_event_timestamp: stream.first,
        last_event_timestamp: stream.last,
        last_ingestion_time: stream.last_taken,
        upload_sequence_token: Some(token::UPLOAD_SEQUENCE.into()),
        arn: Some(format!("{group_arn}:log-stream:{}", stream.name)),
        // CloudWatch stopped counting bytes of streams in 2019 and answers zero.
        stored_bytes: Some(0),
    }
}
