//! Temporary credentials that need no record.
//!
//! Everything about a session (account, role, session name, end) travels in its token, sealed with a key that only
//! the server has; access key id and secret are derived from the token with the same key. So execution environments
//! get credentials at no cost to the store, and a restarted server still knows them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::credentials::{AccessKey, ID_ALPHABET, SecretAccessKey};
use crate::principal::Principal;
use crate::sigv4::{Identity, Session};

const VERSION: u8 = 2;
const SEAL_BYTES: usize = 32;
const NONCE_BYTES: usize = 16;
const SECRET_CHARACTERS: usize = 40;

/// Issues sessions and recognises them.
pub struct SessionKey(Hmac<Sha256>);

/// Whose session it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSession {
    /// Account of the role.
    pub account: String,
    /// The role's name, with its path in front if it has one: `worker`, `service-role/worker`.
    pub role: String,
    /// The role's unique id (`AROA…`).
    pub role_id: String,
    /// Name of the session; Lambda uses the function's name.
    pub session: String,
    /// The function whose execution environment the session is for.
    pub source_function_arn: Option<String>,
    /// When the credentials end, in Unix seconds.
    pub expires_at: i64,
}

impl SessionKey {
    /// `secret` is kept by the server for as long as its sessions shall be recognised.
    pub fn new(secret: &[u8; 32]) -> Self {
        let mut block = [0u8; 64];
        block[..32].copy_from_slice(secret);
        Self(Hmac::new(&block.into()))
    }

    /// New credentials for `session`.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn issue(&self, session: &RoleSession) -> Result<AccessKey, getrandom::Error> {
        let mut nonce = [0u8; NONCE_BYTES];
        getrandom::fill(&mut nonce)?;
        let mut token = vec![VERSION];
        token.extend_from_slice(&session.expires_at.to_be_bytes());
        token.extend_from_slice(&nonce);
        let source = session.source_function_arn.as_deref().unwrap_or_default();
        let names = [&*session.account, &session.role, &session.role_id, &session.session, source];
        token.extend_from_slice(names.join("\0").as_bytes());
        let seal = self.derive("token", &token);
        let (id, secret) = self.key(&token);
        token.extend_from_slice(&seal);
        let mut key = AccessKey::new(&id, secret.expose());
        key.session_token = Some(URL_SAFE_NO_PAD.encode(token));
        Ok(key)
    }

    /// The identity behind a session token, if this key issued it together with `access_key_id`. Whether the session
    /// has ended is for the verifier to say.
    pub fn identity(&self, access_key_id: &str, session_token: &str) -> Option<Arc<Identity>> {
        let bytes = URL_SAFE_NO_PAD.decode(session_token).ok()?;
        let (token, seal) = bytes.split_at_checked(bytes.len().checked_sub(SEAL_BYTES)?)?;
        if !bool::from(self.derive("token", token).ct_eq(seal)) {
            return None;
        }
        let session = parse(token)?;
        let (id, secret) = self.key(token);
        if id != access_key_id {
            return None;
        }
        let RoleSession { account, role, role_id, session, source_function_arn, expires_at } = session;
        let principal = Principal::assumed_role(&account, &role, &role_id, &session);
        let source_function_arn = source_function_arn.map(Into::into);
        let session = Session { token: session_token.to_owned(), expires_at, source_function_arn };
        Some(Arc::new(Identity { secret, session: Some(session), principal }))
    }

    fn key(&self, token: &[u8]) -> (String, SecretAccessKey) {
        let id = letters("ASIA", &self.derive("id", token));
        let mut secret = STANDARD.encode(self.derive("secret", token));
        secret.truncate(SECRET_CHARACTERS);
        (id, SecretAccessKey::new(&secret))
    }

    fn derive(&self, purpose: &str, token: &[u8]) -> [u8; 32] {
        let mut hmac = self.0.clone();
        hmac.update(&(purpose.len() as u64).to_be_bytes());
        hmac.update(purpose.as_bytes());
        hmac.update(token);
        hmac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SessionKey(…)")
    }
}

