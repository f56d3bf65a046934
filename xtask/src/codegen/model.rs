//! The service model as botocore writes it: what of it matters on the wire.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

#[derive(Deserialize)]
pub(super) struct Model {
    pub(super) metadata: Metadata,
    pub(super) operations: Ordered<Operation>,
    pub(super) shapes: Ordered<Shape>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) protocol: String,
    pub(super) service_full_name: String,
    pub(super) api_version: String,
    pub(super) target_prefix: Option<String>,
    /// The namespace of answers in XML.
    pub(super) xml_namespace: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Operation {
    pub(super) http: Http,
    pub(super) input: Option<Reference>,
    pub(super) output: Option<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Http {
    pub(super) method: String,
    pub(super) request_uri: String,
    pub(super) response_code: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reference {
    pub(super) shape: String,
    pub(super) location_name: Option<String>,
    /// The element that an output in XML is in.
    pub(super) result_wrapper: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shape {
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    #[serde(default)]
    pub(super) members: Ordered<Member>,
    #[serde(default)]
    pub(super) required: Vec<String>,
    /// The member that is the body.
    pub(super) payload: Option<String>,
    /// The entries of a list.
    pub(super) member: Option<Reference>,
    pub(super) key: Option<Reference>,
    pub(super) value: Option<Reference>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) pattern: Option<String>,
    #[serde(rename = "enum", default)]
    pub(super) values: Vec<String>,
    #[serde(default)]
    pub(super) sensitive: bool,
    #[serde(default)]
    pub(super) exception: bool,
    #[serde(default)]
    pub(super) fault: bool,
    #[serde(default)]
    pub(super) eventstream: bool,
    /// Whether a list or map of the Query protocol has no element of its own around its entries.
    #[serde(default)]
    pub(super) flattened: bool,
    pub(super) error: Option<ErrorTraits>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Structure,
    List,
    Map,
    String,
    Integer,
    Long,
    Double,
    Float,
    Boolean,
    Blob,
    Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Member {
    pub(super) shape: String,
    pub(super) location: Option<Location>,
    pub(super) location_name: Option<String>,
    #[serde(default)]
    pub(super) eventpayload: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(super) enum Location {
    Uri,
    Querystring,
    Header,
    StatusCode,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorTraits {
    /// The code on the wire, where it is not the shape's name.
    pub(super) code: Option<String>,
    pub(super) http_status_code: Option<u16>,
}

impl Shape {
    pub(super) fn is_required(&self, member: &str) -> bool {
        self.required.iter().any(|name| name == member)
    }

    pub(super) fn is_enumeration(&self) -> bool {
        !self.values.is_empty()
    }
}

impl Member {
    /// The name on the wire.
    pub(super) fn wire_name<'m>(&'m self, name: &'m str) -> &'m str {
        self.location_name.as_deref().unwrap_or(name)
    }
}

/// A JSON object in the order of its text.
pub(super) struct Ordered<V>(pub(super) Vec<(String, V)>);

impl<V> Ordered<V> {
    pub(super) fn get(&self, name: &str) -> Option<&V> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl<V> Default for Ordered<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Ordered<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OrderedVisitor(PhantomData))
    }
}

struct OrderedVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for OrderedVisitor<V> {
    type Value = Ordered<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Ordered<V>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Ordered(entries))
    }
}
