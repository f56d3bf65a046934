//! Writing events: `PutLogEvents`.

use rushlight_api::logs::types::{
    InputLogEvent, PutLogEventsRequest, PutLogEventsResponse, RejectedLogEventsInfo,
};

use super::super::group::NewEvent;
use super::super::store::LogStore;
use super::super::{Error, Result};
use super::{RequestContext, token};

const MILLIS_PER_HOUR: i64 = 60 * 60 * 1000;
const MILLIS_PER_DAY: i64 = 24 * MILLIS_PER_HOUR;
/// The largest batch in bytes, each event counted with 26 more than its message. Also the largest page.
pub(super) const MAX_BATCH_BYTES: usize = 1_048_576;
const EVENT_OVERHEAD_BYTES: usize = 26;

/// Appends a batch. Events outside the time that is taken are left out and named; the rest is written.
pub(super) fn put(
    store: &LogStore,
    context: &RequestContext,
    input: PutLogEventsRequest,
) -> Result<PutLogEventsResponse> {
    let group = store.group(&context.group(input.log_group_name))?;
    if !group.has_stream(&input.log_stream_name) {
        return Err(Error::NoSuchStream);
    }
    check_batch(&input.log_events)?;
    let now = store.now();
    let retention = group.describe().facts.retention_days;
    let rejected = rejected(&input.log_events, retention, now);
    let accepted =
        input.log_events.iter().filter(|event| taken(event.timestamp, retention, now) == Taken::Yes);
    let events = accepted.map(|event| NewEvent {
        stream: &input.log_stream_name,
        time: event.timestamp,
        message: event.message.as_bytes(),
    });
    group.append(events, now)?;
    Ok(PutLogEventsResponse {
        next_sequence_token: Some(token::UPLOAD_SEQUENCE.into()),
        rejected_log_events_info: rejected,
        ..PutLogEventsResponse::default()
    })
}

fn check_batch(events: &[InputLogEvent]) -> Result<()> {
    let bytes: usize = events.iter().map(|event| event.message.len() + EVENT_OVERHEAD_BYTES).sum();
    if bytes > MAX_BATCH_BYTES {
        return Err(Error::invalid(format!(
            "Upload too large: {bytes} bytes exceeds limit of {MAX_BATCH_BYTES}"
        )));
    }
    if !events.is_sorted_by_key(|event| event.timestamp) {
        return Err(Error::invalid(
            "Log events in a single PutLogEvents request must be in chronological order.",
        ));
    }
    let span = match events {
        [first, .., last] => last.timestamp.saturating_sub(first.timestamp),
        _ => 0,
    };
    if span > MILLIS_PER_DAY {
        return Err(Error::invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Yes,
    /// Older than two weeks.
    TooOld,
    /// Older than the group keeps events.
    Expired,
    /// More than two hours ahead.
    TooNew,
}

fn taken(time: i64, retention_days: Option<i32>, now: i64) -> Taken {
    let age = now.saturating_sub(time);
    if retention_days.is_some_and(|days| age > i64::from(days) * MILLIS_PER_DAY) {
        Taken::Expired
    } else if age > 14 * MILLIS_PER_DAY {
        Taken::TooOld
    } else if age < -2 * MILLIS_PER_HOUR {
        Taken::TooNew
    } else {
        Taken::Yes
    }
}

/// The batch is in order, so what is rejected lies at its ends: an end index is that of the first event behind.
fn rejected(
    events: &[InputLogEvent],
    retention_days: Option<i32>,
    now: i64,
) -> Option<RejectedLogEventsInfo> {
    let kinds: Vec<Taken> = events.iter().map(|event| taken(event.timestamp, retention_days, now)).collect();
    if kinds.iter().all(|kind| *kind == Taken::Yes) {
        return None;
    }
    let number = |place: usize| i32::try_from(place).unwrap_or(i32::MAX);
    let end = |kind| kinds.iter().rposition(|other| *other == kind).map(|last| number(last + 1));
    Some(RejectedLogEventsInfo {
        too_new_log_event_start_index: kinds.iter().position(|kind| *kind == Taken::TooNew).map(number),
        too_old_log_event_end_index: end(Taken::TooOld),
        expired_log_event_end_index: end(Taken::Expired),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_437_296_000;

    fn event(time: i64) -> InputLogEvent {
        InputLogEvent { timestamp: time, message: "m".into() }
    }

    #[test]
    fn batches_have_limits() {
        check_batch(&[event(0), event(0), event(MILLIS_PER_DAY)]).unwrap();
        assert!(check_batch(&[event(1), event(0)]).is_err());
        assert!(check_batch(&[event(0), event(MILLIS_PER_DAY + 1)]).is_err());
        let large = |bytes: usize| InputLogEvent { timestamp: 0, message: "m".repeat(bytes - 26) };
        check_batch(&[large(MAX_BATCH_BYTES)]).unwrap();
        let error = check_batch(&[large(MAX_BATCH_BYTES + 1)]).unwrap_err();
        assert_eq!(error.to_string(), "Upload too large: 1048577 bytes exceeds limit of 1048576");
    }

    #[test]
    fn events_too_far_from_now_are_named() {
        let old = NOW - 14 * MILLIS_PER_DAY;
        let new = NOW + 2 * MILLIS_PER_HOUR;
        assert_eq!(rejected(&[event(old), event(NOW), event(new)], None, NOW), None);
        let info =
            rejected(&[event(old - 2), event(old - 1), event(old), event(new + 1)], None, NOW).unwrap();
        assert_eq!(info.too_old_log_event_end_index, Some(2));
        assert_eq!(info.too_new_log_event_start_index, Some(3));
        assert_eq!(info.expired_log_event_end_index, None);
        let info = rejected(&[event(NOW - MILLIS_PER_DAY - 1), event(NOW)], Some(1), NOW).unwrap();
        assert_eq!(info.expired_log_event_end_index, Some(1));
    }
}
