//! `rushlight logs NAME [--follow]`

use std::collections::HashSet;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rushlight_model::clock::Timestamp;
use serde_json::{Value, json};

use crate::client::{Client, ClientFlags};
use crate::output::{Output, Style};

/// How often a followed log is asked for more.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(300);

/// Events of other environments may arrive a little out of order: this far back is looked at again.
const OVERLAP_MILLISECONDS: i64 = 5_000;

/// See `rushlight logs --help`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Name of the function, or of a log group (beginning with `/`).
    name: String,

    /// Go on showing what is logged from now on.
    #[arg(long, short)]
    follow: bool,

    /// Only what was logged in the last so many seconds.
    #[arg(long, value_name = "SECONDS")]
    since: Option<i64>,

    /// Only events that match this CloudWatch Logs filter pattern.
    #[arg(long, value_name = "PATTERN")]
    filter: Option<String>,

    #[command(flatten)]
    client: ClientFlags,
}

/// Runs the verb.
pub async fn run(arguments: Arguments, output: &Output) -> anyhow::Result<ExitCode> {
    let client = Client::new(&arguments.client)?;
    let group = group(&client, &arguments.name).await?;
    let now = rushlight_model::clock::Clock::real().now().as_millis();
    let mut reader = Reader {
        client: &client,
        group,
        filter: arguments.filter,
        start: arguments.since.map_or(0, |seconds| now - seconds * 1000),
        shown: HashSet::new(),
    };
    loop {
        for event in reader.more(arguments.follow).await? {
            show(&event, arguments.client.json, output);
        }
        if !arguments.follow {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(FOLLOW_INTERVAL).await;
    }
}

/// The function's log group; the usual one for a function that is gone.
async fn group(client: &Client, name: &str) -> anyhow::Result<String> {
    if name.starts_with('/') {
        return Ok(name.to_owned());
    }
    let path = format!("/2015-03-31/functions/{}/configuration", utf8_percent_encode(name, NON_ALPHANUMERIC));
    match client.lambda(Method::GET, &path).await {
        Ok(configuration) => {
            let configured = configuration["LoggingConfig"]["LogGroup"].as_str().map(str::to_owned);
            Ok(configured.unwrap_or_else(|| format!("/aws/lambda/{name}")))
        }
        Err(error) if error.to_string().starts_with("ResourceNotFoundException") => {
            Ok(format!("/aws/lambda/{name}"))
        }
        Err(error) => Err(error),
    }
}

struct Reader<'a> {
    client: &'a Client,
    group: String,
    filter: Option<String>,
    /// Milliseconds since the epoch from which events are asked for.
    start: i64,
    shown: HashSet<String>,
}

impl Reader<'_> {
    /// Events not returned before. While following, a group that does not exist yet has none.
    async fn more(&mut self, following: bool) -> anyhow::Result<Vec<Value>> {
        let mut events = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut input =
                json!({ "logGroupName": self.group, "startTime": self.start, "interleaved": true });
            if let Some(token) = &token {
                input["nextToken"] = json!(token);
            }
            if let Some(filter) = &self.filter {
                input["filterPattern"] = json!(filter);
            }
            let page = match self.client.logs("FilterLogEvents", &input).await {
                Err(error) if following && error.to_string().starts_with("ResourceNotFoundException") => {
                    break;
                }
                page => page?,
            };
            for event in page["events"].as_array().cloned().unwrap_or_default() {
                if self.shown.insert(event["eventId"].as_str().unwrap_or_default().to_owned()) {
                    events.push(event);
                }
            }
            match page["nextToken"].as_str() {
                Some(next) => token = Some(next.to_owned()),
                None => break,
            }
        }
        events.sort_by_key(|event| event["timestamp"].as_i64());
        if let Some(last) = events.last().and_then(|event| event["timestamp"].as_i64()) {
            self.start = self.start.max(last - OVERLAP_MILLISECONDS);
        }
        Ok(events)
    }
}

fn show(event: &Value, as_json: bool, output: &Output) {
    if as_json {
        return output.json(event);
    }
    let time = Timestamp::from_millis(event["timestamp"].as_i64().unwrap_or_default()).to_iso_millis();
    let message = event["message"].as_str().unwrap_or_default().trim_end();
    let style = match message.split(' ').next() {
        Some("START" | "END" | "INIT_START") => Style::Dim,
        Some("REPORT") if message.contains("Status: ") => Style::Bad,
        Some("REPORT") => Style::Good,
        _ if message.starts_with("[ERROR]") || message.contains("\tERROR\t") => Style::Bad,
        _ => return output.line(format!("{} {message}", output.styled(Style::Dim, time))),
    };
    output.line(format!("{} {}", output.styled(Style::Dim, time), output.styled(style, message)));
}
