//! A pair's row, from what the survey found and what a report says of it. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Row;
use super::cell::LocalTime;
use crate::bench::{Pair, Pin};
use crate::report::grounds::Grounds;
use crate::report::trials::Tried;
use crate::report::{Outcome, PairLine, Place};
use crate::store::eval::{EvalFile, SuiteNote};
use crate::store::manifest::digest;
use crate::store::result::TeamMetrics;
use crate::store::{LedgerEntry, Manifest};
use crate::survey::spent::spent;
use crate::survey::{Judged, Standing, Surveyed};

/// A count as a column has it.
pub(super) const fn count(number: usize) -> u64 {
    number as u64
}

impl Row {
    /// What is of the run: the same in all its rows.
    pub(super) fn take_manifest(&mut self, manifest: &Manifest) {
        self.experiment.clone_from(&manifest.experiment);
        self.arm.clone_from(&manifest.arm);
        self.repeat = manifest.repeat.map(u64::from);
        self.subset = Some(manifest.subset.clone());
        self.model = Some(manifest.model.clone());
        self.agent = Some(manifest.agent.clone());
        self.engine = Some(manifest.engine.to_string());
        self.engine_version.clone_from(&manifest.engine_version);
        self.backend = Some(manifest.backend.to_string());
        self.subset_sha256 = Some(manifest.subset_digest.clone());
        self.agent_config_sha256.clone_from(&manifest.agent_config);
    }

    /// What is of the pair. `has_ledger` is whether the run's trials are known.
    pub(super) fn take_pair(
        &mut self,
        surveyed: &Surveyed,
        line: &PairLine,
        tried: &Tried<'_>,
        has_ledger: bool,
        manifest: Option<&Manifest>,
    ) {
        self.name(&surveyed.pair);
        self.take_line(line);
        self.take_spent(surveyed, tried, has_ledger);
        match &surveyed.standing {
            Standing::Missing => {}
            // It had a cost that nobody knows.
            Standing::Unreadable(_) => self.has_unknown_cost = Some(true),
            Standing::Result(judged) => self.take_result(judged, tried),
        }
        if let Some(file) = &surveyed.evaluation {
            let at = file.evaluated_at.as_deref();
            self.evaluated_at = at.and_then(LocalTime::of);
            if line.outcome.is_judged() {
                self.take_verdict(file, surveyed.pair.features, line);
            }
        }
        self.take_grounds(&Grounds::of(surveyed, manifest));
    }

    fn name(&mut self, pair: &Pair) {
        self.pair = Some(pair.to_string());
        self.repo = Some(pair.task.repo.clone());
        self.task = Some(pair.task.to_string());
        self.features = Some(pair.dir_name());
        let [feature1, feature2] = pair.features;
        (self.feature1, self.feature2) = (Some(feature1), Some(feature2));
    }

    /// What a report says of the pair.
    fn take_line(&mut self, line: &PairLine) {
        self.outcome = line.outcome;
        self.passed = line
            .outcome
            .is_judged()
            .then(|| line.outcome == Outcome::Pass);
        self.asked = !line.not_asked;
        self.status.clone_from(&line.status);
        self.cause = line.cause;
        self.rule = line.rule.as_ref().map(ToString::to_string);
        self.evidence.clone_from(&line.why);
        self.evidence_source.clone_from(&line.source);
        let damage: Vec<&str> = line.damage.iter().map(|harm| harm.damage.name()).collect();
        self.damage = (!damage.is_empty()).then(|| damage.join("+"));
        self.rules.clone_from(&line.rules);
        self.merge.clone_from(&line.merge);
        self.failed_at = line.place.and_then(Place::of_failure);
        self.features_passed = line.features_passed.map(count);
    }

    fn take_spent(&mut self, surveyed: &Surveyed, tried: &Tried<'_>, has_ledger: bool) {
        let trials = tried.trials.iter().copied();
        let spent = spent(trials, std::slice::from_ref(surveyed));
        let all = tried.trials.len() + spent.unlisted;
        if has_ledger {
            self.trials = Some(count(all));
            self.failed_trials = Some(count(tried.failed_before(surveyed.trial())));
        }
        // Of a pair that was never tried it is known that it cost nothing, if all trials are.
        let is_known = all > spent.total.unknown || spent.total.usd > 0.0;
        let is_free = all == 0 && has_ledger;
        self.spent_usd = (is_known || is_free).then_some(spent.total.usd);
        self.spent_unknown_trials = count(spent.total.unknown);
    }

