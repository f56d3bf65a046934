//! The framed log descriptor (`_LAMBDA_TELEMETRY_LOG_FD`), through which a runtime client writes whole events.
//!
//! A frame is, in big-endian order: a type of four bytes, the message's length of four, the time in microseconds of
//! eight, the message. The type is `0xa55a0003` (text) or `0xa55a0002` (JSON), or-ed with the level.

use super::level::Level;
use super::line::{LONGEST_EVENT, Lines};

const HEAD: usize = 16;
const MAGIC: u32 = 0xa55a_0000;

/// What a frame says about its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// The level, if the frame names one.
    pub level: Option<Level>,
    /// Microseconds since the epoch.
    pub time_micros: i64,
}

/// Reads frames from a stream that may be cut anywhere.
#[derive(Debug, Default)]
pub struct Frames {
    head: Vec<u8>,
    message: Vec<u8>,
    current: Option<(Frame, usize)>,
    /// The writer does not speak the format: from there on what it writes is taken as lines.
    lines: Option<Lines>,
}

impl Frames {
    /// Takes what was read and gives every complete message to `emit`.
    pub fn push(&mut self, mut bytes: &[u8], emit: &mut impl FnMut(Option<Frame>, &[u8])) {
        while !bytes.is_empty() {
            if let Some(lines) = &mut self.lines {
                return lines.push(bytes, &mut |line| emit(None, line));
            }
            bytes = match self.current {
                None => self.take_head(bytes, emit),
                Some((frame, left)) => self.take_message(bytes, frame, left, emit),
            };
        }
    }

    /// Gives what has arrived of an unfinished message to `emit`.
    pub fn flush(&mut self, emit: &mut impl FnMut(Option<Frame>, &[u8])) {
        if let Some(lines) = &mut self.lines {
            lines.flush(&mut |line| emit(None, line));
        } else if let Some((frame, _)) = self.current
            && !self.message.is_empty()
        {
            emit(Some(frame), &self.message);
            self.message.clear();
        }
    }

    fn take_head<'a>(&mut self, bytes: &'a [u8], emit: &mut impl FnMut(Option<Frame>, &[u8])) -> &'a [u8] {
        let (part, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
        self.head.extend_from_slice(part);
        let Ok(head) = <[u8; HEAD]>::try_from(self.head.as_slice()) else {
            return rest;
        };
        self.head.clear();
        match parse_head(head) {
            Some((frame, 0)) => emit(Some(frame), b""),
            Some(current) => self.current = Some(current),
            None => {
                let lines = self.lines.insert(Lines::default());
                lines.push(&head, &mut |line| emit(None, line));
            }
        }
        rest
    }

    fn take_message<'a>(
        &mut self,
        bytes: &'a [u8],
        frame: Frame,
        left: usize,
        emit: &mut impl FnMut(Option<Frame>, &[u8]),
    ) -> &'a [u8] {
        let room = LONGEST_EVENT - self.message.len();
        let (part, rest) = bytes.split_at(bytes.len().min(left).min(room));
        let left = left - part.len();
        self.current = (left > 0).then_some((frame, left));
        if self.message.is_empty() && left == 0 {
            emit(Some(frame), part);
            return rest;
        }
        self.message.extend_from_slice(part);
        if left == 0 || self.message.len() == LONGEST_EVENT {
            emit(Some(frame), &self.message);
            self.message.clear();
            self.message.shrink_to(1024);
        }
        rest
    }
}

fn parse_head(head: [u8; HEAD]) -> Option<(Frame, usize)> {
    let [t0, t1, t2, t3, l0, l1, l2, l3, time @ ..] = head;
    let kind = u32::from_be_bytes([t0, t1, t2, t3]);
    let format = kind & 0x3;
    if kind & 0xffff_0000 != MAGIC || !matches!(format, 2 | 3) {
        return None;
    }
    let level = Level::from_frame(kind & 0xfffc & !MAGIC);
    let time_micros = i64::from_be_bytes(time);
    Some((Frame { level, time_micros }, u32::from_be_bytes([l0, l1, l2, l3]) as usize))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u32, message: &[u8]) -> Vec<u8> {
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(&1_700_000_000_000_000_i64.to_be_bytes());
        bytes.extend_from_slice(message);
        bytes
    }

    fn read(pieces: &[&[u8]]) -> Vec<(Option<Level>, Vec<u8>)> {
        let mut frames = Frames::default();
        let mut events = Vec::new();
        let mut emit = |frame: Option<Frame>, message: &[u8]| {
            events.push((frame.and_then(|frame| frame.level), message.to_vec()));
        };
        for piece in pieces {
            frames.push(piece, &mut emit);
        }
        frames.flush(&mut emit);
        events
    }

    #[test]
    fn a_message_with_line_feeds_is_one_event() {
        let bytes = [frame(0xa55a_0017, b"two\nlines\n"), frame(0xa55a_0002, b"{}")].concat();
        let expected = vec![(Some(Level::Error), b"two\nlines\n".to_vec()), (None, b"{}".to_vec())];
        assert_eq!(read(&[&bytes]), expected);
        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&bytewise), expected);
    }

    #[test]
    fn what_is_no_frame_is_read_as_lines() {
        let events = read(&[b"this is not a frame\nat all\n"]);
        assert_eq!(events[0].1, b"this is not a frame");
        assert_eq!(events[1].1, b"at all");
    }

    #[test]
    fn a_huge_message_is_split_and_never_held_whole() {
        let message = vec![b'x'; LONGEST_EVENT * 2 + 7];
        let events = read(&[&frame(0xa55a_0003, &message), &frame(0xa55a_0003, b"next")]);
        assert_eq!(events.len(), 4);
        assert_eq!(events[3].1, b"next");
        let joined: Vec<u8> = events[..3].iter().flat_map(|event| event.1.clone()).collect();
        assert_eq!(joined, message);
    }

    #[test]
    fn a_message_that_announces_gigabytes_costs_only_what_arrives() {
        let mut bytes = frame(0xa55a_0003, b"");
        bytes[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
        bytes.extend_from_slice(b"little");
        assert_eq!(read(&[&bytes]), [(None, b"little".to_vec())]);
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0usize..400) {
            let cut = cut.min(bytes.len());
            let whole = read(&[&bytes]);
            let pieces = read(&[&bytes[..cut], &bytes[cut..]]);
            prop_assert_eq!(whole, pieces);
        }
    }
}
