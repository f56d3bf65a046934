//! The jailer alone, and a server of one sandbox that can be killed: for this crate's own tests and measurements.
//! The real server is its own jailer.
//!
//! `rushlight-sandbox-jailer hold DIRECTORY ID MARK` makes a sandbox `ID` with the data directory `DIRECTORY`, in
//! which `sleep MARK` runs, prints the jailer's process id, and waits to be killed.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;

use rushlight_sandbox::{
    Backend, Command, Egress, Isolation, Limits, LinuxBackend, Options, Root, Spec, jailer,
};

fn main() {
    jailer::main_if_requested();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let held = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["hold", directory, id, mark] => hold(directory, id, mark),
        _ => Err("usage: hold DIRECTORY ID MARK".into()),
    };
    if let Err(error) = held {
        let _ = writeln!(std::io::stderr(), "{error}");
        std::process::exit(2);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn hold(directory: &str, id: &str, mark: &str) -> Result<(), Box<dyn Error>> {
    let rootless = !rustix::process::geteuid().is_root();
    let isolation = if rootless { Isolation::Rootless } else { Isolation::Sandbox };
    let backend = LinuxBackend::start(Options::new(directory, isolation)).await?;
    let sandbox = backend.create(spec(id)).await?;
    let command = Command {
        program: "/bin/sh".into(),
        arguments: vec!["-c".to_owned(), format!("sleep {mark} & exec sleep {mark}")],
        environment: BTreeMap::new(),
        working_directory: "/".into(),
        log_descriptor: false,
    };
    let process = sandbox.spawn(command).await?;
    // A frozen sandbox has to go as well.
    sandbox.freeze().await?;
    writeln!(std::io::stdout(), "{}", backend.jailer_pid().unwrap_or_default())?;
    let _ = process.exit.await;
    // The sandbox ended first: stay, to be killed like any server.
    std::future::pending().await
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
    }
}
