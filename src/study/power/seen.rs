//! From arms on disk.

use std::collections::BTreeMap;

use super::forecast::Figure;
use super::{FORMAT, OfArm, OfContrast, Power, Sought};
use crate::error::{Error, Result};
use crate::hint;
use crate::statistics::{Both, Components, Interval, Passes, Repeated, contrast, mean};
use crate::study::{Arm, Study};
use crate::text::{NAME, one_line, plural};

/// What an arm's rows say.
struct Seen<'a> {
    arm: &'a Arm,
    /// Its judged pairs, each with its task.
    pairs: BTreeMap<&'a str, (&'a str, Passes)>,
    /// How often a pair was planned where it was most.
    repeats: u32,
    cost: Option<f64>,
    unknown_costs: usize,
}

impl<'a> Seen<'a> {
    fn of(arm: &'a Arm, sought: &Sought) -> Self {
        let mut pairs: BTreeMap<&str, (&str, Passes)> = BTreeMap::new();
        let (mut costs, mut unknown_costs) = (Vec::new(), 0);
        for row in arm.rows() {
            match (row.cost_usd, row.has_unknown_cost) {
                (Some(usd), Some(false)) => costs.push(usd),
                (_, Some(true)) => unknown_costs += 1,
                _ => {}
            }
            if let (Some(pair), Some(task), Some(passed)) = (&row.pair, &row.task, row.passed) {
                let none = Passes { passed: 0, of: 0 };
                let (_, passes) = pairs.entry(pair).or_insert((task, none));
                passes.passed += u32::from(passed);
                passes.of += 1;
            }
        }
        let mean = costs.iter().sum::<f64>() / costs.len() as f64;
        let repeats = arm.pairs().values().map(Vec::len).max().unwrap_or(0);
        Self {
            arm,
            pairs,
            repeats: u32::try_from(repeats).unwrap_or(u32::MAX),
            cost: sought
                .cost_per_trial
                .or(Some(mean).filter(|it| it.is_finite())),
            unknown_costs,
        }
    }

    fn repeated(&self) -> impl Iterator<Item = Repeated<'a>> {
        self.pairs.values().map(|(task, it)| Repeated {
            task,
            passed: it.passed,
            of: it.of,
        })
    }

    fn name(&self) -> String {
        one_line(&self.arm.name, NAME)
    }

    fn alone(&self, sought: &Sought) -> Option<OfArm> {
        let seen = mean(self.repeated())?;
        let figure = Figure {
            components: Components::of_rate(self.repeated()),
            pairs: seen.pairs,
            tasks: seen.tasks,
            share: Some(seen.share),
            half_width: seen.tasks_like_these.map(half),
            repeats: self.repeats,
            arms: 1,
            cost: self.cost,
        };
        Some(OfArm {
            arm: self.name(),
            runs: Some(self.arm.runs.len()),
            trials: seen.trials,
            share: seen.share,
            unknown_costs: self.unknown_costs,
            forecast: figure.forecast(sought),
        })
    }

    /// This arm less the baseline; none where no pair was judged in both.
    fn less(&self, baseline: &Seen<'a>, sought: &Sought) -> Option<OfContrast> {
        let shared = || {
            self.pairs.iter().filter_map(|(pair, (task, first))| {
                let (_, second) = baseline.pairs.get(pair)?;
                Some(Both {
                    task,
                    first: *first,
                    second: *second,
                })
            })
        };
        let seen = contrast(shared())?;
        let cost = self.cost.zip(baseline.cost);
        let figure = Figure {
            components: Components::of_difference(shared()),
            pairs: seen.pairs,
            tasks: seen.tasks,
            share: None,
            half_width: seen.tasks_like_these.interval.map(half),
            repeats: self.repeats.min(baseline.repeats),
            arms: 2,
            cost: cost.map(|(one, other)| one + other),
        };
        Some(OfContrast {
            first: self.name(),
            second: baseline.name(),
            difference: seen.share,
            forecast: figure.forecast(sought),
        })
    }
}

