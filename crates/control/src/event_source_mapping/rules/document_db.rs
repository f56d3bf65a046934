//! Clusters of Amazon DocumentDB.

use super::super::members::{
    DOCUMENT_DB, SOURCE_ACCESS, STARTING_POSITION, STARTING_POSITION_TIMESTAMP, unsupported,
};
use super::{BASIC_AUTH, Case, has_source_access};
use crate::error::{Error, Result};

const ACCEPTED: [&str; 4] = [STARTING_POSITION, STARTING_POSITION_TIMESTAMP, SOURCE_ACCESS, DOCUMENT_DB];

/// All that is wrong is named at once, and credentials that are not there twice: they are missing, and none of them is
/// a user's name and password.
pub(super) fn check_members(case: &Case<'_>) -> Result<()> {
    let members = case.members;
    let mut invalid = Vec::new();
    let access = members.source_access_configurations.as_deref();
    if case.is_new && access.is_none() {
        invalid.push(SOURCE_ACCESS);
    }
    if (case.is_new || access.is_some()) && !has_source_access(case, BASIC_AUTH) {
        invalid.push(SOURCE_ACCESS);
    }
    let database = members.document_db_event_source_config.as_ref().map(|config| &config.database_name);
    if case.is_new && database.is_none_or(Option::is_none) {
        invalid.push("databaseName");
    }
    invalid.extend(unsupported(members, &ACCEPTED));
    let is_known = |kind: &str| kind == BASIC_AUTH;
    let mut kinds = access.unwrap_or_default().iter().filter_map(|access| access.r#type.as_ref());
    if !invalid.contains(&SOURCE_ACCESS) && kinds.any(|kind| !is_known(kind.as_str())) {
        invalid.push(SOURCE_ACCESS);
    }
    if invalid.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(format!("Invalid parameters: {}", invalid.join(", "))))
}
