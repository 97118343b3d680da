//! The numbers of one run. Pure: counts over what the survey found.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::damaged::{self, Damaged};
use super::flags::Flags;
use super::time_limit::TimeLimit;
use super::trials::Trials;
use super::{Outcome, PairLine, Rates, beyond};
use crate::bench::{RunName, Usage, cost::Cost, setting::RunSetting};
use crate::model::price::Total;
use crate::store::contents::Unread;
use crate::store::eval::EvalFile;
use crate::survey::spent::spent;
use crate::survey::{Judged, Standing, Surveyed};

/// The outcomes that are shown even where no pair has them.
const LOOKED_FOR: [Outcome; 4] = [
    Outcome::Pass,
    Outcome::Fail,
    Outcome::InfraError,
    Outcome::Missing,
];

/// The numbers of one run.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The run's name, by which other runs of its experiment are found.
    pub run: RunName,
    /// Its setting, when it is known.
    pub setting: Option<RunSetting>,
    /// The model of its results.
    pub model: Option<String>,
    /// The agent framework of its results.
    pub agent: Option<String>,
    /// The pairs of the plan; for a tree without a manifest, those that are there or that
    /// upstream's `config.json` counted.
    pub pairs: usize,
    /// How many of them commands have asked for so far; `None` where they asked for all.
    pub asked: Option<usize>,
    /// Pairs whose trial finished, whatever its verdict.
    pub finished: usize,
    /// Trials in which every agent submitted.
    pub submitted: usize,
    /// Pairs by outcome; one that no pair has is not there.
    pub outcomes: BTreeMap<Outcome, usize>,
    /// What the results that stand cost.
    pub headline_cost: Total,
    /// What every trial cost, those that no longer stand included.
    pub total_spent: Total,
    /// What agents' programs spent after the end that upstream read, and their results do not have.
    pub beyond_results: Vec<beyond::OfPair>,
    /// The names by which prices were found, where they are not the model's own: guesses.
    pub priced_as: BTreeSet<String>,
    /// Whether the ledger knows of every trial: a tree that upstream alone wrote has none.
    pub has_ledger: bool,
    /// Tokens of the results that stand, where they are known.
    pub usage: Option<Usage>,
    /// How many of the results that stand have unknown tokens.
    pub usage_unknown: usize,
    /// Wall-clock seconds of the results that stand, summed, where they are known.
    pub trial_seconds: f64,
    /// How many of the results that stand have an unknown time.
    pub trial_seconds_unknown: usize,
    /// Trials in the ledger, where there is one, and those that it lacks.
    pub trials: usize,
    /// Trials that began and that the ledger lacks: they run, or died with regatta.
    pub unbooked: usize,
    /// Lines of the ledger that cannot be read; their trials are not counted.
    pub unreadable_ledger_lines: usize,
    /// What the verdicts come to.
    pub rates: Rates,
    /// Passes that are worth another look.
    pub flagged: Flags,
    /// How many passes count as failures where flagged ones are none; `None` where they are some.
    pub strict_verdicts: Option<usize>,
    /// Passes, as the evaluation gave them, of which nobody looked whether all tests ran.
    pub not_looked_at: usize,
    /// Judged pairs whose result says that it ended after its verdict was made, by less than two
    /// local times without a zone may differ.
    pub verdict_time_unclear: Vec<String>,
    /// Judged results that are not what they look like, by what is wrong with them.
    pub damaged: Vec<Damaged>,
    /// Trials that the time limit ended.
    pub time_limit: TimeLimit,
    /// What of its trials is more than two agents with a feature each.
    #[serde(flatten)]
    pub teams: super::teams::Teams,
    /// Judged pairs whose submission gets another verdict byte for byte than by upstream's rules.
    pub verdict_not_by_bytes: Vec<String>,
    /// Pairs with a feature that no patch can be judged by, as `regatta eval --gold` found.
    pub ungradeable: Vec<String>,
    /// What was run or judged with different datasets or images, a sentence each.
    pub mixed: Vec<String>,
    /// Where results are not read: no pair of this run stands there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
    /// Every pair that is named, in the survey's order; pairs that nothing on disk names have none.
    pub lines: Vec<PairLine>,
}

