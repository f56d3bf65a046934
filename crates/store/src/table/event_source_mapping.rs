//! The keys of an event source mapping.
//!
//! ```text
//! event-source-mapping/<account>/<region>/<uuid>                                          the mapping
//! event-source-mapping-claim/<account>/<region>/<function>/<qualifier>/<identity>         names the mapping's uuid
//! event-source-mapping-source/<account>/<region>/<source>/<uuid>                          the same, by ARN of the source
//! ```
//! A mapping that is there is real once its claim names it; so of two for the same function and source one wins. A
//! mapping is written before its claim and deleted before it: a claim that names a mapping which is not there is left
//! over, and may be taken. Rows by source only serve to find mappings; they are written before the claim as well.

use crate::Digest;
use crate::key::segment;

use super::function::scope;

/// The prefix of the table of mappings.
pub const MAPPINGS: &str = "event-source-mapping";
/// The prefix of the table of claims.
pub const CLAIMS: &str = "event-source-mapping-claim";
/// The prefix of the table by source.
pub const BY_SOURCE: &str = "event-source-mapping-source";

/// Stands for no qualifier. No text is spelled like this.
const UNQUALIFIED: &str = "=";

/// The key of a mapping, relative to [`MAPPINGS`].
pub fn mapping_key(account: &str, region: &str, uuid: &str) -> String {
    format!("{}{}", scope(account, region), segment(uuid))
}

/// What the claims of one function, or of one version or alias of it, begin with, relative to [`CLAIMS`].
pub fn claims_of(account: &str, region: &str, function: &str, qualifier: Option<&str>) -> String {
    let qualifier = qualifier.map_or_else(|| UNQUALIFIED.to_owned(), segment);
    format!("{}{}/{qualifier}/", scope(account, region), segment(function))
}

/// The key of a claim. `identity` tells the source from all others.
pub fn claim_key(
    account: &str,
    region: &str,
    function: &str,
    qualifier: Option<&str>,
    identity: &str,
) -> String {
    format!("{}{}", claims_of(account, region, function, qualifier), Digest::of(identity.as_bytes()))
}

/// What the rows of one source begin with, relative to [`BY_SOURCE`].
pub fn mappings_of(account: &str, region: &str, source_arn: &str) -> String {
    format!("{}{}/", scope(account, region), Digest::of(source_arn.as_bytes()))
}

/// The key of a mapping's row by source.
pub fn source_key(account: &str, region: &str, source_arn: &str, uuid: &str) -> String {
    format!("{}{}", mappings_of(account, region, source_arn), segment(uuid))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "000000000000";
    const REGION: &str = "eu-west-1";

    #[test]
    fn claims_of_a_function_are_apart_from_those_of_its_aliases_and_of_other_functions() {
        let prefix = claims_of(ACCOUNT, REGION, "f", None);
        assert!(claim_key(ACCOUNT, REGION, "f", None, "q").starts_with(&prefix));
        for (function, qualifier) in
            [("f", Some("live")), ("f", Some("$LATEST")), ("f2", None), ("f", Some("=3D"))]
        {
            assert!(!claim_key(ACCOUNT, REGION, function, qualifier, "q").starts_with(&prefix));
        }
    }

    #[test]
    fn keys_are_carried_by_every_store() {
        let long = "x".repeat(10_000);
        for key in [
            mapping_key(ACCOUNT, REGION, "11111111-2222-3333-4444-555555555555"),
            claim_key(ACCOUNT, REGION, &"f".repeat(140), Some("$LATEST"), &long),
            source_key(ACCOUNT, REGION, &long, "11111111-2222-3333-4444-555555555555"),
        ] {
            assert!(crate::key::check(&key).is_ok(), "{key}");
        }
    }
}
