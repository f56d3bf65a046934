//! The jailer's life where there is no isolation: it starts the keepers of sandboxes and does nothing else.
//!
//! Should a keeper be killed, what was beneath it becomes the jailer's, which is a subreaper too, and is killed. Should
//! the jailer be killed, the keepers end, and what is beneath them first.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, getpid, pidfd_open};

use super::protocol::{self, FromJailer, FromSandbox, Refusal, Settings, ToJailer};
use super::service::wait_for_turn;
use crate::child_signals::ChildSignals;
use crate::init::keeper;
use crate::step::{During, Step};
use crate::tree;

/// Runs this jailer to its end.
pub(super) fn run(control: &OwnedFd, settings: &Settings) -> Step<()> {
    let (_turn, signals) = match prepare(settings) {
        Ok(prepared) => prepared,
        Err(error) => {
            let message = FromJailer::Failed(Refusal::from(error));
            return protocol::send(control.as_fd(), &message, &[]).during("tell the server");
        }
    };
    let started = FromJailer::Started { remarks: Vec::new() };
    protocol::send(control.as_fd(), &started, &[]).during("tell the server")?;
    let mut jailer = Unjailed { signals, keepers: HashSet::new(), strays: false };
    let served = jailer.serve(control);
    // The keepers too: one of them might be stopped, and could not end by itself.
    tree::kill_all(|patience| {
        jailer.signals.wait(patience);
        jailer.reap()
    })?;
    served
}

fn prepare(settings: &Settings) -> Step<(File, ChildSignals)> {
    // What is made here only its owner may write; functions inherit this, as on AWS.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    tree::become_root().during("keep processes together")?;
    // Held to the end: only then is nothing left for the next server to stumble over.
    let turn = wait_for_turn(&settings.directory)?;
    Ok((turn, ChildSignals::block().during("receive signals")?))
}

#[derive(Debug)]
struct Unjailed {
    signals: ChildSignals,
    keepers: HashSet<Pid>,
    /// Whether processes may have become the jailer's whose keeper was killed.
    strays: bool,
}

impl Unjailed {
    fn serve(&mut self, control: &OwnedFd) -> Step<()> {
        loop {
            let mut descriptors =
                [PollFd::new(control, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
            match poll(&mut descriptors, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error).during("wait for events"),
            }
            let [heard, ended] = descriptors.map(|descriptor| !descriptor.revents().is_empty());
            if ended {
                self.signals.wait(Duration::ZERO);
                self.reap()?;
                self.kill_strays();
            }
            if heard && !self.hear(control)? {
                return Ok(());
            }
        }
    }

    /// Handles one request; `false` when the server is gone.
    fn hear(&mut self, control: &OwnedFd) -> Step<bool> {
        let Some((message, mut descriptors)) =
            protocol::receive(control.as_fd()).during("hear the server")?
        else {
            return Ok(false);
        };
        if let (ToJailer::Create(_), Some(channel)) = (message, descriptors.pop()) {
            // Only the keeper may hold it further: its end is that of the sandbox.
            match start_keeper(&channel) {
                Ok(keeper) => _ = self.keepers.insert(keeper),
                Err(error) => {
                    let message = FromSandbox::Failed(Refusal::from(error));
                    let _ = protocol::send(channel.as_fd(), &message, &[]);
                }
            }
        }
        Ok(true)
    }

    /// Reaps children that have ended, and says whether any are left.
    fn reap(&mut self) -> Step<bool> {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    // A keeper that ends well leaves nothing behind.
                    self.strays |= !self.keepers.remove(&pid) || status.exit_status() != Some(0);
                }
                Ok(None) => return Ok(true),
                Err(rustix::io::Errno::CHILD) => return Ok(false),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error).during("reap a process"),
            }
        }
    }

    /// Kills what no keeper keeps. Where that lets others become the jailer's, a signal tells of it.
    fn kill_strays(&mut self) {
        if std::mem::take(&mut self.strays) {
            tree::kill_newest(|pid| self.keepers.contains(&pid));
            tree::signal(&tree::below(getpid(), |pid| self.keepers.contains(&pid)), Signal::KILL);
        }
    }
}

fn start_keeper(channel: &OwnedFd) -> Step<Pid> {
    let channel = channel.try_clone().during("duplicate a descriptor")?;
    let jailer = pidfd_open(getpid(), PidfdFlags::empty()).during("open the jailer")?;
    // SAFETY: the jailer has a single thread, so the child may do everything the parent may.
    match unsafe { libc::fork() } {
        0 => {
            let run = std::panic::AssertUnwindSafe(|| keeper::run(channel, jailer));
            let well = matches!(std::panic::catch_unwind(run), Ok(Ok(())));
            // SAFETY: ends the process without running what the jailer has registered to run at its end.
            unsafe { libc::_exit(i32::from(!well)) }
        }
        -1 => Err(io::Error::last_os_error()).during("fork"),
        child => Pid::from_raw(child).ok_or(io::ErrorKind::InvalidData).during("fork"),
    }
}
