//! What the server, the jailer and the first process of a sandbox say to each other, and how.
//!
//! Two kinds of sockets, both of sequenced packets, each packet one message in JSON with its descriptors:
//!
//! ```text
//! server ──(control)──> jailer               Start, then one Create per sandbox. Closing it ends the jailer.
//! server <─(channel of one sandbox)─ jailer  Measures, or Failed
//! server <─(the same channel)──> init        Ready or Failed; Spawn, KillAll and their answers
//! ```
//!
//! The far end of a channel is held by the jailer and by the sandbox's init. When the server closes its end the
//! jailer destroys the sandbox; when the jailer has done so the server reads the end of the channel.
//!
//! Without isolation a sandbox has a keeper in init's place, which tells the measures as well, holds the channel alone,
//! and destroys the sandbox.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::step::StepError;
use crate::{Command, Isolation, Signal, Spec};

/// What the server tells the jailer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToJailer {
    /// The first message, answered by [`FromJailer`].
    Start(Settings),
    /// Make a sandbox. Its channel's far end comes along.
    Create(Box<Spec>),
}

/// The jailer's answer to [`ToJailer::Start`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromJailer {
    /// Everything common to all sandboxes is prepared. The remarks tell what this machine does not offer.
    Started { remarks: Vec<String> },
    /// Sandboxes cannot be made here.
    Failed(Refusal),
}

/// Settings of the jailer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Where the jailer keeps its files.
    pub(crate) directory: PathBuf,
    /// Names what belongs to this server among other servers' cgroups, interfaces and firewall tables.
    pub(crate) instance: String,
    /// How strongly sandboxes are to be separated.
    pub(crate) isolation: Isolation,
    /// Whether sandboxes may be given a way out.
    pub(crate) egress: bool,
    /// How many sandboxes may be prepared, as far as can be, before they are asked for.
    pub(crate) ahead: usize,
}

/// A [`StepError`] that crosses a process border.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) step: String,
    pub(crate) errno: i32,
}

impl From<StepError> for Refusal {
    fn from(error: StepError) -> Self {
        match error.source.raw_os_error() {
            Some(errno) => Self { step: error.step, errno },
            None => Self { step: format!("{} ({})", error.step, error.source), errno: libc::EIO },
        }
    }
}

impl From<Refusal> for StepError {
    fn from(refusal: Refusal) -> Self {
        Self { step: refusal.step, source: io::Error::from_raw_os_error(refusal.errno) }
    }
}

/// What the jailer and init tell the server about one sandbox.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromSandbox {
    /// From the jailer or the keeper: files of the kernel for measuring and freezing, one descriptor each, in this order.
    Measures(Vec<Measure>),
    /// From init: the sandbox is complete. The listeners come along.
    Ready,
    /// From either: the sandbox could not be made, and is being removed.
    Failed(Refusal),
    /// From init: the process runs. A descriptor that stands for it comes along.
    Started { process: u64 },
    /// From init: the program could not be executed, or a step before that was refused.
    NotStarted { process: u64, executing: bool, refusal: Refusal },
    /// From init: the process has ended.
    Exited { process: u64, code: Option<i32>, signal: Option<i32> },
    /// From init: what was asked of all processes is done.
    Done { request: u64 },
    /// From init: the socket that was asked for comes along, unless it was refused.
    Socket { request: u64, refusal: Option<Refusal> },
}

/// What the server tells init.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToInit {
    /// Start a process. The ends of its output pipes come along: standard output, standard error, log.
    Spawn { process: u64, command: Command },
    /// Signal one process and its group; answered at once.
    Signal { request: u64, process: u64, signal: Signal },
    /// Kill all processes but init; answered when none is left.
    KillAll { request: u64 },
    /// Stop all processes but init, or let them continue: where the kernel offers no better way.
    Stop { request: u64, stopped: bool },
    /// Make a TCP socket in the sandbox's network namespace, for the server to connect.
    Socket { request: u64 },
}

