//! The cold path: the first invocation of a function, one at a time.

use std::time::Duration;

use crate::bare::{Reference, Start};
use crate::function::Function;
use crate::report::{Report, Row, note};
use crate::server::Server;
use crate::settings::Settings;
use crate::statistics::Latencies;

/// Between two starts; one start at a time is what users see, not a loop of them.
const PAUSE: Duration = Duration::from_millis(30);

/// Measures functions that were never invoked before, in turns with plain starts of the same function.
///
/// # Errors
/// When one side cannot be started or answers wrongly.
pub async fn measure(settings: &Settings, function: &Function, report: &mut Report) -> anyhow::Result<()> {
    note(&format!("cold: creating functions for {}", function.kind.name()));
    let server = Server::start(settings, &[function]).await?;
    let reference = Reference::start(settings, Some(function), 0).await?;
    let count = settings.rounds * settings.starts_per_round;
    let names: Vec<String> = (0..count).map(|number| format!("cold-{number}")).collect();
    server.create(function, &names).await?;
    let first = "first".to_owned();
    server.create(function, std::slice::from_ref(&first)).await?;
    // Fills the kernel's caches, on both sides.
    server.invoke(&first).await?;
    reference.cold_start().await?;

    let row =
        |what: &str, yardstick| Row::new("cold", format!("{} {what}", function.kind.name()), "ms", yardstick);
    let mut answered = row("first invocation p50", "two-hop, plain start and answer");
    let mut least = row("first invocation min", "two-hop, plain start and answer");
    let mut bare = row("first invocation p50", "plain start to its first next");
    for names in names.chunks(settings.starts_per_round) {
        let (mut of_server, mut of_reference) = (Vec::new(), Vec::new());
        for name in names {
            tokio::time::sleep(PAUSE).await;
            of_server.push(server.invoke(name).await?);
            tokio::time::sleep(PAUSE).await;
            of_reference.push(reference.cold_start().await?);
        }
        let millis = |latencies: &Latencies, fraction| latencies.percentile(fraction) / 1000.0;
        let column =
            |figure: fn(&Start) -> Duration| Latencies::new(of_reference.iter().map(figure).collect());
        let (to_answer, to_next) = (column(|start| start.to_answer), column(|start| start.to_next));
        let of_server = Latencies::new(of_server);
        answered.push(millis(&of_server, 0.5), millis(&to_answer, 0.5));
        least.push(millis(&of_server, 0.0), millis(&to_answer, 0.0));
        bare.push(millis(&of_server, 0.5), millis(&to_next, 0.5));
    }
    report.add([answered, least, bare]);
    if function.starts_from_snapshots() {
        report.add([restored(settings, function, &server, &reference).await?]);
    }
    Ok(())
}

/// The same of published versions that start from a snapshot.
async fn restored(
    settings: &Settings,
    function: &Function,
    server: &Server,
    reference: &Reference,
) -> anyhow::Result<Row> {
    let what = format!("{} restored, first invocation p50", function.kind.name());
    let mut row = Row::new("cold", what, "ms", "plain start to its first next");
    for round in 0..settings.rounds {
        let names: Vec<String> =
            (0..settings.starts_per_round).map(|number| format!("restored-{round}-{number}")).collect();
        server.create(function, &names).await?;
        server.publish_snapshots(&names).await?;
        let (mut of_server, mut of_reference) = (Vec::new(), Vec::new());
        for name in &names {
            tokio::time::sleep(PAUSE).await;
            of_server.push(server.invoke(&format!("{name}:1")).await?);
            tokio::time::sleep(PAUSE).await;
            of_reference.push(reference.cold_start().await?.to_next);
        }
        // Each keeps a process parked.
        server.delete(&names).await?;
        let p50 = |times| Latencies::new(times).percentile(0.5) / 1000.0;
        row.push(p50(of_server), p50(of_reference));
    }
    Ok(row)
}
