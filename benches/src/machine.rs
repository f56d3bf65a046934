//! What the figures were measured on.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::function::Function;
use crate::settings::Settings;

/// The machine and the versions, as they stand in the report.
pub fn describe(settings: &Settings, functions: &[Function]) -> Value {
    let versions: Vec<&str> = functions.iter().map(|function| function.version.as_str()).collect();
    json!({
        "processor": field("/proc/cpuinfo", "model name").or_else(|| field("/proc/cpuinfo", "CPU part")),
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": field("/proc/meminfo", "MemTotal"),
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        "server": version_of(settings),
        "server_flags": settings.serve,
        "functions": versions,
    })
}

/// Load averages over 1, 5 and 15 minutes.
pub fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn version_of(settings: &Settings) -> String {
    let output = Command::new(&settings.server).arg("--version").output();
    output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
