//! Reads a JSON text into a tree that borrows its strings from it.
//!
//! A code package arrives as one base64 string of up to 67 MB, so strings without escapes are not
//! copied. What a hostile text can make us allocate is bounded twice: nesting by serde_json's recursion
//! limit of 128, and the number of values by [`MOST_VALUES`].

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

/// The most values (at any depth, names of members included) that one text may have.
const MOST_VALUES: u32 = 200_000;

/// Objects with more members than this are looked up by binary search.
const FEW_MEMBERS: usize = 32;

/// A JSON value, or a text from elsewhere in the request.
#[derive(Debug)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    String(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Object<'a>),
    /// A label, query value or header: not JSON, its text is parsed as the member's type asks.
    Text(Cow<'a, str>),
}

/// The members of a JSON object in order; of a name given twice the last one counts.
#[derive(Debug, Default)]
pub(crate) struct Object<'a> {
    members: Vec<(Cow<'a, str>, Json<'a>)>,
    /// Positions of `members` ordered by name, then position; only for objects with many.
    sorted: Option<Box<[u32]>>,
}

/// The text is not JSON, or has too many values.
#[derive(Debug)]
pub(crate) struct NotJson;

/// Parses a text that is one JSON value.
pub(crate) fn parse(text: &[u8]) -> Result<Json<'_>, NotJson> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let budget = Cell::new(MOST_VALUES);
    let value = Value { budget: &budget }.deserialize(&mut deserializer).map_err(|_| NotJson)?;
    deserializer.end().map_err(|_| NotJson)?;
    Ok(value)
}

impl<'a> Object<'a> {
    /// An object with these members, at most as many as [`MOST_VALUES`].
    pub(crate) fn new(members: Vec<(Cow<'a, str>, Json<'a>)>) -> Self {
        let sorted = (members.len() > FEW_MEMBERS).then(|| {
            // MOST_VALUES fits, so no position is cut off.
            let mut order: Vec<u32> = (0..members.len() as u32).collect();
            order.sort_by(|&a, &b| members[a as usize].0.cmp(&members[b as usize].0));
            order.into_boxed_slice()
        });
        Self { members, sorted }
    }

    /// Takes a member's value out, `Null` if there is none.
    pub(crate) fn take(&mut self, name: &str) -> Json<'a> {
        let position = match &self.sorted {
            None => self.members.iter().rposition(|(key, _)| key == name),
            Some(order) => {
                let end = order.partition_point(|&at| self.members[at as usize].0.as_ref() <= name);
                let last = end.checked_sub(1).map(|index| order[index] as usize);
                last.filter(|&at| self.members[at].0 == name)
            }
        };
        position.map_or(Json::Null, |at| std::mem::replace(&mut self.members[at].1, Json::Null))
    }

    /// The members in order.
    pub(crate) fn into_members(self) -> Vec<(Cow<'a, str>, Json<'a>)> {
        self.members
    }

    /// The same members with other values.
    pub(crate) fn map_values(mut self, change: impl Fn(Json<'a>) -> Json<'a>) -> Self {
        for (_, value) in &mut self.members {
            *value = change(std::mem::replace(value, Json::Null));
        }
        self
    }

    /// How many members there are.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// The members in order, by reference.
    pub(crate) fn members(&self) -> &[(Cow<'a, str>, Json<'a>)] {
        &self.members
    }
}

/// As AWS prints values within validation errors: `[a, b]`, `{k=v}`, `null`.
impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::String(value) | Self::Text(value) => f.write_str(value),
            Self::List(values) => {
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if index == 0 { "[" } else { ", " })?;
                }
                f.write_str(if values.is_empty() { "[]" } else { "]" })
            }
            Self::Object(object) => {
                f.write_str("{")?;
                for (index, (name, value)) in object.members.iter().enumerate() {
                    write!(f, "{}{name}={value}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}

/// Reads one value, counting it against the budget.
struct Value<'b> {
    budget: &'b Cell<u32>,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Json<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        let left = self.budget.get().checked_sub(1).ok_or_else(|| D::Error::custom("too many values"))?;
        self.budget.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Integer(i64::try_from(value).unwrap_or(i64::MAX)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json<'de>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(Value { budget: self.budget })? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = access.next_key_seed(Name)? {
            members.push((name, access.next_value_seed(Value { budget: self.budget })?));
        }
        Ok(Json::Object(Object::new(members)))
    }
}

/// Reads the name of a member.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(value.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borrows_strings_without_escapes() {
        let Ok(Json::List(values)) = parse(br#"["plain", "es\"caped"]"#) else { panic!("a list") };
        assert!(matches!(&values[0], Json::String(Cow::Borrowed("plain"))));
        assert!(matches!(&values[1], Json::String(Cow::Owned(text)) if text == "es\"caped"));
    }

    #[test]
    fn the_last_of_equal_names_counts_in_small_and_large_objects() {
        let small = r#"{"a": 1, "b": 2, "a": 3}"#.to_owned();
        let filler: String = (0..100).map(|n| format!(r#""k{n}": {n}, "#)).collect();
        let large = format!(r#"{{{filler}"a": 1, "b": 2, "a": 3}}"#);
        for text in [small, large] {
            let Ok(Json::Object(mut object)) = parse(text.as_bytes()) else { panic!("an object") };
            assert!(matches!(object.take("a"), Json::Integer(3)), "{text}");
            assert!(matches!(object.take("b"), Json::Integer(2)), "{text}");
            assert!(matches!(object.take("zz"), Json::Null), "{text}");
            assert!(matches!(object.take(""), Json::Null), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_one_json_value() {
        let deep = "[".repeat(1000);
        for text in ["", "{", "{} {}", "{\"a\":1,}", "\"\\ud800\"", "\u{feff}{}", "nul", deep.as_str()] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse(b"\"\xff\"").is_err());
    }

    #[test]
    fn refuses_more_values_than_the_budget() {
        let many = format!("[{}0]", "0,".repeat(MOST_VALUES as usize));
        assert!(parse(many.as_bytes()).is_err());
    }

    #[test]
    fn prints_like_aws() {
        let value = parse(br#"{"a": ["x", null, 1, 1.0], "b": {"c": true}, "d": []}"#).expect("JSON");
        assert_eq!(value.to_string(), "{a=[x, null, 1, 1.0], b={c=true}, d=[]}");
    }

    #[test]
    fn large_integers_saturate() {
        assert!(matches!(parse(b"18446744073709551615"), Ok(Json::Integer(i64::MAX))));
    }
}
