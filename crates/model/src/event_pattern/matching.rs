//! Whether an event is what a pattern says.
//!
//! The work is bounded by the size of the event times that of the pattern: absence, the only thing that concerns more
//! than the object at hand, is looked into once, before.

use std::net::IpAddr;

use serde_json::{Map, Number, Value};

use super::{EventPattern, Fields, Interval, Leaf, Matcher, Network, Node, Place, Text, Wildcard};

type Object = Map<String, Value>;

pub(super) fn matches(pattern: &EventPattern, event: &Value) -> bool {
    let Value::Object(event) = event else {
        return false;
    };
    let mut absent = vec![false; pattern.absences];
    if pattern.absences > 0 {
        note_absences(&pattern.root, &[event], &mut absent);
    }
    fields_match(&pattern.root, Some(event), &absent)
}

/// Notes for each leaf that asks for it whether the event has no value there: in none of the objects that the path
/// leads to. An object is not a value, nor is an empty array.
fn note_absences(fields: &Fields, objects: &[&Object], absent: &mut [bool]) {
    for (name, node) in &fields.fields {
        match node {
            Node::Leaf(Leaf { absence: Some(number), .. }) => {
                absent[*number] = !objects.iter().any(|object| object.get(name).is_some_and(has_leaf));
            }
            Node::Leaf(_) => {}
            Node::Object(inner) => {
                let mut below = Vec::new();
                objects.iter().filter_map(|object| object.get(name)).for_each(|value| {
                    collect_objects(value, &mut below);
                });
                note_absences(inner, &below, absent);
            }
        }
    }
    for alternative in &fields.alternatives {
        note_absences(alternative, objects, absent);
    }
}

fn has_leaf(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_leaf),
        Value::Object(_) => false,
        _ => true,
    }
}

/// The value itself if it is an object, or the objects within an array.
fn collect_objects<'a>(value: &'a Value, objects: &mut Vec<&'a Object>) {
    match value {
        Value::Object(object) => objects.push(object),
        Value::Array(items) => items.iter().for_each(|item| collect_objects(item, objects)),
        _ => {}
    }
}

/// `here` is `None` where the event has no object: there only absence matches.
fn fields_match(fields: &Fields, here: Option<&Object>, absent: &[bool]) -> bool {
    let all = fields.fields.iter().all(|(name, node)| {
        let value = here.and_then(|object| object.get(name));
        match node {
            Node::Leaf(leaf) => {
                leaf.absence.is_some_and(|number| absent[number])
                    || value.is_some_and(|value| leaf_matches(leaf, value))
            }
            Node::Object(inner) => object_matches(inner, value, absent),
        }
    });
    let alternatives = &fields.alternatives;
    all && (alternatives.is_empty()
        || alternatives.iter().any(|alternative| fields_match(alternative, here, absent)))
}

fn object_matches(fields: &Fields, value: Option<&Value>, absent: &[bool]) -> bool {
    let mut objects = Vec::new();
    if let Some(value) = value {
        collect_objects(value, &mut objects);
    }
    if objects.is_empty() {
        return fields_match(fields, None, absent);
    }
    objects.into_iter().any(|object| fields_match(fields, Some(object), absent))
}

fn leaf_matches(leaf: &Leaf, value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| leaf_matches(leaf, item)),
        Value::Object(_) => false,
        value => leaf.matchers.iter().any(|matcher| matcher.matches(value)),
    }
}

impl Matcher {
    /// `value` is neither an array nor an object.
    fn matches(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Exists, _) | (Self::Null, Value::Null) => true,
            (Self::AnythingBut(excluded), value) => !excluded.iter().any(|matcher| matcher.matches(value)),
            (Self::Boolean(expected), Value::Bool(value)) => expected == value,
            (Self::Number(expected), Value::Number(value)) => same_number(expected, value),
            (Self::Numeric(interval), Value::Number(value)) => {
                value.as_f64().is_some_and(|value| interval.contains(value))
            }
            (Self::Text(text, place), Value::String(value)) => text.is_in(*place, value),
            (Self::Wildcard(wildcard), Value::String(value)) => wildcard.matches(value),
            (Self::Cidr(network), Value::String(value)) => {
                value.parse().is_ok_and(|address| network.contains(address))
            }
            _ => false,
        }
    }
}

/// Numbers are compared by value, whole ones to the last digit.
fn same_number(a: &Number, b: &Number) -> bool {
    a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64()
}

impl Text {
    fn is_in(&self, place: Place, value: &str) -> bool {
        let lower = self.ignores_case.then(|| value.to_lowercase());
        let value = lower.as_deref().unwrap_or(value);
        match place {
            Place::Whole => value == self.text,
            Place::Start => value.starts_with(&self.text),
            Place::End => value.ends_with(&self.text),
        }
    }
}

impl Wildcard {
    fn matches(&self, value: &str) -> bool {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return self.pieces.first().is_some_and(|only| only == value);
        };
        let Some(rest) = value.strip_prefix(first.as_str()) else {
            return false;
        };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else {
            return false;
        };
        for piece in middle {
            match rest.find(piece.as_str()) {
                Some(start) => rest = &rest[start + piece.len()..],
                None => return false,
            }
        }
        true
    }
}

impl Interval {
    fn contains(&self, value: f64) -> bool {
        let above = self.low.is_none_or(|low| value > low.value || low.inclusive && value == low.value);
        let below = self.high.is_none_or(|high| value < high.value || high.inclusive && value == high.value);
        above && below
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix_length)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix_length)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}
