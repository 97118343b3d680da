//! How the pairs of an experiment stand, while it runs. Pure.

use std::collections::HashMap;

use crate::bench::cost::dollars;
use crate::bench::{Cost, Pair, RunName, Total};
use crate::experiment::{Means, Outlook, RunOutlook};
use crate::store::Event;
use crate::text::plural;

/// How a pair that has a result stands: exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Every agent submitted.
    Submitted,
    /// Its trial finished, and not every agent submitted: a limit ended one.
    AtLimit,
    /// Its trial did not finish.
    Error,
}

impl How {
    /// How a trial that ended so stands.
    #[must_use]
    pub fn of(status: &str, finished: bool) -> Self {
        match finished {
            false => Self::Error,
            true if status.split('+').all(|status| status == "Submitted") => Self::Submitted,
            true => Self::AtLimit,
        }
    }
}

/// One run's pairs: what stood before, and what ended since.
#[derive(Debug)]
struct OfRun {
    begun: RunOutlook,
    ended: HashMap<Pair, How>,
}

/// The pairs of all runs of an experiment, and what they cost. Each pair that has a result is in one
/// count.
#[derive(Debug, Default)]
pub struct Counts {
    runs: Vec<OfRun>,
    /// The run that goes on.
    at: Option<usize>,
    elsewhere: Total,
    budget: Option<f64>,
    means: Means,
}

impl Counts {
    /// What stands before anything runs.
    #[must_use]
    pub fn of(outlook: Outlook) -> Self {
        let of_run = |begun| OfRun {
            begun,
            ended: HashMap::new(),
        };
        Self {
            runs: outlook.runs.into_iter().map(of_run).collect(),
            at: None,
            elsewhere: outlook.elsewhere,
            budget: outlook.budget,
            means: outlook.means,
        }
    }

    /// Takes in an event of the run that runs now.
    pub fn take_in(&mut self, event: &Event) {
        if let Event::RunStarted { run, .. } = event {
            self.at = Some(self.place_of(run));
        }
        if let Event::Set { changes, .. } = event {
            let of_budget = changes.iter().filter(|it| it.setting == "budget");
            of_budget.for_each(|it| self.budget = it.new.as_f64());
        }
        // What a dead command left is booked before its run starts, and was known by then.
        let Some(now) = self.at.and_then(|at| self.runs.get_mut(at)) else {
            return;
        };
        match event {
            Event::RunStarted {
                pairs,
                finished,
                submitted,
                spent,
                ..
            } => {
                // What it finds may differ from what was found before, and counts.
                let errors = now.begun.errors.min(finished.saturating_sub(*submitted));
                (now.begun.pairs, now.begun.errors) = (*pairs, errors);
                now.begun.submitted = *submitted;
                now.begun.at_limit = finished.saturating_sub(submitted + errors);
                now.begun.spent = *spent;
            }
            // An error of the last attempt runs again: it is no longer one.
            Event::AttemptStarted { pairs, .. } => {
                for pair in pairs {
                    now.ended.remove(pair);
                }
                // The first attempt is of all that the run has left.
                if now.ended.is_empty() {
                    now.begun.to_run.clone_from(pairs);
                }
            }
            Event::TrialEnded {
                pair,
                status,
                finished,
                cost,
                usage_unknown,
                ..
            } => {
                now.ended.insert(pair.clone(), How::of(status, *finished));
                if let Some(usd) = cost.filter(|_| *finished && !usage_unknown) {
                    let (arm, kind) = (&now.begun.arm, &now.begun.kind);
                    self.means.add(Some(arm), kind, pair, usd);
                }
                now.begun.spent.add(Cost {
                    usd: *cost,
                    is_partial: *usage_unknown,
                });
            }
            Event::TrialCutOff {
                cost,
                usage_unknown,
                ..
            } => now.begun.spent.add(Cost {
                usd: *cost,
                is_partial: *usage_unknown,
            }),
            Event::RunEnded { .. } => self.at = None,
            _ => {}
        }
    }

    fn place_of(&mut self, run: &RunName) -> usize {
        let place = self.runs.iter().position(|one| one.begun.run == *run);
        place.unwrap_or_else(|| {
            self.runs.push(OfRun {
                begun: RunOutlook::unknown(run.clone()),
                ended: HashMap::new(),
            });
            self.runs.len() - 1
        })
    }

    /// How many pairs there are.
    #[must_use]
    pub fn total(&self) -> usize {
        self.runs.iter().map(|run| run.begun.pairs).sum()
    }

    /// How many pairs have a result.
    #[must_use]
    pub fn done(&self) -> usize {
        let [submitted, at_limit, errors] = self.each();
        submitted + at_limit + errors
    }

    /// Submitted, at a limit, errors.
    fn each(&self) -> [usize; 3] {
        let all = [How::Submitted, How::AtLimit, How::Error];
        all.map(|how| {
            let of_run = |run: &OfRun| {
                let before = match how {
                    How::Submitted => run.begun.submitted,
                    How::AtLimit => run.begun.at_limit,
                    How::Error => run.begun.errors,
                };
                before + run.ended.values().filter(|ended| **ended == how).count()
            };
            self.runs.iter().map(of_run).sum()
        })
    }

    /// The counts in words; those that are 0 but the first are left out.
    #[must_use]
    pub fn in_words(&self) -> String {
        let [submitted, at_limit, errors] = self.each();
        let mut words = format!("{submitted} submitted");
        if at_limit > 0 {
            words = format!("{words}, {at_limit} at a limit");
        }
        if errors > 0 {
            words = format!("{words}, {}", plural(errors, "error"));
        }
        words
    }