    /// How the trial ended, and what it used.
    fn take_result(&mut self, judged: &Judged, tried: &Tried<'_>) {
        let record = &judged.record;
        let is_it = |entry: &&&LedgerEntry| entry.trial == record.trial;
        let booked = tried.trials.iter().find(is_it);
        self.trial = Some(record.trial.clone());
        self.attempt = booked.and_then(|entry| entry.attempt).map(u64::from);
        self.model = record.model.clone().or(self.model.take());
        self.agent = record.agent_framework.clone().or(self.agent.take());
        self.void = Some(judged.finding.is_void());
        self.agents = Some(count(record.agents.len()));
        self.messages = record.messages_sent;
        if let Some(team) = &record.team {
            self.take_team(team);
        }
        self.steps = record.agents.iter().map(|agent| agent.steps).sum();
        if let Some(usage) = judged.usage {
            self.input_tokens = Some(usage.input_tokens);
            self.output_tokens = Some(usage.output_tokens);
            self.cached_tokens = Some(usage.cached_tokens);
            self.cache_write_tokens = Some(usage.cache_write_tokens);
            self.reasoning_tokens = Some(usage.reasoning_tokens);
        }
        self.cost_usd = judged.cost.usd;
        self.has_unknown_cost = Some(judged.cost.has_unknown());
        self.duration_s = record.duration_seconds;
        let waited = record.agents.iter().map(|agent| agent.waited_seconds);
        self.waited_s = waited
            .collect::<Option<Vec<f64>>>()
            .and_then(|waited| waited.into_iter().reduce(f64::max));
        self.started_at = record.started_at.as_deref().and_then(LocalTime::of);
        self.ended_at = record.ended_at.as_deref().and_then(LocalTime::of);
    }

    /// What the task list tells.
    fn take_team(&mut self, team: &TeamMetrics) {
        self.team_tasks_total = team.tasks_total;
        self.team_tasks_done = team.tasks_done;
        self.team_unowned_at_end = team.unowned_at_end;
        // Without a list there is nobody who took nothing.
        let sum =
            |per_agent: &BTreeMap<String, u64>| team.tasks_total.map(|_| per_agent.values().sum());
        self.team_claims = sum(&team.claims_per_agent);
        self.team_updates = sum(&team.updates_per_agent);
        self.team_first_claim_s = team.time_to_first_claim_seconds;
    }

    /// What the hidden tests say.
    fn take_verdict(&mut self, file: &EvalFile, features: [u64; 2], line: &PairLine) {
        let own = file.regatta.as_ref();
        let suites = own.map(|own| own.suites.as_slice()).unwrap_or_default();
        let [one, two] = features.map(|feature| suite_of(suites, feature));
        self.feature1_outcome = one.map(|suite| suite.outcome.clone());
        self.feature2_outcome = two.map(|suite| suite.outcome.clone());
        if let Some(seen) = &file.feature1 {
            self.feature1_passed = seen.passed;
            self.feature1_tests_passed = seen.tests_passed;
            self.feature1_tests_failed = seen.tests_failed;
        }
        if let Some(seen) = &file.feature2 {
            self.feature2_passed = seen.passed;
            self.feature2_tests_passed = seen.tests_passed;
            self.feature2_tests_failed = seen.tests_failed;
        }
        self.feature1_alone_passed = file.passed_alone(0, features);
        self.feature2_alone_passed = file.passed_alone(1, features);
        let by_bytes = own.and_then(|own| own.by_bytes.as_ref());
        self.passed_by_bytes = by_bytes.map(|it| it.both_passed);
        if line.outcome == Outcome::Pass {
            let flagged = line.flagged.as_ref();
            let is_told = flagged.is_some() || file.is_looked_at();
            self.flagged = is_told.then_some(flagged.is_some());
            self.flagged_why = flagged.map(|it| it.why.clone());
            self.passed_without_steering = flagged.and_then(|it| it.verdict_without_steering);
        }
    }

