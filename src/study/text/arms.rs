//! The table of the arms.

use super::super::Figures;
use super::super::words::{interval, name, percent};
use crate::bench::cost::dollars;
use crate::text::fit::{self, spaced, without_middle};

/// The shortest that a name becomes, in columns.
const NAME: usize = 10;
/// The space between columns.
const GAP: usize = 2;
/// Which columns go where there is no room, one after the other.
const SPARE: [&str; 3] = ["per pass", "single runs", "runs"];

/// A line for each arm.
pub(super) fn table(arms: &[Figures], width: Option<usize>) -> String {
    let head = [
        "arm",
        "runs",
        "judged",
        "passed",
        "95% interval",
        "single runs",
        "per pass",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(arms.iter().map(|arm| row(arm).to_vec()));
    fitted(rows, width)
}

fn row(arm: &Figures) -> [String; 7] {
    let rate = arm.pass_rate;
    let range = arm.range().map(|runs| {
        let shares = runs.map(|run| run.share().map(percent).unwrap_or_default());
        match shares {
            [low, high] if low == high => low,
            [low, high] => format!("{low} to {high}"),
        }
    });
    [
        name(&arm.arm),
        arm.runs.len().to_string(),
        format!("{}/{}", arm.judged, arm.trials),
        rate.map_or_else(none, |it| format!("{}%", percent(it.share))),
        rate.and_then(|it| it.tasks_like_these)
            .map_or_else(none, interval),
        range.unwrap_or_else(none),
        arm.spent.cost_per_pass.map_or_else(none, |usd| {
            let more = if arm.spent.cost.unknown > 0 { ">" } else { "" };
            format!("{more}{}", dollars(usd))
        }),
    ]
}

/// What stands where there is no number.
pub(super) fn none() -> String {
    "-".to_owned()
}

/// Rows below a head within a width, as far as that goes: names lose their middle, then columns go.
pub(super) fn fitted(mut rows: Vec<Vec<String>>, width: Option<usize>) -> String {
    let Some(width) = width else {
        return spaced(&rows, GAP);
    };
    let widest = |rows: &[Vec<String>]| {
        let text = spaced(rows, GAP);
        text.lines().map(fit::width).max().unwrap_or(0)
    };
    let names = |rows: &[Vec<String>]| {
        let names = rows.iter().map(|row| fit::width(&row[0]));
        names.max().unwrap_or(0)
    };
    let mut spare = SPARE.into_iter();
    loop {
        let beyond = widest(&rows).saturating_sub(width);
        if beyond == 0 {
            break;
        }
        let longest = names(&rows);
        let room = longest.saturating_sub(beyond);
        if room < NAME
            && let Some(column) = spare.find_map(|it| rows[0].iter().position(|head| head == it))
        {
            for row in &mut rows {
                row.remove(column);
            }
            continue;
        }
        for row in &mut rows {
            if fit::width(&row[0]) > room.max(NAME) {
                row[0] = without_middle(&row[0], room.max(NAME));
            }
        }
        break;
    }
    spaced(&rows, GAP)
}
