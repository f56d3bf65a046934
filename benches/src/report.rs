//! The report: one row per figure, as a table for people and as JSON for programs.

use std::fs;
use std::io::Write;

use anyhow::{Context, bail, ensure};
use rushlight_model::clock::Clock;
use serde_json::{Value, json};

use crate::check;
use crate::function::Function;
use crate::load::Outcome;
use crate::machine;
use crate::settings::Settings;
use crate::statistics::median;

/// One figure of the server beside the yardstick's, a value of each per round.
#[derive(Debug)]
pub struct Row {
    measure: &'static str,
    name: String,
    unit: &'static str,
    yardstick: &'static str,
    server: Vec<f64>,
    reference: Vec<f64>,
}

impl Row {
    /// A row without values yet. `yardstick` says what the server is held against.
    pub fn new(measure: &'static str, name: String, unit: &'static str, yardstick: &'static str) -> Self {
        Self { measure, name, unit, yardstick, server: Vec::new(), reference: Vec::new() }
    }

    /// Adds what one round gave.
    pub fn push(&mut self, server: f64, reference: f64) {
        self.server.push(server);
        self.reference.push(reference);
    }

    /// Of each round, so that a slow moment of the machine weighs on both sides.
    fn ratios(&self) -> Vec<f64> {
        self.server.iter().zip(&self.reference).map(|(server, reference)| server / reference).collect()
    }

    fn to_json(&self) -> Value {
        let ratios = self.ratios();
        json!({
            "measure": self.measure,
            "name": self.name,
            "unit": self.unit,
            "yardstick": self.yardstick,
            "server": median(&self.server),
            "reference": median(&self.reference),
            "ratio": median(&ratios),
            "rounds": { "server": self.server, "reference": self.reference, "ratio": ratios },
        })
    }

    fn to_line(&self) -> String {
        let ratios = self.ratios();
        let figure = |values: &[f64]| median(values).map_or_else(|| "-".to_owned(), readable);
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!(
            "  {:<44} {:>9} {:>9} {:<5} {:>6.2}  {:>5.2}–{:<6.2} {}",
            self.name,
            figure(&self.server),
            figure(&self.reference),
            self.unit,
            median(&ratios).unwrap_or(f64::NAN),
            least,
            most,
            self.yardstick
        )
    }
}

/// Three digits that count.
fn readable(value: f64) -> String {
    match value.abs() {
        magnitude if magnitude >= 100.0 => format!("{value:.0}"),
        magnitude if magnitude >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// All rows of a run.
#[derive(Debug)]
pub struct Report {
    machine: Value,
    load_before: String,
    began: String,
    rows: Vec<Row>,
    failures: Vec<String>,
}

impl Report {
    /// Notes what the run begins with.
    pub fn begin(settings: &Settings, functions: &[Function]) -> Self {
        Self {
            machine: machine::describe(settings, functions),
            load_before: machine::load_average(),
            began: Clock::real().now().to_iso_millis(),
            rows: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Takes finished rows, and shows them so that a long run is not a silent one.
    pub fn add(&mut self, rows: impl IntoIterator<Item = Row>) {
        for row in rows {
            note(&format!("{:<10}{}", row.measure, row.to_line()));
            self.rows.push(row);
        }
    }

    /// Requests that were not answered as they should be make the run fail, whatever its figures.
    pub fn count_failures(&mut self, what: &str, outcome: &Outcome) {
        if outcome.failures > 0 {
            let first = outcome.first_failure.as_deref().unwrap_or_default();
            self.failures.push(format!("{what}: {} failed, the first with: {first}", outcome.failures));
        }
    }

    /// Prints the table and writes the JSON.
    ///
    /// # Errors
    /// When the JSON cannot be written, requests failed, or the run is worse than that which it is held against.
    pub fn finish(self, settings: &Settings) -> anyhow::Result<()> {
        let load_after = machine::load_average();
        let text = self.to_table(settings, &load_after);
        write!(std::io::stdout(), "{text}").context("printing the table")?;
        if let Some(directory) = settings.json.parent() {
            fs::create_dir_all(directory)?;
        }
        let json = self.to_json(settings, &load_after);
        fs::write(&settings.json, serde_json::to_string_pretty(&json)? + "\n")
            .with_context(|| format!("writing {}", settings.json.display()))?;
        note(&format!("the same as JSON: {}", settings.json.display()));
        if !self.failures.is_empty() {
            bail!("requests failed:\n{}", self.failures.join("\n"));
        }
        if let Some(baseline) = &settings.baseline {
            let losses = check::losses(&json, baseline)?;
            ensure!(losses.is_empty(), "slower than the run that is kept:\n{}", losses.join("\n"));
        }
        Ok(())
    }

    fn to_json(&self, settings: &Settings, load_after: &str) -> Value {
        json!({
            "began": self.began,
            "machine": self.machine,
            "load_average": { "before": self.load_before, "after": load_after },
            "rounds": settings.rounds,
            "rows": self.rows.iter().map(Row::to_json).collect::<Vec<_>>(),
            "failures": self.failures,
        })
    }

    fn to_table(&self, settings: &Settings, load_after: &str) -> String {
        let word = |key: &str| match &self.machine[key] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut text = format!(
            "\n{} × {}, {}, Linux {}; {}\n{} {}; load average {} before, {} after; medians of {} rounds\n",
            word("processors"),
            word("processor"),
            word("memory"),
            word("kernel"),
            word("functions"),
            word("server"),
            settings.serve.join(" "),
            self.load_before,
            load_after,
            settings.rounds,
        );
        let mut measure = "";
        for row in &self.rows {
            if row.measure != measure {
                measure = row.measure;
                text += &format!(
                    "\n{:<46} {:>9} {:>9} {:<5} {:>6}  {:<12} yardstick\n",
                    measure, "server", "reference", "", "ratio", "least–most"
                );
            }
            text += &row.to_line();
            text.push('\n');
        }
        for failure in &self.failures {
            text += &format!("\nFAILED {failure}\n");
        }
        text
    }
}

/// A line for whoever watches the run.
pub fn note(line: &str) {
    // A watcher who has gone does not end the run.
    writeln!(std::io::stderr(), "{line}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_round() {
        let mut row = Row::new("warm", "latency".to_owned(), "us", "two-hop");
        // The third round ran while the machine was ten times slower.
        for (server, reference) in [(150.0, 100.0), (160.0, 100.0), (1_500.0, 1_000.0)] {
            row.push(server, reference);
        }
        let json = row.to_json();
        assert_eq!(json["ratio"], 1.5);
        assert_eq!(json["server"], 160.0);
        assert!(row.to_line().contains("1.50"));
    }

    #[test]
    fn three_digits() {
        assert_eq!([1234.5, 12.345, 1.2345].map(readable), ["1234", "12.3", "1.23"]);
    }
}
