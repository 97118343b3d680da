//! Passes that are worth another look. Pure.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::store::eval::{self, EvalFile, KnownVerdict, PassWorth};

/// A pass that is worth another look.
#[derive(Clone, Debug, Serialize)]
pub struct Flagged {
    /// What ran with the dataset's own patch and did not run here, of both features.
    pub tests_missing: Vec<String>,
    /// The files of the submission that steer tests.
    pub steering_files: Vec<String>,
    /// Whether both features pass without what steers; `None` where that is not known, and where
    /// nothing steers.
    pub verdict_without_steering: Option<bool>,
    /// All of it in one line.
    pub why: String,
}

/// Passes that are flagged; one may be flagged for more than one reason.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Flags {
    /// Those that are flagged at all.
    pub passes: usize,
    /// Those with tests that did not run.
    pub tests_missing: usize,
    /// Those with files that steer tests.
    pub steering_files: usize,
    /// Those of them that fail without these.
    pub failing_without: usize,
    /// Those of them of which that is not known.
    pub unknown_without: usize,
}

impl Flagged {
    /// What a pass is flagged for, if it is.
    #[must_use]
    pub fn of(file: &EvalFile) -> Option<Self> {
        if !file.worth().any(PassWorth::is_flagged) {
            return None;
        }
        let verdicts = file.worth().map(|worth| worth.verdict_without_steering);
        let verdicts: Vec<_> = verdicts.collect();
        let is = |wanted| {
            verdicts
                .iter()
                .all(|verdict| *verdict == Some(KnownVerdict::Verdict(wanted)))
        };
        let steering = file.worth().flat_map(|worth| worth.steering_files.clone());
        let steering: BTreeSet<String> = steering.collect();
        let own = file.regatta.as_ref();
        Some(Self {
            tests_missing: file
                .worth()
                .flat_map(|worth| worth.tests_missing.clone())
                .collect(),
            steering_files: steering.into_iter().collect(),
            verdict_without_steering: if verdicts.contains(&Some(KnownVerdict::Verdict(false))) {
                Some(false)
            } else {
                is(true).then_some(true)
            },
            why: own.map_or_else(String::new, |own| eval::flags(&own.suites)),
        })
    }
}

impl Flags {
    /// Counts one, if it is flagged.
    pub fn count(&mut self, flagged: Option<&Flagged>) {
        let Some(flagged) = flagged else { return };
        let steers = !flagged.steering_files.is_empty();
        let without = flagged.verdict_without_steering;
        self.passes += 1;
        self.tests_missing += usize::from(!flagged.tests_missing.is_empty());
        self.steering_files += usize::from(steers);
        self.failing_without += usize::from(without == Some(false));
        self.unknown_without += usize::from(steers && without.is_none());
    }

    /// `2 of 9 passes: 1 with tests missing, …`; nothing where there are none.
    #[must_use]
    pub fn told(&self, passes: usize) -> Option<String> {
        let counts = [
            (self.tests_missing, "with tests missing"),
            (self.steering_files, "with files that steer tests"),
            (self.failing_without, "failing without them"),
            (self.unknown_without, "not known without them"),
        ];
        let counts = counts.iter().filter(|(n, _)| *n > 0);
        let counts: Vec<_> = counts.map(|(n, what)| format!("{n} {what}")).collect();
        (self.passes > 0).then(|| format!("{} of {passes}: {}", self.passes, counts.join(", ")))
    }
}
