//! The question that is put to policies.

use super::context::{Context, Value};
use super::key::{KeyName, OfPrincipal};
use crate::principal::{Principal, PrincipalKind};

/// Who wants to do what to what.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub(super) principal: &'a Principal,
    pub(super) action: &'a str,
    pub(super) resource: &'a str,
    pub(super) account: &'a str,
    pub(super) context: &'a Context<'a>,
}

impl<'a> Request<'a> {
    /// `action` as in policies (`lambda:InvokeFunction`); `resource` an ARN, or `*` for an action that has no
    /// resource. The resource belongs to the account in its ARN, or else to the caller's.
    pub fn new(
        principal: &'a Principal,
        action: &'a str,
        resource: &'a str,
        context: &'a Context<'a>,
    ) -> Self {
        let account = resource.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(3));
        let account = account.filter(|account| !account.is_empty()).unwrap_or(principal.account());
        Self { principal, action, resource, account, context }
    }

    /// The same request for a resource whose ARN does not say which account it belongs to.
    #[must_use]
    pub fn owned_by(self, account: &'a str) -> Self {
        Self { account, ..self }
    }

    /// Who calls.
    pub fn principal(&self) -> &'a Principal {
        self.principal
    }

    /// What the caller wants to do.
    pub fn action(&self) -> &'a str {
        self.action
    }

    /// What the caller wants to do it to.
    pub fn resource(&self) -> &'a str {
        self.resource
    }

    /// Whether the resource belongs to the caller's account.
    pub fn is_within_account(&self) -> bool {
        self.account == self.principal.account()
    }

    /// The values of a condition key. Nothing is allocated.
    pub(super) fn values<'r>(&'r self, key: &'r KeyName) -> impl Iterator<Item = Value<'r>> + Clone {
        let own = key.of_principal.map(|own| self.of_principal(own));
        let given = own.is_none().then(|| self.context.values(&key.text));
        own.flatten().into_iter().chain(given.into_iter().flatten())
    }

    /// See [Principal key
    /// values](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable).
    fn of_principal(&self, key: OfPrincipal) -> Option<Value<'a>> {
        let principal = self.principal;
        let kind = principal.kind();
        let is_service = kind == PrincipalKind::Service;
        match key {
            OfPrincipal::Arn => principal.entity_arn().map(Value::from),
            OfPrincipal::Account => (!is_service).then(|| principal.account().into()),
            OfPrincipal::UserId => (!is_service).then(|| principal.user_id().into()),
            OfPrincipal::UserName => principal.user_name().map(Value::from),
            OfPrincipal::IsAwsService => (kind != PrincipalKind::Anonymous).then(|| is_service.into()),
            OfPrincipal::ServiceName => is_service.then(|| principal.arn().into()),
            OfPrincipal::Type => match kind {
                PrincipalKind::Root => Some("Account".into()),
                PrincipalKind::User => Some("User".into()),
                PrincipalKind::AssumedRole => Some("AssumedRole".into()),
                PrincipalKind::Anonymous => Some("Anonymous".into()),
                PrincipalKind::Service => None,
            },
        }
    }
}
