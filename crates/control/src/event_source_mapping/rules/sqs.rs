//! Queues of SQS.

use rushlight_model::event_source_mapping::{Settings, SourceKind};

use super::super::members::{
    FILTER_CRITERIA, FUNCTION_RESPONSE_TYPES, METRICS_CONFIG, PROVISIONED_POLLERS, SCALING_CONFIG,
};
use super::{Case, check_metrics, refuse_unsupported};
use crate::error::{Error, Result};

const ACCEPTED: [&str; 5] =
    [FUNCTION_RESPONSE_TYPES, SCALING_CONFIG, PROVISIONED_POLLERS, FILTER_CRITERIA, METRICS_CONFIG];
/// The largest batch that needs no time to gather: what one call of ReceiveMessage brings.
const ONE_CALL: u32 = 10;

pub(super) fn check_members(case: &Case<'_>) -> Result<()> {
    if case.members.starting_position.is_some() {
        return Err(Error::invalid("StartingPosition is not valid for SQS event sources."));
    }
    if case.members.starting_position_timestamp.is_some() {
        return Err(Error::invalid("Timestamp is not valid for SQS event sources."));
    }
    refuse_unsupported(case, &ACCEPTED)?;
    check_metrics(case, &["EventCount"])
}

/// A batch of more than ten from a FIFO queue is refused by one of the first two rules.
pub(super) fn check(case: &Case<'_>, settings: &Settings) -> Result<()> {
    let window = settings.batching_window_seconds.unwrap_or_default();
    if settings.batch_size > ONE_CALL && window == 0 {
        return Err(Error::invalid(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
        ));
    }
    if case.kind == SourceKind::SqsFifo && window > 0 {
        return Err(Error::invalid("Batching window is not supported for FIFO queues"));
    }
    if settings.provisioned_pollers.is_some() && settings.maximum_concurrency.is_some() {
        return Err(Error::invalid(
            "Provisioned mode for SQS ESM does not support maximum concurrency feature. Use MaximumPollers as the \
             control mechanism and remove maximum concurrency.",
        ));
    }
    Ok(())
}
