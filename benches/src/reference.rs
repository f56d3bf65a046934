//! The two-hop reference: what an invocation costs when nothing is done for it. A bare hyper server on one thread
//! hands each body to a waiting Runtime API client and returns its answer: no signatures, no logs, no limits, no
//! isolation.
//!
//! ```text
//!   POST /2015-03-31/functions/{name}/invocations ──> queue or waiting client ──> answer
//!   GET  /2018-06-01/runtime/invocation/next       a client waits
//!   POST /2018-06-01/runtime/invocation/{id}/…     a client answers
//!   POST /start   starts one instance and has it answer the body: a cold start
//!   POST /stop    ends the instances that /start has started
//!   GET  /waiting how many clients wait
//! ```

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Header of `/start`'s answer: microseconds from before the spawn to the instance's first `next`.
pub const BARE_START: &str = "rushlight-bench-bare-start";

/// The command line of the reference.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Instances to start at once.
    #[arg(long, default_value_t = 0)]
    instances: usize,
    /// Working directory of the instances.
    #[arg(long, value_name = "DIR", default_value = "/")]
    directory: PathBuf,
    /// A variable of the instances; they have no others.
    #[arg(long = "variable", value_name = "KEY=VALUE")]
    variables: Vec<String>,
    /// What an instance runs.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Serves until standard input ends, which it does when the bench is gone; prints its address first.
///
/// # Errors
/// When there is no address to listen on, or an instance cannot be started.
pub async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listening")?;
    let address = listener.local_addr()?;
    writeln!(std::io::stdout(), "{address}").context("telling the address")?;
    let count = arguments.instances;
    let instances =
        Arc::new(Instances { arguments, address: address.to_string(), started: Mutex::default() });
    let _running = (0..count).map(|_| instances.spawn()).collect::<anyhow::Result<Vec<_>>>()?;
    let mut gone = end_of_input();
    let exchange = Arc::new(Mutex::new(Exchange::default()));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut gone => return Ok(()),
            accepted = listener.accept() => {
                let (stream, _) = accepted.context("accepting")?;
                connections.spawn(connection(stream, Arc::clone(&exchange), Arc::clone(&instances)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

fn end_of_input() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut rest = Vec::new();
        std::io::stdin().read_to_end(&mut rest).ok();
        // Nobody listens when the server ends for another reason.
        sender.send(()).ok();
    });
    receiver
}

/// A process that is killed when it is dropped.
struct Instance(Child);

impl Drop for Instance {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

struct Instances {
    arguments: Arguments,
    address: String,
    /// By `/start`.
    started: Mutex<Vec<Instance>>,
}

impl Instances {
    fn spawn(&self) -> anyhow::Result<Instance> {
        let (program, arguments) = self.arguments.command.split_first().context("no command is given")?;
        let variables = self.arguments.variables.iter().filter_map(|pair| pair.split_once('='));
        Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(variables)
            .env("AWS_LAMBDA_RUNTIME_API", &self.address)
            .current_dir(&self.arguments.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map(Instance)
            .with_context(|| format!("starting {}", program.display()))
    }
}

struct Event {
    id: u64,
    body: Bytes,
}

#[derive(Default)]
struct Exchange {
    /// Clients, most recently used last.
    waiting: Vec<oneshot::Sender<Event>>,
    queued: VecDeque<Event>,
    answers: HashMap<u64, oneshot::Sender<Bytes>>,
    last_id: u64,
    /// When the first client came since the last `/start`; a client may ask again before `/start` is answered.
    first_next: Option<Instant>,
}

impl Exchange {
    fn invoke(&mut self, body: Bytes) -> oneshot::Receiver<Bytes> {
        let (sender, receiver) = oneshot::channel();
        self.last_id += 1;
        self.answers.insert(self.last_id, sender);
        let mut event = Event { id: self.last_id, body };
        while let Some(client) = self.waiting.pop() {
            match client.send(event) {
                Ok(()) => return receiver,
                Err(returned) => event = returned,
            }
        }
        self.queued.push_back(event);
        receiver
    }

