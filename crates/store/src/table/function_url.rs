//! The keys of function URLs by id: `function-url/<id>`.
//!
//! A row only serves to find the function: the URL is real while the function's head has it under this id. It is
//! written before the head and removed after it, so a head that has a URL has its row; rows that no head agrees with
//! are left over.

use crate::key::segment;

/// The prefix of the table.
pub const FUNCTION_URLS: &str = "function-url";

/// The key of a URL, relative to [`FUNCTION_URLS`].
pub fn key(id: &str) -> String {
    segment(id)
}
