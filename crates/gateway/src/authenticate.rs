//! Who calls: signatures verified, or in permissive mode merely read.

use rushlight_api::{Error, MessageKey};
use rushlight_auth::Principal;
use rushlight_auth::sigv4::{Accept, BodyHash, Head, Rejection, RequestView, Verifier, claimed_credential};
use rushlight_model::arn::{Scope, is_region};

/// How callers are authenticated.
pub enum Authentication {
    /// Every request must carry a valid signature.
    Enforce(Verifier),
    /// Any credentials, or none: an access key id of twelve digits is the account, everybody else is of the default
    /// account.
    Permissive,
}

/// The caller of one request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) scope: Scope,
    pub(crate) principal: Principal,
}

/// What is known after the head of a request was looked at, before its body is read.
pub(crate) enum Checked {
    Enforced { verifier_head: Box<Head> },
    Permitted(Caller),
}

/// Verifies or reads credentials for all requests.
pub(crate) struct Authenticator {
    authentication: Authentication,
    /// Of requests that name none.
    default: Scope,
}

impl Authenticator {
    pub(crate) fn new(authentication: Authentication, default: Scope) -> Self {
        Self { authentication, default }
    }

    /// Whether signatures are verified.
    pub(crate) fn enforces(&self) -> bool {
        matches!(self.authentication, Authentication::Enforce(_))
    }

    /// First step: everything that can be decided without the body. `services` are the signing names that may have
    /// been used.
    pub(crate) fn check_head(
        &self,
        request: &RequestView<'_>,
        services: &[&str],
        now_seconds: i64,
    ) -> Result<Checked, Rejection> {
        match &self.authentication {
            Authentication::Enforce(verifier) => {
                let accept = Accept { services, region: None };
                let head = verifier.verify_head(request, &accept, now_seconds)?;
                Ok(Checked::Enforced { verifier_head: Box::new(head) })
            }
            Authentication::Permissive => Ok(Checked::Permitted(self.permitted(request))),
        }
    }

    /// Second step: the body belongs to the head.
    pub(crate) fn check_body(&self, checked: Checked, body: &[u8]) -> Result<Caller, Rejection> {
        match (checked, &self.authentication) {
            (Checked::Permitted(caller), _) => Ok(caller),
            (Checked::Enforced { verifier_head }, Authentication::Enforce(verifier)) => {
                let hash = match verifier_head.is_body_unsigned() {
                    true => BodyHash::EMPTY,
                    false => BodyHash::of(body),
                };
                let verified = verifier.verify_body(*verifier_head, &hash)?;
                let principal = verified.principal().clone();
                let scope = Scope {
                    account: principal.account().to_owned(),
                    region: verified.credential().region().to_owned(),
                };
                Ok(Caller { scope, principal })
            }
            // Not constructed: `Enforced` comes from a verifier.
            (Checked::Enforced { .. }, Authentication::Permissive) => Err(Rejection::SignatureMismatch),
        }
    }

    fn permitted(&self, request: &RequestView<'_>) -> Caller {
        let claim = claimed_credential(request);
        let account = claim.as_ref().and_then(|claim| claim.account()).unwrap_or(&self.default.account);
        let region =
            claim.as_ref().and_then(|claim| claim.region.as_deref()).filter(|region| is_region(region));
        let region = region.unwrap_or(&self.default.region);
        let scope = Scope { account: account.to_owned(), region: region.to_owned() };
        Caller { principal: Principal::root(&scope.account), scope }
    }
}

/// A refusal as the API answers it.
pub(crate) fn rejected(rejection: &Rejection) -> Error {
    Error {
        code: rejection.code().into(),
        status: http::StatusCode::from_u16(rejection.status()).unwrap_or(http::StatusCode::FORBIDDEN),
        message: Some(rejection.to_string()),
        message_key: MessageKey::Lower,
        fault: None,
        members: Vec::new(),
        retry_after: None,
    }
}
