//! Which operations are built: those that somebody implements.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use regex::Regex;

use super::files_below;
use crate::codegen::{ServiceOperations, method_name};

/// See the [module](self).
pub(super) struct Status {
    /// By their keys.
    built: BTreeSet<String>,
    /// What is said to be missing of operations that are built otherwise.
    pub(super) parts: Vec<String>,
}

impl Status {
    /// Looks through the code of all crates.
    pub(super) fn read(root: &Path, services: &[ServiceOperations]) -> Result<Self> {
        let crates = root.join("crates");
        let gateway = crates.join("gateway/src");
        let code = texts(&crates, &["generated", "tests"])?;
        let status = Self::of(services, &code, &texts(&gateway, &[])?);
        for service in services {
            let any = service.operations.iter().any(|name| status.is_built(&service.key(name)));
            ensure!(any, "no implementation of {} was found: where has it gone?", service.trait_name);
        }
        Ok(status)
    }

    /// An operation is built if its method of the service's trait is overridden, or if the gateway decodes its
    /// input itself, as it does for the data plane.
    pub(super) fn of(services: &[ServiceOperations], code: &[String], gateway: &[String]) -> Self {
        let mut built = BTreeSet::new();
        for service in services {
            let methods: BTreeSet<&str> = code
                .iter()
                .flat_map(|text| {
                    implemented(text, &service.trait_name).chain(tabled(text, &service.trait_name))
                })
                .collect();
            let is_built = |name: &&String| {
                let method = method_name(name);
                let decoded = format!("decode::{method}_request(");
                methods.contains(method.as_str()) || gateway.iter().any(|text| text.contains(&decoded))
            };
            built.extend(service.operations.iter().filter(is_built).map(|name| service.key(name)));
        }
        let mut parts: Vec<String> =
            code.iter().chain(gateway).flat_map(|text| refused_parts(text)).collect();
        parts.sort();
        parts.dedup();
        // What names exactly an operation is not a part of one.
        parts.retain(|part| part.contains(' '));
        Self { built, parts }
    }

    /// Whether the operation of a key is built.
    pub(super) fn is_built(&self, key: &str) -> bool {
        self.built.contains(key)
    }
}

fn texts(folder: &Path, skipped: &[&str]) -> Result<Vec<String>> {
    files_below(folder, ".rs", skipped)?.iter().map(|path| Ok(fs::read_to_string(path)?)).collect()
}

/// The methods of `impl <trait> for …`, in a text that rustfmt has formatted.
fn implemented<'t>(text: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    let head = format!("impl {name} for ");
    let body = text.lines().skip_while(move |line| !line.starts_with(&head)).take_while(|line| *line != "}");
    body.filter_map(|line| {
        let declaration = line.strip_prefix("    ")?;
        let declaration = declaration.strip_prefix("async ").unwrap_or(declaration);
        declaration.strip_prefix("fn ")?.split(['(', '<']).next()
    })
}

/// The methods that a table `operations! { … }` lists, a line each, for the trait that its macro implements.
fn tabled<'t>(text: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    let here = text.contains(&format!("impl {name} for "));
    let table = text.lines().skip_while(|line| *line != "operations! {").take_while(|line| *line != "}");
    table.filter(move |_| here).filter_map(|line| {
        let (method, rest) = line.strip_prefix("        ")?.split_once('(')?;
        rest.contains(") -> ").then_some(method).filter(|method| !method.starts_with(' '))
    })
}

fn refused_parts(text: &str) -> Vec<String> {
    // The expression is a constant that the tests run.
    let Ok(expression) = Regex::new(r#"not_implemented\(\s*"([^"]+)"\s*,?\s*\)"#) else { return Vec::new() };
    expression.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_may_stand_in_a_table() {
        let text = "macro_rules! operations {\n    () => {\n        impl LambdaService for Control {}\n    };\n}\n\n\
                    operations! {\n    reads {\n        get_alias(GetAliasRequest) -> GetAliasResponse = alias::get;\n\
                    \x20       list_long(ListLongRequest) -> ListLongResponse\n            = long::list;\n    }\n}\n";
        assert_eq!(tabled(text, "LambdaService").collect::<Vec<_>>(), ["get_alias", "list_long"]);
        assert_eq!(tabled(text, "LogsService").count(), 0);
    }

    #[test]
    fn methods_are_those_of_the_implementation() {
        let text = "impl Other for X {\n    async fn no() {}\n}\n\nimpl LogsService for Logs {\n    type C = ();\n\n    \
                    async fn get_log_events(\n        &self,\n    ) {\n        fn inner() {}\n    }\n    fn plain<T>() {}\n}\n\
                    fn after() {}\n";
        assert_eq!(implemented(text, "LogsService").collect::<Vec<_>>(), ["get_log_events", "plain"]);
    }

    #[test]
    fn parts_are_what_is_said_to_be_missing() {
        let text = "Err(Error::not_implemented(\"Invoke with InvocationType Event\"))\nError::not_implemented(\n    \
                    \"Invoke of an image\",\n)";
        assert_eq!(refused_parts(text), ["Invoke with InvocationType Event", "Invoke of an image"]);
    }
}
