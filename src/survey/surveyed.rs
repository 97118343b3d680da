//! What a survey found of one pair.

use super::beyond::Beyond;
use super::damage::Harm;
use crate::bench::setting::Tree;
use crate::bench::{Cost, Pair, Usage};
use crate::evaluation::Verdict;
use crate::store::eval::{self, EvalFile};
use crate::store::stream;
use crate::store::{LedgerEntry, TrialRecord};
use crate::triage::{Finding, ToldError};

/// A pair with all that the disk says of it.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// The pair that was looked at.
    pub pair: Pair,
    /// The tree it stands in.
    pub tree: Tree,
    /// What stands at its `result.json`.
    pub standing: Standing,
    /// The hidden tests' verdict, when there is one.
    pub verdict: Option<Verdict>,
    /// What the evaluation wrote, when it can be read.
    pub evaluation: Option<EvalFile>,
    /// What stands beside the result and is of an earlier one: for us no verdict, for upstream one.
    pub outdated: Option<Box<EvalFile>>,
    /// Whether its time contradicts the result's, by so little that it stands all the same.
    pub is_time_unclear: bool,
    /// Why it did not pass, where it was judged.
    pub why_not: Option<String>,
    /// What is wrong with the result, where it was judged.
    pub damage: Vec<Harm>,
    /// Why there is no result, or no verdict on a finished one, where a file of the run's says it.
    pub told: Option<ToldError>,
}

impl Surveyed {
    /// The trial whose result stands.
    #[must_use]
    pub fn trial(&self) -> Option<&str> {
        match &self.standing {
            Standing::Result(judged) => Some(judged.record.trial.as_str()),
            Standing::Missing | Standing::Unreadable(_) => None,
        }
    }

    /// Takes a pass that is void for a failure; says whether it is one.
    pub fn make_strict(&mut self) -> bool {
        let file = self.evaluation.as_mut();
        let is_void =
            self.verdict == Some(Verdict::Pass) && file.is_some_and(EvalFile::make_strict);
        if is_void {
            self.verdict = Some(Verdict::Fail);
            let own = self.evaluation.as_ref().and_then(|it| it.regatta.as_ref());
            self.why_not = own.map(|own| eval::why_not(&own.suites));
        }
        is_void
    }
}

/// What stands at a pair.
#[derive(Clone, Debug)]
pub enum Standing {
    /// There is no `result.json`.
    Missing,
    /// A file that is no result, and why.
    Unreadable(String),
    /// A result, and what triage says of it.
    Result(Box<Judged>),
}

/// A result with what triage says of it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What its `result.json` says, before a price or a ledger had a say.
    pub record: TrialRecord,
    /// Whether the trial finished, and if not by whose doing.
    pub finding: Finding,
    /// What there is to read, where the finding is an error that no rule knows.
    pub told: Option<ToldError>,
    /// Tokens, as far as the trajectories tell.
    pub usage: Option<Usage>,
    /// What it cost, as far as that is known.
    pub cost: Cost,
    /// The name by which a price was found, where it is not the model's own.
    pub priced_as: Option<String>,
    /// How the agents' own programs say that they ended, in the record's order.
    pub ends: Vec<Option<stream::LastEvent>>,
    /// Whose patch was seen to be more than a line or two, so that nobody has to look again.
    pub long_patches: Vec<bool>,
    /// What they spent beyond what the result says.
    pub beyond: Vec<Beyond>,
}

impl Judged {
    /// The text that says how the trial failed: what triage decided by, or what no rule knows.
    #[must_use]
    pub fn error_text(&self) -> Option<&str> {
        let told = || self.told.as_ref().map(|told| told.text.as_str());
        let diagnosis = self.finding.diagnosis();
        diagnosis
            .map(|diagnosis| diagnosis.evidence.text.as_str())
            .or_else(told)
    }
}

impl Judged {
    /// What the trial cost with what its agents' programs spent beyond the result.
    #[must_use]
    pub fn spent(&self) -> Cost {
        Cost {
            usd: self.cost.usd.map(|usd| usd + self.beyond_usd()),
            ..self.cost
        }
    }

    fn beyond_usd(&self) -> f64 {
        self.beyond.iter().map(|it| it.usd).sum()
    }

    /// What the trial adds to a total: all of it, or of one that is booked, what was not known when
    /// it was. Zeros may have been booked that are not believed any more.
    pub(super) fn unbooked(&self, booked: Option<&LedgerEntry>) -> Cost {
        let spent = self.spent();
        let is_nothing = |entry: &LedgerEntry| entry.cost == Some(0.0) && !entry.usage_unknown;
        let Some(booked) = booked.filter(|entry| !is_nothing(entry)) else {
            return spent;
        };
        let both = spent.usd.zip(booked.cost);
        let more = both.map_or(0.0, |(spent, booked)| spent - booked);
        Cost::whole(more.clamp(0.0, self.beyond_usd()))
    }
}