fn half(interval: Interval) -> f64 {
    (interval.high - interval.low) / 2.0
}

impl Power {
    /// From arms on disk, the first of which is the baseline.
    pub fn of_arms(study: &Study, sought: &Sought) -> Result<Self> {
        let arms = &study.arms;
        let all: Vec<Seen<'_>> = arms.iter().map(|arm| Seen::of(arm, sought)).collect();
        let (judged, unjudged): (Vec<_>, Vec<_>) = all.iter().partition(|it| !it.pairs.is_empty());
        if judged.is_empty() {
            return Err(none_judged(arms));
        }
        let left_out = unjudged
            .iter()
            .map(|it| format!("{} is left out: none of its pairs is judged", it.name()));
        let mut notes: Vec<String> = study.notes.iter().cloned().chain(left_out).collect();
        let (baseline, others) = (judged[0], &judged[1..]);
        let mut contrasts = Vec::new();
        for other in others {
            match other.less(baseline, sought) {
                Some(contrast) => contrasts.push(contrast),
                None => notes.push(format!(
                    "{} less {}: no pair was judged in both",
                    other.name(),
                    baseline.name()
                )),
            }
        }
        let of_arms = judged.iter().filter_map(|it| it.alone(sought));
        let mut power = Self {
            format: FORMAT,
            regatta: env!("CARGO_PKG_VERSION"),
            effect: sought.effect,
            assumed: None,
            arms: of_arms.collect(),
            contrasts,
            notes,
        };
        power.note_what_is_missing();
        Ok(power)
    }

    /// Says what cannot be said of these arms, and what would change that.
    pub(super) fn note_what_is_missing(&mut self) {
        let forecasts: Vec<_> = if self.contrasts.is_empty() {
            self.arms.iter().map(|it| &it.forecast).collect()
        } else {
            self.contrasts.iter().map(|it| &it.forecast).collect()
        };
        let any = |wanted: &dyn Fn(&super::Between) -> bool| {
            let mut between = forecasts.iter().filter_map(|it| it.between.as_ref());
            between.any(wanted)
        };
        let mut notes = Vec::new();
        if forecasts.iter().any(|it| it.tasks == 1) {
            notes.push("one task only: nothing can be said of tasks like it. Pairs of more tasks are needed, not more repeats".to_owned());
        } else if let Some(few) = forecasts.iter().find(|it| it.tasks < 6) {
            notes.push(format!(
                "with {} no p-value over tasks can reach 5%: no repeats change that, more tasks do",
                plural(few.tasks, "task")
            ));
        }
        if any(&|it| it.pairs.is_none()) {
            notes.push(
                "one pair a task: what differs between pairs is in what differs between tasks"
                    .to_owned(),
            );
        }
        if any(&|it| it.repeats.is_none()) {
            notes.push("one repeat: what differs between repeats is in what differs between pairs, so that nothing can be said of more repeats. A second repeat of the same pairs tells".to_owned());
        }
        if self.arms.iter().all(|it| it.forecast.cost_of_one.is_none()) {
            notes.push("no result has a known cost: trials are counted instead. --cost-per-trial says what one costs".to_owned());
        } else {
            for arm in self
                .arms
                .iter()
                .filter(|it| it.forecast.cost_of_one.is_none())
            {
                notes.push(format!("no result of {} has a known cost", arm.arm));
            }
        }
        self.notes.extend(notes);
    }
}

fn none_judged(arms: &[Arm]) -> Error {
    let names: Vec<String> = arms.iter().map(|arm| one_line(&arm.name, NAME)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let what = if arms.is_empty() {
        "there is no run to see by what varies".to_owned()
    } else {
        format!(
            "no pair of {} is judged, so that it cannot be seen what varies",
            crate::text::some(&names, 6)
        )
    };
    Error::usage(what)
        .hint(format!("`{}` judges them", hint::command("eval")))
        .hint("with nothing on disk, say what to assume: regatta power --rate 30 --tasks 30 --pairs 100")
}
