//! The keys of notices: `notice/<account>/<region>/<runtime>/<channel>`, so that each is given once.

use super::function::scope;
use crate::key::segment;

/// The prefix of the table.
pub const NOTICES: &str = "notice";

/// The key of a notice, relative to [`NOTICES`].
pub fn key(account: &str, region: &str, runtime: &str, channel: &str) -> String {
    format!("{}{}/{}", scope(account, region), segment(runtime), segment(channel))
}
