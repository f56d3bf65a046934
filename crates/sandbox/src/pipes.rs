//! The pipes that carry a process' output to the server.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::Error;

/// Both ends of the pipes of one process that is about to be started.
#[derive(Debug)]
pub(crate) struct Pipes {
    /// Non-blocking ends, kept by the server.
    pub(crate) read: Ends,
    /// Blocking ends, given to the process.
    pub(crate) write: Ends,
}

/// One side of [`Pipes`].
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
    pub(crate) log: Option<OwnedFd>,
}

impl Pipes {
    /// Opens two pipes, and a third one for framed log records if `log` says so.
    pub(crate) fn open(log: bool) -> Result<Self, Error> {
        let (stdout_read, stdout_write) = open_one()?;
        let (stderr_read, stderr_write) = open_one()?;
        let (log_read, log_write) =
            if log { open_one().map(|(r, w)| (Some(r), Some(w)))? } else { (None, None) };
        Ok(Self {
            read: Ends { stdout: stdout_read, stderr: stderr_read, log: log_read },
            write: Ends { stdout: stdout_write, stderr: stderr_write, log: log_write },
        })
    }
}

fn open_one() -> Result<(OwnedFd, OwnedFd), Error> {
    let open = || -> io::Result<(OwnedFd, OwnedFd)> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        let flags = fcntl_getfl(read.as_fd())?;
        fcntl_setfl(read.as_fd(), flags | OFlags::NONBLOCK)?;
        Ok((read, write))
    };
    open().map_err(|source| Error::Setup { step: "open a pipe".to_owned(), source })
}
