//! The keys of capacity providers: `capacity-provider/<account>/<region>/<name>`.
//!
//! Which functions use one is told by their heads alone.

use super::function::scope;
use crate::key::segment;

/// The prefix of the table.
pub const CAPACITY_PROVIDERS: &str = "capacity-provider";

/// The key of a provider, relative to [`CAPACITY_PROVIDERS`].
pub fn key(account: &str, region: &str, name: &str) -> String {
    format!("{}{}", scope(account, region), segment(name))
}
