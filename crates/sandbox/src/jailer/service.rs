//! The jailer's life: prepare, then make and remove sandboxes until the server is gone.

mod create;
mod networks;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::process::{Pid, Signal, WaitOptions, pidfd_send_signal};

use self::networks::Networks;
use super::protocol::{self, FromJailer, FromSandbox, Refusal, Settings, ToJailer};
use super::unjailed;
use crate::linux::cgroup::{self, Cgroups, Group};
use crate::linux::egress::{Egress, Way};
use crate::linux::namespaces::{self, Ids, Ranges};
use crate::linux::network::Network;
use crate::linux::root::Roots;
use crate::linux::seccomp::Filter;
use crate::linux::tmp::{Stock, Token};
use crate::step::{During, Step, StepError};
use crate::{Isolation, Spec};

/// Event data of the descriptors that belong to no sandbox.
const CONTROL: u64 = 0;
const KEEPER: u64 = 1;

/// Runs the jailer to its end.
pub(super) fn run(control: OwnedFd) -> Step<()> {
    ignore_signals();
    let Some((ToJailer::Start(settings), _)) =
        protocol::receive(control.as_fd()).during("hear the server")?
    else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput)).during("start without settings");
    };
    if settings.isolation == Isolation::None {
        return unjailed::run(&control, &settings);
    }
    let (mut jailer, remarks) = match Jailer::prepare(&control, settings) {
        Ok(prepared) => prepared,
        Err(error) => {
            let message = FromJailer::Failed(Refusal::from(error));
            return protocol::send(control.as_fd(), &message, &[]).during("tell the server");
        }
    };
    protocol::send(control.as_fd(), &FromJailer::Started { remarks }, &[]).during("tell the server")?;
    let result = jailer.serve(&control);
    jailer.end();
    result
}

/// The jailer ends with the server, not with what a terminal or a service manager sends to both.
fn ignore_signals() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::PIPE] {
        // SAFETY: no handler is installed; ignoring a signal touches no memory.
        unsafe { libc::signal(signal.as_raw(), libc::SIG_IGN) };
    }
    // A session of its own, so that a terminal's signals do not even arrive.
    let _ = rustix::process::setsid();
}

/// One sandbox, as the jailer knows it.
#[derive(Debug)]
struct Jailed {
    /// The jailer's copy of the far end: closed when the sandbox is gone.
    channel: OwnedFd,
    pid: Pid,
    pidfd: OwnedFd,
    group: Group,
    ids: Ids,
    tmp: Option<Token>,
    way: Option<Way>,
}

/// A sandbox that waits for its `/tmp`.
#[derive(Debug)]
struct Waiting {
    spec: Spec,
    channel: OwnedFd,
}

struct Jailer {
    settings: Settings,
    events: OwnedFd,
    cgroups: Cgroups,
    roots: Roots,
    ranges: Ranges,
    filter: Filter,
    stock: Option<Stock>,
    networks: Networks,
    sandboxes: HashMap<u64, Jailed>,
    waiting: Vec<Waiting>,
    next: u64,
    /// Whether all sandboxes have the jailer's own id.
    single_id: bool,
    /// See [`wait_for_turn`].
    _turn: fs::File,
}

/// How long the jailer of a killed server may take to end.
const TURN: std::time::Duration = std::time::Duration::from_secs(20);

/// Waits until the jailer before has ended, if one is still at it: a server that was killed and started again at once
/// shares the names of control groups and firewall tables with the former one, which is just removing them. The lock
/// is held for as long as the jailer or a process that it made lives.
pub(super) fn wait_for_turn(directory: &Path) -> Step<fs::File> {
    let path = directory.with_extension("lock");
    let lock = || {
        let file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
        let begun = std::time::Instant::now();
        loop {
            match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
                Err(rustix::io::Errno::WOULDBLOCK) if begun.elapsed() < TURN => {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
                other => return other.map(|()| file).map_err(io::Error::from),
            }
        }
    };
    lock().during(format!("wait for the jailer before ({})", path.display()))
}

