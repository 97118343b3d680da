//! Each arm against the baseline, as published and without what is flagged. Pure.

use serde::Serialize;

use super::seen::{Measure, Reading, Seen, Tally, of_arm, tally};
use crate::statistics::{Both, Contrast, Interval, NoP, Tested, contrast, holm};

/// The level whose side decides.
const LEVEL: f64 = 0.05;
/// A difference of no more is none.
const NOTHING: f64 = 1e-9;

/// One arm against the baseline, in one measure.
#[derive(Clone, Debug, Serialize)]
pub struct Audited {
    /// The arm.
    pub arm: String,
    /// What is counted.
    pub measure: Measure,
    /// As upstream counts; none where no pair has a verdict in both.
    pub published: Option<Stated>,
    /// Without damage.
    pub undamaged: Option<Stated>,
    /// Without damage and doubt.
    pub unflagged: Option<Stated>,
    /// What changes when something is left out.
    pub turns: Vec<TurnKind>,
}

/// What a contrast says.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Stated {
    /// The arm's rate less the baseline's, as the mean over shared pairs.
    pub difference: f64,
    /// How many pairs both have.
    pub pairs: usize,
    /// How many tasks they are from.
    pub tasks: usize,
    /// Where repeats are the sample.
    pub these_pairs: Side,
    /// Where tasks are the sample.
    pub tasks_like_these: Side,
}

/// What is known of one target.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Side {
    /// The 95% interval of the difference.
    pub interval: Option<Interval>,
    /// The p-value.
    pub p: Option<f64>,
    /// Why there is none.
    pub no_p: Option<&'static str>,
    /// Adjusted by Holm over the arms.
    pub adjusted_p: Option<f64>,
}

/// What changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TurnKind {
    /// By what is left out.
    pub by: Reading,
    /// What of the contrast.
    pub what: Turned,
}

/// What of a contrast changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Turned {
    /// The sign of the difference.
    Sign,
    /// The side of 5% for these pairs.
    ThesePairs,
    /// The side of 5% for tasks like these.
    TasksLikeThese,
    /// Nothing is left to compare.
    Gone,
}

/// A contrast that turns when something alone is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TurnedAlone {
    /// The arm.
    pub arm: String,
    /// What is counted.
    pub measure: Measure,
}

impl Audited {
    /// What it says by a reading.
    #[must_use]
    pub const fn by(&self, reading: Reading) -> Option<&Stated> {
        match reading {
            Reading::Published => self.published.as_ref(),
            Reading::Undamaged => self.undamaged.as_ref(),
            Reading::Unflagged => self.unflagged.as_ref(),
        }
    }

    /// Whether leaving this out changes it.
    #[must_use]
    pub fn is_turned_by(&self, reading: Reading) -> bool {
        self.turns.iter().any(|turn| turn.by == reading)
    }

    fn turns(&self) -> Vec<TurnKind> {
        let Some(before) = &self.published else {
            return Vec::new();
        };
        let of = |by: Reading| {
            let what = before.turned(self.by(by));
            what.into_iter().map(move |what| TurnKind { by, what })
        };
        Reading::STRICTER.into_iter().flat_map(of).collect()
    }
}

impl Stated {
    fn of(found: &Contrast) -> Self {
        let side = |tested: &Tested| Side {
            interval: tested.interval,
            p: tested.p.ok().map(|p| p.value),
            no_p: tested.p.err().map(NoP::name),
            adjusted_p: None,
        };
        Self {
            difference: found.share,
            pairs: found.pairs,
            tasks: found.tasks,
            these_pairs: side(&found.these_pairs),
            tasks_like_these: side(&found.tasks_like_these),
        }
    }

    /// What changes from this to that.
    fn turned(&self, after: Option<&Self>) -> Vec<Turned> {
        let Some(after) = after else {
            return vec![Turned::Gone];
        };
        let mut turned = Vec::new();
        let is_something = |it: &Self| it.difference.abs() > NOTHING;
        if is_something(self)
            && is_something(after)
            && self.difference.signum() != after.difference.signum()
        {
            turned.push(Turned::Sign);
        }
        let crosses = |one: Side, two: Side| {
            let both = one.adjusted_p.zip(two.adjusted_p);
            both.is_some_and(|(one, two)| (one < LEVEL) != (two < LEVEL))
        };
        if crosses(self.these_pairs, after.these_pairs) {
            turned.push(Turned::ThesePairs);
        }
        if crosses(self.tasks_like_these, after.tasks_like_these) {
            turned.push(Turned::TasksLikeThese);
        }
        turned
    }
}

/// The verdicts of arm and baseline.
type Tallies<'s> = [Tally<'s>; 2];

/// Every arm against the baseline, by a reading; the same as by another where the verdicts are.
struct ByArm<'s> {
    /// The arm's place, the measure, the verdicts, and what they say.
    each: Vec<(usize, Measure, Tallies<'s>, Option<Stated>)>,
}

