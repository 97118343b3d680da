mod lost;

use std::path::PathBuf;

use super::super::breaker::Trip;
use std::cell::RefCell;

use super::super::{Interrupt, Policy, Sink, Wheel};
use super::*;
use crate::bench::Setting;
use crate::bench::TaskKey;
use crate::engine::Orders;
use crate::engine::fake::{FakeEngine, FakeOutcome};
use crate::model::price::PriceTable;
use crate::store::LogTree;
use crate::store::result::harness_error;
use crate::store::wheel::{Ask, Hand, WheelRequest};
use crate::store::{Ledger, Pass};
use crate::triage::Rules;

/// A scripted engine that keeps the batches it is given.
#[derive(Default)]
struct Kept {
    fake: FakeEngine,
    batches: RefCell<Vec<Batch>>,
}

impl Executor for Kept {
    async fn attempt(
        &self,
        batch: &Batch,
        orders: watch::Receiver<Orders>,
        events: &Reporter,
    ) -> Result<EndedAttempt> {
        self.batches.borrow_mut().push(batch.clone());
        self.fake.attempt(batch, orders, events).await
    }
}

impl Kept {
    /// The pairs of `a_task/1` and so on come to these outcomes.
    fn with(outcomes: &[&[FakeOutcome]]) -> Self {
        let mut kept = Self::default();
        for (n, outcomes) in (1..).zip(outcomes) {
            let name = pair(n).to_string();
            kept.fake.outcomes.insert(name, outcomes.to_vec());
        }
        kept.fake.at_once = true;
        kept
    }
}

fn pair(task: u64) -> Pair {
    Pair::new(TaskKey::new("a_task", task), 1, 2)
}

/// A run over so many pairs, which waits for nothing.
fn runner(pairs: u64) -> (tempfile::TempDir, Runner) {
    let dir = tempfile::tempdir().unwrap();
    let run = LogTree::at(dir.path()).run(&"t-solo".parse().unwrap());
    files::create_dir(&run.own()).unwrap();
    let (observer, _) = tokio::sync::mpsc::unbounded_channel();
    let runner = Runner {
        setting: Setting::Solo,
        plan: (1..=pairs).map(pair).collect(),
        pairs: (1..=pairs).map(pair).collect(),
        policy: Policy {
            breaker_trials: 9,
            ..Policy::in_haste()
        },
        rules: Rules::shipped(),
        prices: PriceTable::default(),
        ledger: Ledger::open(&run).unwrap(),
        sink: Sink::new(&run, observer),
        interrupt: Interrupt::never(),
        pass: Pass::read_open(&run.pass()).unwrap(),
        facts: RefCell::default(),
        wheel: Wheel::default(),
        run,
    };
    (dir, runner)
}

fn infra(cost: f64) -> FakeOutcome {
    let text = harness_error(&RuleId::CONTAINER_LOST, "the sandbox died");
    FakeOutcome::Error(text, cost)
}

#[tokio::test]
async fn what_infrastructure_breaks_runs_as_often_as_there_are_attempts() {
    for attempts in [1, 2, 3] {
        let (_dir, mut runner) = runner(1);
        runner.policy.max_attempts = attempts;
        let kept = Kept::with(&[&[infra(0.1)]]);
        assert_eq!(runner.run(&kept).await.unwrap(), RunEnd::Errors);
        assert_eq!(kept.batches.borrow().len(), attempts as usize);
    }
}

