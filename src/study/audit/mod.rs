//! Whether a study's numbers can be trusted: what is damaged or doubtful and counts all the same, and
//! which contrasts turn when it is left out. Pure, upon what reports say of each pair.

mod concern;
mod contrasts;
mod found;
mod incident;
mod mixture;
mod page;
mod seen;
mod shown;

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Arm, Study};
use crate::error::{Error, Result, nearest};
use crate::report::time_limit::TimeLimit;
use crate::statistics::Mean;
use crate::text::some;

pub use concern::{Concern, Gravity};
pub use contrasts::{Audited, Side, Stated, TurnKind, Turned, TurnedAlone};
pub use found::{AuditFinding, CauseCount, FoundInArm, FoundInRun, Shift};
pub use incident::{HitArm, Incident, Incidents, OfCause};
pub use mixture::{MixedArm, MixedValue, Mixture};
pub use seen::{Measure, Reading};
pub use shown::{render, text};

use contrasts::Contrasts;
use found::found;
use mixture::mixtures;
use seen::{Seen, of_arm, rate, seen, tally};

/// The version of the JSON; it changes when a field changes its meaning or goes.
const FORMAT: u32 = 1;

/// What an audit of a study says.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// The version of this format.
    pub format: u32,
    /// The version of regatta.
    pub regatta: &'static str,
    /// The arm that the others are held against; none without arms.
    pub baseline: Option<String>,
    /// Why it is that one.
    pub baseline_by: BaselineBy,
    /// What is to be said of how runs were pooled.
    pub notes: Vec<String>,
    /// The arms with their rates.
    pub arms: Vec<AuditedArm>,
    /// What was found, the gravest first.
    pub found: Vec<AuditFinding>,
    /// What was looked for and not found.
    pub not_found: Vec<Concern>,
    /// Errors that came together in time.
    pub incidents: Incidents,
    /// What verdicts were made with, where it differs.
    pub mixed: Vec<Mixture>,
    /// In what nothing was found to differ.
    pub not_mixed: Vec<&'static str>,
    /// How many runs arms have, where that differs.
    pub uneven_repeats: Option<BTreeMap<usize, Vec<String>>>,
    /// Arms whose pairs are not the baseline's.
    pub other_pairs: Vec<OtherPairs>,
    /// Every arm against the baseline.
    pub contrasts: Vec<Audited>,
}

/// Why an arm is the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BaselineBy {
    /// It was asked for.
    Flag,
    /// It is the first of the experiment.
    Experiment,
    /// It is the first by name.
    Name,
}

/// An arm with its rates.
#[derive(Clone, Debug, Serialize)]
pub struct AuditedArm {
    /// The arm.
    pub arm: String,
    /// Its runs.
    pub runs: Vec<String>,
    /// Its pairs, over all runs.
    pub pairs: usize,
    /// Pairs of runs, those included that have no result.
    pub trials: usize,
    /// How many of them have a verdict that upstream counts.
    pub verdicts: usize,
    /// How many of these are damaged.
    pub damaged: usize,
    /// How many are damaged or doubtful.
    pub flagged: usize,
    /// The rates of passes.
    pub pass: Readings,
    /// The rates of merges; none for one agent.
    pub merge: Option<Readings>,
    /// How many trials the time limit ended, those included that no longer stand.
    pub time_limit: TimeLimit,
}

/// A rate, as the mean over pairs of each pair's own, by whose verdicts count.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Readings {
    /// Every verdict of an `eval.json`, as upstream counts.
    pub published: Option<Mean>,
    /// What reports count as judged.
    pub judged: Option<Mean>,
    /// As published, without what is damaged.
    pub undamaged: Option<Mean>,
    /// As published, without what is damaged or doubtful.
    pub unflagged: Option<Mean>,
}

/// An arm whose pairs are not the baseline's.
#[derive(Clone, Debug, Serialize)]
pub struct OtherPairs {
    /// The arm.
    pub arm: String,
    /// How many pairs both have.
    pub shared: usize,
    /// Pairs that only the baseline has.
    pub lacks: Vec<String>,
    /// Pairs that only the arm has.
    pub has_more: Vec<String>,
}

/// Looks through a study.
pub fn audit(study: &Study, baseline: Option<&str>) -> Result<Audit> {
    let (at, by) = baseline_of(study, baseline)?;
    let names = seen::names(study);
    let all = seen(study);
    let contrasts = Contrasts::of(&names, at, &all);
    let found = found(study, &all, &contrasts);
    let is_found = |concern: &Concern| found.iter().any(|it| it.concern == *concern);
    let not_found = Concern::ALL.into_iter().filter(|it| !is_found(it));
    let (mixed, not_mixed) = mixtures(&names, &all);
    let arms = study.arms.iter().enumerate();
    Ok(Audit {
        format: FORMAT,
        regatta: env!("CARGO_PKG_VERSION"),
        baseline: names.get(at).map(|name| (*name).to_owned()),
        baseline_by: by,
        notes: study.notes.clone(),
        arms: arms
            .map(|(at, arm)| AuditedArm::of(arm, &of_arm(&all, at).collect::<Vec<_>>()))
            .collect(),
        not_found: not_found.collect(),
        incidents: Incidents::of(&names, &all, &contrasts),
        mixed,
        not_mixed,
        uneven_repeats: uneven_repeats(study),
        other_pairs: other_pairs(study, at),
        contrasts: contrasts.audited(),
        found,
    })
}

