//! Writes JSON straight into a buffer.

use std::collections::BTreeMap;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::timestamp::Timestamp;

/// A JSON text in the making. Members that are absent are left out, as AWS does.
#[derive(Debug, Default)]
pub(crate) struct JsonWriter {
    text: Vec<u8>,
    /// Whether the innermost object or list already has an entry.
    has_entry: bool,
}

/// A value that can be written as JSON.
pub(crate) trait EncodeJson {
    /// Writes the value.
    fn encode(&self, out: &mut JsonWriter);
}

impl JsonWriter {
    /// The JSON text of one value.
    pub(crate) fn document(value: &impl EncodeJson) -> Bytes {
        let mut writer = Self::default();
        value.encode(&mut writer);
        Bytes::from(writer.text)
    }

    /// Writes an object with the members that `members` adds.
    pub(crate) fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.nested(b"{", b"}", members);
    }

    /// Adds a member to the current object.
    pub(crate) fn member<T: EncodeJson + ?Sized>(&mut self, name: &str, value: &T) {
        self.separate();
        self.string(name);
        self.text.push(b':');
        value.encode(self);
    }

    /// Adds a member to the current object if it has a value.
    pub(crate) fn optional<T: EncodeJson>(&mut self, name: &str, value: &Option<T>) {
        if let Some(value) = value {
            self.member(name, value);
        }
    }

    /// Writes a string with the escapes it needs.
    pub(crate) fn string(&mut self, text: &str) {
        // Writing a string into memory cannot fail.
        let _ = serde_json::to_writer(&mut self.text, text);
    }

    /// Writes `null`.
    pub(crate) fn null(&mut self) {
        self.text.extend_from_slice(b"null");
    }

    fn list<'v, T: EncodeJson + 'v>(&mut self, values: impl IntoIterator<Item = &'v T>) {
        self.nested(b"[", b"]", |out| {
            for value in values {
                out.separate();
                value.encode(out);
            }
        });
    }

    fn nested(&mut self, open: &[u8], close: &[u8], entries: impl FnOnce(&mut Self)) {
        self.text.extend_from_slice(open);
        self.has_entry = false;
        entries(self);
        self.text.extend_from_slice(close);
        self.has_entry = true;
    }

    fn separate(&mut self) {
        if self.has_entry {
            self.text.push(b',');
        }
        self.has_entry = true;
    }

    fn display(&mut self, value: impl std::fmt::Display) {
        // Writing into memory cannot fail.
        let _ = write!(self.text, "{value}");
    }
}

impl EncodeJson for str {
    fn encode(&self, out: &mut JsonWriter) {
        out.string(self);
    }
}

impl EncodeJson for String {
    fn encode(&self, out: &mut JsonWriter) {
        out.string(self);
    }
}

impl EncodeJson for bool {
    fn encode(&self, out: &mut JsonWriter) {
        out.display(self);
    }
}

impl EncodeJson for i32 {
    fn encode(&self, out: &mut JsonWriter) {
        out.display(self);
    }
}

impl EncodeJson for i64 {
    fn encode(&self, out: &mut JsonWriter) {
        out.display(self);
    }
}

impl EncodeJson for f64 {
    fn encode(&self, out: &mut JsonWriter) {
        // JSON has no word for infinities and NaN.
        if self.is_finite() { out.display(format_args!("{self:?}")) } else { out.null() }
    }
}

impl EncodeJson for Bytes {
    fn encode(&self, out: &mut JsonWriter) {
        out.text.push(b'"');
        let start = out.text.len();
        out.text.resize(start + base64::encoded_len(self.len(), true).unwrap_or(0), 0);
        let written = STANDARD.encode_slice(self, &mut out.text[start..]).unwrap_or(0);
        out.text.truncate(start + written);
        out.text.push(b'"');
    }
}

impl EncodeJson for Timestamp {
    fn encode(&self, out: &mut JsonWriter) {
        out.display(self);
    }
}

impl<T: EncodeJson> EncodeJson for Vec<T> {
    fn encode(&self, out: &mut JsonWriter) {
        out.list(self);
    }
}

impl<T: EncodeJson> EncodeJson for BTreeMap<String, T> {
    fn encode(&self, out: &mut JsonWriter) {
        out.object(|out| {
            for (name, value) in self {
                out.member(name, value);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sample;

    impl EncodeJson for Sample {
        fn encode(&self, out: &mut JsonWriter) {
            out.object(|out| {
                out.member("a", &vec![1_i32, 2]);
                out.optional("none", &None::<String>);
                out.member("b", &BTreeMap::from([("k\n".to_owned(), 0.5), ("l".to_owned(), 1.0)]));
                out.member("c", &Bytes::from_static(b"hello!?"));
                out.member("d", &Timestamp::from_milliseconds(1500));
                out.member("e", &f64::NAN);
                out.member("f", &Vec::<i64>::new());
                out.member("g", &true);
            });
        }
    }

    #[test]
    fn writes_valid_json_without_absent_members() {
        let text = JsonWriter::document(&Sample);
        let expected =
            r#"{"a":[1,2],"b":{"k\n":0.5,"l":1.0},"c":"aGVsbG8hPw==","d":1.5,"e":null,"f":[],"g":true}"#;
        assert_eq!(text, expected);
        serde_json::from_slice::<serde_json::Value>(&text).expect("valid JSON");
    }
}
