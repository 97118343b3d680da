//! The forecast as Markdown.

use std::fmt::Write as _;

use super::words::{about, assumed, between, cost, of_pairs, points, signed, steps};
use super::{Forecast, Power};
use crate::bench::cost::dollars;
use crate::report::markdown::escaped;

/// A table of what varies, and one of designs for each figure.
pub(super) fn render(power: &Power) -> String {
    let mut out = String::from(
        "Half-widths of 95% intervals for tasks like these, in percentage points. What differs, as a standard deviation with its 95% interval.\n",
    );
    if let Some(it) = &power.assumed {
        let _ = writeln!(out, "\n{}", assumed(it));
    }
    out.push_str("\n| | points | half-width | of | what differs | cost of a trial |\n|---|--:|--:|---|---|--:|\n");
    for arm in &power.arms {
        out.push_str(&row(&arm.arm, &points(arm.share), &arm.forecast));
    }
    for contrast in &power.contrasts {
        let name = format!("{} less {}", contrast.first, contrast.second);
        out.push_str(&row(
            &name,
            &signed(contrast.difference),
            &contrast.forecast,
        ));
    }
    for contrast in &power.contrasts {
        let name = format!("{} less {}", contrast.first, contrast.second);
        out.push_str(&designs(&name, &contrast.forecast, Some(power.effect)));
    }
    if power.contrasts.is_empty() {
        for arm in &power.arms {
            out.push_str(&designs(&arm.arm, &arm.forecast, None));
        }
    }
    for note in &power.notes {
        let _ = writeln!(out, "\n{}.", escaped(note));
    }
    out
}

fn row(name: &str, points_of: &str, forecast: &Forecast) -> String {
    let price = forecast.cost_of_one.map_or_else(|| "—".to_owned(), dollars);
    format!(
        "| {} | {points_of} | {} | {} | {} | {price} |\n",
        escaped(name),
        forecast.half_width.map_or_else(|| "—".to_owned(), points),
        of_pairs(forecast),
        forecast
            .between
            .as_ref()
            .map_or_else(|| "—".to_owned(), between)
    )
}

fn designs(name: &str, forecast: &Forecast, effect: Option<f64>) -> String {
    if forecast.designs.is_empty() {
        return String::new();
    }
    let mut out = format!("\n### {}\n\n", escaped(name));
    let more = effect.map_or_else(String::new, |effect| {
        format!(" found in 80% | chance of {} |", about(effect))
    });
    let rule = if effect.is_some() { "--:|--:|" } else { "" };
    let _ = write!(
        out,
        "| repeats | tasks | half-width | these pairs |{more} cost |\n|--:|--:|--:|--:|{rule}--:|\n"
    );
    for design in &forecast.designs {
        let or_dash = |it: Option<f64>| it.map_or_else(|| "—".to_owned(), points);
        let more = effect.map_or_else(String::new, |_| {
            let chance = design
                .chance
                .map_or_else(String::new, |it| format!("{:.0}%", 100.0 * it));
            format!(" {} | {chance} |", or_dash(design.smallest_difference))
        });
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |{more} {} |",
            design.repeats,
            design.tasks,
            points(design.half_width),
            or_dash(design.half_width_these_pairs),
            cost(design.cost_usd, design.trials)
        );
    }
    if let Some(told) = steps(forecast) {
        let _ = writeln!(out, "\n{told}.");
    }
    out
}
