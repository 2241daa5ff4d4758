//! What was measured, as rows of figures, and whether they stay where they are.

use std::io::Write;
use std::path::Path;

use sso_attr_client_tests::Result;

/// A figure by its name and unit, and how much more of it is noise whatever it was.
pub struct Column {
    pub name: &'static str,
    pub noise: f64,
}

pub const COLUMNS: [Column; 10] = [
    Column { name: "backends_kb", noise: 512.0 },
    Column { name: "launcher_kb", noise: 256.0 },
    // There are as many sessions as the machine lets clients open, but none that should have been purged.
    Column { name: "session_rows", noise: f64::INFINITY },
    Column { name: "overdue_rows", noise: 20.0 },
    Column { name: "session_table_kb", noise: 256.0 },
    Column { name: "attribute_table_kb", noise: 512.0 },
    Column { name: "indexes_kb", noise: 512.0 },
    // How long calls take is the machine's business too; that of a statement that does nothing tells it.
    Column { name: "median_us", noise: f64::INFINITY },
    Column { name: "times_select_1", noise: 2.0 },
    Column { name: "calls", noise: f64::INFINITY },
];

/// Seconds since the beginning, and a value for each column.
pub type Row = (f64, [f64; COLUMNS.len()]);

pub fn write_csv(path: &Path, rows: &[Row]) -> Result {
    let mut file = std::fs::File::create(path)?;
    let names: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
    writeln!(file, "seconds,{}", names.join(","))?;
    for (seconds, values) in rows {
        let values: Vec<_> = values.iter().map(|value| format!("{value:.1}")).collect();
        writeln!(file, "{seconds:.0},{}", values.join(","))?;
    }
    Ok(())
}

/// The columns that grow: by the medians of the second quarter and of the last one.
pub fn growing(rows: &[Row]) -> Vec<String> {
    let quarter = rows.len() / 4;
    let median = |rows: &[Row], column: usize| {
        let mut values: Vec<_> = rows.iter().map(|(_, values)| values[column]).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    let grows = |(at, column): (usize, &Column)| {
        let (before, after) = (median(&rows[quarter..2 * quarter], at), median(&rows[3 * quarter..], at));
        (after > before * 1.1 + column.noise)
            .then(|| format!("{} grows from {before:.0} to {after:.0}", column.name))
    };
    COLUMNS.iter().enumerate().filter_map(grows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(value: impl Fn(usize) -> f64) -> Vec<Row> {
        (0..100).map(|at| (at as f64, [value(at); COLUMNS.len()])).collect()
    }

    #[test]
    fn what_rises_at_first_and_then_stays_is_flat() {
        assert!(growing(&rows(|at| 10_000.0 * (at.min(20) as f64) + (at % 3) as f64)).is_empty());
    }

    #[test]
    fn a_leak_is_found() {
        let growing = growing(&rows(|at| 10_000.0 + 50.0 * at as f64));
        assert!(growing.iter().any(|told| told.starts_with("backends_kb grows")), "{growing:?}");
    }
}
