//! What a run of the bench is told, and what it derives from that.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};

use crate::check;
use crate::function::Kind;
use crate::peers;

/// The command line.
#[derive(Debug, Args)]
pub struct Options {
    /// Two short rounds: to see that everything runs, not to quote.
    #[arg(long)]
    quick: bool,

    /// Measure this alone; repeatable.
    #[arg(long, value_enum, value_name = "NAME")]
    only: Vec<Measure>,

    /// Measure with this function alone; repeatable.
    #[arg(long, value_enum, value_name = "KIND")]
    function: Vec<Kind>,

    /// Measure beside other systems too.
    #[arg(long)]
    peers: bool,

    /// Rounds, each of which measures server and reference one after the other [default: 5, with --quick 2].
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,

    /// Where the figures go as JSON [default: target/bench/report.json].
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,

    /// The binary to measure [default: `rushlight` beside this one].
    #[arg(long, value_name = "BINARY")]
    server: Option<PathBuf>,

    /// Hold the run against an earlier one, and fail if it is slower beyond noise [default of FILE: benches/baseline.json].
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = check::BASELINE)]
    check: Option<PathBuf>,

    /// Further flags for `rushlight serve`, such as `--isolation none`.
    #[arg(last = true, value_name = "FLAG")]
    serve: Vec<String>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Measure {
    /// From the start of the process to its first answer.
    Start,
    /// Latency at one connection, throughput at several, CPU time and context switches per invocation.
    Warm,
    /// The first invocation of a function.
    Cold,
    /// Sandboxes made per second.
    Sandboxes,
    /// Memory of the idle server and of idle environments.
    Memory,
    /// Reads of the control plane with many functions stored.
    Control,
    /// Warm and cold beside other systems, which `./dev bench --peers` installs.
    Peers,
}

/// What the measures need to know.
#[derive(Debug)]
pub struct Settings {
    /// In the order of [`Measure`]'s variants.
    pub measures: Vec<Measure>,
    /// The functions to measure with.
    pub kinds: Vec<Kind>,
    /// How often server and reference are measured one after the other.
    pub rounds: usize,
    /// How long one measurement of the warm path lasts.
    pub window: Duration,
    /// Cold starts of each side in each round.
    pub starts_per_round: usize,
    /// Functions invoked for the first time in each round of the sandbox measure.
    pub sandboxes_per_round: usize,
    /// Functions stored when the control plane is measured.
    pub stored_functions: usize,
    /// Where the JSON goes.
    pub json: PathBuf,
    /// The report of the run to hold this one against.
    pub baseline: Option<PathBuf>,
    /// The binary to measure.
    pub server: PathBuf,
    /// Further flags for `rushlight serve`.
    pub serve: Vec<String>,
    /// The bench's own binary, which is the reference too.
    pub bench: PathBuf,
    /// Holds the functions' files and the servers' data; removed at the end.
    pub scratch: tempfile::TempDir,
}

/// Whether functions can have root file systems.
fn has_isolation(serve: &[String]) -> bool {
    let says_none = |flags: &[String]| flags[0] == "--isolation" && flags[1] == "none";
    !serve.windows(2).any(says_none) && !serve.iter().any(|flag| flag == "--isolation=none")
}

impl Settings {
    /// Fills in the defaults and makes the scratch directory.
    ///
    /// # Errors
    /// When there is no server to measure, or no place for the scratch directory.
    pub fn prepare(options: Options) -> anyhow::Result<Self> {
        let bench = std::env::current_exe().context("finding the bench's own binary")?;
        let beside = bench.parent().unwrap_or(Path::new("."));
        let server = options.server.unwrap_or_else(|| beside.join("rushlight"));
        let server = std::path::absolute(server)?;
        ensure!(
            server.is_file(),
            "{} is not there; build it (./dev bench does) or name another with --server",
            server.display()
        );
        let rounds = options.rounds.unwrap_or(if options.quick { 2 } else { 5 });
        ensure!(rounds > 0, "--rounds: at least one");
        ensure!(
            !options.peers || peers::are_at_hand(),
            "{} is not there; `./dev bench --peers` installs it",
            peers::place().display()
        );
        let chosen = |measure: &Measure| match measure {
            Measure::Peers => options.peers || options.only.contains(measure),
            _ => options.only.is_empty() || options.only.contains(measure),
        };
        let chosen_kind = |kind: &Kind| match options.function.is_empty() {
            true => kind.is_at_hand() && (!kind.is_rooted() || has_isolation(&options.serve)),
            false => options.function.contains(kind),
        };
        Ok(Self {
            measures: Measure::value_variants().iter().copied().filter(chosen).collect(),
            kinds: Kind::value_variants().iter().copied().filter(chosen_kind).collect(),
            rounds,
            window: Duration::from_millis(if options.quick { 300 } else { 1000 }),
            starts_per_round: if options.quick { 2 } else { 5 },
            sandboxes_per_round: if options.quick { 16 } else { 64 },
            stored_functions: if options.quick { 500 } else { 10_000 },
            json: options
                .json
                .unwrap_or_else(|| beside.parent().unwrap_or(beside).join("bench").join("report.json")),
            baseline: options.check,
            server,
            serve: options.serve,
            bench,
            scratch: tempfile::Builder::new().prefix("rushlight-bench-").tempdir()?,
        })
    }
}
