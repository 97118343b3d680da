//! The numbers of an arm. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::tally::{Reading, Tallies};
use super::{Arm, ArmRun, mixed, spent::ArmSpent};
use crate::bench::RunName;
use crate::report::{Outcome, Place, PlaceCounts, Row};
use crate::statistics::{Interval, Mean, Repeated, mean, pass_at, pass_hat};
use crate::survey::Damage;
use crate::text::natural;

/// The numbers of an arm.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// The arm's name.
    pub arm: String,
    /// Its setting.
    pub setting: Option<&'static str>,
    /// Its model.
    pub model: Option<String>,
    /// Its runs.
    pub runs: Vec<RunShare>,
    /// Pairs, with those that were planned and that nothing on disk names.
    pub pairs: usize,
    /// Trials that somebody asked for: each pair once in each run.
    pub trials: usize,
    /// Those of them that were judged.
    pub judged: usize,
    /// Trials by what they count as; what nobody asked for is not among them.
    pub outcomes: BTreeMap<Outcome, usize>,
    /// The mean over pairs of each pair's own rate, of judged trials.
    pub pass_rate: Option<Mean>,
    /// The same, where a trial without a verdict counts as a fail: the worst case, too.
    pub strict: Option<f64>,
    /// The same, where it counts as a pass.
    pub best_case: Option<f64>,
    /// pass@k and pass^k, from 1 to the most judged trials that a pair has.
    pub of_k: Vec<OfK>,
    /// Pairs whose verdict changes between repeats.
    pub changing: Vec<PairRate>,
    /// The share of features whose hidden tests pass.
    pub features: Option<Share>,
    /// How the two patches merge, as shares of the judged trials that say so.
    pub merges: BTreeMap<String, Share>,
    /// Where judged trials of two agents fail, as far as each agent's patch was judged alone; none for
    /// one agent.
    pub places: Option<PlaceCounts>,
    /// What it cost, and how long it took.
    #[serde(flatten)]
    pub spent: ArmSpent,
    /// What makes its verdicts incomparable with each other; only where that was allowed, or a run is
    /// so by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mixed: Vec<String>,
}

/// A run of an arm by itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunShare {
    /// Its name.
    pub run: RunName,
    /// Which repeat it is, where something says so.
    pub repeat: Option<u64>,
    /// Its pairs that were judged.
    pub judged: usize,
    /// Those that passed.
    pub passed: usize,
}

/// pass@k and pass^k.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OfK {
    /// How many trials are drawn.
    pub k: u32,
    /// The chance that at least one passes, as a mean over pairs.
    pub pass_at: f64,
    /// The chance that all pass.
    pub pass_hat: f64,
    /// How many pairs have so many judged trials.
    pub pairs: usize,
}

/// How often a pair passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PairRate {
    /// The pair.
    pub pair: String,
    /// How many of its trials passed.
    pub passed: u32,
    /// Of how many that were judged.
    pub of: u32,
}

/// A mean over pairs with its interval for tasks like these.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// From 0 to 1.
    pub share: f64,
    /// How many there are in all.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// The 95% interval where tasks are the sample.
    pub interval: Option<Interval>,
}

impl Share {
    fn of<'a>(pairs: impl IntoIterator<Item = Repeated<'a>>) -> Option<Self> {
        mean(pairs).map(|it| Self {
            share: it.share,
            count: it.passed,
            of: it.trials,
            interval: it.tasks_like_these,
        })
    }
}

impl RunShare {
    fn of(run: &ArmRun) -> Self {
        let verdicts = || run.rows.iter().filter_map(|row| row.passed);
        Self {
            run: run.name.clone(),
            repeat: run.repeat,
            judged: verdicts().count(),
            passed: verdicts().filter(|passed| *passed).count(),
        }
    }

    /// Its share of passes; none where nothing was judged.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.judged > 0).then(|| self.passed as f64 / self.judged as f64)
    }
}

impl Figures {
    /// The numbers of an arm.
    #[must_use]
    pub fn of(arm: &Arm) -> Self {
        let tallies = Tallies::of(arm);
        let share = |reading| Some(mean(tallies.all().map(|it| it.repeated(reading)))?.share);
        let judged: u32 = tallies.all().map(|it| it.judged).sum();
        let trials: u32 = tallies.all().map(|it| it.judged + it.open).sum();
        let mut outcomes = BTreeMap::new();
        for row in arm.rows().filter(|row| row.asked) {
            *outcomes.entry(row.outcome).or_default() += 1;
        }
        Self {
            arm: arm.name.clone(),
            setting: arm.rows().find_map(|row| row.setting),
            model: arm.rows().find_map(|row| row.model.clone()),
            runs: arm.runs.iter().map(RunShare::of).collect(),
            pairs: tallies.all().count(),
            trials: trials as usize,
            judged: judged as usize,
            outcomes,
            pass_rate: mean(
                tallies
                    .named
                    .values()
                    .map(|it| it.repeated(Reading::Judged)),
            ),
            strict: share(Reading::Strict),
            best_case: share(Reading::Best),
            of_k: of_k(&tallies),
            changing: changing(&tallies),
            features: Share::of(features(arm)),
            merges: merges(arm),
            places: places(arm),
            spent: ArmSpent::of(arm),
            mixed: mixed::within(arm),
        }
    }