/// A prefix and sixteen letters, as AWS' ids of keys and roles are.
fn letters(prefix: &str, digest: &[u8; 32]) -> String {
    let letters = digest.iter().take(16).map(|byte| ID_ALPHABET[usize::from(byte & 31)] as char);
    prefix.chars().chain(letters).collect()
}

fn parse(token: &[u8]) -> Option<RoleSession> {
    let (version, rest) = token.split_first()?;
    let (expires_at, rest) = rest.split_first_chunk::<8>()?;
    let (_nonce, names) = rest.split_first_chunk::<NONCE_BYTES>()?;
    let mut names = std::str::from_utf8(names).ok()?.split('\0').map(str::to_owned);
    let mut next = || names.next();
    let session = RoleSession {
        account: next()?,
        role: next()?,
        role_id: next()?,
        session: next()?,
        source_function_arn: next().filter(|arn| !arn.is_empty()),
        expires_at: i64::from_be_bytes(*expires_at),
    };
    (*version == VERSION).then_some(session)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> RoleSession {
        RoleSession {
            account: "123456789012".into(),
            role: "worker".into(),
            role_id: "AROADBQP57FF2AEXAMPLE".into(),
            session: "resize".into(),
            source_function_arn: Some("arn:aws:lambda:eu-west-1:123456789012:function:resize".into()),
            expires_at: 1000,
        }
    }

    #[test]
    fn issued_credentials_are_recognised() {
        let key = SessionKey::new(&[7; 32]);
        let issued = key.issue(&session()).unwrap();
        let token = issued.session_token.clone().unwrap();
        assert!(issued.access_key_id.starts_with("ASIA") && issued.access_key_id.len() == 20);
        assert_eq!(issued.secret_access_key.expose().len(), 40);
        let identity = key.identity(&issued.access_key_id, &token).unwrap();
        assert_eq!(identity.secret, issued.secret_access_key);
        assert_eq!(identity.principal.arn(), "arn:aws:sts::123456789012:assumed-role/worker/resize");
        assert_eq!(identity.principal.user_id(), "AROADBQP57FF2AEXAMPLE:resize");
        let known = identity.session.as_ref().unwrap();
        assert_eq!(known.expires_at, 1000);
        assert_eq!(known.source_function_arn.as_deref(), session().source_function_arn.as_deref());
        assert_ne!(key.issue(&session()).unwrap().access_key_id, issued.access_key_id);
    }

    #[test]
    fn a_session_knows_the_path_of_its_role() {
        let key = SessionKey::new(&[7; 32]);
        let issued = key.issue(&RoleSession { role: "service-role/worker".into(), ..session() }).unwrap();
        let identity = key.identity(&issued.access_key_id, &issued.session_token.unwrap()).unwrap();
        assert_eq!(identity.principal.arn(), "arn:aws:sts::123456789012:assumed-role/worker/resize");
        let role = "arn:aws:iam::123456789012:role/service-role/worker";
        assert_eq!(identity.principal.entity_arn(), Some(role));
    }

    #[test]
    fn forged_tokens_are_not() {
        let key = SessionKey::new(&[7; 32]);
        let issued = key.issue(&session()).unwrap();
        let (id, token) = (issued.access_key_id, issued.session_token.unwrap());
        assert!(SessionKey::new(&[8; 32]).identity(&id, &token).is_none(), "sealed with another key");
        assert!(key.identity("ASIAAAAAAAAAAAAAAAAA", &token).is_none(), "another id");
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert!(key.identity(&id, &URL_SAFE_NO_PAD.encode(changed)).is_none(), "byte {index} changed");
        }
        for nonsense in ["", "AA", "!!!", &token[..token.len() - 4]] {
            assert!(key.identity(&id, nonsense).is_none(), "{nonsense}");
        }
    }
}
