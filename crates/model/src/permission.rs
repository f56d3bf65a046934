//! Resource-based policies: who else may use a function, version or alias.
//!
//! See "Resource-based policies" in the AWS Lambda developer guide.

use serde::{Deserialize, Serialize};

use crate::arn::Qualifier;
use crate::function::FunctionHead;

/// The policy of one function, version or alias.
///
/// Its revision is that of what it belongs to: a change of the one is a change of the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourcePolicy {
    /// The document as JSON text, as it is shown.
    pub document: String,
}

impl ResourcePolicy {
    /// The largest document in bytes (20 KB).
    pub const MAX_BYTES: usize = 20_480;
}

impl FunctionHead {
    /// The resource-based policy of what a qualifier names.
    #[must_use]
    pub fn policy(&self, qualifier: Option<&Qualifier>) -> Option<&ResourcePolicy> {
        self.policies.get(&qualifier.unwrap_or(&Qualifier::Latest).to_string())
    }

    /// The revision of what a qualifier names: of `$LATEST`, of the version or of the alias.
    #[must_use]
    pub fn revision_id(&self, qualifier: Option<&Qualifier>) -> Option<&str> {
        match qualifier {
            None | Some(Qualifier::Latest) => Some(&self.latest.revision_id),
            Some(Qualifier::Version(number)) => Some(&self.versions.get(number)?.revision_id),
            Some(Qualifier::Alias(name)) => Some(&self.aliases.get(name)?.revision_id),
        }
    }

    /// Notes that something about what a qualifier names has changed.
    pub fn set_revision_id(&mut self, qualifier: Option<&Qualifier>, revision_id: String) {
        let changed = match qualifier {
            None | Some(Qualifier::Latest) => Some(&mut self.latest.revision_id),
            Some(Qualifier::Version(number)) => {
                self.versions.get_mut(number).map(|version| &mut version.revision_id)
            }
            Some(Qualifier::Alias(name)) => self.aliases.get_mut(name).map(|alias| &mut alias.revision_id),
        };
        if let Some(changed) = changed {
            *changed = revision_id;
        }
    }
}
