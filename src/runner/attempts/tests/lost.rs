//! Trials that are lost with their workers, and those that go on without their command.

use std::collections::BTreeSet;

use super::*;
use crate::bench::Spending;

/// A scripted engine with workers, which loses the trials of such pairs attempt by attempt.
struct Losing {
    kept: Kept,
    lost: Vec<Vec<u64>>,
    rule: &'static str,
    going_on: BTreeSet<Pair>,
}

impl Losing {
    fn of(lost: &[&[u64]]) -> Self {
        Self {
            kept: Kept::with(&[]),
            lost: lost.iter().map(|it| it.to_vec()).collect(),
            rule: "connection",
            going_on: BTreeSet::new(),
        }
    }

    fn attempts(&self) -> usize {
        self.kept.batches.borrow().len()
    }
}

impl Executor for Losing {
    async fn attempt(
        &self,
        batch: &Batch,
        mut orders: watch::Receiver<Orders>,
        events: &Reporter,
    ) -> Result<EndedAttempt> {
        if !self.going_on.is_empty() {
            // Nothing is begun beside what goes on, and that does not end.
            let stopped = orders.wait_for(|orders| orders.stop > Stop::No).await;
            assert!(stopped.is_ok());
            return Ok(EndedAttempt {
                how: AttemptEnd::Stopped,
                killed_at: None,
            });
        }
        let lost = self.lost.get(self.attempts()).cloned().unwrap_or_default();
        let mut rest = batch.clone();
        for pair in lost.into_iter().map(pair) {
            rest.pairs.retain(|other| *other != pair);
            begin(events, &pair);
            events(Event::TrialLost {
                pair,
                rule: self.rule.to_owned(),
                why: "its node n1 failed".to_owned(),
            });
        }
        self.kept.attempt(&rest, orders, events).await
    }

    fn going_on(&self) -> BTreeSet<Pair> {
        self.going_on.clone()
    }
}

/// A trial begins, and spends a quarter of a dollar.
fn begin(events: &Reporter, pair: &Pair) {
    events(Event::TrialStarted { pair: pair.clone() });
    events(Event::Spent {
        pair: pair.clone(),
        trial: "t".to_owned(),
        agent: "solo".to_owned(),
        spending: Spending {
            cost: Some(0.25),
            ..Spending::default()
        },
        ended: false,
    });
}

/// The trials that were cut off: pair, attempt, rule and cost.
fn cut_off(runner: &Runner) -> Vec<(Pair, Option<u32>, String, Option<f64>)> {
    let entries = runner.ledger.entries().iter();
    let cut_off = entries.filter(|entry| entry.is_cut_off());
    let told = cut_off.map(|it| {
        let evidence = &it.diagnosis.as_ref().unwrap().evidence;
        (
            it.pair.clone(),
            it.attempt,
            evidence.rule.to_string(),
            it.cost,
        )
    });
    told.collect()
}

#[tokio::test]
async fn a_trial_that_is_lost_with_its_worker_is_booked_and_its_pair_runs_again() {
    for (rule, booked) in [("connection", "connection"), ("of_a_later_one", "cut_off")] {
        let (_dir, mut runner) = runner(3);
        // What is lost is no try of the pair, as long as others finish.
        runner.policy.max_attempts = 1;
        let losing = Losing {
            rule,
            ..Losing::of(&[&[1, 2], &[2]])
        };
        assert_eq!(runner.run(&losing).await.unwrap(), RunEnd::Complete);
        assert_eq!(losing.attempts(), 3);
        let lost = |task, attempt| (pair(task), Some(attempt), booked.to_owned(), Some(0.25));
        assert_eq!(cut_off(&runner), [lost(1, 1), lost(2, 1), lost(2, 2)]);
        let events = files::read_text(&runner.run.events()).unwrap();
        let ended = r#""event":"trial_cut_off","attempt":2,"pair":"a_task/2/f1_f2","why":"its node n1 failed","cost":0.25"#;
        assert!(events.contains(ended), "{events}");
    }
}

#[tokio::test]
async fn where_every_trial_is_lost_the_attempts_come_to_an_end() {
    let (_dir, mut runner) = runner(2);
    runner.policy.max_attempts = 2;
    let losing = Losing {
        lost: vec![vec![1, 2]; 9],
        ..Losing::of(&[])
    };
    assert_eq!(runner.run(&losing).await.unwrap(), RunEnd::Errors);
    assert_eq!(losing.attempts(), 2);
}

#[tokio::test]
async fn a_pair_that_ends_its_workers_again_and_again_costs_attempts() {
    let (_dir, mut runner) = runner(9);
    runner.policy.max_attempts = 2;
    // One other is lost less each time, so that something finishes in all of them.
    let lost: Vec<Vec<u64>> = (0..9).map(|n| (1..9 - n).collect()).collect();
    let losing = Losing {
        lost,
        ..Losing::of(&[])
    };
    assert_eq!(runner.run(&losing).await.unwrap(), RunEnd::Errors);
    // Two that do not count, and two that do.
    assert_eq!(losing.attempts(), 4);
}

#[tokio::test]
async fn a_trial_that_goes_on_elsewhere_is_left_open_and_what_it_spent_is_taken_over() {
    let (_dir, mut runner) = runner(3);
    let sink = runner.sink.clone();
    let reporter: Reporter = Arc::new(move |event| sink.emit(event));
    reporter(Event::AttemptStarted {
        attempt: 4,
        nth: 1,
        of: 1,
        completed: 0,
        remaining: 3,
        pairs: runner.plan.clone(),
        log: String::new(),
    });
    begin(&reporter, &pair(1));
    begin(&reporter, &pair(2));
    // The first goes on, and nothing more is heard of it.
    let losing = Losing {
        going_on: [pair(1)].into(),
        ..Losing::of(&[])
    };
    runner.policy.max_attempts = 1;
    runner.policy.budget = Some(0.4);
    assert_eq!(runner.run(&losing).await.unwrap(), RunEnd::Budget);
    let died = |task, attempt| (pair(task), Some(attempt), "cut_off".to_owned(), Some(0.25));
    assert_eq!(cut_off(&runner), [died(2, 4), died(1, 5)]);
}
