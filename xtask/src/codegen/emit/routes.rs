//! `routes.rs`: methods and paths to operations, as one nested match over the path's segments.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};

use crate::codegen::service::Service;

/// A place in the tree of paths.
#[derive(Default)]
struct Node {
    literals: BTreeMap<String, Node>,
    label: Option<Box<Node>>,
    routes: Vec<Route>,
}

/// What a path that ends here means.
struct Route {
    method: String,
    /// A query pair that the request must have.
    query: Option<(String, String)>,
    operation: String,
    /// The positions of the labels among the segments.
    labels: Vec<usize>,
}

pub(super) fn emit(service: &Service) -> Result<String> {
    let mut tree = Node::default();
    for (name, operation) in &service.operations {
        insert(&mut tree, name, &operation.http.method, &operation.http.request_uri)
            .with_context(|| format!("the route of {name}"))?;
    }
    let mut matches = String::new();
    node(&mut matches, &tree, 0)?;
    Ok(format!("{HEAD}{matches}{TAIL}"))
}

fn insert(tree: &mut Node, operation: &str, method: &str, uri: &str) -> Result<()> {
    let (path, query) = match uri.split_once('?') {
        None => (uri, None),
        Some((path, pair)) => {
            let (key, value) = pair.split_once('=').context("a query without a value")?;
            (path, Some((key.to_owned(), value.to_owned())))
        }
    };
    let mut place = tree;
    let mut labels = Vec::new();
    for (position, segment) in path.trim_matches('/').split('/').enumerate() {
        if segment.starts_with('{') {
            ensure!(!segment.ends_with("+}"), "greedy labels have no router yet");
            labels.push(position);
            place = place.label.get_or_insert_default();
        } else {
            place = place.literals.entry(segment.to_owned()).or_default();
        }
    }
    let route = Route { method: method.to_owned(), query, operation: operation.to_owned(), labels };
    place.routes.push(route);
    // Routes that also ask for a query pair are more specific.
    place.routes.sort_by_key(|route| (route.method.clone(), route.query.is_none()));
    Ok(())
}

fn node(text: &mut String, node: &Node, depth: usize) -> Result<()> {
    ensure!(node.literals.is_empty() || node.label.is_none(), "a label beside a literal has no router yet");
    writeln!(text, "match segments.at({depth}) {{")?;
    if !node.routes.is_empty() {
        write!(text, "\"\" => ")?;
        terminal(text, &node.routes)?;
    }
    for (literal, child) in &node.literals {
        write!(text, "{literal:?} => ")?;
        self::node(text, child, depth + 1)?;
        writeln!(text, ",")?;
    }
    match &node.label {
        Some(child) => {
            // The end of the path is no label.
            if node.routes.is_empty() {
                writeln!(text, "\"\" => None,")?;
            }
            write!(text, "_ => ")?;
            self::node(text, child, depth + 1)?;
        }
        None => writeln!(text, "_ => None,")?,
    }
    writeln!(text, "}}")?;
    Ok(())
}

fn terminal(text: &mut String, routes: &[Route]) -> Result<()> {
    writeln!(text, "match method.as_str() {{")?;
    for Route { method, query, operation, labels } in routes {
        write!(text, "{method:?}")?;
        if let Some((key, value)) = query {
            write!(text, " if query.get({key:?}) == Some({value:?})")?;
        }
        let labels: Vec<String> = labels.iter().map(usize::to_string).collect();
        writeln!(text, " => found(Operation::{operation}, &[{}]),", labels.join(", "))?;
    }
    writeln!(text, "_ => None,\n}},")?;
    Ok(())
}

const HEAD: &str = r#"//! Methods and paths to operations.

use http::Method;

use super::operation::Operation;
use crate::error::Error;
use crate::labels::Labels;
use crate::protocol::rest_json::Segments;
use crate::query::Query;

/// The operation that a request asks for, and the labels of its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution<'a> {
    pub operation: Operation,
    pub labels: Labels<'a>,
}

/// Finds the operation of a request. The path is as it came (percent-encoded); a trailing slash is
/// accepted, an empty segment elsewhere is not.
pub fn resolve<'a>(method: &Method, path: &'a str, query: &Query<'_>) -> Option<Resolution<'a>> {
    let segments = Segments::split(path)?;
    let (operation, labels) = find(method, &segments, query)?;
    Some(Resolution { operation, labels: Labels::decode(labels.iter().map(|&at| segments.at(at))) })
}

/// What AWS answers to a request that [`resolve`] finds no operation for: it depends on whether the path
/// exists with another method.
pub fn unresolved(path: &str) -> Error {
    let query = Query::default();
    let methods = [Method::GET, Method::POST, Method::PUT, Method::DELETE];
    if methods.iter().any(|method| resolve(method, path, &query).is_some()) {
        Error::undetermined_operation()
    } else {
        Error::unknown_operation()
    }
}

type Found = (Operation, &'static [usize]);

const fn found(operation: Operation, labels: &'static [usize]) -> Option<Found> {
    Some((operation, labels))
}

fn find(method: &Method, segments: &Segments<'_>, query: &Query<'_>) -> Option<Found> {
"#;

const TAIL: &str = "}\n";