#[tokio::test]
async fn for_images_that_the_registry_refuses_there_is_no_further_attempt() {
    let refused = || FakeOutcome::Error(harness_error(&RuleId::IMAGE_REFUSED, "unknown"), 0.0);
    let (_dir, mut runner) = runner(2);
    let kept = Kept::with(&[&[refused()], &[infra(0.1), refused()]]);
    assert_eq!(runner.run(&kept).await.unwrap(), RunEnd::Errors);
    // In the first attempt the other pair may still be saved.
    assert_eq!(kept.batches.borrow().len(), 2);
    let events = files::read_text(&runner.run.events()).unwrap();
    let waits = events.matches(r#""event":"back_off""#).count();
    assert_eq!(waits, 1, "{events}");
    assert!(
        events.contains("the images of the 2 pairs that are left"),
        "{events}"
    );
}

#[tokio::test]
async fn only_what_broke_runs_again_and_the_attempts_are_counted_on() {
    let (_dir, mut runner) = runner(2);
    let done = FakeOutcome::Submitted(0.1);
    let kept = Kept::with(&[std::slice::from_ref(&done), &[infra(0.1), done.clone()]]);
    assert_eq!(runner.run(&kept).await.unwrap(), RunEnd::Complete);
    let batches = kept.batches.borrow();
    let ran: Vec<_> = batches
        .iter()
        .map(|it| (it.attempt, it.pairs.clone()))
        .collect();
    assert_eq!(ran, [(1, vec![pair(1), pair(2)]), (2, vec![pair(2)])]);
    assert!(batches.iter().all(|batch| batch.plan == [pair(1), pair(2)]));
}

#[tokio::test]
async fn an_attempt_knows_whose_sandbox_ended_before() {
    let (_dir, mut runner) = runner(2);
    let ended = FakeOutcome::Error(harness_error(&RuleId::SANDBOX_ENDED, "it is gone"), 0.1);
    let done = FakeOutcome::Submitted(0.1);
    let kept = Kept::with(&[&[ended, done.clone()], &[infra(0.1), done]]);
    assert_eq!(runner.run(&kept).await.unwrap(), RunEnd::Complete);
    let batches = kept.batches.borrow();
    let before: Vec<_> = batches.iter().map(|it| it.ended_before.clone()).collect();
    assert_eq!(before, [vec![], vec![pair(1)]]);
}

#[tokio::test]
async fn a_budget_that_is_spent_to_the_cent_begins_nothing() {
    for (budget, end, attempts) in [(0.5, RunEnd::Budget, 1), (0.75, RunEnd::Complete, 2)] {
        let (_dir, mut runner) = runner(1);
        (runner.policy.budget, runner.policy.elsewhere) = (Some(budget), 0.25);
        let kept = Kept::with(&[&[infra(0.25), FakeOutcome::Submitted(0.125)]]);
        assert_eq!(runner.run(&kept).await.unwrap(), end);
        assert_eq!(kept.batches.borrow().len(), attempts);
    }
    // What other runs have spent counts before anything ran.
    let (_dir, mut runner) = runner(1);
    (runner.policy.budget, runner.policy.elsewhere) = (Some(0.5), 0.5);
    let kept = Kept::default();
    assert_eq!(runner.run(&kept).await.unwrap(), RunEnd::Budget);
    assert!(kept.batches.borrow().is_empty());
}

#[tokio::test]
async fn after_an_interrupt_no_attempt_begins() {
    let (_dir, mut runner) = runner(1);
    runner.interrupt = Interrupt::after(Stop::Gently);
    let kept = Kept::default();
    assert_eq!(runner.run(&kept).await.unwrap(), RunEnd::Interrupted);
    assert!(kept.batches.borrow().is_empty());
}

fn broke(tail: &[&str]) -> AttemptEnd {
    AttemptEnd::Broke {
        status: "exit code 1".to_owned(),
        tail: tail.iter().map(ToString::to_string).collect(),
        log: PathBuf::from("attempt-1.log"),
    }
}

/// Whether the run ends after an attempt that ended so and left so many results.
fn after(end: &AttemptEnd, new_results: usize) -> Option<RunEnd> {
    let (_dir, runner) = runner(1);
    let mut running = RunningAttempt::begin(&runner, 1, &runner.pairs);
    running.new_results = new_results;
    runner.after(end, &running, 1, false)
}

#[test]
fn an_attempt_that_left_results_is_followed_by_another_however_it_ended() {
    for end in [AttemptEnd::Done, broke(&[]), AttemptEnd::Stalled] {
        assert_eq!(after(&end, 1), None, "{end:?}");
    }
}

#[test]
fn an_attempt_that_left_nothing_ends_the_run_with_what_was_printed() {
    for (end, says) in [
        (
            broke(&["Traceback", "KeyError"]),
            "exit code 1 and no result in attempt 1; its last lines:\n  Traceback\n  KeyError",
        ),
        (AttemptEnd::Done, "without a single result in attempt 1"),
    ] {
        let Some(RunEnd::World(why)) = after(&end, 0) else {
            panic!("{end:?}");
        };
        assert!(why.contains(says), "{why}");
    }
    // One that was ended by us says nothing of the engine.
    assert_eq!(after(&AttemptEnd::Stalled, 0), None);
}

#[test]
fn a_daemon_that_is_gone_and_a_full_disk_end_the_run_whatever_came_before() {
    let full = broke(&["OSError: [Errno 28] No space left on device"]);
    let gone = AttemptEnd::DaemonGone("refused".to_owned());
    for (end, says) in [(full, "the disk is full"), (gone, "went away: refused")] {
        let Some(RunEnd::World(why)) = after(&end, 5) else {
            panic!("{end:?}");
        };
        assert!(why.contains(says), "{why}");
    }
}

#[test]
fn a_row_of_limits_ends_the_run_only_in_the_last_attempt() {
    let (_dir, runner) = runner(1);
    for (passes, is_last, ends) in [
        (true, false, false),
        (true, true, true),
        (false, false, true),
    ] {
        let mut running = RunningAttempt::begin(&runner, 1, &runner.pairs);
        running.new_results = 3;
        running.trip = Some(Trip {
            error: "rate_limit".to_owned(),
            text: "slow down".to_owned(),
            trials: 3,
            passes,
        });
        let end = runner.after(&AttemptEnd::Stopped, &running, 1, is_last);
        assert_eq!(end.is_some(), ends, "{passes} {is_last}");
    }
}

/// Asks the wheel of a run, which does it.
fn ask(wheel: &Wheel, ask: Ask) {
    let by = Hand {
        user: "ana".to_owned(),
        host: "node3".to_owned(),
    };
    let answer = wheel.ask(&WheelRequest { ask, run: None, by });
    assert!(answer.done, "{answer:?}");
}

/// A scripted engine that asks something of the wheel before its first attempt begins, and something
/// after it has ended.
struct Asking {
    kept: Kept,
    wheel: Wheel,
    before: RefCell<Option<Ask>>,
    after: RefCell<Option<Ask>>,
}

impl Executor for Asking {
    async fn attempt(
        &self,
        batch: &Batch,
        orders: watch::Receiver<Orders>,
        events: &Reporter,
    ) -> Result<EndedAttempt> {
        let before = self.before.take();
        if let Some(asked) = before {
            ask(&self.wheel, asked);
            // The runner passes it on when it is its turn.
            let mut obeyed = orders.clone();
            obeyed.changed().await.unwrap();
        }
        let ended = self.kept.attempt(batch, orders, events).await;
        let after = self.after.take();
        if let Some(asked) = after {
            ask(&self.wheel, asked);
        }
        ended
    }
}

fn asking(runner: &Runner, before: Option<Ask>, after: Option<Ask>) -> Asking {
    Asking {
        kept: Kept::with(&[]),
        wheel: runner.wheel.clone(),
        before: RefCell::new(before),
        after: RefCell::new(after),
    }
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_run_that_is_paused_begins_no_attempt_until_it_is_resumed() {
    let (_dir, mut runner) = runner(2);
    let (wheel, events) = (runner.wheel.clone(), runner.run.events());
    ask(&wheel, Ask::Pause);
    let kept = Kept::with(&[]);
    let told = |what: &str| files::read_text(&events).unwrap_or_default().contains(what);
    let resumed = async {
        until(|| told(r#""event":"paused""#)).await;
        assert!(kept.batches.borrow().is_empty());
        ask(&wheel, Ask::Resume);
    };
    let (end, ()) = tokio::join!(runner.run(&kept), resumed);
    assert_eq!(end.unwrap(), RunEnd::Complete);
    assert!(told(r#""event":"resumed""#));
}

#[tokio::test]
async fn an_attempt_that_is_paused_goes_on_when_it_is_resumed() {
    let (_dir, mut runner) = runner(2);
    let asking = asking(&runner, Some(Ask::Pause), None);
    let (wheel, batches) = (runner.wheel.clone(), &asking.kept.batches);
    let resumed = async {
        // The engine has it, and waits.
        until(|| !batches.borrow().is_empty()).await;
        ask(&wheel, Ask::Resume);
    };
    let (end, ()) = tokio::join!(runner.run(&asking), resumed);
    assert_eq!(end.unwrap(), RunEnd::Complete);
    assert_eq!(batches.borrow().len(), 1);
}

#[tokio::test]
async fn an_interrupt_ends_a_run_that_is_paused() {
    let (_dir, mut runner) = runner(2);
    let (interrupt, came) = Interrupt::by_hand();
    runner.interrupt = came;
    ask(&runner.wheel, Ask::Pause);
    let kept = Kept::with(&[]);
    let (wheel, interrupted) = (runner.wheel.clone(), async { interrupt() });
    let (end, ()) = tokio::join!(runner.run(&kept), interrupted);
    assert_eq!(end.unwrap(), RunEnd::Interrupted);
    assert!(wheel.is_paused() && kept.batches.borrow().is_empty());
}

#[tokio::test]
async fn a_pair_that_is_cancelled_before_it_runs_is_left_to_the_next_command() {
    let (_dir, mut runner) = runner(3);
    let pairs = vec![pair(2).to_string()];
    let asking = asking(&runner, Some(Ask::Cancel { pairs }), None);
    assert_eq!(runner.run(&asking).await.unwrap(), RunEnd::Errors);
    assert_eq!(asking.kept.batches.borrow().len(), 1);
    runner.wheel = Wheel::default();
    let kept = Kept::with(&[]);
    assert_eq!(runner.run(&kept).await.unwrap(), RunEnd::Complete);
    assert_eq!(kept.batches.borrow()[0].pairs, [pair(2)]);
}

#[tokio::test]
async fn a_command_whose_every_pair_is_cancelled_does_not_blame_the_engine() {
    let (_dir, mut runner) = runner(1);
    let pairs = vec![pair(1).to_string()];
    let asking = asking(&runner, Some(Ask::Cancel { pairs }), None);
    assert_eq!(runner.run(&asking).await.unwrap(), RunEnd::Errors);
}

#[tokio::test]
async fn a_budget_that_is_raised_when_it_is_spent_lets_the_run_go_on() {
    let (_dir, mut runner) = runner(3);
    runner.policy.budget = Some(0.75);
    let settings = [("budget".to_owned(), "9".to_owned())].into();
    let mut asking = asking(&runner, None, Some(Ask::Set { settings }));
    // The runner looks between the trials.
    asking.kept.fake.at_once = false;
    assert_eq!(runner.run(&asking).await.unwrap(), RunEnd::Complete);
    let batches = asking.kept.batches.borrow();
    let pairs: Vec<usize> = batches.iter().map(|batch| batch.pairs.len()).collect();
    assert_eq!(pairs, [3, 1]);
    // What stopped it was no try of the pairs.
    let events = files::read_text(&runner.run.events()).unwrap();
    assert_eq!(events.matches(r#""nth":1"#).count(), 2, "{events}");
}
