//! JSON as a policy holds it: read whole, with no member of an object twice.
//!
//! The grammar of policies forbids repeated members ("Individual elements must not contain multiple instances of the
//! same key"), and readers that keep the first or the last of them disagree on what a policy says.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::error::MalformedPolicy;
use crate::sigv4::echo;

/// A JSON value. How deep it may nest is limited by `serde_json` (128).
#[derive(Debug)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As text: conditions compare numbers as they compare text that holds numbers.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Object),
}

/// Members by name.
pub(super) type Object = BTreeMap<String, Json>;

impl Json {
    /// Reads a whole text.
    pub(super) fn parse(text: &str) -> Result<Self, MalformedPolicy> {
        serde_json::from_str(text).map_err(|error| MalformedPolicy::Json(echo(&error.to_string())))
    }

    /// The members of what must be an object.
    pub(super) fn object(self, element: &'static str) -> Result<Object, MalformedPolicy> {
        match self {
            Self::Object(members) => Ok(members),
            _ => Err(MalformedPolicy::Shape { element, wanted: "an object" }),
        }
    }

    /// What must be a string.
    pub(super) fn text(self, element: &'static str) -> Result<String, MalformedPolicy> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(MalformedPolicy::Shape { element, wanted: "a string" }),
        }
    }

    /// What must be a string or a list of strings.
    pub(super) fn texts(self, element: &'static str) -> Result<Vec<String>, MalformedPolicy> {
        const WANTED: &str = "a string or a list of strings";
        self.items()
            .into_iter()
            .map(|item| match item {
                Self::Text(text) => Ok(text),
                _ => Err(MalformedPolicy::Shape { element, wanted: WANTED }),
            })
            .collect()
    }

    /// The values of a condition: a string, a number, a boolean, or a list of them, all as text.
    pub(super) fn scalars(self, element: &'static str) -> Result<Vec<String>, MalformedPolicy> {
        const WANTED: &str = "a string, a number, a boolean or a list of these";
        self.items()
            .into_iter()
            .map(|item| match item {
                Self::Text(text) | Self::Number(text) => Ok(text),
                Self::Bool(value) => Ok(value.to_string()),
                _ => Err(MalformedPolicy::Shape { element, wanted: WANTED }),
            })
            .collect()
    }

    /// The items of a list; anything else as the only item.
    pub(super) fn items(self) -> Vec<Self> {
        match self {
            Self::List(items) => items,
            other => vec![other],
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = Object::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom(format_args!("there is more than one {name}")));
            }
            members.insert(name, map.next_value()?);
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_members_are_refused() {
        let error = Json::parse(r#"{"Effect": "Deny", "Effect": "Allow"}"#).unwrap_err();
        assert!(error.to_string().contains("there is more than one Effect"), "{error}");
    }

    #[test]
    fn scalars_are_text() {
        let values = Json::parse(r#"["a", 1, -2, 2.5, true]"#).unwrap().scalars("Condition").unwrap();
        assert_eq!(values, ["a", "1", "-2", "2.5", "true"]);
        assert!(Json::parse("[null]").unwrap().scalars("Condition").is_err());
        assert!(Json::parse("[[]]").unwrap().scalars("Condition").is_err());
    }

    #[test]
    fn depth_is_limited() {
        let deep = "[".repeat(100_000);
        assert!(Json::parse(&deep).is_err());
    }
}
