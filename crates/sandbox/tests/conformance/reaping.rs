//! Nothing is left behind, whichever way the server or the jailer ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rushlight_sandbox::{Error, ExitStatus, Isolation};
use rustix::process::{Pid, Signal, kill_process};

use crate::daemons::{mark, with_daemons};
use crate::support::{Harness, PATIENCE, eventually, processes_with, program, run, shell, start};

/// A server of one sandbox, in a process of its own.
struct Held {
    server: Child,
    jailer: u32,
    directory: PathBuf,
    id: String,
    mark: String,
    /// The server's record of its firewall table and interfaces.
    network: String,
}

fn hold(harness: &Harness, number: u32) -> Held {
    let directory = harness.directory.path().join(format!("held-{number}"));
    let id = format!("held-{}-{number}", std::process::id());
    let mark = format!("5{number}{:07}", std::process::id());
    let level = match harness.backend.isolation() {
        Isolation::Sandbox => "sandbox",
        Isolation::Rootless => "rootless",
        Isolation::None => "none",
    };
    let mut server = Command::new(env!("CARGO_BIN_EXE_rushlight-sandbox-jailer"))
        .args(["hold", level, directory.to_str().unwrap(), &id, &mark])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let jailer = line.trim().parse().unwrap_or_else(|_| panic!("the server said {line:?}"));
    let network = fs::read_to_string(directory.join("sandbox/firewall")).unwrap_or_default();
    Held { server, jailer, directory, id, mark, network }
}

impl Held {
    /// What is left of it, each thing named.
    fn remains(&self) -> Vec<String> {
        let mut found: Vec<_> =
            processes_with(&self.mark).iter().map(|pid| format!("process {pid}")).collect();
        if Path::new(&format!("/proc/{}/exe", self.jailer)).read_link().is_ok() {
            found.push("the jailer".to_owned());
        }
        found.extend(crate::attacks::groups_named(&self.id).iter().map(|group| group.display().to_string()));
        found.extend(loop_devices(&self.directory));
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let directory = self.directory.display().to_string();
        found.extend(mounts.lines().filter(|line| line.contains(&directory)).map(str::to_owned));
        found.extend(network(&self.network));
        found
    }

    /// The processes in its sandbox.
    fn processes(&self) -> Vec<u32> {
        processes_with(&self.mark).into_iter().filter(|pid| *pid != self.server.id()).collect()
    }

