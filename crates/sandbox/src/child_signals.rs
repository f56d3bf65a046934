//! Waiting for the end of children and for messages at once.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

/// Readable when a child has ended. All its fellows may have ended too: it only says that reaping is worth while.
#[derive(Debug)]
pub(crate) struct ChildSignals(OwnedFd);

impl ChildSignals {
    /// Blocks SIGCHLD and makes it readable instead.
    pub(crate) fn block() -> io::Result<Self> {
        // SAFETY: an all-zero set is what `sigemptyset` makes of it anyway; the calls get valid pointers to it.
        let descriptor = unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, Signal::CHILD.as_raw());
            libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
        };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made the descriptor, and nobody else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    /// Takes the signals that have come: to be called before reaping.
    pub(crate) fn drain(&self) {
        let mut buffer = [0u8; 16 * size_of::<libc::signalfd_siginfo>()];
        while rustix::io::read(&self.0, &mut buffer).is_ok_and(|count| count == buffer.len()) {}
    }

    /// Waits at most `patience` for a signal, and takes what has come.
    pub(crate) fn wait(&self, patience: Duration) {
        let patience =
            Timespec { tv_sec: patience.as_secs() as i64, tv_nsec: i64::from(patience.subsec_nanos()) };
        // Whoever waits looks whether there is anything to reap, whatever ended the waiting.
        let _ = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&patience));
        self.drain();
    }
}

impl AsFd for ChildSignals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
