//! `encode.rs`: outputs into responses.

use std::fmt::Write as _;

use anyhow::Result;

use crate::codegen::model::{Kind, Location, Operation, Shape};
use crate::codegen::names;
use crate::codegen::service::{OperationNames, Protocol, Service};

pub(super) fn emit(service: &Service) -> Result<String> {
    let mut body = String::new();
    for (name, operation) in &service.operations {
        match service.protocol {
            Protocol::RestJson => rest_json(&mut body, service, name, operation)?,
            Protocol::AwsJson => aws_json(&mut body, name, operation)?,
            Protocol::Query => query(&mut body, name, operation)?,
        }
    }
    for stream in service.event_streams() {
        events(&mut body, service, stream)?;
    }
    for name in &service.outputs {
        let shape = service.shape(name)?;
        if shape.kind == Kind::Structure && !shape.eventstream {
            structure(&mut body, service, name, shape)?;
        }
    }
    let display = if service.protocol == Protocol::Query { "use std::fmt::Display;\n\n" } else { "" };
    let mut text = format!(
        "//! Outputs into responses.\n\n{display}use bytes::Bytes;\nuse http::Response;\n\n\
         #[allow(clippy::wildcard_imports)]\nuse super::types::*;\nuse crate::error::Error;\n",
    );
    for (word, import) in [
        ("Operation::", "super::operation::Operation"),
        ("EncodeJson for", "crate::json::{EncodeJson, JsonWriter}"),
        ("EncodeXml for", "crate::xml::{EncodeXml, XmlWriter}"),
        ("ResponseBuilder::", "crate::protocol::rest_json::ResponseBuilder"),
        ("aws_json::", "crate::protocol::aws_json"),
        ("event_stream::", "crate::protocol::event_stream"),
        ("query::", "crate::protocol::query"),
    ] {
        if body.contains(word) {
            writeln!(text, "use {import};")?;
        }
    }
    Ok(text + "\n" + &body)
}

fn signature(text: &mut String, name: &str, parameters: &str) -> Result<()> {
    let OperationNames { method, response, .. } = OperationNames::new(name);
    let (output, others) = parameters.split_once(',').unwrap_or((parameters, ""));
    writeln!(
        text,
        "/// The response of `{name}`.\n\
         pub fn {method}_response({output}: &{response},{others}) -> Result<Response<Bytes>, Error> {{"
    )?;
    Ok(())
}

fn rest_json(text: &mut String, service: &Service, name: &str, operation: &Operation) -> Result<()> {
    let status = service.status(name, operation);
    let Some(output) = &operation.output else {
        signature(text, name, "()")?;
        writeln!(text, "Ok(ResponseBuilder::new({status}, None).empty())\n}}\n")?;
        return Ok(());
    };
    let shape = service.shape(&output.shape)?;
    signature(text, name, "output")?;
    let status_member = match service.status_member(shape) {
        Some(member) => format!("output.{}", names::field(member)),
        None => "None".to_owned(),
    };
    writeln!(text, "let response = ResponseBuilder::new({status}, {status_member});")?;
    for (member, target) in service.struct_members(shape) {
        if target.location == Some(Location::Header) {
            let field = names::field(member);
            let value = if shape.is_required(member) {
                format!("Some(&output.{field})")
            } else {
                format!("output.{field}.as_deref()")
            };
            let header = target.wire_name(member).to_ascii_lowercase();
            writeln!(text, "let response = response.header({header:?}, {value})?;")?;
        }
    }
    let payload = shape.payload.as_deref().and_then(|name| Some((name, shape.members.get(name)?)));
    match payload {
        None => writeln!(text, "Ok(response.json(output))\n}}\n")?,
        Some((member, target)) => {
            let field = names::field(member);
            let finish = match service.shape(&target.shape)?.kind {
                Kind::Blob if shape.is_required(member) => format!("response.payload(Some(&output.{field}))"),
                Kind::Blob => format!("response.payload(output.{field}.as_ref())"),
                _ => "response.empty()".to_owned(),
            };
            writeln!(text, "Ok({finish})\n}}\n")?;
        }
    }
    Ok(())
}

fn aws_json(text: &mut String, name: &str, operation: &Operation) -> Result<()> {
    if operation.output.is_some() {
        signature(text, name, "output")?;
        writeln!(text, "Ok(aws_json::output_response(output))\n}}\n")?;
    } else {
        signature(text, name, "()")?;
        writeln!(text, "Ok(aws_json::empty_response())\n}}\n")?;
    }
    Ok(())
}

fn query(text: &mut String, name: &str, operation: &Operation) -> Result<()> {
    let output = if operation.output.is_some() { "output" } else { "()" };
    signature(text, name, &format!("{output}, request_id: &dyn Display"))?;
    let arguments = format!("{name:?}, Operation::XML_NAMESPACE");
    if operation.output.is_some() {
        writeln!(text, "Ok(query::output_response({arguments}, output, request_id))\n}}\n")?;
    } else {
        writeln!(text, "Ok(query::empty_response({arguments}, request_id))\n}}\n")?;
    }
    Ok(())
}

/// A function per kind of event that writes its frame.
fn events(text: &mut String, service: &Service, stream: &Shape) -> Result<()> {
    for (member, target) in stream.members.iter() {
        let event = service.shape(&target.shape)?;
        if event.exception {
            continue;
        }
        let payload = event.members.iter().find(|(_, member)| member.eventpayload);
        writeln!(text, "/// The frame of the event `{member}`.")?;
        writeln!(
            text,
            "pub fn {}_event(event: &{}) -> Bytes {{",
            names::snake(member),
            service.rust_name(&target.shape)
        )?;
        match payload {
            Some((name, _)) => writeln!(
                text,
                "let payload = event.{}.as_deref().unwrap_or_default();\n\
                 event_stream::encode_event({member:?}, \"application/octet-stream\", payload)\n}}\n",
                names::field(name)
            )?,
            None => writeln!(
                text,
                "event_stream::encode_event({member:?}, \"application/json\", &JsonWriter::document(event))\n}}\n"
            )?,
        }
    }
    Ok(())
}

fn structure(text: &mut String, service: &Service, name: &str, shape: &Shape) -> Result<()> {
    let mut members = String::new();
    for (member, target) in service.body_members(shape) {
        let method = if shape.is_required(member) { "member" } else { "optional" };
        writeln!(members, "out.{method}({:?}, &self.{});", target.wire_name(member), names::field(member))?;
    }
    let argument = if members.is_empty() { "_out" } else { "out" };
    let rust_name = service.rust_name(name);
    if service.protocol == Protocol::Query {
        writeln!(
            text,
            "impl EncodeXml for {rust_name} {{\nfn encode(&self, {argument}: &mut XmlWriter) {{\n{members}}}\n}}\n"
        )?;
        return Ok(());
    }
    writeln!(
        text,
        "impl EncodeJson for {rust_name} {{\nfn encode(&self, out: &mut JsonWriter) {{\nout.object(|{argument}| {{\n{members}}});\n}}\n}}\n"
    )?;
    Ok(())
}
