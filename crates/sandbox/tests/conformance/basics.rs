//! What a sandbox does for those who use it as they should.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::time::Duration;

use rushlight_sandbox::{Error, ExitStatus, Isolation, Mount, Signal};

use crate::support::{
    Harness, eventually, finish, processes_with, program, read_to_end, read_until, run, shell,
};

pub async fn runs_a_program_and_reports_its_output_and_status(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let finished = run(&*sandbox, shell("echo out; echo err >&2; exit 3")).await;
    assert_eq!(finished.stdout, "out\n");
    assert_eq!(finished.stderr, "err\n");
    assert_eq!(finished.exit.status, ExitStatus::Code(3));
    assert!(!finished.exit.out_of_memory);
    assert_eq!(run(&*sandbox, shell("read x || echo no input")).await.success(), "no input\n");
}

pub async fn reports_the_signal_that_ended_a_process(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    assert_eq!(run(&*sandbox, shell("kill -9 $$")).await.exit.status, ExitStatus::Signal(9));
    assert_eq!(run(&*sandbox, shell("kill -15 $$")).await.exit.status, ExitStatus::Signal(15));
    // A process starts with default dispositions and an empty mask, whatever the server has.
    assert_eq!(run(&*sandbox, shell("kill -13 $$")).await.exit.status, ExitStatus::Signal(13));
}

pub async fn says_why_a_program_cannot_be_executed(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    for (path, errno) in [("/nowhere/program", libc::ENOENT), ("/etc/passwd", libc::EACCES)] {
        match sandbox.spawn(program(path, &[])).await {
            Err(Error::Execute { program, source }) => {
                assert_eq!(program, path);
                assert_eq!(source.raw_os_error(), Some(errno));
            }
            other => panic!("{path}: {other:?}"),
        }
    }
    // The sandbox is not hurt by it.
    run(&*sandbox, shell("true")).await.success();
}

pub async fn hands_over_the_environment_and_nothing_else(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let mut command = program("/usr/bin/env", &[]);
    command.environment = BTreeMap::from([("GREETING".to_owned(), "good day = ü".to_owned())]);
    let output = run(&*sandbox, command).await.success();
    let mut lines: Vec<_> = output.lines().collect();
    if harness.backend.isolation() == Isolation::None {
        lines.retain(|line| !line.starts_with("TMPDIR="));
    }
    assert_eq!(lines, ["GREETING=good day = ü"]);
}

pub async fn gives_a_log_descriptor_when_asked(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let mut command = shell("eval \"echo record >&$_LAMBDA_TELEMETRY_LOG_FD\"; ls /proc/self/fd | wc -l");
    command.log_descriptor = true;
    let mut process = sandbox.spawn(command).await.unwrap();
    let log = process.log.take().expect("a log pipe");
    let finished = finish(process).await;
    // 0, 1, 2, the log, and the directory that `ls` itself reads: nothing else was inherited.
    assert_eq!(finished.success().trim(), "5");
    let log = tokio::task::spawn_blocking(move || read_to_end(log)).await.unwrap();
    assert_eq!(log, "record\n");
    let process = sandbox.spawn(shell("test -z \"$_LAMBDA_TELEMETRY_LOG_FD\"")).await.unwrap();
    assert!(process.log.is_none());
    finish(process).await.success();
}

pub async fn kill_all_ends_children_too_and_the_sandbox_runs_on(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let mark = format!("31{:07}", std::process::id());
    let script =
        format!("echo kept > ${{TMPDIR:-/tmp}}/file; sleep {mark} & (sleep {mark} &) ; echo started; wait");
    let process = sandbox.spawn(shell(&script)).await.unwrap();
    let stdout = process.stdout;
    let stdout = tokio::task::spawn_blocking(move || read_until(stdout, "started")).await.unwrap();
    sandbox.kill_all().await.unwrap();
    assert_eq!(process.exit.await.unwrap().status, ExitStatus::Signal(9));
    assert_eq!(processes_with(&mark), [] as [u32; 0]);
    drop(stdout);
    // Nothing to kill is no error, and `/tmp` stays.
    sandbox.kill_all().await.unwrap();
    let output = run(&*sandbox, shell("cat ${TMPDIR:-/tmp}/file")).await.success();
    assert_eq!(output, "kept\n");
}

