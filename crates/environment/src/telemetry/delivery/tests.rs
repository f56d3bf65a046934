//! Subscribers of every sort, on the loopback address.

use rushlight_model::clock::Timestamp;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::*;
use crate::telemetry::record::Record;
use crate::telemetry::subscription::Api;

/// Everywhere is here.
#[derive(Clone, Copy)]
struct Here;

impl Dial for Here {
    fn dial(&self, port: u16) -> BoxFuture<'_, Result<TcpStream, Error>> {
        Box::pin(async move {
            let connected = TcpStream::connect(("127.0.0.1", port)).await;
            connected.map_err(|source| Error::Setup { step: "connect".to_owned(), source })
        })
    }
}

struct Subject {
    queue: Arc<Queue>,
    frozen: watch::Sender<bool>,
    clock: Clock,
    task: AbortHandle,
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Subject {
    fn new(destination: &str) -> Self {
        let body = format!(
            r#"{{"schemaVersion":"2025-01-29","types":["platform"],"buffering":{{"timeoutMs":25,"maxItems":1000}},
                 "destination":{destination}}}"#
        );
        let subscription = Subscription::parse(Api::Telemetry, body.as_bytes(), &[]).unwrap();
        let queue = Arc::new(Queue::new(subscription.buffering, true));
        let frozen = watch::Sender::new(false);
        let clock = Clock::new_virtual();
        let delivery = Delivery {
            queue: queue.clone(),
            subscription,
            clock: clock.clone(),
            frozen: frozen.subscribe(),
            dial: Here,
            connection: None,
        };
        let task = tokio_util::task::TaskTracker::new().spawn(delivery.run()).abort_handle();
        Self { queue, frozen, clock, task }
    }

    fn http(port: u16) -> Self {
        Self::new(&format!(r#"{{"protocol":"HTTP","URI":"http://sandbox.localdomain:{port}/in?a=b"}}"#))
    }

    fn tcp(port: u16) -> Self {
        Self::new(&format!(r#"{{"protocol":"TCP","port":{port}}}"#))
    }

    fn push(&self, number: usize) {
        let event = format!(r#"{{"number":{number}}}"#);
        self.queue.push(Record::Platform { kind: "x", event: event.into() });
    }

    /// What is told of losses in the next batch.
    fn lost(&self) -> usize {
        let batch = self.queue.take(Timestamp::from_millis(0));
        let Some(Record::Platform { kind: "logsDropped", event }) = batch.records.first() else { return 0 };
        let event: serde_json::Value = serde_json::from_slice(event).unwrap();
        usize::try_from(event["record"]["droppedRecords"].as_u64().unwrap()).unwrap()
    }

    async fn delivered(&self) {
        within(self.queue.is_empty()).await;
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it takes too long")
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Reads one request and answers it.
async fn serve(listener: &TcpListener, answer: &str) -> (String, serde_json::Value) {
    let (mut stream, _) = within(listener.accept()).await.unwrap();
    let mut text = String::new();
    loop {
        let mut piece = [0; 4096];
        let length = within(stream.read(&mut piece)).await.unwrap();
        text.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(value) = serde_json::from_str(body)
        {
            stream.write_all(answer.as_bytes()).await.unwrap();
            return (head.to_owned(), value);
        }
        assert!(length > 0, "{text}");
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";

#[tokio::test]
async fn a_batch_is_one_request() {
    let (listener, port) = listen().await;
    let subject = Subject::http(port);
    for number in 0..3 {
        subject.push(number);
    }
    let (head, body) = serve(&listener, OK).await;
    assert_eq!(body, serde_json::json!([{ "number": 0 }, { "number": 1 }, { "number": 2 }]));
    assert!(head.starts_with("POST /in?a=b HTTP/1.1\r\n"), "{head}");
    for header in [&format!("Host: sandbox.localdomain:{port}"), "Content-Type: application/json"] {
        assert!(head.contains(header), "{head}");
    }
    subject.delivered().await;
    subject.push(3);
    assert_eq!(serve(&listener, "HTTP/1.0 204 x\r\n\r\n").await.1, serde_json::json!([{ "number": 3 }]));
}

#[tokio::test]
async fn a_refused_batch_comes_again_and_is_then_lost() {
    let (listener, port) = listen().await;
    let subject = Subject::http(port);
    subject.push(0);
    let (first, _) = serve(&listener, "HTTP/1.1 500 x\r\n\r\n").await;
    let (again, _) = serve(&listener, OK).await;
    assert_eq!(first, again, "the same, by its sequence too");
    subject.delivered().await;
    assert_eq!(subject.lost(), 0);
    subject.queue.done(&subject.queue.take(Timestamp::from_millis(0)), true);
    subject.push(1);
    for _ in 0..=PAUSES.len() {
        serve(&listener, "no HTTP at all\r\n\r\n").await;
    }
    subject.delivered().await;
    subject.push(2);
    let (_, body) = serve(&listener, OK).await;
    assert_eq!((&body[0]["type"], &body[1]["number"]), (&"platform.logsDropped".into(), &2.into()));
}

#[tokio::test]
async fn a_dead_subscriber_costs_what_it_is_sent() {
    let (listener, port) = listen().await;
    drop(listener);
    let subject = Subject::http(port);
    for number in 0..10_000 {
        subject.push(number);
    }
    subject.queue.hurry();
    subject.delivered().await;
    assert_eq!(subject.lost(), 10_000);
}

#[tokio::test]
async fn a_subscriber_that_never_answers_is_given_up() {
    let (listener, port) = listen().await;
    let subject = Subject::http(port);
    subject.push(0);
    let (stream, _) = within(listener.accept()).await.unwrap();
    subject.clock.advance(BATCH_TIME).unwrap();
    subject.delivered().await;
    assert_eq!(subject.lost(), 1);
    drop(stream);
    let no_other = tokio::time::timeout(Duration::from_millis(300), listener.accept()).await;
    assert!(no_other.is_err(), "it is not sent again");
}

#[tokio::test]
async fn no_time_passes_while_frozen() {
    let (listener, port) = listen().await;
    let subject = Subject::http(port);
    subject.push(0);
    let (mut stream, _) = within(listener.accept()).await.unwrap();
    subject.frozen.send_replace(true);
    subject.clock.advance(BATCH_TIME * 3).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    subject.frozen.send_replace(false);
    stream.write_all(OK.as_bytes()).await.unwrap();
    subject.delivered().await;
    subject.frozen.send_replace(true);
    subject.push(1);
    let nothing = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
    assert!(nothing.is_err(), "nothing is sent to who cannot read");
    subject.frozen.send_replace(false);
    assert_eq!(serve(&listener, OK).await.1, serde_json::json!([{ "number": 1 }]));
}

#[tokio::test]
async fn lines_go_over_one_connection_until_it_closes() {
    let (listener, port) = listen().await;
    let subject = Subject::tcp(port);
    subject.push(0);
    subject.push(1);
    let (mut stream, _) = within(listener.accept()).await.unwrap();
    let mut text = vec![0; 26];
    within(stream.read_exact(&mut text)).await.unwrap();
    assert_eq!(text, b"{\"number\":0}\n{\"number\":1}\n");
    subject.delivered().await;
    subject.push(2);
    let mut text = vec![0; 13];
    within(stream.read_exact(&mut text)).await.unwrap();
    assert_eq!(text, b"{\"number\":2}\n");
    subject.delivered().await;
    drop(stream);
    subject.push(3);
    let (mut stream, _) = within(listener.accept()).await.unwrap();
    within(stream.read_exact(&mut text)).await.unwrap();
    assert_eq!(text, b"{\"number\":3}\n");
}
