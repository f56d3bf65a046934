//! What a segment is made of.
//!
//! ```text
//! record   length of the body: u32 · CRC-32 of the body: u32 · body            all numbers little-endian
//! body     1 · stream: u32 · created: i64 · name                               a stream, before its first event
//!          2 · stream: u32 · time: i64 · taken: i64 · message                  an event
//!          3 · stream: u32                                                     the stream was deleted
//! ```
//! A record that is cut short or does not match its checksum ends the segment: it was being written when the server
//! died.

const HEADER_BYTES: usize = 8;
const STREAM: u8 = 1;
const EVENT: u8 = 2;
const DELETED: u8 = 3;

/// The longest message kept, in bytes: CloudWatch counts 26 more for each event, and takes 1 MiB.
pub(super) const MAX_MESSAGE_BYTES: usize = 1_048_576 - 26;
/// No honest body is longer; a length beyond it is rubbish.
const MAX_BODY_BYTES: usize = MAX_MESSAGE_BYTES + 64;

/// One record, borrowing its text. Times are milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record<'a> {
    Stream { stream: u32, created: i64, name: &'a str },
    Event { stream: u32, time: i64, taken: i64, message: &'a [u8] },
    Deleted { stream: u32 },
}

impl Record<'_> {
    /// Appends the record to `bytes`.
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        bytes.extend([0; HEADER_BYTES]);
        match self {
            Self::Stream { stream, created, name } => {
                bytes.push(STREAM);
                bytes.extend(stream.to_le_bytes());
                bytes.extend(created.to_le_bytes());
                bytes.extend(name.as_bytes());
            }
            Self::Event { stream, time, taken, message } => {
                bytes.push(EVENT);
                bytes.extend(stream.to_le_bytes());
                bytes.extend(time.to_le_bytes());
                bytes.extend(taken.to_le_bytes());
                bytes.extend(&message[..message.len().min(MAX_MESSAGE_BYTES)]);
            }
            Self::Deleted { stream } => {
                bytes.push(DELETED);
                bytes.extend(stream.to_le_bytes());
            }
        }
        let body = &bytes[start + HEADER_BYTES..];
        let (length, checksum) = (body.len() as u32, crc32fast::hash(body));
        bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
        bytes[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
    }
}

/// The records in `bytes` with where each begins, up to the first that is not whole.
pub(super) fn decode(bytes: &[u8]) -> impl Iterator<Item = (usize, Record<'_>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (record, length) = decode_one(&bytes[at..])?;
        let start = at;
        at += length;
        Some((start, record))
    })
}

/// How many bytes the whole records at the beginning of `bytes` take.
pub(super) fn whole_bytes(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some((_, length)) = decode_one(&bytes[at..]) {
        at += length;
    }
    at
}

fn decode_one(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (checksum, rest) = rest.split_first_chunk()?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_BODY_BYTES {
        return None;
    }
    let body = rest.get(..length)?;
    if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    Some((decode_body(body)?, HEADER_BYTES + length))
}

fn decode_body(body: &[u8]) -> Option<Record<'_>> {
    let (kind, rest) = body.split_first()?;
    let (stream, rest) = rest.split_first_chunk()?;
    let stream = u32::from_le_bytes(*stream);
    match *kind {
        STREAM => {
            let (created, name) = rest.split_first_chunk()?;
            let name = std::str::from_utf8(name).ok()?;
            Some(Record::Stream { stream, created: i64::from_le_bytes(*created), name })
        }
        EVENT => {
            let (time, rest) = rest.split_first_chunk()?;
            let (taken, message) = rest.split_first_chunk()?;
            let (time, taken) = (i64::from_le_bytes(*time), i64::from_le_bytes(*taken));
            Some(Record::Event { stream, time, taken, message })
        }
        DELETED if rest.is_empty() => Some(Record::Deleted { stream }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RECORDS: [Record<'static>; 4] = [
        Record::Stream { stream: 1, created: 5, name: "2026/11/23/[$LATEST]ab" },
        Record::Event { stream: 1, time: -7, taken: i64::MAX, message: b"\xFF not text" },
        Record::Event { stream: 1, time: 0, taken: 0, message: b"" },
        Record::Deleted { stream: 1 },
    ];

    fn encoded() -> Vec<u8> {
        let mut bytes = Vec::new();
        RECORDS.iter().for_each(|record| record.encode(&mut bytes));
        bytes
    }

    #[test]
    fn records_come_back() {
        let bytes = encoded();
        assert!(decode(&bytes).map(|(_, record)| record).eq(RECORDS));
        assert_eq!(whole_bytes(&bytes), bytes.len());
    }

    #[test]
    fn a_torn_tail_is_left_out() {
        let bytes = encoded();
        let starts: Vec<usize> = decode(&bytes).map(|(start, _)| start).collect();
        for cut in 0..bytes.len() {
            let whole = starts.iter().rev().find(|start| **start <= cut).unwrap();
            assert_eq!(whole_bytes(&bytes[..cut]), *whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_long_message_is_cut() {
        let mut bytes = Vec::new();
        let message = vec![b'x'; MAX_MESSAGE_BYTES + 1];
        Record::Event { stream: 0, time: 0, taken: 0, message: &message }.encode(&mut bytes);
        let (_, Record::Event { message, .. }) = decode(&bytes).next().unwrap() else { panic!() };
        assert_eq!(message.len(), MAX_MESSAGE_BYTES);
    }

    proptest! {
        #[test]
        fn rubbish_is_no_record(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(whole_bytes(&bytes) <= bytes.len());
            prop_assert_eq!(decode(&bytes).count() == 0, whole_bytes(&bytes) == 0);
        }

        #[test]
        fn a_changed_byte_is_noticed(at in any::<prop::sample::Index>(), flip in 1_u8..) {
            let mut bytes = encoded();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert!(whole_bytes(&bytes) <= at);
        }
    }
}
