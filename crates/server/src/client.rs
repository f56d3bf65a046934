//! The client side of the command line: signed requests to a server.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use clap::Args;
use http::{Method, Request, Uri};
use http_body_util::Full;
use rushlight_auth::AccessKey;
use rushlight_auth::sigv4::{BodyHash, Payload, Signer, sign_request};
use rushlight_model::clock::Clock;

use crate::config::default_data_dir;
pub use crate::http_client::Answer;
use crate::http_client::{HttpClient, HttpError, Patience};
use crate::keys::{CREDENTIALS_FILE, environment_key, read_profile};
use crate::xml;

/// Functions may take a quarter of an hour to answer.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(10),
    answer: Duration::from_mins(20),
    piece: Duration::from_mins(1),
};

/// What every client command takes.
#[derive(Debug, Clone, Args)]
pub struct ClientFlags {
    /// The server.
    #[arg(long, env = "RUSHLIGHT_ENDPOINT_URL", value_name = "URL", default_value = "http://127.0.0.1:9000")]
    pub endpoint: String,

    /// Region of the functions.
    #[arg(long, env = "AWS_REGION", value_name = "NAME", default_value = "us-east-1")]
    pub region: String,

    /// The server's data directory, for its credentials file; not needed where AWS_ACCESS_KEY_ID is set.
    #[arg(long, env = "RUSHLIGHT_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Signs and sends requests.
#[derive(Debug)]
pub struct Client {
    endpoint: String,
    http: HttpClient,
    region: String,
    key: AccessKey,
}

impl Client {
    /// Finds the credentials and checks the endpoint.
    ///
    /// # Errors
    /// One sentence with the mend.
    pub fn new(flags: &ClientFlags) -> anyhow::Result<Self> {
        let endpoint: Uri =
            flags.endpoint.parse().with_context(|| format!("'{}' is not a URL", flags.endpoint))?;
        let http = HttpClient::new(&endpoint, PATIENCE).context("--endpoint")?;
        let key = match environment_key() {
            Some(key) => key,
            None => {
                let directory = flags.data_dir.clone().map_or_else(default_data_dir, Ok)?;
                let path = directory.join(CREDENTIALS_FILE);
                read_profile(&path)?.with_context(|| {
                    format!(
                        "there is no {}; say where the server keeps its data with --data-dir",
                        path.display()
                    )
                })?
            }
        };
        Ok(Self { endpoint: flags.endpoint.clone(), http, region: flags.region.clone(), key })
    }

    /// Sends one request and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// If the server cannot be reached or does not speak HTTP.
    pub async fn send(
        &self,
        service: &str,
        method: Method,
        path_and_query: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let mut request =
            Request::builder().method(method).uri(path_and_query).header("host", self.http.authority());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(())?.into_parts();
        let signer = Signer {
            access_key: &self.key,
            region: &self.region,
            service,
            now: Clock::real().now().as_seconds(),
        };
        sign_request(&signer, &mut parts, Payload::Hash(BodyHash::of(&body)))?;
        let answer = self.http.exchange(Request::from_parts(parts, Full::new(body)), u64::MAX).await;
        answer.map_err(|error| match error {
            HttpError::Connect(reason) => anyhow!(
                "no server answers at {} ({reason}); start one with 'rushlight serve' or name it with --endpoint",
                self.endpoint
            ),
            other => other.into(),
        })
    }

    /// Calls an operation of Lambda and reads the JSON answer.
    ///
    /// # Errors
    /// As [`Client::send`], and for every answer that is not a success: the error's code and message.
    pub async fn lambda(&self, method: Method, path_and_query: &str) -> anyhow::Result<serde_json::Value> {
        let answer = self.send("lambda", method, path_and_query, &[], Bytes::new()).await?;
        answer.json()
    }

    /// Calls an operation of the log service.
    ///
    /// # Errors
    /// As [`Client::lambda`].
    pub async fn logs(
        &self,
        operation: &str,
        input: &serde_json::Value,
    ) -> anyhow::Result<serde_json::Value> {
        let target = format!("Logs_20140328.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        let answer = self.send("logs", Method::POST, "/", &headers, Bytes::from(input.to_string())).await?;
        answer.json()
    }
}

/// The version of IAM's API.
const IAM_VERSION: &str = "2010-05-08";

impl Client {
    /// Calls an operation of IAM and reads the XML answer.
    ///
    /// # Errors
    /// As [`Client::lambda`].
    pub async fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> anyhow::Result<String> {
        let pairs = [("Action", action), ("Version", IAM_VERSION)];
        let pairs = pairs.iter().chain(parameters).map(|(name, value)| {
            format!(
                "{name}={}",
                percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC)
            )
        });
        let form = pairs.collect::<Vec<_>>().join("&");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = self.send("iam", Method::POST, "/", &headers, Bytes::from(form)).await?;
        let xml = String::from_utf8_lossy(&answer.body).into_owned();
        if answer.status.is_success() {
            return Ok(xml);
        }
        let code = xml::text(&xml, "Code").unwrap_or_else(|| answer.status.to_string());
        bail!("{code}: {}", xml::text(&xml, "Message").unwrap_or_else(|| "no message".to_owned()))
    }
}

impl Answer {
    /// The body as JSON if the request succeeded.
    ///
    /// # Errors
    /// The error's code and message otherwise.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        let value: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        if self.status.is_success() {
            return Ok(value);
        }
        let code = self.header("x-amzn-errortype").or_else(|| value["__type"].as_str()).unwrap_or("Error");
        let message = value["message"].as_str().or_else(|| value["Message"].as_str()).unwrap_or("no message");
        bail!("{code}: {message}")
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Runs a client command on a small runtime of its own.
///
/// # Errors
/// The command's.
pub fn block_on(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}
