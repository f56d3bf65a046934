//! Where reading begins.

use rushlight_api::lambda::types::EventSourcePosition;
use rushlight_model::clock::Timestamp;
use rushlight_model::event_source_mapping::{SourceKind, StartingPosition};

use super::Case;
use crate::error::{Error, Result};

/// The starting position of a new mapping, if the request has one.
pub(super) fn read(case: &Case<'_>) -> Result<Option<StartingPosition>> {
    let members = case.members;
    let timestamp = members.starting_position_timestamp;
    let Some(position) = &members.starting_position else {
        return match timestamp {
            Some(_) => Err(only_at_timestamp()),
            None => Ok(None),
        };
    };
    match (position, timestamp) {
        (EventSourcePosition::AtTimestamp, _) if case.kind == SourceKind::DynamoDbStream => {
            let arn = members.event_source_arn.as_deref().unwrap_or_default();
            Err(Error::invalid(format!("Unsupported starting position for arn type: {arn}")))
        }
        (EventSourcePosition::AtTimestamp, None) => Err(Error::invalid("Need to specify a timestamp")),
        (EventSourcePosition::AtTimestamp, Some(given)) => {
            let at = Timestamp::from_millis(given.milliseconds());
            if at < Timestamp::from_millis(0) {
                return Err(Error::invalid(
                    "Received Exception while reading from provided stream. class java.lang.Long can not be \
                     converted to a Timestamp",
                ));
            }
            if at > case.now {
                return Err(Error::invalid("StartingPositionTimestamp cannot be in the future."));
            }
            Ok(Some(StartingPosition::AtTimestamp(at)))
        }
        (_, Some(_)) => Err(only_at_timestamp()),
        (EventSourcePosition::Latest, None) => Ok(Some(StartingPosition::Latest)),
        (_, None) => Ok(Some(StartingPosition::TrimHorizon)),
    }
}

fn only_at_timestamp() -> Error {
    Error::invalid("Timestamp only valid with StartingPosition AT_TIMESTAMP")
}
