//! The last 4 KB of an invocation's log, as a caller that asks for `LogType: Tail` receives them.

use bytes::Bytes;

/// Bytes of log that a caller receives.
pub const TAIL_BYTES: usize = 4096;

/// Keeps the end of what is pushed.
#[derive(Debug)]
pub struct Tail {
    text: Vec<u8>,
}

impl Tail {
    /// An empty tail.
    #[must_use]
    pub fn new() -> Self {
        Self { text: Vec::with_capacity(1024) }
    }

    /// Appends a line; the line feed is added.
    pub fn push(&mut self, line: &[u8]) {
        let line = &line[line.len().saturating_sub(TAIL_BYTES)..];
        // Cut seldom, so that many short lines do not each move all of it.
        if self.text.len() + line.len() > 4 * TAIL_BYTES {
            self.text.drain(..self.text.len() - TAIL_BYTES.min(self.text.len()));
        }
        self.text.extend_from_slice(line);
        self.text.push(b'\n');
    }

    /// The last 4 KB, cut from the front wherever that falls.
    #[must_use]
    pub fn finish(mut self) -> Bytes {
        let surplus = self.text.len().saturating_sub(TAIL_BYTES);
        self.text.drain(..surplus);
        self.text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_4096_bytes() {
        let mut tail = Tail::new();
        let mut whole = Vec::new();
        for number in 0..5_000 {
            let line = format!("line {number}");
            tail.push(line.as_bytes());
            whole.extend_from_slice(line.as_bytes());
            whole.push(b'\n');
        }
        assert_eq!(tail.finish(), whole[whole.len() - TAIL_BYTES..]);
    }

    #[test]
    fn one_line_that_is_longer_than_all() {
        let mut tail = Tail::new();
        tail.push(&[b'x'; 10_000]);
        let kept = tail.finish();
        assert_eq!(kept.len(), TAIL_BYTES);
        assert!(kept.ends_with(b"x\n"));
    }
}
