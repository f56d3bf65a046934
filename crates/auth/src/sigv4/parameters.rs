//! What a caller says about its signature, in the `Authorization` header or in the query of a presigned URL.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, DATE};
use http::{HeaderMap, HeaderName};

use super::percent::decode_query;
use super::rejection::{Rejection, authorization_hash};
use super::request::RequestView;

pub(super) const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
pub(super) const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
pub(super) const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// The parts of a signature as they came, none of them judged yet.
#[derive(Debug)]
pub(super) struct Parameters<'r> {
    /// From a presigned URL.
    pub(super) presigned: bool,
    pub(super) algorithm: Cow<'r, str>,
    pub(super) credential: Cow<'r, str>,
    pub(super) signed_headers: Cow<'r, str>,
    pub(super) signature: Cow<'r, str>,
    pub(super) date: Cow<'r, str>,
    /// `X-Amz-Expires` of a presigned URL.
    pub(super) expires: Option<Cow<'r, str>>,
    pub(super) security_token: Option<Cow<'r, str>>,
    /// `x-amz-content-sha256`.
    pub(super) content_sha256: Option<Cow<'r, str>>,
}

impl<'r> Parameters<'r> {
    /// Reads them from wherever they are.
    pub(super) fn read(request: &RequestView<'r>) -> Result<Self, Rejection> {
        let query = request.query.map(QueryParameters::read).transpose()?.unwrap_or_default();
        match (request.headers.contains_key(AUTHORIZATION), query.algorithm.is_some()) {
            (true, true) => Err(Rejection::HeaderAndQuery),
            (false, false) => Err(Rejection::MissingAuthenticationToken),
            (true, false) => Self::from_header(request.headers),
            (false, true) => query.complete(request.headers),
        }
    }

    fn from_header(headers: &'r HeaderMap) -> Result<Self, Rejection> {
        let authorization = single(headers, AUTHORIZATION, "Authorization")?.unwrap_or_default();
        let hash = || authorization_hash(authorization);
        let text = std::str::from_utf8(authorization)
            .map_err(|_| Rejection::NotKeyValue { authorization_hash: hash() })?
            .trim();
        let (algorithm, rest) = text.split_once([' ', '\t', ',']).unwrap_or((text, ""));
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in rest.split([',', ' ', '\t']).filter(|part| !part.is_empty()) {
            let (name, value) =
                part.split_once('=').ok_or_else(|| Rejection::NotKeyValue { authorization_hash: hash() })?;
            match name {
                "Credential" => once(&mut credential, value, "Credential")?,
                "SignedHeaders" => once(&mut signed_headers, value, "SignedHeaders")?,
                "Signature" => once(&mut signature, value, "Signature")?,
                _ => {}
            }
        }
        let date = match single(headers, X_AMZ_DATE, "X-Amz-Date")? {
            Some(date) => Some(date),
            None => single(headers, DATE, "Date")?,
        };
        let (Some(credential), Some(signed_headers), Some(signature), Some(date)) =
            (credential.filter(present), signed_headers, signature.filter(present), date)
        else {
            let missing = [
                ("Credential", credential.filter(present).is_none()),
                ("Signature", signature.filter(present).is_none()),
                ("SignedHeaders", signed_headers.is_none()),
                ("Date", date.is_none()),
            ];
            let missing = missing.iter().filter(|(_, absent)| *absent).map(|(name, _)| *name).collect();
            return Err(Rejection::IncompleteHeader { missing, authorization_hash: hash() });
        };
        Ok(Self {
            presigned: false,
            algorithm: algorithm.into(),
            credential: credential.into(),
            signed_headers: signed_headers.into(),
            signature: signature.into(),
            date: String::from_utf8_lossy(date),
            expires: None,
            security_token: header_text(headers, X_AMZ_SECURITY_TOKEN, "X-Amz-Security-Token")?,
            content_sha256: header_text(headers, X_AMZ_CONTENT_SHA256, "x-amz-content-sha256")?,
        })
    }
}

