//! The forecast for a terminal.

use std::fmt::Write as _;

use super::words::{about, between, cost, of_pairs, points, signed, steps};
use super::{DesignLine, Forecast, OfArm, OfContrast, Power};
use crate::bench::cost::dollars;
use crate::text::paint::strong;
use crate::text::plural;

/// Of more contrasts than these only one has its designs shown.
const SHOWN: usize = 2;

/// Everything, each line as long as it is.
pub(super) fn render(power: &Power) -> String {
    let mut out = head(power);
    if let Some(assumed) = &power.assumed {
        let _ = writeln!(out, "{}", super::words::assumed(assumed));
    }
    for arm in &power.arms {
        out.push_str(&of_arm(arm));
    }
    let widest = power.contrasts.iter().max_by(|one, other| {
        let [one, other] = [one, other].map(|it| it.forecast.half_width.unwrap_or(0.0));
        one.total_cmp(&other)
    });
    let are_few = power.contrasts.len() <= SHOWN;
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
    if !are_few {
        out.push_str("\nDesigns are shown for the widest of the differences. Name two arms for others, or --format json for all.\n");
    }
    out.push_str(&legend(power));
    if !power.notes.is_empty() {
        out.push('\n');
    }
    for note in &power.notes {
        let _ = writeln!(out, "{note}");
    }
    out
}

fn head(power: &Power) -> String {
    let what = if power.contrasts.is_empty() {
        "pass rates"
    } else {
        "pass rates and differences"
    };
    format!(
        "How precise {what} are, in percentage points. A half-width is half of a 95% interval, for tasks like these; what differs is told as a standard deviation, with its 95% interval.\n\n"
    )
}

/// What the columns are, where there are some.
fn legend(power: &Power) -> String {
    let has_designs = |it: &Forecast| !it.designs.is_empty();
    let mut contrasts = power.contrasts.iter().map(|it| &it.forecast);
    if contrasts.any(has_designs) {
        format!(
            "\nthese pairs: the half-width if these pairs alone are meant, with no others of their tasks' kind. found in 80%: the smallest difference that is found (p of the sign-flip test below 5%) in 80% of such studies. chance of {}: the share of them that find {} points. cost: of both arms.\n",
            about(power.effect),
            about(power.effect)
        )
    } else if power.arms.iter().map(|it| &it.forecast).any(has_designs) {
        "\nthese pairs: the half-width if these pairs alone are meant, with no others of their tasks' kind.\n".to_owned()
    } else {
        String::new()
    }
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
        let _ = writeln!(out, "{told}");
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
