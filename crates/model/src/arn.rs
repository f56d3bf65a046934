//! Names of functions: ARNs, partial ARNs, qualifiers.
//!
//! See "FunctionName" in the AWS Lambda API reference: a bare name, `name:qualifier`, `account:function:name`, or a
//! whole ARN, each with or without a qualifier.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The account and region that a request is made in. What belongs to one is invisible to another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scope {
    /// Twelve digits.
    pub account: String,
    /// E.g. `eu-west-1`.
    pub region: String,
}

impl Scope {
    /// The partition that the region belongs to: `aws`, `aws-cn`, `aws-us-gov`, …
    #[must_use]
    pub fn partition(&self) -> &'static str {
        const PREFIXES: [(&str, &str); 6] = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("us-iso-", "aws-iso"),
            ("us-isob-", "aws-iso-b"),
            ("eusc-", "aws-eusc"),
            ("eu-isoe-", "aws-iso-e"),
        ];
        PREFIXES
            .iter()
            .find(|(prefix, _)| self.region.starts_with(prefix))
            .map_or("aws", |(_, partition)| partition)
    }
}

/// Which version of a function is meant, as the caller wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Qualifier {
    /// `$LATEST`: the unpublished code and configuration.
    Latest,
    /// A published version.
    Version(u64),
    /// An alias.
    Alias(String),
}

impl Qualifier {
    /// Reads a qualifier that has passed the API's pattern check.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "$LATEST" => Self::Latest,
            _ => text.parse().map_or_else(|_| Self::Alias(text.to_owned()), Self::Version),
        }
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => formatter.write_str("$LATEST"),
            Self::Version(number) => number.fmt(formatter),
            Self::Alias(name) => formatter.write_str(name),
        }
    }
}

/// The identity of a function, without qualifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FunctionId {
    /// Account and region.
    pub scope: Scope,
    /// The bare name.
    pub name: String,
}

impl FunctionId {
    /// `arn:aws:lambda:<region>:<account>:function:<name>`.
    #[must_use]
    pub fn arn(&self) -> String {
        let Scope { account, region } = &self.scope;
        format!("arn:{}:lambda:{region}:{account}:function:{}", self.scope.partition(), self.name)
    }

    /// The ARN with `:<qualifier>` behind it.
    #[must_use]
    pub fn qualified_arn(&self, qualifier: &Qualifier) -> String {
        format!("{}:{qualifier}", self.arn())
    }
}

/// A function as a caller names it, resolved against the scope of the request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FunctionReference {
    /// The function.
    pub function: FunctionId,
    /// The qualifier in the name or in the `Qualifier` argument.
    pub qualifier: Option<Qualifier>,
}

/// Why a function's name cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// The name and the `Qualifier` argument disagree. AWS: 400 InvalidParameterValueException.
    #[error("The derived qualifier from the function name does not match the specified qualifier.")]
    QualifierMismatch,
    /// The ARN is of another region. AWS: 404 ResourceNotFoundException.
    #[error("Functions from '{other}' are not reachable in this region ('{here}')")]
    OtherRegion {
        /// The region that the ARN names.
        other: String,
        /// The region of the request.
        here: String,
    },
    /// The ARN is of another account. AWS: 403 AccessDeniedException.
    #[error("the function belongs to another account")]
    OtherAccount,
    /// The text has none of the forms of a function's name.
    #[error("not a function name, partial ARN or ARN")]
    Malformed,
}

impl FunctionReference {
    /// Reads `text` in any of the forms that the API takes, for a request made in `here`, together with the separate
    /// `Qualifier` argument.
    ///
    /// # Errors
    /// See [`ReferenceError`].
    pub fn parse(here: &Scope, text: &str, qualifier_argument: Option<&str>) -> Result<Self, ReferenceError> {
        let parts = Parts::split(text).ok_or(ReferenceError::Malformed)?;
        if let Some(region) = parts.region
            && region != here.region
        {
            return Err(ReferenceError::OtherRegion { other: region.to_owned(), here: here.region.clone() });
        }
        if parts.account.is_some_and(|account| account != here.account) {
            return Err(ReferenceError::OtherAccount);
        }
        let qualifier = match (parts.qualifier, qualifier_argument) {
            (Some(derived), Some(given)) if derived != given => {
                return Err(ReferenceError::QualifierMismatch);
            }
            (derived, given) => derived.or(given).map(Qualifier::parse),
        };
        let function = FunctionId { scope: here.clone(), name: parts.name.to_owned() };
        Ok(Self { function, qualifier })
    }

    /// The qualifier, which is `$LATEST` where the caller gave none.
    #[must_use]
    pub fn qualifier_or_latest(&self) -> &Qualifier {
        self.qualifier.as_ref().unwrap_or(&Qualifier::Latest)
    }

