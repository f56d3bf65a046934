//! `rushlight functions`

use std::process::ExitCode;

use clap::Args;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::client::{Client, ClientFlags};
use crate::output::{Output, Style};

/// See `rushlight functions --help`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    client: ClientFlags,
}

/// Runs the verb.
pub async fn run(arguments: Arguments, output: &Output) -> anyhow::Result<ExitCode> {
    let functions = list(&Client::new(&arguments.client)?).await?;
    if arguments.client.json {
        output.json(&Value::Array(functions));
        return Ok(ExitCode::SUCCESS);
    }
    if functions.is_empty() {
        output.aside("There are no functions yet.");
        return Ok(ExitCode::SUCCESS);
    }
    let width = functions.iter().filter_map(|function| function["FunctionName"].as_str()).map(str::len).max();
    let width = width.unwrap_or_default().max("NAME".len());
    let heading = format!(
        "{:width$}  {:16}  {:>6}  {:>7}  {:>10}  MODIFIED",
        "NAME", "RUNTIME", "MEMORY", "TIMEOUT", "CODE"
    );
    output.line(output.styled(Style::Dim, heading));
    for function in &functions {
        let text = |key: &str| function[key].as_str().unwrap_or("-").to_owned();
        let number = |key: &str| function[key].as_u64().unwrap_or_default();
        output.line(format!(
            "{}  {:16}  {:>3} MB  {:>5} s  {:>7} kB  {}",
            output.styled(Style::Bold, format!("{:width$}", text("FunctionName"))),
            text("Runtime"),
            number("MemorySize"),
            number("Timeout"),
            number("CodeSize").div_ceil(1024),
            output.styled(Style::Dim, text("LastModified").get(..19).unwrap_or_default().replace('T', " ")),
        ));
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client) -> anyhow::Result<Vec<Value>> {
    let mut functions = Vec::new();
    let mut marker = String::new();
    loop {
        let page = client.lambda(Method::GET, &format!("/2015-03-31/functions/{marker}")).await?;
        functions.extend(page["Functions"].as_array().cloned().unwrap_or_default());
        match page["NextMarker"].as_str() {
            Some(next) => marker = format!("?Marker={}", utf8_percent_encode(next, NON_ALPHANUMERIC)),
            None => return Ok(functions),
        }
    }
}
