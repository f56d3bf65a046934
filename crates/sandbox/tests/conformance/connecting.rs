//! The server connects to what processes of a sandbox listen at, and to nothing else.

use std::net::TcpListener;

use rushlight_sandbox::{Error, Process, Sandbox};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Harness, program, read_until};

/// Starts a process that listens at a port that is free on the host too, and answers whoever connects with what it is
/// sent.
async fn listen(sandbox: &dyn Sandbox) -> (u16, Process) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let code = format!(
        "import socket\n\
         server = socket.create_server(('127.0.0.1', {port}))\n\
         print('ready', flush=True)\n\
         while True:\n    \
             connection, _ = server.accept()\n    \
             connection.sendall(connection.recv(99))\n    \
             connection.close()\n"
    );
    let process = sandbox.spawn(program("/usr/bin/python3", &["-c", &code])).await.unwrap();
    let stdout = process.stdout.try_clone().unwrap();
    let _stdout = tokio::task::spawn_blocking(move || read_until(stdout, "ready")).await.unwrap();
    (port, process)
}

fn is_refused<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::Setup { source, .. }) if source.kind() == std::io::ErrorKind::ConnectionRefused)
}

pub async fn what_listens_inside_is_reached(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let (port, process) = listen(&*sandbox).await;
    for _ in 0..3 {
        let mut connection = sandbox.connect(port).await.unwrap();
        connection.write_all(b"hello").await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "hello");
    }
    sandbox.kill_all().await.unwrap();
    drop(process);
    assert!(is_refused(sandbox.connect(port).await), "nobody listens any more");
    sandbox.destroy().await;
    assert!(matches!(sandbox.connect(port).await, Err(Error::Destroyed)));
}

pub async fn nobody_outside_is_reached(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let mut spec = harness.spec();
    spec.id.push_str("-other");
    let other = harness.backend.create(spec).await.unwrap();
    let (others, _process) = listen(&*other).await;
    let local = TcpListener::bind("127.0.0.1:0").unwrap();
    let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
    for port in [others, local.local_addr().unwrap().port(), everywhere.local_addr().unwrap().port()] {
        assert!(is_refused(sandbox.connect(port).await), "port {port} is not the sandbox's");
    }
}
