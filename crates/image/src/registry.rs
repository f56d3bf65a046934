//! Speaking to registries: see the OCI distribution specification 1.1, and Docker's for tokens.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use http::header::{ACCEPT, AUTHORIZATION, LOCATION, WWW_AUTHENTICATE};
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::credentials::Credentials;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::{Architecture, Config, Descriptor, Document, MANIFESTS, of_architecture};
use crate::package::{DOCUMENT_BYTES, Package};
use crate::reference::Reference;

/// How often a registry may send us elsewhere.
const REDIRECTS: usize = 5;

/// Status and headers of an answer.
#[derive(Debug)]
pub struct Head {
    /// HTTP status.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
}

/// Takes the pieces of a body.
pub type Sink<'a> = &'a mut (dyn FnMut(&[u8]) -> io::Result<()> + Send);

/// What speaks HTTP for this crate.
pub trait Http: Send + Sync + fmt::Debug {
    /// Asks for a URL without following where it sends us. Fails if there is no answer, or if its body has more than
    /// `limit` bytes. Only the body of an answer with status 200 is handed on.
    fn get<'a>(
        &'a self,
        url: &'a Uri,
        headers: HeaderMap,
        limit: u64,
        body: Sink<'a>,
    ) -> Pin<Box<dyn Future<Output = std::result::Result<Head, String>> + Send + 'a>>;
}

/// Which registries there are, how they are spoken to, and who we are there.
#[derive(Debug, Clone)]
pub struct Registries {
    http: Arc<dyn Http>,
    credentials: Credentials,
    /// By host whether it is spoken to in plain text. Empty: all there are, encrypted.
    named: BTreeMap<String, bool>,
}

impl Registries {
    /// `named` are hosts, with `http://` in front for those that are not encrypted; none means any host.
    pub fn new(
        http: Arc<dyn Http>,
        credentials: Credentials,
        named: impl IntoIterator<Item = String>,
    ) -> Self {
        let split = |name: String| match name.strip_prefix("http://") {
            Some(host) => (host.trim_end_matches('/').to_owned(), true),
            None => (name.trim_start_matches("https://").trim_end_matches('/').to_owned(), false),
        };
        Self { http, credentials, named: named.into_iter().map(split).collect() }
    }

    /// Looks an image up.
    pub(crate) async fn open(
        &self,
        reference: &Reference,
        architecture: Architecture,
    ) -> Result<(Session<'_>, Package<Descriptor>)> {
        let host = reference.host();
        let plain = self.named.get(host).copied();
        if plain.is_none() && !self.named.is_empty() {
            return Err(Error::Denied {
                image: reference.to_string(),
                reason: format!("{host} is not among the registries that this server may use"),
            });
        }
        let scheme = if plain == Some(true) { "http" } else { "https" };
        let (place, repository) = place(host, reference.repository());
        let base = format!("{scheme}://{place}/v2/{repository}");
        let mut session =
            Session { registries: self, reference: reference.clone(), base, authorization: None };
        let package = session.package(architecture).await?;
        Ok((session, package))
    }
}

/// Where a registry is found, and what it calls a repository. Docker Hub answers elsewhere than by its own name.
fn place(host: &str, repository: &str) -> (String, String) {
    if !matches!(host, "docker.io" | "index.docker.io") {
        return (host.to_owned(), repository.to_owned());
    }
    let official = if repository.contains('/') { "" } else { "library/" };
    ("registry-1.docker.io".to_owned(), format!("{official}{repository}"))
}

/// One image of one registry.
pub(crate) struct Session<'a> {
    registries: &'a Registries,
    reference: Reference,
    /// `https://HOST/v2/REPOSITORY`.
    base: String,
    authorization: Option<HeaderValue>,
}

