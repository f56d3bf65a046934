//! Points in time as the wire carries them.

use std::fmt;

/// A point in time, in whole milliseconds since 1970-01-01T00:00:00Z.
///
/// JSON bodies carry it as seconds with a fraction, XML bodies and query strings as ISO 8601 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    milliseconds: i64,
}

/// A text is not an ISO 8601 timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an ISO 8601 timestamp")]
pub struct ParseTimestampError;

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_milliseconds(milliseconds: i64) -> Self {
        Self { milliseconds }
    }

    /// From seconds since the epoch, rounded to milliseconds; out of range saturates.
    pub fn from_seconds(seconds: f64) -> Self {
        // A cast from float to integer saturates, and turns NaN into 0.
        Self { milliseconds: (seconds * 1000.0).round() as i64 }
    }

    /// Milliseconds since the epoch.
    pub const fn milliseconds(self) -> i64 {
        self.milliseconds
    }

    /// `2026-11-17T12:00:00Z`: whole seconds in UTC, the form of XML bodies.
    pub fn iso8601(self) -> impl fmt::Display {
        let seconds = self.milliseconds.div_euclid(1000);
        let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
        let second = seconds.rem_euclid(86_400);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        fmt::from_fn(move |f| write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
    }

    /// Parses `2026-11-17T12:00:00[.fraction](Z|±hh:mm)`.
    pub fn parse_iso8601(text: &str) -> Result<Self, ParseTimestampError> {
        parse_iso8601(text).map(Self::from_milliseconds).ok_or(ParseTimestampError)
    }
}

/// Seconds since the epoch, with a fraction only where there is one: the form of JSON bodies.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.milliseconds < 0 { "-" } else { "" };
        let magnitude = self.milliseconds.unsigned_abs();
        write!(f, "{sign}{}", magnitude / 1000)?;
        match magnitude % 1000 {
            0 => Ok(()),
            fraction => {
                let digits = format!("{fraction:03}");
                write!(f, ".{}", digits.trim_end_matches('0'))
            }
        }
    }
}

fn parse_iso8601(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', 't'])?;
    let [year, month, day] = numbers(date, '-')?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at(zone_at);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(clock, ':')?;
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..=9999).contains(&year)
        && hour < 24
        && minute < 60
        && second < 61;
    if !in_range || fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let milliseconds: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some((seconds - zone_offset(zone)?) * 1000 + milliseconds)
}

/// Seconds east of UTC of `Z` or `±hh:mm`.
fn zone_offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return (zone.len() == 1).then_some(0),
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    Some(sign * (number(hours)? * 3600 + number(minutes)? * 60))
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(number);
    let parsed = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(parsed)
}

fn number(digits: &str) -> Option<i64> {
    let plausible = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    plausible.then(|| digits.parse().ok()).flatten()
}

/// Days since 1970-01-01 of a date of the Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date of the Gregorian calendar that is a number of days after 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // March is the first month, so that the leap day is the last of the year.
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_seconds_with_the_fraction_it_has() {
        assert_eq!(Timestamp::from_milliseconds(1_700_000_000_000).to_string(), "1700000000");
        assert_eq!(Timestamp::from_milliseconds(1_700_000_000_120).to_string(), "1700000000.12");
        assert_eq!(Timestamp::from_milliseconds(-5).to_string(), "-0.005");
    }

    #[test]
    fn parses_iso8601() {
        let parse = |text| Timestamp::parse_iso8601(text).map(Timestamp::milliseconds);
        assert_eq!(parse("1970-01-01T00:00:00Z"), Ok(0));
        assert_eq!(parse("2023-11-14T22:13:20.5Z"), Ok(1_700_000_000_500));
        assert_eq!(parse("2023-11-15T00:13:20+02:00"), Ok(1_700_000_000_000));
        assert_eq!(parse("2000-02-29T00:00:00Z"), Ok(951_782_400_000));
        for wrong in
            ["", "2023-11-14", "2023-13-14T00:00:00Z", "2023-11-14T22:13:20", "T", "2023-11-14T22:13:20.Z"]
        {
            assert_eq!(parse(wrong), Err(ParseTimestampError), "{wrong}");
        }
    }

    #[test]
    fn prints_iso8601() {
        let print = |milliseconds| Timestamp::from_milliseconds(milliseconds).iso8601().to_string();
        assert_eq!(print(1_700_000_000_999), "2023-11-14T22:13:20Z");
        assert_eq!(print(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(print(951_868_799_000), "2000-02-29T23:59:59Z");
        assert_eq!(print(-1), "1969-12-31T23:59:59Z");
        for day in -200_000..200_000 {
            let midnight = Timestamp::from_milliseconds(day * 86_400_000);
            assert_eq!(Timestamp::parse_iso8601(&midnight.iso8601().to_string()), Ok(midnight));
        }
        // Whatever it prints, it does not overflow.
        let _ = (print(i64::MIN), print(i64::MAX));
    }

    #[test]
    fn saturates() {
        assert_eq!(Timestamp::from_seconds(1e300).milliseconds(), i64::MAX);
        assert_eq!(Timestamp::from_seconds(f64::NAN).milliseconds(), 0);
    }
}
