//! The query string of a request, or a form.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::json::Json;

/// A parsed query string: decoded keys and values in order, repeated keys kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    /// Parses what follows the `?`; a key without `=` has the empty value, `+` is a space.
    pub fn parse(raw: Option<&'a str>) -> Self {
        let pairs = raw.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let decode = |pair: &'a str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (form_decode(key), form_decode(value))
        };
        Self { pairs: pairs.map(decode).collect() }
    }

    /// The first value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }

    /// Every value of a key, in order.
    pub fn all<'s>(&'s self, key: &str) -> impl Iterator<Item = &'s str> {
        self.pairs.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_ref())
    }

    /// Every pair, in order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// Every pair, in order, as they were decoded.
    pub fn into_pairs(self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        self.pairs.into_iter()
    }

    /// The first value of a key as the decoder takes it.
    pub(crate) fn text(&self, key: &str) -> Json<'_> {
        self.get(key).map_or(Json::Null, |text| Json::Text(Cow::Borrowed(text)))
    }

    /// Every value of a key as the decoder takes it: absent if there is none.
    pub(crate) fn texts(&self, key: &str) -> Json<'_> {
        let texts: Vec<_> = self.all(key).map(|text| Json::Text(Cow::Borrowed(text))).collect();
        if texts.is_empty() { Json::Null } else { Json::List(texts) }
    }
}

/// Percent-decoding with `+` as space; borrows when there is nothing to decode.
fn form_decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_keys_values_and_repetitions() {
        let query = Query::parse(Some("tagKeys=a%20b&tagKeys=c+d&&Marker=x%3D%2B&flag"));
        assert_eq!(query.all("tagKeys").collect::<Vec<_>>(), ["a b", "c d"]);
        assert_eq!(query.get("Marker"), Some("x=+"));
        assert_eq!(query.get("flag"), Some(""));
        assert_eq!(query.get("none"), None);
        assert_eq!(Query::parse(None), Query::default());
    }
}
