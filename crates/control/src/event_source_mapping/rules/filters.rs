//! Filter criteria.

use rushlight_api::lambda::types::FilterCriteria;
use rushlight_model::event_pattern::EventPattern;

use crate::error::{Error, Result};

/// How many patterns a mapping may have.
const MAXIMUM: usize = 5;

/// The patterns, each of which was found to be one.
pub(super) fn patterns(criteria: &FilterCriteria) -> Result<Vec<String>> {
    let filters = criteria.filters.as_deref().unwrap_or_default();
    if filters.len() > MAXIMUM {
        return Err(Error::invalid(format!(
            "Too many filter patterns, maximum allowed {MAXIMUM} patterns, provided {} patterns.",
            filters.len()
        )));
    }
    filters
        .iter()
        .map(|filter| {
            let pattern = filter.pattern.as_ref().filter(|pattern| EventPattern::parse(pattern).is_ok());
            pattern.cloned().ok_or_else(|| Error::invalid("Invalid filter pattern definition."))
        })
        .collect()
}
