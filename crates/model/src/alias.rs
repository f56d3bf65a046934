//! Aliases: names that point to a version, or share requests between two.
//!
//! See "Create an alias for a Lambda function" in the AWS Lambda developer guide.

use serde::{Deserialize, Serialize};

use crate::version::Version;

/// An alias of a function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alias {
    /// The version that it points to.
    pub version: Version,
    /// A second, published version that takes a share of the requests.
    pub additional: Option<AdditionalVersion>,
    /// Free text.
    pub description: String,
    /// Changes with every change of the alias.
    pub revision_id: String,
}

/// The one entry of `RoutingConfig.AdditionalVersionWeights`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AdditionalVersion {
    /// The number of the version.
    pub number: u64,
    /// Its share of the requests, 0.0 to 1.0.
    pub weight: f64,
}

impl Alias {
    /// Whether requests may go to this published version.
    #[must_use]
    pub fn leads_to(&self, number: u64) -> bool {
        self.version == Version::Published(number)
            || self.additional.is_some_and(|additional| additional.number == number)
    }

    /// The version that a request goes to. `draw` is a random number from 0.0 up to, but not including, 1.0; each
    /// request has its own.
    #[must_use]
    pub fn route(&self, draw: f64) -> Version {
        match self.additional {
            Some(additional) if draw < additional.weight => Version::Published(additional.number),
            _ => self.version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alias(weight: Option<f64>) -> Alias {
        Alias {
            version: Version::Published(1),
            additional: weight.map(|weight| AdditionalVersion { number: 2, weight }),
            description: String::new(),
            revision_id: String::new(),
        }
    }

    #[test]
    fn requests_are_shared_by_weight() {
        let to_second = |weight, draw| alias(Some(weight)).route(draw) == Version::Published(2);
        assert!(to_second(0.3, 0.0) && to_second(0.3, 0.299) && !to_second(0.3, 0.3));
        assert!(!to_second(0.0, 0.0), "a weight of nothing takes nothing");
        assert!(to_second(1.0, 0.999_999), "a weight of one takes everything");
        assert_eq!(alias(None).route(0.0), Version::Published(1));
    }

    #[test]
    fn it_leads_to_both() {
        assert!(alias(Some(0.0)).leads_to(1) && alias(Some(0.0)).leads_to(2));
        assert!(!alias(None).leads_to(2));
    }
}
