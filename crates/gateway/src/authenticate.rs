//! Who calls: signatures verified, or in permissive mode merely read.
//!
//! In permissive mode everybody is the root of the account that is claimed, so that nobody needs a permission within
//! it.

use rushlight_api::{Error, MessageKey};
use rushlight_auth::sigv4::{Accept, BodyHash, Head, Rejection, RequestView, Verifier, claimed_credential};
use rushlight_auth::{Caller, Principal, PrincipalKind};
use rushlight_model::arn::{Scope, is_region};

/// How callers are authenticated.
pub enum Authentication {
    /// Every request must carry a valid signature.
    Enforce(Verifier),
    /// Any credentials, or none: an access key id of twelve digits is the account, everybody else is of the default
    /// account.
    Permissive,
}

/// Who made a request, and where: in the caller's account, in the region that it was signed for.
#[derive(Debug, Clone)]
pub(crate) struct Authenticated {
    pub(crate) scope: Scope,
    pub(crate) caller: Caller,
}

/// What is known after the head of a request was looked at, before its body is read.
pub(crate) enum Checked {
    Enforced { verifier_head: Box<Head> },
    Permitted(Authenticated),
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

    /// Whether the caller is who runs this server: the root of its own account, whose key the server made.
    fn is_operator(&self, caller: &Caller) -> bool {
        caller.principal.kind() == PrincipalKind::Root && caller.principal.account() == self.default.account
    }

    /// Refuses everybody but the operator. Where signatures are not verified, anybody may be it.
    pub(crate) fn check_operator(&self, caller: &Caller, purpose: &str) -> Result<(), Error> {
        if self.enforces() && !self.is_operator(caller) {
            let message = format!("only the server's root key may {purpose}");
            return Err(Error::access_denied(Some(message)));
        }
        Ok(())
    }

    /// Whether signatures are verified.
    pub(crate) fn enforces(&self) -> bool {
        matches!(self.authentication, Authentication::Enforce(_))
    }

    /// First step: everything that can be decided without the body.
    pub(crate) fn check_head(
        &self,
        request: &RequestView<'_>,
        accept: &Accept<'_>,
        now_seconds: i64,
    ) -> Result<Checked, Rejection> {
        match &self.authentication {
            Authentication::Enforce(verifier) => {
                let head = verifier.verify_head(request, accept, now_seconds)?;
                Ok(Checked::Enforced { verifier_head: Box::new(head) })
            }
            Authentication::Permissive => Ok(Checked::Permitted(self.permitted(request))),
        }
    }

    /// Second step: the body belongs to the head.
    pub(crate) fn check_body(&self, checked: Checked, body: &[u8]) -> Result<Authenticated, Rejection> {
        match (checked, &self.authentication) {
            (Checked::Permitted(authenticated), _) => Ok(authenticated),
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
                let source_function_arn = verified.source_function_arn();
                Ok(Authenticated { scope, caller: Caller { source_function_arn, ..Caller::new(principal) } })
            }
            // Not constructed: `Enforced` comes from a verifier.
            (Checked::Enforced { .. }, Authentication::Permissive) => Err(Rejection::SignatureMismatch),
        }
    }

    fn permitted(&self, request: &RequestView<'_>) -> Authenticated {
        let claim = claimed_credential(request);
        let account = claim.as_ref().and_then(|claim| claim.account()).unwrap_or(&self.default.account);
        let region =
            claim.as_ref().and_then(|claim| claim.region.as_deref()).filter(|region| is_region(region));
        let region = region.unwrap_or(&self.default.region);
        let scope = Scope { account: account.to_owned(), region: region.to_owned() };
        Authenticated { caller: Caller::new(Principal::root(&scope.account)), scope }
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