impl Summary {
    /// Sums up a run. `planned` is how many pairs there should be when no manifest names them.
    #[must_use]
    pub fn of(
        run: RunName,
        setting: Option<RunSetting>,
        surveyed: &[Surveyed],
        trials: Trials<'_>,
        planned: Option<usize>,
        unread: &[Unread],
    ) -> Self {
        let ledger = trials.booked;
        let spent = spent(trials.all(), surveyed);
        let mut summary = Self {
            run,
            setting,
            model: None,
            agent: None,
            pairs: surveyed.len(),
            asked: None,
            finished: 0,
            submitted: 0,
            outcomes: BTreeMap::new(),
            headline_cost: Total::default(),
            total_spent: spent.total,
            beyond_results: Vec::new(),
            priced_as: BTreeSet::new(),
            has_ledger: trials.all().next().is_some()
                || (unread.is_empty()
                    && surveyed
                        .iter()
                        .all(|pair| matches!(pair.standing, Standing::Missing))),
            usage: None,
            usage_unknown: 0,
            trial_seconds: 0.0,
            trial_seconds_unknown: 0,
            trials: trials.all().count(),
            unbooked: trials.unbooked.len(),
            unreadable_ledger_lines: 0,
            rates: Rates::default(),
            flagged: Flags::default(),
            strict_verdicts: None,
            not_looked_at: 0,
            verdict_time_unclear: Vec::new(),
            damaged: Vec::new(),
            time_limit: TimeLimit::of(surveyed, ledger),
            teams: super::teams::Teams::of(surveyed),
            verdict_not_by_bytes: Vec::new(),
            ungradeable: Vec::new(),
            mixed: Vec::new(),
            unread: unread.to_vec(),
            lines: Vec::new(),
        };
        let tried = trials.by_pair();
        if summary.has_ledger {
            summary.trials += spent.unlisted;
        }
        for pair in surveyed {
            let tried = tried.get(&pair.pair).cloned().unwrap_or_default();
            let line = PairLine::of(pair, &tried);
            summary.count(&line, pair);
            summary.lines.push(line);
        }
        // A stranger's tree may lack pairs that nothing on disk names.
        let unnamed = planned.unwrap_or(0).saturating_sub(surveyed.len());
        summary.count_unnamed(unnamed);
        summary.rates = Rates::of(&summary.lines, unnamed);
        summary
    }

    fn count(&mut self, line: &PairLine, surveyed: &Surveyed) {
        *self.outcomes.entry(line.outcome).or_default() += 1;
        self.finished += usize::from(line.outcome.is_finished());
        damaged::count(&mut self.damaged, &line.pair, line.outcome, &line.damage);
        if let Some(file) = &surveyed.evaluation
            && line.outcome.is_judged()
        {
            self.count_verdict(line, surveyed.is_time_unclear, file);
        }
        match &surveyed.standing {
            Standing::Missing => {}
            // A result that cannot be read had a cost and a time.
            Standing::Unreadable(_) => {
                self.headline_cost.add(Cost::UNKNOWN);
                self.add_use(None, None);
            }
            Standing::Result(judged) => self.count_result(line, judged),
        }
    }

    /// What a verdict is worth.
    fn count_verdict(&mut self, line: &PairLine, is_time_unclear: bool, file: &EvalFile) {
        if is_time_unclear {
            self.verdict_time_unclear.push(line.pair.clone());
        }
        if file.differs_by_bytes() {
            self.verdict_not_by_bytes.push(line.pair.clone());
        }
        if line.outcome == Outcome::Pass {
            self.flagged.count(line.flagged.as_ref());
            self.not_looked_at += usize::from(!file.is_looked_at());
        }
    }

