//! The numbers of one run. Pure: counts over what the survey found.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;

use super::beyond;
use super::damaged::{self, Damaged};
use super::flags::{Flagged, Flags};
use super::grounds::{self, Grounds};
use super::statistics::{self, Difference, Rate};
use super::time_limit::TimeLimit;
use crate::bench::cost::Cost;
use crate::bench::setting::RunSetting;
use crate::bench::{Pair, RuleId, RunName, Setting, Usage};
use crate::evaluation::Verdict;
use crate::model::price::Total;
use crate::store::LedgerEntry;
use crate::store::contents::Unread;
use crate::store::eval::{self, FeatureSeen};
use crate::store::ledger::CUT_OFF;
use crate::survey::spent::spent;
use crate::survey::{Damage, Harm, Standing, Surveyed};
use crate::triage::{Cause, Diagnosis, Finding, Told};

/// What a pair counts as: exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Judged: both features' hidden tests pass.
    Pass,
    /// Judged: they don't.
    Fail,
    /// Finished, and not judged yet.
    Unjudged,
    /// Finished, and the evaluation broke.
    EvalError,
    /// Ended in an error that is the agent's own.
    AgentError,
    /// Ended by infrastructure.
    InfraError,
    /// Ended by a limit of the account that passes.
    LimitError,
    /// Ended by the experiment's set-up.
    ConfigError,
    /// Ended in an error that no rule knows.
    UnknownError,
    /// Its `result.json` cannot be read, or stands where no pair does.
    Unreadable,
    /// It has no result.
    Missing,
}

impl Outcome {
    /// Every outcome, in a table's order.
    pub const ALL: [Self; 11] = [
        Self::Pass,
        Self::Fail,
        Self::Unjudged,
        Self::EvalError,
        Self::AgentError,
        Self::InfraError,
        Self::LimitError,
        Self::ConfigError,
        Self::UnknownError,
        Self::Unreadable,
        Self::Missing,
    ];

    /// Its name, as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unjudged => "unjudged",
            Self::EvalError => "eval_error",
            Self::AgentError => "agent_error",
            Self::InfraError => "infra_error",
            Self::LimitError => "limit_error",
            Self::ConfigError => "config_error",
            Self::UnknownError => "unknown_error",
            Self::Unreadable => "unreadable",
            Self::Missing => "missing",
        }
    }

    /// Whether the pair's trial finished.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        matches!(
            self,
            Self::Pass | Self::Fail | Self::Unjudged | Self::EvalError
        )
    }

    /// The outcome of a surveyed pair. An error is an error even where an evaluation judged its
    /// empty patch: upstream evaluates those as ordinary failures.
    #[must_use]
    pub fn of(surveyed: &Surveyed) -> Self {
        let judged = match &surveyed.standing {
            Standing::Missing => return Self::Missing,
            Standing::Unreadable(_) => return Self::Unreadable,
            Standing::Result(judged) => judged,
        };
        match &judged.finding {
            Finding::Finished => match &surveyed.verdict {
                // Its evaluation left no file and broke: the run's summary says how.
                None if surveyed.told.is_some() => Self::EvalError,
                None => Self::Unjudged,
                Some(Verdict::Pass) => Self::Pass,
                Some(Verdict::Fail) => Self::Fail,
                Some(Verdict::Error(_)) => Self::EvalError,
            },
            Finding::Unmatched => Self::UnknownError,
            Finding::OnlyLooksFinished(diagnosis) | Finding::Failed(diagnosis) => {
                match diagnosis.cause {
                    Cause::Infra => Self::InfraError,
                    Cause::Limit => Self::LimitError,
                    Cause::Config => Self::ConfigError,
                    Cause::Agent => Self::AgentError,
                }
            }
        }
    }
}

/// One pair in a summary.
#[derive(Clone, Debug, Serialize)]
pub struct PairLine {
    /// The pair, `repo/task/fi_fj`.
    pub pair: String,
    /// Its task, `repo/task`: pairs of one task are alike.
    pub task: String,
    /// What it counts as.
    pub outcome: Outcome,
    /// The agents' statuses.
    pub status: Option<String>,
    /// Why it did not finish, or not pass.
    pub why: Option<String>,
    /// The rule that decided.
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
    /// How many of them failed, were cut off or are void. What a forced pass replaced did not fail.
    #[serde(skip)]
    pub failed_trials: usize,
    /// How many of the two features' hidden tests pass, where they were judged.
    pub features_passed: Option<usize>,
    /// How the two patches merged, in the evaluation's word.
    pub merge: Option<String>,
    /// The rule set that judged it; `unknown` where an evaluation does not say.
    pub rules: Option<String>,
    /// What a pass that is flagged is worth; none of any other pair.
    pub flagged: Option<Flagged>,
    /// What is wrong with the result, where it was judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damage: Vec<Harm>,
    /// What it was run and judged with.
    #[serde(skip)]
    pub grounds: Grounds,
}

