//! Every column over time, one chart below the other.

use std::path::Path;

use plotters::prelude::*;

use crate::series::{COLUMNS, Row};

pub fn draw(path: &Path, rows: &[Row]) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::new(path, (900, 130 * COLUMNS.len() as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let end = rows.last().map_or(1.0, |(seconds, _)| *seconds);
    for ((at, column), area) in COLUMNS.iter().enumerate().zip(root.split_evenly((COLUMNS.len(), 1))) {
        let most = rows.iter().map(|(_, values)| values[at]).fold(1.0, f64::max);
        let mut chart = ChartBuilder::on(&area)
            .caption(column.name, ("sans-serif", 13))
            .margin(4)
            .x_label_area_size(18)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..end, 0.0..most * 1.2)?;
        chart.configure_mesh().y_labels(4).x_labels(10).light_line_style(WHITE).draw()?;
        let points = rows.iter().map(|(seconds, values)| (*seconds, values[at]));
        chart.draw_series(LineSeries::new(points, RGBColor(70, 120, 170).stroke_width(2)))?;
    }
    root.present()?;
    Ok(())
}