    /// How many trials passed.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.pass_rate.map_or(0, |rate| rate.passed)
    }

    /// The runs with the smallest and the largest share of passes; none where nothing was judged.
    #[must_use]
    pub fn range(&self) -> Option<[&RunShare; 2]> {
        let runs = || self.runs.iter().filter_map(|run| Some((run.share()?, run)));
        let smallest = runs().min_by(|a, b| a.0.total_cmp(&b.0))?.1;
        let largest = runs().rev().max_by(|a, b| a.0.total_cmp(&b.0))?.1;
        Some([smallest, largest])
    }
}

fn of_k(tallies: &Tallies) -> Vec<OfK> {
    let most = tallies.named.values().map(|it| it.judged).max();
    let of = |k| {
        let pairs = || tallies.named.values().filter(move |it| it.judged >= k);
        let mean = |chance: fn(u32, u32, u32) -> Option<f64>| {
            let chances = pairs().filter_map(|it| chance(k, it.passed, it.judged));
            chances.sum::<f64>() / pairs().count() as f64
        };
        OfK {
            k,
            pass_at: mean(pass_at),
            pass_hat: mean(pass_hat),
            pairs: pairs().count(),
        }
    };
    (1..=most.unwrap_or(0)).map(of).collect()
}

fn changing(tallies: &Tallies) -> Vec<PairRate> {
    let changes = tallies
        .named
        .iter()
        .filter(|(_, it)| it.passed > 0 && it.passed < it.judged);
    let mut changing: Vec<PairRate> = changes
        .map(|(pair, it)| PairRate {
            pair: (*pair).to_owned(),
            passed: it.passed,
            of: it.judged,
        })
        .collect();
    changing.sort_by(|a, b| natural(&a.pair, &b.pair));
    changing
}

/// Counts something of each pair's judged trials: how much there is of it, of how much.
fn counted<'a>(
    arm: &'a Arm,
    of_row: impl Fn(&'a Row) -> Option<(u32, u32)>,
) -> impl Iterator<Item = Repeated<'a>> {
    let mut pairs: BTreeMap<&str, Repeated> = BTreeMap::new();
    for row in arm.rows().filter(|row| row.outcome.is_judged()) {
        let (Some(pair), Some(task), Some((some, of))) =
            (row.pair.as_deref(), row.task.as_deref(), of_row(row))
        else {
            continue;
        };
        let (passed, of_none) = (0, 0);
        let repeated = pairs.entry(pair).or_insert(Repeated {
            task,
            passed,
            of: of_none,
        });
        repeated.passed += some;
        repeated.of += of;
    }
    pairs.into_values()
}

/// Each judged trial has two features.
fn features(arm: &Arm) -> impl Iterator<Item = Repeated<'_>> {
    counted(arm, |row| {
        let passed = u32::try_from(row.features_passed?).ok()?;
        Some((passed, 2))
    })
}

fn merges(arm: &Arm) -> BTreeMap<String, Share> {
    let words = arm.rows().filter(|row| row.outcome.is_judged());
    let words: std::collections::BTreeSet<&str> =
        words.filter_map(|row| row.merge.as_deref()).collect();
    let share = |word: &str| {
        let of_row = |row: &Row| Some((u32::from(row.merge.as_deref()? == word), 1));
        Share::of(counted(arm, of_row))
    };
    let shares = words
        .into_iter()
        .filter_map(|word| Some((word.to_owned(), share(word)?)));
    shares.collect()
}

fn places(arm: &Arm) -> Option<PlaceCounts> {
    let is_of_two =
        |row: &&Row| row.outcome.is_judged() && row.setting.is_some_and(|it| it != "solo");
    let mut places: Option<PlaceCounts> = None;
    for row in arm.rows().filter(is_of_two) {
        let place = place(row);
        let counts = places.get_or_insert_default();
        *counts.pairs.entry(place).or_default() += 1;
        let damage = row.damage.as_deref().unwrap_or_default();
        let is_empty = damage
            .split('+')
            .any(|it| it == Damage::EmptySubmission.name());
        counts.empty_submissions += usize::from(is_empty && place.is_of_agents());
        let alone = [row.feature1_alone_passed, row.feature2_alone_passed];
        counts.judged_alone += usize::from(alone.iter().all(Option::is_some));
    }
    places
}

/// Where a judged trial of two agents fails.
fn place(row: &Row) -> Place {
    if row.passed == Some(true) {
        return Place::Passes;
    }
    let known = Place::ALL
        .into_iter()
        .find(|place| place.of_failure() == row.failed_at);
    known
        .filter(|_| row.failed_at.is_some())
        .unwrap_or(Place::NotKnown)
}

#[cfg(test)]
mod tests;