pub async fn signals_reach_one_process_and_its_group(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let mark = |number: u32| format!("3{number}{:07}", std::process::id());
    let polite = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done";
    let patient = format!("trap '' TERM; sleep {} & echo ready; wait", mark(5));
    let mut first = sandbox.spawn(shell(polite)).await.unwrap();
    let mut second = sandbox.spawn(shell(&patient)).await.unwrap();
    assert_ne!(first.number, second.number);
    for stdout in [&mut first.stdout, &mut second.stdout] {
        let end = stdout.try_clone().unwrap();
        let _ = tokio::task::spawn_blocking(move || read_until(end, "ready")).await.unwrap();
    }
    sandbox.signal(first.number, Signal::Terminate).await.unwrap();
    assert_eq!(first.exit.await.unwrap().status, ExitStatus::Code(7));
    sandbox.signal(second.number, Signal::Terminate).await.unwrap();
    assert!(!processes_with(&mark(5)).is_empty(), "it does not listen");
    sandbox.signal(second.number, Signal::Kill).await.unwrap();
    assert_eq!(second.exit.await.unwrap().status, ExitStatus::Signal(9));
    eventually("its child is gone too", || processes_with(&mark(5)).is_empty()).await;
    // Who has ended, or was never there, is not signalled, and nobody in its place.
    for number in [first.number, second.number, 999] {
        sandbox.signal(number, Signal::Kill).await.unwrap();
    }
    let output = run(&*sandbox, shell("echo on")).await.success();
    assert_eq!(output, "on\n");
    sandbox.destroy().await;
    assert!(matches!(sandbox.signal(first.number, Signal::Kill).await, Err(Error::Destroyed)));
}

pub async fn freezes_and_thaws(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let process = sandbox
        .spawn(shell("i=0; echo go; while :; do i=$((i+1)); echo $i > ${TMPDIR:-/tmp}/n; done"))
        .await
        .unwrap();
    let pid = process.host_pid.expect("a process id");
    let stdout = process.stdout;
    let _stdout = tokio::task::spawn_blocking(move || read_until(stdout, "go")).await.unwrap();
    sandbox.thaw().await.unwrap();
    sandbox.freeze().await.unwrap();
    sandbox.freeze().await.unwrap();
    // Freezing may take effect a moment after the call.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = cpu_ticks(pid);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(cpu_ticks(pid), before, "a frozen process ran");
    sandbox.thaw().await.unwrap();
    sandbox.thaw().await.unwrap();
    eventually("the process runs again", || cpu_ticks(pid) > before).await;
    sandbox.freeze().await.unwrap();
    // A frozen sandbox can be killed.
    sandbox.kill_all().await.unwrap();
    assert_eq!(process.exit.await.unwrap().status, ExitStatus::Signal(9));
}

/// User and system time of a process in clock ticks.
pub fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

pub async fn listeners_are_reached_from_inside(harness: &Harness) {
    let mut spec = harness.spec();
    spec.listener_ports = vec![9001, 9002];
    let sandbox = harness.backend.create(spec).await.unwrap();
    let listeners = sandbox.take_listeners();
    assert_eq!(listeners.len(), 2);
    assert!(sandbox.take_listeners().is_empty());
    let second = &listeners[1];
    let address = second.local_addr().unwrap();
    if harness.backend.isolation() != Isolation::None {
        assert_eq!(address.to_string(), "127.0.0.1:9002");
    }
    assert_eq!(second.accept().expect_err("non-blocking").kind(), std::io::ErrorKind::WouldBlock);
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{}; echo hello >&3; cat <&3", address.port());
    let process = sandbox.spawn(program("/bin/bash", &["-c", &script])).await.unwrap();
    let mut accepted = None;
    eventually("the process connects", || {
        accepted = accepted.take().or_else(|| second.accept().ok());
        accepted.is_some()
    })
    .await;
    let (mut stream, _) = accepted.unwrap();
    assert!(stream.nodelay().unwrap() || harness.backend.isolation() == Isolation::None);
    stream.set_nonblocking(false).unwrap();
    let mut received = [0; 6];
    stream.read_exact(&mut received).unwrap();
    stream.write_all(b"answer").unwrap();
    drop(stream);
    assert_eq!(&received, b"hello\n");
    assert_eq!(finish(process).await.success(), "answer");
}

