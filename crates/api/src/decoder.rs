//! Turns untyped values into typed ones, collecting everything that is wrong with them.
//!
//! Two things can be wrong. A value of the wrong JSON type ends in `SerializationException`, and the
//! first one decides the answer. A value that breaks a constraint of the model ends in the service's
//! validation error, which names all of them, in the order of the model. The former goes before the
//! latter, as on AWS.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::StatusCode;

use crate::constraint::{Length, NOT_NULL, Range, StringRule};
use crate::error::Error;
use crate::json::{self, Json, Object};
use crate::timestamp::Timestamp;

/// Further violations are counted but not described, so that an error's size stays bounded.
const MOST_DESCRIBED: usize = 100;

/// Values longer than this many bytes are cut off when they are printed.
const MOST_PRINTED: usize = 65_536;

/// Base64 as AWS's clients send it: padding is accepted but not asked for.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes the members of one request.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// The code of the error that names broken constraints.
    validation_code: &'static str,
    path: Vec<Segment>,
    violations: Vec<String>,
    violation_count: usize,
    mismatch: Option<Mismatch>,
}

/// A step of the path to a member.
#[derive(Clone, Copy, Debug)]
enum Segment {
    Member(&'static str),
    /// The nth entry of a list, from 1.
    Entry(usize),
    /// The value of the nth entry of a map, from 1.
    MapValue(usize),
}

/// The body is not what the protocol asks for; without a text if it is not JSON at all.
#[derive(Debug)]
struct Mismatch(Option<Cow<'static, str>>);

impl Decoder {
    pub(crate) const fn new(validation_code: &'static str) -> Self {
        Self { validation_code, path: Vec::new(), violations: Vec::new(), violation_count: 0, mismatch: None }
    }

    /// Reads a body whose members are the input's: an empty one is an object without members.
    pub(crate) fn body<'a>(&mut self, body: &'a [u8]) -> Object<'a> {
        match self.document(body) {
            Json::Object(members) => return members,
            Json::Null => {}
            list @ Json::List(_) => drop(self.structure(list)),
            // Any other value is answered like a text that is not JSON.
            _ => {
                self.mismatch.get_or_insert(Mismatch(None));
            }
        }
        Object::default()
    }

