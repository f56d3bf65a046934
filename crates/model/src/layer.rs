//! Layers: archives that functions share, in numbered versions.
//!
//! See "Managing Lambda dependencies with layers" in the AWS Lambda developer guide.

use serde::{Deserialize, Serialize};

use crate::arn::{Scope, is_account};
use crate::clock::Timestamp;
use crate::function::ReferencedObject;
use crate::version::Package;

/// The identity of a layer, without version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LayerId {
    /// Account and region.
    pub scope: Scope,
    /// The bare name.
    pub name: String,
}

impl LayerId {
    /// `arn:aws:lambda:<region>:<account>:layer:<name>`.
    #[must_use]
    pub fn arn(&self) -> String {
        let Scope { account, region } = &self.scope;
        format!("arn:{}:lambda:{region}:{account}:layer:{}", self.scope.partition(), self.name)
    }

    /// The ARN with `:<version>` behind it.
    #[must_use]
    pub fn version_arn(&self, version: impl std::fmt::Display) -> String {
        format!("{}:{version}", self.arn())
    }

    /// Reads what follows the name of the layer too: `None`, or the version as it is written. `None` for all that is
    /// not an ARN of a layer or of a layer's version.
    #[must_use]
    pub fn parse(arn: &str) -> Option<(Self, Option<&str>)> {
        let fields: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, "lambda", region, account, "layer", name, version @ ..] = fields.as_slice()
        else {
            return None;
        };
        let scope = Scope { account: (*account).to_owned(), region: (*region).to_owned() };
        let version = match version {
            [] => None,
            [version] => Some(*version),
            _ => return None,
        };
        let is_whole = is_account(account) && scope.partition() == *partition && !name.is_empty();
        is_whole.then(|| (Self { scope, name: (*name).to_owned() }, version))
    }
}

/// What is remembered of a layer for ever, even without any version: which numbers were given out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerHead {
    /// Account, region and name.
    pub id: LayerId,
    /// The highest version number given out; numbers are never reused.
    pub last_version: u64,
}

/// One version of a layer. All but its policy is immutable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerVersion {
    /// The layer.
    pub layer: LayerId,
    /// From 1.
    pub number: u64,
    /// Free text.
    pub description: String,
    /// Free text; absent if not given.
    pub license_info: Option<String>,
    /// Absent if not given: an empty list is echoed as such.
    pub compatible_architectures: Option<Vec<String>>,
    /// Absent if not given: an empty list is echoed as such.
    pub compatible_runtimes: Option<Vec<String>>,
    /// When it was published.
    pub created: Timestamp,
    /// The archive.
    pub content: LayerContent,
    /// Who else may use it; absent if nobody.
    #[serde(default)]
    pub policy: Option<LayerPolicy>,
}

impl LayerVersion {
    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        self.layer.version_arn(self.number)
    }
}

/// The archive of a layer's version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerContent {
    /// SHA-256 of the archive in lower-case hex: its name in the blob store.
    pub sha256: String,
    /// Size of the archive in bytes.
    pub size: u64,
    /// Size of all files unpacked, in bytes.
    pub unpacked_size: u64,
    /// Where the archive stays, if it stays in a bucket of the owner's.
    #[serde(default)]
    pub referenced_object: Option<ReferencedObject>,
}

impl LayerContent {
    /// The archive.
    #[must_use]
    pub fn package(&self) -> Package {
        Package { sha256: self.sha256.clone(), size: self.size, referenced: self.referenced_object.is_some() }
    }
}

/// The policy of a layer's version. It has at least one statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerPolicy {
    /// Changes with every change.
    pub revision_id: String,
    /// In the order in which they were added.
    pub statements: Vec<LayerStatement>,
}

/// One statement: lets accounts get the version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerStatement {
    /// Distinguishes the statements of one policy.
    pub sid: String,
    /// Who is let in.
    pub principal: LayerPrincipal,
    /// The organization that the caller must belong to.
    pub organization_id: Option<String>,
}

/// Whom a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LayerPrincipal {
    /// `*`.
    Everybody,
    /// ARN of an account's root, which stands for the whole account.
    Account(String),
}

/// A layer as a function has it: enough to go on when the version is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionLayer {
    /// ARN of the layer's version.
    pub arn: String,
    /// The archive.
    pub content: LayerContent,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:layer:tools";

    #[test]
    fn arns_come_back() {
        let (layer, version) = LayerId::parse(ARN).unwrap();
        assert_eq!((layer.arn().as_str(), version), (ARN, None));
        let with_version = layer.version_arn(7);
        assert_eq!(LayerId::parse(&with_version), Some((layer, Some("7"))));
    }

    #[test]
    fn what_is_no_layer_is_told_apart() {
        for text in [
            "tools",
            "arn:aws:lambda:::awslayer:AmazonLinux1803",
            "arn:aws:lambda:eu-west-1:123456789012:function:tools",
            "arn:aws-cn:lambda:eu-west-1:123456789012:layer:tools",
            "arn:aws:lambda:eu-west-1:12345678901:layer:tools",
            "arn:aws:lambda:eu-west-1:123456789012:layer:",
            "arn:aws:lambda:eu-west-1:123456789012:layer:tools:1:2",
        ] {
            assert_eq!(LayerId::parse(text), None, "{text}");
        }
    }
}