    /// What was spent, with `running` USD by trials that run; the budget, if there is one; and what
    /// all of it may come to, where that is known.
    #[must_use]
    pub fn cost(&self, running: f64) -> String {
        let mut spent = self.elsewhere;
        for run in &self.runs {
            spent += run.begun.spent;
        }
        let left = self.runs.iter().map(|run| {
            let left = run.begun.to_run.iter();
            let left = left.filter(|pair| !run.ended.contains_key(pair));
            self.means.expected(&run.begun, left)
        });
        // What runs now is a part of what it may cost.
        let all = left.sum::<Option<f64>>().filter(|left| *left > 0.0);
        let all = all.map(|left| spent.usd + left.max(running));
        spent.usd += running;
        let of = match (self.budget, all) {
            (None, None) => String::new(),
            (Some(budget), None) => format!(" of {}", dollars(budget)),
            (None, Some(all)) => format!(" of about {}", dollars(all)),
            (Some(budget), Some(all)) => {
                format!(" of {}, about {} in all", dollars(budget), dollars(all))
            }
        };
        format!("{spent}{of}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Setting, TaskKey};

    fn outlook(run: &str, submitted: usize) -> RunOutlook {
        RunOutlook {
            run: run.parse().unwrap(),
            pairs: 9,
            submitted,
            at_limit: 0,
            errors: 0,
            to_run: (1..=9).skip(submitted).map(pair).collect(),
            spent: Total::default(),
            arm: run.to_owned(),
            kind: "m".to_owned(),
        }
    }

    fn pair(n: u64) -> Pair {
        Pair::new(TaskKey::new("gull_task", n), 1, 2)
    }

    fn ended(n: u64, status: &str, finished: bool) -> Event {
        Event::TrialEnded {
            attempt: 1,
            pair: pair(n),
            trial: "t".to_owned(),
            status: status.to_owned(),
            finished,
            void: false,
            diagnosis: None,
            cost: Some(0.25),
            usage_unknown: false,
            duration_seconds: None,
        }
    }

    fn attempt(pairs: &[u64]) -> Event {
        Event::AttemptStarted {
            attempt: 1,
            nth: 1,
            of: 3,
            completed: 0,
            remaining: pairs.len(),
            pairs: pairs.iter().map(|n| pair(*n)).collect(),
            log: String::new(),
        }
    }

    fn run_started(run: &str, finished: usize, submitted: usize) -> Event {
        Event::RunStarted {
            run: run.parse().unwrap(),
            setting: Setting::Solo,
            pairs: 9,
            finished,
            submitted,
            to_run: 9 - finished,
            spent: Total::default(),
            version: String::new(),
        }
    }

    #[test]
    fn every_pair_with_a_result_is_in_one_count_and_the_counts_are_what_is_done() {
        let mut counts = Counts::of(Outlook {
            runs: vec![outlook("a-solo", 2), outlook("a-coop-comm", 0)],
            elsewhere: Total::default(),
            budget: Some(5.0),
            means: Means::default(),
        });
        assert_eq!((counts.done(), counts.total()), (2, 18));
        counts.take_in(&run_started("a-solo", 3, 2));
        assert_eq!(counts.in_words(), "2 submitted, 1 at a limit");
        counts.take_in(&attempt(&[1, 2, 3, 4, 5, 6]));
        counts.take_in(&ended(1, "Submitted", true));
        counts.take_in(&ended(2, "LimitsExceeded+Submitted", true));
        counts.take_in(&ended(3, "Error", false));
        assert_eq!(counts.in_words(), "3 submitted, 2 at a limit, 1 error");
        assert_eq!(counts.done(), 6);
        // Two finished, for $0.25 each: the 12 that are left may cost as much each.
        assert_eq!(counts.cost(0.5), "$1.25 of $5.00, about $3.75 in all");
        // It runs again, and then counts once.
        counts.take_in(&attempt(&[3]));
        assert_eq!(counts.done(), 5);
        counts.take_in(&ended(3, "Submitted", true));
        assert_eq!(counts.in_words(), "4 submitted, 2 at a limit");
        counts.take_in(&run_started("a-coop-comm", 0, 0));
        counts.take_in(&ended(1, "Submitted+Submitted", true));
        assert_eq!((counts.done(), counts.total()), (7, 18));
    }

    #[test]
    fn what_a_dead_command_left_is_counted_once() {
        let known = Cost {
            usd: Some(0.25),
            is_partial: true,
        };
        let mut with_dead = outlook("a-coop-comm", 0);
        with_dead.spent.add(known);
        let mut counts = Counts::of(Outlook {
            runs: vec![outlook("a-solo", 9), with_dead],
            elsewhere: Total {
                usd: 2.0,
                unknown: 0,
            },
            budget: None,
            means: Means::default(),
        });
        let cut_off = Event::TrialCutOff {
            attempt: 1,
            pair: pair(1),
            why: "regatta itself ended".to_owned(),
            cost: known.usd,
            usage_unknown: true,
        };
        let before = counts.cost(0.0);
        assert_eq!(before, "$2.25 + 1 unknown");
        counts.take_in(&run_started("a-solo", 9, 9));
        counts.take_in(&Event::RunEnded {
            run: "a-solo".parse().unwrap(),
            end: "complete".to_owned(),
        });
        counts.take_in(&cut_off);
        assert_eq!(counts.cost(0.0), before);
        // One that is stopped while its run goes on is new.
        counts.take_in(&run_started("a-coop-comm", 0, 0));
        assert_ne!(counts.cost(0.0), before);
        counts.take_in(&cut_off);
        assert_eq!(counts.cost(0.0), before);
    }
}
