//! `rushlight runtimes publish | versions | rollout | withdraw`: versions of a runtime, and which functions get them; and
//! `rushlight runtimes notices`: which come to their end.

use std::process::ExitCode;

use bytes::Bytes;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::{From, root};
use crate::client::{Client, ClientFlags};
use crate::config::default_data_dir;
use crate::output::{Output, Style};

/// Asked of a server that runs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new version of a runtime: functions that are created or updated get it from now on.
    Publish {
        /// E.g. `python3.12`.
        #[arg(value_name = "RUNTIME")]
        identifier: String,
        /// A root file system, from where `rushlight runtimes add` takes them too.
        #[arg(value_name = "SOURCE")]
        source: String,
        #[command(flatten)]
        client: ClientFlags,
        #[command(flatten)]
        from: From,
    },
    /// List the versions that were published, and which functions get them.
    Versions {
        #[command(flatten)]
        client: ClientFlags,
    },
    /// List the notices that were given that runtimes of functions come to their end.
    Notices {
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Let the newest version of a runtime reach all functions that are set to `Auto`.
    Rollout(Rollout),
    /// Take the newest version of a runtime back: functions that have it get what came before it.
    Withdraw {
        /// E.g. `python3.12`.
        #[arg(value_name = "RUNTIME")]
        identifier: String,
        /// Why: kept and listed.
        #[arg(long, value_name = "TEXT", default_value = "withdrawn by the operator")]
        reason: String,
        #[command(flatten)]
        client: ClientFlags,
    },
}

#[derive(Debug, Args)]
pub struct Rollout {
    /// E.g. `python3.12`.
    #[arg(value_name = "RUNTIME")]
    identifier: String,
    /// Begin so many seconds from now.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    after: u32,
    /// How many functions are moved at a time.
    #[arg(long, value_name = "FUNCTIONS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// How long each batch is watched for before the next one follows. If more of its invocations fail than before, the
    /// version is withdrawn.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pause: u32,
    #[command(flatten)]
    client: ClientFlags,
}

/// Runs the verb.
pub async fn run(command: Command, output: &Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::Publish { identifier, source, client, from } => {
            let data = client.data_dir.clone().map_or_else(default_data_dir, Ok)?;
            let root = root(&source, &std::path::absolute(data)?.join("runtimes"), from).await?;
            let version = post(&client, &identifier, "publish", &json!({ "root": root })).await?;
            show_change(output, &client, &version, "is what functions get that are created or updated.");
        }
        Command::Versions { client } => list(&client, output, "runtime-versions", "versions", show).await?,
        Command::Notices { client } => list(&client, output, "notices", "notices", show_notice).await?,
        Command::Rollout(Rollout { identifier, after, batch, pause, client }) => {
            let body = json!({ "afterSeconds": after, "batch": batch, "pauseSeconds": pause });
            let version = post(&client, &identifier, "rollout", &body).await?;
            show_change(output, &client, &version, "is on its way to all functions.");
        }
        Command::Withdraw { identifier, reason, client } => {
            let version = post(&client, &identifier, "withdraw", &json!({ "reason": reason })).await?;
            show_change(output, &client, &version, "is withdrawn.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What there is at an address, one line each.
async fn list(
    flags: &ClientFlags,
    output: &Output,
    path: &str,
    member: &str,
    show: impl Fn(&Output, &Value),
) -> anyhow::Result<()> {
    let path = format!("/_rushlight/{path}");
    let answer = Client::new(flags)?.send("lambda", Method::GET, &path, &[], Bytes::new()).await?.json()?;
    match flags.json {
        true => output.json(&answer[member]),
        false => answer[member].as_array().into_iter().flatten().for_each(|one| show(output, one)),
    }
    Ok(())
}

async fn post(flags: &ClientFlags, identifier: &str, action: &str, body: &Value) -> anyhow::Result<Value> {
    // What a server has is named with letters, digits and dots.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    anyhow::ensure!(identifier.bytes().all(is_plain), "there is no runtime {identifier}");
    let path = format!("/_rushlight/runtime-versions/{identifier}/{action}");
    let body = Bytes::from(body.to_string());
    Client::new(flags)?.send("lambda", Method::POST, &path, &[], body).await?.json()
}

fn text(version: &Value) -> &str {
    version["version"].as_str().unwrap_or_default()
}

fn show_change(output: &Output, flags: &ClientFlags, version: &Value, sentence: &str) {
    match flags.json {
        true => output.json(version),
        false => output.line(format!("{} {sentence}", text(version))),
    }
}

fn show(output: &Output, version: &Value) {
    let phase = version["phase"].as_str().unwrap_or_default();
    let style = match phase {
        "complete" => Style::Good,
        "withdrawn" => Style::Bad,
        _ => Style::Dim,
    };
    let detail = &version["detail"];
    let detail = detail["reason"].as_str().or_else(|| detail["begin"].as_str());
    let detail = detail.or_else(|| version["root"].as_str()).unwrap_or_default();
    output.line(format!(
        "{:24} {} {}",
        text(version),
        output.styled(style, format!("{phase:10}")),
        output.styled(Style::Dim, detail)
    ));
}

fn show_notice(output: &Output, notice: &Value) {
    let text = |member: &str| notice[member].as_str().unwrap_or_default().to_owned();
    let functions = notice["functions"].as_array().map_or(0, Vec::len);
    let blocked =
        notice["blockCreate"].as_str().map(|day| format!(", created until {day}")).unwrap_or_default();
    output.line(format!(
        "{:8} {:16} ends {}{blocked}: {functions} in account {} in {}",
        text("channel"),
        text("runtime"),
        text("deprecation"),
        text("account"),
        text("region")
    ));
}
