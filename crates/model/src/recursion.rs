//! What happens to a function that is found to call itself in a loop.
//!
//! See "Use Lambda recursive loop detection to prevent infinite loops" in the AWS Lambda developer guide.

use serde::{Deserialize, Serialize};

/// `RecursiveLoop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum RecursiveLoop {
    /// The loop is broken.
    #[default]
    Terminate,
    /// The loop goes on: it is meant.
    Allow,
}

impl RecursiveLoop {
    /// AWS' name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminate => "Terminate",
            Self::Allow => "Allow",
        }
    }
}
