//! Waiting for descriptors within the server's event loop.

use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::Error;

/// Registers `descriptor` with the event loop for readability and writability.
pub(crate) fn both_ways(descriptor: OwnedFd) -> Result<AsyncFd<OwnedFd>, Error> {
    let interest = Interest::READABLE | Interest::WRITABLE;
    // SAFETY: an `OwnedFd` is the only owner of its descriptor, which stays open and the same until it is dropped,
    // and `AsyncFd` drops it only after taking it out of the event loop.
    let registered = unsafe { AsyncFd::register_with_interest(descriptor, interest) };
    registered.map_err(|error| Error::setup("watch a descriptor", error.into()))
}
