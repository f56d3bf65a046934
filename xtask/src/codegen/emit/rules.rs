//! `rules.rs`: the constraints of strings.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::Result;

use crate::codegen::model::{Kind, Shape};
use crate::codegen::names;
use crate::codegen::service::Service;

pub(super) fn emit(service: &Service) -> Result<String> {
    let mut body = String::new();
    for name in &decoded_strings(service)? {
        if has_rule(service, name)? {
            rule(&mut body, service, name)?;
        }
    }
    let mut text = String::from("//! The constraints of strings and enumerations.\n\n");
    let imports = ["Length", "Pattern", "StringRule", "ValueSet"];
    let used: Vec<&str> = imports.into_iter().filter(|import| body.contains(import)).collect();
    writeln!(text, "use crate::constraint::{{{}}};\n", used.join(", "))?;
    if body.contains("types::") {
        writeln!(text, "use super::types;\n")?;
    }
    text.push_str(&body);
    Ok(text)
}

/// The strings that are decoded somewhere, so that no rule is left over. Everything reached from an
/// input is.
fn decoded_strings(service: &Service) -> Result<BTreeSet<String>> {
    let mut strings = BTreeSet::new();
    for name in &service.inputs {
        if service.shape(name)?.kind == Kind::String {
            strings.insert(name.clone());
        }
    }
    Ok(strings)
}

/// Whether a string shape has constraints that decoding checks.
fn has_rule(service: &Service, name: &str) -> Result<bool> {
    let shape = service.shape(name)?;
    let checked_enum = shape.is_enumeration() && !service.overlay.unchecked_enums.iter().any(|e| e == name);
    let constrained = shape.min.is_some() || shape.max.is_some() || shape.pattern.is_some();
    Ok(checked_enum || constrained || shape.sensitive)
}

/// The Rust expression of a string shape's rule, from the decoder's point of view.
pub(super) fn reference(service: &Service, name: &str) -> Result<String> {
    Ok(if has_rule(service, name)? {
        format!("rules::{}", names::screaming(name))
    } else {
        "StringRule::ANY".to_owned()
    })
}

/// The Rust expression of a shape's bounds on its length.
pub(super) fn length(shape: &Shape) -> String {
    match (shape.min, shape.max) {
        (None, None) => "Length::ANY".to_owned(),
        (min, max) => format!("Length {{ min: {}, max: {} }}", whole(min), whole(max)),
    }
}

/// The Rust expression of an optional whole number.
pub(super) fn whole(bound: Option<f64>) -> String {
    match bound {
        Some(bound) => format!("Some({})", bound as i64),
        None => "None".to_owned(),
    }
}

fn rule(text: &mut String, service: &Service, name: &str) -> Result<()> {
    let shape = service.shape(name)?;
    writeln!(text, "pub(super) static {}: StringRule = StringRule {{", names::screaming(name))?;
    writeln!(text, "length: {},", length(shape))?;
    match service.pattern(name)? {
        None => writeln!(text, "pattern: None,")?,
        Some(pattern) => {
            write!(
                text,
                "pattern: Some(Pattern::new(r#\"{}\"#, r#\"{}\"#)",
                pattern.printed, pattern.expression
            )?;
            if pattern.words_match {
                write!(text, ".words_match()")?;
            }
            if let Some(prefix) = pattern.refused_prefix {
                write!(text, ".refusing_prefix({prefix:?})")?;
            }
            if let Some(remark) = service.overlay.remarks.get(name) {
                write!(text, ".remarked({remark:?})")?;
            }
            writeln!(text, "),")?;
        }
    }
    if shape.is_enumeration() {
        let name = service.rust_name(name);
        writeln!(
            text,
            "values: Some(ValueSet {{ values: types::{name}::VALUES, printed: types::{name}::VALUE_SET }}),"
        )?;
    } else {
        writeln!(text, "values: None,")?;
    }
    writeln!(text, "sensitive: {},\n}};\n", shape.sensitive)?;
    Ok(())
}
