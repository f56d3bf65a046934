//! `decode.rs`: requests into inputs.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail, ensure};

use super::rules;
use crate::codegen::model::{Kind, Location, Member, Shape};
use crate::codegen::names;
use crate::codegen::service::{OperationNames, Protocol, Service};

/// Names that members' variables must not hide.
const PARAMETERS: [&str; 8] = ["labels", "query", "headers", "body", "form", "decoder", "members", "rules"];

pub(super) fn emit(service: &Service) -> Result<String> {
    let mut body = String::new();
    for (name, operation) in &service.operations {
        let input = operation.input.as_ref().with_context(|| format!("{name} has no input"))?;
        request(&mut body, service, name, &input.shape)?;
    }
    check(&mut body, service);
    for name in &service.inputs {
        let shape = service.shape(name)?;
        let is_request =
            service.operations.values().any(|op| op.input.as_ref().is_some_and(|i| i.shape == *name));
        if shape.kind == Kind::Structure && !is_request {
            structure(&mut body, service, name, shape)?;
        }
    }
    Ok(imports(service, &body) + &body)
}

fn imports(service: &Service, body: &str) -> String {
    let mut text =
        String::from("//! Requests into typed inputs, everything that is wrong with them collected.\n\n");
    if service.protocol != Protocol::Query {
        text.push_str("use bytes::Bytes;\n");
    }
    let constraint: Vec<&str> = ["Length", "Range", "StringRule"]
        .into_iter()
        .filter(|word| body.contains(&format!("{word} ")) || body.contains(&format!("{word}::")))
        .collect();
    if service.protocol == Protocol::RestJson {
        text.push_str("use http::HeaderMap;\n");
    }
    text.push_str("\nuse super::operation::Operation;\n#[allow(clippy::wildcard_imports)]\nuse super::types::*;\nuse super::rules;\n");
    if !constraint.is_empty() {
        text.push_str(&format!("use crate::constraint::{{{}}};\n", constraint.join(", ")));
    }
    text.push_str("use crate::decoder::Decoder;\nuse crate::error::Error;\n");
    if body.contains("Json<") {
        text.push_str("use crate::json::Json;\n");
    }
    match service.protocol {
        Protocol::RestJson => text.push_str(
            "use crate::labels::Labels;\nuse crate::protocol::rest_json::header_text;\nuse crate::query::Query;\n",
        ),
        Protocol::AwsJson => {}
        Protocol::Query => text.push_str("use crate::query::Query;\n"),
    }
    text.push('\n');
    text
}

/// A public function per operation.
fn request(text: &mut String, service: &Service, operation: &str, input: &str) -> Result<()> {
    let OperationNames { method, request, .. } = OperationNames::new(operation);
    let shape = service.shape(input)?;
    let statements = request_statements(service, operation, shape)?;
    let parameter =
        |name: &str, used: &str| if statements.contains(used) { name.to_owned() } else { format!("_{name}") };
    writeln!(text, "/// The input of `{operation}`.\npub fn {method}_request(")?;
    if service.protocol == Protocol::RestJson {
        writeln!(text, "{}: &Labels<'_>,", parameter("labels", "labels."))?;
        writeln!(text, "{}: &Query<'_>,", parameter("query", "query."))?;
        writeln!(text, "{}: &HeaderMap,", parameter("headers", "header_text("))?;
    }
    match service.protocol {
        Protocol::Query => write!(text, "{}: &Query<'_>", parameter("form", "form."))?,
        _ => write!(text, "{}: Bytes", parameter("body", "body"))?,
    }
    writeln!(text, ") -> Result<{request}, Error> {{")?;
    let mutable = if statements.contains("decoder.") { "mut " } else { "" };
    writeln!(text, "let {mutable}decoder = Decoder::new({:?});", service.overlay.validation_code)?;
    text.push_str(&statements);
    let fields: Vec<String> = shape.members.iter().map(|(member, _)| names::field(member)).collect();
    let required: Vec<String> = shape
        .members
        .iter()
        .filter(|(member, _)| shape.is_required(member))
        .map(|(member, _)| names::field(member))
        .collect();
    match &required[..] {
        [] => {}
        [one] => writeln!(text, "let Some({one}) = {one} else {{ return Err(decoder.into_error()) }};")?,
        several => {
            let somes: Vec<String> = several.iter().map(|name| format!("Some({name})")).collect();
            writeln!(
                text,
                "let ({}) = ({}) else {{ return Err(decoder.into_error()) }};",
                somes.join(", "),
                several.join(", ")
            )?;
        }
    }
    writeln!(text, "decoder.finish({request} {{ {} }})\n}}\n", fields.join(", "))?;
    Ok(())
}