impl PairLine {
    /// Where the text stands, unless it is where everybody looks first.
    #[must_use]
    pub fn source_to_show(&self) -> Option<&str> {
        let source = self.source.as_deref()?;
        let is_error = source.rsplit('.').next() == Some("error");
        (!is_error && source != "eval.json").then_some(source)
    }

    fn diagnose(&mut self, diagnosis: &Diagnosis) {
        self.rule = Some(diagnosis.evidence.rule.clone());
        self.why = Some(diagnosis.evidence.text.clone());
        self.source = Some(diagnosis.evidence.source.clone());
    }

    fn tell(&mut self, told: &Told) {
        self.rule.clone_from(&told.rule);
        self.source = Some(told.source.clone());
        self.why = Some(told.text.clone());
    }
}

/// Every trial of a run.
#[derive(Clone, Copy, Debug)]
pub struct Trials<'a> {
    /// Those in the ledger.
    pub booked: &'a [LedgerEntry],
    /// Those that began and that it lacks.
    pub unbooked: &'a [LedgerEntry],
}

impl<'a> Trials<'a> {
    fn all(self) -> impl Iterator<Item = &'a LedgerEntry> {
        self.booked.iter().chain(self.unbooked)
    }
}

/// The trials of one pair.
#[derive(Clone, Copy, Default)]
struct Tried<'a> {
    trials: usize,
    failed: usize,
    last: Option<&'a LedgerEntry>,
}

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
        let mut tried: BTreeMap<&Pair, Tried<'_>> = BTreeMap::new();
        for entry in trials.all() {
            let tried = tried.entry(&entry.pair).or_default();
            tried.trials += 1;
            tried.failed += usize::from(entry.void || entry.diagnosis.is_some());
            tried.last = Some(entry);
        }
        if summary.has_ledger {
            summary.trials += spent.unlisted;
        }
        for pair in surveyed {
            let tried = tried.get(&pair.pair).copied().unwrap_or_default();
            let line = summary.count(pair, tried);
            summary.lines.push(line);
        }
        // A stranger's tree may lack pairs that nothing on disk names.
        let unnamed = planned.unwrap_or(0).saturating_sub(surveyed.len());
        summary.count_unnamed(unnamed);
        summary.rate(unnamed);
        summary
    }

    fn rate(&mut self, unnamed: usize) {
        let is_judged = |line: &&PairLine| matches!(line.outcome, Outcome::Pass | Outcome::Fail);
        let passed = |line: &PairLine| line.outcome == Outcome::Pass;
        let named = self
            .lines
            .iter()
            .map(|line| (line.task.as_str(), passed(line)));
        // Pairs that nothing on disk names are of tasks that nothing names.
        let unnamed = std::iter::repeat_n(("", false), unnamed);
        self.rates.strict = statistics::rate(named.chain(unnamed));
        let judged = self.lines.iter().filter(is_judged);
        self.rates.judged = statistics::rate(judged.map(|line| (line.task.as_str(), passed(line))));
        let judged = self.lines.iter().filter(is_judged);
        let features = judged.filter_map(|line| Some((line.task.as_str(), line.features_passed?)));
        self.rates.features = statistics::rate(
            features.flat_map(|(task, passed)| [(task, passed > 0), (task, passed > 1)]),
        );
        for line in self.lines.iter().filter(is_judged) {
            if let Some(merge) = &line.merge {
                *self.rates.merges.entry(merge.clone()).or_default() += 1;
            }
            if let Some(rules) = &line.rules {
                *self.rates.rules.entry(rules.clone()).or_default() += 1;
            }
        }
    }

    fn count(
        &mut self,
        surveyed: &Surveyed,
        Tried {
            trials,
            failed: failed_trials,
            last,
        }: Tried<'_>,
    ) -> PairLine {
        let outcome = Outcome::of(surveyed);
        *self.outcomes.entry(outcome).or_default() += 1;
        self.finished += usize::from(outcome.is_finished());
        let mut line = PairLine {
            pair: surveyed.pair.to_string(),
            task: surveyed.pair.task.to_string(),
            outcome,
            status: None,
            why: None,
            rule: None,
            source: None,
            names_cost: false,
            cost: None,
            usage_unknown: false,
            duration_seconds: None,
            trials,
            failed_trials,
            features_passed: None,
            merge: None,
            rules: None,
            flagged: None,
            damage: damage_of(surveyed, outcome),
            grounds: Grounds::default(),
        };
        self.count_verdict(&mut line, surveyed);
        if let Some(told) = &surveyed.told {
            line.tell(told);
        }
        let judged = match &surveyed.standing {
            Standing::Missing => {
                let cut_off = last.filter(|entry| entry.status == CUT_OFF);
                let diagnosis = cut_off.and_then(|entry| entry.diagnosis.as_ref());
                if let (None, Some(diagnosis)) = (&surveyed.told, diagnosis) {
                    line.diagnose(diagnosis);
                }
                return line;
            }
            Standing::Unreadable(why) => {
                line.why = Some(why.clone());
                self.count_unreadable();
                return line;
            }
            Standing::Result(judged) => judged,
        };
        let record = &judged.record;
        self.model = self.model.take().or_else(|| record.model.clone());
        self.agent = self.agent.take().or_else(|| record.agent_framework.clone());
        self.submitted += usize::from(outcome.is_finished() && record.is_submitted());
        self.headline_cost.add(judged.cost);
        self.beyond_results
            .extend(judged.beyond.iter().map(|more| beyond::OfPair {
                pair: line.pair.clone(),
                agent: more.agent.clone(),
                usd: more.usd,
            }));
        self.add_use(judged.usage, record.duration_seconds);
        line.status = Some(record.status());
        line.names_cost =
            record.whole_cost.is_some() || record.agents.iter().all(|agent| agent.cost.is_some());
        line.cost = judged.cost.usd;
        line.usage_unknown = judged.cost.is_partial;
        self.priced_as.extend(judged.priced_as.clone());
        line.duration_seconds = record.duration_seconds;
        if let Some(diagnosis) = judged.finding.diagnosis() {
            line.diagnose(diagnosis);
        } else if let Some(Verdict::Error(why)) = &surveyed.verdict {
            let own = surveyed
                .evaluation
                .as_ref()
                .and_then(|it| it.regatta.as_ref());
            line.rule = own.map(|own| match &own.broken_by {
                Some(broken) => broken.rule.clone(),
                None => eval::MERGE_CONFLICT,
            });
            line.why = Some(why.clone());
            line.source = Some("eval.json".to_owned());
        } else if let Some(told) = &judged.told {
            line.tell(told);
        }
        line
    }

    /// What of a verdict, and of what it is worth, is counted and told.
    fn count_verdict(&mut self, line: &mut PairLine, surveyed: &Surveyed) {
        damaged::count(&mut self.damaged, &line.pair, line.outcome, &line.damage);
        if let (Outcome::Pass | Outcome::Fail, Some(file)) = (line.outcome, &surveyed.evaluation) {
            if surveyed.is_time_unclear {
                self.verdict_time_unclear.push(line.pair.clone());
            }
            if file.differs_by_bytes() {
                self.verdict_not_by_bytes.push(line.pair.clone());
            }
            let passed = |feature: &Option<FeatureSeen>| feature.as_ref()?.passed;
            line.features_passed = passed(&file.feature1)
                .zip(passed(&file.feature2))
                .map(|(one, two)| usize::from(one) + usize::from(two));
            if line.outcome == Outcome::Fail {
                line.why.clone_from(&surveyed.why_not);
            }
            if line.outcome == Outcome::Pass {
                line.flagged = Flagged::of(file);
                self.flagged.count(line.flagged.as_ref());
                self.not_looked_at += usize::from(!file.is_looked_at());
            }
            line.merge = file.merge.as_ref().and_then(|merge| merge.status.clone());
            let own = file.regatta.as_ref();
            line.rules =
                Some(own.map_or_else(|| "unknown".to_owned(), |own| own.rules.to_string()));
        }
    }

    /// A result that cannot be read had a cost and a time.
    fn count_unreadable(&mut self) {
        self.headline_cost.add(Cost::UNKNOWN);
        self.add_use(None, None);
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
        let first = [
            Outcome::Pass,
            Outcome::Fail,
            Outcome::InfraError,
            Outcome::Missing,
        ];
        let rest = Outcome::ALL
            .into_iter()
            .filter(|outcome| !first.contains(outcome));
        let first = first
            .iter()
            .map(|outcome| format!("{} {}", self.count_of(*outcome), outcome.name()));
        let rest = rest
            .filter(|outcome| self.count_of(*outcome) > 0)
            .map(|outcome| format!("{} {}", self.count_of(outcome), outcome.name()));
        first.chain(rest).collect::<Vec<_>>().join(", ")
    }
}