impl Audit {
    /// The contrasts that leaving something out turns.
    pub fn turned(&self) -> impl Iterator<Item = &Audited> {
        self.contrasts.iter().filter(|it| !it.turns.is_empty())
    }

    /// How many verdicts of all arms are counted, how many of these are damaged, and how many flagged.
    #[must_use]
    pub fn counts(&self) -> [usize; 3] {
        let sum = |of: fn(&AuditedArm) -> usize| self.arms.iter().map(of).sum();
        [
            sum(|it| it.verdicts),
            sum(|it| it.damaged),
            sum(|it| it.flagged),
        ]
    }
}

impl AuditedArm {
    fn of<'s>(arm: &Arm, seen: &[&Seen<'s>]) -> Self {
        let counted = || seen.iter().filter(|one| one.published.is_some());
        let readings = |measure: Measure| {
            let by = |reading: Reading| {
                let value = |one: &Seen<'s>| one.published(measure).filter(|_| reading.counts(one));
                rate(&tally(seen.iter().copied(), value))
            };
            Readings {
                published: by(Reading::Published),
                judged: rate(&tally(seen.iter().copied(), |one| one.judged(measure))),
                undamaged: by(Reading::Undamaged),
                unflagged: by(Reading::Unflagged),
            }
        };
        let merge = readings(Measure::Merge);
        let limits = arm.runs.iter().map(|run| run.beside.time_limit);
        Self {
            arm: arm.name.clone(),
            runs: arm.runs.iter().map(|run| run.name.to_string()).collect(),
            pairs: arm.pairs().len(),
            trials: seen.len(),
            verdicts: counted().count(),
            damaged: counted()
                .filter(|one| !Reading::Undamaged.counts(one))
                .count(),
            flagged: counted()
                .filter(|one| !Reading::Unflagged.counts(one))
                .count(),
            pass: readings(Measure::Pass),
            merge: merge.published.is_some().then_some(merge),
            time_limit: found::sum(limits),
        }
    }
}

/// The place of the baseline, and why it is that one.
fn baseline_of(study: &Study, asked: Option<&str>) -> Result<(usize, BaselineBy)> {
    if let Some(asked) = asked {
        let at = study.arms.iter().position(|arm| arm.name == asked);
        return at.map(|at| (at, BaselineBy::Flag)).ok_or_else(|| {
            let names = seen::names(study);
            let error = Error::usage(format!(
                "--baseline {}: no such arm among those that are looked at",
                asked.escape_debug()
            ));
            match nearest(asked, names.iter().copied()) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("there are: {}", some(&names, 12))),
            }
        });
    }
    // The runs of an experiment are begun in the order of its arms.
    let begun = |arm: &Arm| arm.runs.iter().filter_map(|run| run.beside.begun_at).min();
    let experiment = |arm: &Arm| arm.rows().find_map(|row| row.experiment.clone());
    let experiments: Vec<_> = study.arms.iter().map(experiment).collect();
    let is_one = experiments.first().is_some_and(Option::is_some)
        && experiments.windows(2).all(|both| both[0] == both[1]);
    let places = 0..study.arms.len();
    if is_one && let Some(first) = places.clone().min_by_key(|at| begun(&study.arms[*at])) {
        return Ok((first, BaselineBy::Experiment));
    }
    let by_name = places.min_by(|a, b| {
        let [a, b] = [a, b].map(|at| study.arms[*at].name.as_str());
        crate::text::natural(a, b)
    });
    Ok((by_name.unwrap_or(0), BaselineBy::Name))
}

fn uneven_repeats(study: &Study) -> Option<BTreeMap<usize, Vec<String>>> {
    let mut by_number: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for arm in &study.arms {
        by_number
            .entry(arm.runs.len())
            .or_default()
            .push(arm.name.clone());
    }
    (by_number.len() > 1).then_some(by_number)
}

/// Arms that lack pairs of the baseline, or have others.
fn other_pairs(study: &Study, baseline: usize) -> Vec<OtherPairs> {
    let Some(base) = study.arms.get(baseline).map(Arm::pairs) else {
        return Vec::new();
    };
    let arms = study.arms.iter().map(|arm| {
        let pairs = arm.pairs();
        let only = |one: &BTreeMap<&str, _>, other: &BTreeMap<&str, _>| -> Vec<String> {
            let only = one.keys().filter(|pair| !other.contains_key(*pair));
            only.map(|pair| (*pair).to_owned()).collect()
        };
        let lacks = only(&base, &pairs);
        OtherPairs {
            arm: arm.name.clone(),
            shared: base.len() - lacks.len(),
            lacks,
            has_more: only(&pairs, &base),
        }
    });
    arms.filter(|it| !it.lacks.is_empty() || !it.has_more.is_empty())
        .collect()
}

#[cfg(test)]
mod tests;
