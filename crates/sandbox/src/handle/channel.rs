//! The server's end of a channel, within its event loop.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::net::Shutdown;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::jailer::protocol;
use crate::readiness;
use crate::step::During;

/// A socket of sequenced packets that carries typed messages.
#[derive(Debug)]
pub(super) struct Channel(AsyncFd<OwnedFd>);

impl Channel {
    /// Makes `socket` non-blocking and registers it.
    pub(super) fn new(socket: OwnedFd) -> Result<Self, crate::Error> {
        let flags = fcntl_getfl(&socket).and_then(|flags| fcntl_setfl(&socket, flags | OFlags::NONBLOCK));
        flags.during("make a socket non-blocking")?;
        Ok(Self(readiness::both_ways(socket)?))
    }

    /// Sends one message. Cancel-safe: a message is sent whole or not at all.
    pub(super) async fn send(
        &self,
        message: &impl Serialize,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let send = |socket: &OwnedFd| protocol::send(socket.as_fd(), message, descriptors);
        self.0.async_io(Interest::WRITABLE, send).await
    }

    /// Receives one message; `None` when the other side has closed. Cancel-safe.
    pub(super) async fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        self.0.async_io(Interest::READABLE, |socket| protocol::receive(socket.as_fd())).await
    }

    /// Tells the other side that nothing more will be sent.
    pub(super) fn close(&self) {
        // Fails only if the other side is gone already.
        let _ = rustix::net::shutdown(self.0.get_ref(), Shutdown::Write);
    }
}
