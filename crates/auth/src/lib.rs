//! Who may call: AWS Signature Version 4 (verifying, signing, presigning), access keys and the principals
//! behind them, and the policies that say what these may do.
//!
//! The crate is pure: it reads no clock, no file and no socket. The caller passes the time in as Unix
//! seconds, looks access keys up behind [`sigv4::CredentialLookup`], and writes key files itself. The only
//! thing taken from the machine is randomness for new keys.
//!
//! Where to start reading: [`sigv4`] for the path of a signed request, [`authorization`] for what happens to it then.

#![forbid(unsafe_code)]

pub mod authorization;
mod calendar;
pub mod credentials;
mod fuzz;
pub mod policy;
pub mod principal;
pub mod session;
pub mod sigv4;

pub use authorization::{AttachedPolicies, Authorizer, Caller, Denied, Identities, NoIdentities};
pub use credentials::{AccessKey, Profile, ProfileError, SecretAccessKey, unique_id};
#[doc(hidden)]
pub use fuzz::{fuzz_policy, fuzz_verify};
pub use principal::{Principal, PrincipalKind};
pub use session::{RoleSession, SessionKey};
