//! `types.rs`: structures and enumerations.

use std::fmt::Write as _;

use anyhow::Result;

use crate::codegen::model::{Kind, Shape};
use crate::codegen::names;
use crate::codegen::service::Service;

pub(super) fn emit(service: &Service) -> Result<String> {
    let mut body = String::new();
    for name in service.reached() {
        let shape = service.shape(name)?;
        match shape.kind {
            Kind::Structure if !shape.eventstream => structure(&mut body, service, name, shape)?,
            Kind::String if shape.is_enumeration() => enumeration(&mut body, service, name, shape)?,
            _ => {}
        }
    }
    aliases(&mut body, service)?;
    let mut text = String::from("//! Structures and enumerations.\n\n");
    for (word, import) in [
        ("BTreeMap<", "std::collections::BTreeMap"),
        ("Bytes", "bytes::Bytes"),
        ("open_enum!", "crate::open_enum::open_enum"),
        ("Redacted", "crate::redacted::Redacted"),
        ("Timestamp", "crate::timestamp::Timestamp"),
    ] {
        if body.contains(word) {
            writeln!(text, "use {import};")?;
        }
    }
    text.push('\n');
    text.push_str(&body);
    Ok(text)
}

fn structure(text: &mut String, service: &Service, name: &str, shape: &Shape) -> Result<()> {
    let rust_name = service.rust_name(name);
    let default = if service.has_default(name)? { ", Default" } else { "" };
    let mut has_secret = false;
    for (_, target) in service.struct_members(shape) {
        has_secret |= service.is_secret(&target.shape)?;
    }
    let debug = if has_secret { "" } else { ", Debug" };
    writeln!(text, "/// The structure `{name}`.")?;
    writeln!(text, "#[derive(Clone{debug}{default}, PartialEq)]\npub struct {rust_name} {{")?;
    for (member, target) in service.struct_members(shape) {
        let plain = service.rust_type(&target.shape)?;
        let kind = if shape.is_required(member) { plain } else { format!("Option<{plain}>") };
        writeln!(text, "pub {}: {kind},", names::field(member))?;
    }
    writeln!(text, "}}\n")?;
    if has_secret {
        redacted_debug(text, service, rust_name, shape)?;
    }
    Ok(())
}

/// `Debug` of a structure whose secrets must not end up in a log.
fn redacted_debug(text: &mut String, service: &Service, rust_name: &str, shape: &Shape) -> Result<()> {
    writeln!(
        text,
        "impl std::fmt::Debug for {rust_name} {{\n\
         fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{\n\
         f.debug_struct({rust_name:?})"
    )?;
    for (member, target) in service.struct_members(shape) {
        let field = names::field(member);
        let value = match (service.is_secret(&target.shape)?, shape.is_required(member)) {
            (false, _) => format!("self.{field}"),
            (true, true) => "Redacted".to_owned(),
            (true, false) => format!("self.{field}.as_ref().map(|_| Redacted)"),
        };
        writeln!(text, ".field({:?}, &{value})", names::snake(member))?;
    }
    writeln!(text, ".finish()\n}}\n}}\n")?;
    Ok(())
}

fn enumeration(text: &mut String, service: &Service, name: &str, shape: &Shape) -> Result<()> {
    // rustfmt leaves the inside of the macro alone, so it is indented here.
    writeln!(text, "open_enum! {{\n    /// The enumeration `{name}`.\n    {} {{", service.rust_name(name))?;
    for value in &shape.values {
        writeln!(text, "        {} = {value:?},", names::variant(value))?;
    }
    let order = match service.overlay.enum_order.get(name) {
        Some(order) => order.clone(),
        None => printed_order(&shape.values),
    };
    writeln!(text, "    }}\n    printed {:?}\n}}\n", format!("[{}]", order.join(", ")))?;
    Ok(())
}

/// Every operation gets an `XResponse`, also those that share an output or have none.
fn aliases(text: &mut String, service: &Service) -> Result<()> {
    for (name, operation) in &service.operations {
        let output = operation.output.as_ref().map(|output| service.rust_name(&output.shape));
        let alias = format!("{name}Response");
        if output != Some(alias.as_str()) {
            writeln!(text, "/// The output of `{name}`.\npub type {alias} = {};\n", output.unwrap_or("()"))?;
        }
    }
    Ok(())
}

/// The order in which AWS prints a value set: that in which a Java `HashSet` iterates. The recorded
/// answers of the service fit a table of 32 buckets (more for more values).
fn printed_order(values: &[String]) -> Vec<String> {
    let mut buckets = 32_u32;
    while values.len() as u32 * 4 > buckets * 3 {
        buckets *= 2;
    }
    let bucket = |value: &String| {
        let hash =
            value.encode_utf16().fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
        (hash ^ (hash >> 16)) & (buckets - 1)
    };
    let mut ordered = values.to_vec();
    ordered.sort_by_key(bucket);
    ordered
}

#[cfg(test)]
mod tests {
    use super::printed_order;

    /// `values` in the order of the model.
    fn check(values: &str, recorded: &str) {
        let values: Vec<String> = values.split(", ").map(str::to_owned).collect();
        assert_eq!(printed_order(&values).join(", "), recorded);
    }

    #[test]
    fn value_sets_print_in_the_recorded_order() {
        check("x86_64, arm64", "x86_64, arm64");
        check("BUFFERED, RESPONSE_STREAM", "RESPONSE_STREAM, BUFFERED");
        check("Allow, Terminate", "Terminate, Allow");
        check("PublishedVersions, None", "PublishedVersions, None");
    }

    #[test]
    fn runtimes_print_in_the_recorded_order_of_2023() {
        check(
            "nodejs12.x, nodejs14.x, nodejs16.x, java8, java8.al2, java11, python3.7, python3.8, python3.9, \
             dotnetcore3.1, dotnet6, go1.x, ruby2.7, provided, provided.al2",
            "nodejs12.x, provided, nodejs16.x, nodejs14.x, ruby2.7, java11, dotnet6, go1.x, provided.al2, \
             java8, java8.al2, dotnetcore3.1, python3.7, python3.8, python3.9",
        );
    }
}
