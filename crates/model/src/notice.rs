//! Notices that a runtime comes to its end, for the owner of functions that have it.
//!
//! See "Runtime deprecation policy" in the AWS Lambda developer guide.

use serde::{Deserialize, Serialize};

use crate::arn::Scope;
use crate::clock::Timestamp;

/// One notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Whose functions, and where.
    pub scope: Scope,
    /// E.g. `python3.12`.
    pub runtime: String,
    /// How it is told.
    pub channel: Channel,
    /// The day from which on the runtime is not supported: `YYYY-MM-DD`.
    pub deprecation: String,
    /// The day from which on no function is created with it, if that is known.
    pub block_create: Option<String>,
    /// ARNs of the functions, of their versions too where the channel lists them.
    pub functions: Vec<String>,
    /// When it was given.
    pub given_at: Timestamp,
    /// Where it was sent to.
    #[serde(default)]
    pub sent: Vec<String>,
}

/// The places in which AWS gives notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Channel {
    /// An e-mail to the account's owner, which lists functions by `$LATEST` alone.
    Email,
    /// The Health Dashboard, which forgets notices after 90 days.
    Health,
    /// Trusted Advisor, which lists all versions.
    Advisor,
}

impl Notice {
    /// As it is listed, and sent to programs.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "account": self.scope.account,
            "region": self.scope.region,
            "runtime": self.runtime,
            "channel": self.channel.as_str(),
            "deprecation": self.deprecation,
            "blockCreate": self.block_create,
            "functions": self.functions,
            "given": self.given_at.to_iso_millis(),
        })
    }

    /// What it says, in one sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = self.functions.len();
        let functions =
            if count == 1 { "1 function has".to_owned() } else { format!("{count} functions have") };
        let blocked = self.block_create.as_ref().map_or_else(String::new, |day| {
            format!(", and no function can be created with it from {day} on")
        });
        format!(
            "Support for {} ends on {}{blocked}; {functions} it in account {} in {}.",
            self.runtime, self.deprecation, self.scope.account, self.scope.region
        )
    }
}

impl Channel {
    /// As notices name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Health => "health",
            Self::Advisor => "advisor",
        }
    }
}
