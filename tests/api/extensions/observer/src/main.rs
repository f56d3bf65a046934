//! An extension made with AWS' own library for Rust: prints every event and every record of telemetry that it is sent.
//!
//! `OBSERVER_FAILS` is the kind of events that its processor returns an error for. At `SHUTDOWN` it exits, unless
//! `OBSERVER_STAYS` is set: then it does what the library does by itself, which is to ask for another event.

use lambda_extension::{
    Error, Extension, LambdaEvent, LambdaTelemetry, LogBuffering, NextEvent, SharedService, service_fn,
};
use serde_json::{Value, json};

fn say(member: &str, what: Value) {
    println!("{}", json!({"extension": "observer", member: what}));
}

async fn process_event(event: LambdaEvent) -> Result<(), Error> {
    let (kind, event) = match event.next {
        NextEvent::Invoke(event) => (
            "INVOKE",
            json!({
                "deadlineMs": event.deadline_ms,
                "requestId": event.request_id,
                "invokedFunctionArn": event.invoked_function_arn,
                "tracing": {"type": event.tracing.r#type, "value": event.tracing.value},
            }),
        ),
        NextEvent::Shutdown(event) => {
            ("SHUTDOWN", json!({"deadlineMs": event.deadline_ms, "shutdownReason": event.shutdown_reason}))
        }
    };
    say("event", json!({"eventType": kind, "event": event}));
    if std::env::var("OBSERVER_FAILS").is_ok_and(|fails| fails == kind) {
        return Err(format!("as told at {kind}").into());
    }
    if kind == "SHUTDOWN" && std::env::var_os("OBSERVER_STAYS").is_none() {
        std::process::exit(0);
    }
    Ok(())
}

async fn process_telemetry(records: Vec<LambdaTelemetry>) -> Result<(), Error> {
    for record in records {
        say("telemetry", serde_json::to_value(record)?);
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let extension = Extension::new()
        .with_events_processor(service_fn(process_event))
        // Of extensions it would be sent what it prints itself, and print that.
        .with_telemetry_types(&["platform", "function"])
        .with_telemetry_buffering(LogBuffering { timeout_ms: 25, max_bytes: 262_144, max_items: 1000 })
        .with_telemetry_processor(SharedService::new(service_fn(process_telemetry)))
        .register()
        .await?;
    say(
        "registered",
        json!({
            "functionName": extension.function_name,
            "functionVersion": extension.function_version,
            "handler": extension.handler,
            "accountId": extension.account_id,
        }),
    );
    extension.run().await
}
