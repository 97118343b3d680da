//! Where the work of two agents fails, arm by arm.

use super::super::Figures;
use super::super::words::{name, percent};
use super::arms::fitted;
use crate::report::{Place, PlaceCounts};

/// A line for each arm in which agents were judged alone, as shares of the judged trials.
pub(super) fn table(arms: &[Figures], width: Option<usize>) -> String {
    let known = arms.iter().filter_map(|arm| {
        let places = arm.places.as_ref();
        let places = places.filter(|places| places.judged_alone > 0)?;
        Some(row(arm, places))
    });
    let known: Vec<Vec<String>> = known.collect();
    if known.is_empty() {
        return String::new();
    }
    let head = [
        "arm",
        "pass",
        "an agent alone",
        "merge",
        "together",
        "not known",
        "empty",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(known);
    format!(
        "\nwhere trials fail, in % of those judged:\n{}an agent alone: its patch does not pass its own feature; merge: both do, and do not merge; together: both do, they merge, and tests fail; empty: trials with an agent whose patch is empty\n",
        fitted(rows, width)
    )
}

fn row(arm: &Figures, places: &PlaceCounts) -> Vec<String> {
    let share = |count: usize| percent(count as f64 / places.all() as f64);
    vec![
        name(&arm.arm),
        share(places.count_of(Place::Passes)),
        share(places.of_agents()),
        share(places.count_of(Place::Merge)),
        share(places.count_of(Place::Together)),
        share(places.count_of(Place::NotKnown)),
        places.empty_submissions.to_string(),
    ]
}
