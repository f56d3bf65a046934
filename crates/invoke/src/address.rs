//! Whom an invocation is for.

use rushlight_model::arn::FunctionReference;
use rushlight_model::tenant::TenantId;

/// A version of a function, and one of its tenants if it keeps them apart.
#[derive(Debug, Clone, Copy)]
pub struct Address<'a> {
    /// The function as the caller names it.
    pub function: &'a FunctionReference,
    /// The tenant that the caller names.
    pub tenant_id: Option<&'a TenantId>,
}

impl<'a> From<&'a FunctionReference> for Address<'a> {
    /// For callers who cannot name a tenant.
    fn from(function: &'a FunctionReference) -> Self {
        Self { function, tenant_id: None }
    }
}
