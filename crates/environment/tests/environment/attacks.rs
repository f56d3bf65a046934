//! Hostile use of the Runtime API, with raw sockets. The backend without isolation is the one whose API a test can
//! reach; the server is the same on all.

use std::time::Duration;

use rushlight_model::invocation::Outcome;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Function, PATIENCE, Subject, error, in_reach, invocation, settle};

const NEXT: &str = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n";

/// The process does nothing: the test plays the runtime.
fn silent() -> Option<Function> {
    Some(Function::new("provided.al2023", "x", "bootstrap", "#!/bin/sh\nexec sleep 600\n"))
}

/// A connection to the Runtime API.
struct Peer(TcpStream);

impl Peer {
    async fn of(subject: &Subject) -> Self {
        Self(TcpStream::connect(subject.environment.runtime_api()).await.unwrap())
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads one answer: status and body.
    async fn receive(&mut self) -> (u16, String) {
        tokio::time::timeout(PATIENCE, self.try_receive()).await.expect("no answer").expect("closed")
    }

    async fn try_receive(&mut self) -> Option<(u16, String)> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap_or("0");
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).await.ok()?;
        Some((head.get(9..12)?.parse().ok()?, String::from_utf8_lossy(&body).into_owned()))
    }

    /// Whether the server closes.
    async fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        // Reset counts as closed.
        let _ = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("still open");
        true
    }
}

