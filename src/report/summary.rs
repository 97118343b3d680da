//! The numbers of one run. Pure: counts over what the survey found.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::damaged::{self, Damaged};
use super::flags::Flags;
use super::time_limit::TimeLimit;
use super::trials::Trials;
use super::{Outcome, PairLine, Rates, beyond};
use crate::bench::cost::Cost;
use crate::bench::setting::RunSetting;
use crate::bench::{RunName, Usage};
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
    /// The run.
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
    /// Pairs whose trial finished.
    pub finished: usize,
    /// Trials in which every agent submitted.
    pub submitted: usize,
    /// Pairs by outcome.
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
    /// How many passes count as failures, where flagged ones are taken for none; `None` where they
    /// are not.
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
    /// Judged pairs whose submission gets another verdict byte for byte than by upstream's rules.
    pub verdict_not_by_bytes: Vec<String>,
    /// Pairs with a feature that no patch can be judged by, as `regatta eval --gold` found.
    pub ungradeable: Vec<String>,
    /// What was run or judged with different datasets or images, a sentence each.
    pub mixed: Vec<String>,
    /// Where results are not read: no pair of this run stands there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
    /// Every pair.
    pub lines: Vec<PairLine>,
}

impl Summary {
    /// Sums up a run.
    ///
    /// `planned` is how many pairs there should be when no manifest names them.
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
            let tried = tried.get(&pair.pair).copied().unwrap_or_default();
            let line = PairLine::of(pair, tried);
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
        let rest = Outcome::ALL
            .into_iter()
            .filter(|outcome| !LOOKED_FOR.contains(outcome));
        let first = LOOKED_FOR
            .iter()
            .map(|outcome| format!("{} {}", self.count_of(*outcome), outcome.name()));
        let rest = rest
            .filter(|outcome| self.count_of(*outcome) > 0)
            .map(|outcome| format!("{} {}", self.count_of(outcome), outcome.name()));
        first.chain(rest).collect::<Vec<_>>().join(", ")
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
