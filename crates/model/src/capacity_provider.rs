//! Capacity providers: pools of instances that functions run on instead of AWS' own fleet.
//!
//! Rushlight keeps and shows them; functions run on the machine that the server runs on.
//!
//! See "Capacity providers" of Lambda Managed Instances in the AWS Lambda developer guide.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::arn::Scope;
use crate::clock::Timestamp;
use crate::function::Architecture;

/// A capacity provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CapacityProvider {
    /// Account, region and name.
    pub id: CapacityProviderId,
    /// Where it is between creation and removal.
    pub state: CapacityProviderState,
    /// Subnets that instances are started in, 1 to 16.
    pub subnet_ids: Vec<String>,
    /// Security groups of the instances, at most 5.
    pub security_group_ids: Vec<String>,
    /// ARN of the role that manages instances.
    pub operator_role_arn: String,
    /// What the instances must be.
    pub instances: Instances,
    /// How the number of instances follows use.
    pub scaling: Scaling,
    /// ARN of the key that volumes are encrypted with, if one was given.
    pub kms_key_arn: Option<String>,
    /// Which tags instances get, if that was given.
    pub propagate_tags: Option<PropagateTags>,
    /// What is logged of the pool, if that was given.
    pub logging: Option<ProviderLogging>,
    /// When it was last changed.
    pub last_modified: Timestamp,
    /// Tags of the provider.
    pub tags: BTreeMap<String, String>,
}

/// The state of a capacity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CapacityProviderState {
    /// Being created.
    Pending,
    /// Functions can use it.
    Active,
    /// Being removed.
    Deleting,
}

impl CapacityProviderState {
    /// AWS' name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Active => "Active",
            Self::Deleting => "Deleting",
        }
    }
}

/// `InstanceRequirements`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instances {
    /// Architecture of the instances, and so of the functions.
    pub architecture: Architecture,
    /// The only types to choose from, if given.
    pub allowed: Option<Vec<String>>,
    /// Types not to choose, if given.
    pub excluded: Option<Vec<String>>,
}

/// `CapacityProviderScalingConfig`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// Most vCPUs of all instances together, 2 to 15,000.
    pub max_vcpus: u32,
    /// Target values by metric, when scaling is manual.
    pub policies: Option<Vec<ScalingPolicy>>,
}

/// A target that the number of instances follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScalingPolicy {
    /// AWS' name of the metric.
    pub metric: String,
    /// The value to be kept.
    pub target: f64,
}

/// `PropagateTags`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropagateTags {
    /// `None` or `Explicit`, if given.
    pub mode: Option<String>,
    /// The tags that instances get, at most 40.
    pub explicit: Option<BTreeMap<String, String>>,
}

/// `TelemetryConfig.LoggingConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderLogging {
    /// Lowest level that is kept, if given.
    pub system_level: Option<String>,
    /// The log group.
    pub group: String,
}

/// The identity of a capacity provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CapacityProviderId {
    /// Account and region.
    pub scope: Scope,
    /// The bare name.
    pub name: String,
}

/// Why a capacity provider's ARN leads nowhere from where the request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elsewhere {
    /// It is of another account.
    Account,
    /// It is of another region.
    Region,
}

impl CapacityProviderId {
    /// `arn:aws:lambda:<region>:<account>:capacity-provider:<name>`.
    #[must_use]
    pub fn arn(&self) -> String {
        let Scope { account, region } = &self.scope;
        let partition = self.scope.partition();
        format!("arn:{partition}:lambda:{region}:{account}:capacity-provider:{}", self.name)
    }

    /// Reads a name or an ARN that has passed the API's pattern check, for a request made in `here`.
    ///
    /// # Errors
    /// See [`Elsewhere`].
    pub fn parse(here: &Scope, text: &str) -> Result<Self, Elsewhere> {
        let mut fields = text.rsplit(':');
        let name = fields.next().unwrap_or_default().to_owned();
        let mut scope = fields.skip(1);
        if scope.next().is_some_and(|account| account != here.account) {
            return Err(Elsewhere::Account);
        }
        if scope.next().is_some_and(|region| region != here.region) {
            return Err(Elsewhere::Region);
        }
        Ok(Self { scope: here.clone(), name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arns_lead_to_the_same() {
        let here = Scope { account: "123456789012".into(), region: "eu-west-1".into() };
        let arn = "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:p";
        for text in ["p", arn] {
            assert_eq!(CapacityProviderId::parse(&here, text).unwrap().arn(), arn);
        }
        for (text, elsewhere) in [
            ("arn:aws:lambda:eu-west-1:999999999999:capacity-provider:p", Elsewhere::Account),
            ("arn:aws:lambda:us-east-1:999999999999:capacity-provider:p", Elsewhere::Account),
            ("arn:aws:lambda:us-east-1:123456789012:capacity-provider:p", Elsewhere::Region),
        ] {
            assert_eq!(CapacityProviderId::parse(&here, text), Err(elsewhere), "{text}");
        }
    }
}