/// A pair at which this stands, without a verdict, for tests of what is made of it.
#[cfg(test)]
#[must_use]
pub fn at(pair: Pair, standing: Standing) -> Surveyed {
    Surveyed {
        pair,
        tree: Tree::Solo,
        standing,
        verdict: None,
        evaluation: None,
        outdated: None,
        is_time_unclear: false,
        why_not: None,
        damage: Vec::new(),
        told: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::RuleId;
    use crate::survey::made::{entry, judged, pair};
    use crate::triage::{Cause, Diagnosis};

    /// A trial of half a dollar whose programs spent two eighths beyond its result.
    fn gone_on() -> Judged {
        let beyond = || Beyond {
            agent: "agent1".to_owned(),
            usd: 0.125,
        };
        Judged {
            beyond: vec![beyond(), beyond()],
            ..judged("mole", 0.5)
        }
    }

    #[test]
    fn what_programs_spent_beyond_the_result_is_of_the_trials_cost() {
        assert_eq!(gone_on().spent(), Cost::whole(0.75));
        let mut partial = gone_on();
        partial.cost.is_partial = true;
        let known = Cost {
            usd: Some(0.75),
            is_partial: true,
        };
        assert_eq!(partial.spent(), known);
        partial.cost = Cost::UNKNOWN;
        assert_eq!(partial.spent(), Cost::UNKNOWN);
    }

    #[test]
    fn a_booked_trial_adds_only_what_was_not_known_when_it_was_booked() {
        let adds = |booked: Option<f64>| {
            let entry = entry(&pair(2), "mole", booked);
            gone_on().unbooked(Some(&entry))
        };
        assert_eq!(gone_on().unbooked(None), Cost::whole(0.75));
        assert_eq!(adds(Some(0.5)), Cost::whole(0.25));
        assert_eq!(adds(Some(0.625)), Cost::whole(0.125));
        assert_eq!(adds(Some(0.75)), Cost::whole(0.0));
        // What was booked of another price is not made good.
        assert_eq!(adds(Some(2.0)), Cost::whole(0.0));
        assert_eq!(adds(Some(0.125)), Cost::whole(0.25));
        assert_eq!(adds(None), Cost::whole(0.0));
    }

    #[test]
    fn zeros_that_were_booked_are_believed_only_beside_calls_of_unknown_usage() {
        let mut nothing = entry(&pair(2), "mole", Some(0.0));
        assert_eq!(gone_on().unbooked(Some(&nothing)), Cost::whole(0.75));
        nothing.usage_unknown = true;
        assert_eq!(gone_on().unbooked(Some(&nothing)), Cost::whole(0.25));
    }

    #[test]
    fn a_failure_is_told_by_what_triage_decided_by_or_by_what_no_rule_knows() {
        let mut judged = judged("mole", 0.5);
        assert_eq!(judged.error_text(), None);
        judged.told = Some(ToldError {
            rule: None,
            source: "agent.error".to_owned(),
            text: "the boat leaks".to_owned(),
        });
        assert_eq!(judged.error_text(), Some("the boat leaks"));
        let rule = RuleId::of("a_rule");
        let diagnosis = Diagnosis::new(Cause::Infra, rule, "agent.error", "no oars");
        judged.finding = Finding::Failed(diagnosis);
        assert_eq!(judged.error_text(), Some("no oars"));
    }

    #[test]
    fn a_pair_has_the_trial_of_a_result_that_can_be_read() {
        let stands = |standing| at(pair(2), standing);
        let result = stands(Standing::Result(Box::new(judged("mole", 0.5))));
        assert_eq!(result.trial(), Some("mole"));
        let unreadable = stands(Standing::Unreadable("a list".to_owned()));
        assert_eq!(unreadable.trial(), None);
        assert_eq!(stands(Standing::Missing).trial(), None);
    }

    /// A pair that passed, with what the look at its first feature's pass found missing.
    fn passed(missing: &str) -> Surveyed {
        let json = format!(
            r#"{{"both_passed":true,"feature1":{{"passed":true}},"feature2":{{"passed":true}},
                "regatta":{{"rules":"0.0.16","trial":"mole","suites":[{{"feature":1,
                "outcome":"passed","reason":"","failed_tests":[],"named_tests":1,
                "tests_compared":"names","tests_missing":[{missing}],"steering_files":[]}}]}}}}"#
        );
        Surveyed {
            verdict: Some(Verdict::Pass),
            evaluation: Some(serde_json::from_str(&json).unwrap()),
            ..at(pair(2), Standing::Missing)
        }
    }

    #[test]
    fn a_pass_with_a_test_that_did_not_run_is_made_a_failure_that_says_so() {
        let mut void = passed(r#""test_row""#);
        assert!(void.make_strict());
        assert_eq!(void.verdict, Some(Verdict::Fail));
        let why = "feature 1: not run, unlike with the dataset's own patch: test_row";
        assert_eq!(void.why_not.as_deref(), Some(why));
    }

    #[test]
    fn a_pass_of_all_tests_and_what_is_no_pass_stay_what_they_are() {
        let mut whole = passed("");
        assert!(!whole.make_strict());
        assert_eq!((whole.verdict, whole.why_not), (Some(Verdict::Pass), None));
        let mut other = passed(r#""test_row""#);
        other.verdict = None;
        assert!(!other.make_strict());
        assert_eq!((other.verdict, other.why_not), (None, None));
    }
}
