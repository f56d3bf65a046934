//! Lists and maps.
//!
//! An entry that is a plain value and breaks its rule is a violation of the whole collection, which
//! states the rule in full; a structure within a collection has violations of its own.

use std::collections::BTreeMap;

use super::refusal::{Segment, Shown};
use super::{Decoder, Json, Length, NOT_NULL, Object, Range, StringRule};

impl Decoder {
    /// A list of strings or enumeration values, all under one rule.
    ///
    /// An entry that breaks the rule is a violation of the list, which states the whole rule.
    pub(crate) fn strings<T: From<String>>(
        &mut self,
        value: Json<'_>,
        length: &Length,
        rule: &StringRule,
    ) -> Option<Vec<T>> {
        let entries = self.list(value)?;
        let printed = Json::List(entries);
        self.check_length(length, &printed, rule.sensitive);
        let Json::List(entries) = &printed else { return None };
        let accepted = entries.iter().try_fold(true, |accepted, entry| match entry {
            Json::Null => Some(false),
            Json::String(text) | Json::Text(text) => Some(accepted && rule.accepts(text)),
            wrong => self.not_a(wrong, "String"),
        })?;
        if !accepted {
            let text = format!("Member must satisfy constraint: {}", bracketed(rule.texts()));
            self.violation_unless_hidden(rule.sensitive, &printed, &text);
        }
        let Json::List(entries) = printed else { return None };
        let texts = entries.into_iter().filter_map(|entry| match entry {
            Json::String(text) | Json::Text(text) => Some(T::from(text.into_owned())),
            _ => None,
        });
        Some(texts.collect())
    }

    /// A list of structures.
    pub(crate) fn structures<'a, T>(
        &mut self,
        value: Json<'a>,
        length: &Length,
        decode: impl Fn(&mut Self, Json<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let printed = Json::List(self.list(value)?);
        self.check_length(length, &printed, false);
        let Json::List(entries) = printed else { return None };
        let mut decoded = Vec::with_capacity(entries.len());
        let mut complete = true;
        for (index, entry) in entries.into_iter().enumerate() {
            let entry = self.within(Segment::Entry(index + 1), |decoder| {
                if matches!(entry, Json::Null) {
                    decoder.violation(Shown::Null, NOT_NULL);
                    return None;
                }
                decode(decoder, entry)
            });
            complete &= entry.is_some();
            decoded.extend(entry);
        }
        complete.then_some(decoded)
    }

    /// A map from strings to strings, each side under one rule.
    pub(crate) fn string_map(
        &mut self,
        value: Json<'_>,
        length: &Length,
        keys: &StringRule,
        values: &StringRule,
        sensitive: bool,
    ) -> Option<BTreeMap<String, String>> {
        let hidden = sensitive || values.sensitive;
        let object = self.map(value, length, keys, hidden)?;
        let mut accepted = true;
        for (_, value) in object.members() {
            match value {
                Json::Null => accepted = false,
                Json::String(text) => accepted &= values.accepts(text),
                wrong => return self.not_a(wrong, "String"),
            }
        }
        let object = self.check_map_values(object, accepted, values.texts(), hidden)?;
        let texts = object.into_members().into_iter().filter_map(|(key, value)| match value {
            Json::String(text) => Some((key.into_owned(), text.into_owned())),
            _ => None,
        });
        Some(texts.collect())
    }

    /// A map from strings to numbers, each side under one rule.
    pub(crate) fn double_map(
        &mut self,
        value: Json<'_>,
        length: &Length,
        keys: &StringRule,
        values: &Range<f64>,
    ) -> Option<BTreeMap<String, f64>> {
        // Whole numbers are printed as the doubles that they are.
        let object = self.structure(value)?.map_values(|value| match value {
            Json::Integer(number) => Json::Float(number as f64),
            other => other,
        });
        let object = self.map(Json::Object(object), length, keys, false)?;
        let mut accepted = true;
        for (_, value) in object.members() {
            match value {
                Json::Null => accepted = false,
                Json::Float(number) => accepted &= values.broken(*number).is_none(),
                wrong => return self.not_a(wrong, "Double"),
            }
        }
        let object = self.check_map_values(object, accepted, values.texts(), false)?;
        let numbers = object.into_members().into_iter().filter_map(|(key, value)| match value {
            Json::Float(number) => Some((key.into_owned(), number)),
            _ => None,
        });
        Some(numbers.collect())
    }

    /// A map from strings to anything else.
    pub(crate) fn map_of<'a, T>(
        &mut self,
        value: Json<'a>,
        length: &Length,
        keys: &StringRule,
        decode: impl Fn(&mut Self, Json<'a>) -> Option<T>,
    ) -> Option<BTreeMap<String, T>> {
        let object = self.map(value, length, keys, false)?;
        let mut decoded = BTreeMap::new();
        let mut complete = true;
        for (index, (key, value)) in object.into_members().into_iter().enumerate() {
            let value = self.within(Segment::MapValue(index + 1), |decoder| {
                if matches!(value, Json::Null) {
                    decoder.violation(Shown::Null, NOT_NULL);
                    return None;
                }
                decode(decoder, value)
            });
            complete &= value.is_some();
            decoded.extend(value.map(|value| (key.into_owned(), value)));
        }
        complete.then_some(decoded)
    }

    fn list<'a>(&mut self, value: Json<'a>) -> Option<Vec<Json<'a>>> {
        match value {
            Json::List(entries) => Some(entries),
            // A form has no other way to spell an empty list.
            Json::Text(text) if text.is_empty() => Some(Vec::new()),
            Json::Object(_) => self.mismatch("Start of structure or map found where not expected."),
            _ => self.mismatch("Expected list or null"),
        }
    }

    /// The members of a map whose length and keys are checked.
    fn map<'a>(
        &mut self,
        value: Json<'a>,
        length: &Length,
        keys: &StringRule,
        sensitive: bool,
    ) -> Option<Object<'a>> {
        let object = self.structure(value)?;
        let count = object.len() as u64;
        let keys_accepted = object.members().iter().all(|(key, _)| keys.accepts(key));
        let printed = Json::Object(object);
        if let Some(broken) = length.broken(count) {
            self.violation_unless_hidden(sensitive, &printed, &broken);
        }
        if !keys_accepted {
            let text = format!("Map keys must satisfy constraint: {}", bracketed(keys.texts()));
            self.violation_unless_hidden(sensitive, &printed, &text);
        }
        let Json::Object(object) = printed else { return None };
        Some(object)
    }

    fn check_map_values<'a>(
        &mut self,
        object: Object<'a>,
        accepted: bool,
        texts: Vec<String>,
        sensitive: bool,
    ) -> Option<Object<'a>> {
        let printed = Json::Object(object);
        if !accepted {
            let text = format!("Map value must satisfy constraint: {}", bracketed(texts));
            self.violation_unless_hidden(sensitive, &printed, &text);
        }
        let Json::Object(object) = printed else { return None };
        Some(object)
    }

    fn check_length(&mut self, length: &Length, list: &Json<'_>, sensitive: bool) {
        let Json::List(entries) = list else { return };
        if let Some(broken) = length.broken(entries.len() as u64) {
            self.violation_unless_hidden(sensitive, list, &broken);
        }
    }
}

/// The constraints of an entry of a list or map, which may never be null.
fn bracketed(mut texts: Vec<String>) -> String {
    texts.push(NOT_NULL.to_owned());
    format!("[{}]", texts.join(", "))
}
