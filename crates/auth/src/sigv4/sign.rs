//! Signing requests as a client, and making presigned URLs.

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};

use super::canonical::{self, SignedHeaders};
use super::key::SigningKey;
use super::parameters::{X_AMZ_CONTENT_SHA256, X_AMZ_DATE, X_AMZ_SECURITY_TOKEN};
use super::payload::{BodyHash, UNSIGNED_PAYLOAD};
use super::percent::{encode_query, hex};
use super::request::RequestView;
use super::rules::SigningRules;
use super::{ALGORITHM, TERMINATOR, date};
use crate::credentials::AccessKey;

/// The longest that a presigned URL may hold: seven days, in seconds.
pub const MAX_PRESIGN_SECONDS: u32 = 7 * 24 * 60 * 60;

/// How a request's body is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// By its hash.
    Hash(BodyHash),
    /// Not at all, which Amazon S3 alone accepts.
    Unsigned,
}

impl Payload {
    fn with<T>(self, use_text: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Self::Hash(hash) => use_text(&hash.to_hex()),
            Self::Unsigned => use_text(UNSIGNED_PAYLOAD.as_bytes()),
        }
    }
}

/// Why a request cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The request names no host.
    #[error("a request without a Host header cannot be signed")]
    MissingHost,
    /// The key, region, service or token holds bytes that no header can carry.
    #[error("the {what} cannot be sent in a header")]
    Unsendable {
        /// What cannot be sent.
        what: &'static str,
    },
    /// A presigned URL may hold for a week at most.
    #[error("a presigned URL can hold for {MAX_PRESIGN_SECONDS} seconds at most, not {0}")]
    ExpiresTooLate(u32),
}

/// Signs for one key, region, service and moment.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The key to sign with.
    pub access_key: &'a AccessKey,
    /// The region of the endpoint, such as `us-east-1`.
    pub region: &'a str,
    /// The service's signing name, such as `lambda`.
    pub service: &'a str,
    /// When the request is signed, in Unix seconds.
    pub now: i64,
}

/// Signs `parts`, adding `X-Amz-Date`, `Authorization` and what else the service and the key call for. Covers
/// the host, the content type and every `x-amz-*` header; the path must be percent-encoded as it is to be sent.
///
/// # Errors
/// See [`SignError`].
pub fn sign_request(
    signer: &Signer<'_>,
    parts: &mut http::request::Parts,
    payload: Payload,
) -> Result<(), SignError> {
    if !parts.headers.contains_key(HOST) {
        let authority = parts.uri.authority().ok_or(SignError::MissingHost)?;
        parts.headers.insert(HOST, sendable(authority.as_str(), "host")?);
    }
    signer.add_headers(&mut parts.headers, payload)?;
    let names = names_to_sign(&parts.headers);
    let signed = SignedHeaders::parse(&names);
    let signature = signer.signature(&RequestView::from(&*parts), &signed, payload, false)?;
    let authorization = format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={names}, Signature={signature}",
        signer.access_key.access_key_id,
        signer.scope()
    );
    parts.headers.insert(AUTHORIZATION, sendable(&authorization, "access key id or scope")?);
    Ok(())
}

fn names_to_sign(headers: &HeaderMap) -> String {
    let mut names: Vec<&str> = headers
        .keys()
        .map(|name| name.as_str())
        .filter(|name| *name == HOST || *name == CONTENT_TYPE || name.starts_with("x-amz-"))
        .collect();
    names.sort_unstable();
    names.join(";")
}

fn sendable(text: &str, what: &'static str) -> Result<HeaderValue, SignError> {
    HeaderValue::from_str(text).map_err(|_| SignError::Unsendable { what })
}

impl Signer<'_> {
    /// Makes a presigned URL's path and query, to be put behind `https://` and `host`. It holds for `expires`
    /// seconds from [`Signer::now`] and lets anyone who has it make this very request.
    ///
    /// `path` and `query` are percent-encoded as they are to be sent.
    ///
    /// # Errors
    /// See [`SignError`].
    pub fn presign(
        &self,
        method: &str,
        host: &str,
        path: &str,
        query: Option<&str>,
        expires: u32,
        payload: Payload,
    ) -> Result<String, SignError> {
        if expires > MAX_PRESIGN_SECONDS {
            return Err(SignError::ExpiresTooLate(expires));
        }
        let credential = format!("{}/{}", self.access_key.access_key_id, self.scope());
        let mut full = query.map(|query| format!("{query}&")).unwrap_or_default();
        full.push_str(&format!(
            "X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date={}&X-Amz-Expires={expires}",
            encode_query(&credential),
            date::format(self.now)
        ));
        if let Some(token) = &self.access_key.session_token {
            full.push_str(&format!("&X-Amz-Security-Token={}", encode_query(token)));
        }
        full.push_str("&X-Amz-SignedHeaders=host");
        let mut headers = HeaderMap::with_capacity(1);
        headers.insert(HOST, sendable(host, "host")?);
        let request = RequestView { method, path, query: Some(&full), authority: None, headers: &headers };
        let signature = self.signature(&request, &SignedHeaders::parse("host"), payload, true)?;
        Ok(format!("{path}?{full}&X-Amz-Signature={signature}"))
    }

    fn add_headers(&self, headers: &mut HeaderMap, payload: Payload) -> Result<(), SignError> {
        headers.insert(X_AMZ_DATE, sendable(&date::format(self.now), "date")?);
        if let Some(token) = &self.access_key.session_token {
            let mut token = sendable(token, "session token")?;
            token.set_sensitive(true);
            headers.insert(X_AMZ_SECURITY_TOKEN, token);
        }
        // Stating the hash lets a server refuse a stranger before it reads the body.
        let stated = payload.with(HeaderValue::from_bytes);
        headers.insert(X_AMZ_CONTENT_SHA256, stated.map_err(|_| SignError::Unsendable { what: "hash" })?);
        Ok(())
    }

    fn scope(&self) -> String {
        let date = date::format(self.now);
        format!("{}/{}/{}/{TERMINATOR}", &date[..8], self.region, self.service)
    }

    fn signature(
        &self,
        request: &RequestView<'_>,
        signed: &SignedHeaders<'_>,
        payload: Payload,
        presigned: bool,
    ) -> Result<String, SignError> {
        let mut canonical_request = Sha256::new();
        let rules = SigningRules::of_service(self.service);
        canonical::put_head(&mut canonical_request, request, signed, rules, presigned)
            .map_err(|_| SignError::MissingHost)?;
        payload.with(|text| canonical_request.update(text));
        let date = date::format(self.now);
        let secret = &self.access_key.secret_access_key;
        let key = SigningKey::derive(secret, &date[..8], self.region, self.service);
        let signature = hex(&key.sign(date.as_bytes(), &self.scope(), canonical_request));
        Ok(String::from_utf8_lossy(&signature).into_owned())
    }
}
