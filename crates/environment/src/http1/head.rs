//! The head of a request: what the Runtime API needs of it, and nothing kept of the rest.

use rushlight_model::request_id::RequestId;
use uuid::Uuid;

use crate::telemetry::subscription::Api;

/// More headers than this are refused.
const MOST_HEADERS: usize = 64;
/// Longest value kept of a header.
const LONGEST_VALUE: usize = 1024;

/// The bytes are no HTTP/1.1 request that this server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// How the body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// That many bytes.
    Sized(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// The endpoint that a request names, with its method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `GET /2018-06-01/runtime/invocation/next`.
    Next,
    /// `POST /2018-06-01/runtime/invocation/{id}/response`; none if the id is no UUID.
    Response(Option<RequestId>),
    /// `POST /2018-06-01/runtime/invocation/{id}/error`.
    Error(Option<RequestId>),
    /// `POST /2018-06-01/runtime/init/error`.
    InitError,
    /// `GET /2018-06-01/runtime/restore/next`.
    RestoreNext,
    /// `POST /2018-06-01/runtime/restore/error`.
    RestoreError,
    /// `GET /2021-04-23/credentials`.
    Credentials,
    /// `GET /2018-06-01/ping`.
    Ping,
    /// `POST /2020-01-01/extension/register`.
    Register,
    /// `GET /2020-01-01/extension/event/next`.
    ExtensionNext,
    /// `POST /2020-01-01/extension/init/error`.
    ExtensionInitError,
    /// `POST /2020-01-01/extension/exit/error`.
    ExtensionExitError,
    /// `PUT /2022-07-01/telemetry`, `PUT /2020-08-15/logs`.
    Subscribe(Api),
    /// `GET /2026-01-15/metadata/execution-environment`.
    Metadata,
    /// The path exists, but not with this method.
    WrongMethod,
    /// No such path.
    Unknown,
}

/// A request's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) endpoint: Endpoint,
    pub(crate) length: Length,
    /// The client wants to be told before it sends the body.
    pub(crate) expects_continue: bool,
    /// The connection ends with the answer.
    pub(crate) closes: bool,
    /// `Authorization`, of a request for metadata or credentials.
    pub(crate) authorization: Option<String>,
    /// `Content-Type`, of an answer.
    pub(crate) content_type: Option<String>,
    /// `Lambda-Runtime-Function-Error-Type`.
    pub(crate) error_type: Option<String>,
    /// `Lambda-Runtime-Function-Response-Mode`.
    pub(crate) response_mode: Option<ResponseMode>,
    /// `Lambda-Runtime-Invocation-Id`; the inner value is absent if it is no UUID.
    pub(crate) invocation_id: Option<Option<Uuid>>,
    /// Only extensions send these.
    pub(crate) extension: ExtensionHeaders,
}

/// What an extension says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ExtensionHeaders {
    /// `Lambda-Extension-Name`.
    pub(crate) name: Option<String>,
    /// `Lambda-Extension-Identifier`; the inner value is absent if it is no UUID.
    pub(crate) id: Option<Option<Uuid>>,
    /// `Lambda-Extension-Accept-Feature` names `accountId`.
    pub(crate) wants_account: bool,
    /// `Lambda-Extension-Function-Error-Type`.
    pub(crate) error_type: Option<String>,
}

/// How a response is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseMode {
    /// `streaming`.
    Streaming,
    /// Anything else.
    Unknown,
}

