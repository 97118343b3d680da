//! One pair's line in a report. Pure.

use serde::Serialize;

use super::Outcome;
use super::flags::Flagged;
use super::grounds::Grounds;
use super::place::{Place, in_place};
use super::trials::Tried;
use crate::bench::RuleId;
use crate::evaluation::Verdict;
use crate::store::LedgerEntry;
use crate::store::eval::{self, EvalFile, FeatureSeen};
use crate::store::result::TeamMetrics;
use crate::survey::{Damage, Harm, Judged, Standing, Surveyed};
use crate::triage::{Cause, Diagnosis, ToldError};

/// One pair in a summary.
#[derive(Clone, Debug, Serialize)]
pub struct PairLine {
    /// The pair, `repo/task/fi_fj`, with further features after those.
    pub pair: String,
    /// Its task, `repo/task`: pairs of one task are alike.
    pub task: String,
    /// What it counts as; everything that is counted goes by this.
    pub outcome: Outcome,
    /// Whether it has no result because no command has asked for the pair yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub not_asked: bool,
    /// The agents' statuses in one word; `None` without a result that can be read.
    pub status: Option<String>,
    /// Why it did not finish, or not pass.
    pub why: Option<String>,
    /// Whose doing it was, where triage or an evaluation of ours says it.
    #[serde(skip)]
    pub cause: Option<Cause>,
    /// The id of the triage rule that decided why; `None` where none knows the text, or nothing
    /// failed.
    pub rule: Option<RuleId>,
    /// Where the text of `why` stands, where it is an error's.
    pub source: Option<String>,
    /// Whether the result names a cost, be it zero.
    pub names_cost: bool,
    /// What is known of the cost of the result that stands, in USD; `None` when nothing is.
    pub cost: Option<f64>,
    /// Whether there were calls whose usage is not known.
    pub usage_unknown: bool,
    /// Wall-clock seconds of that trial.
    pub duration_seconds: Option<f64>,
    /// How many trials it took, as far as the ledger knows.
    pub trials: usize,
    /// How many of them failed, were cut off or are void before the one that stands. What --force
    /// replaced is no part of it.
    #[serde(skip)]
    pub failed_trials: usize,
    /// How many of the two judged features' hidden tests pass, where they were judged.
    pub features_passed: Option<usize>,
    /// How the two patches merged, in the evaluation's word.
    pub merge: Option<String>,
    /// Where two agents' work failed, if it did; `None` for one agent, and where it was not judged.
    pub place: Option<Place>,
    /// Whether each agent's patch alone passes its own feature, of such a pair.
    #[serde(skip)]
    pub alone: [Option<bool>; 2],
    /// The rule set that judged it; `unknown` where an evaluation does not say.
    pub rules: Option<String>,
    /// What a pass that is flagged is worth; none of any other pair.
    pub flagged: Option<Flagged>,
    /// How its team worked together, where a task list tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamMetrics>,
    /// What is wrong with the result, where it was judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damage: Vec<Harm>,
    /// What it was run and judged with.
    #[serde(skip)]
    pub grounds: Grounds,
}

impl PairLine {
    /// Of a pair as the survey found it, and of its trials.
    #[must_use]
    pub fn of(surveyed: &Surveyed, tried: &Tried<'_>) -> Self {
        let outcome = Outcome::of(surveyed);
        let mut line = Self {
            pair: surveyed.pair.to_string(),
            task: surveyed.pair.task.to_string(),
            outcome,
            not_asked: false,
            status: None,
            why: None,
            cause: None,
            rule: None,
            source: None,
            names_cost: false,
            cost: None,
            usage_unknown: false,
            duration_seconds: None,
            trials: tried.trials.len(),
            failed_trials: tried.failed_before(surveyed.trial()),
            features_passed: None,
            merge: None,
            place: None,
            alone: [None; 2],
            rules: None,
            flagged: None,
            team: None,
            damage: damage_of(surveyed, outcome),
            grounds: Grounds::default(),
        };
        if let Some(file) = surveyed.evaluation.as_ref().filter(|_| outcome.is_judged()) {
            line.take_verdict(file);
            if !surveyed.tree.is_solo() {
                line.alone = [0, 1].map(|of| file.passed_alone(of, surveyed.pair.features));
                line.place = Some(in_place(outcome, line.alone, file));
            }
        }
        if let Standing::Result(judged) = &surveyed.standing {
            line.take_result(judged);
        }
        line.explain(surveyed, tried.last());
        line
    }

