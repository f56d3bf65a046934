//! Making sandboxes and running scripts in them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rushlight_sandbox::{
    Backend, Command, Egress, Exit, ExitStatus, Isolation, Limits, LinuxBackend, Options, Process,
    ProcessBackend, Root, Sandbox, Spec,
};

/// Long enough for a loaded machine: reached only when something is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The crate's own small program, which becomes the jailer.
const HELPER: &str = env!("CARGO_BIN_EXE_rushlight-sandbox-jailer");

/// A backend with a data directory of its own.
pub struct Harness {
    pub backend: Arc<dyn Backend>,
    pub directory: tempfile::TempDir,
    counter: AtomicU32,
}

/// Starts a backend of some level of isolation; gives the process id of its jailer too.
pub async fn start(directory: &Path, isolation: Isolation) -> (Arc<dyn Backend>, u32) {
    if isolation == Isolation::None {
        let backend = ProcessBackend::start_with(directory, Some(Path::new(HELPER))).unwrap();
        let jailer = backend.jailer_pid().unwrap();
        return (Arc::new(backend), jailer);
    }
    let options = Options { helper: Some(HELPER.into()), ..Options::new(directory, isolation) };
    let backend = LinuxBackend::start(options).await.unwrap();
    let jailer = backend.jailer_pid().unwrap();
    (Arc::new(backend), jailer)
}

async fn harness(isolation: Isolation) -> Harness {
    let directory = tempfile::tempdir().unwrap();
    let (backend, _) = start(directory.path(), isolation).await;
    Harness { backend, directory, counter: AtomicU32::new(0) }
}

/// The backend without isolation.
pub async fn process() -> Option<Harness> {
    Some(harness(Isolation::None).await)
}

/// The Linux backend with all privileges.
pub async fn linux() -> Option<Harness> {
    if !rustix::process::geteuid().is_root() {
        #[allow(clippy::print_stderr, reason = "a skipped test says so loudly")]
        {
            eprintln!("SKIPPED: this needs root");
        }
        return None;
    }
    Some(harness(Isolation::Sandbox).await)
}

/// The same, with networks for the next sandboxes ready.
pub async fn linux_ready() -> Option<Harness> {
    let harness = linux().await?;
    harness.have_networks_ready().await;
    Some(harness)
}

/// The backend without privileges, started by root.
pub async fn rootless_as_root() -> Option<Harness> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: this needs root");
        return None;
    }
    Some(harness(Isolation::Rootless).await)
}

/// The backend without privileges, started by somebody who has none.
pub async fn rootless() -> Option<Harness> {
    if !give_up_root() {
        return None;
    }
    Some(harness(Isolation::Rootless).await)
}

/// The backend without isolation, started by somebody who has no privileges.
pub async fn process_unprivileged() -> Option<Harness> {
    if !give_up_root() {
        return None;
    }
    Some(harness(Isolation::None).await)
}

/// Makes this process that of a user without privileges, if that hurts no other test.
fn give_up_root() -> bool {
    const NOBODY_IN_PARTICULAR: u32 = 12_345;
    if !rustix::process::geteuid().is_root() {
        return true;
    }
    if std::env::var_os("NEXTEST").is_none() {
        eprintln!("SKIPPED: giving up root needs a process per test (cargo nextest)");
        return false;
    }
    // SAFETY: the calls take numbers only; the C library changes the ids of all threads.
    let given_up = unsafe {
        libc::setgroups(0, std::ptr::null()) == 0
            && libc::setresgid(NOBODY_IN_PARTICULAR, NOBODY_IN_PARTICULAR, NOBODY_IN_PARTICULAR) == 0
            && libc::setresuid(NOBODY_IN_PARTICULAR, NOBODY_IN_PARTICULAR, NOBODY_IN_PARTICULAR) == 0
    };
    assert!(given_up);
    true
}

impl Harness {
    /// A sandbox specification with room enough for small programs.
    pub fn spec(&self) -> Spec {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        Spec {
            id: format!("test-{}-{number}", std::process::id()),
            root: Root::Host,
            mounts: Vec::new(),
            opt_layers: Vec::new(),
            limits: Limits {
                memory_bytes: 256 << 20,
                cpus: 1.0,
                processes: 1024,
                descriptors: 1024,
                tmp_bytes: 64 << 20,
            },
            egress: Egress::None,
            listener_ports: vec![9001],
            hostname: "sandbox".to_owned(),
            emulator: None,
        }
    }

