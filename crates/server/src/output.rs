//! The only place that prints: plain or coloured text for people, JSON for programs.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::fmt::Display;
use std::io::{IsTerminal, Write};

/// Where a command writes.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    colour: bool,
}

/// Emphasis of a piece of text on a terminal.
#[derive(Debug, Clone, Copy)]
pub enum Style {
    /// Headings and names.
    Bold,
    /// What is secondary.
    Dim,
    /// What is well.
    Good,
    /// What deserves attention.
    Warning,
    /// What went wrong.
    Bad,
}

impl Output {
    /// Standard output, coloured if it is a terminal and `NO_COLOR` is not set.
    pub fn standard() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colour: wanted && std::io::stdout().is_terminal() }
    }

    /// Text in a style, if colours are on.
    pub fn styled(&self, style: Style, text: impl Display) -> String {
        if !self.colour {
            return text.to_string();
        }
        let code = match style {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Good => "32",
            Style::Warning => "33",
            Style::Bad => "31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// A line on standard output. A reader that has gone away is no error.
    pub fn line(&self, text: impl Display) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    /// A line beside the result: on standard error.
    pub fn aside(&self, text: impl Display) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// A JSON value on standard output, one line.
    pub fn json(&self, value: &serde_json::Value) {
        self.line(value);
    }

    /// Why a command failed: one sentence with its causes.
    pub fn failure(&self, error: &anyhow::Error) {
        let _ = writeln!(std::io::stderr().lock(), "rushlight: {error:#}");
    }
}
