//! A function made with AWS' library for Rust, which does what its event asks for.

use std::time::Duration;

use lambda_runtime::streaming::{Response, channel};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn, tracing};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Event {
    #[serde(default, rename = "do")]
    what: String,
    #[serde(default)]
    size: usize,
}

/// An error with a type of its own.
#[derive(Debug)]
struct Refused(String);

impl From<Refused> for Diagnostic {
    fn from(refused: Refused) -> Self {
        Self { error_type: "Refused".to_owned(), error_message: refused.0 }
    }
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Refused> {
    let context = event.context;
    let given: Event = serde_json::from_value(event.payload.clone()).map_err(|error| Refused(error.to_string()))?;
    match given.what.as_str() {
        "error" => return Err(Refused("as asked".to_owned())),
        "panic" => panic!("as asked"),
        "exit" => std::process::exit(3),
        "wait" => tokio::time::sleep(Duration::from_secs(60)).await,
        "large" => return Ok(json!("x".repeat(given.size))),
        "say" => {
            println!("a line");
            tracing::info!(count = 5, "an event");
            tracing::debug!("unseen");
        }
        _ => {}
    }
    Ok(json!({
        "event": event.payload,
        "request": context.request_id,
        "arn": context.invoked_function_arn,
        "deadline": context.deadline,
        "trace": context.xray_trace_id,
        "name": context.env_config.function_name,
        "memory": context.env_config.memory,
        "version": context.env_config.version,
        "group": context.env_config.log_group,
        "tenant": context.tenant_id,
        "client": context.client_context.map(|client| client.client.app_title),
    }))
}

async fn stream(_: LambdaEvent<Value>) -> Result<Response<lambda_runtime::streaming::Body>, Error> {
    let (mut sender, body) = channel();
    tokio::spawn(async move {
        for piece in ["one, ", "two, ", "three"] {
            let _ = sender.send_data(piece.into()).await;
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    });
    Ok(Response::from(body))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    match std::env::var("_HANDLER").as_deref() {
        Ok("stream") => run(service_fn(stream)).await,
        Ok("fail") => Err("the initialisation fails".into()),
        _ => run(service_fn(handle)).await,
    }
}