impl Jailer {
    fn prepare(control: &OwnedFd, settings: Settings) -> Step<(Self, Vec<String>)> {
        let mut remarks = Vec::new();
        let record = settings.directory.join(FIREWALL_FILE);
        if !settings.egress {
            Egress::sweep(&record);
        }
        // Root that does without privileges can still give ids of their own to sandboxes; others have but one.
        let rootless = settings.isolation == Isolation::Rootless;
        let single_id = rootless && !rustix::process::geteuid().is_root();
        if rootless {
            become_root_of_a_user_namespace(single_id)?;
            // Only into a network namespace of its own can it return from a sandbox's.
            Network::enter_new()?;
        }
        // What is made here only its owner may write, unless it says otherwise; functions inherit this, as on AWS.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        isolate_mounts()?;
        let directory = &settings.directory;
        let turn = wait_for_turn(directory)?;
        clean(directory)?;
        reap_cgroups(directory);
        let cgroups = Cgroups::prepare(&settings.instance, rootless, &mut remarks);
        remember_cgroups(directory, &cgroups)?;
        let events = epoll::create(CreateFlags::CLOEXEC).during("make an event queue")?;
        let stock = match rootless {
            true => None,
            false => Some(Stock::start(&directory.join("tmp"))?),
        };
        let egress = match settings.egress.then(|| Egress::prepare(&settings.instance, &record)) {
            None => None,
            Some(Ok(egress)) => Some(egress),
            Some(Err(error)) => {
                let StepError { step, source } = error;
                remarks.push(format!("functions have no outbound network: cannot {step}: {source}"));
                None
            }
        };
        let jailer = Self {
            events,
            cgroups,
            roots: Roots::new(directory.join("root"))?,
            ranges: Ranges::new(&settings.instance),
            filter: Filter::compile(),
            stock,
            networks: Networks::new(egress, settings.ahead)?,
            sandboxes: HashMap::new(),
            waiting: Vec::new(),
            next: 16,
            single_id,
            settings,
            _turn: turn,
        };
        jailer.watch(control, CONTROL, EventFlags::IN)?;
        if let Some(stock) = &jailer.stock {
            jailer.watch(stock.descriptor(), KEEPER, EventFlags::IN)?;
        }
        Ok((jailer, remarks))
    }

    fn watch(&self, descriptor: impl AsFd, data: u64, flags: EventFlags) -> Step<()> {
        epoll::add(&self.events, descriptor, EventData::new_u64(data), flags).during("watch a descriptor")
    }

    fn serve(&mut self, control: &OwnedFd) -> Step<()> {
        let mut events = Vec::with_capacity(64);
        loop {
            events.clear();
            let patience = self.networks.patience().map(|patience| Timespec {
                tv_sec: patience.as_secs() as i64,
                tv_nsec: i64::from(patience.subsec_nanos()),
            });
            match epoll::wait(&self.events, spare_capacity(&mut events), patience.as_ref()) {
                Ok(0) => self.networks.tend(),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error).during("wait for events"),
            }
            for event in &events {
                match event.data.u64() {
                    CONTROL => {
                        if !self.hear(control)? {
                            return Ok(());
                        }
                    }
                    KEEPER => self.hear_keeper()?,
                    number if number % 2 == 0 => self.kill(number),
                    number => self.bury(number - 1),
                }
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
        if let (ToJailer::Create(spec), Some(channel)) = (message, descriptors.pop()) {
            self.create(Waiting { spec: *spec, channel });
        }
        Ok(true)
    }

    fn create(&mut self, waiting: Waiting) {
        match self.try_create(&waiting.spec, &waiting.channel) {
            Ok(create::Outcome::Created) => {}
            Ok(create::Outcome::WaitingForTmp) => self.waiting.push(waiting),
            Err(error) => {
                let message = FromSandbox::Failed(Refusal::from(error));
                let _ = protocol::send(waiting.channel.as_fd(), &message, &[]);
            }
        }
    }

    fn hear_keeper(&mut self) -> Step<()> {
        if !self.stock.as_mut().is_some_and(Stock::hear) {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe)).during("hear the tmp keeper");
        }
        for waiting in std::mem::take(&mut self.waiting) {
            self.create(waiting);
        }
        Ok(())
    }

    /// The server has closed the channel of a sandbox: kill it. Its end is noticed by [`Self::bury`].
    fn kill(&mut self, number: u64) {
        let Some(jailed) = self.sandboxes.get(&number) else { return };
        let _ = epoll::delete(&self.events, &jailed.channel);
        let _ = pidfd_send_signal(&jailed.pidfd, Signal::KILL);
        jailed.group.kill();
    }

    /// The init of a sandbox, and with it all its processes, has ended: remove what is left.
    fn bury(&mut self, number: u64) {
        let Some(jailed) = self.sandboxes.remove(&number) else { return };
        // Another sandbox, in the middle of being cloned, may still share these, which would keep them watched.
        let _ = epoll::delete(&self.events, &jailed.channel);
        let _ = epoll::delete(&self.events, &jailed.pidfd);
        let _ = rustix::process::waitpid(Some(jailed.pid), WaitOptions::empty());
        self.remove(jailed);
    }

    fn remove(&mut self, jailed: Jailed) {
        // All its processes are reaped: were a directory still busy, then for a moment.
        for _ in 0..200 {
            if jailed.group.remove() {
                break;
            }
            jailed.group.kill();
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        self.ranges.give_back(jailed.ids);
        if let (Some(stock), Some(token)) = (&mut self.stock, jailed.tmp) {
            stock.give_back(token);
        }
        self.networks.give_back(jailed.way);
    }

    /// Removes every sandbox and what all had in common.
    fn end(&mut self) {
        self.waiting.clear();
        for jailed in self.sandboxes.values() {
            let _ = pidfd_send_signal(&jailed.pidfd, Signal::KILL);
            jailed.group.kill();
        }
        let all: Vec<_> = self.sandboxes.keys().copied().collect();
        for number in all {
            self.bury(number);
        }
        self.networks.end();
        // Its mounts, and with them the loop devices and their unlinked files, go with the keeper.
        self.stock = None;
        while rustix::process::wait(WaitOptions::empty()).is_ok() {}
        for directory in self.cgroups.directories() {
            let _ = fs::remove_dir(directory);
        }
        let _ = fs::remove_file(self.settings.directory.join(CGROUPS_FILE));
    }
}