    /// What an evaluation says of a pair that it judged.
    fn take_verdict(&mut self, file: &EvalFile) {
        let passed = |feature: &Option<FeatureSeen>| feature.as_ref()?.passed;
        self.features_passed = passed(&file.feature1)
            .zip(passed(&file.feature2))
            .map(|(one, two)| usize::from(one) + usize::from(two));
        if self.outcome == Outcome::Pass {
            self.flagged = Flagged::of(file);
        }
        self.merge = file.merge.as_ref().and_then(|merge| merge.status.clone());
        let own = file.regatta.as_ref();
        self.rules = Some(own.map_or_else(|| "unknown".to_owned(), |own| own.rules.to_string()));
    }

    /// How the trial ended, what it cost and how long it took.
    fn take_result(&mut self, judged: &Judged) {
        let record = &judged.record;
        self.status = Some(record.status());
        self.names_cost =
            record.whole_cost.is_some() || record.agents.iter().all(|agent| agent.cost.is_some());
        self.cost = judged.cost.usd;
        self.usage_unknown = judged.cost.is_partial;
        self.duration_seconds = record.duration_seconds;
        self.team.clone_from(&record.team);
    }

    /// Why it did not finish or not pass: what triage decided by, then what broke the evaluation,
    /// then what there is to read.
    fn explain(&mut self, surveyed: &Surveyed, last: Option<&LedgerEntry>) {
        if self.outcome == Outcome::Fail && surveyed.evaluation.is_some() {
            self.why.clone_from(&surveyed.why_not);
        }
        if let Some(told) = &surveyed.told {
            self.tell(told);
        }
        match &surveyed.standing {
            Standing::Missing => {
                let cut_off = last.filter(|entry| entry.is_cut_off());
                let diagnosis = cut_off.and_then(|entry| entry.diagnosis.as_ref());
                if let (None, Some(diagnosis)) = (&surveyed.told, diagnosis) {
                    self.diagnose(diagnosis);
                }
            }
            Standing::Unreadable(why) => self.why = Some(why.clone()),
            Standing::Result(judged) => {
                if let Some(diagnosis) = judged.finding.diagnosis() {
                    self.diagnose(diagnosis);
                } else if let Some(Verdict::Error(why)) = &surveyed.verdict {
                    self.blame_evaluation(surveyed.evaluation.as_ref(), why);
                } else if let Some(told) = &judged.told {
                    self.tell(told);
                }
            }
        }
    }

    /// An evaluation without a verdict; only our own names a rule.
    fn blame_evaluation(&mut self, file: Option<&EvalFile>, why: &str) {
        let own = file.and_then(|file| file.regatta.as_ref());
        let broken_by = own.and_then(|own| own.broken_by.as_ref());
        self.cause = broken_by.map(|broken| broken.cause);
        self.rule = own.map(|own| match &own.broken_by {
            Some(broken) => broken.rule.clone(),
            None => eval::MERGE_CONFLICT,
        });
        self.why = Some(why.to_owned());
        self.source = Some("eval.json".to_owned());
    }

    /// Where the text stands, unless it is where everybody looks first.
    #[must_use]
    pub fn source_to_show(&self) -> Option<&str> {
        let source = self.source.as_deref()?;
        let is_error = source.rsplit('.').next() == Some("error");
        (!is_error && source != "eval.json").then_some(source)
    }

    fn diagnose(&mut self, diagnosis: &Diagnosis) {
        self.cause = Some(diagnosis.cause);
        self.rule = Some(diagnosis.evidence.rule.clone());
        self.why = Some(diagnosis.evidence.text.clone());
        self.source = Some(diagnosis.evidence.source.clone());
    }

    fn tell(&mut self, told: &ToldError) {
        self.rule.clone_from(&told.rule);
        self.source = Some(told.source.clone());
        self.why = Some(told.text.clone());
    }
}