    fn files(&self) -> Vec<PathBuf> {
        let directory = self.directory.join("sandbox/tmp");
        let entries = fs::read_dir(directory).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Loop devices whose file is, or was, beneath `directory`.
fn loop_devices(directory: &Path) -> Vec<String> {
    let devices = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    devices
        .filter_map(|entry| fs::read_to_string(entry.path().join("loop/backing_file")).ok())
        .filter(|file| Path::new(file).starts_with(directory))
        .collect()
}

/// The firewall table and the network interfaces that a server's record names.
fn network(record: &str) -> Vec<String> {
    let (Some(table), Some(prefix)) = (record.lines().next(), record.lines().nth(1)) else {
        return Vec::new();
    };
    let all = fs::read_dir("/sys/class/net").unwrap().flatten();
    let names = all.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut found: Vec<_> = names.filter(|name| name.starts_with(prefix)).collect();
    let tables = Command::new("nft").args(["list", "tables"]).output().unwrap();
    found.extend(
        String::from_utf8_lossy(&tables.stdout)
            .lines()
            .filter(|line| line.contains(table))
            .map(str::to_owned),
    );
    found
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number as i32).unwrap()
}

pub async fn a_killed_server_leaves_nothing(harness: &Harness) {
    let mut held = hold(harness, 1);
    assert!(held.processes().len() >= 3, "{:?}", held.remains());
    if harness.backend.isolation() == Isolation::Sandbox {
        assert!(!crate::attacks::groups_named(&held.id).is_empty());
        assert!(!loop_devices(&held.directory).is_empty());
        assert_eq!(network(&held.network).len(), 2, "an interface and a table of {:?}", held.network);
    }
    let killed = Instant::now();
    held.server.kill().unwrap();
    held.server.wait().unwrap();
    while !held.remains().is_empty() {
        assert!(killed.elapsed() < PATIENCE, "left: {:?}", held.remains());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(held.files(), [] as [PathBuf; 0]);
}

pub async fn a_killed_jailer_takes_the_sandboxes_along(harness: &Harness) {
    let held = hold(harness, 2);
    kill_process(pid(held.jailer), Signal::KILL).unwrap();
    // Without the jailer only control groups, which are empty, can be left for the next start.
    eventually("the processes are gone", || held.processes().is_empty()).await;
    eventually("the loop devices are gone", || loop_devices(&held.directory).is_empty()).await;
    let isolation = harness.backend.isolation();
    let (next, _) = start(&held.directory, isolation).await;
    assert!(crate::attacks::groups_named(&held.id).is_empty());
    let mut spec = harness.spec();
    spec.id.clone_from(&held.id);
    run(&*next.create(spec).await.unwrap(), shell("true")).await.success();
    next.shutdown().await;
    let left = || network(&held.network);
    eventually(&format!("the network is gone: {:?}", left()), || left().is_empty()).await;
}

pub async fn a_jailer_does_not_end_by_a_terminals_signals(harness: &Harness) {
    let held = hold(harness, 3);
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        kill_process(pid(held.jailer), signal).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!held.processes().is_empty());
    run(&*harness.sandbox().await, shell("true")).await.success();
}

pub async fn a_server_without_its_jailer_says_so(harness: &Harness) {
    let directory = harness.directory.path().join("lost");
    let (backend, jailer) = start(&directory, harness.backend.isolation()).await;
    let sandbox = backend.create(harness.spec()).await.unwrap();
    let process = sandbox.spawn(program("/bin/sleep", &["1000"])).await.unwrap();
    kill_process(pid(jailer), Signal::KILL).unwrap();
    assert_eq!(process.exit.await.unwrap().status, ExitStatus::Signal(9));
    assert!(matches!(backend.create(harness.spec()).await, Err(Error::HelperGone)));
    assert!(sandbox.spawn(shell("true")).await.is_err());
    assert!(sandbox.kill_all().await.is_err());
    sandbox.destroy().await;
    backend.shutdown().await;
    // The next start clears what was left.
    let (next, _) = start(&directory, harness.backend.isolation()).await;
    assert!(crate::attacks::groups_named(sandbox.id()).is_empty());
    next.shutdown().await;
}

pub async fn a_shutdown_leaves_nothing(harness: &Harness) {
    let directory = harness.directory.path().join("shut");
    let (backend, _) = start(&directory, harness.backend.isolation()).await;
    let mut sandboxes = Vec::new();
    for _ in 0..4 {
        let sandbox = backend.create(harness.spec()).await.unwrap();
        sandbox.spawn(program("/bin/sleep", &["1000"])).await.unwrap();
        sandbox.freeze().await.unwrap();
        sandboxes.push(sandbox);
    }
    backend.shutdown().await;
    for sandbox in &sandboxes {
        assert!(crate::attacks::groups_named(sandbox.id()).is_empty());
    }
    eventually("the loop devices are gone", || loop_devices(&directory).is_empty()).await;
    assert!(!directory.join("sandbox/cgroups").exists());
}

/// The process that started this one.
fn parent(number: u32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap();
    stat[stat.rfind(')').unwrap()..].split(' ').nth(2).unwrap().parse().unwrap()
}

pub async fn a_killed_keeper_takes_its_sandbox_along(harness: &Harness) {
    let (one, other) = (harness.sandbox().await, harness.sandbox().await);
    let (gone, kept) = (mark(61), mark(62));
    let process = with_daemons(&*one, &gone).await;
    let _other = with_daemons(&*other, &kept).await;
    kill_process(pid(parent(process.host_pid.unwrap())), Signal::KILL).unwrap();
    assert_eq!(process.exit.await.unwrap().status, ExitStatus::Signal(9));
    eventually("its processes are gone", || processes_with(&gone).is_empty()).await;
    assert!(matches!(one.spawn(shell("true")).await, Err(Error::Destroyed)));
    one.destroy().await;
    assert_eq!(processes_with(&format!("/bin/sleep\0{kept}")).len(), 3);
    run(&*other, shell("true")).await.success();
    run(&*harness.sandbox().await, shell("true")).await.success();
}

pub async fn a_keeper_does_not_end_by_a_terminals_signals(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let process = sandbox.spawn(program("/bin/sleep", &["1000"])).await.unwrap();
    let keeper = parent(process.host_pid.unwrap());
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        kill_process(pid(keeper), signal).unwrap();
    }
    run(&*sandbox, shell("true")).await.success();
    assert_eq!(parent(process.host_pid.unwrap()), keeper);
}

pub async fn a_keeper_that_is_stopped_keeps_nothing_alive(harness: &Harness) {
    let mut held = hold(harness, 4);
    let keepers: Vec<_> = held.processes().into_iter().map(parent).collect();
    let keeper = *keepers.iter().find(|keeper| parent(**keeper) == held.jailer).unwrap();
    kill_process(pid(keeper), Signal::STOP).unwrap();
    held.server.kill().unwrap();
    held.server.wait().unwrap();
    eventually("everything is gone", || held.remains().is_empty()).await;
}
