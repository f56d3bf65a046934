//! Making one sandbox: everything that needs the jailer's privileges. The rest is done by the sandbox's init.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::epoll::EventFlags;
use rustix::fs::{AtFlags, Gid, Uid};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, pidfd_send_signal};

use super::networks::Ready;
use super::{Jailed, Jailer};
use crate::init::{self, Prepared};
use crate::jailer::protocol::{self, FromSandbox, Measure};
use crate::linux::cgroup::Group;
use crate::linux::egress::Way;
use crate::linux::mounts;
use crate::linux::namespaces::{Cloned, Ids, clone_process};
use crate::linux::root::{self, Placed};
use crate::linux::tmp::{Taken, Token};
use crate::step::{During, Step};
use crate::{Spec, StepError};

/// What came of a request.
pub(super) enum Outcome {
    /// The sandbox exists; its init tells the server the rest.
    Created,
    /// No `/tmp` was ready: to be tried again.
    WaitingForTmp,
}

/// The `/tmp` of a sandbox.
enum Tmp {
    OnDisk(OwnedFd, Token),
    InMemory,
}

impl Jailer {
    pub(super) fn try_create(&mut self, spec: &Spec, channel: &OwnedFd) -> Step<Outcome> {
        check_id(&spec.id)?;
        let tmp = match self.take_tmp(spec.limits.tmp_bytes)? {
            Some(tmp) => tmp,
            None => return Ok(Outcome::WaitingForTmp),
        };
        let ids = if self.single_id { Ids::Own } else { self.ranges.take().during("find free ids")? };
        let token = match &tmp {
            Tmp::OnDisk(_, token) => Some(*token),
            Tmp::InMemory => None,
        };
        let group = self.cgroups.create(&spec.id, &spec.limits);
        let result = group.and_then(|group| match self.clone_into(spec, channel, &group, ids, tmp) {
            Ok((pid, pidfd, way)) => {
                Ok(Jailed { channel: duplicate(channel)?, pid, pidfd, group, ids, tmp: token, way })
            }
            Err(error) => {
                group.remove();
                Err(error)
            }
        });
        match result {
            Ok(jailed) => self.adopt(jailed).map(|()| Outcome::Created),
            Err(error) => {
                self.ranges.give_back(ids);
                if let (Some(stock), Some(token)) = (&mut self.stock, token) {
                    stock.give_back(token);
                }
                Err(error)
            }
        }
    }

    fn adopt(&mut self, jailed: Jailed) -> Step<()> {
        let number = self.next;
        self.next += 2;
        self.watch(&jailed.channel, number, EventFlags::RDHUP)?;
        self.watch(&jailed.pidfd, number + 1, EventFlags::IN)?;
        self.sandboxes.insert(number, jailed);
        Ok(())
    }

    fn take_tmp(&mut self, bytes: u64) -> Step<Option<Tmp>> {
        let Some(stock) = &mut self.stock else { return Ok(Some(Tmp::InMemory)) };
        Ok(match stock.take(bytes).during("ask for a /tmp")? {
            Taken::Ready(tmp) => {
                let (mount, token) = tmp.split();
                Some(Tmp::OnDisk(mount, token))
            }
            Taken::Coming => None,
            Taken::Impossible => Some(Tmp::InMemory),
        })
    }

    fn clone_into(
        &mut self,
        spec: &Spec,
        channel: &OwnedFd,
        group: &Group,
        ids: Ids,
        tmp: Tmp,
    ) -> Step<(Pid, OwnedFd, Option<Way>)> {
        let (released, release) = pipe_with(PipeFlags::CLOEXEC).during("make a pipe")?;
        let (mut kinds, mut descriptors) = self.cgroups.measures(&spec.id)?;
        let watchdog = if kinds.contains(&Measure::Memory) { None } else { Some(watchdog_file()?) };
        if let Some(file) = &watchdog {
            kinds.push(Measure::Watchdog);
            descriptors.push(duplicate(file)?);
        }
        let entrance = group.entrance().during("open the sandbox's control groups")?;
        let tmp_in_memory = matches!(tmp, Tmp::InMemory).then_some(spec.limits.tmp_bytes);
        let (root, mounts) = self.prepare_mounts(spec, ids, tmp)?;
        let Ready { network, way, listeners } = self.networks.take(spec)?;
        let prepared = Prepared {
            released,
            root,
            mounts,
            tmp_in_memory,
            listeners,
            hostname: spec.hostname.clone(),
            emulator: spec.emulator.clone(),
            limits: spec.limits,
            filter: self.filter.clone(),
            single_id: self.single_id,
            watchdog,
            entrance,
        };
        let unified = group.open_unified();
        let cloned =
            self.networks.within(&network, || clone_and_run(unified.as_ref(), channel, prepared, release));
        let cloned = cloned.and_then(|(pid, pidfd, placed, release)| {
            let released = self.release((pid, placed), group, ids, channel, (&kinds, &descriptors), &release);
            if released.is_err() {
                let _ = pidfd_send_signal(&pidfd, Signal::KILL);
                let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
            }
            released.map(|()| (pid, pidfd, way))
        });
        if cloned.is_err() {
            self.networks.give_back(way);
        }
        cloned
    }

