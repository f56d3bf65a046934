//! `rushlight doctor`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use rushlight_environment::runtime::{Catalogue, Settings};
use rushlight_sandbox::probe::{Finding, Status, probe};
use serde_json::json;

use crate::config::Pair;
use crate::output::{Output, Style};

/// See `rushlight doctor --help`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The interpreter or root file system of a runtime, as for `rushlight serve`; repeatable.
    #[arg(long = "runtime", env = "RUSHLIGHT_RUNTIMES", value_name = "RUNTIME=PATH", value_delimiter = ',')]
    runtimes: Vec<Pair>,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A runtime and what was found for it.
struct Runtime {
    identifier: String,
    /// Where its interpreter is, or what is missing.
    found: Result<String, String>,
}

/// Runs the verb. The exit status is 1 if functions cannot be isolated on this machine.
pub fn run(arguments: &Arguments, output: &Output) -> anyhow::Result<ExitCode> {
    let findings = probe();
    let runtimes = runtimes(&arguments.runtimes)?;
    let level = isolation_level(&findings);
    match arguments.json {
        true => {
            let runtimes: Vec<_> = runtimes.iter().map(Runtime::to_json).collect();
            output.json(&json!({ "isolation": level, "machine": findings, "runtimes": runtimes }));
        }
        false => show(level, &findings, &runtimes, output),
    }
    Ok(if level.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The level that `rushlight serve` would use here; none if functions could not be isolated.
fn isolation_level(findings: &[Finding]) -> Option<&'static str> {
    if findings.iter().any(|finding| finding.status == Status::Missing) {
        return None;
    }
    let root = rustix::process::geteuid().is_root();
    Some(if root { "sandbox" } else { "rootless" })
}

/// The catalogue writes its clients to a directory; here to a temporary one.
fn runtimes(interpreters: &[Pair]) -> anyhow::Result<Vec<Runtime>> {
    let directory = std::env::temp_dir().join(format!("rushlight-doctor-{}", std::process::id()));
    let interpreters: BTreeMap<_, _> =
        interpreters.iter().map(|pair| (pair.key.clone(), PathBuf::from(&pair.value))).collect();
    std::fs::create_dir(&directory)?;
    let listed = Catalogue::discover(Settings { data_directory: directory.clone(), interpreters })
        .map(|catalogue| catalogue.list());
    std::fs::remove_dir_all(&directory)?;
    let runtimes = listed?.into_iter();
    Ok(runtimes.map(|listing| Runtime { identifier: listing.identifier, found: listing.status }).collect())
}

impl Runtime {
    fn to_json(&self) -> serde_json::Value {
        let (status, detail) = match &self.found {
            Ok(detail) => ("found", detail),
            Err(detail) => ("missing", detail),
        };
        json!({ "identifier": self.identifier, "status": status, "detail": detail })
    }
}

fn show(level: Option<&str>, findings: &[Finding], runtimes: &[Runtime], output: &Output) {
    output.line(output.styled(Style::Bold, "Isolation"));
    for finding in findings {
        let (mark, style) = match finding.status {
            Status::Good => ("ok", Style::Good),
            Status::Limited => ("limited", Style::Warning),
            Status::Missing => ("missing", Style::Bad),
        };
        let mark = output.styled(style, format!("{mark:>8}"));
        output.line(format!("{mark}  {}: {}", finding.name, finding.detail));
        if let (Some(meaning), Some(mend)) = (finding.meaning, finding.mend) {
            output.line(format!("          {meaning}"));
            output.line(format!("          {}", output.styled(Style::Dim, format!("mend: {mend}"))));
        }
    }
    output.line("");
    output.line(output.styled(Style::Bold, "Runtimes"));
    for runtime in runtimes {
        let (mark, style, detail) = match &runtime.found {
            Ok(detail) => ("ok", Style::Good, detail),
            Err(detail) => ("missing", Style::Dim, detail),
        };
        let mark = output.styled(style, format!("{mark:>8}"));
        output.line(format!("{mark}  {:16} {}", runtime.identifier, output.styled(Style::Dim, detail)));
    }
    output.line("");
    output.line(match level {
        Some(level) => {
            format!("'rushlight serve' uses --isolation {} here.", output.styled(Style::Good, level))
        }
        None => output.styled(Style::Bad, "Functions cannot be isolated on this machine."),
    });
}
