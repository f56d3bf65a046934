//! Starting a process in the sandbox, with nothing left of init's privileges.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use ::landlock::RulesetCreated;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Gid, Pid, PidfdFlags, Signal, Uid, pidfd_open};
use rustix::thread::CapabilitySet;

use crate::linux::namespaces::{INNER_GID, INNER_UID};
use crate::linux::seccomp::Filter;
use crate::linux::{capabilities, landlock};
use crate::step::{During, Step};
use crate::{Command, StepError};

/// The number under which a process finds its log pipe.
const LOG_DESCRIPTOR: RawFd = 3;
/// The name of the variable that tells it.
const LOG_VARIABLE: &str = "_LAMBDA_TELEMETRY_LOG_FD";

/// What every process is restricted by in namespaces.
#[derive(Debug)]
pub(super) struct Restrictions {
    pub(super) filter: Filter,
    pub(super) rules: Option<RulesetCreated>,
    pub(super) single_id: bool,
}

/// Starts processes.
#[derive(Debug)]
pub(super) struct Spawner(Option<Restrictions>);

/// Why a process was not started.
#[derive(Debug)]
pub(super) struct Failure {
    /// Whether it was the execution itself that failed: the caller's mistake, not ours.
    pub(super) executing: bool,
    pub(super) error: StepError,
}

impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        Self { executing: false, error }
    }
}

/// The steps of the child, as it names them to the parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    Descriptors,
    Directory,
    Identity,
    Landlock,
    Seccomp,
    Execute,
}

const STAGES: [(Stage, &str); 6] = [
    (Stage::Descriptors, "connect the process' output"),
    (Stage::Directory, "enter the working directory"),
    (Stage::Identity, "take the identity of the sandbox's user"),
    (Stage::Landlock, "apply landlock"),
    (Stage::Seccomp, "apply the system call filter"),
    (Stage::Execute, "execute"),
];

/// A command in the form that the kernel takes, made before the fork.
struct Image {
    program: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    directory: CString,
}

impl Image {
    fn new(command: &Command) -> Step<Self> {
        let text = |bytes: &[u8]| CString::new(bytes).during("pass on text with a NUL in it");
        let program = text(command.program.as_os_str().as_bytes())?;
        let mut arguments = vec![program.clone()];
        for argument in &command.arguments {
            arguments.push(text(argument.as_bytes())?);
        }
        let mut environment = Vec::new();
        for (name, value) in &command.environment {
            environment.push(text(format!("{name}={value}").as_bytes())?);
        }
        if command.log_descriptor {
            environment.push(text(format!("{LOG_VARIABLE}={LOG_DESCRIPTOR}").as_bytes())?);
        }
        Ok(Self {
            program,
            arguments,
            environment,
            directory: text(command.working_directory.as_os_str().as_bytes())?,
        })
    }

