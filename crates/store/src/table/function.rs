//! The keys of a function.
//!
//! ```text
//! function/<account>/<region>/<name>              the head: latest configuration, versions, aliases, settings
//! ```
//! A function is what its head says. Everything that must change together is in the head; it is replaced whole.

use crate::key::segment;

/// The prefix of the table of heads.
pub const HEADS: &str = "function";

/// What the keys of one account's functions in one region begin with.
pub fn scope(account: &str, region: &str) -> String {
    format!("{}/{}/", segment(account), segment(region))
}

/// The key of a function's head, relative to [`HEADS`].
pub fn head_key(account: &str, region: &str, name: &str) -> String {
    format!("{}{}", scope(account, region), segment(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_one_region_of_one_account() {
        let scope = scope("000000000000", "eu-west-1");
        assert!(head_key("000000000000", "eu-west-1", "f").starts_with(&scope));
        assert!(!head_key("000000000000", "eu-west-12", "f").starts_with(&scope));
        assert!(!head_key("100000000000", "eu-west-1", "f").starts_with(&scope));
    }
}
