//! The official SDK's signer as an oracle: what it signs verifies here, and what is signed here is what it
//! would have signed.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use proptest::prelude::*;
use rushlight_auth::AccessKey;
use rushlight_auth::sigv4::{Accept, BodyHash, Payload, Rejection, RequestView, Signer, sign_request};

use crate::support::{KEY_ID, NOW, SECRET, SESSION_KEY_ID, SESSION_TOKEN, verifier};

/// A request before it is signed, and how it is to be signed.
#[derive(Clone, Debug)]
struct Plan {
    service: &'static str,
    method: &'static str,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    session: bool,
    presigned: bool,
    state_hash: bool,
}

fn plans() -> impl Strategy<Value = Plan> {
    let common_path = "(/|/\\.|/\\.\\.|/[A-Za-z0-9._~!$&'()*,;=:@+-]{1,8}|/%[2-6][0-9a-fA-F][a-z]{0,3}){1,6}";
    // The SDK takes S3 paths as they are, so they must be in canonical encoding to begin with.
    let s3_path = "(/|/[A-Za-z0-9._~-]{1,8}|/%20[a-z]{0,3}){1,6}";
    let path = prop_oneof![
        3 => common_path.prop_map(|path| ("lambda", path)),
        1 => s3_path.prop_map(|path| ("s3", path)),
    ];
    let query = proptest::option::of(
        "[a-dA-D-]{1,3}(=[a-z0-9+~/:]{0,5}|=%[2-7][0-9a-fA-F])?(&[a-dA-D-]{1,3}=[^ &#%\\x00-\\x1f\"<>\\x7f-\\u{10ffff}]{0,6}){0,4}",
    );
    let headers = proptest::collection::vec(
        ("(x-amz-[a-z]{1,6}|content-type|my-[a-d]{1,2})", "[!-~]{1,4}( {1,3}[!-~]{1,6}){0,2}"),
        0..5,
    );
    let body = proptest::collection::vec(any::<u8>(), 0..64);
    let method = prop_oneof![Just("GET"), Just("POST"), Just("DELETE")];
    (path, query, headers, body, method, any::<(bool, bool, bool)>()).prop_map(
        |((service, path), query, headers, body, method, (session, presigned, state_hash))| Plan {
            service,
            method,
            target: match query {
                Some(query) => format!("{path}?{query}"),
                None => path,
            },
            headers,
            body,
            session,
            presigned,
            state_hash: state_hash || service == "s3",
        },
    )
}

impl Plan {
    fn access_key(&self) -> AccessKey {
        let mut key = AccessKey::new(if self.session { SESSION_KEY_ID } else { KEY_ID }, SECRET);
        key.session_token = self.session.then(|| SESSION_TOKEN.to_owned());
        key
    }

    fn unsigned(&self) -> http::Request<Vec<u8>> {
        let mut builder = http::Request::builder()
            .method(self.method)
            .uri(format!("http://lambda.local:9000{}", self.target))
            .header("host", "lambda.local:9000");
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        builder.body(self.body.clone()).unwrap()
    }

    fn settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        settings.payload_checksum_kind = match self.state_hash && !self.presigned {
            true => PayloadChecksumKind::XAmzSha256,
            false => PayloadChecksumKind::NoHeader,
        };
        if self.presigned {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(600));
        }
        settings
    }

    fn signed_by_the_sdk(&self) -> http::Request<Vec<u8>> {
        let key = self.access_key();
        let secret = key.secret_access_key.expose();
        let identity = Credentials::new(key.access_key_id, secret, key.session_token, None, "test").into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region("eu-west-1")
            .name(self.service)
            .time(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW as u64))
            .settings(self.settings())
            .build()
            .unwrap()
            .into();
        let mut request = self.unsigned();
        let body = match self.service == "s3" && self.presigned {
            true => SignableBody::UnsignedPayload,
            false => SignableBody::Bytes(&self.body),
        };
        let uri = request.uri().to_string();
        let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let signable = SignableRequest::new(self.method, uri, headers, body).unwrap();
        let (instructions, _) = sign(signable, &parameters).unwrap().into_parts();
        instructions.apply_to_request_http1x(&mut request);
        request
    }
}

