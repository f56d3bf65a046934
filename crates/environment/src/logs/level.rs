//! Levels of log records, and which records a function's configuration keeps.

use serde::Deserialize;

/// The level of a log record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `TRACE`.
    Trace,
    /// `DEBUG`.
    Debug,
    /// `INFO`.
    Info,
    /// `WARN`.
    Warn,
    /// `ERROR`.
    Error,
    /// `FATAL`.
    Fatal,
}

impl Level {
    /// From AWS' name, in whatever case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        const NAMES: [(&str, Level); 8] = [
            ("TRACE", Level::Trace),
            ("DEBUG", Level::Debug),
            ("INFO", Level::Info),
            ("WARN", Level::Warn),
            ("WARNING", Level::Warn),
            ("ERROR", Level::Error),
            ("FATAL", Level::Fatal),
            ("CRITICAL", Level::Fatal),
        ];
        let (_, level) = NAMES.iter().find(|(text, _)| text.eq_ignore_ascii_case(name))?;
        Some(*level)
    }

    /// From the bits of a frame's type; none if it names no level.
    pub(super) fn from_frame(bits: u32) -> Option<Self> {
        match bits {
            0x04 => Some(Self::Trace),
            0x08 => Some(Self::Debug),
            0x0c => Some(Self::Info),
            0x10 => Some(Self::Warn),
            0x14 => Some(Self::Error),
            0x18 => Some(Self::Fatal),
            _ => None,
        }
    }
}

/// The level of a JSON record. A record without a valid level, or whose timestamp is no RFC 3339 time, counts as
/// INFO.
#[must_use]
pub fn of_record(message: &[u8]) -> Level {
    #[derive(Deserialize)]
    struct Record<'a> {
        #[serde(borrow)]
        level: std::borrow::Cow<'a, str>,
        #[serde(borrow)]
        timestamp: std::borrow::Cow<'a, str>,
    }
    let level = serde_json::from_slice::<Record<'_>>(message)
        .ok()
        .filter(|record| is_rfc_3339(&record.timestamp))
        .and_then(|record| Level::parse(&record.level));
    level.unwrap_or(Level::Info)
}

fn is_rfc_3339(text: &str) -> bool {
    fn number(text: Option<&str>, most: u32) -> bool {
        text.is_some_and(|text| {
            text.bytes().all(|byte| byte.is_ascii_digit())
                && text.parse::<u32>().is_ok_and(|value| value <= most)
        })
    }
    let separators = [(4, b"-"), (7, b"-"), (10, b"T"), (13, b":"), (16, b":")];
    let bytes = text.as_bytes();
    let separated = separators.iter().all(|&(place, separator)| {
        bytes.get(place..=place).is_some_and(|byte| byte.eq_ignore_ascii_case(separator))
    });
    let fields = number(text.get(0..4), 9999)
        && number(text.get(5..7), 12)
        && number(text.get(8..10), 31)
        && number(text.get(11..13), 23)
        && number(text.get(14..16), 59)
        && number(text.get(17..19), 60);
    let Some(rest) = text.get(19..).filter(|_| separated && fields) else {
        return false;
    };
    let zone = rest.trim_start_matches('.').trim_start_matches(|character: char| character.is_ascii_digit());
    let offset = zone.len() == 6 && zone.starts_with(['+', '-']) && zone.get(3..4) == Some(":");
    zone.eq_ignore_ascii_case("z") || (offset && number(zone.get(1..3), 23) && number(zone.get(4..6), 59))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_tell_their_level_only_with_a_valid_time() {
        let level = |text: &str| of_record(text.as_bytes());
        assert_eq!(
            level(r#"{"timestamp":"2024-01-01T10:00:00.123Z","level":"DEBUG","message":"x"}"#),
            Level::Debug
        );
        assert_eq!(level(r#"{"timestamp":"2024-01-01T10:00:00+02:00","level":"error"}"#), Level::Error);
        assert_eq!(level(r#"{"timestamp":"yesterday","level":"DEBUG"}"#), Level::Info);
        assert_eq!(level(r#"{"level":"DEBUG"}"#), Level::Info);
        assert_eq!(level("DEBUG plain text"), Level::Info);
        assert_eq!(level(r#"{"timestamp":"2024-13-01T10:00:00Z","level":"DEBUG"}"#), Level::Info);
    }

    #[test]
    fn levels_are_ordered() {
        assert!(Level::Trace < Level::Debug && Level::Warn < Level::Fatal);
        assert_eq!(Level::parse("warning"), Some(Level::Warn));
        assert_eq!(Level::parse("loud"), None);
    }
}
