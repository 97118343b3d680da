//! What the verdicts of a run come to. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::statistics::{self, Rate};
use super::{Outcome, PairLine};

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
