//! The tree that the names of a form span, `Tags.member.1.Key=a&Tags.member.1.Value=b`, as the decoder
//! reads it: the form is JSON in another spelling, with texts for numbers and booleans.
//!
//! What a hostile form can make us allocate is bounded by [`MOST_PARAMETERS`] and [`MOST_SEGMENTS`], and
//! does not depend on the numbers it has for indices.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::from_utf8;

use percent_encoding::percent_decode;

use crate::error::Error;
use crate::json::{Json, Object};
use crate::query::Query;

/// The most parameters that a form may have.
const MOST_PARAMETERS: usize = 10_000;

/// A parameter whose name has more segments is ignored: no input is so deep.
const MOST_SEGMENTS: usize = 16;

/// The member that holds the entries of a list.
const ENTRIES: &str = "member";

/// Parses the body of a request; 400 if it is no UTF-8, escaped or not, or has too many parameters.
pub fn parse_form(body: &[u8]) -> Result<Query<'_>, Error> {
    let refused = |reason: &str| Error::serialization(Some(reason.to_owned()));
    let text = from_utf8(body).map_err(|_| refused("The form is not UTF-8"))?;
    // What separates parameters and escapes is ASCII, so that the form is UTF-8 if every part of it is.
    if percent_decode(body).decode_utf8().is_err() {
        return Err(refused("The form is not UTF-8"));
    }
    if body.iter().filter(|&&byte| byte == b'&').count() >= MOST_PARAMETERS {
        return Err(refused("The form has too many parameters"));
    }
    Ok(Query::parse(Some(text)))
}

impl Query<'_> {
    /// The pairs as the members of the structure that their dotted names describe. Of a name given
    /// twice the last one counts; what fits neither a structure nor a list is left out.
    pub(crate) fn members(&self) -> Object<'_> {
        let is_shallow = |name: &str| name.split('.').nth(MOST_SEGMENTS).is_none();
        let pairs = self.pairs().filter(|(name, _)| is_shallow(name));
        let (_, members) = split(pairs.map(|(name, text)| Leaf { path: Some(name), text }));
        structure(members)
    }
}

/// A text, and where it is below the place that is looked at: nowhere below it if `None`.
struct Leaf<'f> {
    path: Option<&'f str>,
    text: &'f str,
}

/// The leaves of a place by the first segment of their paths.
type Branches<'f> = BTreeMap<&'f str, Vec<Leaf<'f>>>;

/// The text at a place, and what is below it.
fn split<'f>(leaves: impl IntoIterator<Item = Leaf<'f>>) -> (Option<&'f str>, Branches<'f>) {
    let mut own = None;
    let mut branches = Branches::new();
    for Leaf { path, text } in leaves {
        let Some(path) = path else {
            own = Some(text);
            continue;
        };
        let (first, rest) = match path.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (path, None),
        };
        branches.entry(first).or_default().push(Leaf { path: rest, text });
    }
    (own, branches)
}

fn value(leaves: Vec<Leaf<'_>>) -> Json<'_> {
    let (text, mut members) = split(leaves);
    match (members.remove(ENTRIES), text) {
        (Some(entries), _) => Json::List(list(entries)),
        (None, Some(text)) if members.is_empty() => Json::Text(Cow::Borrowed(text)),
        (None, _) => Json::Object(structure(members)),
    }
}

fn structure(members: Branches<'_>) -> Object<'_> {
    let members = members.into_iter().map(|(name, leaves)| (Cow::Borrowed(name), value(leaves)));
    Object::new(members.collect())
}

/// The entries in the order of their indices, which start at 1 and may leave gaps.
fn list(leaves: Vec<Leaf<'_>>) -> Vec<Json<'_>> {
    let (_, entries) = split(leaves);
    let index = |name: &str| name.parse::<u32>().ok().filter(|&index| index > 0);
    let mut entries: Vec<_> =
        entries.into_iter().filter_map(|(name, leaves)| Some((index(name)?, value(leaves)))).collect();
    entries.sort_by_key(|(index, _)| *index);
    entries.into_iter().map(|(_, entry)| entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree as validation errors print it.
    fn tree(form: &str) -> String {
        Json::Object(parse_form(form.as_bytes()).expect("a form").members()).to_string()
    }

    #[test]
    fn dotted_names_are_structures_and_lists() {
        let form = "Action=A&Tags.member.2.Key=c&Tags.member.1.Key=a+b&Tags.member.1.Value=%C3%A9&To.Name=x";
        assert_eq!(tree(form), "{Action=A, Tags=[{Key=a b, Value=é}, {Key=c}], To={Name=x}}");
        assert_eq!(tree("Keys.member.10=k&Keys.member.9=j&Keys.member.1=a"), "{Keys=[a, j, k]}");
        assert_eq!(tree("a.member.1.b.member.1=x"), "{a=[{b=[x]}]}");
        assert_eq!(tree(""), "{}");
    }

    #[test]
    fn of_what_contradicts_itself_something_counts() {
        assert_eq!(tree("a=1&a=2"), "{a=2}");
        assert_eq!(tree("a=1&a.b=2"), "{a={b=2}}");
        assert_eq!(tree("a=1&a.member.1=2"), "{a=[2]}");
        assert_eq!(tree("a.b=1&a.member.1=2"), "{a=[2]}");
        assert_eq!(tree("a.member=1&a.member.1.member.1=2&a.member.1=3"), "{a=[[2]]}");
    }

    #[test]
    fn indices_that_are_none_are_left_out() {
        for index in ["0", "-1", "x", "", "1e3", "4294967296", "99999999999999999999999999"] {
            assert_eq!(tree(&format!("a.member.{index}=x&a.member.7=y")), "{a=[y]}", "{index}");
        }
        assert_eq!(tree("a.member.4000000000.Key=x&a.member.1.Key=y"), "{a=[{Key=y}, {Key=x}]}");
    }

    #[test]
    fn too_deep_names_are_ignored() {
        let deep = format!("a{}=x&b=y", ".member.1".repeat(100_000));
        assert_eq!(tree(&deep), "{b=y}");
        assert_eq!(tree(&format!("{}=x", ".".repeat(1_000_000))), "{}");
        assert_eq!(tree("..=x"), "{={={=x}}}");
    }

    #[test]
    fn what_is_not_utf8_is_refused() {
        for body in [&b"a=\xff"[..], b"a=%ff", b"%c3=%a9", b"a=%C3&b=%A9", b"\xc3=\xa9"] {
            let error = parse_form(body).expect_err("refused");
            assert_eq!((error.code.as_ref(), error.status.as_u16()), ("SerializationException", 400));
        }
        assert_eq!(tree("a=%zz%4&b=%"), "{a=%zz%4, b=%}");
    }

    #[test]
    fn too_many_parameters_are_refused() {
        assert!(parse_form("a&".repeat(MOST_PARAMETERS).as_bytes()).is_err());
        let many: Vec<String> =
            (1..=MOST_PARAMETERS).map(|index| format!("a.member.{index}={index}")).collect();
        let form = many.join("&");
        let form = parse_form(form.as_bytes()).expect("a form");
        let Json::List(entries) = form.members().take("a") else { panic!("a list") };
        assert_eq!(entries.len(), MOST_PARAMETERS);
    }
}