/// Verifies in the two steps that a server takes.
fn verify(request: &http::Request<Vec<u8>>, service: &str) -> Result<(), Rejection> {
    let view = RequestView {
        method: request.method().as_str(),
        path: request.uri().path(),
        query: request.uri().query(),
        authority: None,
        headers: request.headers(),
    };
    let verifier = verifier();
    let head = verifier.verify_head(&view, &Accept { services: &[service], region: None }, NOW + 1)?;
    verifier.verify_body(head, &BodyHash::of(request.body())).map(drop)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_the_sdk_signs_verifies(plan in plans()) {
        let request = plan.signed_by_the_sdk();
        let outcome = verify(&request, plan.service);
        prop_assert!(outcome.is_ok(), "{outcome:?} for {request:?}");
    }

    #[test]
    fn what_the_sdk_signs_and_someone_changes_does_not(plan in plans(), which in 0..5usize) {
        let mut request = plan.signed_by_the_sdk();
        let unsigned_body = plan.service == "s3" && plan.presigned;
        match which {
            0 => *request.method_mut() = http::Method::PUT,
            1 => {
                // At the end, where no `..` of the path can undo it.
                let query = request.uri().query().unwrap_or_default();
                let uri = format!("http://lambda.local:9000{}/zz?{query}", request.uri().path());
                *request.uri_mut() = uri.parse().unwrap();
            }
            2 => {
                let join = if request.uri().query().is_some() { '&' } else { '?' };
                *request.uri_mut() = format!("{}{join}added=1", request.uri()).parse().unwrap();
            }
            3 => { request.headers_mut().insert("host", "elsewhere.local".parse().unwrap()); }
            _ if unsigned_body => return Ok(()),
            _ => request.body_mut().push(b'!'),
        }
        prop_assert_eq!(verify(&request, plan.service), Err(Rejection::SignatureMismatch));
    }

    #[test]
    fn what_is_signed_here_is_what_the_sdk_signs(plan in plans()) {
        let mut plan = plan;
        // Headers of other kinds are left unsigned here, which the SDK does not do.
        plan.headers.retain(|(name, _)| !name.starts_with("my-"));
        (plan.presigned, plan.state_hash) = (false, true);
        let expected = plan.signed_by_the_sdk();
        let key = plan.access_key();
        let signer = Signer { access_key: &key, region: "eu-west-1", service: plan.service, now: NOW };
        let (mut parts, body) = plan.unsigned().into_parts();
        sign_request(&signer, &mut parts, Payload::Hash(BodyHash::of(&body))).unwrap();
        for header in ["authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"] {
            prop_assert_eq!(parts.headers.get(header), expected.headers().get(header), "{}", header);
        }
    }

    #[test]
    fn urls_presigned_here_verify(plan in plans(), expires in 1u32..604_800) {
        let key = plan.access_key();
        let signer = Signer { access_key: &key, region: "eu-west-1", service: plan.service, now: NOW };
        let (path, query) = plan.target.split_once('?').unwrap_or((&plan.target, ""));
        let payload = match plan.service {
            "s3" => Payload::Unsigned,
            _ => Payload::Hash(BodyHash::EMPTY),
        };
        let query = Some(query).filter(|query| !query.is_empty());
        let target = signer.presign(plan.method, "h.local", path, query, expires, payload).unwrap();
        let request = http::Request::builder()
            .method(plan.method)
            .uri(format!("http://h.local{target}"))
            .header("host", "h.local")
            .body(Vec::new())
            .unwrap();
        prop_assert_eq!(verify(&request, plan.service), Ok(()));
    }
}