    /// Reads a body that is one value: an empty one is null.
    pub(crate) fn document<'a>(&mut self, body: &'a [u8]) -> Json<'a> {
        if body.is_empty() {
            return Json::Null;
        }
        json::parse(body).unwrap_or_else(|_| {
            self.mismatch.get_or_insert(Mismatch(None));
            Json::Null
        })
    }

    /// A member that may be absent.
    pub(crate) fn optional<'a, T>(
        &mut self,
        name: &'static str,
        value: Json<'a>,
        decode: impl FnOnce(&mut Self, Json<'a>) -> Option<T>,
    ) -> Option<T> {
        if matches!(value, Json::Null) {
            return None;
        }
        self.within(Segment::Member(name), |decoder| decode(decoder, value))
    }

    /// A member that must be there.
    pub(crate) fn required<'a, T>(
        &mut self,
        name: &'static str,
        value: Json<'a>,
        decode: impl FnOnce(&mut Self, Json<'a>) -> Option<T>,
    ) -> Option<T> {
        self.within(Segment::Member(name), |decoder| {
            if matches!(value, Json::Null) {
                decoder.violation(Shown::Null, NOT_NULL);
                return None;
            }
            decode(decoder, value)
        })
    }

    /// The members of a structure.
    pub(crate) fn structure<'a>(&mut self, value: Json<'a>) -> Option<Object<'a>> {
        match value {
            Json::Object(object) => Some(object),
            Json::List(_) => self.mismatch("Start of list found where not expected"),
            _ => self.mismatch("Expected null"),
        }
    }

    /// A string under a rule.
    pub(crate) fn string(&mut self, value: Json<'_>, rule: &StringRule) -> Option<String> {
        let text = self.text(value)?;
        let mut accepted = true;
        for broken in rule.broken(&text) {
            accepted = false;
            self.violation_unless_hidden(rule.sensitive, &text, &broken);
        }
        accepted.then(|| text.into_owned())
    }

    /// A value of an enumeration under a rule.
    pub(crate) fn enumeration<T: From<String>>(&mut self, value: Json<'_>, rule: &StringRule) -> Option<T> {
        self.string(value, rule).map(T::from)
    }

    /// A 32-bit integer under a rule.
    pub(crate) fn integer(&mut self, value: Json<'_>, range: &Range<i32>) -> Option<i32> {
        let number = self.whole_number(&value, "Integer")?;
        // AWS lets a number that is out of the type's range run into the constraint.
        let clamped = i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX });
        self.in_range(value, clamped, range)
    }

    /// A 64-bit integer under a rule.
    pub(crate) fn long(&mut self, value: Json<'_>, range: &Range<i64>) -> Option<i64> {
        let number = self.whole_number(&value, "Long")?;
        self.in_range(value, number, range)
    }

    /// A floating-point number under a rule.
    pub(crate) fn double(&mut self, value: Json<'_>, range: &Range<f64>) -> Option<f64> {
        let number = match &value {
            Json::Integer(number) => Some(*number as f64),
            Json::Float(number) => Some(*number),
            Json::Text(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        };
        let Some(number) = number else { return self.not_a(&value, "Double") };
        self.in_range(Json::Float(number), number, range)
    }

    /// A boolean.
    pub(crate) fn boolean(&mut self, value: Json<'_>) -> Option<bool> {
        match &value {
            Json::Bool(value) => Some(*value),
            Json::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Json::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => self.not_a(&value, "Boolean"),
        }
    }

    /// A timestamp: seconds in JSON, ISO 8601 elsewhere.
    pub(crate) fn timestamp(&mut self, value: Json<'_>) -> Option<Timestamp> {
        let timestamp = match &value {
            Json::Integer(seconds) => Some(Timestamp::from_seconds(*seconds as f64)),
            Json::Float(seconds) => Some(Timestamp::from_seconds(*seconds)),
            Json::String(text) | Json::Text(text) => Timestamp::parse_iso8601(text).ok(),
            _ => None,
        };
        match timestamp {
            Some(timestamp) => Some(timestamp),
            None => self.not_a(&value, "Timestamp"),
        }
    }

    /// A blob, which JSON carries in base64.
    pub(crate) fn blob(&mut self, value: Json<'_>, length: &Length) -> Option<Bytes> {
        let text = self.text(value)?;
        let Ok(blob) = BASE64.decode(text.as_bytes()) else {
            return self.mismatch("Unable to decode base64 input");
        };
        self.bounded_blob(Bytes::from(blob), length)
    }

    /// A member that is the body as it came.
    pub(crate) fn payload(&mut self, name: &'static str, body: Bytes, length: &Length) -> Option<Bytes> {
        self.within(Segment::Member(name), |decoder| decoder.bounded_blob(body, length))
    }

    fn bounded_blob(&mut self, blob: Bytes, length: &Length) -> Option<Bytes> {
        match length.broken(blob.len() as u64) {
            // What a blob holds is never printed.
            Some(broken) => self.violation(Shown::Hidden, &broken),
            None => return Some(blob),
        }
        None
    }

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
        let object = self.map(value, length, keys, false)?;
        let mut accepted = true;
        for (_, value) in object.members() {
            match value {
                Json::Null => accepted = false,
                Json::Integer(number) => accepted &= values.broken(*number as f64).is_none(),
                Json::Float(number) => accepted &= values.broken(*number).is_none(),
                wrong => return self.not_a(wrong, "Double"),
            }
        }
        let object = self.check_map_values(object, accepted, values.texts(), false)?;
        let numbers = object.into_members().into_iter().filter_map(|(key, value)| match value {
            Json::Integer(number) => Some((key.into_owned(), number as f64)),
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

    /// The input, if nothing was wrong.
    pub(crate) fn finish<T>(self, input: T) -> Result<T, Error> {
        if self.mismatch.is_none() && self.violation_count == 0 { Ok(input) } else { Err(self.into_error()) }
    }

    /// What was wrong.
    pub(crate) fn into_error(self) -> Error {
        if let Some(Mismatch(text)) = self.mismatch {
            return Error::serialization(text.map(Cow::into_owned));
        }
        let errors = if self.violation_count == 1 { "error" } else { "errors" };
        let count = self.violation_count;
        let message = format!("{count} validation {errors} detected: {}", self.violations.join("; "));
        Error::front_end(self.validation_code, StatusCode::BAD_REQUEST, Some(message))
    }

    fn within<T>(&mut self, segment: Segment, decode: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(segment);
        let decoded = decode(self);
        self.path.pop();
        decoded
    }

    fn text<'a>(&mut self, value: Json<'a>) -> Option<Cow<'a, str>> {
        match value {
            Json::String(text) | Json::Text(text) => Some(text),
            wrong => self.not_a(&wrong, "String"),
        }
    }

    fn list<'a>(&mut self, value: Json<'a>) -> Option<Vec<Json<'a>>> {
        match value {
            Json::List(entries) => Some(entries),
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

    fn whole_number(&mut self, value: &Json<'_>, kind: &'static str) -> Option<i64> {
        match value {
            Json::Integer(number) => Some(*number),
            // Fractions are cut off, as on AWS; the cast saturates.
            Json::Float(number) => Some(*number as i64),
            Json::Text(text) => match text.parse() {
                Ok(number) => Some(number),
                Err(_) => self.not_a(value, kind),
            },
            _ => self.not_a(value, kind),
        }
    }

    fn in_range<N: PartialOrd + Copy + std::fmt::Debug>(
        &mut self,
        value: Json<'_>,
        number: N,
        range: &Range<N>,
    ) -> Option<N> {
        let Some(broken) = range.broken(number) else { return Some(number) };
        self.violation(Shown::Value(&value), &broken);
        None
    }

    /// Records that a value has the wrong JSON type.
    fn not_a<T>(&mut self, value: &Json<'_>, kind: &'static str) -> Option<T> {
        let found = match value {
            Json::List(_) => return self.mismatch("Start of list found where not expected"),
            Json::Object(_) => return self.mismatch("Start of structure or map found where not expected."),
            Json::Null => "NULL_VALUE",
            Json::Bool(true) => "TRUE_VALUE",
            Json::Bool(false) => "FALSE_VALUE",
            Json::Integer(_) | Json::Float(_) => "NUMBER_VALUE",
            Json::String(_) | Json::Text(_) => "STRING_VALUE",
        };
        let article = if kind.starts_with(['I', 'A', 'E', 'O', 'U']) { "an" } else { "a" };
        self.mismatch(format!("{found} can not be converted to {article} {kind}"))
    }

    fn mismatch<T>(&mut self, text: impl Into<Cow<'static, str>>) -> Option<T> {
        self.mismatch.get_or_insert_with(|| Mismatch(Some(text.into())));
        None
    }

    fn violation_unless_hidden(&mut self, hidden: bool, value: &dyn Display, constraint: &str) {
        self.violation(if hidden { Shown::Hidden } else { Shown::Value(value) }, constraint);
    }

    /// Records a broken constraint.
    fn violation(&mut self, value: Shown<'_>, constraint: &str) {
        self.violation_count += 1;
        if self.violations.len() == MOST_DESCRIBED {
            return;
        }
        let value = match value {
            Shown::Null => " null".to_owned(),
            Shown::Hidden => String::new(),
            Shown::Value(value) => format!(" '{}'", cut(&value.to_string())),
        };
        let path = self.printed_path();
        self.violations.push(format!("Value{value} at '{path}' failed to satisfy constraint: {constraint}"));
    }

    fn printed_path(&self) -> String {
        let mut path = String::new();
        for segment in &self.path {
            let dot = if path.is_empty() { "" } else { "." };
            // Writing into a string cannot fail.
            let _ = match segment {
                Segment::Member(name) => write!(path, "{dot}{name}"),
                Segment::Entry(index) => write!(path, "{dot}{index}.member"),
                Segment::MapValue(index) => write!(path, "{dot}{index}.value"),
            };
        }
        path
    }
}

/// The value that a violation names.
#[derive(Clone, Copy)]
enum Shown<'v> {
    /// There is none.
    Null,
    /// There is one, but it is sensitive.
    Hidden,
    Value(&'v dyn Display),
}

/// The constraints of an entry of a list or map, which may never be null.
fn bracketed(mut texts: Vec<String>) -> String {
    texts.push(NOT_NULL.to_owned());
    format!("[{}]", texts.join(", "))
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MOST_PRINTED)]
}