/// What is wrong with a pair's result that the rates contain. Of one that counts as an error only
/// that it passed is told: its patches are not taken for submissions.
fn damage_of(surveyed: &Surveyed, outcome: Outcome) -> Vec<Harm> {
    let is_judged = matches!(outcome, Outcome::Pass | Outcome::Fail);
    let mut damage = surveyed.damage.clone();
    damage.retain(|harm| is_judged || harm.damage == Damage::EndedByError);
    damage
}

/// Two settings of one experiment, on the pairs that were judged in both.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The run whose share is the first.
    pub first: RunName,
    /// The run whose share is taken from it.
    pub second: RunName,
    /// How they differ.
    pub difference: Difference,
    /// Whether their verdicts are by one rule set.
    pub same_rules: bool,
    /// Whether nothing is known to say that their datasets or images differ.
    pub same_tasks: bool,
}

/// Two runs that a question is about and that share no judged pair.
#[derive(Clone, Debug, Serialize)]
pub struct Unshared {
    /// The run whose share would be the first.
    pub first: RunName,
    /// The run whose share would be taken from it.
    pub second: RunName,
    /// How many pairs were judged in the first.
    pub judged_in_first: usize,
    /// How many pairs were judged in the second.
    pub judged_in_second: usize,
}

/// What a report says of two runs of one experiment.
#[derive(Clone, Debug)]
pub enum Contrast {
    /// How they differ.
    Shown(Comparison),
    /// There is nothing to see it by.
    Unshared(Unshared),
}

