//! Splits what a process writes into lines: one log event each.

/// Longest log event in bytes; a longer line becomes several. CloudWatch Logs takes 256 KiB with 26 bytes of overhead.
pub const LONGEST_EVENT: usize = 256 * 1024 - 26;

/// The line that has not ended yet.
#[derive(Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Takes what was read and gives every line that is complete to `emit`, without its line feed.
    pub fn push(&mut self, mut bytes: &[u8], emit: &mut impl FnMut(&[u8])) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            bytes = &rest[1..];
            if self.partial.is_empty() && line.len() <= LONGEST_EVENT {
                emit(line);
            } else {
                self.extend(line, emit);
                emit(&self.partial);
                self.clear();
            }
        }
        self.extend(bytes, emit);
    }

    /// Gives an unfinished line to `emit`.
    pub fn flush(&mut self, emit: &mut impl FnMut(&[u8])) {
        if !self.partial.is_empty() {
            emit(&self.partial);
            self.clear();
        }
    }

    fn extend(&mut self, mut bytes: &[u8], emit: &mut impl FnMut(&[u8])) {
        while self.partial.len() + bytes.len() > LONGEST_EVENT {
            let (fits, rest) = bytes.split_at(character_boundary(bytes, LONGEST_EVENT - self.partial.len()));
            self.partial.extend_from_slice(fits);
            emit(&self.partial);
            self.partial.clear();
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
    }

    /// Keeps a small buffer for the next line, not one that a single long line needed.
    fn clear(&mut self) {
        self.partial.clear();
        self.partial.shrink_to(1024);
    }
}

/// The largest place at or before `at` that does not cut a UTF-8 character; `at` itself where there is none near.
fn character_boundary(bytes: &[u8], at: usize) -> usize {
    let is_boundary = |&place: &usize| bytes.get(place).is_none_or(|byte| byte & 0xc0 != 0x80);
    (at.saturating_sub(3)..=at).rev().find(is_boundary).filter(|&place| place > 0).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut lines = Lines::default();
        let mut events = Vec::new();
        let mut emit = |line: &[u8]| events.push(line.to_vec());
        for piece in pieces {
            lines.push(piece, &mut emit);
        }
        lines.flush(&mut emit);
        events
    }

    #[test]
    fn one_event_a_line_however_it_is_cut() {
        assert_eq!(split(&[b"a\nb\n"]), [b"a", b"b"]);
        assert_eq!(split(&[b"hel", b"lo\nwor", b"ld"]), [b"hello", b"world"]);
        assert_eq!(split(&[b"\n\nx"]), [&b""[..], b"", b"x"]);
        assert_eq!(split(&[b"a\rb\n"]), [b"a\rb"]);
        assert!(split(&[b""]).is_empty());
    }

    #[test]
    fn long_lines_become_several_events_between_characters() {
        let long = "é".repeat(LONGEST_EVENT);
        let events = split(&[long.as_bytes(), b"\nnext\n"]);
        assert!(events.iter().all(|event| event.len() <= LONGEST_EVENT));
        assert!(events.iter().all(|event| std::str::from_utf8(event).is_ok()));
        assert_eq!(events.last().unwrap(), b"next");
        assert_eq!(events[..events.len() - 1].concat(), long.as_bytes());
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        let noise = vec![0x80; 2 * LONGEST_EVENT + 5];
        assert_eq!(split(&[&noise]).concat(), noise);
    }
}
