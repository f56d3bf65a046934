//! Processes that leave their parent, their session and their process group remain the sandbox's.

use std::time::Duration;

use rushlight_sandbox::{Command, ExitStatus, Process, Sandbox};

use crate::attacks::python;
use crate::basics::cpu_ticks;
use crate::support::{Harness, eventually, processes_with, program, run, shell, start_until};

/// A text that no other process of the machine has in its command line.
pub fn mark(number: u32) -> String {
    format!("{number}{:07}", std::process::id())
}

/// Starts a process that leaves three daemons behind, deaf to all signals, and lives on itself.
pub async fn with_daemons(sandbox: &dyn Sandbox, mark: &str) -> Process {
    let script = format!(
        "
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid() if os.getsid(0) != os.getpid() else None
            os.execv('/bin/sleep', ['/bin/sleep', '{mark}'])
        os._exit(0)
print('away', flush=True)
time.sleep(1000)
"
    );
    let process = start_until(sandbox, python(&script), "away").await;
    // With the NUL between its arguments: not the script that names them.
    let daemons = format!("/bin/sleep\0{mark}");
    eventually("the daemons run", || processes_with(&daemons).len() == 3).await;
    process
}

async fn assert_gone(process: Process, mark: &str) {
    assert_eq!(processes_with(mark), [] as [u32; 0]);
    assert_eq!(process.exit.await.unwrap().status, ExitStatus::Signal(9));
}

pub async fn daemons_end_with_kill_all(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let mark = mark(41);
    let process = with_daemons(&*sandbox, &mark).await;
    sandbox.kill_all().await.unwrap();
    assert_gone(process, &mark).await;
    run(&*sandbox, shell("true")).await.success();
    // Also when nothing that was started by the server itself runs any more.
    run(&*sandbox, daemon(&mark)).await.success();
    sandbox.kill_all().await.unwrap();
    assert_eq!(processes_with(&mark), [] as [u32; 0]);
}

pub async fn daemons_end_with_destroy(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let mark = mark(42);
    let process = with_daemons(&*sandbox, &mark).await;
    // What is frozen has to go as well.
    sandbox.freeze().await.unwrap();
    sandbox.destroy().await;
    assert_gone(process, &mark).await;
}

pub async fn daemons_end_with_the_handle(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let mark = mark(43);
    let process = with_daemons(&*sandbox, &mark).await;
    drop(sandbox);
    eventually("the daemons are gone", || processes_with(&mark).is_empty()).await;
    assert_gone(process, &mark).await;
}

pub async fn daemons_end_with_shutdown(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let mark = mark(44);
    let process = with_daemons(&*sandbox, &mark).await;
    harness.backend.shutdown().await;
    assert_gone(process, &mark).await;
}

pub async fn daemons_end_with_their_sandbox_only(harness: &Harness) {
    let (one, other) = (harness.sandbox().await, harness.sandbox().await);
    let (gone, kept) = (mark(45), mark(46));
    let process = with_daemons(&*one, &gone).await;
    let _other = with_daemons(&*other, &kept).await;
    one.kill_all().await.unwrap();
    assert_gone(process, &gone).await;
    assert_eq!(processes_with(&format!("/bin/sleep\0{kept}")).len(), 3);
    one.destroy().await;
    assert_eq!(processes_with(&format!("/bin/sleep\0{kept}")).len(), 3);
}

/// A command that ends at once and leaves a daemon behind which computes.
fn daemon(mark: &str) -> Command {
    shell(&format!("(setsid sh -c 'while :; do :; done' {mark} >/dev/null 2>&1 &)"))
}

pub async fn daemons_are_frozen_and_thawed(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let mark = mark(47);
    run(&*sandbox, daemon(&mark)).await.success();
    let found = || processes_with(&format!("done\0{mark}")).into_iter().next();
    eventually("the daemon runs", || found().is_some()).await;
    let pid = found().unwrap();
    sandbox.freeze().await.unwrap();
    // Freezing may take effect a moment after the call.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = cpu_ticks(pid);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(cpu_ticks(pid), before, "a frozen daemon ran");
    sandbox.thaw().await.unwrap();
    eventually("the daemon runs again", || cpu_ticks(pid) > before).await;
}

pub async fn daemons_are_measured(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let script = "
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        # A name that confuses whoever splits what /proc says.
        libc.prctl(15, b'\\xff) Z 1 2 3')
        x = bytearray(b'x' * 50_000_000)
        print('ready', flush=True)
        time.sleep(1000)
    os._exit(0)
";
    let process = start_until(&*sandbox, python(script), "ready").await;
    eventually("it is measured", || sandbox.usage().memory_bytes > 50_000_000).await;
    assert!(sandbox.usage().memory_bytes < 120_000_000, "{:?}", sandbox.usage());
    sandbox.kill_all().await.unwrap();
    eventually("the memory is free again", || sandbox.usage().memory_bytes < 30_000_000).await;
    drop(process);
}

/// It is never there for long: each process makes the next one, in a session of its own, and ends.
pub async fn a_daemon_cannot_run_away(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let mark = mark(48);
    let runner = format!(
        "
print('off', flush=True)
generation = 0
while '{mark}':
    if os.fork(): os._exit(0)
    os.setsid()
    generation += 1
    if generation == 20: os.write(1, b'far away')
"
    );
    for _ in 0..3 {
        let _process = start_until(&*sandbox, python(&runner), "far away").await;
        sandbox.kill_all().await.unwrap();
        assert_eq!(processes_with(&mark), [] as [u32; 0]);
        run(&*sandbox, program("/bin/true", &[])).await.success();
    }
}

/// A program with the set-user-id bit could otherwise become somebody whom a server without privileges may not kill.
pub async fn no_program_is_beyond_the_keepers_reach(harness: &Harness) {
    let status = run(&*harness.sandbox().await, shell("grep NoNewPrivs /proc/self/status")).await;
    assert_eq!(status.success(), "NoNewPrivs:\t1\n");
}
