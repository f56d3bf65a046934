//! The keeper of a sandbox without namespaces: what init is to the others.
//!
//! No namespace ends these processes. But they stay beneath the keeper, a subreaper, whatever they do, and the keeper
//! ends only when nothing is left there.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{PidfdFlags, WaitOptions, getpid, pidfd_open};

use super::{Init, Reach, spawn};
use crate::child_signals::ChildSignals;
use crate::descriptors::close_all_but;
use crate::jailer::protocol::{self, FromSandbox, Measure, Refusal};
use crate::step::{During, Step};
use crate::tree;

/// Runs as the keeper of a sandbox, given the far end of its channel and a descriptor that stands for the jailer.
pub(crate) fn run(channel: OwnedFd, jailer: OwnedFd) -> Step<()> {
    close_all_but(&[&channel, &jailer]);
    let signals = match prepare(&channel) {
        Ok(signals) => signals,
        Err(error) => {
            let message = FromSandbox::Failed(Refusal::from(error));
            return protocol::send(channel.as_fd(), &message, &[]).during("tell the server");
        }
    };
    let mut init = Init {
        channel,
        signals,
        spawner: spawn::Spawner::new(None),
        reach: Reach::Tree { jailer },
        processes: HashMap::new(),
        watchdog: None,
        populated: false,
    };
    // However it ended: what is left has to go. Nobody wants to hear of it any more.
    let served = init.serve();
    init.processes.clear();
    tree::kill_all(|patience| {
        init.signals.wait(patience);
        init.reap(WaitOptions::NOHANG)
    })?;
    served
}

/// Puts the keeper between its processes and everybody else, and tells the server.
fn prepare(channel: &OwnedFd) -> Step<ChildSignals> {
    rustix::process::setsid().during("start a session")?;
    rustix::thread::set_name(c"keeper").during("set the name")?;
    tree::become_root().during("keep processes together")?;
    let signals = ChildSignals::block().during("receive signals")?;
    let own = pidfd_open(getpid(), PidfdFlags::empty()).during("open the keeper")?;
    let tell = |message, descriptors: &[OwnedFd]| -> io::Result<()> {
        protocol::send(channel.as_fd(), &message, &protocol::borrow(descriptors))
    };
    tell(FromSandbox::Measures(vec![Measure::Tree]), &[own]).during("tell the server")?;
    tell(FromSandbox::Ready, &[]).during("tell the server")?;
    Ok(signals)
}
