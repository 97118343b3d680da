//! What the formats for people say in the same words.

use super::{Assumed, Between, Forecast, Step};
use crate::bench::cost::dollars;
use crate::statistics::Component;
use crate::text::plural;

/// A share as percentage points.
pub(super) fn points(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

pub(super) fn signed(share: f64) -> String {
    format!("{:+.1}", 100.0 * share)
}

/// Points that somebody typed: no more digits than needed.
pub(super) fn about(share: f64) -> String {
    format!("{}", (1e4 * share).round() / 100.0)
}

/// What a design costs; without a price, how many trials it is.
pub(super) fn cost(usd: Option<f64>, trials: u64) -> String {
    match usd {
        Some(usd) if usd >= 10.0 => format!("${usd:.0}"),
        Some(usd) => dollars(usd),
        None => plural(trials, "trial"),
    }
}

pub(super) fn of_pairs(forecast: &Forecast) -> String {
    format!(
        "{} of {}",
        plural(forecast.pairs, "pair"),
        plural(forecast.tasks, "task")
    )
}

/// `between tasks 19.6 (12.1 to 30.2), between repeats 29.5 (25.0 to 33.2)`.
pub(super) fn between(between: &Between) -> String {
    let told = |what: &str, component: &Component| {
        let deviation = points(component.variance.sqrt());
        let interval = component.interval.map_or_else(String::new, |it| {
            format!(" ({} to {})", points(it.low.sqrt()), points(it.high.sqrt()))
        });
        format!("{what} {deviation}{interval}")
    };
    let levels = [
        Some(told("between tasks", &between.tasks)),
        between.pairs.map(|it| told("pairs", &it)),
        between.repeats.map(|it| told("repeats", &it)),
    ];
    levels.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `from 5 to 15 repeats: 1.2 points of half-width for about $475; 20 tasks more: 3.4 points for about
/// $237`.
pub(super) fn steps(forecast: &Forecast) -> Option<String> {
    let steps = &forecast.steps;
    let told = |step: &Step, unit: &str| {
        let what = if step.more_tasks > 0 {
            format!("{} more", plural(step.more_tasks, "task"))
        } else {
            format!("from {} to {} repeats", step.from_repeats, step.to_repeats)
        };
        let cost = cost(step.cost_usd, step.trials);
        format!(
            "{what}: {} points{unit} for about {cost}",
            points(step.less)
        )
    };
    let units = [" of half-width", ""].into_iter();
    let told: Vec<String> = steps
        .iter()
        .zip(units)
        .map(|(it, unit)| told(it, unit))
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}

pub(super) fn assumed(assumed: &Assumed) -> String {
    let percent = |share: f64| format!("{:.0}%", 100.0 * share);
    format!(
        "Assumed: {} of {}, {}. Of what differs, {} is between tasks, {} between the pairs of a task, the rest between repeats. Of what is between tasks and pairs, {} is the same in both arms.",
        plural(assumed.pairs, "pair"),
        plural(assumed.tasks, "task"),
        plural(assumed.repeats, "repeat"),
        percent(assumed.icc),
        percent(assumed.pair_icc),
        percent(assumed.shared)
    )
}
