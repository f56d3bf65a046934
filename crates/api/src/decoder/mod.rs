//! Turns untyped values into typed ones, collecting everything that is wrong with them.
//!
//! Three things can be wrong. A value of the wrong JSON type ends in `SerializationException`, and the
//! first one decides the answer. A value that breaks a constraint of the model ends in the service's
//! validation error, which names all of them, in the order of the model. What remains are values that
//! some services refuse one by one, in words of their own. The former go before the latter, as on AWS.

mod collections;
mod refusal;

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use self::refusal::{Mismatch, Segment, Shown};
use crate::constraint::{Length, NOT_NULL, Range, StringRule};
use crate::json::{self, Json, Object};
use crate::timestamp::Timestamp;

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
    /// The first refusal of a value in the service's own words.
    remark: Option<String>,
}

impl Decoder {
    pub(crate) const fn new(validation_code: &'static str) -> Self {
        Self {
            validation_code,
            path: Vec::new(),
            violations: Vec::new(),
            violation_count: 0,
            mismatch: None,
            remark: None,
        }
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
        self.check(&text, rule).then(|| text.into_owned())
    }

    /// A value of an enumeration under a rule.
    pub(crate) fn enumeration<T>(&mut self, value: Json<'_>, rule: &StringRule) -> Option<T>
    where
        T: for<'v> From<&'v str>,
    {
        let text = self.text(value)?;
        self.check(&text, rule).then(|| T::from(&text))
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

    /// Whether a string satisfies a rule; everything that it breaks is recorded.
    fn check(&mut self, text: &str, rule: &StringRule) -> bool {
        let mut accepted = true;
        for broken in rule.broken(text) {
            accepted = false;
            self.violation_unless_hidden(rule.sensitive, &text, &broken);
        }
        if let Some(remark) = rule.remark(text) {
            accepted = false;
            self.remark(remark);
        }
        accepted
    }

    fn text<'a>(&mut self, value: Json<'a>) -> Option<Cow<'a, str>> {
        match value {
            Json::String(text) | Json::Text(text) => Some(text),
            wrong => self.not_a(&wrong, "String"),
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
}
