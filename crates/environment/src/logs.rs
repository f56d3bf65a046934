//! The log of one environment: what its processes write, and the platform's own lines.
//!
//! Each line of standard output or error is one event, each frame of the framed log descriptor another. A task reads
//! the pipes as they fill; when the runtime asks for its next event they are read once more at once, so that what a
//! handler wrote comes before its END line and into its tail. Nothing here grows with what a function writes: pipes
//! are read piecewise, a line is held up to the size of one event, and the [`LogSink`] is bounded.

mod frame;
pub mod level;
mod line;
mod tail;

use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use rushlight_model::clock::{Clock, Timestamp};
use rushlight_model::function::{LogFormat, Logging};
use rushlight_model::log::{LogEvent, LogSink, LogStream};
use tokio::net::unix::pipe::Receiver;

use self::frame::Frames;
use self::level::Level;
use self::line::Lines;
use self::tail::Tail;
use crate::report::Event;
use crate::telemetry::{Source, Telemetry};

/// Bytes that one reading takes out of a pipe.
const PIECE: usize = 8 * 1024;
/// Bytes after which others have their turn: a function that floods its log is to hold up nobody else.
const TURN: usize = 64 * 1024;
/// Bytes that are read at most between the end of an invocation and its END line: what the pipes can hold. A child
/// process that never stops writing does not hold the END line up.
const LAST_READING: usize = 256 * 1024;

/// Where one environment's events go.
pub(crate) struct Logs {
    stream: Arc<LogStream>,
    sink: Arc<dyn LogSink>,
    clock: Clock,
    json: bool,
    application_level: Option<Level>,
    system_level: Level,
    tail: Mutex<Option<Tail>>,
    telemetry: Telemetry,
}

impl Logs {
    pub(crate) fn new(
        stream: Arc<LogStream>,
        sink: Arc<dyn LogSink>,
        clock: Clock,
        logging: &Logging,
    ) -> Self {
        let json = logging.format == LogFormat::Json;
        let level = |name: &Option<String>| name.as_deref().and_then(Level::parse);
        Self {
            stream,
            sink,
            clock,
            json,
            application_level: json.then(|| level(&logging.application_level).unwrap_or(Level::Info)),
            system_level: level(&logging.system_level).unwrap_or(Level::Info),
            tail: Mutex::new(None),
            telemetry: Telemetry::new(json),
        }
    }

    /// Where events go besides.
    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    pub(crate) fn stream(&self) -> &Arc<LogStream> {
        &self.stream
    }

    /// Keeps a tail from now on.
    pub(crate) fn begin_tail(&self) {
        *self.tail.lock() = Some(Tail::new());
    }

    /// The tail since [`Logs::begin_tail`], if that was called.
    pub(crate) fn take_tail(&self) -> Option<Bytes> {
        self.tail.lock().take().map(Tail::finish)
    }

    /// Writes an event of the platform.
    pub(crate) fn platform(&self, event: &Event<'_>) {
        self.platform_with(event, |_| {});
    }

    /// Writes an event of the platform, of which telemetry has `more` than the log.
    pub(crate) fn platform_with(
        &self,
        event: &Event<'_>,
        more: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>),
    ) {
        let now = self.clock.now();
        let line = if self.json {
            event.to_json(now).and_then(|(level, line)| Some(line).filter(|_| level >= self.system_level))
        } else {
            event.to_text()
        };
        if let Some(line) = line {
            self.push(now, Bytes::from(line));
        }
        if self.telemetry.is_wanted() {
            self.telemetry_only_with(now, event, more);
        }
    }

    /// An event of the platform that the log does not have.
    pub(crate) fn telemetry_only(&self, event: &Event<'_>) {
        if self.telemetry.is_wanted() {
            self.telemetry_only_with(self.clock.now(), event, |_| {});
        }
    }

    fn telemetry_only_with(
        &self,
        now: Timestamp,
        event: &Event<'_>,
        more: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>),
    ) {
        let (_, kind, mut record) = event.record();
        if let Some(members) = record.as_object_mut() {
            more(members);
        }
        self.telemetry.platform(now, kind, &record);
    }

    /// Writes a line in the place of a process.
    pub(crate) fn line(&self, line: &str) {
        let (now, line) = (self.clock.now(), Bytes::copy_from_slice(line.as_bytes()));
        if self.telemetry.is_wanted() {
            self.telemetry.line(Source::Function, now, &line);
        }
        self.push(now, line);
    }

    fn push(&self, time: Timestamp, message: Bytes) {
        if let Some(tail) = self.tail.lock().as_mut() {
            tail.push(&message);
        }
        self.sink.push(&self.stream, LogEvent { timestamp_ms: time.as_millis(), message });
    }

    fn push_from_process(&self, source: Source, time: Timestamp, level: Option<Level>, message: &[u8]) {
        if let Some(least) = self.application_level
            && level.unwrap_or_else(|| level::of_record(message)) < least
        {
            return;
        }
        let message = Bytes::copy_from_slice(message);
        if self.telemetry.is_wanted() {
            self.telemetry.line(source, time, &message);
        }
        self.push(time, message);
    }
}

