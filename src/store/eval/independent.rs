//! What an `eval.json` says of each agent's patch alone.

use serde::Deserialize;

use super::{EvalFile, PASSED, SuiteNote, lenient};

/// The `reason` of an agent that left nothing to test.
pub const NO_PATCH: &str = "no_patch";

/// Whether one agent's patch passes its own feature's hidden tests without the other's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct IndependentSeen {
    /// Whether it does.
    pub passed: Option<bool>,
    /// How many tests passed, as upstream counts them.
    #[serde(default, deserialize_with = "lenient::number")]
    pub tests_passed: Option<i64>,
    /// How many tests failed, as upstream counts them.
    #[serde(default, deserialize_with = "lenient::number")]
    pub tests_failed: Option<i64>,
    /// Why nothing was tested: [`NO_PATCH`]; none where the suite ran.
    #[serde(default, deserialize_with = "lenient::text")]
    pub reason: Option<String>,
}

impl EvalFile {
    /// What it says of the first agent (0) or the second (1) alone.
    #[must_use]
    pub const fn independent(&self, of: usize) -> Option<&IndependentSeen> {
        match of {
            0 => self.feature1_independent.as_ref(),
            _ => self.feature2_independent.as_ref(),
        }
    }

    /// Whether an agent's patch alone passes its own feature's tests, where somebody looked:
    /// `eval --alone` and a fork of upstream always do, and a plain evaluation at the first agent's
    /// where two patches do not merge. Without suites of its own, that one passes both.
    #[must_use]
    pub fn passed_alone(&self, of: usize, features: [u64; 2]) -> Option<bool> {
        let told = self.independent(of).and_then(|seen| seen.passed);
        told.or_else(|| {
            let alone = self.regatta.as_ref()?.alone.as_ref()?;
            if alone.agent != ["agent1", "agent2"][of] {
                return None;
            }
            let mut suites = alone.suites.iter();
            if alone.suites.is_empty() {
                return Some(true);
            }
            let is_own = |suite: &&SuiteNote| suite.feature == features[of];
            suites.find(is_own).map(|suite| suite.outcome == PASSED)
        })
    }
}
