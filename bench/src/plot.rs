//! The ratios as bars.

use plotters::prelude::*;

use crate::Result;

/// Draws, for each way, how much dearer it is than the extension; the line marks parity.
pub fn draw(path: &std::path::Path, title: &str, bars: &[(String, f64)]) -> Result<()> {
    let height = 90 + 24 * bars.len() as u32;
    let root = SVGBackend::new(path, (1000, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let longest = bars.iter().map(|(_, times)| *times).fold(1.0, f64::max);
    let count = bars.len() as f64;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(35)
        .build_cartesian_2d((0.1f64..longest * 4.0).log_scale(), 0f64..count)?;
    chart.configure_mesh().disable_y_axis().disable_y_mesh().x_desc("times the cost of sso_attr").draw()?;
    for (index, (label, times)) in bars.iter().enumerate() {
        let top = count - index as f64;
        let color = if *times < 1.0 { RGBColor(200, 120, 60) } else { RGBColor(70, 120, 170) };
        chart.draw_series([Rectangle::new([(0.1, top - 0.8), (*times, top - 0.2)], color.filled())])?;
        let text = format!("{label}: {times:.2}");
        chart.draw_series([Text::new(
            text,
            (times.max(0.11) * 1.04, top - 0.7),
            ("sans-serif", 13).into_font(),
        )])?;
    }
    chart.draw_series([PathElement::new([(1.0, 0.0), (1.0, count)], BLACK)])?;
    root.present()?;
    Ok(())
}
