//! What the verdicts of a run come to. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Outcome, PairLine, PlaceCounts};
use crate::statistics::{self, Rate};

/// What the verdicts of a run come to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rates {
    /// The share of passes among all pairs of the plan: what did not pass counts against.
    pub strict: Option<Rate>,
    /// The share of passes among the pairs that were judged.
    pub judged: Option<Rate>,
    /// The share of features whose hidden tests pass, among those of judged pairs.
    pub features: Option<Rate>,
    /// Judged pairs by how their patches merged.
    pub merges: BTreeMap<String, usize>,
    /// The rule sets that judged them, as far as they are known; `unknown` for upstream's own
    /// evaluation, which does not say.
    pub rules: BTreeMap<String, usize>,
    /// Where the judged pairs of two agents failed; `None` where there are none.
    pub places: Option<PlaceCounts>,
}

impl Rates {
    /// The rates of these pairs, and of as many that nothing on disk names.
    #[must_use]
    pub fn of(lines: &[PairLine], unnamed: usize) -> Self {
        let passed = |line: &PairLine| line.outcome == Outcome::Pass;
        let named = lines.iter().map(|line| (line.task.as_str(), passed(line)));
        // Pairs that nothing on disk names are of tasks that nothing names.
        let unnamed = std::iter::repeat_n(("", false), unnamed);
        let judged = || lines.iter().filter(|line| line.outcome.is_judged());
        let features =
            judged().filter_map(|line| Some((line.task.as_str(), line.features_passed?)));
        Self {
            strict: statistics::rate(named.chain(unnamed)),
            judged: statistics::rate(judged().map(|line| (line.task.as_str(), passed(line)))),
            // Each pair as its two features, of which so many pass; which of them is all one.
            features: statistics::rate(
                features.flat_map(|(task, passed)| [(task, passed > 0), (task, passed > 1)]),
            ),
            merges: counted(judged().filter_map(|line| line.merge.as_ref())),
            rules: counted(judged().filter_map(|line| line.rules.as_ref())),
            places: PlaceCounts::of(lines),
        }
    }
}

fn counted<'a>(words: impl Iterator<Item = &'a String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word.clone()).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made::{failed, finished, judged, line, pair, with_verdict};
    use crate::triage::Cause;

    #[test]
    fn each_rate_has_its_own_pairs() {
        let own = r#"{"both_passed":false,"feature1":{"passed":true},"feature2":{"passed":false},
            "merge":{"status":"conflicts"},"regatta":{"rules":"0.0.29","trial":"x"}}"#;
        let lines = [
            with_verdict(pair(1, 2), [true, true]),
            with_verdict(pair(2, 2), [false, false]),
            judged(finished(pair(2, 3)), own),
            finished(pair(3, 2)),
            failed(pair(3, 3), Cause::Infra),
        ]
        .map(|surveyed| line(&surveyed));
        let rates = Rates::of(&lines, 3);
        let of = |rate: Option<Rate>| rate.map(|it| (it.passed, it.of, it.tasks));
        // Those without a name are of one task, which is none of the others.
        assert_eq!(of(rates.strict), Some((1, 8, 4)));
        assert_eq!(of(rates.judged), Some((1, 3, 2)));
        assert_eq!(of(rates.features), Some((3, 6, 2)));
        let merges = [("clean", 2), ("conflicts", 1)];
        assert!(
            rates
                .merges
                .iter()
                .map(|(word, n)| (word.as_str(), *n))
                .eq(merges)
        );
        let rules = [("0.0.29", 1), ("unknown", 2)];
        assert!(
            rates
                .rules
                .iter()
                .map(|(word, n)| (word.as_str(), *n))
                .eq(rules)
        );
    }

    #[test]
    fn without_pairs_there_is_no_rate() {
        let rates = Rates::of(&[], 0);
        assert_eq!(
            (rates.strict, rates.judged, rates.features),
            (None, None, None)
        );
    }
    #[test]
    fn both_features_of_a_pair_count() {
        for (passed, wanted) in [([true, true], 2), ([true, false], 1), ([false, false], 0)] {
            let lines = [line(&with_verdict(pair(1, 2), passed))];
            let rate = Rates::of(&lines, 0).features.unwrap();
            assert_eq!((rate.passed, rate.of), (wanted, 2));
        }
    }
}