/// One `let` per member, in the order of the model.
fn request_statements(service: &Service, operation: &str, shape: &Shape) -> Result<String> {
    let mut text = String::new();
    if service.body_members(shape).next().is_some() {
        match service.protocol {
            Protocol::Query => writeln!(text, "let mut members = form.members();")?,
            _ => writeln!(text, "let mut members = decoder.body(&body);")?,
        }
    }
    for (name, member) in shape.members.iter() {
        let field = names::field(name);
        ensure!(!PARAMETERS.contains(&field.as_str()), "the member {name} of {operation} hides a parameter");
        let kind = if shape.is_required(name) { "required" } else { "optional" };
        let wire_name = member.wire_name(name);
        let source = match member.location {
            _ if shape.payload.as_deref() == Some(name) => {
                payload(&mut text, service, name, member, kind)?;
                continue;
            }
            None => format!("members.take({wire_name:?})"),
            Some(Location::Uri) => format!("labels.text({})", label_index(service, operation, wire_name)?),
            Some(Location::Querystring) if service.shape(&member.shape)?.kind == Kind::List => {
                format!("query.texts({wire_name:?})")
            }
            Some(Location::Querystring) => format!("query.text({wire_name:?})"),
            Some(Location::Header) => format!("header_text(headers, {:?})", wire_name.to_ascii_lowercase()),
            Some(Location::StatusCode) => bail!("the input of {operation} has a status"),
        };
        let decode = callable(service, &member.shape)?;
        writeln!(text, "let {field} = decoder.{kind}({:?}, {source}, {decode});", names::path(name))?;
    }
    Ok(text)
}

/// The member that is the body.
fn payload(text: &mut String, service: &Service, name: &str, member: &Member, kind: &str) -> Result<()> {
    let field = names::field(name);
    let shape = service.shape(&member.shape)?;
    match (shape.kind, kind) {
        (Kind::Blob, kind) => {
            let read = format!("decoder.payload({:?}, body, &{})", names::path(name), rules::length(shape));
            if kind == "required" {
                writeln!(text, "let {field} = {read};")?;
            } else {
                writeln!(text, "let {field} = if body.is_empty() {{ None }} else {{ {read} }};")?;
            }
        }
        _ => {
            let decode = callable(service, &member.shape)?;
            writeln!(text, "let document = decoder.document(&body);")?;
            writeln!(text, "let {field} = decoder.{kind}({:?}, document, {decode});", names::path(name))?;
        }
    }
    Ok(())
}

fn label_index(service: &Service, operation: &str, label: &str) -> Result<usize> {
    let uri = &service.operations[operation].http.request_uri;
    let mut labels = uri.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    labels.position(|name| name == label).with_context(|| format!("{operation} has no label {label}"))
}

/// Decodes a request only to see whether it is sound.
fn check(text: &mut String, service: &Service) {
    let (parameters, arguments) = match service.protocol {
        Protocol::RestJson => (
            "labels: &Labels<'_>, query: &Query<'_>, headers: &HeaderMap, body: Bytes",
            "labels, query, headers, body",
        ),
        Protocol::AwsJson => ("body: Bytes", "body"),
        Protocol::Query => ("form: &Query<'_>", "form"),
    };
    text.push_str(&format!(
        "/// Decodes a request and says only what is wrong with it.\n\
         pub fn check(operation: Operation, {parameters}) -> Result<(), Error> {{\nmatch operation {{\n"
    ));
    for name in service.operations.keys() {
        let OperationNames { variant, method, .. } = OperationNames::new(name);
        text.push_str(&format!("Operation::{variant} => {method}_request({arguments}).map(drop),\n"));
    }
    text.push_str("}\n}\n\n");
}

