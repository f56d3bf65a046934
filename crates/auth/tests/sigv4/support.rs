//! What the tests share: a server that knows a few keys, and requests in short form.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use rushlight_auth::sigv4::{Accept, Identity, Rejection, RequestView, Session, Verified, Verifier};
use rushlight_auth::{Principal, SecretAccessKey};

/// The key of AWS' test suite.
pub const KEY_ID: &str = "AKIDEXAMPLE";
/// Its secret.
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// The key of the Amazon S3 documentation.
pub const S3_KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
/// Its secret.
pub const S3_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// Temporary credentials with the secret of [`KEY_ID`], good until [`SESSION_END`].
pub const SESSION_KEY_ID: &str = "ASIDEXAMPLE";
/// Their token.
pub const SESSION_TOKEN: &str = "FwoGZXIvYXdzEXAMPLE/token+==";
/// When they end: an hour after [`NOW`].
pub const SESSION_END: i64 = NOW + 3600;
/// 2015-08-30T12:36:00Z, the moment of AWS' test suite.
pub const NOW: i64 = 1_440_938_160;

/// A verifier that knows the keys above.
pub fn verifier() -> Verifier {
    Verifier::new(Box::new(|id: &str, token: Option<&str>| {
        let (secret, session) = match id {
            // The suite signs with this key both with and without a token.
            KEY_ID => (SECRET, token.filter(|token| token.starts_with("AQoDYXdzEPT")).map(str::to_owned)),
            S3_KEY_ID => (S3_SECRET, None),
            SESSION_KEY_ID => (SECRET, Some(SESSION_TOKEN.to_owned())),
            _ => return None,
        };
        Some(Arc::new(Identity {
            secret: SecretAccessKey::new(secret),
            session: session.map(|token| Session {
                token,
                expires_at: SESSION_END,
                source_function_arn: None,
            }),
            principal: Principal::root("123456789012"),
        }))
    }))
}

/// A request that can be taken apart and changed.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Request {
    /// `target` may hold a query; `headers` are `name:value`.
    pub fn new(method: &str, target: &str, headers: &[&str]) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (target.to_owned(), None),
        };
        let mut request =
            Self { method: method.to_owned(), path, query, headers: HeaderMap::new(), body: Vec::new() };
        for header in headers {
            let (name, value) = header.split_once(':').unwrap();
            request = request.header(name, value);
        }
        request
    }

    /// Adds a header, besides one of the same name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    /// Replaces a header.
    pub fn set(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    /// Replaces a piece of a header's value, which must be there.
    pub fn replace(self, name: &'static str, from: &str, to: &str) -> Self {
        let value = self.headers[name].to_str().unwrap().to_owned();
        assert!(value.contains(from), "{value} lacks {from}");
        self.set(name, &value.replace(from, to))
    }

    pub fn view(&self) -> RequestView<'_> {
        RequestView {
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            authority: None,
            headers: &self.headers,
        }
    }

    /// Verifies for the service that the scope names, at [`NOW`].
    pub fn verify(&self, service: &str) -> Result<Verified, Rejection> {
        self.verify_at(service, NOW)
    }

    pub fn verify_at(&self, service: &str, now: i64) -> Result<Verified, Rejection> {
        verifier().verify(&self.view(), &self.body, &Accept { services: &[service], region: None }, now)
    }
}
