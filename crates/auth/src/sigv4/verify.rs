//! Verifying a request's signature, in two steps around the reading of its body.

use std::sync::Arc;

use http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::canonical::{self, SignedHeaders};
use super::key::{CredentialLookup, Identity, KeyCache, SigningKey};
use super::parameters::{Parameters, X_AMZ_CONTENT_SHA256, X_AMZ_SECURITY_TOKEN};
use super::payload::{BodyHash, UNSIGNED_PAYLOAD};
use super::rejection::{Rejection, echo};
use super::request::RequestView;
use super::rules::{Accept, SigningRules};
use super::scope::{Credential, is_region_name};
use super::sign::MAX_PRESIGN_SECONDS;
use super::{ALGORITHM, TERMINATOR, date, percent};
use crate::principal::Principal;

/// A caller whose signature was right.
#[derive(Clone, Debug)]
pub struct Verified {
    credential: Credential,
    identity: Arc<Identity>,
    signed_at: i64,
    presigned: bool,
}

impl Verified {
    /// The access key id and the scope: region and service that the request was signed for.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// On whose behalf the call is made.
    pub fn principal(&self) -> &Principal {
        &self.identity.principal
    }

    /// The function whose execution environment's credentials were used.
    pub fn source_function_arn(&self) -> Option<Arc<str>> {
        self.identity.session.as_ref()?.source_function_arn.clone()
    }

    /// When the request was signed, in Unix seconds.
    pub fn signed_at(&self) -> i64 {
        self.signed_at
    }

    /// Whether a presigned URL was used.
    pub fn presigned(&self) -> bool {
        self.presigned
    }
}

/// A request whose head has passed; see [`Verifier::verify_head`]. Holds nothing of the request itself.
pub struct Head {
    verified: Verified,
    body: BodyCheck,
}

enum BodyCheck {
    /// The signature was right; the body must have this hash.
    Hash(BodyHash),
    /// The signature was right and says nothing about the body.
    Unsigned,
    /// The signature can be verified once the body's hash is known.
    Signature(Box<Pending>),
}

impl Head {
    /// Whether the caller has proven who it is already. If not, the body is a stranger's: read it within
    /// narrow limits.
    pub fn is_authenticated(&self) -> bool {
        !matches!(self.body, BodyCheck::Signature(_))
    }

    /// Whether the body need not be hashed.
    pub fn is_body_unsigned(&self) -> bool {
        matches!(self.body, BodyCheck::Unsigned)
    }

    /// What the caller claims to be, which is not proven unless [`Head::is_authenticated`].
    pub fn credential(&self) -> &Credential {
        &self.verified.credential
    }
}

/// All that is needed to work the signature out when the body's hash arrives.
struct Pending {
    canonical_head: Sha256,
    key: SigningKey,
    /// The key was derived for this request and is worth keeping if it proves right.
    fresh_key: bool,
    signature: [u8; 32],
    date: [u8; 16],
    session_token: Option<String>,
    now: i64,
}

/// Verifies signatures; shared by all requests.
///
/// A header-signed request to Lambda costs three small allocations here (the credential, the list of signed
/// headers, the state that waits for the body), one more with a session token and two with a query; the
/// canonical request is not built, and the signing key comes from a cache.
pub struct Verifier {
    lookup: Box<dyn CredentialLookup>,
    keys: KeyCache,
}

impl Verifier {
    /// Verifies against the keys that `lookup` finds.
    pub fn new(lookup: Box<dyn CredentialLookup>) -> Self {
        Self { lookup, keys: KeyCache::default() }
    }

    /// Verifies a request whose body is at hand. `now` in Unix seconds.
    ///
    /// # Errors
    /// See [`Rejection`].
    pub fn verify(
        &self,
        request: &RequestView<'_>,
        body: &[u8],
        accept: &Accept<'_>,
        now: i64,
    ) -> Result<Verified, Rejection> {
        let head = self.verify_head(request, accept, now)?;
        let hash = if head.is_body_unsigned() { BodyHash::EMPTY } else { BodyHash::of(body) };
        self.verify_body(head, &hash)
    }

