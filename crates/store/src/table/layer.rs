//! The keys of a layer.
//!
//! ```text
//! layer/<account>/<region>/<name>                   the head: which version numbers were given out
//! layer-version/<account>/<region>/<name>/<number>  a version: there as long as it was not deleted
//! ```
//! A number is given out by the head before its version is written, so of a crash in between nothing is seen but a
//! number that is missing.

use super::function;

/// The prefix of the table of heads.
pub const HEADS: &str = "layer";
/// The prefix of the table of versions.
pub const VERSIONS: &str = "layer-version";

/// What the keys of one account's layers in one region begin with.
pub fn scope(account: &str, region: &str) -> String {
    function::scope(account, region)
}

/// The key of a layer's head, relative to [`HEADS`].
pub fn head_key(account: &str, region: &str, name: &str) -> String {
    function::head_key(account, region, name)
}

/// What the keys of a layer's versions begin with, relative to [`VERSIONS`].
pub fn versions(account: &str, region: &str, name: &str) -> String {
    format!("{}/", head_key(account, region, name))
}

/// The key of a version, relative to [`VERSIONS`]. Keys sort from the highest number to the lowest: that is the order
/// in which versions are listed, and the latest is found without reading the others.
pub fn version_key(account: &str, region: &str, name: &str, version: u64) -> String {
    format!("{}{:020}", versions(account, region, name), u64::MAX - version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_from_the_latest_and_stay_within_their_layer() {
        let key = |name, version| version_key("000000000000", "eu-west-1", name, version);
        assert!(key("l", 10) < key("l", 2));
        assert!(key("l", u64::MAX) < key("l", 0));
        assert!(key("l", 1).starts_with(&versions("000000000000", "eu-west-1", "l")));
        assert!(!key("l-2", 1).starts_with(&versions("000000000000", "eu-west-1", "l")));
    }
}
