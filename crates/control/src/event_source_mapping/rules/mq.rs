//! Brokers of Amazon MQ.

use super::super::members::{FILTER_CRITERIA, QUEUES, SOURCE_ACCESS};
use super::{BASIC_AUTH, Case, check_source_access, has_source_access, missing, refuse_unsupported_quoted};
use crate::error::Result;

const ACCEPTED: [&str; 3] = [QUEUES, SOURCE_ACCESS, FILTER_CRITERIA];

pub(super) fn check_members(case: &Case<'_>) -> Result<()> {
    if case.is_new {
        if case.members.source_access_configurations.is_none() {
            return Err(missing(SOURCE_ACCESS));
        }
        if case.members.queues.is_none() {
            return Err(missing(QUEUES));
        }
    }
    refuse_unsupported_quoted(case, &ACCEPTED)?;
    // A virtual host is what brokers with RabbitMQ have.
    check_source_access(case, &[BASIC_AUTH, "VIRTUAL_HOST"])?;
    if case.members.source_access_configurations.is_some() && !has_source_access(case, BASIC_AUTH) {
        return Err(missing(SOURCE_ACCESS));
    }
    Ok(())
}