fn response(id: impl std::fmt::Display, rest: &str) -> String {
    format!("POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\n{rest}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_client_is_served_on_one_connection() {
    in_reach(silent, async |subject, _| {
        let mut peer = Peer::of(&subject).await;
        peer.send(NEXT).await;
        for _ in 0..3 {
            let mut event = invocation("\"event\"");
            event.client_context = Some("{\"custom\":\n{}}".to_owned());
            let id = event.request_id;
            let running = subject.begin(event).await;
            assert_eq!(peer.receive().await, (200, "\"event\"".to_owned()));
            peer.send(response(id, "Content-Length: 6\r\n\r\nanswer")).await;
            assert_eq!(peer.receive().await, (202, "{\"status\":\"OK\"}\n".to_owned()));
            let served = tokio::time::timeout(PATIENCE, running.response).await.unwrap().unwrap();
            assert_eq!(served, Outcome::Success("answer".into()), "served before the runtime asks for more");
            peer.send(NEXT).await;
            tokio::time::timeout(PATIENCE, running.finished).await.unwrap().unwrap();
            // The open request is taken over by a new connection; this one is closed.
            let mut other = Peer::of(&subject).await;
            other.send(NEXT).await;
            assert!(peer.is_closed().await);
            peer = other;
        }
        subject.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order() {
    in_reach(silent, async |subject, _| {
        let event = invocation("1");
        let id = event.request_id;
        let running = subject.begin(event).await;
        let mut peer = Peer::of(&subject).await;
        let ping = "GET /2018-06-01/ping HTTP/1.1\r\n\r\n";
        peer.send(format!("{ping}{NEXT}{}{ping}{NEXT}{ping}", response(id, "Content-Length: 1\r\n\r\n2")))
            .await;
        let expected = [(200, "pong"), (200, "1"), (202, "{\"status\":\"OK\"}\n"), (200, "pong")];
        for (status, body) in expected {
            assert_eq!(peer.receive().await, (status, body.to_owned()));
        }
        let (outcome, _) = settle(running).await;
        assert_eq!(outcome, Outcome::Success("2".into()));
        // The ping behind the open request is answered after the event.
        let running = subject.begin(invocation("3")).await;
        assert_eq!(peer.receive().await, (200, "3".to_owned()));
        assert_eq!(peer.receive().await, (200, "pong".to_owned()));
        drop(running);
        subject.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_and_the_next_event_come_together() {
    in_reach(silent, async |subject, _| {
        let mut peer = Peer::of(&subject).await;
        peer.send(NEXT).await;
        let event = invocation("1");
        let id = event.request_id;
        let running = subject.begin(event).await;
        assert_eq!(peer.receive().await, (200, "1".to_owned()));
        peer.send(format!("{}{NEXT}", response(id, "Content-Length: 1\r\n\r\n2"))).await;
        assert_eq!(settle(running).await.0, Outcome::Success("2".into()));
        // Nothing has been sent: the runtime sleeps until there is an event.
        let mut one = [0];
        let silence = tokio::time::timeout(Duration::from_millis(50), peer.0.peek(&mut one)).await;
        assert!(silence.is_err());
        let running = subject.begin(invocation("3")).await;
        assert_eq!(peer.receive().await.0, 202);
        assert_eq!(peer.receive().await, (200, "3".to_owned()));
        drop(running);
        peer.send(response(id, "Content-Length: 1\r\n\r\n4")).await;
        assert_eq!(peer.receive().await.0, 400, "that one was answered");
        subject.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_held_back_is_sent_if_no_event_comes() {
    in_reach(silent, async |subject, _| {
        for follower in ["GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n:\r\n\r\n", NEXT] {
            let event = invocation("1");
            let id = event.request_id;
            let running = subject.begin(event).await;
            let mut peer = Peer::of(&subject).await;
            peer.send(NEXT).await;
            peer.receive().await;
            peer.send(format!("{}{follower}", response(id, "Content-Length: 1\r\n\r\n2"))).await;
            let mut other = Peer::of(&subject).await;
            if follower == NEXT {
                // The request that came along ends the invocation; then another connection takes its place.
                settle(running).await;
                other.send(NEXT).await;
                assert_eq!(peer.receive().await.0, 202);
            } else {
                assert_eq!(peer.receive().await.0, 202);
                assert_eq!(peer.receive().await.0, 400);
                other.send(NEXT).await;
                settle(running).await;
            }
            assert!(peer.is_closed().await);
        }
        subject.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_without_end_is_cut() {
    in_reach(silent, async |subject, _| {
        let mut peer = Peer::of(&subject).await;
        peer.send(NEXT).await;
        let flood = vec![b'x'; 1024 * 1024];
        // Taken in part and then no more: the rest waits in the kernel, and the event still comes through.
        let _ = tokio::time::timeout(Duration::from_millis(300), peer.0.write_all(&flood)).await;
        let running = subject.begin(invocation("1")).await;
        assert_eq!(peer.receive().await, (200, "1".to_owned()));
        drop(running);
        subject.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_event_goes_to_a_slow_reader_whole() {
    in_reach(silent, async |subject, _| {
        let mut peer = Peer::of(&subject).await;
        peer.send(NEXT).await;
        let payload = "z".repeat(6 * 1024 * 1024);
        let event = invocation(payload.clone());
        let id = event.request_id;
        let running = subject.begin(event).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let (status, body) = peer.receive().await;
        assert!(status == 200 && body == payload);
        peer.send(response(id, "Content-Length: 1\r\n\r\n2")).await;
        assert_eq!(peer.receive().await.0, 202);
        peer.send(NEXT).await;
        settle(running).await;
        subject.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_without_end_are_refused() {
    in_reach(silent, async |subject, _| {
        let mut peers = Vec::new();
        for _ in 0..4 {
            let mut peer = Peer::of(&subject).await;
            peer.send("GET /2018-06-01/ping HTTP/1.1\r\nX: ").await;
            peers.push(peer);
        }
        // Together they would send gigabytes; each is stopped, two of them early.
        for peer in &mut peers {
            let piece = vec![b'x'; 64 * 1024];
            let mut sent = 0;
            while sent < 1024 * piece.len() && peer.0.write_all(&piece).await.is_ok() {
                sent += piece.len();
            }
            assert!(sent < 1024 * piece.len(), "64 MB of header were taken");
        }
        let mut peer = Peer::of(&subject).await;
        peer.send("GET /2018-06-01/ping HTTP/1.1\r\n\r\n").await;
        assert_eq!(peer.receive().await.0, 200);
        subject.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_answered_with_400_and_closed() {
    in_reach(silent, async |subject, _| {
        for nonsense in [
            "\0\u{1}\u{2}\r\n\r\n",
            "GET\r\n\r\n",
            "GET / HTTP/9.9\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ] {
            let mut peer = Peer::of(&subject).await;
            peer.send(nonsense).await;
            assert_eq!(peer.receive().await.0, 400, "{nonsense:?}");
            assert!(peer.is_closed().await);
        }
        subject.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_not_taken_fail_the_invocation() {
    in_reach(silent, async |subject, _| {
        let cases = [
            ("Content-Length: 6291557\r\n\r\n", 6_291_557, false, 413, "Function.ResponseSizeTooLarge"),
            ("Content-Length: 100\r\n\r\n", 10, true, 400, "Runtime.TruncatedResponse"),
            ("Transfer-Encoding: chunked\r\n\r\n64\r\n", 10, true, 400, "Runtime.TruncatedResponse"),
            (
                "Lambda-Runtime-Function-Response-Mode: strange\r\nContent-Length: 1\r\n\r\n",
                1,
                false,
                400,
                "Runtime.InvalidResponseModeHeader",
            ),
        ];
        for (head, sent, close, status, error_type) in cases {
            let event = invocation("1");
            let id = event.request_id;
            let running = subject.begin(event).await;
            let mut peer = Peer::of(&subject).await;
            peer.send(NEXT).await;
            peer.receive().await;
            peer.send(response(id, head)).await;
            peer.send(vec![b'x'; sent]).await;
            if close {
                peer.0.shutdown().await.unwrap();
            }
            assert_eq!(peer.receive().await.0, status, "{head}");
            // The runtime lives and goes on.
            let mut peer = Peer::of(&subject).await;
            peer.send(NEXT).await;
            let (outcome, finished) = settle(running).await;
            assert_eq!(error(&outcome).0, error_type);
            let expected = rushlight_model::invocation::ReportStatus::Error(error_type.to_owned());
            assert_eq!(finished.report.status, expected);
        }
        subject.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streamed_answers_are_collected_with_their_trailers() {
    in_reach(silent, async |subject, _| {
        let mode = "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n";
        let whole = format!("{mode}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
        // {"errorType":"X"} in base64.
        let broken = format!(
            "{mode}3\r\nabc\r\n0\r\nLambda-Runtime-Function-Error-Type: X\r\n\
             Lambda-Runtime-Function-Error-Body: eyJlcnJvclR5cGUiOiJYIn0=\r\n\r\n"
        );
        let mut outcomes = Vec::new();
        for rest in [whole, broken] {
            let event = invocation("1");
            let id = event.request_id;
            let running = subject.begin(event).await;
            let mut peer = Peer::of(&subject).await;
            peer.send(NEXT).await;
            peer.receive().await;
            let mut stream = Peer::of(&subject).await;
            stream.send(response(id, &rest)).await;
            assert_eq!(stream.receive().await.0, 202);
            peer.send(NEXT).await;
            outcomes.push(settle(running).await.0);
        }
        assert_eq!(outcomes[0], Outcome::Success("abcde".into()));
        assert_eq!(error(&outcomes[1]).0, "X");
        subject.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_answer_is_read_at_a_time() {
    in_reach(silent, async |subject, _| {
        let event = invocation("1");
        let id = event.request_id;
        let running = subject.begin(event).await;
        let mut peer = Peer::of(&subject).await;
        peer.send(NEXT).await;
        peer.receive().await;
        let mut first = Peer::of(&subject).await;
        first.send(response(id, "Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n")).await;
        assert_eq!(first.receive().await.0, 100);
        let mut second = Peer::of(&subject).await;
        second.send(response(id, "Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n")).await;
        assert_eq!(second.receive().await.0, 403, "refused before it sends its body");
        assert!(second.is_closed().await);
        first.send(vec![b'y'; 1000]).await;
        assert_eq!(first.receive().await.0, 202);
        peer.send(NEXT).await;
        let (outcome, _) = settle(running).await;
        assert_eq!(outcome.payload().len(), 1000);
        subject.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn held_connections_do_not_stop_the_environment() {
    in_reach(silent, async |subject, _| {
        let mut peers = Vec::new();
        for _ in 0..150 {
            let mut peer = Peer::of(&subject).await;
            peer.send("GET /2018-06-01/runtime/invocation/ne").await;
            peers.push(peer);
        }
        // Those beyond the limit wait in the kernel; when others go they are served.
        peers.drain(..120);
        let mut peer = Peer::of(&subject).await;
        peer.send(NEXT).await;
        let running = subject.begin(invocation("1")).await;
        assert_eq!(peer.receive().await, (200, "1".to_owned()));
        drop(running);
        subject.end().await;
        for peer in &mut peers {
            assert!(peer.is_closed().await);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_client_that_goes_away_is_replaced() {
    in_reach(silent, async |subject, _| {
        let mut peer = Peer::of(&subject).await;
        peer.send(NEXT).await;
        while !subject.environment.initialized() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        drop(peer);
        // Time for the server to notice; if it has not, the event is lost with the connection, as on AWS.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let running = subject.begin(invocation("1")).await;
        let mut peer = Peer::of(&subject).await;
        peer.send(NEXT).await;
        assert_eq!(peer.receive().await, (200, "1".to_owned()));
        drop(running);
        subject.end().await;
    })
    .await;
}
