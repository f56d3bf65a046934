//! What an extension asks for when it subscribes: decoded, checked as a whole, and refused with everything that is
//! wrong with it.
//!
//! Documentation followed: "Lambda Telemetry API reference" in the AWS Lambda developer guide; the texts are those of
//! AWS' own emulator where it has them.

use std::time::Duration;

use serde::Deserialize;

/// The two APIs. The second is frozen: it is the same thing as it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    /// `PUT /2022-07-01/telemetry`.
    Telemetry,
    /// `PUT /2020-08-15/logs`.
    Logs,
}

impl Api {
    /// AWS' name, as refusals print it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Telemetry => "Telemetry",
            Self::Logs => "Logs",
        }
    }
}

/// The version of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schema {
    /// `2020-08-15`.
    Logs2020,
    /// `2021-03-18`, which knows `platform.runtimeDone`.
    Logs2021,
    /// `2022-07-01`.
    Telemetry2022July,
    /// `2022-12-13`, in which lines can be objects.
    Telemetry2022December,
    /// `2025-01-29`.
    Telemetry2025,
}

impl Schema {
    fn parse(api: Api, version: Option<&str>) -> Option<Self> {
        match (api, version) {
            (Api::Logs, None | Some("2020-08-15")) => Some(Self::Logs2020),
            (Api::Logs, Some("2021-03-18")) => Some(Self::Logs2021),
            (Api::Telemetry, Some("2022-07-01")) => Some(Self::Telemetry2022July),
            (Api::Telemetry, Some("2022-12-13")) => Some(Self::Telemetry2022December),
            (Api::Telemetry, Some("2025-01-29")) => Some(Self::Telemetry2025),
            _ => None,
        }
    }

    pub(super) fn api(self) -> Api {
        match self {
            Self::Logs2020 | Self::Logs2021 => Api::Logs,
            Self::Telemetry2022July | Self::Telemetry2022December | Self::Telemetry2025 => Api::Telemetry,
        }
    }

    /// Whether a line that is a JSON object is given as one.
    pub(super) fn has_objects(self) -> bool {
        matches!(self, Self::Telemetry2022December | Self::Telemetry2025)
    }
}

/// What records are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Type {
    Platform,
    Function,
    Extension,
}

impl Type {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Function => "function",
            Self::Extension => "extension",
        }
    }

    /// As the log prints it.
    pub(crate) fn in_log(self) -> &'static str {
        match self {
            Self::Platform => "Platform",
            Self::Function => "Function",
            Self::Extension => "Extension",
        }
    }
}

/// How much makes a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Buffering {
    pub(super) items: usize,
    pub(super) bytes: usize,
    pub(super) time: Duration,
}

/// Where batches go: always a port of the sandbox's own loopback address, never a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A JSON array per request, to this path; the host is what the subscriber calls itself.
    Http { host: String, port: u16, path: String },
    /// One line per record, on one connection.
    Tcp { port: u16 },
}

