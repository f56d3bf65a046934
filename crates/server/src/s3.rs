//! Code from buckets: GetObject of an S3-style service, as the control plane's [`Objects`].
//!
//! Buckets are addressed in the path, which every such service understands. Requests are signed with the operator's
//! key, not with the caller's: the server has only the caller's signature.
//!
//! See "GetObject" and "Error responses" in the Amazon S3 API reference.

mod refusal;

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rushlight_auth::AccessKey;
use rushlight_auth::sigv4::{BodyHash, Payload, Signer, sign_request};
use rushlight_control::{Object, ObjectError, ObjectRequest, Objects};
use rushlight_model::clock::Clock;
use rushlight_store::BoxFuture;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::refusal::Refusal;
use crate::http_client::{Answer, HttpClient, HttpError, Patience};

const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(30),
    piece: Duration::from_secs(20),
};
/// For a whole object, however steadily it comes: others wait for their turn.
const WHOLE: Duration = Duration::from_mins(5);
/// How often a request is made that fails for a reason that may pass.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);
/// Objects are fetched into memory; so many at a time.
const CONCURRENT_OBJECTS: usize = 4;
/// What is not encoded in a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
const QUERY: &AsciiSet = &PATH.add(b'/');

/// An S3-style service.
#[derive(Debug)]
pub struct S3Objects {
    client: HttpClient,
    /// As the operator wrote it, for messages.
    url: String,
    /// In front of the bucket; no slash at its end.
    path: String,
    key: Option<AccessKey>,
    turns: Semaphore,
}

impl S3Objects {
    /// The service at `url`. Without a key its buckets are read as a stranger.
    ///
    /// # Errors
    /// One sentence with the mend.
    pub fn new(url: &str, key: Option<AccessKey>) -> anyhow::Result<Self> {
        let parsed: Uri = url.parse().with_context(|| format!("--endpoint s3={url}: not a URL"))?;
        Ok(Self {
            client: HttpClient::new(&parsed, PATIENCE).with_context(|| format!("--endpoint s3={url}"))?,
            url: url.to_owned(),
            path: parsed.path().trim_end_matches('/').to_owned(),
            key,
            turns: Semaphore::new(CONCURRENT_OBJECTS),
        })
    }

    async fn fetch(&self, request: ObjectRequest<'_>) -> Result<Object, ObjectError> {
        if request.key.split('/').any(|segment| matches!(segment, "." | "..")) {
            // S3 has no such keys, and other services might take them for a way to somewhere else.
            return Err(no_such_key());
        }
        let unavailable =
            |reason: &str| ObjectError::Unavailable(format!("The S3 service at {} {reason}.", self.url));
        let _turn = self.turns.acquire().await.map_err(|_| unavailable("is no longer asked"))?;
        let mut region = request.region.to_owned();
        let mut attempt = 1;
        loop {
            let answer = timeout(WHOLE, self.ask(request, &region)).await;
            let answer = answer.unwrap_or(Err(HttpError::Slow(WHOLE)));
            let passing = match &answer {
                Ok(answer) => answer.status.is_server_error(),
                Err(error) => matches!(error, HttpError::Broken(_)),
            };
            if passing && attempt < ATTEMPTS {
                Clock::real().sleep(PAUSE * attempt).await;
                attempt += 1;
                continue;
            }
            let answer = match answer {
                Ok(answer) => answer,
                Err(HttpError::TooLarge) => return Err(ObjectError::TooLarge),
                Err(error) => return Err(unavailable(&format!("cannot be reached: {error}"))),
            };
            if answer.status.is_success() {
                return Ok(object(answer));
            }
            let refusal = Refusal::of(&answer);
            match refusal.signing_region() {
                // A service of one region serves functions of all.
                Some(other) if other != region && region == request.region => region = other.to_owned(),
                _ => return Err(refusal.into()),
            }
        }
    }

    async fn ask(&self, request: ObjectRequest<'_>, region: &str) -> Result<Answer, HttpError> {
        let ObjectRequest { bucket, key, version, limit, .. } = request;
        let mut target = format!("{}/{bucket}/{}", self.path, utf8_percent_encode(key, PATH));
        if let Some(version) = version {
            target.push_str(&format!("?versionId={}", utf8_percent_encode(version, QUERY)));
        }
        let unsendable = |error: &dyn std::fmt::Display| HttpError::Connect(error.to_string());
        let request = Request::get(target).header(http::header::HOST, self.client.authority()).body(());
        let (mut parts, ()) = request.map_err(|error| unsendable(&error))?.into_parts();
        if let Some(access_key) = &self.key {
            let now = Clock::real().now().as_seconds();
            let signer = Signer { access_key, region, service: "s3", now };
            sign_request(&signer, &mut parts, Payload::Hash(BodyHash::EMPTY))
                .map_err(|error| unsendable(&error))?;
        }
        self.client.exchange(Request::from_parts(parts, Full::new(Bytes::new())), limit).await
    }
}

impl Objects for S3Objects {
    fn get<'a>(&'a self, request: ObjectRequest<'a>) -> BoxFuture<'a, Result<Object, ObjectError>> {
        Box::pin(self.fetch(request))
    }
}

fn object(answer: Answer) -> Object {
    let version = answer.headers.get("x-amz-version-id").and_then(|version| version.to_str().ok());
    // What was stored before versions were kept, or since they are no longer, has this one.
    let version = version.filter(|version| *version != "null").map(str::to_owned);
    Object { bytes: answer.body, version }
}

fn no_such_key() -> ObjectError {
    ObjectError::Refused {
        code: "NoSuchKey".into(),
        message: "The specified key does not exist.".into(),
        by_failure: false,
    }
}
