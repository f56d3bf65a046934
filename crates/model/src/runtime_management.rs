//! When a version of a function is given another version of its runtime.
//!
//! See "Understanding how Lambda manages runtime version updates" in the AWS Lambda developer guide.

use serde::{Deserialize, Serialize};

/// `UpdateRuntimeOn` of one version, with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum RuntimeUpdates {
    /// Whenever there is one.
    #[default]
    Auto,
    /// When the function is updated.
    FunctionUpdate,
    /// Never: the runtime version of this ARN stays.
    Manual(String),
}

impl RuntimeUpdates {
    /// AWS' name.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Auto => "Auto",
            Self::FunctionUpdate => "FunctionUpdate",
            Self::Manual(_) => "Manual",
        }
    }

    /// ARN of the runtime version that stays.
    #[must_use]
    pub fn runtime_version_arn(&self) -> Option<&str> {
        match self {
            Self::Manual(arn) => Some(arn),
            Self::Auto | Self::FunctionUpdate => None,
        }
    }
}