    /// First step, before the body is read: everything that can be decided without it. If the request states
    /// its body's hash (`x-amz-content-sha256`), that includes the signature. `now` in Unix seconds.
    ///
    /// Checks run in the order in which AWS reports their failures.
    ///
    /// # Errors
    /// See [`Rejection`].
    pub fn verify_head(
        &self,
        request: &RequestView<'_>,
        accept: &Accept<'_>,
        now: i64,
    ) -> Result<Head, Rejection> {
        let parameters = Parameters::read(request)?;
        let checked = Checked::new(request, &parameters, accept, now)?;
        let token = parameters.security_token.as_deref();
        let identity = self
            .lookup
            .identity(checked.credential.access_key_id(), token)
            .ok_or(Rejection::UnrecognizedClient)?;
        let claim = BodyClaim::read(&parameters, checked.rules)?;
        let mut canonical_head = Sha256::new();
        let (signed, presigned) = (&checked.signed_headers, parameters.presigned);
        canonical::put_head(&mut canonical_head, request, signed, checked.rules, presigned)
            .map_err(|_| Rejection::SignatureMismatch)?;
        let (key, fresh_key) = self.signing_key(&checked.credential, &identity);
        let pending = Pending {
            canonical_head,
            key,
            fresh_key,
            signature: percent::unhex(&parameters.signature).ok_or(Rejection::SignatureMismatch)?,
            date: checked.stamp,
            session_token: token.map(str::to_owned),
            now,
        };
        let Checked { credential, signed_at, .. } = checked;
        self.settle(Verified { credential, identity, signed_at, presigned }, pending, claim)
    }

    /// Second step: `body` is the hash of the body as it was read (any, for a body that is not signed).
    ///
    /// # Errors
    /// [`Rejection::SignatureMismatch`], and whatever else hangs on the signature if it could not be verified
    /// without the body.
    pub fn verify_body(&self, head: Head, body: &BodyHash) -> Result<Verified, Rejection> {
        match head.body {
            BodyCheck::Unsigned => {}
            BodyCheck::Hash(stated) if stated.same(body) => {}
            BodyCheck::Hash(_) => return Err(Rejection::SignatureMismatch),
            BodyCheck::Signature(pending) => {
                self.check_signature(&head.verified, *pending, &body.to_hex())?;
            }
        }
        Ok(head.verified)
    }

    /// The signing key, and whether it was derived just now.
    fn signing_key(&self, credential: &Credential, identity: &Identity) -> (SigningKey, bool) {
        match self.keys.get(credential, &identity.secret) {
            Some(key) => (key, false),
            None => {
                let (date, region, service) = (credential.date(), credential.region(), credential.service());
                (SigningKey::derive(&identity.secret, date, region, service), true)
            }
        }
    }

    fn settle(&self, verified: Verified, pending: Pending, claim: BodyClaim) -> Result<Head, Rejection> {
        let body = match claim {
            BodyClaim::None => BodyCheck::Signature(Box::new(pending)),
            BodyClaim::Hash(hash) => {
                self.check_signature(&verified, pending, &hash.to_hex())?;
                BodyCheck::Hash(hash)
            }
            BodyClaim::Unsigned => {
                self.check_signature(&verified, pending, UNSIGNED_PAYLOAD.as_bytes())?;
                BodyCheck::Unsigned
            }
        };
        Ok(Head { verified, body })
    }

    /// Compares signatures, then what AWS looks at last: the session token.
    fn check_signature(
        &self,
        verified: &Verified,
        pending: Pending,
        payload: &[u8],
    ) -> Result<(), Rejection> {
        let mut canonical_request = pending.canonical_head;
        canonical_request.update(payload);
        let keep = pending.fresh_key.then(|| pending.key.clone());
        let signature = pending.key.sign(&pending.date, verified.credential.scope(), canonical_request);
        if !bool::from(signature.ct_eq(&pending.signature)) {
            return Err(Rejection::SignatureMismatch);
        }
        check_session(&verified.identity, pending.session_token.as_deref(), pending.now)?;
        if let Some(key) = keep {
            self.keys.insert(&verified.credential, &verified.identity.secret, key);
        }
        Ok(())
    }
}

/// Parameters that have passed every check short of the key's and the signature's.
struct Checked<'p> {
    credential: Credential,
    rules: &'static SigningRules,
    signed_headers: SignedHeaders<'p>,
    signed_at: i64,
    /// [`Checked::signed_at`] as the caller wrote it.
    stamp: [u8; 16],
}

impl<'p> Checked<'p> {
    fn new(
        request: &RequestView<'_>,
        parameters: &'p Parameters<'_>,
        accept: &Accept<'_>,
        now: i64,
    ) -> Result<Self, Rejection> {
        let credential = Credential::parse(&parameters.credential);
        let rules = credential
            .as_ref()
            .map_or(&SigningRules::COMMON, |credential| SigningRules::of_service(credential.service()));
        let (signed_at, stamp) = date::parse(&parameters.date)
            .zip(parameters.date.as_bytes().try_into().ok())
            .ok_or_else(|| Rejection::InvalidDate { got: echo(&parameters.date) })?;
        check_time(parameters, signed_at, rules, now)?;
        let signed_headers = SignedHeaders::parse(&parameters.signed_headers);
        check_signed_headers(request.headers, &signed_headers)?;
        if parameters.algorithm != ALGORITHM {
            return Err(Rejection::UnsupportedAlgorithm { got: echo(&parameters.algorithm) });
        }
        let credential =
            credential.ok_or_else(|| Rejection::MalformedCredential { got: echo(&parameters.credential) })?;
        check_scope(&credential, accept, &parameters.date)?;
        Ok(Self { credential, rules, signed_headers, signed_at, stamp })
    }
}