/// The pipes of one process.
pub(crate) struct Pipes {
    pipes: Vec<Pipe>,
}

struct Pipe {
    source: Source,
    receiver: Receiver,
    content: Mutex<Content>,
}

enum Content {
    Lines(Lines),
    Frames(Frames),
    Closed,
}

/// What a reading found.
#[derive(PartialEq, Eq)]
enum Reading {
    Some(usize),
    Empty,
    Closed,
}

impl Pipes {
    /// Takes over the read ends of a process' pipes.
    pub(crate) fn new(
        source: Source,
        stdout: OwnedFd,
        stderr: OwnedFd,
        log: Option<OwnedFd>,
    ) -> std::io::Result<Self> {
        let pipe = |descriptor: OwnedFd, content| {
            Ok::<_, std::io::Error>(Pipe {
                source,
                receiver: Receiver::from_owned_fd(descriptor)?,
                content: Mutex::new(content),
            })
        };
        let mut pipes = vec![
            pipe(stdout, Content::Lines(Lines::default()))?,
            pipe(stderr, Content::Lines(Lines::default()))?,
        ];
        if let Some(log) = log {
            pipes.push(pipe(log, Content::Frames(Frames::default()))?);
        }
        Ok(Self { pipes })
    }

    /// Reads whenever something was written, until the last writer is gone. Cancel-safe.
    pub(crate) async fn pump(self: Arc<Self>, logs: Arc<Logs>) {
        let pump = async |index: usize| {
            let mut left = TURN;
            while let Some(pipe) = self.pipes.get(index) {
                if pipe.receiver.readable().await.is_err() {
                    return;
                }
                let read = |receiver: &Receiver, piece: &mut [u8]| receiver.try_read(piece);
                match pipe.read(&logs, read) {
                    Reading::Some(length) => left = left.saturating_sub(length),
                    Reading::Empty => left = TURN,
                    Reading::Closed => return,
                }
                if left == 0 {
                    tokio::task::yield_now().await;
                    left = TURN;
                }
            }
        };
        tokio::join!(pump(0), pump(1), pump(2));
    }

    /// Reads what has been written and ends unfinished lines. Does not wait.
    pub(crate) fn drain(&self, logs: &Logs) {
        // The event loop may not know yet that there is something: ask the kernel.
        let read = |receiver: &Receiver, piece: &mut [u8]| Ok(rustix::io::read(receiver, piece)?);
        for pipe in &self.pipes {
            let mut left = LAST_READING;
            while let Reading::Some(length) = pipe.read(logs, read)
                && left > 0
            {
                left = left.saturating_sub(length);
            }
            pipe.flush(logs);
        }
    }
}

impl Pipe {
    fn read(&self, logs: &Logs, read: impl Fn(&Receiver, &mut [u8]) -> std::io::Result<usize>) -> Reading {
        let mut piece = [0; PIECE];
        let mut content = self.content.lock();
        if matches!(*content, Content::Closed) {
            return Reading::Closed;
        }
        let length = match read(&self.receiver, &mut piece) {
            Ok(0) => {
                content.flush(self.source, logs);
                *content = Content::Closed;
                return Reading::Closed;
            }
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Reading::Some(0),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Reading::Empty,
            Err(_) => return Reading::Closed,
        };
        content.push(&piece[..length], self.source, logs);
        Reading::Some(length)
    }

    /// Ends an unfinished line. A frame is let finish: whoever began it says how long it is.
    fn flush(&self, logs: &Logs) {
        let mut content = self.content.lock();
        if matches!(*content, Content::Lines(_)) {
            content.flush(self.source, logs);
        }
    }
}

impl Content {
    fn push(&mut self, bytes: &[u8], source: Source, logs: &Logs) {
        let now = logs.clock.now();
        match self {
            Self::Lines(lines) => {
                lines.push(bytes, &mut |line| logs.push_from_process(source, now, None, line))
            }
            Self::Frames(frames) => frames.push(bytes, &mut |frame, message| {
                let level = frame.and_then(|frame| frame.level);
                logs.push_from_process(source, now, level, message.strip_suffix(b"\n").unwrap_or(message));
            }),
            Self::Closed => {}
        }
    }

    fn flush(&mut self, source: Source, logs: &Logs) {
        let now = logs.clock.now();
        match self {
            Self::Lines(lines) => lines.flush(&mut |line| logs.push_from_process(source, now, None, line)),
            Self::Frames(frames) => {
                frames.flush(&mut |_, message| logs.push_from_process(source, now, None, message))
            }
            Self::Closed => {}
        }
    }
}
