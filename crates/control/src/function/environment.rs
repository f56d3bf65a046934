//! Rules of `Environment.Variables`.
//!
//! See "Working with Lambda environment variables" in the AWS Lambda developer guide.

use std::collections::BTreeMap;

use rushlight_model::quota::ENVIRONMENT_VARIABLES_BYTES;

use crate::error::{Error, Result};

/// Names that Lambda sets itself. `_HANDLER` and `_X_AMZN_TRACE_ID` are reserved too; no request gets here with them,
/// because names begin with a letter.
const RESERVED: [&str; 19] = [
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_METADATA_API",
    "AWS_LAMBDA_METADATA_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// Refuses reserved names, and maps that are larger than 4 KB written as compact JSON.
pub(super) fn check(variables: &BTreeMap<String, String>) -> Result<()> {
    let reserved: Vec<&str> =
        variables.keys().map(String::as_str).filter(|name| RESERVED.contains(name)).collect();
    if !reserved.is_empty() {
        return Err(Error::invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided contains reserved keys that are currently not supported for modification. Reserved keys used \
             in this request: {}",
            reserved.join(", ")
        )));
    }
    let json = serde_json::Value::from_iter(variables.clone()).to_string();
    if json.len() > ENVIRONMENT_VARIABLES_BYTES {
        return Err(Error::invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided exceeded the 4KB limit. String measured: {json}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn reserved_names_are_listed() {
        assert!(RESERVED.is_sorted());
        let message = check(&variables(&[("A1", "x"), ("AWS_REGION", "x"), ("AWS_ACCESS_KEY_ID", "y")]))
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided contains reserved keys that are currently not supported for modification. Reserved keys used \
             in this request: AWS_ACCESS_KEY_ID, AWS_REGION"
        );
    }

    #[test]
    fn names_that_users_may_set_are_not_reserved() {
        let allowed = [
            "PATH",
            "LD_LIBRARY_PATH",
            "NODE_OPTIONS",
            "PYTHONPATH",
            "TZ",
            "LANG",
            "AWS_LAMBDA_EXEC_WRAPPER",
        ];
        assert!(check(&allowed.iter().map(|name| ((*name).into(), "x".into())).collect()).is_ok());
    }

    #[test]
    fn four_kilobytes_of_compact_json_pass_and_one_byte_more_does_not() {
        let fitting = ENVIRONMENT_VARIABLES_BYTES - r#"{"KEY":""}"#.len();
        assert!(check(&variables(&[("KEY", &"x".repeat(fitting))])).is_ok());
        let large = "x".repeat(fitting + 1);
        let message = check(&variables(&[("KEY", &large)])).unwrap_err().to_string();
        assert!(
            message.ends_with(&format!(r#"exceeded the 4KB limit. String measured: {{"KEY":"{large}"}}"#)),
            "{message}"
        );
    }

    #[test]
    fn the_measure_is_bytes_of_unescaped_text() {
        let fitting = (ENVIRONMENT_VARIABLES_BYTES - r#"{"KEY":""}"#.len()) / 2;
        assert!(check(&variables(&[("KEY", &"ä".repeat(fitting))])).is_ok());
        assert!(check(&variables(&[("KEY", &"ä".repeat(fitting + 1))])).is_err());
    }
}
