//! A runtime's open request for its next event.
//!
//! Whoever has the event writes it to the connection directly, head and payload in one system call, on the caller's
//! own thread: the connection's task is not woken for it. It sleeps until the runtime's answer arrives. Only if the
//! socket does not take all at once does the rest go to the connection's task.

use std::io::IoSlice;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

/// The sending half of a connection with the state of its open request.
#[derive(Debug)]
pub(crate) struct Waiter {
    half: OwnedWriteHalf,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    event: Event,
    /// An answer that was held back because the next request had already arrived with the one that it answers: it
    /// goes out in one piece with the event, so that the runtime is woken once and not twice.
    first: &'static [u8],
    /// The connection's task waits for nothing but the event.
    wake: bool,
}

/// What has become of the event that was asked for.
#[derive(Debug, Default)]
pub(crate) enum Event {
    /// It has not come.
    #[default]
    Awaited,
    /// It was written.
    Written,
    /// This much of it is still to be written.
    Rest(Bytes, Bytes),
    /// It will not come on this connection, which is to be closed.
    Withdrawn,
}

impl Waiter {
    pub(crate) fn new(half: OwnedWriteHalf) -> Arc<Self> {
        Arc::new(Self { half, state: Mutex::default(), changed: Notify::new() })
    }

    /// Begins to wait for an event, before which `first` is to be written.
    pub(crate) fn arm(&self, first: &'static [u8]) {
        *self.state.lock() = State { first, ..State::default() };
    }

    /// Writes the event or leaves it to the connection's task.
    pub(crate) fn hand_over(&self, head: &[u8], payload: Bytes) {
        // The lock is held while writing: the answer may be here before this thread has noted that it wrote.
        let mut state = self.state.lock();
        let parts = [std::mem::take(&mut state.first), head, &payload];
        let written = self.try_write(parts);
        let first_and_head = parts[0].len() + head.len();
        if written == first_and_head + payload.len() {
            state.event = Event::Written;
        } else {
            let rest: Vec<u8> = parts[0].iter().chain(head).skip(written).copied().collect();
            let rest_of_payload = payload.slice(written.saturating_sub(first_and_head)..);
            state.event = Event::Rest(rest.into(), rest_of_payload);
            state.wake = true;
        }
        if state.wake {
            self.changed.notify_one();
        }
    }

    /// Writes as much as the socket takes at once; whether it is full or broken, the connection's task finds out.
    fn try_write(&self, parts: [&[u8]; 3]) -> usize {
        let mut slices = parts.map(IoSlice::new);
        let mut left = &mut slices[..];
        let mut written = 0;
        // Empty slices at the front are nothing to write.
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            match self.half.try_write_vectored(left) {
                Ok(length) if length > 0 => {
                    written += length;
                    IoSlice::advance_slices(&mut left, length);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        written
    }

    /// What was to be written before the event, if the event will not come.
    pub(crate) fn take_first(&self) -> &'static [u8] {
        std::mem::take(&mut self.state.lock().first)
    }

    /// Another connection asks for the event now.
    pub(crate) fn withdraw(&self) {
        self.state.lock().event = Event::Withdrawn;
        self.changed.notify_one();
    }

    /// What has become of the event. `wake` asks for a wake-up even if the event is written at once.
    pub(crate) fn take(&self, wake: bool) -> Event {
        let mut state = self.state.lock();
        state.wake |= wake;
        std::mem::take(&mut state.event)
    }

    /// Completes when the event has to be looked at. Cancel-safe.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Writes everything.
    pub(crate) async fn write_all(&self, mut bytes: &[u8]) -> std::io::Result<()> {
        while !bytes.is_empty() {
            match self.half.try_write(bytes) {
                Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
                Ok(length) => bytes = &bytes[length..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => self.half.writable().await?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
