//! The keys of code signing configurations: `code-signing-config/<account>/<region>/<id>`.
//!
//! Which functions use one is told by their heads alone.

use super::function::scope;
use crate::key::segment;

/// The prefix of the table.
pub const CODE_SIGNING_CONFIGS: &str = "code-signing-config";

/// The key of a configuration, relative to [`CODE_SIGNING_CONFIGS`].
pub fn key(account: &str, region: &str, id: &str) -> String {
    format!("{}{}", scope(account, region), segment(id))
}