impl Destination {
    pub(super) fn port(&self) -> u16 {
        match self {
            Self::Http { port, .. } | Self::Tcp { port } => *port,
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) schema: Schema,
    pub(crate) types: Vec<Type>,
    pub(super) buffering: Buffering,
    pub(super) destination: Destination,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    schema_version: Option<String>,
    #[serde(default)]
    types: Vec<Type>,
    #[serde(default)]
    buffering: Option<RequestedBuffering>,
    destination: Option<RequestedDestination>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestedBuffering {
    max_items: Option<i64>,
    max_bytes: Option<i64>,
    timeout_ms: Option<i64>,
}

#[derive(Deserialize)]
struct RequestedDestination {
    protocol: Option<String>,
    #[serde(rename = "URI")]
    uri: Option<String>,
    port: Option<i64>,
}

impl Subscription {
    /// Reads the body of a request; `taken` are ports at which the platform itself listens. The error is what AWS
    /// prints, everything that is wrong at once.
    pub(crate) fn parse(api: Api, body: &[u8], taken: &[u16]) -> Result<Self, String> {
        let request: Request =
            serde_json::from_slice(body).map_err(|error| format!("failed to parse JSON: {error}"))?;
        let mut wrong = Vec::new();
        let schema = Schema::parse(api, request.schema_version.as_deref());
        if schema.is_none() {
            wrong.push(match &request.schema_version {
                Some(version) => format!("schemaVersion {version} is not supported"),
                None => "schemaVersion is not provided".to_owned(),
            });
        }
        let buffering = buffering(&request.buffering.unwrap_or_default(), &mut wrong);
        let destination = match destination(request.destination, taken) {
            Ok(destination) => Some(destination),
            Err(why) => {
                wrong.push(why);
                None
            }
        };
        if request.types.is_empty() {
            wrong.push("types should not be empty".to_owned());
        }
        let mut types = Vec::new();
        for one in request.types {
            if !types.contains(&one) {
                types.push(one);
            }
        }
        match (schema, destination) {
            (Some(schema), Some(destination)) if wrong.is_empty() => {
                Ok(Self { schema, types, buffering, destination })
            }
            _ => Err(wrong.join("; ")),
        }
    }

    pub(super) fn wants(&self, kind: Type) -> bool {
        self.types.contains(&kind)
    }
}

fn buffering(request: &RequestedBuffering, wrong: &mut Vec<String>) -> Buffering {
    let mut within = |name: &str, value: Option<i64>, least: u32, most: u32, default: u32| match value {
        None => default,
        Some(value) => match u32::try_from(value).ok().filter(|value| (least..=most).contains(value)) {
            Some(value) => value,
            None => {
                wrong.push(format!("{name} should be between {least} and {most}"));
                default
            }
        },
    };
    let items = within("maxItems", request.max_items, 1_000, 10_000, 10_000);
    let bytes = within("maxBytes", request.max_bytes, 262_144, 1_048_576, 262_144);
    let time = within("timeoutMs", request.timeout_ms, 25, 30_000, 1_000);
    Buffering { items: items as usize, bytes: bytes as usize, time: Duration::from_millis(time.into()) }
}

fn destination(request: Option<RequestedDestination>, taken: &[u16]) -> Result<Destination, String> {
    let Some(request) = request else {
        return Err("destination is not provided".to_owned());
    };
    let destination = match request.protocol.as_deref() {
        Some("HTTP") => http(&request.uri.ok_or("URI is not provided")?)?,
        Some("TCP") => {
            let port = request.port.ok_or("port is not provided")?;
            let port = u16::try_from(port).ok().filter(|port| *port > 0);
            Destination::Tcp { port: port.ok_or("port should be between 1 and 65535")? }
        }
        Some(other) => return Err(format!("unknown protocol: {other}. Only TCP and HTTP are supported")),
        None => return Err("protocol is not provided".to_owned()),
    };
    let port = destination.port();
    if taken.contains(&port) {
        return Err(format!("port {port} is reserved"));
    }
    Ok(destination)
}

/// The longest URI that is taken.
const LONGEST_URI: usize = 2048;

/// Takes a URI apart by the few rules that it may follow, instead of as a general one: what is not understood is
/// refused, so that nobody can disagree about the host.
fn http(uri: &str) -> Result<Destination, String> {
    // What goes into a request's head: no blanks, no line breaks, nothing beyond ASCII.
    if uri.len() > LONGEST_URI || !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("Invalid destination: could not parse destination.URI".to_owned());
    }
    let rest =
        uri.strip_prefix("http://").ok_or("Invalid destination: destination.URI scheme must be http")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port).filter(|port| !port.is_empty())),
        None => (authority, None),
    };
    if !matches!(host, "sandbox.localdomain" | "sandbox" | "127.0.0.1") {
        return Err("Invalid destination: destination.URI host must be sandbox.localdomain".to_owned());
    }
    let port = port.ok_or("URI port is not provided")?;
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| *port > 0 && digits);
    let port = port.ok_or("Invalid destination: destination.URI port must be between 1 and 65535")?;
    let path = path.split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(Destination::Http { host: host.to_owned(), port, path })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn request(changes: Value) -> Value {
        let mut request = json!({
            "schemaVersion": "2022-12-13", "types": ["platform", "function"],
            "destination": { "protocol": "HTTP", "URI": "http://sandbox.localdomain:8080" },
        });
        for (name, value) in changes.as_object().unwrap() {
            request[name] = value.clone();
        }
        request
    }

    fn parse(changes: Value) -> Result<Subscription, String> {
        Subscription::parse(Api::Telemetry, request(changes).to_string().as_bytes(), &[9001])
    }

    fn with_uri(uri: &str) -> Result<Destination, String> {
        parse(json!({ "destination": { "protocol": "HTTP", "URI": uri } })).map(|parsed| parsed.destination)
    }

    #[test]
    fn defaults_and_everything_given() {
        let default = parse(json!({})).unwrap();
        assert_eq!(
            default.buffering,
            Buffering { items: 10_000, bytes: 262_144, time: Duration::from_secs(1) }
        );
        assert_eq!(
            default.destination,
            Destination::Http { host: "sandbox.localdomain".into(), port: 8080, path: "/".into() }
        );
        assert!(
            default.wants(Type::Platform) && default.wants(Type::Function) && !default.wants(Type::Extension)
        );
        let given = parse(json!({
            "schemaVersion": "2025-01-29", "types": ["extension", "extension"],
            "buffering": { "maxItems": 1000, "maxBytes": 1_048_576, "timeoutMs": 25 },
            "destination": { "protocol": "TCP", "port": 9000 },
        }))
        .unwrap();
        assert_eq!(
            given.buffering,
            Buffering { items: 1_000, bytes: 1_048_576, time: Duration::from_millis(25) }
        );
        assert_eq!((given.schema, given.types.len()), (Schema::Telemetry2025, 1));
        assert_eq!(given.destination, Destination::Tcp { port: 9000 });
    }

    #[test]
    fn versions_belong_to_their_api() {
        let logs = |version: &str| {
            let body = request(json!({ "schemaVersion": version })).to_string();
            Subscription::parse(Api::Logs, body.as_bytes(), &[])
        };
        assert_eq!(logs("2020-08-15").unwrap().schema, Schema::Logs2020);
        assert_eq!(logs("2021-03-18").unwrap().schema, Schema::Logs2021);
        assert!(logs("2022-07-01").is_err());
        assert!(parse(json!({ "schemaVersion": "2020-08-15" })).is_err());
        assert_eq!(parse(json!({ "schemaVersion": null })).unwrap_err(), "schemaVersion is not provided");
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let wrong = parse(json!({
            "types": [], "destination": { "protocol": "HTTP", "URI": "http://sandbox:/" },
        }));
        assert_eq!(wrong.unwrap_err(), "URI port is not provided; types should not be empty");
        let wrong = parse(json!({
            "schemaVersion": "x", "buffering": { "maxItems": 999, "maxBytes": -1, "timeoutMs": 30_001 },
            "destination": { "protocol": "UDP" },
        }));
        assert_eq!(
            wrong.unwrap_err(),
            "schemaVersion x is not supported; maxItems should be between 1000 and 10000; maxBytes should be between \
             262144 and 1048576; timeoutMs should be between 25 and 30000; unknown protocol: UDP. Only TCP and HTTP are \
             supported"
        );
        assert!(parse(json!({ "types": ["all"] })).unwrap_err().starts_with("failed to parse JSON: "));
        assert!(Subscription::parse(Api::Telemetry, b"", &[]).is_err());
    }

    #[test]
    fn only_the_sandbox_itself_is_a_destination() {
        for (uri, host, port, path) in [
            ("http://sandbox:1/a?b#c", "sandbox", 1, "/a?b"),
            ("http://127.0.0.1:65535", "127.0.0.1", 65_535, "/"),
            ("http://sandbox.localdomain:80?x=y", "sandbox.localdomain", 80, "/?x=y"),
        ] {
            assert_eq!(with_uri(uri), Ok(Destination::Http { host: host.into(), port, path: path.into() }));
        }
        for uri in [
            "",
            "http://",
            "http://:80",
            "https://sandbox:80",
            "HTTP://sandbox:80",
            "file:///etc/passwd",
            "http://169.254.169.254:80/latest/meta-data",
            "http://example.com:80",
            "http://localhost:80",
            "http://127.1:80",
            "http://127.0.0.2:80",
            "http://0.0.0.0:80",
            "http://[::1]:80",
            "http://2130706433:80",
            "http://sandbox.localdomain.example.com:80",
            "http://sandbox.localdomain@example.com:80",
            "http://example.com:80@sandbox.localdomain:80",
            "http://example.com\\@sandbox:80",
            "http://sandbox:80:80",
            "http://sandbox.localdomain:80@example.com/",
            "http://Sandbox:80",
            "http://sandbox",
            "http://sandbox:0",
            "http://sandbox:70000",
            "http://sandbox:-1",
            "http://sandbox:+1",
            "http://sandbox:80a",
            "http://sandbox:80/a b",
            "http://sandbox:80/\r\nHost: x",
            "http://sandbox:80/ä",
            "http://sandbox:9001/",
        ] {
            assert!(with_uri(uri).is_err(), "{uri}");
        }
        for port in [json!(0), json!(-1), json!(65_536), json!(9001), json!(null)] {
            assert!(parse(json!({ "destination": { "protocol": "TCP", "port": port } })).is_err());
        }
        assert!(with_uri(&format!("http://sandbox:80/{}", "x".repeat(3_000))).is_err());
    }

    proptest! {
        #[test]
        fn any_body(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Subscription::parse(Api::Telemetry, &body, &[]);
        }

        #[test]
        fn any_uri(uri in "(http://)?(sandbox|127\\.0\\.0\\.1|[a-z@:.\\[\\]]{0,12})(:[0-9]{0,6})?[ -~\r\nä]{0,20}") {
            if let Ok(Destination::Http { host, path, .. }) = with_uri(&uri) {
                prop_assert!(["sandbox", "sandbox.localdomain", "127.0.0.1"].contains(&host.as_str()));
                prop_assert!(path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
