//! The labels of a path: the parts of `/2015-03-31/functions/{FunctionName}` that vary.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::json::Json;

/// No operation has more labels than this (`LayerName`, `VersionNumber`, `StatementId`).
const MOST: usize = 3;

/// The percent-decoded labels of a resolved path, in the order in which the path has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels<'a> {
    values: [Cow<'a, str>; MOST],
    count: usize,
}

impl<'a> Labels<'a> {
    /// Decodes raw path segments; bytes that are not UTF-8 become U+FFFD, which no pattern accepts.
    pub fn decode(segments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut labels = Self::default();
        for (slot, segment) in labels.values.iter_mut().zip(segments) {
            *slot = percent_decode_str(segment).decode_utf8_lossy();
            labels.count += 1;
        }
        labels
    }

    /// The label at a position, 0 being the first of the path.
    pub fn get(&self, index: usize) -> Option<&str> {
        self.values[..self.count].get(index).map(AsRef::as_ref)
    }

    /// The label as the decoder takes it.
    pub(crate) fn text(&self, index: usize) -> Json<'_> {
        self.get(index).map_or(Json::Null, |text| Json::Text(Cow::Borrowed(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_percent_but_not_plus() {
        let labels = Labels::decode(["arn%3Aaws:lambda", "a+b", "%ff"]);
        assert_eq!(labels.get(0), Some("arn:aws:lambda"));
        assert_eq!(labels.get(1), Some("a+b"));
        assert_eq!(labels.get(2), Some("\u{fffd}"));
        assert_eq!(labels.get(3), None);
        assert_eq!(Labels::default().get(0), None);
    }
}