    fn execute(&self) -> io::Error {
        let pointers = |texts: &[CString]| {
            let all = texts.iter().map(|text| text.as_ptr());
            all.chain([std::ptr::null()]).collect::<Vec<_>>()
        };
        let (arguments, environment) = (pointers(&self.arguments), pointers(&self.environment));
        // SAFETY: all pointers lead to NUL-terminated strings owned by `self`, and both lists end with null.
        unsafe { libc::execve(self.program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
        io::Error::last_os_error()
    }
}

impl Spawner {
    /// Without restrictions processes remain those of this process' user, and can do all that it can.
    pub(super) fn new(restrictions: Option<Restrictions>) -> Self {
        Self(restrictions)
    }

    /// Starts `command` with the given ends of pipes: standard output, standard error and, if asked for, the log.
    pub(super) fn spawn(&self, command: &Command, pipes: Vec<OwnedFd>) -> Result<(Pid, OwnedFd), Failure> {
        let image = Image::new(command)?;
        let pipes: [Option<OwnedFd>; 3] = {
            let mut pipes = pipes.into_iter();
            [pipes.next(), pipes.next(), pipes.next()]
        };
        let rules = match self.0.as_ref().and_then(|restrictions| restrictions.rules.as_ref()) {
            Some(rules) => Some(rules.try_clone().during("copy the landlock rules")?),
            None => None,
        };
        let (report, writer) = pipe_with(PipeFlags::CLOEXEC).during("make a pipe")?;
        // Out of the way of the numbers that the child gives to its pipes. The first number must go: as long as the
        // parent can write, it waits for itself.
        let telling = rustix::io::fcntl_dupfd_cloexec(&writer, 16).during("move a descriptor")?;
        drop(writer);
        // SAFETY: init has a single thread, so the child may do everything that the parent may.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()).during("fork").map_err(Failure::from),
            0 => self.continue_as_child(&image, &pipes, rules, &telling),
            pid => {
                drop(telling);
                self.wait_for_execution(pid, &report)
            }
        }
    }

    fn wait_for_execution(&self, pid: i32, report: &OwnedFd) -> Result<(Pid, OwnedFd), Failure> {
        let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData).during("fork")?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).during("open the process")?;
        let mut text = [0; 5];
        let count = loop {
            match rustix::io::read(report, &mut text) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other.during("wait for the execution")?,
            }
        };
        let [stage, errno @ ..] = text;
        if count != text.len() {
            return Ok((pid, pidfd));
        }
        let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
        let (stage, step) = STAGES[usize::from(stage).min(STAGES.len() - 1)];
        let source = io::Error::from_raw_os_error(i32::from_le_bytes(errno));
        Err(Failure {
            executing: stage == Stage::Execute,
            error: StepError { step: step.to_owned(), source },
        })
    }

    /// The child's way to the program.
    fn continue_as_child(
        &self,
        image: &Image,
        pipes: &[Option<OwnedFd>; 3],
        rules: Option<RulesetCreated>,
        telling: &OwnedFd,
    ) -> ! {
        let (stage, error) = match self.prepare_child(image, pipes, rules) {
            Ok(()) => (Stage::Execute, image.execute()),
            Err(failed) => failed,
        };
        let mut text = [stage as u8, 0, 0, 0, 0];
        text[1..].copy_from_slice(&error.raw_os_error().unwrap_or(libc::EIO).to_le_bytes());
        let _ = rustix::io::write(telling, &text);
        // SAFETY: ends the process without running what its parent has registered to run at its end.
        unsafe { libc::_exit(127) }
    }

    fn prepare_child(
        &self,
        image: &Image,
        pipes: &[Option<OwnedFd>; 3],
        rules: Option<RulesetCreated>,
    ) -> Result<(), (Stage, io::Error)> {
        let at = |stage| move |error: io::Error| (stage, error);
        reset_signals();
        connect(pipes).map_err(at(Stage::Descriptors))?;
        self.take_identity().map_err(at(Stage::Identity))?;
        rustix::process::chdir(&image.directory).map_err(|error| (Stage::Directory, error.into()))?;
        if let Some(rules) = rules {
            landlock::restrict(rules).map_err(at(Stage::Landlock))?;
        }
        match &self.0 {
            Some(restrictions) => restrictions.filter.apply().map_err(at(Stage::Seccomp)),
            None => Ok(()),
        }
    }

    fn take_identity(&self) -> io::Result<()> {
        rustix::process::setsid()?;
        // The first to go when memory runs out; init is the last.
        let _ = std::fs::write("/proc/self/oom_score_adj", "500");
        let Some(restrictions) = &self.0 else {
            // Programs with the set-user-id bit would give it an identity that the keeper may not kill.
            rustix::thread::set_no_new_privs(true)?;
            // Should the keeper be killed, not even the time that the jailer takes to notice shall pass.
            return Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?);
        };
        if !restrictions.single_id {
            let (uid, gid) = (Uid::from_raw(INNER_UID), Gid::from_raw(INNER_GID));
            rustix::thread::set_thread_groups(&[])?;
            rustix::thread::set_thread_res_gid(gid, gid, gid)?;
            rustix::thread::set_thread_res_uid(uid, uid, uid)?;
        }
        rustix::thread::set_no_new_privs(true)?;
        capabilities::keep_only(CapabilitySet::empty())?;
        // It must end with init even if init is killed by something else than the kernel's end of the namespace.
        rustix::process::set_parent_process_death_signal(None)?;
        Ok(())
    }
}

/// Standard output, standard error and the log at their numbers; everything else is closed by the execution.
fn connect(pipes: &[Option<OwnedFd>; 3]) -> io::Result<()> {
    let [stdout, stderr, log] = pipes;
    if let (Some(stdout), Some(stderr)) = (stdout, stderr) {
        rustix::stdio::dup2_stdout(stdout)?;
        rustix::stdio::dup2_stderr(stderr)?;
    }
    let mut first = LOG_DESCRIPTOR;
    if let Some(log) = log {
        if log.as_raw_fd() == LOG_DESCRIPTOR {
            rustix::io::fcntl_setfd(log, rustix::io::FdFlags::empty())?;
        } else {
            // SAFETY: whatever had this number belongs to init's copy in this process, which nobody uses any more.
            let mut target = std::mem::ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(LOG_DESCRIPTOR) });
            rustix::io::dup2(log.as_fd(), &mut target)?;
        }
        first += 1;
    }
    // SAFETY: marks descriptors as to be closed by the execution; none is closed now.
    unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    Ok(())
}

/// All signals as a new process expects them: default dispositions, none blocked.
fn reset_signals() {
    // SAFETY: the calls take numbers and a pointer to a valid, empty set; failures (signals that cannot be set) are
    // of no interest.
    unsafe {
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
}
