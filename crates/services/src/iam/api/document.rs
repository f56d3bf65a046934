//! What policy documents may be.
//!
//! Quotas are those of [IAM](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html); white space
//! does not count.

use rushlight_api::iam::errors;
use rushlight_auth::policy::{Document, Kind};

use super::Answer;
use super::change::quota;

/// Characters of a managed policy.
const MANAGED: usize = 6144;
/// Characters of a trust policy.
const TRUST: usize = 2048;

/// Refuses what is no identity-based policy.
pub(super) fn check_identity(text: &str) -> Answer<()> {
    check(text, Kind::Identity)?;
    if !has_current_version(text) {
        let message = "Policy document must be version 2012-10-17 or greater.";
        return Err(errors::malformed_policy_document_exception(message));
    }
    Ok(())
}

/// Refuses what is no managed policy.
pub(super) fn check_managed(text: &str) -> Answer<()> {
    check_identity(text)?;
    if characters(text) > MANAGED { Err(quota("PolicySize", MANAGED)) } else { Ok(()) }
}

/// Refuses what is no trust policy.
pub(super) fn check_trust(text: &str) -> Answer<()> {
    check(text, Kind::Trust)?;
    if characters(text) > TRUST { Err(quota("ACLSizePerRole", TRUST)) } else { Ok(()) }
}

/// Refuses inline policies that are together more than the user or role may have.
pub(super) fn check_inline<'a>(
    kind: &str,
    name: &str,
    texts: impl IntoIterator<Item = &'a String>,
    limit: usize,
) -> Answer<()> {
    let sum: usize = texts.into_iter().map(|text| characters(text)).sum();
    if sum > limit {
        let message = format!("Maximum policy size of {limit} bytes exceeded for {kind} {name}");
        return Err(errors::limit_exceeded_exception(message));
    }
    Ok(())
}

fn check(text: &str, kind: Kind) -> Answer<()> {
    match Document::parse(text, kind) {
        Ok(_) => Ok(()),
        Err(malformed) => Err(errors::malformed_policy_document_exception(malformed.to_string())),
    }
}

/// Documents of the older version, which is what those without a version are, are taken for resources only.
fn has_current_version(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Versioned<'a> {
        #[serde(rename = "Version", borrow)]
        version: Option<std::borrow::Cow<'a, str>>,
    }
    serde_json::from_str::<Versioned<'_>>(text)
        .is_ok_and(|read| read.version.as_deref() == Some("2012-10-17"))
}

fn characters(text: &str) -> usize {
    text.chars().filter(|character| !character.is_whitespace()).count()
}