/// The contrasts of a study.
pub(super) struct Contrasts<'a, 's> {
    names: &'a [&'a str],
    baseline: usize,
    seen: &'a [Seen<'s>],
    published: ByArm<'s>,
}

impl<'s> ByArm<'s> {
    /// Of the verdicts that count, adjusted over the arms.
    fn of(
        contrasts: (&[&str], usize, &[Seen<'s>]),
        known: &[&Self],
        counts: impl Fn(&Seen<'s>) -> bool,
    ) -> Self {
        let (names, baseline, seen) = contrasts;
        let verdicts = |arm: usize, measure: Measure| {
            tally(of_arm(seen, arm), |one| {
                one.published(measure).filter(|_| counts(one))
            })
        };
        let mut each = Vec::new();
        for measure in Measure::ALL {
            let base = verdicts(baseline, measure);
            for arm in (0..names.len()).filter(|arm| *arm != baseline) {
                let tallies = [verdicts(arm, measure), base.clone()];
                let same = known.iter().find_map(|known| {
                    let of_arm =
                        |it: &&(usize, Measure, Tallies<'s>, _)| (it.0, it.1) == (arm, measure);
                    let known = known.each.iter().find(of_arm)?;
                    (known.2 == tallies).then_some(known.3)
                });
                let stated = same.unwrap_or_else(|| stated(&tallies));
                each.push((arm, measure, tallies, stated));
            }
        }
        let mut found = Self { each };
        for measure in Measure::ALL {
            found.adjust(measure, |stated| &mut stated.these_pairs);
            found.adjust(measure, |stated| &mut stated.tasks_like_these);
        }
        found
    }

    /// Adjusts a target's p-values over the arms.
    fn adjust(&mut self, measure: Measure, target: fn(&mut Stated) -> &mut Side) {
        let of_measure = self.each.iter_mut().filter(|it| it.1 == measure);
        let sides = of_measure.filter_map(|it| it.3.as_mut().map(target));
        let mut sides: Vec<&mut Side> = sides.filter(|side| side.p.is_some()).collect();
        let p: Vec<f64> = sides.iter().filter_map(|side| side.p).collect();
        for (side, adjusted) in sides.iter_mut().zip(holm(&p)) {
            side.adjusted_p = Some(adjusted);
        }
    }
}

impl<'a, 's> Contrasts<'a, 's> {
    pub fn of(names: &'a [&'a str], baseline: usize, seen: &'a [Seen<'s>]) -> Self {
        Self {
            names,
            baseline,
            seen,
            published: ByArm::of((names, baseline, seen), &[], |_| true),
        }
    }

    fn by(&self, known: &[&ByArm<'s>], counts: impl Fn(&Seen<'s>) -> bool) -> ByArm<'s> {
        ByArm::of((self.names, self.baseline, self.seen), known, counts)
    }

    /// Each of them as published and without what is flagged. Of merges only those that both arms have.
    pub fn audited(&self) -> Vec<Audited> {
        let published = &self.published;
        let undamaged = self.by(&[published], |one| Reading::Undamaged.counts(one));
        let unflagged = self.by(&[published, &undamaged], |one| {
            Reading::Unflagged.counts(one)
        });
        let readings = published
            .each
            .iter()
            .zip(&undamaged.each)
            .zip(&unflagged.each);
        let is_there = |measure: Measure, tallies: &Tallies<'_>| {
            measure == Measure::Pass || !tallies.iter().any(Tally::is_empty)
        };
        let there = readings.filter(|((it, _), _)| is_there(it.1, &it.2));
        there
            .map(|((published, undamaged), unflagged)| {
                let mut audited = Audited {
                    arm: self.names[published.0].to_owned(),
                    measure: published.1,
                    published: published.3,
                    undamaged: undamaged.3,
                    unflagged: unflagged.3,
                    turns: Vec::new(),
                };
                audited.turns = audited.turns();
                audited
            })
            .collect()
    }

    /// Those that turn when these verdicts alone are left out.
    pub fn turned_without(&self, is_out: impl Fn(&Seen<'s>) -> bool) -> Vec<TurnedAlone> {
        let without = self.by(&[&self.published], |one| !is_out(one));
        let both = self.published.each.iter().zip(&without.each);
        let turned = both.filter(|(before, after)| {
            before
                .3
                .is_some_and(|before| !before.turned(after.3.as_ref()).is_empty())
        });
        turned
            .map(|((arm, measure, ..), _)| TurnedAlone {
                arm: self.names[*arm].to_owned(),
                measure: *measure,
            })
            .collect()
    }
}

fn stated([first, second]: &Tallies<'_>) -> Option<Stated> {
    let both = first.iter().filter_map(|(pair, (task, first))| {
        let (_, second) = second.get(pair)?;
        Some(Both {
            task,
            first: *first,
            second: *second,
        })
    });
    Some(Stated::of(&contrast(both)?))
}