impl Head {
    /// Parses `bytes`, which end with an empty line; also tells how many of them the head takes.
    pub(crate) fn parse(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let Ok(httparse::Status::Complete(length)) = request.parse(bytes) else {
            return Err(Malformed);
        };
        let (Some(method), Some(path), Some(version)) = (request.method, request.path, request.version)
        else {
            return Err(Malformed);
        };
        let mut head = Self {
            endpoint: endpoint(method, path),
            length: Length::Sized(0),
            expects_continue: false,
            closes: version == 0,
            authorization: None,
            content_type: None,
            error_type: None,
            response_mode: None,
            invocation_id: None,
            extension: ExtensionHeaders::default(),
        };
        let mut sized = None;
        for header in request.headers.iter() {
            head.take(header.name, header.value, &mut sized)?;
        }
        match (sized, head.length) {
            // Two statements about the length are how requests are smuggled.
            (Some(_), Length::Chunked) => Err(Malformed),
            (Some(size), Length::Sized(_)) => Ok((Self { length: Length::Sized(size), ..head }, length)),
            (None, _) => Ok((head, length)),
        }
    }

    fn take(&mut self, name: &str, value: &[u8], sized: &mut Option<u64>) -> Result<(), Malformed> {
        // Most headers are told from the rest by their length alone.
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("content-length") {
            let size = content_length(value)?;
            if sized.is_some_and(|other| other != size) {
                return Err(Malformed);
            }
            *sized = Some(size);
        } else if is("transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") || self.length == Length::Chunked {
                return Err(Malformed);
            }
            self.length = Length::Chunked;
        } else if is("connection") {
            self.closes |= value.eq_ignore_ascii_case(b"close");
        } else if is("expect") {
            self.expects_continue = value.eq_ignore_ascii_case(b"100-continue");
        } else if is("content-type") && matches!(self.endpoint, Endpoint::Response(_)) {
            self.content_type = Some(text(value));
        } else if is("authorization") && matches!(self.endpoint, Endpoint::Metadata | Endpoint::Credentials) {
            self.authorization = Some(text(value));
        } else if is("lambda-runtime-function-error-type") {
            self.error_type = Some(text(value));
        } else if is("lambda-runtime-function-response-mode") {
            self.response_mode = Some(if value.eq_ignore_ascii_case(b"streaming") {
                ResponseMode::Streaming
            } else {
                ResponseMode::Unknown
            });
        } else if is("lambda-runtime-invocation-id") && !value.is_empty() {
            self.invocation_id = Some(Uuid::try_parse_ascii(value).ok());
        } else if name.len() > EXTENSION.len()
            && name.as_bytes()[..EXTENSION.len()].eq_ignore_ascii_case(EXTENSION)
        {
            self.extension.take(&name[EXTENSION.len()..], value);
        }
        Ok(())
    }
}

/// What the names of extensions' headers begin with.
const EXTENSION: &[u8] = b"lambda-extension-";

impl ExtensionHeaders {
    fn take(&mut self, name: &str, value: &[u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("name") {
            self.name = Some(text(value)).filter(|name| !name.is_empty());
        } else if is("identifier") && !value.is_empty() {
            self.id = Some(Uuid::try_parse_ascii(value).ok());
        } else if is("accept-feature") {
            self.wants_account =
                value.split(|byte| *byte == b',').any(|one| one.trim_ascii() == b"accountId");
        } else if is("function-error-type") {
            self.error_type = Some(text(value)).filter(|kind| !kind.is_empty());
        }
    }
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(&value[..value.len().min(LONGEST_VALUE)]).into_owned()
}

fn content_length(value: &[u8]) -> Result<u64, Malformed> {
    let text = std::str::from_utf8(value).map_err(|_| Malformed)?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Malformed);
    }
    text.parse().map_err(|_| Malformed)
}

