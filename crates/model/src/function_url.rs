//! Function URLs: HTTP endpoints of a function or of one of its aliases.
//!
//! See "Creating and managing Lambda function URLs" in the AWS Lambda developer guide.

use serde::{Deserialize, Serialize};

use crate::arn::FunctionId;
use crate::clock::Timestamp;

/// The URL of a function or alias, with its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionUrl {
    /// 32 lower-case letters and digits, given out once and for all.
    pub id: String,
    /// Who may call.
    pub auth_type: UrlAuthType,
    /// How answers are sent, if it was said.
    pub invoke_mode: Option<InvokeMode>,
    /// What browsers are told.
    pub cors: Option<Cors>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub last_modified: Timestamp,
}

impl FunctionUrl {
    /// How answers are sent.
    #[must_use]
    pub fn invoke_mode(&self) -> InvokeMode {
        self.invoke_mode.unwrap_or(InvokeMode::Buffered)
    }
}

/// Who may call a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UrlAuthType {
    /// Whoever the function's policy lets, without a signature.
    #[serde(rename = "NONE")]
    None,
    /// Principals that sign and have permission.
    #[serde(rename = "AWS_IAM")]
    AwsIam,
}

impl UrlAuthType {
    /// AWS' name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::AwsIam => "AWS_IAM",
        }
    }
}

/// How answers are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum InvokeMode {
    /// When they are complete.
    #[serde(rename = "BUFFERED")]
    Buffered,
    /// While the function writes them.
    #[serde(rename = "RESPONSE_STREAM")]
    ResponseStream,
}

impl InvokeMode {
    /// AWS' name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buffered => "BUFFERED",
            Self::ResponseStream => "RESPONSE_STREAM",
        }
    }
}

/// Cross-origin resource sharing. What was not given is not shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cors {
    /// Whether requests may carry cookies and the like.
    pub allow_credentials: Option<bool>,
    /// Headers that requests may have, at most 100.
    pub allow_headers: Option<Vec<String>>,
    /// Methods that requests may have, at most 6.
    pub allow_methods: Option<Vec<String>>,
    /// Origins that may ask, at most 100.
    pub allow_origins: Option<Vec<String>>,
    /// Headers of answers that scripts may see, at most 100.
    pub expose_headers: Option<Vec<String>>,
    /// Seconds that a browser may remember all this, 0 to 86,400.
    pub max_age: Option<u32>,
}

/// What the id of a URL leads to. True only while the function's head says the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UrlTarget {
    /// The function.
    pub function: FunctionId,
    /// `$LATEST`, or the name of the alias.
    pub qualifier: String,
}

/// How many characters the id of a URL has.
const ID: usize = 32;

/// What stands between id and region.
const INFIX: &str = "lambda-url.";

/// The most characters between two dots of a domain's name.
const LABEL: usize = 63;

/// The most characters of a domain's name that leave room in the 253 of a host's for id and region.
const DOMAIN: usize = 180;

/// Where function URLs are served, as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlPlace {
    /// Below `localhost`, at the port by which the caller came or else this one. Names below `localhost` lead to the
    /// own machine without anybody having to set up anything.
    Localhost(u16),
    /// Below this domain, by HTTPS, which the server or something in front of it ends.
    Domain {
        /// In lower case.
        name: String,
        /// Unless it is that of HTTPS.
        port: Option<u16>,
    },
}

