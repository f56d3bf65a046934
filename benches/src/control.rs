//! The control plane with many functions stored: what reads cost beside the same reads with few, and whether the last
//! page of a list costs what the first does.

use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;

use crate::function::Function;
use crate::load::Connection;
use crate::report::{Report, Row, note};
use crate::server::Server;
use crate::settings::Settings;
use crate::statistics::Latencies;

/// Functions that are there before the many.
const FEW: usize = 10;
/// Functions that are created at a time.
const CREATORS: usize = 32;
/// Functions on a page.
const PAGE: usize = 50;
/// Reads of each kind in each round.
const READS: usize = 200;

/// Measures a server that holds [`Settings::stored_functions`] functions.
///
/// # Errors
/// When the server refuses something.
pub async fn measure(settings: &Settings, functions: &[Function], report: &mut Report) -> anyhow::Result<()> {
    let Some(function) = functions.first() else { return Ok(()) };
    let (count, few) = (settings.stored_functions, format!("with {FEW} functions"));
    note(&format!("control: storing {count} functions"));
    let reads = ["GetFunction", "GetFunctionConfiguration", "ListFunctions, first page"];
    let mut rows: Vec<Row> = reads
        .iter()
        .map(|what| Row::new("control", format!("{what} p50"), "us", "with few functions"))
        .collect();
    let mut last = Row::new("control", "ListFunctions, last page p50".to_owned(), "us", "the first page");
    let server = Server::start(settings, &[function]).await?;
    let names: Vec<String> = (0..count).map(|number| format!("stored-{number:06}")).collect();
    let (first, rest) = names.split_at(FEW.min(count));
    server.create(function, first).await.with_context(|| format!("creating functions {few}"))?;
    let mut before = Vec::new();
    for _ in 0..settings.rounds {
        before.push(read_all(&server, &names[0]).await?);
    }
    for names in rest.chunks(CREATORS) {
        server.create_at_once(function, names).await?;
    }
    let last_page = last_page(&server, count).await?;
    for few in before {
        let many = read_all(&server, &names[count / 2]).await?;
        for ((row, many), few) in rows.iter_mut().zip(&many).zip(&few) {
            row.push(*many, *few);
        }
        last.push(read(&server, &last_page).await?, many[2]);
    }
    rows.push(last);
    report.add(rows);
    Ok(())
}

/// The median latency of each kind of read, in microseconds.
async fn read_all(server: &Server, name: &str) -> anyhow::Result<[f64; 3]> {
    Ok([
        read(server, &format!("/2015-03-31/functions/{name}")).await?,
        read(server, &format!("/2015-03-31/functions/{name}/configuration")).await?,
        read(server, &format!("/2015-03-31/functions?MaxItems={PAGE}")).await?,
    ])
}

async fn read(server: &Server, path: &str) -> anyhow::Result<f64> {
    let request = server.request("GET", path)?;
    let mut connection = Connection::open(server.address()).await?;
    let mut samples: Vec<Duration> = Vec::with_capacity(READS);
    for _ in 0..READS {
        let sent = Instant::now();
        let answer = connection.exchange(&request).await.with_context(|| format!("GET {path}"))?;
        samples.push(sent.elapsed());
        anyhow::ensure!(answer.status == 200, "GET {path} was answered {}", answer.text());
    }
    Ok(Latencies::new(samples).percentile(0.5))
}

/// Walks through the whole list, and gives the path of its last page.
async fn last_page(server: &Server, count: usize) -> anyhow::Result<String> {
    let first = format!("/2015-03-31/functions?MaxItems={PAGE}");
    let (mut path, mut seen) = (first.clone(), 0);
    loop {
        let page = server.call("GET", &path, &Value::Null).await?;
        seen += page["Functions"].as_array().map_or(0, Vec::len);
        let Some(marker) = page["NextMarker"].as_str() else { break };
        path = format!("/2015-03-31/functions?Marker={}&MaxItems={PAGE}", escaped(marker));
    }
    anyhow::ensure!(seen == count, "the list has {seen} functions, not {count}");
    Ok(path)
}

/// Base64 as it stands in a query.
fn escaped(marker: &str) -> String {
    marker.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}