pub async fn shows_mounts_and_layers(harness: &Harness) {
    let mut spec = harness.spec();
    let code = harness.tree("code", &[("handler.txt", "code"), ("deep/file", "deep")]);
    let extra = harness.tree("extra", &[("file", "extra")]);
    let one = harness.tree("one", &[("lib/same", "one"), ("lib/first", "first")]);
    let two = harness.tree("two", &[("lib/same", "two")]);
    spec.mounts = vec![
        Mount { source: code.clone(), target: "/var/task".into() },
        Mount { source: extra.join("file"), target: "/srv/unusual/file".into() },
    ];
    spec.opt_layers = vec![one, two];
    let sandbox = harness.backend.create(spec).await.unwrap();
    let files = [
        "/var/task/handler.txt",
        "/var/task/deep/file",
        "/srv/unusual/file",
        "/opt/lib/same",
        "/opt/lib/first",
    ];
    let output = run(&*sandbox, program("/bin/cat", &files)).await.success();
    assert_eq!(output, "codedeepextratwofirst");
    let mut command = shell("cat handler.txt; pwd -P");
    command.working_directory = "/var/task".into();
    let output = run(&*sandbox, command).await.success();
    let directory = match harness.backend.isolation() {
        Isolation::None => code.display().to_string(),
        _ => "/var/task".to_owned(),
    };
    assert_eq!(output, format!("code{directory}\n"));
}

pub async fn measures_memory(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let script = "import sys; x = bytearray(b'x' * 50_000_000); print('ready', flush=True); sys.stdin.read(); \
                  import time; time.sleep(1000)";
    let process = sandbox.spawn(program("/usr/bin/python3", &["-c", script])).await.unwrap();
    let stdout = process.stdout;
    let _stdout = tokio::task::spawn_blocking(move || read_until(stdout, "ready")).await.unwrap();
    // Without a control group it is looked at every now and then.
    eventually("it is measured", || sandbox.usage().memory_bytes > 50_000_000).await;
    let usage = sandbox.usage();
    assert!(usage.memory_bytes < 120_000_000, "{usage:?}");
    assert!(usage.peak_memory_bytes >= usage.memory_bytes, "{usage:?}");
    assert_eq!(usage.out_of_memory_kills, 0);
    sandbox.kill_all().await.unwrap();
    eventually("the memory is free again", || sandbox.usage().memory_bytes < 30_000_000).await;
    assert!(sandbox.usage().peak_memory_bytes > 50_000_000);
    sandbox.reset_peak();
    assert!(sandbox.usage().peak_memory_bytes < 50_000_000);
}

pub async fn destroy_ends_everything(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let mark = format!("32{:07}", std::process::id());
    let process = sandbox.spawn(program("/bin/sleep", &[&mark])).await.unwrap();
    sandbox.destroy().await;
    assert_eq!(processes_with(&mark), [] as [u32; 0]);
    assert_eq!(process.exit.await.unwrap().status, ExitStatus::Signal(9));
    sandbox.destroy().await;
    assert!(matches!(sandbox.spawn(shell("true")).await, Err(Error::Destroyed)));
    assert!(matches!(sandbox.kill_all().await, Err(Error::Destroyed)));
    assert!(matches!(sandbox.freeze().await, Err(Error::Destroyed)));
    assert!(matches!(sandbox.thaw().await, Err(Error::Destroyed)));
    assert!(sandbox.take_listeners().is_empty());
    sandbox.usage();
    sandbox.reset_peak();
}

pub async fn dropping_ends_everything(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let mark = format!("33{:07}", std::process::id());
    let process = sandbox.spawn(program("/bin/sleep", &[&mark])).await.unwrap();
    sandbox.freeze().await.unwrap();
    drop(sandbox);
    assert_eq!(process.exit.await.unwrap().status, ExitStatus::Signal(9));
    eventually("the process is gone", || processes_with(&mark).is_empty()).await;
}

pub async fn shutdown_ends_everything(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let mark = format!("34{:07}", std::process::id());
    let process = sandbox.spawn(program("/bin/sleep", &[&mark])).await.unwrap();
    harness.backend.shutdown().await;
    assert_eq!(processes_with(&mark), [] as [u32; 0]);
    assert_eq!(process.exit.await.unwrap().status, ExitStatus::Signal(9));
    assert!(matches!(harness.backend.create(harness.spec()).await, Err(Error::HelperGone)));
    assert!(sandbox.spawn(shell("true")).await.is_err());
}
