//! A figure is a line: `name value unit (compared with …) bar … ok`.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// What a figure must reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bar {
    /// No more than this.
    Most(f64),
    /// No less than this.
    Least(f64),
    /// Printed for whoever wants to know.
    None,
}

/// What was printed so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    printed: usize,
    missed: Vec<String>,
}

impl Report {
    /// Prints a figure; `beside` says what it is compared with, and what else was seen.
    pub(crate) fn figure(
        &mut self,
        name: &str,
        value: f64,
        unit: &str,
        beside: &str,
        bar: Bar,
    ) -> Result<()> {
        let (bar, is_met) = match bar {
            Bar::Most(most) => (format!("bar <= {}", rounded(most)), value <= most),
            Bar::Least(least) => (format!("bar >= {}", rounded(least)), value >= least),
            Bar::None => ("no bar".to_owned(), true),
        };
        let verdict = if is_met { "ok" } else { "MISSED" };
        self.printed += 1;
        if !is_met {
            self.missed.push(name.to_owned());
        }
        let value = rounded(value);
        writeln!(io::stdout(), "{name:<24} {value:>9} {unit:<6} ({beside}) {bar} {verdict}")?;
        Ok(())
    }

    /// A group ended before its last figure; those after it are taken all the same.
    pub(crate) fn failed(&mut self, group: &str, error: &anyhow::Error) {
        eprintln!("bench: group '{group}': {error:#}");
        self.printed += 1;
        self.missed.push(format!("group {group}"));
    }

    /// Says whether every bar was met.
    pub(crate) fn end(self) -> Result<bool> {
        if self.printed == 0 {
            bail!("there is no such group");
        }
        if !self.missed.is_empty() {
            writeln!(io::stdout(), "MISSED: {}", self.missed.join(", "))?;
        }
        Ok(self.missed.is_empty())
    }
}

/// Three digits that count; a whole number as it is.
fn rounded(value: f64) -> String {
    match value.abs() {
        _ if value.fract() == 0.0 => format!("{value}"),
        size if size < 0.1 => format!("{value:.4}"),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Many measurements of one thing.
#[derive(Debug)]
pub(crate) struct Sample(Vec<f64>);

impl Sample {
    pub(crate) const fn new() -> Sample {
        Sample(Vec::new())
    }

    pub(crate) fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    pub(crate) fn add_time(&mut self, time: Duration) {
        self.add(time.as_secs_f64());
    }

    /// Does something, and adds how long it took.
    pub(crate) async fn time<T>(&mut self, deed: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let done = deed.await;
        self.add_time(begun.elapsed());
        done
    }

    /// The value that so many in a hundred stay below.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let index = sorted.len() * percent / 100;
        sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn median(&self) -> f64 {
        self.percentile(50)
    }
}
