//! The jailer: a small process of one thread that makes and removes sandboxes on request.
//!
//! Cloning a process that has threads is unsafe, and slow if it is large; so the server executes itself anew as the
//! jailer, which is neither. The jailer has a mount namespace of its own, so that no mount made for a sandbox ever
//! shows on the host, and all of them go with it. It ends when the server closes its socket, whichever way the
//! server ended, and removes everything first. Sandboxes end with it, whichever way it ends.
//!
//! Without isolation there is little to do, and `unjailed` does it: one keeper per sandbox is forked, and what escapes
//! a keeper that was killed is killed too.

pub(crate) mod protocol;
mod service;
mod unjailed;

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use self::protocol::{FromJailer, Settings, ToJailer};
use crate::step::{During, Step};

/// The argument that makes a program the jailer.
const VERB: &str = "sandbox-jailer";
/// The descriptor at which the jailer finds its socket.
const SOCKET: i32 = 3;

/// Turns this process into the jailer if it was started as one, and then never returns. To be called as the very
/// first thing in `main`, before any thread exists.
pub fn main_if_requested() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|verb| verb != VERB) || arguments.next().is_some() {
        return;
    }
    // SAFETY: whoever started this process as the jailer has put a socket at this number, and nothing in this
    // process has opened or owns a descriptor yet. A person who types the verb gets an error from its first use.
    let socket = unsafe { OwnedFd::from_raw_fd(SOCKET) };
    let status = i32::from(service::run(socket).is_err());
    std::process::exit(status);
}

/// Starts the program `executable` as the jailer; gives its process and the server's end of its socket.
pub(crate) fn start(executable: &Path) -> Step<(Child, OwnedFd)> {
    let (near, far) = protocol::pair().during("make a pair of sockets")?;
    let number = far.as_raw_fd();
    let mut command = Command::new(executable);
    command.arg0("rushlight").arg(VERB).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    // SAFETY: the closure runs in the forked child and makes only async-signal-safe system calls, on a descriptor
    // that `far` keeps open until the child exists.
    unsafe {
        command.pre_exec(move || {
            let done = if number == SOCKET {
                libc::fcntl(number, libc::F_SETFD, 0)
            } else {
                libc::dup2(number, SOCKET)
            };
            if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
        });
    }
    let child = command.spawn().during(format!("execute {}", executable.display()))?;
    Ok((child, near))
}

/// Sends the jailer its settings and waits until it is prepared. The result are its remarks on the machine.
pub(crate) fn introduce(socket: &OwnedFd, settings: &Settings) -> Step<Vec<String>> {
    let message = ToJailer::Start(settings.clone());
    protocol::send(socket.as_fd(), &message, &[]).during("send the jailer its settings")?;
    match protocol::receive(socket.as_fd()).during("hear from the jailer")? {
        Some((FromJailer::Started { remarks }, _)) => Ok(remarks),
        Some((FromJailer::Failed(refusal), _)) => Err(refusal.into()),
        None => Err(io::Error::from(io::ErrorKind::UnexpectedEof))
            .during("start the jailer (does `main` call `main_if_requested`?)"),
    }
}
