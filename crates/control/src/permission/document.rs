//! Policy documents as text: what is in them stays as it was written when statements come and go.

use rushlight_auth::policy::{Document as Compiled, Kind};
use rushlight_model::permission::ResourcePolicy;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{Error, Result};

/// A document, taken apart.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Document {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Box<RawValue>>,
    #[serde(deserialize_with = "one_or_many")]
    statement: Vec<Box<RawValue>>,
}

/// The part of a statement that tells it from others.
#[derive(Deserialize)]
struct Named {
    #[serde(default, rename = "Sid")]
    sid: Option<String>,
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Vec<Box<RawValue>>, D::Error> {
    let statement = Box::<RawValue>::deserialize(deserializer)?;
    match statement.get().starts_with('[') {
        true => serde_json::from_str(statement.get()).map_err(serde::de::Error::custom),
        false => Ok(vec![statement]),
    }
}

impl Document {
    /// A document without statements, as AddPermission begins one.
    pub(super) fn new() -> Self {
        let text = |text: &str| RawValue::from_string(text.to_owned()).ok();
        Self { version: text("\"2012-10-17\""), id: text("\"default\""), statement: Vec::new() }
    }

    /// Takes a document apart that was kept, and so has been [checked](check).
    pub(super) fn read(policy: &ResourcePolicy) -> Result<Self> {
        serde_json::from_str(&policy.document).map_err(|_| Error::PolicyLost)
    }

    pub(super) fn has(&self, sid: &str) -> bool {
        self.statement.iter().any(|statement| is_named(statement, sid))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.statement.is_empty()
    }

    /// Adds a statement in JSON.
    pub(super) fn add(&mut self, statement: &str) -> Result<()> {
        self.statement.push(RawValue::from_string(statement.to_owned()).map_err(|_| Error::PolicyLost)?);
        Ok(())
    }

    /// Takes a statement out; whether there was one.
    pub(super) fn remove(&mut self, sid: &str) -> bool {
        let before = self.statement.len();
        self.statement.retain(|statement| !is_named(statement, sid));
        self.statement.len() < before
    }

    pub(super) fn text(&self) -> String {
        // Texts that are JSON already can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn is_named(statement: &RawValue, sid: &str) -> bool {
    serde_json::from_str::<Named>(statement.get()).is_ok_and(|named| named.sid.as_deref() == Some(sid))
}

/// Reads a document as it is evaluated; one that is not understood as a whole is refused.
pub(super) fn check(text: &str) -> Result<Compiled> {
    if text.len() > ResourcePolicy::MAX_BYTES {
        return Err(Error::PolicyTooLong { bytes: text.len(), limit: ResourcePolicy::MAX_BYTES });
    }
    Compiled::parse(text, Kind::Resource).map_err(|malformed| Error::invalid(malformed.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(document: &str) -> Document {
        Document::read(&ResourcePolicy { document: document.to_owned() }).unwrap()
    }

    #[test]
    fn what_was_written_stays_as_it_was() {
        let mut document =
            read(r#"{ "Statement" : { "Sid": "a", "Effect" : "Allow" }, "Version":"2008-10-17" }"#);
        document.add(r#"{"Sid":"b"}"#).unwrap();
        assert_eq!(
            document.text(),
            r#"{"Version":"2008-10-17","Statement":[{ "Sid": "a", "Effect" : "Allow" },{"Sid":"b"}]}"#
        );
        assert!(document.has("a") && document.has("b") && !document.has("c"));
        assert!(document.remove("a") && !document.remove("a"));
        assert_eq!(document.text(), r#"{"Version":"2008-10-17","Statement":[{"Sid":"b"}]}"#);
        assert!(document.remove("b") && document.is_empty());
    }

    #[test]
    fn names_are_compared_as_they_are_meant() {
        assert!(read(r#"{"Statement":[{"Effect":"Deny"},{"S\u0069d":"\u0061"}]}"#).has("a"));
    }

    #[test]
    fn a_new_document_begins_as_aws_begins_it() {
        assert_eq!(Document::new().text(), r#"{"Version":"2012-10-17","Id":"default","Statement":[]}"#);
    }
}
