//! Dates in conditions: [W3C's profile of ISO 8601](https://www.w3.org/TR/NOTE-datetime), or Unix time.

use crate::calendar::{civil_from_days, days_from_civil};

const DAY: i64 = 86_400;

/// A moment to the nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    seconds: i64,
    nanoseconds: u32,
}

impl Moment {
    /// A moment in Unix seconds.
    pub(super) fn from_unix(seconds: i64) -> Self {
        Self { seconds, nanoseconds: 0 }
    }

    /// Reads `YYYY`, `YYYY-MM`, `YYYY-MM-DD`, `YYYY-MM-DDThh:mm`, `…:ss` or `…:ss.s`, the latter three with `Z`, with
    /// `+hh:mm` or `-hh:mm`, or as UTC; or Unix seconds. Four digits are a year.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text).bytes().take_while(u8::is_ascii_digit).count();
        let is_unix =
            digits != 4 && matches!(text.trim_start_matches('-').as_bytes().get(digits), None | Some(b'.'));
        if is_unix { parse_unix(text) } else { parse_iso(text) }
    }
}

fn parse_unix(text: &str) -> Option<Moment> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, parse_fraction(fraction.as_bytes())?),
        None => (text, 0),
    };
    let seconds: i64 = whole.parse().ok()?;
    match (whole.starts_with('-'), fraction) {
        (true, 1..) => {
            Some(Moment { seconds: seconds.checked_sub(1)?, nanoseconds: 1_000_000_000 - fraction })
        }
        _ => Some(Moment { seconds, nanoseconds: fraction }),
    }
}

/// Digits behind the decimal point as nanoseconds; what is finer is cut off.
fn parse_fraction(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some((0..9).fold(0, |sum, at| sum * 10 + digits.get(at).map_or(0, |digit| u32::from(digit - b'0'))))
}

fn parse_iso(text: &str) -> Option<Moment> {
    let mut rest = Rest(text.as_bytes());
    let year = rest.number(4)?;
    let month = if rest.eat(b'-') { rest.number(2)? } else { 1 };
    let day = if text.len() > 7 && rest.eat(b'-') { rest.number(2)? } else { 1 };
    let days = days_from_civil(year, month, day);
    // A day that the month does not have comes back as another one.
    if civil_from_days(days) != (year, month, day) {
        return None;
    }
    let mut moment = Moment::from_unix(days * DAY);
    if text.len() > 10 && rest.eat(b'T') {
        rest.time(&mut moment)?;
    }
    rest.0.is_empty().then_some(moment)
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn eat(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number
            .iter()
            .try_fold(0i64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
    }

    /// A number below `end`.
    fn number_below(&mut self, end: i64) -> Option<i64> {
        self.number(2).filter(|number| *number < end)
    }

    /// `hh:mm`, then maybe `:ss`, then maybe a fraction, then maybe a zone.
    fn time(&mut self, moment: &mut Moment) -> Option<()> {
        let hour = self.number_below(24)?;
        let minute = self.eat(b':').then(|| self.number_below(60))??;
        let second = if self.eat(b':') { self.number_below(60)? } else { 0 };
        if self.eat(b'.') {
            let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (fraction, rest) = self.0.split_at(digits);
            moment.nanoseconds = parse_fraction(fraction)?;
            self.0 = rest;
        }
        moment.seconds += hour * 3600 + minute * 60 + second - self.zone()?;
        Some(())
    }

    /// Seconds that the zone is ahead of UTC.
    fn zone(&mut self) -> Option<i64> {
        let sign = match self.0.first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => {
                self.eat(b'Z');
                return Some(0);
            }
        };
        self.0 = &self.0[1..];
        let hours = self.number_below(24)?;
        let minutes = self.eat(b':').then(|| self.number_below(60))??;
        Some(sign * (hours * 3600 + minutes * 60))
    }
}

/// `2026-01-31T12:00:00Z`; times outside the years 0 to 9999 as the nearest within them.
pub(super) fn format(unix: i64) -> String {
    let unix = unix.clamp(-62_167_219_200, 253_402_300_799);
    let (year, month, day) = civil_from_days(unix.div_euclid(DAY));
    let second = unix.rem_euclid(DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_read() {
        let at = |seconds, nanoseconds| Some(Moment { seconds, nanoseconds });
        for (text, moment) in [
            ("2020", at(1_577_836_800, 0)),
            ("2020-01", at(1_577_836_800, 0)),
            ("2020-01-01", at(1_577_836_800, 0)),
            ("2020-01-01T00:01Z", at(1_577_836_860, 0)),
            ("2020-01-01T00:00:01Z", at(1_577_836_801, 0)),
            ("2020-01-01T00:00:01", at(1_577_836_801, 0)),
            ("2020-01-01T00:00:01.25Z", at(1_577_836_801, 250_000_000)),
            ("2020-01-01T00:00:01.1234567891Z", at(1_577_836_801, 123_456_789)),
            ("2020-01-01T01:30:00+01:30", at(1_577_836_800, 0)),
            ("2019-12-31T19:00:00-05:00", at(1_577_836_800, 0)),
            ("1577836800", at(1_577_836_800, 0)),
            ("1577836800.5", at(1_577_836_800, 500_000_000)),
            ("0", at(0, 0)),
            ("-1", at(-1, 0)),
            ("-0.25", at(-1, 750_000_000)),
        ] {
            assert_eq!(Moment::parse(text), moment, "{text}");
        }
    }

    #[test]
    fn nonsense_is_not() {
        for text in [
            "",
            "-",
            ".",
            "1.",
            ".5",
            "12:00",
            "tomorrow",
            "2020-13",
            "2020-1",
            "2020-02-30",
            "2020-00-01",
            "2020-01-01T",
            "2020-01-01T00",
            "2020-01-01T24:00Z",
            "2020-01-01T00:60Z",
            "2020-01-01T00:00:60Z",
            "2020-01-01T00:00:00.Z",
            "2020-01-01T00:00:00+1",
            "2020-01-01T00:00:00+24:00",
            "2020-01-01T00:00:00ZZ",
            "2020-01-01 00:00:00Z",
            "2020-01-01T00:00:00é",
            "99999999999999999999",
            "-9223372036854775808.5",
            "--5",
            "1e9",
            "+5.5",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_rendered_reads_back() {
        for unix in (0..4_102_444_800).step_by(86_399 * 37) {
            assert_eq!(Moment::parse(&format(unix)), Some(Moment::from_unix(unix)));
        }
        assert_eq!(format(i64::MAX), "9999-12-31T23:59:59Z");
        assert_eq!(format(i64::MIN), "0000-01-01T00:00:00Z");
    }
}
