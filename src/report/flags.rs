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

#[cfg(test)]
mod tests {
    use super::*;

    /// A pass whose suites are worth this, each as JSON.
    fn file(worths: &[&str]) -> EvalFile {
        let suites = worths.iter().enumerate().map(|(at, worth)| {
            format!(
                r#"{{"feature":{},"outcome":"passed","reason":"r","failed_tests":[],"named_tests":9,
                    "tests_compared":"names",{worth}}}"#,
                at + 1
            )
        });
        let suites = suites.collect::<Vec<_>>().join(",");
        let json = format!(
            r#"{{"both_passed":true,"regatta":{{"rules":"0.0.29","trial":"x","suites":[{suites}]}}}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    const FINE: &str = r#""tests_missing":[],"steering_files":[]"#;
    const MISSING: &str = r#""tests_missing":["one"],"steering_files":[]"#;
    const STEERS: &str = r#""tests_missing":[],"steering_files":["conftest.py"]"#;

    fn steers(without: &str) -> String {
        format!("{STEERS},\"verdict_without_steering\":{without}")
    }

    #[test]
    fn a_pass_with_nothing_to_say_is_not_flagged() {
        assert!(Flagged::of(&file(&[FINE, FINE])).is_none());
        assert!(Flagged::of(&EvalFile::default()).is_none());
    }

    #[test]
    fn what_is_missing_and_what_steers_is_told_of_both_features() {
        let flagged = Flagged::of(&file(&[MISSING, STEERS])).unwrap();
        assert_eq!(flagged.tests_missing, ["one"]);
        assert_eq!(flagged.steering_files, ["conftest.py"]);
        assert_eq!(flagged.verdict_without_steering, None);
        assert!(flagged.why.starts_with("feature 1: "), "{}", flagged.why);
    }

    #[test]
    fn without_what_steers_one_failure_fails_and_both_must_pass() {
        for (one, other, wanted) in [
            ("true", "true", Some(true)),
            ("true", "false", Some(false)),
            ("null", "false", Some(false)),
            ("true", "null", None),
        ] {
            let (first, second) = (steers(one), steers(other));
            let flagged = Flagged::of(&file(&[&first, &second])).unwrap();
            assert_eq!(flagged.verdict_without_steering, wanted, "{one} {other}");
            assert_eq!(flagged.steering_files, ["conftest.py"]);
        }
    }

    #[test]
    fn flagged_passes_are_counted_by_what_they_are_flagged_for() {
        let mut flags = Flags::default();
        flags.count(None);
        assert_eq!(flags.told(9), None);
        for without in ["true", "false", "null"] {
            let both = [steers(without), steers(without)];
            flags.count(Flagged::of(&file(&both.each_ref().map(String::as_str))).as_ref());
        }
        flags.count(Flagged::of(&file(&[MISSING, FINE])).as_ref());
        flags.count(Flagged::of(&file(&[FINE, MISSING])).as_ref());
        let counts = [
            flags.passes,
            flags.tests_missing,
            flags.steering_files,
            flags.failing_without,
            flags.unknown_without,
        ];
        assert_eq!(counts, [5, 2, 3, 1, 1]);
        assert_eq!(
            flags.told(9).as_deref(),
            Some(
                "5 of 9: 2 with tests missing, 3 with files that steer tests, 1 failing without them, 1 not known without them"
            )
        );
        let mut missing = Flags::default();
        missing.count(Flagged::of(&file(&[MISSING, FINE])).as_ref());
        assert_eq!(
            missing.told(1).as_deref(),
            Some("1 of 1: 1 with tests missing")
        );
    }
}