impl UrlPlace {
    /// Below a domain, if the text is the name of one.
    #[must_use]
    pub fn domain(text: &str) -> Option<Self> {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_label = |label: &str| {
            (1..=LABEL).contains(&label.len())
                && label.bytes().all(is_letter)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let is_domain = text.len() <= DOMAIN && text.split('.').all(is_label);
        is_domain.then(|| Self::Domain { name: text.to_ascii_lowercase(), port: None })
    }

    /// The URL with this id. `host` is the `Host` header of whoever asks for it.
    #[must_use]
    pub fn url(&self, id: &str, region: &str, host: Option<&str>) -> String {
        match self {
            Self::Domain { name, port } => {
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                format!("https://{id}.lambda-url.{region}.{name}{port}/")
            }
            Self::Localhost(listening) => {
                let port = match host.map(port_of) {
                    Some(Ok(None)) => String::new(),
                    Some(Ok(Some(port))) => format!(":{port}"),
                    Some(Err(NotAHost)) | None => format!(":{listening}"),
                };
                format!("http://{id}.lambda-url.{region}.localhost{port}/")
            }
        }
    }

    /// Takes the host of a request apart if it is that of a function URL: below `localhost`, or below the operator's
    /// domain. Asked for every request: other hosts cost a look at their first dot.
    #[must_use]
    pub fn locate<'h>(&self, host: &'h str) -> Option<UrlHost<'h>> {
        let (id, rest) = host.split_once('.')?;
        let rest =
            rest.get(..INFIX.len()).filter(|infix| infix.eq_ignore_ascii_case(INFIX)).and(Some(rest))?;
        let (region, below) = rest[INFIX.len()..].split_once('.')?;
        let port = port_of(host).ok()?;
        let below = below.split_once(':').map_or(below, |(domain, _)| domain);
        let is_domain = matches!(self, Self::Domain { name, .. } if name.eq_ignore_ascii_case(below));
        let name = host.split_once(':').map_or(host, |(name, _)| name);
        let is_own = is_domain || below.eq_ignore_ascii_case("localhost");
        is_own.then_some(UrlHost { name, id, region, port, is_https: is_domain })
    }
}

/// The host of a function URL, as a request names it. Whether there is such a URL is another matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UrlHost<'h> {
    /// The whole name without the port: what events call the domain's name.
    pub name: &'h str,
    /// What stands before `.lambda-url.`.
    pub id: &'h str,
    /// What stands behind it.
    pub region: &'h str,
    /// The port, if it is not the protocol's own.
    pub port: Option<u16>,
    /// Whether clients come by HTTPS: below the operator's domain they do.
    pub is_https: bool,
}

impl UrlHost<'_> {
    /// The id as URLs are kept by it, if it has the form of one. Case does not matter in the names of hosts.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        let is_id = self.id.len() == ID && self.id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_id.then(|| self.id.to_ascii_lowercase())
    }
}

struct NotAHost;