/// A function per structure within inputs.
fn structure(text: &mut String, service: &Service, name: &str, shape: &Shape) -> Result<()> {
    let rust_name = service.rust_name(name);
    writeln!(
        text,
        "fn {}(decoder: &mut Decoder, value: Json<'_>) -> Option<{rust_name}> {{",
        names::snake(rust_name)
    )?;
    if shape.members.iter().next().is_none() {
        writeln!(text, "decoder.structure(value)?;\nSome({rust_name} {{}})\n}}\n")?;
        return Ok(());
    }
    writeln!(text, "let mut members = decoder.structure(value)?;")?;
    let mut fields = Vec::new();
    for (member, target) in shape.members.iter() {
        let field = names::field(member);
        ensure!(!PARAMETERS.contains(&field.as_str()), "the member {member} of {name} hides a parameter");
        let (kind, mark) = if shape.is_required(member) { ("required", "?") } else { ("optional", "") };
        let decode = callable(service, &target.shape)?;
        writeln!(
            text,
            "let {field} = decoder.{kind}({:?}, members.take({:?}), {decode});",
            names::path(member),
            target.wire_name(member)
        )?;
        fields.push(if mark.is_empty() { field } else { format!("{field}: {field}{mark}") });
    }
    writeln!(text, "Some({rust_name} {{ {} }})\n}}\n", fields.join(", "))?;
    Ok(())
}

/// The Rust expression of a function that decodes a value of a shape.
fn callable(service: &Service, name: &str) -> Result<String> {
    let shape = service.shape(name)?;
    Ok(match shape.kind {
        Kind::Structure => names::snake(service.rust_name(name)),
        Kind::String => {
            let method = if shape.is_enumeration() { "enumeration" } else { "string" };
            format!("|d, v| d.{method}(v, &{})", rules::reference(service, name)?)
        }
        Kind::Integer => format!("|d, v| d.integer(v, &{})", range(shape)),
        Kind::Long => format!("|d, v| d.long(v, &{})", range(shape)),
        Kind::Double | Kind::Float => format!("|d, v| d.double(v, &{})", range(shape)),
        Kind::Boolean => "Decoder::boolean".to_owned(),
        Kind::Timestamp => "Decoder::timestamp".to_owned(),
        Kind::Blob => format!("|d, v| d.blob(v, &{})", rules::length(shape)),
        Kind::List => list(service, shape)?,
        Kind::Map => map(service, shape)?,
    })
}

fn list(service: &Service, shape: &Shape) -> Result<String> {
    let entry = Service::entry(shape)?;
    let length = rules::length(shape);
    Ok(match service.shape(entry)?.kind {
        Kind::String => format!("|d, v| d.strings(v, &{length}, &{})", rules::reference(service, entry)?),
        Kind::Structure => format!("|d, v| d.structures(v, &{length}, {})", callable(service, entry)?),
        other => bail!("lists of {other:?} have no decoder yet"),
    })
}

fn map(service: &Service, shape: &Shape) -> Result<String> {
    let length = rules::length(shape);
    let keys = rules::reference(service, Service::map_key(shape)?)?;
    let value = Service::map_value(shape)?;
    let value_shape = service.shape(value)?;
    Ok(match value_shape.kind {
        Kind::String if !value_shape.is_enumeration() => {
            let values = rules::reference(service, value)?;
            format!("|d, v| d.string_map(v, &{length}, &{keys}, &{values}, {})", shape.sensitive)
        }
        Kind::Double => format!("|d, v| d.double_map(v, &{length}, &{keys}, &{})", range(value_shape)),
        _ => format!("|d, v| d.map_of(v, &{length}, &{keys}, {})", callable(service, value)?),
    })
}

/// The Rust expression of a number's bounds.
fn range(shape: &Shape) -> String {
    if shape.min.is_none() && shape.max.is_none() {
        return "Range::ANY".to_owned();
    }
    let bound = |bound: Option<f64>| match (shape.kind, bound) {
        (Kind::Double | Kind::Float, Some(bound)) => format!("Some({bound:?})"),
        _ => rules::whole(bound),
    };
    format!("Range {{ min: {}, max: {} }}", bound(shape.min), bound(shape.max))
}