    /// Maps ids, sets limits, hands the server what it measures with, and lets init go on.
    fn release(
        &self,
        (pid, placed): (Pid, bool),
        group: &Group,
        ids: Ids,
        channel: &OwnedFd,
        (kinds, descriptors): (&[Measure], &[OwnedFd]),
        release: &OwnedFd,
    ) -> Step<()> {
        ids.map(pid).during("map the sandbox's ids")?;
        if !placed {
            group.add_unified(pid).during("put the sandbox into its control group")?;
        }
        let message = FromSandbox::Measures(kinds.to_vec());
        protocol::send(channel.as_fd(), &message, &protocol::borrow(descriptors))
            .during("tell the server")?;
        rustix::io::write(release, &[1]).during("release init")?;
        Ok(())
    }

    fn prepare_mounts(&mut self, spec: &Spec, ids: Ids, tmp: Tmp) -> Step<(OwnedFd, Vec<Placed>)> {
        let mut own: Vec<Placed> = Vec::new();
        for mount in &spec.mounts {
            let tree = mounts::copy_read_only(&mount.source);
            own.push((tree.during(format!("mount {}", mount.source.display()))?, mount.target.clone()));
        }
        if let Some(opt) = opt(&spec.opt_layers)? {
            own.push((opt, PathBuf::from("/opt")));
        }
        if let Tmp::OnDisk(mount, _) = tmp {
            if let Ids::Range(first) = ids {
                let (uid, gid) = (Uid::from_raw(first), Gid::from_raw(first));
                rustix::fs::chownat(&mount, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH)
                    .during("give /tmp to the sandbox")?;
            }
            own.push((mount, PathBuf::from("/tmp")));
        }
        let mut targets: Vec<(&Path, bool)> = Vec::new();
        for (mount, target) in &own {
            targets.push((target, mounts::is_directory(mount).during("look at a mount")?));
        }
        let (root, mut mounts) = self.roots.take((&spec.root, spec.egress, &spec.hostname), &targets)?;
        mounts.append(&mut own);
        Ok((root, mounts))
    }
}

/// Clones the jailer; the child never returns from here. The result says whether the child is in its version 2
/// control group already, and gives `release` back: the child must not hold the end of the pipe that it waits for.
fn clone_and_run(
    group: Option<&OwnedFd>,
    channel: &OwnedFd,
    prepared: Prepared,
    release: OwnedFd,
) -> Step<(Pid, OwnedFd, bool, OwnedFd)> {
    let channel = duplicate(channel)?;
    let (cloned, placed) = match clone_process(group.map(AsFd::as_fd)) {
        // A kernel before 5.7, or a group that does not take processes this way.
        Err(_) if group.is_some() => (clone_process(None), false),
        other => (other, group.is_some()),
    };
    match cloned.during("clone")? {
        Cloned::Parent(pid, pidfd) => Ok((pid, pidfd, placed, release)),
        Cloned::Child => {
            drop(release);
            let run = std::panic::AssertUnwindSafe(|| init::run(channel, prepared));
            let status = std::panic::catch_unwind(run).unwrap_or(70);
            // SAFETY: ends the process without running what the jailer has registered to run at its end.
            unsafe { libc::_exit(status) }
        }
    }
}

/// The tree at `/opt`: none, the only layer, or all of them merged.
fn opt(layers: &[PathBuf]) -> Step<Option<OwnedFd>> {
    let tree = match layers {
        [] => return Ok(None),
        [only] => mounts::copy_read_only(only).during(format!("mount {}", only.display()))?,
        several => {
            let paths: Vec<_> = several.iter().map(PathBuf::as_path).collect();
            let tree = root::overlay(&paths).during("merge the layers at /opt")?;
            let attributes = mounts::READ_ONLY | mounts::NO_SETUID | mounts::NO_DEVICES;
            mounts::set_attributes(&tree, attributes).during("make /opt read-only")?;
            tree
        }
    };
    Ok(Some(tree))
}

/// The identifier becomes the name of a directory.
fn check_id(id: &str) -> Step<()> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !id.is_empty() && id.len() <= 128 && id.bytes().all(valid) {
        return Ok(());
    }
    let source = std::io::Error::from_raw_os_error(libc::EINVAL);
    Err(StepError { step: format!("name a sandbox {id:?}"), source })
}

fn duplicate(descriptor: &OwnedFd) -> Step<OwnedFd> {
    descriptor.try_clone().during("duplicate a descriptor")
}

fn watchdog_file() -> Step<OwnedFd> {
    let file =
        rustix::fs::memfd_create("usage", rustix::fs::MemfdFlags::CLOEXEC).during("make a file in memory")?;
    rustix::io::pwrite(&file, &[0; init::watchdog::REPORT], 0).during("write a file in memory")?;
    Ok(file)
}
