//! The first process of a sandbox: our own code in a cloned jailer, never executed anew.
//!
//! It completes the sandbox from within, gives up its privileges, then starts processes, reaps them, and kills them
//! on request. It ends when the server closes the channel, and with it, by the kernel's hand, every other process
//! of the sandbox. Where there are no namespaces a [`keeper`] does the same.

pub(crate) mod keeper;
mod setup;
mod spawn;
pub(crate) mod watchdog;

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};

use self::watchdog::Watchdog;
use crate::child_signals::ChildSignals;
use crate::jailer::protocol::{self, FromSandbox, Refusal, ToInit};
use crate::linux::cgroup::Entrance;
use crate::linux::network;
use crate::linux::root::Placed;
use crate::linux::seccomp::Filter;
use crate::step::{During, Step};
use crate::tree;
use crate::{Emulator, Limits};

/// Everything that the jailer prepared for one sandbox.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Readable when ids are mapped and limits set; ends without a byte if that failed.
    pub(crate) released: OwnedFd,
    /// The root file system, detached.
    pub(crate) root: OwnedFd,
    /// What is mounted in it, in order.
    pub(crate) mounts: Vec<Placed>,
    /// Size of `/tmp` if it has to be made in memory; none if it is among the mounts.
    pub(crate) tmp_in_memory: Option<u64>,
    /// The server's sockets in the sandbox's network namespace.
    pub(crate) listeners: Vec<OwnedFd>,
    pub(crate) hostname: String,
    pub(crate) emulator: Option<Emulator>,
    pub(crate) limits: Limits,
    pub(crate) filter: Filter,
    /// Init and the processes that it starts have the same id: there is no inner root.
    pub(crate) single_id: bool,
    /// Where the watchdog tells what it measured, if there is to be one.
    pub(crate) watchdog: Option<OwnedFd>,
    /// Into the control groups that it is not in yet.
    pub(crate) entrance: Entrance,
}

/// Runs as the first process of a sandbox, given the far end of its channel. The result is the exit status.
pub(crate) fn run(channel: OwnedFd, prepared: Prepared) -> i32 {
    let result = match setup::complete(&channel, prepared) {
        Ok(setup::Serving { signals, spawner, watchdog, _emulator }) => {
            let reach = Reach::Namespace;
            Init { channel, signals, spawner, reach, processes: HashMap::new(), watchdog, populated: false }
                .serve()
        }
        Err(error) => {
            let message = FromSandbox::Failed(Refusal::from(error));
            // If the server is gone too there is nobody left to tell.
            let _ = protocol::send(channel.as_fd(), &message, &[]);
            return 1;
        }
    };
    i32::from(result.is_err())
}

/// The state while it serves.
#[derive(Debug)]
struct Init {
    channel: OwnedFd,
    signals: ChildSignals,
    spawner: spawn::Spawner,
    reach: Reach,
    /// The server's numbers of the processes that it started.
    processes: HashMap<i32, u64>,
    watchdog: Option<Watchdog>,
    /// Whether any process but init exists.
    populated: bool,
}

/// Which processes are the sandbox's, this one excepted.
#[derive(Debug)]
enum Reach {
    /// All in this process id namespace: the kernel knows them.
    Namespace,
    /// All beneath this process. It has to end by itself when the jailer, for which the descriptor stands, has ended.
    Tree { jailer: OwnedFd },
}

impl Reach {
    /// Stops or continues all processes.
    fn stop(&self, stopped: bool) {
        match (self, stopped) {
            (Self::Namespace, true) => signal_all(Signal::STOP),
            (Self::Namespace, false) => signal_all(Signal::CONT),
            (Self::Tree { .. }, true) => tree::stop_all(),
            (Self::Tree { .. }, false) => tree::continue_all(),
        }
    }
}

/// What ended the waiting.
#[derive(Debug)]
struct Woken {
    message: bool,
    signal: bool,
    jailer_ended: bool,
}

impl Init {
    fn serve(&mut self) -> Step<()> {
        loop {
            let woken = self.wait().during("wait")?;
            if woken.signal {
                self.signals.drain();
                self.reap(WaitOptions::NOHANG)?;
            }
            if woken.jailer_ended || (woken.message && !self.hear()?) {
                return Ok(());
            }
            if let Some(watchdog) = &mut self.watchdog {
                watchdog.look();
            }
        }
    }

