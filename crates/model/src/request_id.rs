//! Request ids: the UUID that follows an invocation through headers, logs and records.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// A request id, printed as a lower-case hyphenated UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A fresh random id (UUID version 4).
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The 32 hex digits without hyphens.
    #[must_use]
    pub fn to_hex(self) -> String {
        self.0.simple().to_string()
    }

    /// Runs `use_text` on the printed form without allocating.
    pub fn with_text<T>(&self, use_text: impl FnOnce(&str) -> T) -> T {
        let mut buffer = Uuid::encode_buffer();
        use_text(self.0.hyphenated().encode_lower(&mut buffer))
    }
}

/// The text is not a UUID.
#[derive(Debug, thiserror::Error)]
#[error("not a UUID")]
pub struct InvalidRequestId;

impl FromStr for RequestId {
    type Err = InvalidRequestId;

    fn from_str(text: &str) -> Result<Self, InvalidRequestId> {
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidRequestId)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(formatter)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_parses() {
        let id = RequestId::random();
        assert_eq!(id.to_string().parse::<RequestId>().unwrap(), id);
        assert_eq!(id.with_text(str::to_owned), id.to_string());
        assert!("nonsense".parse::<RequestId>().is_err());
    }
}
