//! `errors.rs`: a constructor per exception of the model.

use std::fmt::Write as _;

use anyhow::{Result, ensure};

use crate::codegen::names;
use crate::codegen::service::Service;

pub(super) fn emit(service: &Service) -> Result<String> {
    let mut body = String::new();
    for (name, shape) in service.exceptions() {
        let modeled = shape.error.as_ref().and_then(|error| error.http_status_code);
        let status = modeled.unwrap_or(if shape.fault { 500 } else { 400 });
        let code = shape.error.as_ref().and_then(|error| error.code.as_deref()).unwrap_or(name);
        let upper = shape.members.get("Message").is_some();
        let key = if upper { "Upper" } else { "Lower" };
        let fault = match (shape.members.get("Type").is_some(), shape.fault) {
            (false, _) => "None",
            (true, false) => "Some(Fault::User)",
            (true, true) => "Some(Fault::Service)",
        };
        writeln!(
            body,
            "/// {status} `{code}`.\npub fn {}(message: impl Into<String>) -> Error {{\n\
             Error::modeled({code:?}, StatusCode::{}, MessageKey::{key}, {fault}, message)\n}}\n",
            names::snake(name),
            status_constant(status)?
        )?;
    }
    let fault = if body.contains("Fault::") { "Fault, " } else { "" };
    Ok(format!(
        "//! The exceptions of the model.\n\nuse http::StatusCode;\n\nuse crate::error::{{Error, {fault}MessageKey}};\n\n{body}"
    ))
}

fn status_constant(status: u16) -> Result<&'static str> {
    const CONSTANTS: [(u16, &str); 14] = [
        (400, "BAD_REQUEST"),
        (402, "PAYMENT_REQUIRED"),
        (403, "FORBIDDEN"),
        (404, "NOT_FOUND"),
        (408, "REQUEST_TIMEOUT"),
        (409, "CONFLICT"),
        (410, "GONE"),
        (412, "PRECONDITION_FAILED"),
        (413, "PAYLOAD_TOO_LARGE"),
        (415, "UNSUPPORTED_MEDIA_TYPE"),
        (429, "TOO_MANY_REQUESTS"),
        (500, "INTERNAL_SERVER_ERROR"),
        (502, "BAD_GATEWAY"),
        (503, "SERVICE_UNAVAILABLE"),
    ];
    let constant = CONSTANTS.iter().find(|(code, _)| *code == status);
    ensure!(constant.is_some(), "the status {status} has no name here yet");
    Ok(constant.map_or("", |(_, name)| name))
}
