//! The keys of a function.
//!
//! ```text
//! function/<account>/<region>/<name>              the head: latest configuration, numbers of versions, aliases, settings
//! version/<account>/<region>/<name>/<number>      a published version: written once, real once the head names it
//! ```
//! A function is what its head says. Everything that must change together is in the head; it is replaced whole.

use crate::key::segment;

/// The prefix of the table of heads.
pub const HEADS: &str = "function";
/// The prefix of the table of published versions.
pub const VERSIONS: &str = "version";

/// What the keys of one account's functions in one region begin with.
pub fn scope(account: &str, region: &str) -> String {
    format!("{}/{}/", segment(account), segment(region))
}

/// The key of a function's head, relative to [`HEADS`].
pub fn head_key(account: &str, region: &str, name: &str) -> String {
    format!("{}{}", scope(account, region), segment(name))
}

/// The key of a published version, relative to [`VERSIONS`]. Numbers are padded so that keys sort as numbers do.
pub fn version_key(account: &str, region: &str, name: &str, version: u64) -> String {
    format!("{}/{version:020}", head_key(account, region, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_by_number_and_stay_within_their_function() {
        let key = |name, version| version_key("000000000000", "eu-west-1", name, version);
        assert!(key("f", 2) < key("f", 10));
        assert!(key("f", u64::MAX) < key("f-2", 1) || key("f-2", 1) < key("f", 1));
        assert!(key("f", 1).starts_with(&format!("{}/", head_key("000000000000", "eu-west-1", "f"))));
    }

    #[test]
    fn a_scope_covers_one_region_of_one_account() {
        let scope = scope("000000000000", "eu-west-1");
        assert!(head_key("000000000000", "eu-west-1", "f").starts_with(&scope));
        assert!(!head_key("000000000000", "eu-west-12", "f").starts_with(&scope));
        assert!(!head_key("100000000000", "eu-west-1", "f").starts_with(&scope));
    }
}