impl Session<'_> {
    async fn package(&mut self, architecture: Architecture) -> Result<Package<Descriptor>> {
        let mut bytes = self.manifest(&self.reference.identifier()).await?;
        let mut digest = Digest::of(&bytes);
        if self.reference.digest().is_some_and(|wanted| *wanted != digest) {
            return Err(self.failed("the manifest is not the one that was asked for"));
        }
        loop {
            match Document::parse(&bytes)? {
                Document::Manifest(manifest) => {
                    let document = self.document(&manifest.config).await?;
                    let config = Config::parse(&document, architecture)?;
                    return Ok(Package { digest, config, document, layers: manifest.layers });
                }
                Document::Index(images) => {
                    let image = of_architecture(&images, architecture)?;
                    bytes = self.manifest(&image.digest.to_string()).await?;
                    digest = Digest::of(&bytes);
                    if digest != image.digest {
                        return Err(self.failed("a manifest is not the one that its index names"));
                    }
                }
            }
        }
    }

    async fn manifest(&mut self, identifier: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let url = format!("{}/manifests/{identifier}", self.base);
        self.get(&url, DOCUMENT_BYTES, &mut collect(&mut bytes)).await?;
        Ok(bytes)
    }

    async fn document(&mut self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.blob(descriptor, DOCUMENT_BYTES, &mut collect(&mut bytes)).await?;
        if Digest::of(&bytes) == descriptor.digest {
            Ok(bytes)
        } else {
            Err(self.failed("the configuration is not the one that the manifest names"))
        }
    }

    /// Fetches a blob; whoever takes it holds it against its digest.
    pub(crate) async fn blob(&mut self, descriptor: &Descriptor, limit: u64, body: Sink<'_>) -> Result<()> {
        if descriptor.size > limit {
            return Err(Error::TooLarge(format!("a part of it has {} bytes", descriptor.size)));
        }
        let url = format!("{}/blobs/{}", self.base, descriptor.digest);
        self.get(&url, descriptor.size, body).await
    }

    async fn get(&mut self, url: &str, limit: u64, body: Sink<'_>) -> Result<()> {
        let head = self.follow(url, limit, body).await?;
        if head.status != StatusCode::UNAUTHORIZED {
            return self.check(head.status);
        }
        // For the first time, or because a token is old by now.
        self.authorization = Some(self.authorize(&head.headers).await?);
        let head = self.follow(url, limit, body).await?;
        self.check(head.status)
    }

    fn check(&self, status: StatusCode) -> Result<()> {
        match status {
            StatusCode::OK => Ok(()),
            StatusCode::NOT_FOUND => Err(Error::NotFound(self.reference.to_string())),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(self.denied(format!("it answers {status}; credentials come from --registry-credentials")))
            }
            _ => Err(self.failed(format!("the registry answers {status}"))),
        }
    }

    /// Asks, and asks where it is sent. Who we are is told to the registry alone.
    async fn follow(&self, url: &str, limit: u64, body: Sink<'_>) -> Result<Head> {
        let mut url: Uri = url.parse().map_err(|_| self.failed("it has no such name"))?;
        let origin = url.authority().cloned();
        for _ in 0..REDIRECTS {
            let mut headers = HeaderMap::new();
            for kind in MANIFESTS {
                headers.append(ACCEPT, HeaderValue::from_static(kind));
            }
            if let Some(authorization) =
                self.authorization.clone().filter(|_| url.authority() == origin.as_ref())
            {
                headers.insert(AUTHORIZATION, authorization);
            }
            let head = self.ask(&url, headers, limit, &mut *body).await?;
            if !head.status.is_redirection() {
                return Ok(head);
            }
            let location = head.headers.get(LOCATION).and_then(|value| value.to_str().ok());
            url = location
                .and_then(|location| self.elsewhere(&url, location))
                .ok_or_else(|| self.failed("the registry sends us where we do not go"))?;
        }
        Err(self.failed("the registry sends us from one place to the next"))
    }

    /// Where a redirection leads: never from what is encrypted to what is not.
    fn elsewhere(&self, from: &Uri, location: &str) -> Option<Uri> {
        let to: Uri = location.parse().ok()?;
        if to.authority().is_none() {
            let mut parts = from.clone().into_parts();
            parts.path_and_query = to.path_and_query().cloned();
            return Uri::from_parts(parts).ok();
        }
        let safe = to.scheme() == Some(&Scheme::HTTPS) || to.scheme() == from.scheme();
        safe.then_some(to)
    }

    async fn ask(&self, url: &Uri, headers: HeaderMap, limit: u64, body: Sink<'_>) -> Result<Head> {
        let answer = self.registries.http.get(url, headers, limit, body).await;
        answer.map_err(|reason| self.failed(reason))
    }

    /// Answers the registry's question who we are.
    async fn authorize(&self, headers: &HeaderMap) -> Result<HeaderValue> {
        let challenge =
            headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let basic = self.registries.credentials.of(self.reference.host());
        let (scheme, parameters) = challenge.split_once(' ').unwrap_or((challenge, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return basic.ok_or_else(|| {
                self.denied("it asks for a password; name a file that has it with --registry-credentials")
            });
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(self.denied(format!("it asks for what is not understood: '{challenge}'")));
        }
        let url = self.token_url(parameters)?;
        let mut bytes = Vec::new();
        let mut headers = HeaderMap::new();
        headers.extend(basic.map(|basic| (AUTHORIZATION, basic)));
        let head = self.ask(&url, headers, DOCUMENT_BYTES, &mut collect(&mut bytes)).await?;
        let token: Option<Token> = serde_json::from_slice(&bytes).ok();
        let token = token.and_then(|token| token.token.or(token.access_token));
        let header = token.filter(|_| head.status == StatusCode::OK);
        let header = header.and_then(|token| HeaderValue::try_from(format!("Bearer {token}")).ok());
        header.ok_or_else(|| self.denied(format!("its service for tokens answers {}", head.status)))
    }

    fn token_url(&self, parameters: &str) -> Result<Uri> {
        let parameters = challenge_parameters(parameters);
        let realm = parameters.get("realm").cloned().unwrap_or_default();
        let mut query = Vec::new();
        for name in ["service", "scope"] {
            if let Some(value) = parameters.get(name) {
                query.push(format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
            }
        }
        let separator = if realm.contains('?') { '&' } else { '?' };
        let url: Option<Uri> = format!("{realm}{separator}{}", query.join("&")).parse().ok();
        let is_plain = self.base.starts_with("http:");
        url.filter(|url| is_plain || url.scheme() == Some(&Scheme::HTTPS))
            .ok_or_else(|| self.denied(format!("'{realm}' is no place to get a token from")))
    }

    fn denied(&self, reason: impl Into<String>) -> Error {
        Error::Denied { image: self.reference.to_string(), reason: reason.into() }
    }

    fn failed(&self, reason: impl Into<String>) -> Error {
        Error::Registry { image: self.reference.to_string(), reason: reason.into() }
    }
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

fn collect(bytes: &mut Vec<u8>) -> impl FnMut(&[u8]) -> io::Result<()> + Send + '_ {
    |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    }
}

/// `name="value"` pairs with commas between them; a value may have commas itself.
fn challenge_parameters(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        found.insert(name.trim_matches([' ', ',']).to_ascii_lowercase(), value.to_owned());
        rest = after;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_hub_is_found_where_it_is() {
        let found = |host, repository| {
            let (place, repository) = place(host, repository);
            format!("{place}/{repository}")
        };
        assert_eq!(found("docker.io", "ubuntu"), "registry-1.docker.io/library/ubuntu");
        assert_eq!(found("docker.io", "me/app"), "registry-1.docker.io/me/app");
        assert_eq!(found("localhost:5000", "app"), "localhost:5000/app");
    }

    #[test]
    fn a_challenge_is_taken_apart() {
        let found =
            challenge_parameters(r#"realm="https://a/token",service=b, scope="repository:c:pull,push""#);
        let expected = [("realm", "https://a/token"), ("scope", "repository:c:pull,push"), ("service", "b")];
        assert!(found.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(expected));
        assert!(challenge_parameters("nothing").is_empty());
    }
}
