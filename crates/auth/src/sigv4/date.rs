//! The one date format of SigV4: ISO 8601 basic, `20150830T123600Z`.

use crate::calendar::{civil_from_days, days_from_civil};

/// Reads `YYYYMMDD'T'HHMMSS'Z'` as Unix seconds; `None` for anything else, dates that do not exist included.
pub(super) fn parse(text: &str) -> Option<i64> {
    let text: &[u8; 16] = text.as_bytes().try_into().ok()?;
    if text[8] != b'T' || text[15] != b'Z' {
        return None;
    }
    let number = |digits: &[u8]| {
        digits
            .iter()
            .try_fold(0i64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
    };
    let (year, month, day) = (number(&text[..4])?, number(&text[4..6])?, number(&text[6..8])?);
    let (hour, minute, second) = (number(&text[9..11])?, number(&text[11..13])?, number(&text[13..15])?);
    if !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_from_civil(year, month, day);
    // A day that the month does not have comes back as another one.
    (civil_from_days(days) == (year, month, day))
        .then_some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Renders Unix seconds in the form that [`parse`] reads; times outside the years 0 to 9999 as the nearest
/// within them.
pub(super) fn format(unix: i64) -> String {
    let unix = unix.clamp(-62_167_219_200, 253_402_300_799);
    let (year, month, day) = civil_from_days(unix.div_euclid(86_400));
    let second = unix.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_basic_format_and_nothing_else() {
        assert_eq!(parse("20150830T123600Z"), Some(1_440_938_160));
        assert_eq!(parse("19700101T000000Z"), Some(0));
        for wrong in [
            "",
            "20150830",
            "20150830T123600",
            "2015-08-30T12:36:00Z",
            "20150230T123600Z",
            "20151330T123600Z",
            "20150830T240000Z",
            "20150830T126000Z",
            "20150830T123660Z",
            "2015083OT123600Z",
            "20150830t123600z",
            "+0150830T123600Z",
            "20150800T000000Z",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert!(parse("20240229T000000Z").is_some());
        assert!(parse("21000229T000000Z").is_none());
    }

    #[test]
    fn what_is_rendered_reads_back() {
        for unix in (0..4_102_444_800).step_by(86_399 * 37) {
            assert_eq!(parse(&format(unix)), Some(unix));
        }
        assert_eq!(format(i64::MAX), "99991231T235959Z");
        assert_eq!(format(i64::MIN), "00000101T000000Z");
    }
}
