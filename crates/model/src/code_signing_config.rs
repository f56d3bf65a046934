//! Code signing configurations: who may have signed what is deployed, and what happens to what they have not.
//!
//! See "Using code signing to verify code integrity with Lambda" in the AWS Lambda developer guide.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::arn::Scope;
use crate::clock::Timestamp;

/// A code signing configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeSigningConfig {
    /// Account, region and id.
    pub id: CodeSigningConfigId,
    /// Free text, if any was given; at most 256 characters.
    pub description: Option<String>,
    /// ARNs of the signing profiles whose signatures count, 1 to 20.
    pub signing_profile_version_arns: Vec<String>,
    /// What happens to a package that none of them has signed.
    pub untrusted_artifact: UntrustedArtifact,
    /// When it was last changed.
    pub last_modified: Timestamp,
    /// Tags of the configuration.
    pub tags: BTreeMap<String, String>,
}

/// What happens to a package whose signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UntrustedArtifact {
    /// It is deployed, and noted.
    Warn,
    /// It is refused.
    Enforce,
}

impl UntrustedArtifact {
    /// AWS' name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "Warn",
            Self::Enforce => "Enforce",
        }
    }
}

/// The identity of a code signing configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CodeSigningConfigId {
    /// Account and region.
    pub scope: Scope,
    /// `csc-` and 17 lower-case letters or digits.
    pub id: String,
}

impl CodeSigningConfigId {
    /// `arn:aws:lambda:<region>:<account>:code-signing-config:csc-<17 characters>`.
    #[must_use]
    pub fn arn(&self) -> String {
        let Scope { account, region } = &self.scope;
        let partition = self.scope.partition();
        format!("arn:{partition}:lambda:{region}:{account}:code-signing-config:{}", self.id)
    }

    /// Reads an ARN that has passed the API's pattern check. `None` when it is of another account or region than
    /// `here`, where nothing of that name can be.
    #[must_use]
    pub fn parse(here: &Scope, arn: &str) -> Option<Self> {
        let id = arn.rsplit(':').next()?;
        let parsed = Self { scope: here.clone(), id: id.to_owned() };
        (parsed.arn() == arn).then_some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_read_where_they_belong() {
        let here = Scope { account: "123456789012".into(), region: "eu-west-1".into() };
        let arn = "arn:aws:lambda:eu-west-1:123456789012:code-signing-config:csc-0123456789abcdef0";
        let id = CodeSigningConfigId::parse(&here, arn).unwrap();
        assert_eq!((id.id.as_str(), id.arn().as_str()), ("csc-0123456789abcdef0", arn));
        for foreign in [
            "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdef0",
            "arn:aws:lambda:eu-west-1:999999999999:code-signing-config:csc-0123456789abcdef0",
            "arn:aws:lambda:eu-west-1:123456789012:function:csc-0123456789abcdef0",
            "csc-0123456789abcdef0",
        ] {
            assert_eq!(CodeSigningConfigId::parse(&here, foreign), None, "{foreign}");
        }
    }
}
