//! An arm held against another one. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::tally::{Reading, Tallies, Tally};
use super::{Arm, mixed};
use crate::statistics::{Both, Contrast, Passes, contrast, mean};
use crate::text::natural;

/// An arm less another one, on the pairs that both have.
#[derive(Clone, Debug, Serialize)]
pub struct Versus {
    /// The arm whose share is the first.
    pub first: String,
    /// The arm whose share is taken from it.
    pub second: String,
    /// The difference of judged trials; none where no pair was judged in both.
    pub difference: Option<Contrast>,
    /// The p-values of the difference, adjusted by Holm over what is shown.
    pub adjusted: Adjusted,
    /// What becomes of the difference if trials without a verdict count; none where no trial of a pair
    /// that both have is without one.
    pub bounds: Option<Bounds>,
    /// Pairs with a higher rate in the first, those that differ most before the others.
    pub up: Vec<Flip>,
    /// Pairs with a lower rate in the first.
    pub down: Vec<Flip>,
    /// Pairs with the same rate in both.
    pub same: usize,
    /// Pairs that were judged in the first.
    pub judged_in_first: usize,
    /// Pairs that were judged in the second.
    pub judged_in_second: usize,
    /// What makes the verdicts of the two incomparable, where something does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mixed: Vec<String>,
}

/// p-values, adjusted; none where there is no p-value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Adjusted {
    /// Where tasks are the sample.
    pub tasks_like_these: Option<f64>,
    /// Where repeats are the sample.
    pub these_pairs: Option<f64>,
}

/// What becomes of a difference if trials without a verdict count.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bounds {
    /// Trials without a verdict in the first.
    pub open_in_first: u64,
    /// Trials without a verdict in the second.
    pub open_in_second: u64,
    /// All of them count as fails.
    pub strict: f64,
    /// Those of the first count as passes, those of the second as fails.
    pub best: f64,
    /// Those of the first count as fails, those of the second as passes.
    pub worst: f64,
    /// Whether the sign of the difference changes between any two of these and the judged one.
    pub sign_changes: bool,
}

/// How a pair passed in two arms.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flip {
    /// The pair.
    pub pair: String,
    /// Trials that passed in the first, and how many were judged.
    pub first: [u32; 2],
    /// The same of the second.
    pub second: [u32; 2],
}

impl Flip {
    /// The first's rate less the second's.
    fn difference(&self) -> f64 {
        let rate = |[passed, of]: [u32; 2]| f64::from(passed) / f64::from(of);
        rate(self.first) - rate(self.second)
    }
}

/// Two tallies of a pair that two arms have.
type Shared<'a> = BTreeMap<&'a str, [Tally<'a>; 2]>;

impl Versus {
    /// An arm less another one; the p-values are not adjusted yet.
    #[must_use]
    pub fn of(first: &Arm, second: &Arm) -> Self {
        let (one, other) = (Tallies::of(first), Tallies::of(second));
        let shared: Shared = one
            .named
            .iter()
            .filter_map(|(pair, tally)| Some((*pair, [*tally, *other.named.get(pair)?])))
            .collect();
        let judged = shared.values().map(|[one, other]| Both {
            task: one.task,
            first: one.passes(Reading::Judged),
            second: other.passes(Reading::Judged),
        });
        let difference = contrast(judged);
        let [up, down] = flips(&shared);
        let rows = first.rows().chain(second.rows());
        let of_shared = rows.filter(|row| {
            let pair = row.pair.as_deref();
            pair.is_some_and(|pair| shared.contains_key(pair))
        });
        Self {
            first: first.name.clone(),
            second: second.name.clone(),
            bounds: bounds(&shared, difference.map(|it| it.share)),
            same: difference.map_or(0, |it| it.pairs) - up.len() - down.len(),
            difference,
            adjusted: Adjusted::default(),
            up,
            down,
            judged_in_first: one.judged_pairs(),
            judged_in_second: other.judged_pairs(),
            mixed: mixed::differences(&of_shared.collect::<Vec<_>>()),
        }
    }
}

/// Pairs judged in both whose rates differ: up, then down.
fn flips(shared: &Shared) -> [Vec<Flip>; 2] {
    let counts = |Passes { passed, of }| [passed, of];
    let judged = shared.iter().filter_map(|(pair, tallies)| {
        let [first, second] = tallies.map(|it| counts(it.passes(Reading::Judged)));
        (first[1] > 0 && second[1] > 0).then(|| Flip {
            pair: (*pair).to_owned(),
            first,
            second,
        })
    });
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for flip in judged {
        let cross = |a: [u32; 2], b: [u32; 2]| u64::from(a[0]) * u64::from(b[1]);
        match cross(flip.first, flip.second).cmp(&cross(flip.second, flip.first)) {
            std::cmp::Ordering::Greater => up.push(flip),
            std::cmp::Ordering::Less => down.push(flip),
            std::cmp::Ordering::Equal => {}
        }
    }
    for flips in [&mut up, &mut down] {
        flips.sort_by(|a, b| {
            let sizes = b.difference().abs().total_cmp(&a.difference().abs());
            sizes.then_with(|| natural(&a.pair, &b.pair))
        });
    }
    [up, down]
}

fn bounds(shared: &Shared, judged: Option<f64>) -> Option<Bounds> {
    // A pair that nobody asked one of the two for says nothing.
    let is_asked = |tally: &Tally| tally.judged + tally.open > 0;
    let asked = || shared.values().filter(|pair| pair.iter().all(is_asked));
    let open = |of: usize| asked().map(|pair| u64::from(pair[of].open)).sum();
    let (open_in_first, open_in_second) = (open(0), open(1));
    if open_in_first + open_in_second == 0 {
        return None;
    }
    let share =
        |of: usize, reading| Some(mean(asked().map(|pair| pair[of].repeated(reading)))?.share);
    let less = |first, second| Some(share(0, first)? - share(1, second)?);
    let strict = less(Reading::Strict, Reading::Strict)?;
    let best = less(Reading::Best, Reading::Strict)?;
    let worst = less(Reading::Strict, Reading::Best)?;
    let all = || [strict, best, worst].into_iter().chain(judged);
    // What is left of sums that are equal is no sign.
    let sign_changes = all().any(|it| it > 1e-12) && all().any(|it| it < -1e-12);
    Some(Bounds {
        open_in_first,
        open_in_second,
        strict,
        best,
        worst,
        sign_changes,
    })
}
