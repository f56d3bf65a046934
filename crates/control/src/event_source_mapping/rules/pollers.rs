//! Provisioned mode.

use rushlight_api::lambda::types::ProvisionedPollerConfig;
use rushlight_model::event_source_mapping::{Family, ProvisionedPollers};

use crate::error::{Error, Result};

const MOST_MINIMUM: u32 = 200;
const DEFAULT_MAXIMUM: u32 = 200;

/// The fewest pollers and the most that `MaximumPollers` may be.
fn bounds(family: Family) -> (u32, u32) {
    match family {
        Family::Sqs => (2, 10_000),
        _ => (1, 2_000),
    }
}

/// The pollers that are asked for. An empty configuration asks for none.
pub(super) fn provisioned(
    family: Family,
    config: &ProvisionedPollerConfig,
) -> Result<Option<ProvisionedPollers>> {
    if *config == ProvisionedPollerConfig::default() {
        return Ok(None);
    }
    let group = config.poller_group_name.clone().filter(|group| !group.is_empty());
    if family == Family::Sqs && group.is_some() {
        return Err(Error::invalid("Invalid parameter: pollerGroupName"));
    }
    let (fewest, most) = bounds(family);
    let number = |given: Option<i32>, default: u32| {
        given.map_or(default, |given| u32::try_from(given).unwrap_or_default())
    };
    let minimum = number(config.minimum_pollers, fewest);
    let maximum = number(config.maximum_pollers, DEFAULT_MAXIMUM);
    let explicit = config.minimum_pollers.is_some() && config.maximum_pollers.is_some();
    if explicit && minimum > maximum {
        return Err(Error::invalid("MinimumPollers must be less than or equal to MaximumPollers."));
    }
    if !(fewest..=MOST_MINIMUM).contains(&minimum) || !(minimum..=most).contains(&maximum) {
        return Err(Error::invalid(format!(
            "MinimumPollers should be between [{fewest}, {MOST_MINIMUM}] and MaximumPollers should be between \
             [MinimumPollers, {most}]"
        )));
    }
    Ok(Some(ProvisionedPollers { minimum, maximum, group }))
}