    /// Has a sandbox made, and gives the jailer the time to prepare for the next ones.
    pub async fn have_networks_ready(&self) {
        self.sandbox().await.destroy().await;
        // The jailer's own, and two more.
        eventually("two networks are ready", || crate::ahead::held().len() == 3).await;
    }

    pub async fn sandbox(&self) -> Box<dyn Sandbox> {
        self.backend.create(self.spec()).await.expect("create a sandbox")
    }

    /// A directory on the host whose files may be mounted.
    pub fn tree(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = self.directory.path().join("trees").join(name);
        for (path, text) in files {
            let file = root.join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, text).unwrap();
        }
        root
    }

    pub async fn finish(self) {
        self.backend.shutdown().await;
    }
}

/// What a finished process left behind.
#[derive(Debug)]
pub struct Finished {
    pub exit: Exit,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// The output of a process that ended with status 0.
    pub fn success(self) -> String {
        assert_eq!(self.exit.status, ExitStatus::Code(0), "{self:?}");
        self.stdout
    }
}

pub fn shell(script: &str) -> Command {
    program("/bin/sh", &["-c", script])
}

pub fn program(path: &str, arguments: &[&str]) -> Command {
    Command {
        program: PathBuf::from(path),
        arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
        environment: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        working_directory: PathBuf::from("/"),
        log_descriptor: false,
    }
}

/// Starts a command and waits until `needle` is in its output.
pub async fn start_until(sandbox: &dyn Sandbox, command: Command, needle: &'static str) -> Process {
    let mut process = sandbox.spawn(command).await.unwrap();
    let stdout = process.stdout;
    process.stdout = tokio::task::spawn_blocking(move || read_until(stdout, needle)).await.unwrap();
    process
}

/// Runs a command to its end.
pub async fn run(sandbox: &dyn Sandbox, command: Command) -> Finished {
    let process = sandbox.spawn(command).await.expect("spawn");
    finish(process).await
}

/// Reads a process' output to the end and waits for it.
pub async fn finish(process: Process) -> Finished {
    let stdout = tokio::task::spawn_blocking(move || read_to_end(process.stdout));
    let stderr = tokio::task::spawn_blocking(move || read_to_end(process.stderr));
    let exit =
        tokio::time::timeout(PATIENCE, process.exit).await.expect("the process ends").expect("an exit");
    Finished { exit, stdout: stdout.await.unwrap(), stderr: stderr.await.unwrap() }
}

/// Reads a non-blocking pipe until every writer is gone.
pub fn read_to_end(pipe: OwnedFd) -> String {
    let mut text = Vec::new();
    read_while(pipe, &mut text, |_| true);
    String::from_utf8_lossy(&text).into_owned()
}

/// Reads a non-blocking pipe until `needle` has come; gives the pipe back.
pub fn read_until(pipe: OwnedFd, needle: &str) -> OwnedFd {
    let mut text = Vec::new();
    let pipe = read_while(pipe, &mut text, |text| !String::from_utf8_lossy(text).contains(needle));
    assert!(String::from_utf8_lossy(&text).contains(needle), "ended with {text:?}");
    pipe
}

fn read_while(pipe: OwnedFd, text: &mut Vec<u8>, more: impl Fn(&[u8]) -> bool) -> OwnedFd {
    let start = Instant::now();
    let mut file = fs::File::from(pipe);
    let mut buffer = [0; 4096];
    while more(text) {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => text.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                assert!(
                    start.elapsed() < PATIENCE,
                    "no end of output; so far {:?}",
                    String::from_utf8_lossy(text)
                );
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(error) => panic!("reading output: {error}"),
        }
    }
    file.into()
}

/// Waits until `condition` holds.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "still not: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The ids of host processes whose command line contains `needle`.
pub fn processes_with(needle: &str) -> Vec<u32> {
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let own = std::process::id();
    pids.filter(|pid| *pid != own && command_line_contains(*pid, needle)).collect()
}

fn command_line_contains(pid: u32, needle: &str) -> bool {
    let path = format!("/proc/{pid}/cmdline");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let zombie = stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'));
    !zombie && fs::read(Path::new(&path)).is_ok_and(|line| String::from_utf8_lossy(&line).contains(needle))
}
