//! Streams of Kinesis and DynamoDB.

use rushlight_model::event_source_mapping::Settings;

use super::super::members::{
    BISECT_BATCH, DESTINATION_CONFIG, FILTER_CRITERIA, FUNCTION_RESPONSE_TYPES, MAXIMUM_RECORD_AGE,
    MAXIMUM_RETRY_ATTEMPTS, METRICS_CONFIG, PARALLELIZATION_FACTOR, STARTING_POSITION,
    STARTING_POSITION_TIMESTAMP, TUMBLING_WINDOW,
};
use super::{Case, check_metrics, refuse_unsupported};
use crate::error::{Error, Result};

const ACCEPTED: [&str; 11] = [
    STARTING_POSITION,
    STARTING_POSITION_TIMESTAMP,
    PARALLELIZATION_FACTOR,
    DESTINATION_CONFIG,
    MAXIMUM_RECORD_AGE,
    BISECT_BATCH,
    MAXIMUM_RETRY_ATTEMPTS,
    TUMBLING_WINDOW,
    FUNCTION_RESPONSE_TYPES,
    FILTER_CRITERIA,
    METRICS_CONFIG,
];

pub(super) fn check_members(case: &Case<'_>) -> Result<()> {
    if case.is_new && case.members.starting_position.is_none() {
        return Err(Error::invalid(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member \
             must not be null.",
        ));
    }
    refuse_unsupported(case, &ACCEPTED)?;
    check_metrics(case, &["EventCount"])
}

pub(super) fn check(settings: &Settings) -> Result<()> {
    let has_windows = settings.tumbling_window_seconds.is_some_and(|window| window > 0);
    if has_windows && settings.parallelization_factor.is_some_and(|factor| factor > 1) {
        return Err(Error::invalid(
            "TumblingWindowInSeconds is not supported with a ParallelizationFactor greater than 1.",
        ));
    }
    Ok(())
}
