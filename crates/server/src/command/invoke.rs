//! `rushlight invoke NAME [PAYLOAD]`

use std::io::Read;
use std::process::ExitCode;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::Args;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::client::{Answer, Client, ClientFlags};
use crate::output::{Output, Style};

/// See `rushlight invoke --help`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Name or ARN of the function.
    name: String,

    /// The event as JSON text; `@FILE` reads a file, `-` standard input.
    #[arg(default_value = "{}")]
    payload: String,

    /// The tenant, for functions with tenant isolation.
    #[arg(long, value_name = "ID")]
    tenant_id: Option<String>,

    #[command(flatten)]
    client: ClientFlags,
}

/// Runs the verb. The exit status is 1 if the function failed.
pub async fn run(arguments: Arguments, output: &Output) -> anyhow::Result<ExitCode> {
    let Arguments { name, payload, tenant_id, client: flags } = arguments;
    let payload = read_payload(payload)?;
    let name = utf8_percent_encode(&name, NON_ALPHANUMERIC);
    let path = format!("/2015-03-31/functions/{name}/invocations");
    let mut headers = vec![("content-type", "application/json"), ("x-amz-log-type", "Tail")];
    headers.extend(tenant_id.as_deref().map(|tenant_id| ("x-amz-tenant-id", tenant_id)));
    let answer = Client::new(&flags)?.send("lambda", Method::POST, &path, &headers, payload).await?;
    if !answer.status.is_success() {
        answer.json()?;
    }
    let failed = answer.header("x-amz-function-error").is_some();
    match flags.json {
        true => output.json(&as_json(&answer)),
        false => show(&answer, failed, output),
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn read_payload(argument: String) -> anyhow::Result<Bytes> {
    let bytes = match argument.strip_prefix('@') {
        Some(path) => std::fs::read(path).with_context(|| format!("cannot read {path}"))?,
        None if argument == "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
            bytes
        }
        None => argument.into_bytes(),
    };
    Ok(Bytes::from(bytes))
}

fn log_tail(answer: &Answer) -> String {
    let tail = answer.header("x-amz-log-result").and_then(|text| STANDARD.decode(text).ok());
    String::from_utf8_lossy(&tail.unwrap_or_default()).into_owned()
}

fn as_json(answer: &Answer) -> Value {
    let payload: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    json!({
        "StatusCode": answer.status.as_u16(),
        "FunctionError": answer.header("x-amz-function-error"),
        "ExecutedVersion": answer.header("x-amz-executed-version"),
        "RequestId": answer.header("x-amzn-requestid"),
        "Payload": payload,
        "Log": log_tail(answer),
    })
}

fn show(answer: &Answer, failed: bool, output: &Output) {
    for line in log_tail(answer).lines() {
        output.aside(output.styled(Style::Dim, line.trim_end()));
    }
    let pretty = serde_json::from_slice::<Value>(&answer.body)
        .ok()
        .and_then(|value| serde_json::to_string_pretty(&value).ok());
    let text = pretty.unwrap_or_else(|| String::from_utf8_lossy(&answer.body).into_owned());
    output.line(output.styled(if failed { Style::Bad } else { Style::Bold }, text));
}
