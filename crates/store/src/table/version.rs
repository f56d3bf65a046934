//! The keys of published versions.
//!
//! ```text
//! version/<account>/<region>/<name>/<row>         a published version: written once, real once the head names <row>
//! ```
//! Rows are not named by the version's number: two that are published at a time would write the same one.

use super::function::head_key;
use crate::key::segment;

/// The prefix of the table of published versions.
pub const VERSIONS: &str = "version";

/// The key of a row, relative to [`VERSIONS`].
pub fn row_key(account: &str, region: &str, name: &str, row: &str) -> String {
    format!("{}/{}", head_key(account, region, name), segment(row))
}
