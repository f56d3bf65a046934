//! AWS Signature Version 4: verifying requests, signing them, and making presigned URLs.
//!
//! ```text
//!   request ── Parameters::read ──> what the caller claims (header or query), AWS' checks in AWS' order
//!           ── CredentialLookup ──> the secret behind the access key id
//!           ── canonical ─────────> the canonical request, fed into SHA-256 as it is made
//!           ── SigningKey ────────> the signature it should carry, compared in constant time
//! ```
//! One canonicaliser (`canonical.rs`) serves all three uses, following
//! [AWS' description](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
//! [`Verifier`] works in two steps, so that a request which states the hash of its body is decided upon before
//! the body is read.

mod canonical;
mod claim;
mod date;
mod key;
mod parameters;
mod payload;
mod percent;
mod rejection;
mod request;
mod rules;
mod scope;
mod sign;
mod verify;

pub use claim::{Claim, claimed_credential};
pub use key::{CredentialLookup, Identity, Session};
pub use payload::{BodyHash, BodyHasher};
pub use rejection::Rejection;
pub(crate) use rejection::echo;
pub use request::RequestView;
pub use rules::{Accept, SigningRules};
pub use scope::Credential;
pub use sign::{MAX_PRESIGN_SECONDS, Payload, SignError, Signer, sign_request};
pub use verify::{Head, Verified, Verifier};

/// The only algorithm there is: AWS4-ECDSA (SigV4A) needs public keys that only AWS holds.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What ends every credential scope.
const TERMINATOR: &str = "aws4_request";