/// What the request states about its body.
enum BodyClaim {
    None,
    Hash(BodyHash),
    Unsigned,
}

impl BodyClaim {
    fn read(parameters: &Parameters<'_>, rules: &SigningRules) -> Result<Self, Rejection> {
        match parameters.content_sha256.as_deref() {
            None if !rules.payload_hash_required => Ok(Self::None),
            None if parameters.presigned => Ok(Self::Unsigned),
            None => Err(Rejection::MissingPayloadHash),
            Some(UNSIGNED_PAYLOAD) if rules.unsigned_payload => Ok(Self::Unsigned),
            Some(text) => BodyHash::from_hex(text)
                .map(Self::Hash)
                .ok_or_else(|| Rejection::UnsupportedPayload { got: echo(text) }),
        }
    }
}

fn check_time(
    parameters: &Parameters<'_>,
    signed_at: i64,
    rules: &SigningRules,
    now: i64,
) -> Result<(), Rejection> {
    let window = match &parameters.expires {
        None => rules.skew_seconds,
        Some(expires) => expires
            .parse::<u32>()
            .ok()
            .filter(|seconds| *seconds <= MAX_PRESIGN_SECONDS)
            .map(i64::from)
            .ok_or_else(|| Rejection::InvalidExpires { got: echo(expires) })?,
    };
    if signed_at < now.saturating_sub(window) {
        return Err(Rejection::Expired { signed_at, now, window });
    }
    if signed_at > now.saturating_add(rules.skew_seconds) {
        return Err(Rejection::NotYetCurrent { signed_at, now, window: rules.skew_seconds });
    }
    Ok(())
}

/// The host must be signed, or a request could be replayed elsewhere; and so must every `x-amz-*` header, as
/// they change what a request does. Two of these are bound to the signature in another way and left unsigned by
/// some clients: the session token belongs to the key, and the body's hash ends the canonical request.
fn check_signed_headers(headers: &HeaderMap, signed: &SignedHeaders<'_>) -> Result<(), Rejection> {
    if !signed.contains("host") {
        return Err(Rejection::HeaderNotSigned { name: "host".to_owned() });
    }
    for name in headers.keys() {
        let bound = *name == X_AMZ_SECURITY_TOKEN || *name == X_AMZ_CONTENT_SHA256;
        if name.as_str().starts_with("x-amz-") && !bound && !signed.contains(name.as_str()) {
            return Err(Rejection::HeaderNotSigned { name: name.as_str().to_owned() });
        }
    }
    Ok(())
}

fn check_scope(credential: &Credential, accept: &Accept<'_>, date: &str) -> Result<(), Rejection> {
    let mut problems = String::new();
    let region = credential.region();
    if !is_region_name(region) || accept.region.is_some_and(|only| only != region) {
        problems.push_str("Credential should be scoped to a valid region. ");
    }
    if !accept.services.contains(&credential.service()) {
        let expected = accept.services.first().copied().unwrap_or_default();
        problems.push_str(&format!("Credential should be scoped to correct service: '{expected}'. "));
    }
    let terminator = credential.terminator();
    if terminator != TERMINATOR {
        let got = echo(terminator);
        problems.push_str(&format!(
            "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{got}'. "
        ));
    }
    // The date has been read, so it is ASCII and has a day.
    let day = &date[..8];
    if credential.date() != day {
        let got = echo(credential.date());
        problems.push_str(&format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{got}' != \
             '{day}', from '{date}'."
        ));
    }
    if problems.is_empty() { Ok(()) } else { Err(Rejection::WrongScope { problems }) }
}

fn check_session(identity: &Identity, token: Option<&str>, now: i64) -> Result<(), Rejection> {
    match (&identity.session, token) {
        (None, None) => Ok(()),
        (Some(session), Some(token)) if bool::from(session.token.as_bytes().ct_eq(token.as_bytes())) => {
            if now < session.expires_at { Ok(()) } else { Err(Rejection::ExpiredToken) }
        }
        _ => Err(Rejection::UnrecognizedClient),
    }
}
