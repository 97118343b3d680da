//! Errors of one cause that came together in time: a login that expired, a daemon that hung. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::concern::is_error;
use super::contrasts::{Contrasts, TurnedAlone};
use super::seen::Seen;
use crate::report::Row;
use crate::report::row::cell::LocalTime;
use crate::store::Cause;
use crate::text::one_line;

/// Errors of one cause belong together if no more than this is between the ends of two, in seconds.
const GAP: i64 = 30 * 60;
/// As many are an incident.
const FEWEST: usize = 2;
/// How much of an error's text is kept, in characters.
const EVIDENCE: usize = 400;

/// Errors of one cause that came together in time.
#[derive(Clone, Debug, Serialize)]
pub struct Incident {
    /// Triage's rule; none of errors that no rule knows.
    pub rule: Option<String>,
    /// Whose doing it was.
    pub cause: Option<Cause>,
    /// When the first of them to end began: local time of its machine.
    pub from: LocalTime,
    /// When the last of them ended.
    pub to: LocalTime,
    /// How many trials it took.
    pub trials: usize,
    /// How many trials of the study ended from the first of their ends to the last.
    pub of: usize,
    /// How many of them have a verdict that upstream counts.
    pub judged: usize,
    /// Whom it took, by arm and run.
    pub arms: Vec<HitArm>,
    /// The text that the first was decided by.
    pub evidence: Option<String>,
}

/// What an incident took of an arm.
#[derive(Clone, Debug, Serialize)]
pub struct HitArm {
    /// The arm.
    pub arm: String,
    /// How many trials.
    pub trials: usize,
    /// Of how many in all.
    pub of: usize,
    /// The runs, each with its pairs.
    pub runs: BTreeMap<String, Vec<String>>,
}

/// What came together in time, and what came alone.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Incidents {
    /// Together, in the order of time.
    pub together: Vec<Incident>,
    /// Alone, or at an unknown time: how many trials by rule.
    pub alone: BTreeMap<String, usize>,
    /// All of one cause, together or alone, and what leaving them out turns; the most first.
    pub causes: Vec<OfCause>,
}

/// The errors of one cause.
#[derive(Clone, Debug, Serialize)]
pub struct OfCause {
    /// Triage's rule; none of errors that no rule knows.
    pub rule: Option<String>,
    /// How many trials.
    pub trials: usize,
    /// How many of them have a verdict that upstream counts.
    pub judged: usize,
    /// The contrasts that turn when these alone are left out.
    pub turns: Vec<TurnedAlone>,
}

/// An error with the time of its end.
struct Ended<'a, 's> {
    seen: &'a Seen<'s>,
    row: &'s Row,
    at: LocalTime,
}

impl Incidents {
    pub(super) fn of(names: &[&str], seen: &[Seen<'_>], contrasts: &Contrasts<'_, '_>) -> Self {
        let mut found = Self::default();
        let mut by_rule: BTreeMap<Option<&str>, Vec<Ended<'_, '_>>> = BTreeMap::new();
        for one in seen {
            let Some(row) = one.row.filter(|row| is_error(row.outcome)) else {
                continue;
            };
            match row.ended_at.or(row.started_at) {
                Some(at) => {
                    let of_rule = by_rule.entry(row.rule.as_deref()).or_default();
                    of_rule.push(Ended { seen: one, row, at });
                }
                None => found.add_alone(row.rule.as_deref()),
            }
        }
        for (rule, mut errors) in by_rule {
            errors.sort_by_key(|error| error.at);
            let is_near = |a: &Ended<'_, '_>, b: &Ended<'_, '_>| b.at.seconds_after(a.at) <= GAP;
            for together in errors.chunk_by(is_near) {
                if together.len() < FEWEST {
                    found.add_alone(rule);
                } else {
                    found.together.extend(incident(names, seen, together));
                }
            }
        }
        found.together.sort_by_key(|incident| incident.from);
        found.causes = causes(seen, contrasts);
        found
    }

    fn add_alone(&mut self, rule: Option<&str>) {
        let rule = rule.unwrap_or("no rule knows it").to_owned();
        *self.alone.entry(rule).or_default() += 1;
    }
}

fn incident(names: &[&str], seen: &[Seen<'_>], together: &[Ended<'_, '_>]) -> Option<Incident> {
    let (first, last) = (together.first()?, together.last()?);
    let window = first.at..=last.at;
    let ended = |one: &&Seen<'_>| {
        let at = one.row.and_then(|row| row.ended_at);
        at.is_some_and(|at| window.contains(&at))
    };
    let mut arms: Vec<HitArm> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let hit: Vec<_> = together.iter().filter(|it| it.seen.arm == at).collect();
        if hit.is_empty() {
            continue;
        }
        let mut runs: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for error in &hit {
            let pairs = runs.entry(error.seen.run.name.to_string()).or_default();
            pairs.extend(error.seen.pair.map(str::to_owned));
        }
        let of_arm = seen.iter().filter(|one| one.arm == at && one.row.is_some());
        arms.push(HitArm {
            arm: (*name).to_owned(),
            trials: hit.len(),
            of: of_arm.count(),
            runs,
        });
    }
    arms.sort_by_key(|arm| std::cmp::Reverse(arm.trials));
    Some(Incident {
        rule: first.row.rule.clone(),
        cause: first.row.cause,
        from: first.row.started_at.unwrap_or(first.at),
        to: last.at,
        trials: together.len(),
        of: seen.iter().filter(ended).count(),
        judged: together
            .iter()
            .filter(|it| it.seen.published.is_some())
            .count(),
        arms,
        evidence: first
            .row
            .evidence
            .as_deref()
            .map(|it| one_line(it, EVIDENCE)),
    })
}

/// The errors by cause, each with what it turns.
fn causes(seen: &[Seen<'_>], contrasts: &Contrasts<'_, '_>) -> Vec<OfCause> {
    let errors = seen.iter().filter(|one| is_of_error(one));
    let mut counts: BTreeMap<Option<&str>, [usize; 2]> = BTreeMap::new();
    for one in errors {
        let [trials, judged] = counts.entry(rule(one)).or_default();
        *trials += 1;
        *judged += usize::from(one.published.is_some());
    }
    let of_cause = |(cause, [trials, judged]): (Option<&str>, [usize; 2])| OfCause {
        rule: cause.map(str::to_owned),
        trials,
        judged,
        turns: match judged {
            0 => Vec::new(),
            _ => contrasts.turned_without(|one| is_of_error(one) && rule(one) == cause),
        },
    };
    let mut causes: Vec<OfCause> = counts.into_iter().map(of_cause).collect();
    causes.sort_by_key(|it| std::cmp::Reverse(it.judged));
    causes
}

fn is_of_error(seen: &Seen<'_>) -> bool {
    seen.row.is_some_and(|row| is_error(row.outcome))
}

fn rule<'s>(seen: &Seen<'s>) -> Option<&'s str> {
    seen.row?.rule.as_deref()
}
