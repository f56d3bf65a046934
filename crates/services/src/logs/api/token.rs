//! Tokens and event ids: positions and names as text that clients hand back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::super::query::Position;
use super::super::{Error, Result};

/// What `PutLogEvents` answers since sequence tokens are no longer looked at.
pub(super) const UPLOAD_SEQUENCE: &str = "49039859567200000000000000000000000000000000000000000001";

/// The id of the event at a position: 56 digits that sort as events do, as CloudWatch's do.
pub(super) fn event_id(position: Position) -> String {
    format!("{:020}{:036}", position.time.max(0), position.place)
}

/// A token of `FilterLogEvents`: the last event that was returned.
pub(super) fn write_position(position: Position) -> String {
    URL_SAFE_NO_PAD.encode(digits(position))
}

pub(super) fn read_position(token: &str) -> Result<Position> {
    let decoded = URL_SAFE_NO_PAD.decode(token).ok();
    decoded.and_then(|bytes| parse(std::str::from_utf8(&bytes).ok()?)).ok_or_else(invalid)
}

/// A token of `GetLogEvents`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamToken {
    /// Events after a position.
    Forward(Position),
    /// Events before a position.
    Backward(Position),
}

impl StreamToken {
    pub(super) fn write(self) -> String {
        match self {
            Self::Forward(position) => format!("f/{}/s", digits(position)),
            Self::Backward(position) => format!("b/{}/s", digits(position)),
        }
    }

    pub(super) fn read(token: &str) -> Result<Self> {
        let inner = token.strip_suffix("/s").unwrap_or(token);
        match inner.split_once('/') {
            Some(("f", digits)) => parse(digits).map(Self::Forward),
            Some(("b", digits)) => parse(digits).map(Self::Backward),
            _ => None,
        }
        .ok_or_else(invalid)
    }
}

/// A token of a listing by name: the last name that was returned.
pub(super) fn write_name(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

pub(super) fn read_name(token: &str) -> Result<String> {
    let decoded = URL_SAFE_NO_PAD.decode(token).ok();
    decoded.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(invalid)
}

fn invalid() -> Error {
    Error::invalid("The specified nextToken is invalid.")
}

/// Times may be negative within the store's arithmetic, so they are shifted to be digits only.
fn digits(position: Position) -> String {
    format!("{:020}{:036}", position.time.wrapping_sub(i64::MIN) as u64, position.place)
}

fn parse(digits: &str) -> Option<Position> {
    if digits.len() != 56 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (time, place) = digits.split_at(20);
    let time = (time.parse::<u64>().ok()? as i64).wrapping_add(i64::MIN);
    Some(Position { time, place: place.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn positions_come_back(time in any::<i64>(), place in any::<u64>()) {
            let position = Position { time, place };
            prop_assert_eq!(read_position(&write_position(position)).unwrap(), position);
            for token in [StreamToken::Forward(position), StreamToken::Backward(position)] {
                prop_assert_eq!(StreamToken::read(&token.write()).unwrap(), token);
            }
        }

        #[test]
        fn other_text_is_refused(token in ".{0,70}") {
            let forged = |result: Result<()>| matches!(result, Ok(()) | Err(Error::InvalidParameter(_)));
            prop_assert!(forged(read_position(&token).map(drop)));
            prop_assert!(forged(StreamToken::read(&token).map(drop)));
            prop_assert!(forged(read_name(&token).map(drop)));
        }
    }

    #[test]
    fn event_ids_sort_as_events_do() {
        let id = |time, place| event_id(Position { time, place });
        assert_eq!(id(1_795_437_296_000, 5).len(), 56);
        assert!(id(1, u64::MAX) < id(2, 0) && id(2, 0) < id(2, 1));
    }
}
