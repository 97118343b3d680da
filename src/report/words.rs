//! What the formats for people say in the same words.

use std::collections::BTreeMap;

use super::{Comparison, Outcome, Summary};
use crate::text::{by_number, duration};

/// The verdicts that count and are not beyond doubt, with what the doubt is.
pub(super) fn doubts(summary: &Summary) -> impl Iterator<Item = (&'static str, &[String])> {
    let doubts = [
        (
            "verdict time unclear: judged before the result ended, by times without a zone, or one of the times is missing",
            summary.verdict_time_unclear.as_slice(),
        ),
        (
            "another verdict byte for byte: upstream's rules change line ends, quotes and files that are no text",
            summary.verdict_not_by_bytes.as_slice(),
        ),
    ];
    doubts.into_iter().filter(|(_, pairs)| !pairs.is_empty())
}

/// How many passes nobody looked at, where that is of importance: strictly, or beside flagged ones.
pub(super) fn not_looked_at(summary: &Summary) -> Option<String> {
    let is_told = summary.strict_verdicts.is_some() || summary.flagged.passes > 0;
    let n = summary.not_looked_at;
    (is_told && n > 0).then(|| {
        let passes = summary.count_of(Outcome::Pass);
        let word = by_number(passes, "pass", "passes");
        let were = by_number(n, "was", "were");
        format!("{n} of {passes} {word} {were} not looked at")
    })
}

/// A p-value with its sign: one that rounds to zero is not zero.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("= {p:.3}")
    }
}

/// The p-value of a difference, adjusted, or why it has none.
pub(super) fn tested(comparison: &Comparison) -> String {
    match (comparison.p_holm, comparison.difference.tested.p) {
        (Some(p), _) => format!("p {}", p_value(p)),
        (None, Err(why)) => format!("no p: {why}"),
        (None, Ok(p)) => format!("p {}", p_value(p.value)),
    }
}

/// What the p-values are, and what another test would say, a line each.
pub(super) fn footnotes(shown: &[&Comparison]) -> Vec<String> {
    let mut notes = Vec::new();
    if shown.iter().any(|it| it.p_holm.is_some()) {
        notes.push(
            "p: signs flipped over tasks, adjusted by Holm over the differences of one experiment"
                .to_owned(),
        );
    }
    let mcnemar = shown.iter().map(|it| p_value(it.difference.mcnemar_p));
    let mcnemar: Vec<String> = mcnemar.map(|p| p.replace("= ", "")).collect();
    if !mcnemar.is_empty() {
        notes.push(format!(
            "McNemar's test, as if pairs of one task were independent: p {}",
            mcnemar.join(", ")
        ));
    }
    notes
}

/// How merges ended, counted: `3 clean, 1 conflict`.
pub(super) fn merges(merges: &BTreeMap<String, usize>) -> String {
    let counted = merges.iter().map(|(word, n)| {
        let word = match word.as_str() {
            "conflicts" => by_number(*n, "conflict", "conflicts"),
            "error" => by_number(*n, "error", "errors"),
            word => word,
        };
        format!("{n} {}", word.replace('_', " "))
    });
    counted.collect::<Vec<_>>().join(", ")
}

/// Trials' time together, of which some may not be known.
#[must_use]
pub fn time(seconds: f64, unknown: usize) -> String {
    match (seconds, unknown) {
        (seconds, 0) => duration(seconds),
        (0.0, _) => "unknown".to_owned(),
        (seconds, n) => format!("{} + {n} unknown", duration(seconds)),
    }
}

/// How many trials the time limit ended in each arm, and what that may do; nothing where it ended
/// none. `name` writes a run's name for where it is shown.
pub(super) fn time_limits(summaries: &[Summary], name: impl Fn(&str) -> String) -> Option<String> {
    if summaries
        .iter()
        .all(|summary| summary.time_limit.trials == 0)
    {
        return None;
    }
    let arms = summaries.iter().map(|summary| {
        let arm = name(summary.run.as_str());
        format!("{arm} {}", summary.time_limit.told())
    });
    Some(format!(
        "trials that the time limit ended: {}. This may bias the comparison of the arms: what was cut off counts as it was left, or was run again",
        arms.collect::<Vec<_>>().join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_conflict_is_one() {
        let of = |counts: &[(&str, usize)]| {
            let counts = counts.iter().map(|(word, n)| ((*word).to_owned(), *n));
            merges(&counts.collect())
        };
        assert_eq!(of(&[("clean", 3), ("conflicts", 1)]), "3 clean, 1 conflict");
        assert_eq!(
            of(&[("conflicts", 2), ("error", 1), ("missing_input", 1)]),
            "2 conflicts, 1 error, 1 missing input"
        );
    }

    #[test]
    fn time_of_which_some_is_unknown_says_so() {
        assert_eq!(time(0.0, 0), "0s");
        assert_eq!(time(0.0, 3), "unknown");
        assert_eq!(time(90.0, 1), "1m 30s + 1 unknown");
    }
}