    /// The ARN as the caller addressed the function: with the qualifier if there was one.
    #[must_use]
    pub fn arn(&self) -> String {
        match &self.qualifier {
            Some(qualifier) => self.function.qualified_arn(qualifier),
            None => self.function.arn(),
        }
    }
}

/// The account that a function's name names, if it does: in an ARN or in front of `function:`.
#[must_use]
pub fn named_account(text: &str) -> Option<&str> {
    Parts::split(text)?.account
}

/// The parts of a function's name before they are held against the request's scope.
struct Parts<'a> {
    region: Option<&'a str>,
    account: Option<&'a str>,
    name: &'a str,
    qualifier: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Every part in front of the name is optional: `arn:<partition>:lambda:`, `<region>:`, `<account>:`,
    /// `function:`. A function may be named like one of them, so the last field that can be the name is the name.
    fn split(text: &'a str) -> Option<Self> {
        let fields: Vec<&str> = text.split(':').collect();
        let mut rest = match fields.as_slice() {
            ["arn", _, "lambda", rest @ ..] => rest,
            fields => fields,
        };
        let mut take = |is_prefix: fn(&str) -> bool| match rest {
            [first, following @ ..] if is_prefix(first) && may_follow_a_prefix(following) => {
                rest = following;
                Some(*first)
            }
            _ => None,
        };
        let region = take(is_region);
        let account = take(is_account);
        take(|field| field == "function");
        let (name, qualifier) = match rest {
            [name] => (*name, None),
            [name, qualifier] => (*name, Some(*qualifier)),
            _ => return None,
        };
        if name.is_empty() || qualifier.is_some_and(str::is_empty) {
            return None;
        }
        Some(Self { region, account, name, qualifier })
    }
}

/// Whether these fields can be what comes after a prefix: they begin with a name, not with `$LATEST`.
fn may_follow_a_prefix(fields: &[&str]) -> bool {
    fields.first().is_some_and(|name| !name.starts_with('$'))
}

/// Whether `text` is an account id: twelve digits.
#[must_use]
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether `text` looks like a region: at least two letters, hyphens, and one digit at the end (`eu-west-1`).
#[must_use]
pub fn is_region(text: &str) -> bool {
    let mut fields = text.rsplit('-');
    let number =
        fields.next().is_some_and(|last| last.len() == 1 && last.bytes().all(|b| b.is_ascii_digit()));
    let words = fields.clone().count();
    number
        && words >= 2
        && fields.all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Scope {
        Scope { account: "123456789012".into(), region: "eu-west-1".into() }
    }

    fn parse(text: &str, qualifier: Option<&str>) -> Result<String, ReferenceError> {
        FunctionReference::parse(&here(), text, qualifier).map(|reference| reference.arn())
    }

    #[test]
    fn all_forms_name_the_same_function() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:hello";
        for form in [
            "hello",
            "function:hello",
            "123456789012:function:hello",
            "eu-west-1:123456789012:function:hello",
            arn,
        ] {
            assert_eq!(parse(form, None).as_deref(), Ok(arn), "{form}");
            assert_eq!(parse(&format!("{form}:live"), None), Ok(format!("{arn}:live")), "{form}");
            assert_eq!(parse(form, Some("7")), Ok(format!("{arn}:7")), "{form}");
        }
    }

    #[test]
    fn qualifiers_must_agree() {
        assert_eq!(parse("hello:1", Some("2")), Err(ReferenceError::QualifierMismatch));
        assert!(parse("hello:1", Some("1")).is_ok());
    }

    #[test]
    fn other_regions_and_accounts_are_refused() {
        let region = parse("arn:aws:lambda:us-east-1:123456789012:function:hello", None).unwrap_err();
        assert_eq!(
            region.to_string(),
            "Functions from 'us-east-1' are not reachable in this region ('eu-west-1')"
        );
        assert_eq!(parse("999999999999:function:hello", None), Err(ReferenceError::OtherAccount));
    }

    #[test]
    fn names_may_look_like_prefixes() {
        for name in ["function", "123456789012", "eu-west-1"] {
            let arn = format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}");
            assert_eq!(parse(name, None).as_ref(), Ok(&arn));
            assert_eq!(parse(&arn, None).as_ref(), Ok(&arn));
            assert_eq!(parse(&format!("{name}:$LATEST"), None), Ok(format!("{arn}:$LATEST")));
        }
    }

    #[test]
    fn nonsense_is_malformed() {
        for text in
            ["", ":", "arn:aws:s3:eu-west-1:123456789012:function:x", "a:b:c", "hello:", "arn:aws:lambda"]
        {
            assert_eq!(parse(text, None), Err(ReferenceError::Malformed), "{text}");
        }
    }

    #[test]
    fn partitions_follow_the_region() {
        let scope = Scope { account: "123456789012".into(), region: "cn-north-1".into() };
        assert_eq!(
            FunctionId { scope, name: "x".into() }.arn(),
            "arn:aws-cn:lambda:cn-north-1:123456789012:function:x"
        );
    }
}