/// A file through which the kernel measures or controls a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Measure {
    /// `cgroup.freeze`: 1 and 0.
    Freeze2,
    /// `freezer.state`: FROZEN and THAWED.
    Freeze1,
    /// Bytes in use.
    Memory,
    /// Highest bytes in use; anything written resets it, where the kernel can.
    Peak,
    /// Key-value lines with memory by kind, keys of version 2.
    Statistics2,
    /// The same, keys of version 1.
    Statistics1,
    /// Key-value lines, among them `oom_kill`.
    OutOfMemory,
    /// `cpu.max`: quota and period.
    Quota2,
    /// `cpu.cfs_quota_us`.
    Quota1,
    /// Written by init itself, see `init::watchdog`.
    Watchdog,
    /// Stands for the keeper: the server itself measures what is beneath it, see `tree`.
    Tree,
}

/// Descriptors that one message may carry.
const MAX_DESCRIPTORS: usize = 16;
/// Bytes that one message may have.
const MAX_MESSAGE: usize = 512 << 10;

/// A connected pair of sockets, close-on-exec, blocking.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let pair =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    for socket in [&pair.0, &pair.1] {
        // Room for one large command; the kernel caps it.
        rustix::net::sockopt::set_socket_send_buffer_size(socket, MAX_MESSAGE)?;
    }
    Ok(pair)
}

/// Sends one message. Fails with `WouldBlock` on a non-blocking socket that is full.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    message: &impl Serialize,
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::TOOBIG.into());
    }
    retry(|| rustix::net::sendmsg(socket, &[IoSlice::new(&body)], &mut control, SendFlags::NOSIGNAL))?;
    Ok(())
}

/// Receives one message with its descriptors; `None` when the other side has closed.
pub(crate) fn receive<T: DeserializeOwned>(socket: BorrowedFd<'_>) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    // How large it is comes first: most are tiny, and a sandbox pays for the memory of its init.
    let look = RecvFlags::PEEK | RecvFlags::TRUNC;
    let length = match retry(|| rustix::net::recv(socket, &mut [0u8; 1], look)) {
        Err(Errno::CONNRESET) => return Ok(None),
        other => other?.1,
    };
    let mut body = vec![0; length.min(MAX_MESSAGE)];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(&mut body)];
    let received = retry(|| rustix::net::recvmsg(socket, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC));
    let received = match received {
        Err(Errno::CONNRESET) => return Ok(None),
        other => other?,
    };
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(Errno::MSGSIZE.into());
    }
    Ok(Some((serde_json::from_slice(&body[..received.bytes])?, descriptors)))
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

/// Borrows every descriptor of `owned`.
pub(crate) fn borrow(owned: &[OwnedFd]) -> Vec<BorrowedFd<'_>> {
    owned.iter().map(AsFd::as_fd).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_with_its_descriptors_and_then_the_end() {
        let (near, far) = pair().unwrap();
        let (read, write) = rustix::pipe::pipe().unwrap();
        let message = ToInit::KillAll { request: 7 };
        send(near.as_fd(), &message, &[read.as_fd()]).unwrap();
        drop(near);
        let (received, descriptors) = receive::<ToInit>(far.as_fd()).unwrap().expect("a message");
        assert!(matches!(received, ToInit::KillAll { request: 7 }));
        rustix::io::write(&write, b"through").unwrap();
        let mut text = [0; 16];
        assert_eq!(rustix::io::read(&descriptors[0], &mut text).unwrap(), 7);
        assert!(receive::<ToInit>(far.as_fd()).unwrap().is_none());
    }

    #[test]
    fn a_command_with_a_large_environment_fits() {
        let (near, far) = pair().unwrap();
        let mut command = Command::default();
        command.environment.insert("LARGE".to_owned(), "x".repeat(100_000));
        send(near.as_fd(), &ToInit::Spawn { process: 1, command }, &[]).unwrap();
        let (ToInit::Spawn { command, .. }, _) = receive(far.as_fd()).unwrap().unwrap() else { panic!() };
        assert_eq!(command.environment["LARGE"].len(), 100_000);
    }
}
