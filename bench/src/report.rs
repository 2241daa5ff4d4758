//! What was measured, as tables, and against what was wanted.

use std::fmt::Write as _;

/// One table of results.
pub struct Table {
    pub title: &'static str,
    pub about: String,
    pub header: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

/// A ratio or an amount that was wanted, and what it came to.
pub struct Target {
    pub what: String,
    pub wanted: Wanted,
    pub measured: f64,
}

#[derive(Clone, Copy)]
pub enum Wanted {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    pub fn at_most(what: impl Into<String>, bound: f64, measured: f64) -> Target {
        Target { what: what.into(), wanted: Wanted::AtMost(bound), measured }
    }

    pub fn at_least(what: impl Into<String>, bound: f64, measured: f64) -> Target {
        Target { what: what.into(), wanted: Wanted::AtLeast(bound), measured }
    }

    pub fn is_met(&self) -> bool {
        match self.wanted {
            Wanted::AtMost(bound) => self.measured <= bound,
            Wanted::AtLeast(bound) => self.measured >= bound,
        }
    }
}

/// Everything that a part of the run found.
#[derive(Default)]
pub struct Findings {
    pub tables: Vec<Table>,
    pub targets: Vec<Target>,
}

impl Findings {
    pub fn merge(&mut self, other: Findings) {
        self.tables.extend(other.tables);
        self.targets.extend(other.targets);
    }

    pub fn markdown(&self, preface: &str) -> String {
        let mut text = format!("# Measured\n\n{preface}\n\n## Targets\n\n");
        let _ = writeln!(text, "| what | wanted | measured | |\n| --- | --- | ---: | --- |");
        for target in &self.targets {
            let wanted = match target.wanted {
                Wanted::AtMost(bound) => format!("at most {bound}"),
                Wanted::AtLeast(bound) => format!("at least {bound}"),
            };
            let verdict = if target.is_met() { "met" } else { "**missed**" };
            let _ = writeln!(text, "| {} | {wanted} | {:.2} | {verdict} |", target.what, target.measured);
        }
        for table in &self.tables {
            let _ = writeln!(text, "\n## {}\n\n{}\n", table.title, table.about);
            let _ = writeln!(text, "| {} |", table.header.join(" | "));
            let _ = writeln!(text, "|{}", " --- |".repeat(table.header.len()));
            for row in &table.rows {
                let _ = writeln!(text, "| {} |", row.join(" | "));
            }
        }
        text
    }
}

/// The median and the quartiles around it.
#[derive(Clone, Copy)]
pub struct Spread {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Spread {
    pub fn of(mut values: Vec<f64>) -> Spread {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
        Spread { low: at(0.25), median: at(0.5), high: at(0.75) }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = if self.median >= 100.0 {
            0
        } else if self.median >= 10.0 {
            1
        } else {
            2
        };
        let Spread { low, median, high } = self;
        write!(f, "{median:.digits$} ({low:.digits$} – {high:.digits$})")
    }
}
