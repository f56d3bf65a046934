//! Tenants: on whose behalf a function with tenant isolation is invoked.

use std::fmt;
use std::sync::Arc;

/// Longest identifier of a tenant, in characters.
const TENANT_ID_CHARACTERS: usize = 256;

/// A tenant as callers name it. Nothing in it can end a header or begin a log record. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// Reads an identifier of 1 to 256 letters, digits, blanks and `._:/=+-@`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/=+-@ ".contains(&byte);
        let fits = (1..=TENANT_ID_CHARACTERS).contains(&text.len());
        (fits && text.bytes().all(allowed)).then(|| Self(text.into()))
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_tenant() {
        for text in ["a", "blue", "a.b_c:d/e=f+g-h@i j", " ", &"x".repeat(256)] {
            assert_eq!(TenantId::parse(text).unwrap().as_str(), text);
        }
        for text in ["", "a\r\nb", "a\tb", "a,b", "\u{e9}", "a\0", "a\"b", &"x".repeat(257)] {
            assert_eq!(TenantId::parse(text), None, "{text:?}");
        }
        assert_ne!(TenantId::parse("a"), TenantId::parse("A"), "case matters");
    }
}
