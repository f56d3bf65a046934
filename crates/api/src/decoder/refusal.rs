//! What is wrong with a request, and the error that says so.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};

use http::StatusCode;

use super::{Decoder, Json};
use crate::error::Error;

/// Further violations are counted but not described, so that an error's size stays bounded.
const MOST_DESCRIBED: usize = 100;

/// Values longer than this many bytes are cut off when they are printed.
const MOST_PRINTED: usize = 65_536;

/// A step of the path to a member.
#[derive(Clone, Copy, Debug)]
pub(super) enum Segment {
    Member(&'static str),
    /// The nth entry of a list, from 1.
    Entry(usize),
    /// The value of the nth entry of a map, from 1.
    MapValue(usize),
}

/// The body is not what the protocol asks for; without a text if it is not JSON at all.
#[derive(Debug)]
pub(super) struct Mismatch(pub(super) Option<Cow<'static, str>>);

/// The value that a violation names.
#[derive(Clone, Copy)]
pub(super) enum Shown<'v> {
    /// There is none.
    Null,
    /// There is one, but it is sensitive.
    Hidden,
    Value(&'v dyn Display),
}

impl Decoder {
    pub(super) fn within<T>(&mut self, segment: Segment, decode: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(segment);
        let decoded = decode(self);
        self.path.pop();
        decoded
    }

    /// Records that a value has the wrong JSON type.
    pub(super) fn not_a<T>(&mut self, value: &Json<'_>, kind: &'static str) -> Option<T> {
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

    pub(super) fn mismatch<T>(&mut self, text: impl Into<Cow<'static, str>>) -> Option<T> {
        self.mismatch.get_or_insert_with(|| Mismatch(Some(text.into())));
        None
    }

    pub(super) fn violation_unless_hidden(&mut self, hidden: bool, value: &dyn Display, constraint: &str) {
        self.violation(if hidden { Shown::Hidden } else { Shown::Value(value) }, constraint);
    }

    /// Records a broken constraint.
    pub(super) fn violation(&mut self, value: Shown<'_>, constraint: &str) {
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

    /// Records that the service itself refuses a value.
    pub(super) fn remark(&mut self, remark: &str) {
        let path = self.printed_path();
        self.remark.get_or_insert_with(|| format!("The specified value for {path} is invalid. {remark}"));
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

    /// The input, if nothing was wrong.
    pub(crate) fn finish<T>(self, input: T) -> Result<T, Error> {
        let accepted = self.mismatch.is_none() && self.violation_count == 0 && self.remark.is_none();
        if accepted { Ok(input) } else { Err(self.into_error()) }
    }

    /// What was wrong.
    pub(crate) fn into_error(self) -> Error {
        if let Some(Mismatch(text)) = self.mismatch {
            return Error::serialization(text.map(Cow::into_owned));
        }
        let message = match (self.violation_count, self.remark) {
            // A decoder gave up without a word: a fault of ours.
            (0, None) => return Error::internal_failure(),
            (0, Some(remark)) => remark,
            (count, _) => {
                let errors = if count == 1 { "error" } else { "errors" };
                format!("{count} validation {errors} detected: {}", self.violations.join("; "))
            }
        };
        Error::front_end(self.validation_code, StatusCode::BAD_REQUEST, Some(message))
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MOST_PRINTED)]
}
