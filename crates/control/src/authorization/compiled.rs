//! Policies of resources, compiled once.
//!
//! They are kept as text with what they belong to; the same text always compiles to the same.

use std::collections::HashMap;

use parking_lot::RwLock;
use rushlight_auth::policy::{Document, Kind};

use crate::error::{Error, Result};

/// How many are kept. A policy is 20 KB at most, and usually a few hundred bytes.
const LIMIT: usize = 4096;

#[derive(Default)]
pub(crate) struct CompiledPolicies(RwLock<HashMap<Box<str>, Document>>);

impl CompiledPolicies {
    /// The document that was [checked](crate::permission) when it was put.
    pub(super) fn get(&self, text: &str) -> Result<Document> {
        if let Some(known) = self.0.read().get(text) {
            return Ok(known.clone());
        }
        // What cannot be read any more lets nobody in.
        let document = Document::parse(text, Kind::Resource).map_err(|_| Error::PolicyLost)?;
        let mut known = self.0.write();
        if known.len() >= LIMIT {
            known.clear();
        }
        known.insert(text.into(), document.clone());
        Ok(document)
    }
}
