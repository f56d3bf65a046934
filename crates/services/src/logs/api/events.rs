//! Reading events: `GetLogEvents` and `FilterLogEvents`.

use rushlight_api::logs::types::{
    FilterLogEventsRequest, FilterLogEventsResponse, FilteredLogEvent, GetLogEventsRequest,
    GetLogEventsResponse, OutputLogEvent,
};

use super::super::filter::Filter;
use super::super::query::{Bounds, Direction, PageSize, Position, page};
use super::super::store::LogStore;
use super::super::{Error, Result};
use super::token::{self, StreamToken};
use super::{RequestContext, put};

const DEFAULT_LIMIT: i32 = 10_000;

/// What one page may hold.
fn page_size(limit: Option<i32>) -> PageSize {
    let events = usize::try_from(limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or_default();
    PageSize { events: events.max(1), bytes: put::MAX_BATCH_BYTES }
}

/// Events of one stream, from either end. Without a token the latest page comes first unless `startFromHead` is set;
/// events within a page are in ascending order either way. At an end the token that was given comes back.
pub(super) fn get(
    store: &LogStore,
    context: &RequestContext,
    input: GetLogEventsRequest,
) -> Result<GetLogEventsResponse> {
    let group = store.group(&context.identified_group(input.log_group_name, input.log_group_identifier)?)?;
    if !group.has_stream(&input.log_stream_name) {
        return Err(Error::NoSuchStream);
    }
    let (from, to) = (input.start_time.unwrap_or(0), input.end_time.unwrap_or(i64::MAX));
    // An event at the end time itself is not included.
    let mut bounds = Bounds { above: Position::before(from), below: Position::before(to) };
    let given = input.next_token.as_deref().map(StreamToken::read).transpose()?;
    let direction = match given {
        Some(StreamToken::Forward(position)) => {
            bounds.above = bounds.above.max(position);
            Direction::Forward
        }
        Some(StreamToken::Backward(position)) => {
            bounds.below = bounds.below.min(position);
            Direction::Backward
        }
        None if input.start_from_head == Some(true) => Direction::Forward,
        None => Direction::Backward,
    };
    let snapshot = group.snapshot(from, to, store.now(), &|name| name == input.log_stream_name)?;
    let page = page(snapshot, bounds, direction, page_size(input.limit), &|_| true)?;
    let (first, last) = match (page.events.first(), page.events.last(), given) {
        (Some(first), Some(last), _) => (first.position, last.position),
        (_, _, Some(StreamToken::Forward(position) | StreamToken::Backward(position))) => {
            (position, position)
        }
        _ => (bounds.above, bounds.above),
    };
    let events = page.events.into_iter().map(|found| OutputLogEvent {
        timestamp: Some(found.position.time),
        message: Some(found.message),
        ingestion_time: Some(found.taken),
    });
    Ok(GetLogEventsResponse {
        events: Some(events.collect()),
        next_forward_token: Some(StreamToken::Forward(last).write()),
        next_backward_token: Some(StreamToken::Backward(first).write()),
    })
}

/// Events of a group, of all streams interleaved by time, that match a pattern.
pub(super) fn filter(
    store: &LogStore,
    context: &RequestContext,
    input: FilterLogEventsRequest,
) -> Result<FilterLogEventsResponse> {
    if input.log_stream_names.is_some() && input.log_stream_name_prefix.is_some() {
        return Err(Error::invalid(
            "logStreamNamePrefix and logStreamNames are mutually exclusive parameters.",
        ));
    }
    let filter = Filter::parse(input.filter_pattern.as_deref().unwrap_or_default())?;
    let group = store.group(&context.identified_group(input.log_group_name, input.log_group_identifier)?)?;
    let names = input.log_stream_names.as_deref();
    if names.is_some_and(|names| names.iter().any(|name| !group.has_stream(name))) {
        return Err(Error::NoSuchStream);
    }
    let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
    let chosen = |name: &str| {
        names.is_none_or(|names| names.iter().any(|other| other == name)) && name.starts_with(prefix)
    };
    let (from, to) = (input.start_time.unwrap_or(0), input.end_time.unwrap_or(i64::MAX));
    let above = input.next_token.as_deref().map(token::read_position).transpose()?;
    let above = above.map_or(Position::before(from), |position| position.max(Position::before(from)));
    // Unlike with GetLogEvents, an event at the end time itself is included.
    let bounds = Bounds { above, below: Position::after(to) };
    let snapshot = group.snapshot(above.time, to, store.now(), &chosen)?;
    let page =
        page(snapshot, bounds, Direction::Forward, page_size(input.limit), &|text| filter.matches(text))?;
    let last = page.events.last().map(|found| token::write_position(found.position));
    let events = page.events.into_iter().map(|found| FilteredLogEvent {
        log_stream_name: Some(found.stream.to_string()),
        timestamp: Some(found.position.time),
        ingestion_time: Some(found.taken),
        event_id: Some(token::event_id(found.position)),
        message: Some(found.message),
    });
    Ok(FilterLogEventsResponse {
        events: Some(events.collect()),
        // Every stream is searched to the end of the page; CloudWatch leaves this list empty since 2019.
        searched_log_streams: Some(Vec::new()),
        next_token: last.filter(|_| page.more),
    })
}
