//! A run held against an earlier one that is kept in the repository: whether anything has become slower.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use crate::report::note;
use crate::statistics::median;

/// With fewer rounds chance looks like a loss often enough.
const ROUNDS: usize = 5;
/// Medians that differ by less are the same.
const SAME: f64 = 0.10;

/// The run that is kept.
pub const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.json");

/// The ratios of one row, a round each.
#[derive(Debug, Clone, PartialEq)]
struct Ratios {
    rounds: Vec<f64>,
    is_rate: bool,
}

impl Ratios {
    fn least(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn most(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    fn median(&self) -> f64 {
        median(&self.rounds).unwrap_or(f64::NAN)
    }

    /// Whether every round was worse than every round before, and the median by more than a little. Of rates, less is
    /// worse; of times and sizes, more.
    fn is_lost_against(&self, before: &Self) -> bool {
        let (worst_before, best_now) = match self.is_rate {
            true => (-before.least(), -self.most()),
            false => (before.most(), self.least()),
        };
        let change = self.median() / before.median();
        let is_much = if self.is_rate { change < 1.0 - SAME } else { change > 1.0 + SAME };
        best_now > worst_before && is_much
    }
}

/// Rows by what they are of.
fn rows(report: &Value) -> HashMap<String, Ratios> {
    let rows = report["rows"].as_array().into_iter().flatten();
    rows.filter_map(|row| {
        let text = |key: &str| row[key].as_str();
        let key = format!("{} {} ({})", text("measure")?, text("name")?, text("yardstick")?);
        let rounds = row["rounds"]["ratio"].as_array()?.iter().filter_map(Value::as_f64).collect();
        Some((key, Ratios { rounds, is_rate: text("unit")?.ends_with("/s") }))
    })
    .collect()
}

/// What has been lost since the run of the file, a line each; tells about the other rows as well.
///
/// # Errors
/// When the file cannot be read, or has no row of this run.
pub fn losses(report: &Value, file: &Path) -> anyhow::Result<Vec<String>> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let before: Value = serde_json::from_str(&text).with_context(|| format!("reading {}", file.display()))?;
    note(&format!("\nheld against the run of {} on {}", before["began"], before["machine"]["processor"]));
    let (before, now) = (rows(&before), rows(report));
    let mut both: Vec<_> = now.iter().filter_map(|(key, now)| Some((key, before.get(key)?, now))).collect();
    anyhow::ensure!(!both.is_empty(), "{} has no row of this run", file.display());
    both.sort_by_key(|(key, ..)| *key);
    let mut losses = Vec::new();
    for (key, before, now) in both {
        let line = format!("{:>7.2} → {:<7.2} {key}", before.median(), now.median());
        let is_lost = now.is_lost_against(before);
        note(&format!("{} {line}", if is_lost { "LOST" } else { "    " }));
        if is_lost && now.rounds.len() >= ROUNDS {
            losses.push(line);
        }
    }
    Ok(losses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(rounds: &[f64]) -> Ratios {
        Ratios { rounds: rounds.to_vec(), is_rate: false }
    }

    fn rate(rounds: &[f64]) -> Ratios {
        Ratios { rounds: rounds.to_vec(), is_rate: true }
    }

    #[test]
    fn a_loss_is_worse_in_every_round_and_by_more_than_a_little() {
        let before = time(&[1.0, 1.1, 1.2]);
        assert!(time(&[1.4, 1.3, 1.5]).is_lost_against(&before));
        assert!(!time(&[1.4, 1.15, 1.5]).is_lost_against(&before), "one round was as good");
        assert!(!time(&[0.5, 0.6, 0.4]).is_lost_against(&before), "faster is no loss");
        assert!(!time(&[1.03, 1.02, 1.04]).is_lost_against(&time(&[1.0, 0.99, 1.01])), "hardly more");
        let before = rate(&[0.5, 0.6, 0.55]);
        assert!(rate(&[0.3, 0.4, 0.45]).is_lost_against(&before));
        assert!(!rate(&[0.7, 0.8, 0.9]).is_lost_against(&before), "more is no loss");
    }

    #[test]
    fn runs_are_compared_row_by_row() {
        let run = |ratio: f64, name: &str, rounds: usize| {
            serde_json::json!({"began": "then", "rows": [{
                "measure": "cold", "name": name, "unit": if name == "rate" { "req/s" } else { "ms" }, "yardstick": "plain start",
                "rounds": {"ratio": vec![ratio; rounds]},
            }]})
        };
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("baseline.json");
        fs::write(&file, run(2.0, "static", 5).to_string()).unwrap();
        assert_eq!(losses(&run(3.0, "static", 5), &file).unwrap().len(), 1);
        assert!(losses(&run(3.0, "static", 2), &file).unwrap().is_empty(), "two rounds show nothing");
        assert!(losses(&run(1.0, "static", 5), &file).unwrap().is_empty());
        assert!(losses(&run(1.0, "python", 5), &file).is_err());
        fs::write(&file, run(2.0, "rate", 5).to_string()).unwrap();
        assert!(losses(&run(3.0, "rate", 5), &file).unwrap().is_empty(), "more a second is no loss");
        assert_eq!(losses(&run(1.0, "rate", 5), &file).unwrap().len(), 1);
        assert!(losses(&run(1.0, "static", 5), &directory.path().join("none")).is_err());
    }
}