/// The port in a `Host` header; there is none if the caller came by the protocol's own port.
fn port_of(host: &str) -> Result<Option<u16>, NotAHost> {
    let port = match host.strip_prefix('[') {
        Some(bracketed) => match bracketed.split_once(']').ok_or(NotAHost)?.1 {
            "" => return Ok(None),
            rest => rest.strip_prefix(':').ok_or(NotAHost)?,
        },
        None => match host.split_once(':') {
            None => return Ok(None),
            Some((_, port)) => port,
        },
    };
    match port.bytes().all(|byte| byte.is_ascii_digit()) {
        true => port.parse().map(Some).map_err(|_| NotAHost),
        false => Err(NotAHost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_back_the_way_the_caller_came() {
        let place = UrlPlace::Localhost(9000);
        for (host, authority) in [
            (None, "localhost:9000"),
            (Some("127.0.0.1:1234"), "localhost:1234"),
            (Some("localhost:80"), "localhost:80"),
            (Some("lambda.internal"), "localhost"),
            (Some("[::1]:1234"), "localhost:1234"),
            (Some("[::1]"), "localhost"),
            (Some("[::1"), "localhost:9000"),
            (Some("[::1]x"), "localhost:9000"),
            (Some("host:"), "localhost:9000"),
            (Some("host:65536"), "localhost:9000"),
            (Some("host:+1"), "localhost:9000"),
            (Some("host:1/evil"), "localhost:9000"),
            (Some("::1"), "localhost:9000"),
        ] {
            let url = place.url("abc", "eu-west-1", host);
            assert_eq!(url, format!("http://abc.lambda-url.eu-west-1.{authority}/"), "{host:?}");
        }
    }

    #[test]
    fn hosts_of_urls_are_told_from_others() {
        let domain = UrlPlace::Domain { name: "example.com".into(), port: Some(1) };
        let locate = |host| domain.locate(host).map(|host| (host.id, host.region, host.port, host.is_https));
        for (host, located) in [
            ("abc.lambda-url.eu-west-1.localhost", ("abc", "eu-west-1", None, false)),
            ("abc.lambda-url.eu-west-1.localhost:9000", ("abc", "eu-west-1", Some(9000), false)),
            ("ABC.Lambda-URL.eu-west-1.LocalHost", ("ABC", "eu-west-1", None, false)),
            ("abc.lambda-url.eu-west-1.example.com", ("abc", "eu-west-1", None, true)),
            ("abc.lambda-url.eu-west-1.Example.com:8443", ("abc", "eu-west-1", Some(8443), true)),
        ] {
            assert_eq!(locate(host), Some(located), "{host}");
            let name = host.split(':').next().unwrap();
            assert_eq!(domain.locate(host).unwrap().name, name, "{host}");
        }
        for host in [
            "",
            "localhost:9000",
            "127.0.0.1:9000",
            "[::1]:9000",
            "lambda-url.eu-west-1.localhost",
            "abc.lambda-url.localhost",
            "abc.lambda-url.",
            "abc.lambda-urL",
            "abc.lambda-ürl.eu-west-1.localhost",
            "abc.lambda-url.eu-west-1.localhost:x",
            "abc.lambda-url.eu-west-1.localhost:1:2",
            "abc.lambda-url.eu-west-1.localhost.evil.com",
            "abc.lambda-url.eu-west-1.on.aws",
            "a.b.lambda-url.eu-west-1.localhost",
        ] {
            assert_eq!(locate(host), None, "{host}");
        }
        let local = UrlPlace::Localhost(9000);
        assert!(local.locate("abc.lambda-url.eu-west-1.localhost").is_some());
        assert_eq!(local.locate("abc.lambda-url.eu-west-1.example.com"), None);
    }

    #[test]
    fn ids_have_32_letters_and_digits() {
        let id = |id: &str| {
            let host = format!("{id}.lambda-url.eu-west-1.localhost");
            UrlPlace::Localhost(1).locate(&host).and_then(|host| host.id())
        };
        assert_eq!(id(&"Ab3".repeat(11)[..32]), Some("ab3".repeat(11)[..32].to_owned()));
        assert_eq!(id(&"a".repeat(31)), None);
        assert_eq!(id(&"a".repeat(33)), None);
        assert_eq!(id(&"-".repeat(32)), None);
    }

    #[test]
    fn a_domain_of_ones_own_is_served_by_https() {
        for (port, authority) in [(None, "example.com"), (Some(8443), "example.com:8443")] {
            let place = UrlPlace::Domain { name: "example.com".into(), port };
            for host in [None, Some("127.0.0.1:1234")] {
                let url = place.url("abc", "eu-west-1", host);
                assert_eq!(url, format!("https://abc.lambda-url.eu-west-1.{authority}/"));
            }
        }
    }

    #[test]
    fn domains_are_names() {
        for (text, domain) in
            [("example.com", "example.com"), ("On.AWS", "on.aws"), ("lan", "lan"), ("a-1.x", "a-1.x")]
        {
            assert_eq!(UrlPlace::domain(text), Some(UrlPlace::Domain { name: domain.into(), port: None }));
        }
        let long = ["x".repeat(63), "x".repeat(63), "x".repeat(52)].join(".");
        assert_eq!(long.len(), 180);
        assert!(UrlPlace::domain(&long).is_some());
        for text in [
            "",
            ".",
            "a..b",
            "example.com.",
            "-a.com",
            "a-.com",
            "https://a.com",
            "a.com:443",
            "a.com/",
            "ä.com",
        ] {
            assert_eq!(UrlPlace::domain(text), None, "{text}");
        }
        assert_eq!(UrlPlace::domain(&format!("{long}x")), None);
        assert_eq!(UrlPlace::domain(&"x".repeat(64)), None);
    }

    #[test]
    fn answers_are_buffered_unless_said_otherwise() {
        let now = Timestamp::from_millis(0);
        let url = FunctionUrl {
            id: "abc".into(),
            auth_type: UrlAuthType::None,
            invoke_mode: None,
            cors: None,
            created: now,
            last_modified: now,
        };
        assert_eq!(url.invoke_mode(), InvokeMode::Buffered);
    }
}
