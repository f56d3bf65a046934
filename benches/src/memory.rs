//! Memory: what an idle environment adds, and what the idle server holds.

use std::time::Duration;

use crate::bare::Reference;
use crate::function::{Function, Kind};
use crate::load;
use crate::process::{Memory, Tree};
use crate::report::{Report, Row, note};
use crate::server::Server;
use crate::settings::Settings;

const ENVIRONMENTS: usize = 8;
/// Until what an invocation leaves behind has settled.
const SETTLE: Duration = Duration::from_millis(300);

/// Measures idle environments of one function against the same processes started plainly. Only one side is up at
/// a time, since both share the pages of one interpreter.
///
/// # Errors
/// When one side cannot be started or answers wrongly.
pub async fn measure(settings: &Settings, function: &Function, report: &mut Report) -> anyhow::Result<()> {
    note(&format!("memory: {}", function.kind.name()));
    let row = |what: &str| {
        Row::new("memory", format!("{} {what}", function.kind.name()), "KiB", "the same started plainly")
    };
    let mut private = row("private, per idle environment");
    let mut proportional = row("proportional, per idle environment");
    let mut service = Row::new("memory", "server resident, idle".to_owned(), "KiB", "two-hop");
    for _ in 0..settings.rounds {
        let (idle, of_server) = of_server(settings, function).await?;
        let (idle_reference, of_reference) = of_reference(settings, function).await?;
        private.push(of_server.private, of_reference.private);
        proportional.push(of_server.proportional, of_reference.proportional);
        service.push(idle.resident, idle_reference.resident);
    }
    report.add([private, proportional]);
    if function.kind == Kind::Static {
        report.add([service]);
    }
    Ok(())
}

/// The server before its first invocation, and what an environment adds: its processes and the server's growth.
async fn of_server(settings: &Settings, function: &Function) -> anyhow::Result<(Memory, Memory)> {
    let server = Server::start(settings, &[function]).await?;
    let names: Vec<String> = (0..ENVIRONMENTS).map(|number| format!("memory-{number}")).collect();
    tokio::time::sleep(SETTLE).await;
    let idle = Memory::of(&server.tree().service);
    server.create(function, &names).await?;
    tokio::time::sleep(SETTLE).await;
    let before = all(&server.tree());
    for name in &names {
        server.invoke(name).await?;
    }
    tokio::time::sleep(SETTLE).await;
    Ok((idle, per_environment(before, all(&server.tree()))))
}

async fn of_reference(settings: &Settings, function: &Function) -> anyhow::Result<(Memory, Memory)> {
    let reference = Reference::start(settings, Some(function), 0).await?;
    tokio::time::sleep(SETTLE).await;
    let idle = Memory::of(&reference.tree().service);
    drop(reference);
    let reference = Reference::start(settings, Some(function), ENVIRONMENTS).await?;
    load::run(reference.invocation()?, ENVIRONMENTS, SETTLE).await?;
    tokio::time::sleep(SETTLE).await;
    let functions = Memory::of(&reference.tree().functions);
    Ok((idle, per_environment(Memory::default(), functions)))
}

fn all(tree: &Tree) -> Memory {
    Memory::of(&[tree.service.clone(), tree.functions.clone()].concat())
}

fn per_environment(before: Memory, after: Memory) -> Memory {
    let share = |before: f64, after: f64| (after - before) / ENVIRONMENTS as f64;
    Memory {
        resident: share(before.resident, after.resident),
        proportional: share(before.proportional, after.proportional),
        private: share(before.private, after.private),
    }
}
