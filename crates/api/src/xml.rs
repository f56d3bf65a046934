//! Writes XML straight into a buffer, in the form of AWS's Query protocol.

use std::fmt::{self, Display, Write as _};

use bytes::Bytes;

use crate::timestamp::Timestamp;

/// An XML text in the making. Members that are absent are left out, as AWS does.
#[derive(Debug, Default)]
pub(crate) struct XmlWriter {
    text: String,
}

/// A value that can be written as the content of an XML element.
pub(crate) trait EncodeXml {
    /// Writes the value.
    fn encode(&self, out: &mut XmlWriter);
}

impl XmlWriter {
    /// The XML text of one element in a namespace.
    pub(crate) fn document(name: &str, namespace: &'static str, content: impl FnOnce(&mut Self)) -> Bytes {
        let mut out = Self::default();
        out.nested(name, &format_args!("{name} xmlns=\"{namespace}\""), content);
        Bytes::from(out.text)
    }

    /// Adds an element with the content that `content` writes.
    pub(crate) fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.nested(name, &name, content);
    }

    /// Adds a member of a structure.
    pub(crate) fn member<T: EncodeXml + ?Sized>(&mut self, name: &str, value: &T) {
        self.element(name, |out| value.encode(out));
    }

    /// Adds a member of a structure if it has a value.
    pub(crate) fn optional<T: EncodeXml>(&mut self, name: &str, value: &Option<T>) {
        if let Some(value) = value {
            self.member(name, value);
        }
    }

    /// Adds text with the escapes it needs.
    pub(crate) fn text(&mut self, value: impl Display) {
        // Writing into memory cannot fail.
        let _ = write!(Escaped(&mut self.text), "{value}");
    }

    fn nested(&mut self, name: &str, start: &dyn Display, content: impl FnOnce(&mut Self)) {
        // Writing into memory cannot fail, here and below.
        let _ = write!(self.text, "<{start}>");
        let content_at = self.text.len();
        content(self);
        if self.text.len() == content_at {
            self.text.pop();
            self.text.push_str("/>");
        } else {
            let _ = write!(self.text, "</{name}>");
        }
    }
}

/// Escapes what is written through it.
struct Escaped<'t>(&'t mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                // A parser would make a line feed of it.
                '\r' => self.0.push_str("&#xD;"),
                '\t' | '\n' => self.0.push(character),
                // XML has no way to write these, not even escaped.
                '\0'..' ' | '\u{fffe}' | '\u{ffff}' => self.0.push(char::REPLACEMENT_CHARACTER),
                _ => self.0.push(character),
            }
        }
        Ok(())
    }
}

impl EncodeXml for str {
    fn encode(&self, out: &mut XmlWriter) {
        out.text(self);
    }
}

impl EncodeXml for String {
    fn encode(&self, out: &mut XmlWriter) {
        out.text(self);
    }
}

impl EncodeXml for bool {
    fn encode(&self, out: &mut XmlWriter) {
        out.text(self);
    }
}

impl EncodeXml for i32 {
    fn encode(&self, out: &mut XmlWriter) {
        out.text(self);
    }
}

impl EncodeXml for Timestamp {
    fn encode(&self, out: &mut XmlWriter) {
        out.text(self.iso8601());
    }
}

impl<T: EncodeXml> EncodeXml for Vec<T> {
    fn encode(&self, out: &mut XmlWriter) {
        for value in self {
            out.member("member", value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_elements_without_absent_members() {
        let text = XmlWriter::document("Root", "https://n/", |out| {
            out.member("Names", &vec!["a".to_owned(), "b".to_owned()]);
            out.optional("None", &None::<String>);
            out.optional("Some", &Some(true));
            out.element("Inner", |out| out.member("At", &Timestamp::from_milliseconds(1500)));
            out.member("Empty", "");
            out.member("EmptyList", &Vec::<i32>::new());
        });
        let expected = "<Root xmlns=\"https://n/\"><Names><member>a</member><member>b</member></Names>\
                        <Some>true</Some><Inner><At>1970-01-01T00:00:01Z</At></Inner><Empty/><EmptyList/></Root>";
        assert_eq!(text, expected);
    }

    #[test]
    fn text_cannot_leave_its_element() {
        let text = XmlWriter::document("R", "n", |out| out.text("</R>]]>&amp;\r\n\t\0\u{1f}\u{ffff}é\""));
        assert_eq!(text, "<R xmlns=\"n\">&lt;/R&gt;]]&gt;&amp;amp;&#xD;\n\t\u{fffd}\u{fffd}\u{fffd}é\"</R>");
    }
}