fn present(text: &&str) -> bool {
    !text.is_empty()
}

/// The parameters of a presigned URL that were found.
#[derive(Default)]
struct QueryParameters<'r> {
    algorithm: Option<Cow<'r, str>>,
    credential: Option<Cow<'r, str>>,
    signature: Option<Cow<'r, str>>,
    signed_headers: Option<Cow<'r, str>>,
    date: Option<Cow<'r, str>>,
    expires: Option<Cow<'r, str>>,
    security_token: Option<Cow<'r, str>>,
    content_sha256: Option<Cow<'r, str>>,
}

impl<'r> QueryParameters<'r> {
    fn read(query: &'r str) -> Result<Self, Rejection> {
        let mut found = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode_query(name);
            let (slot, name) = match &*name {
                "X-Amz-Algorithm" => (&mut found.algorithm, "X-Amz-Algorithm"),
                "X-Amz-Credential" => (&mut found.credential, "X-Amz-Credential"),
                "X-Amz-Signature" => (&mut found.signature, "X-Amz-Signature"),
                "X-Amz-SignedHeaders" => (&mut found.signed_headers, "X-Amz-SignedHeaders"),
                "X-Amz-Date" => (&mut found.date, "X-Amz-Date"),
                "X-Amz-Expires" => (&mut found.expires, "X-Amz-Expires"),
                "X-Amz-Security-Token" => (&mut found.security_token, "X-Amz-Security-Token"),
                "X-Amz-Content-Sha256" => (&mut found.content_sha256, "X-Amz-Content-Sha256"),
                _ => continue,
            };
            once(slot, decode_query(value), name)?;
        }
        Ok(found)
    }

    fn complete(self, headers: &'r HeaderMap) -> Result<Parameters<'r>, Rejection> {
        let present = |text: &Cow<'r, str>| !text.is_empty();
        let parts = (
            self.algorithm.filter(present),
            self.credential.filter(present),
            self.signature.filter(present),
            self.signed_headers.filter(present),
            self.date.filter(present),
        );
        let (Some(algorithm), Some(credential), Some(signature), Some(signed_headers), Some(date)) = parts
        else {
            let missing = [
                ("X-Amz-Algorithm", parts.0.is_none()),
                ("X-Amz-Credential", parts.1.is_none()),
                ("X-Amz-Signature", parts.2.is_none()),
                ("X-Amz-SignedHeaders", parts.3.is_none()),
                ("X-Amz-Date", parts.4.is_none()),
            ];
            let missing = missing.iter().filter(|(_, absent)| *absent).map(|(name, _)| *name).collect();
            return Err(Rejection::IncompleteQuery { missing });
        };
        let from_header = header_text(headers, X_AMZ_CONTENT_SHA256, "x-amz-content-sha256")?;
        if from_header.is_some() && self.content_sha256.is_some() {
            return Err(Rejection::Ambiguous { name: "x-amz-content-sha256" });
        }
        Ok(Parameters {
            presigned: true,
            algorithm,
            credential,
            signed_headers,
            signature,
            date,
            expires: self.expires,
            security_token: self.security_token,
            content_sha256: from_header.or(self.content_sha256),
        })
    }
}

fn once<T>(slot: &mut Option<T>, value: T, name: &'static str) -> Result<(), Rejection> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Rejection::Ambiguous { name }),
    }
}

/// The value of a header that may come only once.
fn single<'r>(
    headers: &'r HeaderMap,
    header: HeaderName,
    name: &'static str,
) -> Result<Option<&'r [u8]>, Rejection> {
    let mut values = headers.get_all(header).iter();
    let first = values.next().map(|value| value.as_bytes());
    if values.next().is_some() { Err(Rejection::Ambiguous { name }) } else { Ok(first) }
}

fn header_text<'r>(
    headers: &'r HeaderMap,
    header: HeaderName,
    name: &'static str,
) -> Result<Option<Cow<'r, str>>, Rejection> {
    Ok(single(headers, header, name)?.map(|value| String::from_utf8_lossy(value)))
}