impl std::fmt::Display for Unshared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} less {}: no pair was judged in both ({} in the first, {} in the second)",
            self.first, self.second, self.judged_in_first, self.judged_in_second
        )
    }
}

/// The outcomes that a table of these runs has a column for: those that people look for, and those
/// that some pair has.
#[must_use]
pub fn columns(summaries: &[Summary]) -> Vec<Outcome> {
    let always = [
        Outcome::Pass,
        Outcome::Fail,
        Outcome::InfraError,
        Outcome::Missing,
    ];
    let is_there = |outcome| {
        summaries
            .iter()
            .any(|summary| summary.count_of(outcome) > 0)
    };
    let mut columns = Outcome::ALL.to_vec();
    columns.retain(|outcome| always.contains(outcome) || is_there(*outcome));
    columns
}

/// The benchmark's questions, for runs of one experiment: does talking help, and what does a second
/// agent cost. Of two runs of which none was judged there is nothing to say.
#[must_use]
pub fn contrasts(summaries: &[Summary]) -> Vec<Contrast> {
    let questions = [
        (Setting::CoopComm, Setting::CoopNocomm),
        (Setting::CoopComm, Setting::Solo),
        (Setting::CoopNocomm, Setting::Solo),
    ];
    let experiment = |summary: &Summary| {
        let setting = summary.setting?.known()?;
        let prefix = summary.run.as_str().strip_suffix(setting.name())?;
        Some((prefix.to_owned(), setting))
    };
    let mut found = Vec::new();
    for first in summaries {
        for second in summaries {
            let (Some((prefix, of_first)), Some((other, of_second))) =
                (experiment(first), experiment(second))
            else {
                continue;
            };
            if prefix != other || !questions.contains(&(of_first, of_second)) {
                continue;
            }
            let verdict = |line: &PairLine| match line.outcome {
                Outcome::Pass => Some(true),
                Outcome::Fail => Some(false),
                _ => None,
            };
            let others: BTreeMap<&str, &PairLine> = second
                .lines
                .iter()
                .map(|line| (line.pair.as_str(), line))
                .collect();
            let shared: Vec<_> = first
                .lines
                .iter()
                .filter_map(|line| {
                    let other = *others.get(line.pair.as_str())?;
                    Some((line, verdict(line)?, other, verdict(other)?))
                })
                .collect();
            let rules = shared
                .iter()
                .flat_map(|(one, _, other, _)| [&one.rules, &other.rules]);
            let rules: HashSet<_> = rules.collect();
            let lines = shared.iter().map(|(one, _, other, _)| (*one, *other));
            let same_tasks = !grounds::are_mixed(lines);
            let shared = shared
                .iter()
                .map(|(line, passed, _, other)| (line.task.as_str(), *passed, *other));
            let judged = |of: &Summary| of.lines.iter().filter_map(verdict).count();
            let [judged_in_first, judged_in_second] = [judged(first), judged(second)];
            let (first, second) = (first.run.clone(), second.run.clone());
            if let Some(difference) = statistics::difference(shared) {
                found.push(Contrast::Shown(Comparison {
                    first,
                    second,
                    difference,
                    same_rules: rules.len() == 1,
                    same_tasks,
                }));
            } else if judged_in_first + judged_in_second > 0 {
                found.push(Contrast::Unshared(Unshared {
                    first,
                    second,
                    judged_in_first,
                    judged_in_second,
                }));
            }
        }
    }
    found
}

/// Trials that were ended before they had a result, of unknown cost.
#[must_use]
pub fn cut_off(ledger: &[LedgerEntry]) -> usize {
    ledger
        .iter()
        .filter(|entry| entry.status == CUT_OFF)
        .count()
}
