//! Where log events go besides the built-in log store: CloudWatch Logs, files, OpenTelemetry.
//!
//! Each destination has a bounded queue and a thread of its own. Whoever writes to a log waits for none of them; what
//! comes faster than a destination takes it is dropped, counted, and told in the stream itself.

mod cloudwatch;
mod directory;
mod otlp;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, bail};
use rushlight_model::log::{LogEvent, LogSink, LogStream};
use rushlight_services::logs::{LogQueue, Taken};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use self::cloudwatch::CloudWatch;
use self::directory::Directory;
use self::otlp::Otlp;
use crate::delivery::Courier;

/// What may wait for one destination, in bytes of memory. As much again may be on its way.
const QUEUE_BYTES: usize = 16 << 20;
/// How long events are gathered: there are at most so many requests a second for each stream.
const GATHER: Duration = Duration::from_millis(500);
/// How long what is left may take when the server stops.
const LAST_DELIVERY: Duration = Duration::from_secs(5);

/// All destinations that are configured.
#[derive(Debug)]
pub(crate) struct LogDestinations {
    workers: Vec<Worker>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Worker {
    queue: Arc<LogQueue>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
enum Destination {
    CloudWatch(Arc<CloudWatch>),
    Directory(Directory),
    Otlp(Box<Otlp>),
}

/// Events of each stream, in their order.
type Streams = HashMap<Arc<LogStream>, Vec<LogEvent>>;

impl LogDestinations {
    /// Starts what `configured` names, by kind. Needs the runtime around it.
    ///
    /// # Errors
    /// One sentence with the mend.
    pub(crate) fn start(configured: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        let stop = CancellationToken::new();
        let workers = configured.iter().map(|(kind, place)| {
            let named = || format!("--log-destination {kind}={place}");
            let destination = Destination::new(kind, place).with_context(named)?;
            let queue = Arc::new(LogQueue::new(QUEUE_BYTES, GATHER));
            let courier = Courier { place: place.clone(), stop: stop.clone() };
            let (events, runtime) = (Arc::clone(&queue), Handle::current());
            let thread = std::thread::Builder::new()
                .name(format!("log-{kind}"))
                .spawn(move || work(&events, &destination, &courier, &runtime))?;
            Ok(Worker { queue, thread })
        });
        Ok(Self { workers: workers.collect::<anyhow::Result<_>>()?, stop })
    }

    /// Takes events for `store` and for all destinations.
    pub(crate) fn sink(&self, store: Arc<dyn LogSink>) -> Arc<dyn LogSink> {
        if self.workers.is_empty() {
            return store;
        }
        let queues = self.workers.iter().map(|worker| Arc::clone(&worker.queue) as Arc<dyn LogSink>);
        Arc::new(Sinks([store].into_iter().chain(queues).collect()))
    }

    /// Delivers what is left, as far as there is time for it. Blocking.
    pub(crate) fn close(self) {
        self.workers.iter().for_each(|worker| worker.queue.close());
        let (done, all_done) = std::sync::mpsc::channel();
        let (workers, stop) = (self.workers, self.stop);
        let waiting = std::thread::spawn(move || {
            for worker in workers {
                if worker.thread.join().is_err() {
                    tracing::error!("log_destination.panicked");
                }
            }
            let _ = done.send(());
        });
        let _ = all_done.recv_timeout(LAST_DELIVERY);
        stop.cancel();
        let _ = waiting.join();
    }
}

struct Sinks(Vec<Arc<dyn LogSink>>);

impl LogSink for Sinks {
    fn push(&self, stream: &Arc<LogStream>, event: LogEvent) {
        self.0.iter().for_each(|sink| sink.push(stream, event.clone()));
    }
}

impl Destination {
    fn new(kind: &str, place: &str) -> anyhow::Result<Self> {
        Ok(match kind {
            "cloudwatch" => Self::CloudWatch(Arc::new(CloudWatch::new(place)?)),
            "directory" => Self::Directory(Directory::new(place)?),
            "otlp" => Self::Otlp(Box::new(Otlp::new(place)?)),
            _ => bail!("there are cloudwatch=URL, directory=DIR and otlp=URL"),
        })
    }

    async fn deliver(&self, streams: Streams, courier: &Courier) {
        match self {
            Self::CloudWatch(cloudwatch) => cloudwatch.deliver(streams, courier).await,
            Self::Directory(directory) => directory.deliver(&streams, courier).await,
            Self::Otlp(otlp) => otlp.deliver(&streams, courier).await,
        }
    }
}

/// Until the queue is closed and empty.
fn work(queue: &LogQueue, destination: &Destination, courier: &Courier, runtime: &Handle) {
    while let Some(taken) = queue.take(Duration::MAX) {
        runtime.block_on(destination.deliver(by_stream(taken, &courier.place), courier));
    }
}

fn by_stream(taken: Taken, place: &str) -> Streams {
    let mut streams = Streams::new();
    for (stream, event) in taken.events {
        streams.entry(stream).or_default().push(event);
    }
    for (stream, dropped) in taken.dropped {
        let (group, name, events) = (&stream.group, &stream.stream, dropped.events());
        tracing::warn!(place, group, stream = name, events, "log_destination.dropped");
        streams.entry(stream).or_default().push(dropped.event());
    }
    streams
}