fn endpoint(method: &str, target: &str) -> Endpoint {
    let path = target.split('?').next().unwrap_or_default();
    if let Some(path) = path.strip_prefix("/2020-01-01/extension/") {
        let (wanted, endpoint) = match path {
            "register" => ("POST", Endpoint::Register),
            "event/next" => ("GET", Endpoint::ExtensionNext),
            "init/error" => ("POST", Endpoint::ExtensionInitError),
            "exit/error" => ("POST", Endpoint::ExtensionExitError),
            _ => return Endpoint::Unknown,
        };
        return if method == wanted { endpoint } else { Endpoint::WrongMethod };
    }
    let subscribe = match path {
        "/2022-07-01/telemetry" | "/2022-07-01/telemetry/" => Some(Api::Telemetry),
        "/2020-08-15/logs" | "/2020-08-15/logs/" => Some(Api::Logs),
        _ => None,
    };
    if let Some(api) = subscribe {
        return if method == "PUT" { Endpoint::Subscribe(api) } else { Endpoint::WrongMethod };
    }
    if path == "/2026-01-15/metadata/execution-environment" {
        return if method == "GET" { Endpoint::Metadata } else { Endpoint::WrongMethod };
    }
    if path == "/2021-04-23/credentials" {
        return if method == "GET" { Endpoint::Credentials } else { Endpoint::WrongMethod };
    }
    let Some(path) = path.strip_prefix("/2018-06-01/") else {
        return Endpoint::Unknown;
    };
    let (wanted, endpoint) = match path {
        "runtime/invocation/next" => ("GET", Endpoint::Next),
        "runtime/init/error" => ("POST", Endpoint::InitError),
        "runtime/restore/next" => ("GET", Endpoint::RestoreNext),
        "runtime/restore/error" => ("POST", Endpoint::RestoreError),
        "ping" => ("GET", Endpoint::Ping),
        _ => {
            let Some((id, last)) =
                path.strip_prefix("runtime/invocation/").and_then(|rest| rest.split_once('/'))
            else {
                return Endpoint::Unknown;
            };
            match last {
                "response" => ("POST", Endpoint::Response(id.parse().ok())),
                "error" => ("POST", Endpoint::Error(id.parse().ok())),
                _ => return Endpoint::Unknown,
            }
        }
    };
    if method == wanted { endpoint } else { Endpoint::WrongMethod }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "8f507cfc-f7bc-4e5c-b2a1-0d7a1d1b1a11";

    fn parse(text: &str) -> Result<Head, Malformed> {
        Head::parse(text.as_bytes()).map(|(head, length)| {
            assert_eq!(length, text.len());
            head
        })
    }

    #[test]
    fn endpoints() {
        let endpoint = |line: &str| parse(&format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n")).unwrap().endpoint;
        let id = Some(ID.parse().unwrap());
        assert_eq!(endpoint("GET /2018-06-01/runtime/invocation/next"), Endpoint::Next);
        assert_eq!(endpoint("GET /2018-06-01/runtime/invocation/next?a=b"), Endpoint::Next);
        assert_eq!(endpoint("POST /2018-06-01/runtime/invocation/next"), Endpoint::WrongMethod);
        assert_eq!(
            endpoint(&format!("POST /2018-06-01/runtime/invocation/{ID}/response")),
            Endpoint::Response(id)
        );
        assert_eq!(endpoint(&format!("POST /2018-06-01/runtime/invocation/{ID}/error")), Endpoint::Error(id));
        assert_eq!(endpoint("POST /2018-06-01/runtime/invocation/x/error"), Endpoint::Error(None));
        assert_eq!(endpoint("POST /2018-06-01/runtime/init/error"), Endpoint::InitError);
        assert_eq!(endpoint("GET /2018-06-01/ping"), Endpoint::Ping);
        assert_eq!(endpoint("POST /2020-01-01/extension/register"), Endpoint::Register);
        assert_eq!(endpoint("GET /2020-01-01/extension/event/next"), Endpoint::ExtensionNext);
        assert_eq!(endpoint("POST /2020-01-01/extension/init/error"), Endpoint::ExtensionInitError);
        assert_eq!(endpoint("GET /2020-01-01/extension/exit/error"), Endpoint::WrongMethod);
        assert_eq!(endpoint("PUT /2022-07-01/telemetry"), Endpoint::Subscribe(Api::Telemetry));
        assert_eq!(endpoint("PUT /2020-08-15/logs/"), Endpoint::Subscribe(Api::Logs));
        assert_eq!(endpoint("POST /2022-07-01/telemetry"), Endpoint::WrongMethod);
        assert_eq!(endpoint("GET /2026-01-15/metadata/execution-environment"), Endpoint::Metadata);
        assert_eq!(endpoint("PUT /2026-01-15/metadata/execution-environment"), Endpoint::WrongMethod);
        assert_eq!(endpoint("GET /2018-06-01/runtime/restore/next"), Endpoint::RestoreNext);
        assert_eq!(endpoint("POST /2018-06-01/runtime/restore/error"), Endpoint::RestoreError);
        assert_eq!(endpoint("GET /2021-04-23/credentials"), Endpoint::Credentials);
        assert_eq!(endpoint("POST /2021-04-23/credentials"), Endpoint::WrongMethod);
        for unknown in [
            "GET /",
            "GET /2018-06-01",
            "GET /2018-06-01/runtime/restore/last",
            "POST /2018-06-01/runtime/invocation/x/y/error",
        ] {
            assert_eq!(endpoint(unknown), Endpoint::Unknown);
        }
    }

    #[test]
    fn headers() {
        let head = parse(&format!(
            "POST /2018-06-01/runtime/init/error HTTP/1.1\r\ncontent-LENGTH: 12\r\nExpect: 100-continue\r\n\
             Connection: close\r\nLambda-Runtime-Function-Error-Type: Runtime.X\r\n\
             Lambda-Runtime-Function-Response-Mode: streaming\r\nLambda-Runtime-Invocation-Id: {ID}\r\n\r\n"
        ))
        .unwrap();
        assert_eq!(head.length, Length::Sized(12));
        assert!(head.expects_continue && head.closes);
        assert_eq!(head.error_type.as_deref(), Some("Runtime.X"));
        assert_eq!(head.response_mode, Some(ResponseMode::Streaming));
        assert_eq!(head.invocation_id, Some(Some(ID.parse().unwrap())));
    }

    #[test]
    fn headers_of_extensions() {
        let head = parse(&format!(
            "POST /2020-01-01/extension/register HTTP/1.1\r\nLAMBDA-Extension-name: agent\r\n\
             Lambda-Extension-Identifier: {ID}\r\nLambda-Extension-Accept-Feature: other, accountId\r\n\
             Lambda-Extension-Function-Error-Type: Extension.X\r\nLambda-Extension-: x\r\nLambda-Extension: x\r\n\r\n"
        ));
        let extension = head.unwrap().extension;
        assert_eq!(extension.name.as_deref(), Some("agent"));
        assert_eq!(extension.id, Some(Some(ID.parse().unwrap())));
        assert!(extension.wants_account);
        assert_eq!(extension.error_type.as_deref(), Some("Extension.X"));
    }

    #[test]
    fn ambiguous_lengths_are_refused() {
        let refused = |headers: &str| {
            assert_eq!(parse(&format!("POST / HTTP/1.1\r\n{headers}\r\n\r\n")), Err(Malformed), "{headers}");
        };
        refused("Content-Length: 1\r\nContent-Length: 2");
        refused("Content-Length: 1\r\nTransfer-Encoding: chunked");
        refused("Transfer-Encoding: chunked\r\nContent-Length: 1");
        refused("Transfer-Encoding: gzip, chunked");
        refused("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked");
        refused("Content-Length: -1");
        refused("Content-Length: +1");
        refused("Content-Length: ");
        refused("Content-Length: 99999999999999999999999");
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Head::parse(&bytes);
        }

        #[test]
        fn any_header_value(value in "[ -~]{0,80}", name in "(content-length|transfer-encoding|expect|connection|lambda-runtime-invocation-id)") {
            let _ = Head::parse(format!("GET /2018-06-01/ping HTTP/1.1\r\n{name}: {value}\r\n\r\n").as_bytes());
        }
    }
}
