//! The warm path: latency over one connection, throughput over several, and what an invocation costs the server.

use std::time::Duration;

use crate::bare::Reference;
use crate::function::{Function, Kind};
use crate::load::{self, Outcome};
use crate::process::{Tree, Usage};
use crate::report::{Report, Row, note};
use crate::request::Repeated;
use crate::server::Server;
use crate::settings::Settings;

const CONNECTIONS: [usize; 3] = [1, 8, 64];
/// A reference with this many instances is held against 64 connections as well: on a machine of few processors,
/// more instances than those only get into each other's way.
const FEW_INSTANCES: usize = 8;
const TWO_HOP: &str = "two-hop";

/// One side under one load.
pub struct Sample {
    /// What came of the requests.
    pub outcome: Outcome,
    service: Usage,
    functions: Usage,
}

impl Sample {
    /// Sends requests for as long as `window`, and counts what they cost the processes of `tree`.
    ///
    /// # Errors
    /// When a connection breaks.
    pub async fn take(
        tree: &Tree,
        request: Repeated,
        connections: usize,
        window: Duration,
    ) -> anyhow::Result<Self> {
        let (service, functions) = (Usage::of(&tree.service), Usage::of(&tree.functions));
        let outcome = load::run(request, connections, window).await?;
        Ok(Self {
            service: Usage::of(&tree.service).since(service),
            functions: Usage::of(&tree.functions).since(functions),
            outcome,
        })
    }

    /// Median latency in microseconds.
    pub fn p50(&self) -> f64 {
        self.outcome.latencies.percentile(0.5)
    }

    /// CPU time of the service for each invocation, in microseconds.
    pub fn service_micros(&self) -> f64 {
        self.per_invocation(self.service.cpu.as_secs_f64() * 1e6)
    }

    fn per_invocation(&self, total: f64) -> f64 {
        total / (self.outcome.latencies.count() + self.outcome.failures) as f64
    }
}

/// The rows of one function at one number of connections.
struct Rows {
    connections: usize,
    rate: Row,
    rate_few: Option<Row>,
    latency: Vec<(f64, Row)>,
    service_cpu: Row,
    function_cpu: Row,
    switches: Row,
}

impl Rows {
    fn new(kind: Kind, connections: usize) -> Self {
        let name = |what: &str| format!("{} c={connections} {what}", kind.name());
        let row = |what: &str, unit| Row::new("warm", name(what), unit, TWO_HOP);
        let percentiles: &[(f64, &str)] =
            if connections == 1 { &[(0.5, "p50"), (0.99, "p99"), (0.0, "min")] } else { &[(0.5, "p50")] };
        Self {
            connections,
            rate: row("throughput", "req/s"),
            rate_few: (connections > FEW_INSTANCES)
                .then(|| Row::new("warm", name("throughput"), "req/s", "two-hop with 8 instances")),
            latency: percentiles
                .iter()
                .map(|(fraction, what)| (*fraction, row(&format!("latency {what}"), "us")))
                .collect(),
            service_cpu: row("CPU of the server per invocation", "us"),
            function_cpu: row("CPU of the function per invocation", "us"),
            switches: row("context switches of the server", "/inv"),
        }
    }

    fn push(&mut self, server: &Sample, reference: &Sample) {
        self.rate.push(server.outcome.rate(), reference.outcome.rate());
        for (fraction, row) in &mut self.latency {
            row.push(
                server.outcome.latencies.percentile(*fraction),
                reference.outcome.latencies.percentile(*fraction),
            );
        }
        let micros = |usage: Usage| usage.cpu.as_secs_f64() * 1e6;
        let push = |row: &mut Row, figure: &dyn Fn(&Sample) -> f64| {
            row.push(server.per_invocation(figure(server)), reference.per_invocation(figure(reference)));
        };
        push(&mut self.service_cpu, &|sample| micros(sample.service));
        push(&mut self.function_cpu, &|sample| micros(sample.functions));
        push(&mut self.switches, &|sample| sample.service.switches as f64);
    }

    fn into_rows(self) -> impl Iterator<Item = Row> {
        let latency = self.latency.into_iter().map(|(_, row)| row);
        let costs = [self.service_cpu, self.function_cpu, self.switches];
        latency.chain([self.rate]).chain(self.rate_few).chain(costs)
    }
}

/// Measures one function; server and references stay up all the while, and take turns.
///
/// # Errors
/// When one side cannot be started or a connection breaks.
pub async fn measure(settings: &Settings, function: &Function, report: &mut Report) -> anyhow::Result<()> {
    note(&format!("warm: starting server and references for {}", function.kind.name()));
    let server = Server::start(settings, &[function]).await?;
    server.create(function, &["echo".to_owned()]).await?;
    let mut references = Vec::new();
    for connections in CONNECTIONS {
        references.push(Reference::start(settings, Some(function), connections).await?);
    }
    warm_up(settings, &server, &references, report).await?;

    let mut rows = CONNECTIONS.map(|connections| Rows::new(function.kind, connections));
    for round in 0..settings.rounds {
        for (index, rows) in rows.iter_mut().enumerate() {
            measure_round(settings, &server, &references, index, round, rows, report).await?;
        }
    }
    report.add(rows.into_iter().flat_map(Rows::into_rows));
    Ok(())
}

/// Until every environment has started, on both sides.
async fn warm_up(
    settings: &Settings,
    server: &Server,
    references: &[Reference],
    report: &mut Report,
) -> anyhow::Result<()> {
    for (reference, connections) in references.iter().zip(CONNECTIONS) {
        load::run(reference.invocation()?, connections, settings.window).await?;
        for _ in 0..2 {
            let outcome = load::run(server.invocation("echo")?, connections, settings.window).await?;
            report.count_failures(&format!("warming up at {connections} connections"), &outcome);
        }
    }
    Ok(())
}

async fn measure_round(
    settings: &Settings,
    server: &Server,
    references: &[Reference],
    index: usize,
    round: usize,
    rows: &mut Rows,
    report: &mut Report,
) -> anyhow::Result<()> {
    let connections = rows.connections;
    let few = rows.rate_few.is_some().then_some(&references[1]);
    let server_tree = server.tree();
    let take_server =
        async || Sample::take(&server_tree, server.invocation("echo")?, connections, settings.window).await;
    let take_reference = async |reference: &Reference| {
        Sample::take(&reference.tree(), reference.invocation()?, connections, settings.window).await
    };
    // Who comes first changes, so that neither side always inherits the other's mess.
    let (of_server, of_reference) = if round.is_multiple_of(2) {
        let reference = take_reference(&references[index]).await?;
        (take_server().await?, reference)
    } else {
        let of_server = take_server().await?;
        (of_server, take_reference(&references[index]).await?)
    };
    rows.push(&of_server, &of_reference);
    if let (Some(row), Some(reference)) = (&mut rows.rate_few, few) {
        row.push(of_server.outcome.rate(), take_reference(reference).await?.outcome.rate());
    }
    report.count_failures(&format!("the server at {connections} connections"), &of_server.outcome);
    report.count_failures(&format!("the reference at {connections} connections"), &of_reference.outcome);
    Ok(())
}
