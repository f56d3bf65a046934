//! Others that speak Lambda, in turns with the server in the same run, with the same functions.
//!
//! AWS' Runtime Interface Emulator: one environment without a sandbox, without signatures, logs or limits, which serves
//! one invocation at a time.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rushlight_auth::AccessKey;

use crate::function::{Function, Kind};
use crate::load::{self, Connection};
use crate::process::{Memory, Tree, end};
use crate::report::{Report, Row, note};
use crate::request::{Caller, Repeated};
use crate::server::{EVENT, Server, free_address};
use crate::settings::Settings;
use crate::statistics::Latencies;
use crate::warm::Sample;

const EMULATOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/peers/aws-lambda-rie");
const YARDSTICK: &str = "AWS' Runtime Interface Emulator";
/// Whatever it is asked for, its function has this name.
const NAME: &str = "function";
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(30);

/// A running emulator; dropping it ends it and its function.
struct Emulator {
    child: Child,
    caller: Caller,
}

impl Emulator {
    /// Starts it; it starts the function when it is first invoked.
    async fn start(function: &Function) -> anyhow::Result<Self> {
        let (address, runtime_api) = (free_address()?, free_address()?);
        let bare = &function.bare;
        let mut command = Command::new(EMULATOR);
        command.arg("--runtime-interface-emulator-address").arg(address.to_string());
        command.arg("--runtime-api-address").arg(runtime_api.to_string());
        command.args(["--log-level", "error"]).arg(&bare.program).args(&bare.arguments);
        command.env_clear().envs(bare.variables.iter().cloned()).current_dir(&bare.directory);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().context("starting the emulator; `./dev bench --peers` installs it")?;
        let caller = Caller { address, key: AccessKey::generate().context("making an access key")? };
        let emulator = Self { child, caller };
        emulator.wait_until_it_listens(address).await?;
        Ok(emulator)
    }

    async fn wait_until_it_listens(&self, address: SocketAddr) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while Connection::open(address).await.is_err() {
            ensure!(Instant::now() < deadline, "the emulator does not listen");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    fn invocation(&self) -> anyhow::Result<Repeated> {
        self.caller.invocation(NAME, EVENT)
    }

    async fn invoke(&self) -> anyhow::Result<Duration> {
        let request = self.invocation()?.now()?;
        let mut connection = Connection::open(self.caller.address).await?;
        let sent = Instant::now();
        let answer = connection.exchange(&request).await.context("invoking by the emulator")?;
        let took = sent.elapsed();
        ensure!(answer.status == 200 && answer.body == EVENT, "the emulator answered {}", answer.text());
        Ok(took)
    }

    fn tree(&self) -> Tree {
        Tree::of(self.child.id())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let functions = self.tree().functions;
        end(&mut self.child, Duration::ZERO);
        // It leaves them behind when it is killed.
        crate::process::kill(&functions);
    }
}

/// Whether the peers are there.
pub fn are_at_hand() -> bool {
    Path::new(EMULATOR).is_file()
}

/// Where they are looked for.
pub fn place() -> PathBuf {
    EMULATOR.into()
}

/// Measures one function.
///
/// # Errors
/// When one side cannot be started or answers wrongly.
pub async fn measure(settings: &Settings, function: &Function, report: &mut Report) -> anyhow::Result<()> {
    let kind = function.kind.name();
    note(&format!("peers: starting server and emulator for {kind}"));
    let row = |what: &str, unit| Row::new("peers", format!("{kind} {what}"), unit, YARDSTICK);
    let mut idle = row("server resident, before the first function", "KiB");
    let mut warm = row("c=1 latency p50", "us");
    let mut processors = row("CPU of the server per invocation", "us");
    let mut cold = row("first invocation p50", "ms");
    let mut least = row("first invocation min", "ms");

    let server = Server::start(settings, &[function]).await?;
    let emulator = Emulator::start(function).await?;
    let resident = |tree: Tree| Memory::of(&tree.service).resident;
    idle.push(resident(server.tree()), resident(emulator.tree()));
    let names: Vec<String> =
        (0..settings.rounds * settings.starts_per_round).map(|n| format!("cold-{n}")).collect();
    server.create(function, &[&names[..], &["echo".to_owned()]].concat()).await?;
    load::run(server.invocation("echo")?, 1, settings.window).await?;
    load::run(emulator.invocation()?, 1, settings.window).await?;
    for names in names.chunks(settings.starts_per_round) {
        let window = settings.window;
        let of_emulator = Sample::take(&emulator.tree(), emulator.invocation()?, 1, window).await?;
        let of_server = Sample::take(&server.tree(), server.invocation("echo")?, 1, window).await?;
        report.count_failures("the server beside the emulator", &of_server.outcome);
        report.count_failures("the emulator", &of_emulator.outcome);
        warm.push(of_server.p50(), of_emulator.p50());
        processors.push(of_server.service_micros(), of_emulator.service_micros());

        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for name in names {
            let fresh = Emulator::start(function).await?;
            tokio::time::sleep(PAUSE).await;
            theirs.push(fresh.invoke().await?);
            drop(fresh);
            tokio::time::sleep(PAUSE).await;
            ours.push(server.invoke(name).await?);
        }
        let millis = |times: &Latencies, fraction| times.percentile(fraction) / 1000.0;
        let (ours, theirs) = (Latencies::new(ours), Latencies::new(theirs));
        cold.push(millis(&ours, 0.5), millis(&theirs, 0.5));
        least.push(millis(&ours, 0.0), millis(&theirs, 0.0));
    }
    report.add([warm, processors, cold, least]);
    // The same whatever the function is.
    if function.kind == Kind::Static {
        report.add([idle]);
    }
    Ok(())
}