    /// What a result that stands used. The run's model and framework are those of the first one
    /// that names them.
    fn count_result(&mut self, line: &PairLine, judged: &Judged) {
        let record = &judged.record;
        self.model = self.model.take().or_else(|| record.model.clone());
        self.agent = self.agent.take().or_else(|| record.agent_framework.clone());
        self.submitted += usize::from(line.outcome.is_finished() && record.is_submitted());
        self.headline_cost.add(judged.cost);
        self.priced_as.extend(judged.priced_as.clone());
        self.add_use(judged.usage, record.duration_seconds);
        let beyond = judged.beyond.iter().map(|more| beyond::OfPair {
            pair: line.pair.clone(),
            agent: more.agent.clone(),
            usd: more.usd,
        });
        self.beyond_results.extend(beyond);
    }

    /// Adds a standing result's tokens and time, where they are known.
    pub(super) fn add_use(&mut self, usage: Option<Usage>, seconds: Option<f64>) {
        match usage {
            Some(usage) => *self.usage.get_or_insert_default() += usage,
            None => self.usage_unknown += 1,
        }
        match seconds {
            Some(seconds) => self.trial_seconds += seconds,
            None => self.trial_seconds_unknown += 1,
        }
    }

    /// How many pairs count as this.
    #[must_use]
    pub fn count_of(&self, outcome: Outcome) -> usize {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }

    /// Pairs that the plan has and that did not finish.
    #[must_use]
    pub const fn unfinished(&self) -> usize {
        self.pairs - self.finished
    }

    /// The experiment's one-line summary: the four counts it asks for, then what else there is.
    #[must_use]
    pub fn counts(&self) -> String {
        let counted = self.counted();
        let words = counted.map(|(outcome, n)| format!("{n} {}", outcome.name()));
        words.collect::<Vec<_>>().join(", ")
    }

    /// The counts that a summary tells, in its order.
    pub fn counted(&self) -> impl Iterator<Item = (Outcome, usize)> {
        let rest = Outcome::ALL
            .into_iter()
            .filter(|outcome| !LOOKED_FOR.contains(outcome));
        let rest = rest.filter(|outcome| self.count_of(*outcome) > 0);
        let told = LOOKED_FOR.into_iter().chain(rest);
        told.map(|outcome| (outcome, self.count_of(outcome)))
    }
}

