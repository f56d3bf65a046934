//! Rules of `LoggingConfig`.
//!
//! See "Configuring advanced logging controls" in the AWS Lambda developer guide.

use rushlight_api::lambda::types;
use rushlight_model::function::{LogFormat, Logging};

use crate::error::{Error, Result};

/// The level that JSON logs begin at unless another is given.
const DEFAULT_LEVEL: &str = "INFO";

/// Why levels are refused without JSON.
pub(super) const LEVEL_WITH_TEXT: &str = "LogLevel is not supported when LogFormat is set to \"Text\". Remove LogLevel \
                                          from your request or change the LogFormat to \"JSON\" and try again.";

/// The settings of a function for which none were given.
pub(super) fn default_for(name: &str) -> Logging {
    Logging {
        format: LogFormat::Text,
        group: format!("/aws/lambda/{name}"),
        application_level: None,
        system_level: None,
    }
}

/// `current` with JSON instead of text.
pub(super) fn json(current: &Logging) -> Logging {
    let level = Some(DEFAULT_LEVEL.to_owned());
    Logging {
        format: LogFormat::Json,
        group: current.group.clone(),
        application_level: level.clone(),
        system_level: level,
    }
}

/// `current` with what is given. Levels exist with JSON only: a change to text drops them, a change to JSON sets
/// them.
pub(super) fn merged(current: &Logging, given: &types::LoggingConfig) -> Result<Logging> {
    let format = match given.log_format.as_ref().map(types::LogFormat::as_str) {
        Some("JSON") => LogFormat::Json,
        Some(_) => LogFormat::Text,
        None => current.format,
    };
    let group = given.log_group.clone().unwrap_or_else(|| current.group.clone());
    let application = given.application_log_level.as_ref().map(|level| level.as_str());
    let system = given.system_log_level.as_ref().map(|level| level.as_str());
    let (application_level, system_level) = match format {
        LogFormat::Text if application.is_some() || system.is_some() => {
            return Err(Error::invalid(LEVEL_WITH_TEXT));
        }
        LogFormat::Text => (None, None),
        LogFormat::Json => (
            Some(level(application, current.application_level.as_deref())),
            Some(level(system, current.system_level.as_deref())),
        ),
    };
    Ok(Logging { format, group, application_level, system_level })
}

fn level(given: Option<&str>, current: Option<&str>) -> String {
    given.or(current).unwrap_or(DEFAULT_LEVEL).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(format: Option<&str>, application: Option<&str>, group: Option<&str>) -> types::LoggingConfig {
        types::LoggingConfig {
            log_format: format.map(Into::into),
            application_log_level: application.map(Into::into),
            system_log_level: None,
            log_group: group.map(Into::into),
        }
    }

    fn json(application: &str) -> Logging {
        Logging {
            format: LogFormat::Json,
            application_level: Some(application.into()),
            system_level: Some("INFO".into()),
            ..default_for("f")
        }
    }

    #[test]
    fn json_brings_levels_and_text_drops_them() {
        let text = default_for("f");
        let to_json = merged(&text, &given(Some("JSON"), None, None)).unwrap();
        assert_eq!(to_json, json("INFO"));
        assert_eq!(merged(&to_json, &given(None, Some("DEBUG"), None)).unwrap(), json("DEBUG"));
        assert_eq!(merged(&json("DEBUG"), &given(Some("JSON"), None, None)).unwrap(), json("DEBUG"));
        assert_eq!(merged(&to_json, &given(Some("Text"), None, None)).unwrap(), text);
    }

    #[test]
    fn levels_need_json() {
        for format in [None, Some("Text")] {
            let refusal = merged(&default_for("f"), &given(format, Some("DEBUG"), None)).unwrap_err();
            assert_eq!(refusal.to_string(), LEVEL_WITH_TEXT);
        }
    }

    #[test]
    fn the_group_stays_unless_given() {
        let current = merged(&default_for("f"), &given(None, None, Some("own"))).unwrap();
        assert_eq!(current.group, "own");
        assert_eq!(merged(&current, &given(Some("JSON"), None, None)).unwrap().group, "own");
    }
}