    fn next(&mut self) -> oneshot::Receiver<Event> {
        self.first_next.get_or_insert_with(Instant::now);
        let (sender, receiver) = oneshot::channel();
        match self.queued.pop_front() {
            Some(event) => _ = sender.send(event),
            None => self.waiting.push(sender),
        }
        receiver
    }

    fn answer(&mut self, id: &str, body: Bytes) {
        if let Some(caller) = id.parse().ok().and_then(|id: u64| self.answers.remove(&id)) {
            // A caller who has gone needs no answer.
            caller.send(body).ok();
        }
    }
}

async fn connection(stream: TcpStream, exchange: Arc<Mutex<Exchange>>, instances: Arc<Instances>) {
    stream.set_nodelay(true).ok();
    let service = service_fn(|request| handle(request, Arc::clone(&exchange), Arc::clone(&instances)));
    // A client that breaks off is nothing to report.
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
}

async fn handle(
    request: Request<Incoming>,
    exchange: Arc<Mutex<Exchange>>,
    instances: Arc<Instances>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await.map(|collected| collected.to_bytes()) else {
        return Ok(plain(StatusCode::BAD_REQUEST, Bytes::new()));
    };
    let path: Vec<&str> = parts.uri.path().split('/').skip(1).collect();
    Ok(match (&parts.method, &path[..]) {
        (&Method::POST, ["2015-03-31", "functions", _, "invocations"]) => invoke(&exchange, body).await,
        (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => next(&exchange).await,
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "response"]) => {
            exchange.lock().answer(id, body);
            plain(StatusCode::ACCEPTED, Bytes::new())
        }
        (&Method::POST, ["start"]) => start(&exchange, &instances, body).await,
        (&Method::POST, ["stop"]) => {
            instances.started.lock().clear();
            exchange.lock().waiting.clear();
            plain(StatusCode::OK, Bytes::new())
        }
        (&Method::GET, ["waiting"]) => {
            plain(StatusCode::OK, exchange.lock().waiting.len().to_string().into())
        }
        _ => plain(StatusCode::NOT_FOUND, Bytes::new()),
    })
}

async fn invoke(exchange: &Mutex<Exchange>, body: Bytes) -> Response<Full<Bytes>> {
    let answer = exchange.lock().invoke(body);
    match answer.await {
        Ok(body) => plain(StatusCode::OK, body),
        Err(_) => plain(StatusCode::BAD_GATEWAY, Bytes::new()),
    }
}

async fn next(exchange: &Mutex<Exchange>) -> Response<Full<Bytes>> {
    let event = exchange.lock().next();
    let Ok(event) = event.await else { return plain(StatusCode::GONE, Bytes::new()) };
    let mut response = plain(StatusCode::OK, event.body);
    let headers = response.headers_mut();
    headers.insert("content-type", http::HeaderValue::from_static("application/json"));
    headers.insert("lambda-runtime-aws-request-id", event.id.into());
    headers.insert("lambda-runtime-deadline-ms", http::HeaderValue::from_static("4102444800000"));
    headers.insert(
        "lambda-runtime-invoked-function-arn",
        http::HeaderValue::from_static("arn:aws:lambda:us-east-1:000000000000:function:echo"),
    );
    response
}

async fn start(exchange: &Mutex<Exchange>, instances: &Instances, body: Bytes) -> Response<Full<Bytes>> {
    let answer = {
        let mut exchange = exchange.lock();
        exchange.waiting.clear();
        exchange.first_next = None;
        exchange.invoke(body)
    };
    let before = Instant::now();
    match instances.spawn() {
        Ok(instance) => instances.started.lock().push(instance),
        Err(error) => return plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}").into()),
    }
    let Ok(body) = answer.await else { return plain(StatusCode::BAD_GATEWAY, Bytes::new()) };
    let mut response = plain(StatusCode::OK, body);
    if let Some(first_next) = exchange.lock().first_next {
        let micros = first_next.duration_since(before).as_micros() as u64;
        response.headers_mut().insert(BARE_START, micros.into());
    }
    response
}

fn plain(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}
