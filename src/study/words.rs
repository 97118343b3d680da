//! What the formats for people say of arms in the same words. Pure.

use super::versus::{Bounds, Versus};
use crate::statistics::{Interval, NoP};
use crate::text::{NAME, one_line, plural};

/// The largest p-value that is called clear.
const LEVEL: f64 = 0.05;

/// A name that anybody may have chosen.
pub(super) fn name(text: &str) -> String {
    one_line(text, NAME)
}

/// A share in percent, with one digit: `88.9`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

/// A difference in percentage points, with its sign: `+4.7`.
pub(super) fn points(difference: f64) -> String {
    let told = format!("{:+.1}", 100.0 * difference);
    // What rounds to zero has no sign.
    if told == "-0.0" || told == "+0.0" {
        "0.0".to_owned()
    } else {
        told
    }
}

/// `43.9 to 100.0`.
pub(super) fn interval(it: Interval) -> String {
    format!("{} to {}", percent(it.low), percent(it.high))
}

/// `-47.6 to +25.3`; none of which nothing varies, since that is no certainty.
pub(super) fn interval_of_points(it: Interval) -> String {
    if has_no_spread(it) {
        return "no spread".to_owned();
    }
    format!("{} to {}", points(it.low), points(it.high))
}

/// Whether an interval is a point: nothing varied.
pub(super) fn has_no_spread(it: Interval) -> bool {
    it.high - it.low < 1e-9
}

/// A p-value: one that rounds to zero is not zero, and one that is clear has a mark.
pub(super) fn p_value(p: f64) -> String {
    let told = if p < 0.001 {
        "<0.001".to_owned()
    } else {
        format!("{p:.3}")
    };
    if p <= LEVEL { told + "*" } else { told }
}

/// What of a difference is clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Clear {
    /// That other tasks of this kind would show it.
    TasksLikeThese,
    /// That more repeats of these pairs would show it.
    ThesePairs,
    /// Neither.
    Neither,
    /// There is no p-value by which it could be.
    Untested,
    /// No pair was judged in both.
    Nothing,
}

impl Clear {
    pub fn of(contrast: &Versus) -> Self {
        let Some(difference) = contrast.difference else {
            return Self::Nothing;
        };
        let is_clear = |p: Option<f64>| p.is_some_and(|p| p <= LEVEL);
        let adjusted = contrast.adjusted;
        if is_clear(adjusted.tasks_like_these) {
            Self::TasksLikeThese
        } else if is_clear(adjusted.these_pairs) {
            Self::ThesePairs
        } else if difference.tasks_like_these.p.is_err() && difference.these_pairs.p.is_err() {
            Self::Untested
        } else {
            Self::Neither
        }
    }
}

/// Why there is no p-value, for a sentence.
pub(super) const fn no_p(why: NoP) -> &'static str {
    match why {
        NoP::FewerThanSixTasks => "with fewer than 6 tasks none can reach 5%",
        NoP::OneRepeat => "one repeat of each pair says nothing of further ones",
    }
}

/// What becomes of a difference if what has no verdict counts.
pub(super) fn bounds(bounds: &Bounds) -> String {
    let Bounds {
        open_in_first,
        open_in_second,
        strict,
        best,
        worst,
        sign_changes: _,
    } = bounds;
    format!(
        "{open_in_first} and {} without a verdict: {} if they fail; {} to {} in the worst and the best case",
        plural(*open_in_second, "trial"),
        points(*strict),
        points(*worst),
        points(*best)
    )
}

/// That nothing can be compared.
pub(super) fn nothing_in_common(contrast: &Versus) -> String {
    format!(
        "no pair was judged in both ({} in the first, {} in the second)",
        plural(contrast.judged_in_first, "pair"),
        plural(contrast.judged_in_second, "pair")
    )
}