/// Names the directories that hold this server's control groups, for the next server to clear.
const CGROUPS_FILE: &str = "cgroups";

/// Names this server's firewall table, likewise.
const FIREWALL_FILE: &str = "firewall";

fn remember_cgroups(directory: &Path, cgroups: &Cgroups) -> Step<()> {
    let lines: Vec<_> = cgroups.directories().iter().map(|path| path.display().to_string()).collect();
    fs::write(directory.join(CGROUPS_FILE), lines.join("\n")).during("remember the control groups")
}

/// Kills and removes what an earlier jailer that was killed could not remove itself.
fn reap_cgroups(directory: &Path) {
    let text = fs::read_to_string(directory.join(CGROUPS_FILE)).unwrap_or_default();
    let parents: Vec<PathBuf> = text.lines().map(PathBuf::from).collect();
    cgroup::reap(&parents);
}

/// Removes an earlier jailer's files and makes the directories anew. Mounts of an earlier one are gone with it.
fn clean(directory: &Path) -> Step<()> {
    for name in ["tmp", "root"] {
        let path = directory.join(name);
        if path.exists() {
            fs::remove_dir_all(&path).during(format!("remove {}", path.display()))?;
        }
        fs::create_dir_all(&path).during(format!("make {}", path.display()))?;
    }
    Ok(())
}

/// A mount namespace from which nothing spreads to the host.
fn isolate_mounts() -> Step<()> {
    use rustix::mount::{MountPropagationFlags, mount_change};

    // SAFETY: only the mount namespace is unshared; no memory or descriptor table is.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNS) }
        .during("make a mount namespace")?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .during("keep mounts from spreading")
}

/// Without privileges: a user namespace in which this process has all of them, over what it makes itself.
fn become_root_of_a_user_namespace(single_id: bool) -> Step<()> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    // SAFETY: only the user namespace is unshared; no memory or descriptor table is.
    let unshare = || unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWUSER) };
    if single_id {
        unshare().during("make a user namespace")?;
        fs::write("/proc/self/uid_map", format!("0 {uid} 1\n")).during("map the user")?;
        fs::write("/proc/self/setgroups", "deny").during("give up groups")?;
        return fs::write("/proc/self/gid_map", format!("0 {gid} 1\n")).during("map the group");
    }
    // More than one id can be mapped only from outside: by a child that stays there.
    let (proceed, go) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).during("make a pipe")?;
    let own = rustix::process::getpid().as_raw_nonzero();
    // SAFETY: the jailer has a single thread, so the child may do everything the parent may.
    let child = match unsafe { libc::fork() } {
        0 => {
            drop(go);
            let waited = rustix::io::read(&proceed, &mut [0; 1]).is_ok_and(|count| count == 1);
            let map = namespaces::map_of_all_ranges();
            let mapped = waited
                && fs::write(format!("/proc/{own}/uid_map"), &map).is_ok()
                && fs::write(format!("/proc/{own}/gid_map"), &map).is_ok();
            // SAFETY: ends the process without running what the parent has registered to run at its end.
            unsafe { libc::_exit(i32::from(!mapped)) }
        }
        -1 => return Err(io::Error::last_os_error()).during("fork"),
        child => Pid::from_raw(child).ok_or(io::ErrorKind::InvalidData).during("fork")?,
    };
    unshare().during("make a user namespace")?;
    rustix::io::write(&go, &[1]).during("have the users mapped")?;
    let ended =
        rustix::process::waitpid(Some(child), WaitOptions::empty()).during("have the users mapped")?;
    match ended.is_some_and(|(_, status)| status.exit_status() == Some(0)) {
        true => Ok(()),
        false => {
            Err(io::Error::from(io::ErrorKind::PermissionDenied)).during("map users into the user namespace")
        }
    }
}
