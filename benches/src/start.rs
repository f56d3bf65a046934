//! From the start of the server to its first answer.

use std::time::{Duration, Instant};

use crate::bare::Reference;
use crate::report::{Report, Row, note};
use crate::server::Server;
use crate::settings::Settings;

/// Measures a first start, with nothing in the data directory, and a later one.
///
/// # Errors
/// When one side cannot be started.
pub async fn measure(settings: &Settings, report: &mut Report) -> anyhow::Result<()> {
    note("start: starting server and reference in turns");
    let row = |what: &str| Row::new("start", what.to_owned(), "ms", "two-hop, to its first answer");
    let mut first = row("to the first answer, new data directory");
    let mut later = row("to the first answer, old data directory");
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    for _ in 0..settings.rounds {
        let data = tempfile::Builder::new().prefix("data-").tempdir_in(settings.scratch.path())?;
        let before = Instant::now();
        // It has answered when this returns.
        let reference = Reference::start(settings, None, 0).await?;
        let of_reference = before.elapsed();
        drop(reference);
        for row in [&mut first, &mut later] {
            let server = Server::start_in(settings, data.path(), &[]).await?;
            row.push(millis(server.started_in), millis(of_reference));
        }
    }
    report.add([first, later]);
    Ok(())
}
