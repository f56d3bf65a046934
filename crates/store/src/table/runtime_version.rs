//! The keys of runtime versions: `runtime-version/<identifier>`, a row for each runtime that any was published for.

use crate::key::segment;

/// The prefix of the table.
pub const RUNTIME_VERSIONS: &str = "runtime-version";

/// The key of a runtime's row, relative to [`RUNTIME_VERSIONS`].
pub fn key(identifier: &str) -> String {
    segment(identifier)
}