    fn take_grounds(&mut self, grounds: &Grounds) {
        let world = |pin: &Pin| {
            let world = pin.world.as_ref()?;
            Some(format!("{} {}", world.name(), world.digest()))
        };
        if let Some(pin) = &grounds.begun_with {
            (self.task_files_sha256, self.task_world) = (files_digest(pin), world(pin));
        }
        if let Some(pin) = &grounds.judged_with {
            (self.judged_files_sha256, self.judged_world) = (files_digest(pin), world(pin));
        }
    }
}

fn suite_of(suites: &[SuiteNote], feature: u64) -> Option<&SuiteNote> {
    suites.iter().find(|suite| suite.feature == feature)
}

/// One digest of all files, as `sha256sum` lists them; none where none is known.
fn files_digest(pin: &Pin) -> Option<String> {
    let mut list = String::new();
    for (name, digest) in &pin.files {
        if let Some(digest) = digest {
            let _ = writeln!(list, "{digest}  {name}");
        }
    }
    (!list.is_empty()).then(|| digest(list.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Cost, RuleId};
    use crate::report::made::{at, entry, failed, finished, judged, pair, result};
    use crate::triage::{Cause, Diagnosis, Finding};

    /// The row of a pair of a run with a ledger of these trials.
    fn row(surveyed: &Surveyed, trials: &[LedgerEntry], has_ledger: bool) -> Row {
        let tried = Tried {
            trials: trials.iter().collect(),
            forced_at: None,
        };
        let mut row = Row::default();
        let line = PairLine::of(surveyed, &tried);
        row.take_pair(surveyed, &line, &tried, has_ledger, None);
        row
    }

    #[test]
    fn a_missing_pair_has_cost_nothing_only_where_all_trials_are_known() {
        let missing = at(pair(1, 2), Standing::Missing);
        let known = row(&missing, &[], true);
        assert_eq!((known.trials, known.spent_usd), (Some(0), Some(0.0)));
        let untold = row(&missing, &[], false);
        assert_eq!((untold.trials, untold.spent_usd), (None, None));
        assert_eq!((untold.cost_usd, untold.has_unknown_cost), (None, None));
        assert_eq!(
            (untold.passed, untold.pair.as_deref()),
            (None, Some("ferry_task/1/f1_f2"))
        );
    }

    #[test]
    fn what_a_pair_cost_has_its_trials_that_no_longer_stand() {
        let stands = finished(pair(1, 2));
        let trials = [
            entry(&stands.pair, "before", Some(0.5), Some(Cause::Infra)),
            entry(&stands.pair, "cut", None, Some(Cause::Infra)),
            entry(&stands.pair, &stands.pair.to_string(), Some(1.0), None),
        ];
        let row = row(&stands, &trials, true);
        assert_eq!((row.cost_usd, row.spent_usd), (Some(1.0), Some(1.5)));
        assert_eq!((row.trials, row.failed_trials), (Some(3), Some(2)));
        assert_eq!((row.spent_unknown_trials, row.attempt), (1, Some(1)));
        assert_eq!((row.steps, row.agents), (Some(2), Some(1)));
    }

    #[test]
    fn a_cost_of_which_nothing_is_known_is_not_zero() {
        let standing = result("x", "Submitted", Finding::Finished, Cost::UNKNOWN);
        let untold = row(&at(pair(1, 2), standing), &[], true);
        assert_eq!(
            (untold.cost_usd, untold.has_unknown_cost),
            (None, Some(true))
        );
        assert_eq!((untold.spent_usd, untold.spent_unknown_trials), (None, 1));
        let unreadable = at(pair(1, 2), Standing::Unreadable("it is empty".to_owned()));
        let unreadable = row(&unreadable, &[], true);
        assert_eq!(unreadable.has_unknown_cost, Some(true));
        assert_eq!(unreadable.evidence.as_deref(), Some("it is empty"));
    }

    #[test]
    fn a_void_result_is_there_and_says_so() {
        let why = Diagnosis::new(Cause::Infra, RuleId::of("lost"), "docker", "it was gone");
        let finding = Finding::OnlyLooksFinished(why);
        let void = at(
            pair(1, 2),
            result("x", "Submitted", finding, Cost::whole(1.0)),
        );
        let void = row(&void, &[], true);
        assert_eq!((void.void, void.outcome), (Some(true), Outcome::InfraError));
        assert_eq!(void.rule.as_deref(), Some("lost"));
        assert_eq!(row(&finished(pair(1, 2)), &[], true).void, Some(false));
    }

    #[test]
    fn an_error_has_its_cause_and_no_verdict() {
        let error = judged(failed(pair(1, 2), Cause::Infra), r#"{"both_passed":true}"#);
        let row = row(&error, &[], true);
        assert_eq!((row.outcome, row.passed), (Outcome::InfraError, None));
        assert_eq!(
            (row.cause, row.rule.as_deref()),
            (Some(Cause::Infra), Some("a_rule"))
        );
        assert_eq!(row.evidence.as_deref(), Some("what it said"));
        assert_eq!(row.evidence_source.as_deref(), Some("agent.error"));
    }

    #[test]
    fn what_a_verdict_rests_on_is_one_digest_of_its_files_and_its_world() {
        let of = |judged_with: &str| {
            let json = format!(
                r#"{{"both_passed":true,"evaluated_at":"2026-01-01T10:00:00",
                    "regatta":{{"rules":"0.0.29","trial":"x","judged_with":{judged_with}}}}}"#
            );
            row(&judged(finished(pair(1, 2)), &json), &[], true)
        };
        let known = of(
            r#"{"files":{"runner.sh":"aa","feature1/tests.patch":null},"world":{"image_config":"bb"}}"#,
        );
        assert_eq!(known.judged_files_sha256, Some(digest(b"aa  runner.sh\n")));
        assert_eq!(known.judged_world.as_deref(), Some("image (config) bb"));
        assert_eq!((known.task_files_sha256, known.task_world), (None, None));
        let at = known.evaluated_at.map(|at| at.to_string());
        assert_eq!(at.as_deref(), Some("2026-01-01T10:00:00.000000"));
        let nothing = of(r#"{"files":{},"world":null}"#);
        assert_eq!(
            (nothing.judged_files_sha256, nothing.judged_world),
            (None, None)
        );
    }

    #[test]
    fn each_feature_has_its_tests_and_a_patch_alone_its_verdicts() {
        let suite = |feature: u64, outcome: &str| {
            format!(
                r#"{{"feature":{feature},"outcome":"{outcome}","reason":"","failed_tests":[],"named_tests":3}}"#
            )
        };
        let of = |alone: &str| {
            let json = format!(
                r#"{{"both_passed":false,"feature1":{{"passed":true,"tests_passed":3,"tests_failed":0}},
                    "feature2":{{"passed":false,"tests_passed":1,"tests_failed":2}},
                    "merge":{{"status":"conflicts"}},
                    "regatta":{{"rules":"0.0.11","trial":"x","suites":[{},{}],
                        "alone":{{"agent":"agent1","suites":[{alone}]}}}}}}"#,
                suite(1, "passed"),
                suite(2, "failed")
            );
            row(&judged(finished(pair(1, 2)), &json), &[], true)
        };
        let both = of("");
        assert_eq!((both.passed, both.features_passed), (Some(false), Some(1)));
        assert_eq!(
            (both.feature1_tests_passed, both.feature2_tests_failed),
            (Some(3), Some(2))
        );
        assert_eq!(both.feature2_outcome.as_deref(), Some("failed"));
        assert_eq!(both.merge.as_deref(), Some("conflicts"));
        assert_eq!(both.failed_at, None);
        let alone = |row: &Row| [row.feature1_alone_passed, row.feature2_alone_passed];
        assert_eq!(alone(&both), [Some(true), None]);
        assert_eq!(alone(&of(&suite(1, "failed"))), [Some(false), None]);
        let plain = |json: &str| row(&judged(finished(pair(1, 2)), json), &[], true);
        let without = plain(r#"{"both_passed":true}"#);
        assert_eq!((alone(&without), without.flagged), ([None, None], None));
        let of_a_fork = plain(
            r#"{"both_passed":false,"feature1_independent":{"passed":true,"reason":null},
                "feature2_independent":{"passed":false}}"#,
        );
        assert_eq!(alone(&of_a_fork), [Some(true), Some(false)]);
        assert_eq!(of_a_fork.failed_at, None);
        let odd = plain(r#"{"both_passed":false,"feature1_independent":"yes"}"#);
        assert_eq!(alone(&odd), [None, None]);
    }
}
