//! Signing keys: derived from a secret for one day, region and service, and kept for the requests that follow.

use std::collections::HashMap;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use parking_lot::RwLock;
use sha2::{Digest, Sha256};

use super::scope::Credential;
use super::{ALGORITHM, TERMINATOR, percent};
use crate::credentials::SecretAccessKey;
use crate::principal::Principal;

/// How many signing keys are kept. One key id needs one per day, region and service it signs for.
const CACHE_LIMIT: usize = 1024;

/// What is known about an access key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The secret that its requests are signed with.
    pub secret: SecretAccessKey,
    /// For temporary credentials: the token that must come with them.
    pub session: Option<Session>,
    /// On whose behalf the key signs.
    pub principal: Principal,
}

/// What makes credentials temporary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The session token, compared with the request's.
    pub token: String,
    /// When the credentials end, in Unix seconds.
    pub expires_at: i64,
    /// The function whose execution environment they were made for.
    pub source_function_arn: Option<Arc<str>>,
}

/// Finds the identity behind an access key id. Asked once for every request, so it must be quick.
pub trait CredentialLookup: Send + Sync {
    /// The identity of `access_key_id`, or `None` if there is no such key. The session token that came with the
    /// request is given for lookups whose tokens hold the identity; it is verified against
    /// [`Identity::session`] in any case.
    fn identity(&self, access_key_id: &str, session_token: Option<&str>) -> Option<Arc<Identity>>;
}

impl<F> CredentialLookup for F
where
    F: Fn(&str, Option<&str>) -> Option<Arc<Identity>> + Send + Sync,
{
    fn identity(&self, access_key_id: &str, session_token: Option<&str>) -> Option<Arc<Identity>> {
        self(access_key_id, session_token)
    }
}

/// HMAC-SHA256 keyed for one scope. The two blocks of key padding are hashed already, so a copy signs at once.
#[derive(Clone)]
pub(super) struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Derives the key of a scope: four HMACs, of the day, the region, the service and the terminator.
    pub(super) fn derive(secret: &SecretAccessKey, date: &str, region: &str, service: &str) -> Self {
        let mut prefixed = Vec::with_capacity(4 + secret.expose().len());
        prefixed.extend_from_slice(b"AWS4");
        prefixed.extend_from_slice(secret.expose().as_bytes());
        let day = digest(keyed(&prefixed), date.as_bytes());
        let region = digest(keyed(&day), region.as_bytes());
        let service = digest(keyed(&region), service.as_bytes());
        Self(keyed(&digest(keyed(&service), TERMINATOR.as_bytes())))
    }

    /// The signature over a canonical request's hash.
    pub(super) fn sign(self, date: &[u8], scope: &str, canonical_request: Sha256) -> [u8; 32] {
        let Self(mut hmac) = self;
        for line in [ALGORITHM.as_bytes(), date, scope.as_bytes()] {
            hmac.update(line);
            hmac.update(b"\n");
        }
        let hash: [u8; 32] = canonical_request.finalize().into();
        digest(hmac, &percent::hex(&hash))
    }
}

/// HMAC pads its key to a block with zeros and hashes one that is longer; doing so here leaves no error case.
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let mut block = [0u8; 64];
    if key.len() <= block.len() {
        block[..key.len()].copy_from_slice(key);
    } else {
        block[..32].copy_from_slice(&Sha256::digest(key));
    }
    Hmac::new(&block.into())
}

fn digest(mut hmac: Hmac<Sha256>, message: &[u8]) -> [u8; 32] {
    hmac.update(message);
    hmac.finalize().into_bytes().into()
}

/// The signing keys of recent callers.
///
/// Only keys that verified a request get in, so strangers can neither fill it nor push others out.
#[derive(Default)]
pub(super) struct KeyCache(RwLock<HashMap<Box<str>, Cached>>);

struct Cached {
    /// The secret the key was derived from: a key id whose secret was changed must not match the old one.
    secret: SecretAccessKey,
    key: SigningKey,
}

impl KeyCache {
    /// The key of this credential, if it is kept. Holds the lock for one look and one copy, allocates nothing.
    pub(super) fn get(&self, credential: &Credential, secret: &SecretAccessKey) -> Option<SigningKey> {
        let keys = self.0.read();
        let cached = keys.get(credential.as_str())?;
        (cached.secret == *secret).then(|| cached.key.clone())
    }

    /// Keeps a key that proved right. A full cache starts anew: keys come back at the cost of four HMACs.
    pub(super) fn insert(&self, credential: &Credential, secret: &SecretAccessKey, key: SigningKey) {
        let mut keys = self.0.write();
        if keys.len() >= CACHE_LIMIT {
            keys.clear();
        }
        keys.insert(credential.as_str().into(), Cached { secret: secret.clone(), key });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(key: SigningKey) -> [u8; 32] {
        digest(key.0, b"probe")
    }

    fn credential(day: usize) -> Credential {
        Credential::parse(&format!("AKID/{day}/us-east-1/lambda/aws4_request")).unwrap()
    }

    #[test]
    fn derives_the_key_of_the_aws_documentation() {
        // The signing key published for the GET ListUsers example, c4afb1cc…, applied to a probe.
        let secret = SecretAccessKey::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let published: [u8; 32] =
            percent::unhex("c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9").unwrap();
        let derived = SigningKey::derive(&secret, "20150830", "us-east-1", "iam");
        assert_eq!(raw(derived), digest(keyed(&published), b"probe"));
    }

    #[test]
    fn secrets_longer_than_a_block_are_hashed_as_hmac_says() {
        let key = [7u8; 100];
        let mut reference = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).unwrap();
        reference.update(b"probe");
        assert_eq!(digest(keyed(&key), b"probe")[..], reference.finalize().into_bytes()[..]);
    }

    #[test]
    fn a_changed_secret_does_not_find_the_old_key() {
        let cache = KeyCache::default();
        let (old, new) = (SecretAccessKey::new("old"), SecretAccessKey::new("new"));
        let key = SigningKey::derive(&old, "1", "us-east-1", "lambda");
        cache.insert(&credential(1), &old, key.clone());
        assert_eq!(cache.get(&credential(1), &old).map(raw), Some(raw(key)));
        assert!(cache.get(&credential(1), &new).is_none());
        assert!(cache.get(&credential(2), &old).is_none());
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = KeyCache::default();
        let secret = SecretAccessKey::new("s");
        let key = SigningKey::derive(&secret, "1", "us-east-1", "lambda");
        for day in 0..3 * CACHE_LIMIT {
            cache.insert(&credential(day), &secret, key.clone());
        }
        assert!(cache.0.read().len() <= CACHE_LIMIT);
    }
}
