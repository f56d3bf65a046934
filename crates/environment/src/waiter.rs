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

    /// Begins to wait for an event.
    pub(crate) fn arm(&self) {
        *self.state.lock() = State::default();
    }

    /// Writes the event or leaves it to the connection's task.
    pub(crate) fn hand_over(&self, head: &[u8], payload: Bytes) {
        // The lock is held while writing: the answer may be here before this thread has noted that it wrote.
        let mut state = self.state.lock();
        let total = head.len() + payload.len();
        let mut written = 0;
        while written < total {
            let head = head.get(written..).unwrap_or_default();
            let body = &payload[written.saturating_sub(total - payload.len())..];
            match self.half.try_write_vectored(&[IoSlice::new(head), IoSlice::new(body)]) {
                Ok(length) if length > 0 => written += length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // The task finds out whether the socket is full or broken.
                _ => break,
            }
        }
        if written == total {
            state.event = Event::Written;
        } else {
            let into_payload = written.saturating_sub(total - payload.len());
            let head = Bytes::copy_from_slice(head.get(written..).unwrap_or_default());
            state.event = Event::Rest(head, payload.slice(into_payload..));
            state.wake = true;
        }
        if state.wake {
            self.changed.notify_one();
        }
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
