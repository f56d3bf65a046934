//! How fast sandboxes come and go: not a test of anything, so run only when asked for:
//! `cargo nextest run -p rushlight-sandbox --run-ignored only --no-capture rate`.

use std::time::{Duration, Instant};

use rushlight_sandbox::{Egress, ExitStatus, Sandbox, Spec};

use crate::support::{Harness, program};

const ROUNDS: usize = 200;
const IN_PARALLEL: usize = 8;

pub async fn of_sandboxes(harness: &Harness) {
    for egress in [Egress::None, Egress::Translated] {
        let spec = || Spec { egress, ..harness.spec() };
        // The first ones wait for what is made ahead of time.
        one_after_the_other(harness, 8, &spec).await;
        let times = one_after_the_other(harness, ROUNDS, &spec).await;
        let start = Instant::now();
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..ROUNDS {
            if running.len() == IN_PARALLEL {
                running.join_next().await.unwrap().unwrap();
            }
            let (backend, spec) = (harness.backend.clone(), spec());
            running.spawn(async move {
                let sandbox = backend.create(spec).await.unwrap();
                run_true(&*sandbox).await;
                sandbox.destroy().await;
            });
        }
        running.join_all().await;
        let rate = ROUNDS as f64 / start.elapsed().as_secs_f64();
        eprintln!("{egress:?}: {rate:.0} a second, {IN_PARALLEL} in parallel");
        for (name, pick) in [("create", 0), ("run /bin/true", 1), ("destroy", 2)] {
            let mut column: Vec<Duration> = times.iter().map(|row| row[pick]).collect();
            column.sort_unstable();
            eprintln!("  {name}: median {:.2?}, p10 {:.2?}", column[ROUNDS / 2], column[ROUNDS / 10]);
        }
    }
}

async fn run_true(sandbox: &dyn Sandbox) {
    let process = sandbox.spawn(program("/bin/true", &[])).await.unwrap();
    assert_eq!(process.exit.await.unwrap().status, ExitStatus::Code(0));
}

async fn one_after_the_other(
    harness: &Harness,
    rounds: usize,
    spec: &impl Fn() -> Spec,
) -> Vec<[Duration; 3]> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        let sandbox = harness.backend.create(spec()).await.unwrap();
        let created = start.elapsed();
        run_true(&*sandbox).await;
        let ran = start.elapsed();
        sandbox.destroy().await;
        times.push([created, ran - created, start.elapsed() - ran]);
    }
    times
}
