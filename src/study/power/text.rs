//! The forecast for a terminal.

use std::fmt::Write as _;

use super::words::{about, between, cost, of_pairs, points, signed, steps};
use super::{DesignLine, Forecast, OfArm, OfContrast, Power};
use crate::bench::cost::dollars;
use crate::text::paint::strong;
use crate::text::plural;

/// Of more contrasts than these only one has its designs shown.
const SHOWN: usize = 2;

/// Everything, each line as long as it is. What more buys comes last.
pub(super) fn render(power: &Power) -> String {
    let mut out = head(power);
    if let Some(assumed) = &power.assumed {
        let _ = writeln!(out, "\n{}", super::words::assumed(assumed));
    }
    out.push('\n');
    for arm in &power.arms {
        out.push_str(&of_arm(arm));
    }
    let are_few = power.contrasts.len() <= SHOWN;
    let mut notes = power.notes.clone();
    if !are_few {
        notes.push("designs are shown for the widest of the differences; name two arms for others, or --format json for all".to_owned());
    }
    if !notes.is_empty() {
        let _ = writeln!(out, "\n{}", notes.join("\n"));
    }
    let widest = power.contrasts.iter().max_by(|one, other| {
        let [one, other] = [one, other].map(|it| it.forecast.half_width.unwrap_or(0.0));
        one.total_cmp(&other)
    });
    for contrast in &power.contrasts {
        let is_widest = widest.is_some_and(|it| it.first == contrast.first);
        out.push_str(&of_contrast(contrast, power.effect, are_few || is_widest));
    }
    if power.contrasts.is_empty() {
        for arm in &power.arms {
            if power.arms.len() > 1 {
                let _ = writeln!(out, "\n{}", strong(&arm.arm));
            } else {
                out.push('\n');
            }
            out.push_str(&designs(&arm.forecast, None));
        }
    }
    out
}

/// What it is about, and what the words mean.
fn head(power: &Power) -> String {
    let mut out = String::from(
        "How precise it is, in percentage points:
  half-width    half of the 95% interval, for tasks like these
  between       how far apart: a standard deviation, with its 95% interval
  these pairs   the half-width for these pairs alone: only repeats are by chance
",
    );
    if !power.contrasts.is_empty() {
        let effect = about(power.effect);
        let chance = format!("chance of {effect}");
        let _ = writeln!(
            out,
            "  found in 80%  the least difference that 80% of such studies find (p below 5%)
  {chance:<12}  the share of such studies that find a difference of {effect}
  cost          of both arms"
        );
    }
    out
}

fn of_arm(arm: &OfArm) -> String {
    let forecast = &arm.forecast;
    let mut out = format!("{}: {:.1}% pass", strong(&arm.arm), 100.0 * arm.share);
    out.push_str(&half_width(forecast));
    let price = forecast.cost_of_one;
    let price = price.map_or_else(String::new, |usd| format!(", {} a trial", dollars(usd)));
    let runs = arm.runs.map_or_else(String::new, |runs| {
        format!(
            ", {} judged in {}",
            plural(arm.trials, "trial"),
            plural(runs, "run")
        )
    });
    let _ = writeln!(out, "\n  {}{runs}{price}", of_pairs(forecast));
    out.push_str(&varies(forecast));
    out
}

fn of_contrast(contrast: &OfContrast, effect: f64, with_designs: bool) -> String {
    let forecast = &contrast.forecast;
    let price = forecast.cost_of_one.map_or_else(String::new, |usd| {
        format!(", {} for a trial in each arm", dollars(usd))
    });
    let mut out = format!(
        "\n{}: {}{}\n  {}{price}\n",
        strong(format!("{} less {}", contrast.first, contrast.second)),
        signed(contrast.difference),
        half_width(forecast),
        of_pairs(forecast)
    );
    out.push_str(&varies(forecast));
    if with_designs {
        if !forecast.designs.is_empty() {
            out.push('\n');
        }
        out.push_str(&designs(forecast, Some(effect)));
    } else if let Some(told) = steps(forecast) {
        let _ = writeln!(out, "  {told}");
    }
    out
}

fn half_width(forecast: &Forecast) -> String {
    forecast.half_width.map_or_else(
        || ", no interval".to_owned(),
        |it| format!(", half-width {}", points(it)),
    )
}

fn varies(forecast: &Forecast) -> String {
    let told = forecast.between.as_ref().map(between);
    told.map_or_else(String::new, |told| format!("  {told}\n"))
}

/// A table of designs, and what more of one or the other buys.
fn designs(forecast: &Forecast, effect: Option<f64>) -> String {
    if forecast.designs.is_empty() {
        return String::new();
    }
    let mut out = String::from("  repeats  tasks  half-width  these pairs");
    if let Some(effect) = effect {
        let chance = format!("chance of {}", about(effect));
        let _ = write!(out, "  found in 80%  {chance:>12}");
    }
    out.push_str("     cost\n");
    for design in &forecast.designs {
        let line = line(design, effect.is_some());
        let is_from = (design.repeats, design.tasks) == (forecast.from_repeats, forecast.tasks);
        let _ = writeln!(out, "{}", if is_from { strong(line) } else { line });
    }
    if let Some(told) = steps(forecast) {
        let _ = writeln!(out, "\n{}", strong(told));
    }
    out
}

fn line(design: &DesignLine, is_difference: bool) -> String {
    let or_dash = |it: Option<f64>| it.map_or_else(|| "-".to_owned(), points);
    let mut line = format!(
        "  {:>7}  {:>5}  {:>10}  {:>11}",
        design.repeats,
        design.tasks,
        points(design.half_width),
        or_dash(design.half_width_these_pairs)
    );
    if is_difference {
        let chance = design
            .chance
            .map_or_else(String::new, |it| format!("{:.0}%", 100.0 * it));
        let _ = write!(
            line,
            "  {:>12}  {chance:>12}",
            or_dash(design.smallest_difference)
        );
    }
    let _ = write!(line, "  {:>7}", cost(design.cost_usd, design.trials));
    line
}