/// The outcomes that a table of these runs has a column for: those that people look for, and those
/// that some pair has.
#[must_use]
pub fn columns(summaries: &[Summary]) -> Vec<Outcome> {
    let is_there = |outcome| {
        summaries
            .iter()
            .any(|summary| summary.count_of(outcome) > 0)
    };
    let mut columns = Outcome::ALL.to_vec();
    columns.retain(|outcome| LOOKED_FOR.contains(outcome) || is_there(*outcome));
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Cost, Setting};
    use crate::report::made::{
        at, counts, entry, failed, finished, judged, pair, result, run, with_verdict,
    };
    use crate::statistics::Rate;
    use crate::triage::{Cause, Finding};

    #[test]
    fn every_pair_counts_once_and_as_one_thing() {
        let limited = result("y", "LimitsExceeded", Finding::Finished, Cost::UNKNOWN);
        let unmatched = result("x", "Error", Finding::Unmatched, Cost::whole(1.0));
        let pairs = vec![
            with_verdict(pair(1, 2), [true, true]),
            with_verdict(pair(1, 3), [true, false]),
            at(pair(1, 4), limited),
            judged(finished(pair(1, 5)), r#"{"error":"409 Client Error"}"#),
            failed(pair(1, 6), Cause::Agent),
            failed(pair(1, 7), Cause::Infra),
            failed(pair(1, 8), Cause::Limit),
            failed(pair(1, 9), Cause::Config),
            at(pair(2, 2), unmatched),
            at(pair(2, 3), Standing::Unreadable("it is empty".to_owned())),
            at(pair(2, 4), Standing::Missing),
        ];
        let summary = run("x-solo", Setting::Solo, &pairs, &[]);
        let each_once: Vec<_> = Outcome::ALL.iter().map(|outcome| (*outcome, 1)).collect();
        assert_eq!(counts(&summary), each_once);
        assert_eq!(summary.pairs, 11);
        assert_eq!((summary.finished, summary.unfinished()), (4, 7));
        // An agent that ended in an error submitted nothing, nor did one that met a limit.
        assert_eq!(summary.submitted, 3);
    }

    #[test]
    fn an_error_that_was_judged_all_the_same_counts_as_an_error() {
        let error = judged(failed(pair(1, 2), Cause::Infra), r#"{"both_passed":true}"#);
        let summary = run("x-solo", Setting::Solo, &[error], &[]);
        assert_eq!(counts(&summary), [(Outcome::InfraError, 1)]);
        assert_eq!(summary.rates.judged, None);
        assert_eq!(summary.lines[0].features_passed, None);
    }

    #[test]
    fn costs_and_times_are_summed_and_what_is_unknown_is_counted() {
        let partly = Cost {
            usd: Some(0.25),
            is_partial: true,
        };
        let pairs = [
            finished(pair(1, 2)),
            at(
                pair(1, 3),
                result("p", "Submitted", Finding::Finished, partly),
            ),
            at(
                pair(1, 4),
                result("u", "Submitted", Finding::Finished, Cost::UNKNOWN),
            ),
            at(pair(1, 5), Standing::Unreadable("it is empty".to_owned())),
            at(pair(1, 6), Standing::Missing),
        ];
        let summary = run("x-solo", Setting::Solo, &pairs, &[]);
        let headline = summary.headline_cost;
        assert_eq!((headline.usd, headline.unknown), (1.25, 3));
        assert_eq!(summary.total_spent, headline);
        // Three results of ten seconds, and one that tells nothing.
        let time = (summary.trial_seconds, summary.trial_seconds_unknown);
        assert_eq!(time, (30.0, 1));
        assert_eq!((summary.usage, summary.usage_unknown), (None, 4));
        assert_eq!(summary.model.as_deref(), Some("scripted"));
    }

    #[test]
    fn what_every_trial_cost_has_those_that_no_longer_stand() {
        let stands = finished(pair(1, 2));
        let ledger = [
            entry(&stands.pair, "before", Some(0.5), Some(Cause::Infra)),
            entry(&stands.pair, &stands.pair.to_string(), Some(1.0), None),
            entry(&pair(1, 3), "lost", None, Some(Cause::Infra)),
        ];
        // The third pair's result is not in the ledger.
        let pairs = [
            stands,
            at(pair(1, 3), Standing::Missing),
            finished(pair(1, 4)),
        ];
        let summary = run("x-solo", Setting::Solo, &pairs, &ledger);
        let spent = summary.total_spent;
        assert_eq!((spent.usd, spent.unknown), (2.5, 1));
        assert_eq!(summary.headline_cost.to_string(), "$2.00");
        assert!(summary.has_ledger);
        assert_eq!((summary.trials, summary.unbooked), (4, 0));
        let tried: Vec<_> = summary
            .lines
            .iter()
            .map(|line| (line.trials, line.failed_trials))
            .collect();
        assert_eq!(tried, [(2, 1), (1, 1), (0, 0)]);
    }

    #[test]
    fn a_tree_with_results_and_no_trial_booked_has_no_ledger() {
        let empty = [at(pair(1, 2), Standing::Missing)];
        assert!(run("x-solo", Setting::Solo, &empty, &[]).has_ledger);
        let strangers = [finished(pair(1, 2))];
        let summary = run("x-solo", Setting::Solo, &strangers, &[]);
        assert!(!summary.has_ledger);
        assert_eq!(summary.trials, 0);
    }

    #[test]
    fn pairs_that_nothing_on_disk_names_are_missing_and_in_the_strict_rate() {
        let passed = [with_verdict(pair(1, 2), [true, true])];
        let trials = Trials {
            booked: &[],
            unbooked: &[],
            pass: None,
        };
        let name: RunName = "x-solo".parse().unwrap();
        let planned = |planned, unread: &[Unread]| {
            Summary::of(name.clone(), None, &passed, trials, planned, unread)
        };
        let summary = planned(Some(4), &[]);
        assert_eq!((summary.pairs, summary.count_of(Outcome::Missing)), (4, 3));
        let of = |rate: Option<Rate>| rate.map(|it| (it.passed, it.of));
        let rates = (of(summary.rates.strict), of(summary.rates.judged));
        assert_eq!(rates, (Some((1, 4)), Some((1, 1))));
        // Fewer planned than there are: those that are there count.
        assert_eq!(planned(Some(0), &[]).pairs, 1);
        let unread = Unread {
            directory: "team".to_owned(),
            results: 2,
        };
        let summary = planned(Some(4), &[unread]);
        let unreadable = summary.count_of(Outcome::Unreadable);
        assert_eq!((unreadable, summary.count_of(Outcome::Missing)), (2, 1));
        assert_eq!(summary.headline_cost.unknown, 2);
    }

    #[test]
    fn only_a_pass_is_flagged_or_not_looked_at() {
        let looked_at = |passed: bool, missing: &str| {
            let suite = |feature: u64| {
                format!(
                    r#"{{"feature":{feature},"outcome":"passed","reason":"","failed_tests":[],
                        "named_tests":1,"tests_compared":"names","tests_missing":[{missing}],
                        "steering_files":[]}}"#
                )
            };
            let json = format!(
                r#"{{"both_passed":{passed},"regatta":{{"rules":"0.0.29","trial":"x",
                    "suites":[{},{}]}}}}"#,
                suite(1),
                suite(2)
            );
            move |n| judged(finished(pair(1, n)), &json)
        };
        let pairs = [
            looked_at(true, "")(2),
            looked_at(true, r#""test_a""#)(3),
            looked_at(false, r#""test_a""#)(4),
            with_verdict(pair(1, 5), [true, true]),
            with_verdict(pair(1, 6), [false, true]),
        ];
        let summary = run("x-solo", Setting::Solo, &pairs, &[]);
        let flags = summary.flagged;
        assert_eq!((flags.passes, flags.tests_missing), (1, 1));
        assert_eq!((flags.steering_files, flags.failing_without), (0, 0));
        // Upstream's own pass, of the three.
        assert_eq!(summary.not_looked_at, 1);
        let flagged: Vec<bool> = summary
            .lines
            .iter()
            .map(|line| line.flagged.is_some())
            .collect();
        assert_eq!(flagged, [false, true, false, false, false]);
    }

    #[test]
    fn doubts_are_of_judged_pairs_only() {
        let unclear = |mut surveyed: Surveyed| {
            surveyed.is_time_unclear = true;
            surveyed
        };
        let by_bytes = r#"{"both_passed":false,"regatta":{"rules":"0.0.29","trial":"x",
            "by_bytes":{"both_passed":true,"suites":[]}}}"#;
        let pairs = [
            unclear(with_verdict(pair(1, 2), [false, false])),
            judged(finished(pair(1, 3)), by_bytes),
            unclear(judged(failed(pair(1, 4), Cause::Agent), by_bytes)),
        ];
        let summary = run("x-solo", Setting::Solo, &pairs, &[]);
        assert_eq!(summary.verdict_time_unclear, ["ferry_task/1/f1_f2"]);
        assert_eq!(summary.verdict_not_by_bytes, ["ferry_task/1/f1_f3"]);
    }

    #[test]
    fn the_counts_that_people_look_for_are_told_even_if_they_are_none() {
        let pairs = [failed(pair(1, 2), Cause::Limit)];
        let summary = run("x-solo", Setting::Solo, &pairs, &[]);
        assert_eq!(
            summary.counts(),
            "0 pass, 0 fail, 0 infra_error, 0 missing, 1 limit_error"
        );
        let columns = columns(std::slice::from_ref(&summary));
        let wanted = [
            Outcome::Pass,
            Outcome::Fail,
            Outcome::InfraError,
            Outcome::LimitError,
            Outcome::Missing,
        ];
        assert_eq!(columns, wanted);
    }
}
