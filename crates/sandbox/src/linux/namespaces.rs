//! Making a process with namespaces of its own.

use std::fs;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use rustix::process::Pid;

/// The inner ids of the processes in a sandbox: those that functions have on AWS.
pub(crate) const INNER_UID: u32 = 993;
/// See [`INNER_UID`].
pub(crate) const INNER_GID: u32 = 990;
/// Ids per sandbox.
const RANGE: u32 = 65_536;
/// The first host id of the first range; above what distributions hand out to people and below 2^31.
const FIRST: u32 = 1_000_000;
/// Ranges in use at once by one server, and the distance between servers' ranges.
const SLOTS: u32 = 30_000;

/// Too large for the type that the libc crate gives it.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// Which of the two processes returned from [`clone_process`].
pub(crate) enum Cloned {
    /// The new process.
    Child,
    /// The old one, with the new one's id and a descriptor that stands for it.
    Parent(Pid, OwnedFd),
}

/// Clones the calling process, as `fork` does, into new user, process id, mount, ipc and uts namespaces; into the
/// version 2 cgroup `cgroup`, if given.
pub(crate) fn clone_process(cgroup: Option<std::os::fd::BorrowedFd<'_>>) -> io::Result<Cloned> {
    use std::os::fd::AsRawFd;

    let namespaces = libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS;
    let mut pidfd: libc::c_int = -1;
    // SAFETY: all fields of the structure are integers, for which zero is a value (and means 'absent').
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = (namespaces | libc::CLONE_PIDFD) as u64;
    arguments.pidfd = (&raw mut pidfd) as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: without CLONE_VM the child has a copy of the address space, as after `fork`, and since the jailer has
    // a single thread no lock is held by a thread that the child lacks. The structure outlives the call.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of_val(&arguments)) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Cloned::Child),
        pid => {
            // SAFETY: the kernel has just stored a new descriptor here, which nobody else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            let pid = Pid::from_raw(pid as i32).ok_or(io::ErrorKind::InvalidData)?;
            Ok(Cloned::Parent(pid, pidfd))
        }
    }
}

/// A range of host ids that one sandbox has for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ids {
    /// `RANGE` ids from this one on; inner root is the first of them.
    Range(u32),
    /// The jailer's own id, the only one it has without privileges.
    Own,
}

impl Ids {
    /// Maps the ids of the sandbox whose first process is `pid`.
    pub(crate) fn map(self, pid: Pid) -> io::Result<()> {
        let directory = format!("/proc/{}", pid.as_raw_nonzero());
        match self {
            Self::Range(first) => {
                fs::write(format!("{directory}/uid_map"), format!("0 {first} {RANGE}\n"))?;
                fs::write(format!("{directory}/gid_map"), format!("0 {first} {RANGE}\n"))
            }
            Self::Own => {
                fs::write(format!("{directory}/uid_map"), format!("{INNER_UID} 0 1\n"))?;
                fs::write(format!("{directory}/setgroups"), "deny")?;
                fs::write(format!("{directory}/gid_map"), format!("{INNER_GID} 0 1\n"))
            }
        }
    }
}

/// The mapping of a user namespace that has root and all ranges, under the numbers that they have outside.
pub(crate) fn map_of_all_ranges() -> String {
    format!("0 0 1\n{FIRST} {FIRST} {}\n", SLOTS * RANGE)
}

/// Hands out ranges of ids, each to one sandbox at a time.
#[derive(Debug)]
pub(crate) struct Ranges {
    offset: u32,
    next: u32,
    used: std::collections::HashSet<u32>,
}

impl Ranges {
    /// Servers on one machine start at different places, so that their sandboxes share no ids either.
    pub(crate) fn new(instance: &str) -> Self {
        let hash = instance.bytes().fold(5381u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(byte));
        Self { offset: hash % SLOTS, next: 0, used: std::collections::HashSet::new() }
    }

    /// A range that no living sandbox has. The one given back last is used again last.
    pub(crate) fn take(&mut self) -> io::Result<Ids> {
        for _ in 0..SLOTS {
            let slot = (self.offset + self.next) % SLOTS;
            self.next = (self.next + 1) % SLOTS;
            if self.used.insert(slot) {
                return Ok(Ids::Range(FIRST + slot * RANGE));
            }
        }
        Err(io::Error::from_raw_os_error(libc::EUSERS))
    }

    /// Returns a range.
    pub(crate) fn give_back(&mut self, ids: Ids) {
        if let Ids::Range(first) = ids {
            self.used.remove(&((first - FIRST) / RANGE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_sandboxes_have_ids_in_common() {
        let mut ranges = Ranges::new("instance");
        let taken: Vec<_> = (0..SLOTS).map(|_| ranges.take().unwrap()).collect();
        let mut first: Vec<_> = taken
            .iter()
            .map(|ids| match ids {
                Ids::Range(first) => *first,
                Ids::Own => panic!(),
            })
            .collect();
        first.sort_unstable();
        assert!(first.windows(2).all(|pair| pair[1] - pair[0] >= RANGE));
        assert!(first[0] >= FIRST && first.last().unwrap().checked_add(RANGE).is_some());
        assert_eq!(ranges.take().unwrap_err().raw_os_error(), Some(libc::EUSERS));
        ranges.give_back(taken[5]);
        assert_eq!(ranges.take().unwrap(), taken[5]);
    }
}
