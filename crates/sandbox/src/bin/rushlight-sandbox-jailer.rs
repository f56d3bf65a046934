//! The jailer alone, and a server of one sandbox that can be killed: for this crate's own tests and measurements.
//! The real server is its own jailer.
//!
//! `rushlight-sandbox-jailer hold LEVEL DIRECTORY ID MARK` makes a sandbox `ID` of the isolation level `LEVEL` with the
//! data directory `DIRECTORY`, in which `sleep MARK` runs three times, once of it as a daemon, prints the jailer's
//! process id, and waits to be killed.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::path::Path;

use rushlight_sandbox::{
    Backend, Command, Egress, Isolation, Limits, LinuxBackend, Options, ProcessBackend, Root, Spec, jailer,
};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

fn main() {
    jailer::main_if_requested();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let held = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["hold", level, directory, id, mark] => hold(level, directory, id, mark),
        _ => Err("usage: hold LEVEL DIRECTORY ID MARK".into()),
    };
    if let Err(error) = held {
        let _ = writeln!(std::io::stderr(), "{error}");
        std::process::exit(2);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn hold(level: &str, directory: &str, id: &str, mark: &str) -> Result<(), Box<dyn Error>> {
    let (backend, jailer) = start(level, directory).await?;
    let sandbox = backend.create(spec(id)).await?;
    let command = Command {
        program: "/bin/sh".into(),
        arguments: vec![
            "-c".to_owned(),
            format!("sleep {mark} & (setsid sh -c 'echo away; exec sleep {mark}' &); exec sleep {mark}"),
        ],
        environment: BTreeMap::new(),
        working_directory: "/".into(),
        log_descriptor: false,
    };
    let process = sandbox.spawn(command).await?;
    Receiver::from_owned_fd(process.stdout)?.read_exact(&mut [0; 5]).await?;
    // A frozen sandbox has to go as well.
    sandbox.freeze().await?;
    writeln!(std::io::stdout(), "{}", jailer.unwrap_or_default())?;
    let _ = process.exit.await;
    // The sandbox ended first: stay, to be killed like any server.
    std::future::pending().await
}

/// A server's backend, and the process id of its jailer.
async fn start(level: &str, directory: &str) -> Result<(Box<dyn Backend>, Option<u32>), Box<dyn Error>> {
    let isolation = match level {
        "sandbox" => Isolation::Sandbox,
        "rootless" => Isolation::Rootless,
        "none" => {
            let backend = ProcessBackend::start(Path::new(directory))?;
            let jailer = backend.jailer_pid();
            return Ok((Box::new(backend), jailer));
        }
        _ => return Err("LEVEL is sandbox, rootless or none".into()),
    };
    let backend = LinuxBackend::start(Options::new(directory, isolation)).await?;
    let jailer = backend.jailer_pid();
    Ok((Box::new(backend), jailer))
}

fn spec(id: &str) -> Spec {
    Spec {
        id: id.to_owned(),
        root: Root::Host,
        mounts: Vec::new(),
        opt_layers: Vec::new(),
        limits: Limits {
            memory_bytes: 64 << 20,
            cpus: 1.0,
            processes: 64,
            descriptors: 64,
            tmp_bytes: 16 << 20,
        },
        egress: Egress::Translated,
        listener_ports: vec![9001],
        hostname: "held".to_owned(),
        emulator: None,
    }
}
