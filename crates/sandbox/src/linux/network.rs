//! Network namespaces, and the server's listeners inside them.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

use crate::step::{During, Step};

/// Connections that may wait for the server.
const BACKLOG: i32 = 1024;

/// A network namespace, by the descriptor that keeps it alive.
#[derive(Debug)]
pub(crate) struct Network(OwnedFd);

impl Network {
    /// The calling process' present one.
    pub(crate) fn current() -> Step<Self> {
        let file = fs::File::open("/proc/self/ns/net").during("open the network namespace")?;
        Ok(Self(file.into()))
    }

    /// For naming the namespace to the kernel.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Makes a new namespace with a working loopback interface and moves the calling process into it.
    pub(crate) fn enter_new() -> Step<()> {
        // SAFETY: only the network namespace is unshared; no memory or descriptor table is.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.during("make a network namespace")?;
        raise_loopback().during("raise the loopback interface")
    }

    /// Moves the calling process into this namespace.
    pub(crate) fn enter(&self) -> Step<()> {
        move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))
            .during("enter a network namespace")
    }
}

/// Listens at `port` of the loopback address of the namespace that the calling process is in.
pub(crate) fn listen(port: u16) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    // Accepted connections inherit this: an answer is not held back to be joined with a later one.
    sockopt::set_tcp_nodelay(&socket, true)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// A socket of the namespace that the calling process is in. It stays one of that namespace, whoever receives it and
/// connects it.
pub(crate) fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?)
}

fn raise_loopback() -> io::Result<()> {
    let socket =
        rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: the structure consists of integers and byte arrays, for which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (target, byte) in request.ifr_name.iter_mut().zip(b"lo") {
        *target = *byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: this request reads an `ifreq` with name and flags set, which lives through the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
