//! Sandboxes made per second: many functions invoked for the first time, eight at once.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use tokio::task::JoinSet;

use crate::function::{Function, Kind};
use crate::report::{Report, Row, note};
use crate::server::Server;
use crate::settings::Settings;

const PARALLEL: usize = 8;
/// Per thread and round; plain processes are quick to make.
const PLAIN_STARTS: usize = 50;

/// Measures with the static function, whose own start is next to nothing; passes over the others.
///
/// # Errors
/// When the server cannot be started or an invocation goes wrong.
pub async fn measure(settings: &Settings, functions: &[Function], report: &mut Report) -> anyhow::Result<()> {
    let Some(function) = functions.iter().find(|function| function.kind == Kind::Static) else {
        return Ok(());
    };
    note("sandboxes: creating functions");
    let server = Server::start(settings, &[function]).await?;
    let mut row = Row::new(
        "sandboxes",
        format!("started per second, {PARALLEL} at once"),
        "/s",
        "plain starts of `true`, 8 at once",
    );
    for round in 0..settings.rounds {
        let names: Vec<String> =
            (0..settings.sandboxes_per_round).map(|number| format!("sandbox-{round}-{number}")).collect();
        server.create(function, &names).await?;
        let of_server = invoke_all(&server, &names).await?;
        server.delete(&names).await?;
        row.push(of_server, tokio::task::spawn_blocking(plain_starts).await??);
    }
    report.add([row]);
    Ok(())
}

async fn invoke_all(server: &Server, names: &[String]) -> anyhow::Result<f64> {
    let mut requests =
        names.iter().map(|name| server.invocation(name)).collect::<anyhow::Result<Vec<_>>>()?;
    let shares = requests.len().div_ceil(PARALLEL);
    let count = requests.len();
    let started = Instant::now();
    let mut workers = JoinSet::new();
    while !requests.is_empty() {
        let share = requests.split_off(requests.len().saturating_sub(shares));
        workers.spawn(async move {
            for mut request in share {
                let mut connection = crate::load::Connection::open(request.address()).await?;
                let answer = connection.exchange(&request.now()?).await?;
                ensure!(answer.status == 200, "a first invocation was answered {}", answer.text());
            }
            Ok(())
        });
    }
    while let Some(finished) = workers.join_next().await {
        finished??;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// Processes per second that do nothing at all, each waited for.
fn plain_starts() -> anyhow::Result<f64> {
    let started = Instant::now();
    std::thread::scope(|scope| {
        let start_some = || -> std::io::Result<()> {
            for _ in 0..PLAIN_STARTS {
                Command::new("/bin/true").env_clear().stdin(Stdio::null()).status()?;
            }
            Ok(())
        };
        let threads: Vec<_> = (0..PARALLEL).map(|_| scope.spawn(start_some)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Ok(())))
    })
    .context("starting /bin/true")?;
    Ok((PARALLEL * PLAIN_STARTS) as f64 / started.elapsed().as_secs_f64())
}
