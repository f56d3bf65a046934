//! From a freshly cloned process to a complete sandbox.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{DumpableBehavior, Signal};
use rustix::thread::{CapabilitySet, UnshareFlags, unshare_unsafe};

use super::watchdog::Watchdog;
use super::{Prepared, spawn};
use crate::child_signals::ChildSignals;
use crate::descriptors::close_all_but;
use crate::jailer::protocol::{self, FromSandbox};
use crate::linux::{capabilities, emulation, landlock, limits, mounts};
use crate::step::{During, Step};

/// Files in `/proc` that tell of the machine or of others and that programs do without.
const HIDDEN: [&str; 9] = [
    "kallsyms",
    "kcore",
    "key-users",
    "keys",
    "kmsg",
    "modules",
    "sched_debug",
    "sysrq-trigger",
    "timer_list",
];

/// What init serves with.
pub(super) struct Serving {
    pub(super) signals: ChildSignals,
    pub(super) spawner: spawn::Spawner,
    pub(super) watchdog: Option<Watchdog>,
    /// The table that names the emulator, which is there as long as this is open.
    pub(super) _emulator: Option<OwnedFd>,
}

/// Completes the sandbox and tells the server.
pub(super) fn complete(channel: &OwnedFd, mut prepared: Prepared) -> Step<Serving> {
    wait_for_release(&prepared.released)?;
    std::mem::take(&mut prepared.entrance).enter().during("enter the control groups")?;
    become_inner_root(prepared.single_id)?;
    detach_from_terminal().during("detach from the terminal")?;
    rustix::system::sethostname(prepared.hostname.as_bytes()).during("set the host name")?;
    let emulator = prepared.emulator.as_ref().map(emulation::register).transpose();
    let emulator = emulator.during("register the emulator (it takes Linux 6.7 or later)")?;
    enter_root(&prepared)?;
    // Below its own group nothing of the host's groups shows. Older kernels cannot: nothing else depends on it.
    // SAFETY: only the cgroup namespace is unshared; no memory or descriptor table is.
    let _ = unsafe { unshare_unsafe(UnshareFlags::NEWCGROUP) };

    let Prepared { released, root, mounts, listeners, limits, filter, single_id, watchdog, .. } = prepared;
    drop((released, root, mounts));
    // What is left beyond these belongs to the jailer and to other sandboxes.
    let kept: Vec<_> = [channel].into_iter().chain(&listeners).chain(&watchdog).chain(&emulator).collect();
    close_all_but(&kept);
    let signals = ChildSignals::block().during("receive signals")?;
    let rules = landlock::prepare().during("prepare landlock")?;
    limits::apply(&limits).during("set resource limits")?;
    let keep = if single_id { CapabilitySet::empty() } else { capabilities::OF_INIT };
    capabilities::reduce_to(keep).during("give up capabilities")?;
    protocol::send(channel.as_fd(), &FromSandbox::Ready, &protocol::borrow(&listeners))
        .during("tell the server")?;
    let watchdog = watchdog.map(|report| Watchdog::new(report, limits.memory_bytes));
    let restrictions = spawn::Restrictions { filter, rules, single_id };
    Ok(Serving { signals, spawner: spawn::Spawner::new(Some(restrictions)), watchdog, _emulator: emulator })
}

fn detach_from_terminal() -> io::Result<()> {
    let null = fs::File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(rustix::stdio::dup2_stderr(&null)?)
}

/// Waits until the jailer has mapped the ids and set the limits.
fn wait_for_release(released: &OwnedFd) -> Step<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).during("tie init to the jailer")?;
    let mut byte = [0];
    match rustix::io::read(released, &mut byte) {
        Ok(1) => Ok(()),
        Ok(_) => Err(io::Error::from(io::ErrorKind::BrokenPipe)).during("wait for the jailer"),
        Err(error) => Err(error).during("wait for the jailer"),
    }
}

fn become_inner_root(single_id: bool) -> Step<()> {
    if !single_id {
        rustix::thread::set_thread_groups(&[]).during("drop groups")?;
        let (uid, gid) = (rustix::process::Uid::ROOT, rustix::process::Gid::ROOT);
        rustix::thread::set_thread_res_gid(gid, gid, gid).during("become root of the sandbox")?;
        rustix::thread::set_thread_res_uid(uid, uid, uid).during("become root of the sandbox")?;
    }
    // Nobody in the sandbox may look into this process, even where they have its uid.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).during("hide init")?;
    // A change of ids resets this, hence once more. Should the jailer have died before: the server notices, and
    // closes the channel.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).during("tie init to the jailer")?;
    rustix::process::setsid().during("start a session")?;
    rustix::thread::set_name(c"init").during("set the name")
}

/// Puts the prepared mounts together and makes them the root.
fn enter_root(prepared: &Prepared) -> Step<()> {
    let root = &prepared.root;
    mounts::attach_at(root, Path::new("/")).during("attach the root file system")?;
    for (mount, target) in &prepared.mounts {
        mounts::attach_beneath(mount, root, target).during(format!("mount {}", target.display()))?;
    }
    rustix::process::fchdir(root).during("enter the root file system")?;
    if let Some(bytes) = prepared.tmp_in_memory {
        mount_tmp_in_memory(root, bytes).during("mount /tmp")?;
    }
    mount_proc(root)?;
    rustix::process::pivot_root(c".", c".").during("change the root")?;
    // The old root now lies over the new one; it goes, with everything of the host.
    unmount(c".", UnmountFlags::DETACH).during("leave the old root")?;
    rustix::process::chdir(c"/").during("enter the new root")
}

fn mount_tmp_in_memory(root: &OwnedFd, bytes: u64) -> io::Result<()> {
    use rustix::mount::MountAttrFlags;

    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    // Files take memory even when they are empty: as many as a file system on disk would have.
    let (size, files) = (bytes.to_string(), (bytes / 16_384).max(1_024).to_string());
    let tmpfs =
        mounts::new("tmpfs", &[("mode", "1777"), ("size", &size), ("nr_inodes", &files)], attributes)?;
    mounts::attach_beneath(&tmpfs, root, Path::new("/tmp"))
}

/// Mounts `/proc` so that a process sees only its own user's, and of the machine no more than it needs.
fn mount_proc(root: &OwnedFd) -> Step<()> {
    mounts::mount_kernel(c"proc", Path::new("./proc"), c"hidepid=2")
        .during("mount /proc (is the host's own /proc partly covered?)")?;
    // No user namespace may be made beneath this one. The setting belongs to this one.
    let _ = fs::write("./proc/sys/user/max_user_namespaces", "0");
    let null = Path::new("./dev/null");
    for name in HIDDEN {
        let path = Path::new("./proc").join(name);
        if path.exists() {
            let hide = mounts::copy(null).and_then(|cover| mounts::attach_at(&cover, &path));
            hide.during(format!("hide /proc/{name}"))?;
        }
    }
    let sys = mounts::copy_read_only(Path::new("./proc/sys")).during("copy /proc/sys")?;
    mounts::attach_beneath(&sys, root, Path::new("/proc/sys")).during("make /proc/sys read-only")
}