/// What is wrong with a pair's result that the rates contain. Of one that counts as an error only
/// that it passed is told: its patches are not taken for submissions.
fn damage_of(surveyed: &Surveyed, outcome: Outcome) -> Vec<Harm> {
    let mut damage = surveyed.damage.clone();
    damage.retain(|harm| outcome.is_judged() || harm.damage == Damage::EndedByError);
    damage
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Cost;
    use crate::report::made::{at, entry, failed, finished, judged, line, pair, result};
    use crate::store::ledger::CUT_OFF;
    use crate::triage::Finding;

    fn told(text: &str) -> ToldError {
        ToldError {
            rule: None,
            source: "summary.json".to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn triage_says_why_before_an_evaluation_that_broke() {
        let broken = r#"{"error":"409 Client Error"}"#;
        let error = line(&judged(failed(pair(1, 2), Cause::Infra), broken));
        assert_eq!(error.why.as_deref(), Some("what it said"));
        assert_eq!(error.rule.as_deref(), Some("a_rule"));
        assert_eq!(error.source_to_show(), None);
        let unjudged = line(&judged(finished(pair(1, 2)), broken));
        assert_eq!(unjudged.why.as_deref(), Some("409 Client Error"));
        assert_eq!(
            (unjudged.rule.as_deref(), unjudged.source_to_show()),
            (None, None)
        );
    }

    #[test]
    fn our_own_evaluation_names_its_rule_and_a_merge_that_cannot_be_made() {
        let own = |broken: &str| {
            let json =
                format!(r#"{{"error":"no","regatta":{{"rules":"0.0.11","trial":"x"{broken}}}}}"#);
            line(&judged(finished(pair(1, 2)), &json)).rule
        };
        let broken = r#","broken_by":{"cause":"infra","rule":"image_pull"}"#;
        assert_eq!(own(broken).as_deref(), Some("image_pull"));
        assert_eq!(own(""), Some(eval::MERGE_CONFLICT));
    }

    #[test]
    fn features_are_counted_where_both_are_known() {
        let passed = |features: &str| {
            let json = format!(r#"{{"both_passed":false,{features}}}"#);
            line(&judged(finished(pair(1, 2)), &json)).features_passed
        };
        let both = r#""feature1":{"passed":true},"feature2":{"passed":false}"#;
        assert_eq!(passed(both), Some(1));
        assert_eq!(passed(r#""feature1":{"passed":true}"#), None);
        assert_eq!(line(&finished(pair(1, 2))).features_passed, None);
    }

    #[test]
    fn a_missing_pair_was_cut_off_if_its_last_trial_was_and_no_file_says_more() {
        let missing = at(pair(1, 2), Standing::Missing);
        let mut cut = entry(&missing.pair, "a", None, Some(Cause::Infra));
        CUT_OFF.clone_into(&mut cut.status);
        let after = |last| Tried {
            trials: vec![last],
            forced_at: None,
        };
        let line = PairLine::of(&missing, &after(&cut));
        assert_eq!(line.rule.as_deref(), Some("a_rule"));
        let other = entry(&missing.pair, "a", None, Some(Cause::Infra));
        assert_eq!(PairLine::of(&missing, &after(&other)).rule, None);
        let mut said = missing.clone();
        said.told = Some(told("the console says more"));
        let line = PairLine::of(&said, &after(&cut));
        assert_eq!(line.why.as_deref(), Some("the console says more"));
        assert_eq!(line.source_to_show(), Some("summary.json"));
    }

    #[test]
    fn a_cost_is_named_where_every_agent_or_the_whole_has_one() {
        let standing = result("x", "Submitted", Finding::Finished, Cost::UNKNOWN);
        let named = line(&at(pair(1, 2), standing.clone()));
        assert!(named.names_cost && named.usage_unknown);
        assert_eq!((named.cost, named.duration_seconds), (None, Some(10.0)));
        let Standing::Result(mut judged) = standing else {
            panic!("a result");
        };
        judged.record.agents[0].cost = None;
        let without = at(pair(1, 2), Standing::Result(judged.clone()));
        assert!(!line(&without).names_cost);
        judged.record.whole_cost = Some(0.0);
        assert!(line(&at(pair(1, 2), Standing::Result(judged))).names_cost);
    }

    #[test]
    fn only_a_failure_that_an_evaluation_tells_of_says_why_not() {
        let of = |json: &str| {
            let mut surveyed = judged(finished(pair(1, 2)), json);
            surveyed.why_not = Some("a test failed".to_owned());
            surveyed
        };
        let failed = of(r#"{"both_passed":false}"#);
        assert_eq!(line(&failed).why.as_deref(), Some("a test failed"));
        assert_eq!(line(&of(r#"{"both_passed":true}"#)).why, None);
        let mut gone = failed;
        gone.evaluation = None;
        assert_eq!(line(&gone).why, None);
    }
    #[test]
    fn of_an_error_only_that_it_passed_is_told() {
        use Damage::{EmptySubmission, EndedByError};

        let damaged = |mut surveyed: Surveyed| {
            surveyed.damage = [EmptySubmission, EndedByError]
                .map(|damage| Harm {
                    damage,
                    why: "agent1".to_owned(),
                })
                .to_vec();
            line(&surveyed)
                .damage
                .iter()
                .map(|harm| harm.damage)
                .collect::<Vec<_>>()
        };
        let verdict = r#"{"both_passed":true}"#;
        assert_eq!(
            damaged(judged(finished(pair(1, 2)), verdict)),
            [EmptySubmission, EndedByError]
        );
        let error = judged(failed(pair(1, 2), Cause::Infra), verdict);
        assert_eq!(damaged(error), [EndedByError]);
    }
}