    fn wait(&self) -> io::Result<Woken> {
        let jailer = match &self.reach {
            Reach::Namespace => None,
            Reach::Tree { jailer } => Some(jailer.as_fd()),
        };
        let watched = [self.channel.as_fd(), self.signals.as_fd()].into_iter().chain(jailer);
        let mut descriptors: Vec<_> =
            watched.map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN)).collect();
        // The watchdog looks only while there is something to watch.
        let watching = self.watchdog.is_some() && self.populated;
        let pause = watching.then_some(watchdog::PERIOD);
        match poll(&mut descriptors, pause.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |index: usize| descriptors.get(index).is_some_and(|one| !one.revents().is_empty());
        Ok(Woken { message: ready(0), signal: ready(1), jailer_ended: ready(2) })
    }

    /// Handles one message; `false` when the server has closed the channel.
    fn hear(&mut self) -> Step<bool> {
        let Some((message, descriptors)) =
            protocol::receive(self.channel.as_fd()).during("hear the server")?
        else {
            return Ok(false);
        };
        match message {
            ToInit::Spawn { process, command } => self.spawn(process, &command, descriptors)?,
            ToInit::Signal { request, process, signal } => {
                self.signal(process, signal);
                self.tell(&FromSandbox::Done { request }, &[])?;
            }
            ToInit::KillAll { request } => {
                self.kill_all()?;
                self.tell(&FromSandbox::Done { request }, &[])?;
            }
            ToInit::Stop { request, stopped } => {
                self.reach.stop(stopped);
                self.tell(&FromSandbox::Done { request }, &[])?;
            }
            ToInit::Socket { request } => {
                let (refusal, socket) = match network::socket().during("make a socket") {
                    Ok(socket) => (None, Some(socket)),
                    Err(error) => (Some(Refusal::from(error)), None),
                };
                self.tell(&FromSandbox::Socket { request, refusal }, socket.as_slice())?;
            }
        }
        Ok(true)
    }

    fn spawn(&mut self, process: u64, command: &crate::Command, pipes: Vec<OwnedFd>) -> Step<()> {
        match self.spawner.spawn(command, pipes) {
            Ok((pid, pidfd)) => {
                self.populated = true;
                self.processes.insert(pid.as_raw_nonzero().get(), process);
                self.tell(&FromSandbox::Started { process }, &[pidfd])
            }
            Err(spawn::Failure { executing, error }) => {
                let refusal = Refusal::from(error);
                self.tell(&FromSandbox::NotStarted { process, executing, refusal }, &[])
            }
        }
    }

    /// Signals a process, as long as it has not been reaped, and its group, which it leads.
    fn signal(&self, process: u64, signal: crate::Signal) {
        let pid = self.processes.iter().find(|(_, number)| **number == process);
        let Some(pid) = pid.and_then(|(pid, _)| Pid::from_raw(*pid)) else { return };
        let signal = match signal {
            crate::Signal::Terminate => Signal::TERM,
            crate::Signal::Kill => Signal::KILL,
        };
        // It may have ended already, and is only not reaped yet.
        let _ = rustix::process::kill_process_group(pid, signal);
    }

    /// Kills everything but itself and reaps it. In a namespace `kill` with -1 reaches every process in one step: one
    /// that is just being forked either exists already or its parent has the signal before it can fork.
    fn kill_all(&mut self) -> Step<()> {
        if let Reach::Tree { .. } = self.reach {
            return tree::kill_all(|patience| {
                self.signals.wait(patience);
                self.reap(WaitOptions::NOHANG)
            });
        }
        loop {
            signal_all(Signal::KILL);
            if !self.reap(WaitOptions::empty())? {
                return Ok(());
            }
        }
    }

    /// Reaps children: all that have ended (`NOHANG`) or all until none is left. Says whether any are left.
    fn reap(&mut self, options: WaitOptions) -> Step<bool> {
        loop {
            match rustix::process::wait(options) {
                Ok(Some((pid, status))) => self.ended(pid, status)?,
                Ok(None) => break,
                Err(rustix::io::Errno::CHILD) => {
                    self.populated = false;
                    break;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error).during("reap a process"),
            }
        }
        Ok(self.populated)
    }

    fn ended(&mut self, pid: Pid, status: WaitStatus) -> Step<()> {
        let Some(process) = self.processes.remove(&pid.as_raw_nonzero().get()) else { return Ok(()) };
        let (code, signal) = (status.exit_status(), status.terminating_signal());
        self.tell(&FromSandbox::Exited { process, code, signal }, &[])
    }

    fn tell(&self, message: &FromSandbox, descriptors: &[OwnedFd]) -> Step<()> {
        protocol::send(self.channel.as_fd(), message, &protocol::borrow(descriptors))
            .during("tell the server")
    }
}

/// Signals every process of the namespace but this one.
fn signal_all(signal: Signal) {
    // SAFETY: the call takes two numbers and touches no memory. It fails where there is no process.
    unsafe { libc::kill(-1, signal.as_raw()) };
}
