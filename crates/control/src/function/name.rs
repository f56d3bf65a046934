//! Which function a request means.

use rushlight_model::arn::{FunctionReference, Qualifier, Scope};

use crate::error::{Error, Result};

/// Longest bare name, in characters.
const MAXIMUM: usize = 64;

/// The pattern of `FunctionName`, as AWS prints it.
const PATTERN: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?";

/// The function that is to be created: a name, a partial or a whole ARN, without qualifier.
pub(crate) fn new_function(here: &Scope, text: &str) -> Result<FunctionReference> {
    let reference = FunctionReference::parse(here, text, None)?;
    if reference.qualifier.is_some() {
        let constraint = format!("Member must satisfy regular expression pattern: {PATTERN}");
        return Err(Error::Validation(Error::constraint(text, "functionName", &constraint)));
    }
    let name = &reference.function.name;
    if name.chars().count() > MAXIMUM {
        let constraint = format!("Member must have length less than or equal to {MAXIMUM}");
        return Err(Error::InvalidParameter(Error::constraint(name, "functionName", &constraint)));
    }
    Ok(reference)
}

/// The function whose `$LATEST` is to be changed.
pub(crate) fn latest(here: &Scope, text: &str) -> Result<FunctionReference> {
    let reference = FunctionReference::parse(here, text, None)?;
    match reference.qualifier {
        None | Some(Qualifier::Latest) => Ok(FunctionReference { qualifier: None, ..reference }),
        Some(_) => Err(Error::invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this \
             operation. Please specify either a function name or an unqualified function ARN.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Scope {
        Scope { account: "123456789012".into(), region: "eu-west-1".into() }
    }

    #[test]
    fn a_bare_name_has_at_most_64_characters() {
        let longest = "a".repeat(64);
        assert!(new_function(&here(), &longest).is_ok());
        for length in [65, 140] {
            let name = "a".repeat(length);
            let refusal = new_function(&here(), &name).unwrap_err();
            assert!(matches!(refusal, Error::InvalidParameter(_)));
            assert_eq!(
                refusal.to_string(),
                format!(
                    "1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: \
                     Member must have length less than or equal to 64"
                )
            );
        }
    }

    #[test]
    fn a_new_function_has_no_qualifier() {
        let refusal = new_function(&here(), "f:1").unwrap_err();
        assert!(matches!(refusal, Error::Validation(_)));
        assert!(refusal.to_string().starts_with(
            "1 validation error detected: Value 'f:1' at 'functionName' failed to satisfy constraint: Member \
                 must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?"
        ));
    }

    #[test]
    fn arns_name_new_functions_too() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f";
        assert_eq!(new_function(&here(), arn).unwrap().function.name, "f");
        let error = new_function(&here(), "999999999999:function:f").unwrap_err();
        assert!(matches!(error, Error::OtherAccount));
        let error = new_function(&here(), "arn:aws:lambda:us-east-1:123456789012:function:f").unwrap_err();
        assert_eq!(
            error.to_string(),
            "Functions from 'us-east-1' are not reachable in this region ('eu-west-1')"
        );
    }

    #[test]
    fn only_latest_is_changed() {
        assert_eq!(latest(&here(), "f:$LATEST").unwrap().qualifier, None);
        assert!(latest(&here(), "f:1").is_err());
        assert!(latest(&here(), "f:live").is_err());
    }
}
