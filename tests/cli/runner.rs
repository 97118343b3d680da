//! The runner with the scripted engine: attempts, retries, the ledger, the breaker, the budget.

use std::collections::HashMap;
use std::time::Duration;

use regatta::bench::{Pair, Setting, TaskKey};
use regatta::engine::fake::{FakeEngine, FakeOutcome};
use regatta::engine::{AttemptEnd, Batch, EndedAttempt, Engine, Orders, Reporter};
use regatta::executor::Executor;
use regatta::model::price::PriceTable;
use regatta::runner::{Interrupt, Policy, RunEnd, Runner, Sink, Wheel};
use regatta::store::pass::{self, Covered};
use regatta::store::{Ledger, LogTree, Pass, RunDir, result};
use regatta::survey::spent::spent;
use regatta::triage::Rules;
use tokio::sync::watch;

const RATE: &str = "litellm.RateLimitError: RateLimitError: OpenAIException - slow down";
const KEY: &str = "litellm.AuthenticationError: AuthenticationError: OpenAIException - bad key";
const WINDOW: &str = "litellm.ContextWindowExceededError: too long";

/// Executes batches as another process would: as they are read back from a file.
struct Elsewhere(Engine);

impl Executor for Elsewhere {
    async fn attempt(
        &self,
        batch: &Batch,
        stop: watch::Receiver<Orders>,
        events: &Reporter,
    ) -> regatta::error::Result<EndedAttempt> {
        let file = batch.run.own().join("batch.json");
        std::fs::write(&file, serde_json::to_vec(batch).unwrap()).unwrap();
        let read: Batch = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(read, *batch);
        self.0.attempt(&read, stop, events).await
    }
}

pub struct Bench {
    _dir: tempfile::TempDir,
    pub run: RunDir,
    pub pairs: Vec<Pair>,
    pub policy: Policy,
    pub setting: Setting,
    pub rules: Rules,
}

impl Bench {
    pub fn new(pairs: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let run = LogTree::at(dir.path()).run(&"t-solo".parse().unwrap());
        std::fs::create_dir_all(run.own()).unwrap();
        let pairs = (1..=pairs)
            .map(|n| Pair::new(TaskKey::new("a_task", n), 1, 2))
            .collect();
        let policy = Policy {
            max_attempts: 3,
            concurrency: 1,
            backoff: Duration::ZERO,
            backoff_max: Duration::ZERO,
            max_wait: Duration::from_hours(6),
            breaker_trials: 3,
            budget: None,
            elsewhere: 0.0,
            min_free_bytes: 0,
            grace: Duration::ZERO,
        };
        Self {
            _dir: dir,
            run,
            pairs,
            policy,
            setting: Setting::Solo,
            rules: Rules::shipped(),
        }
    }

    pub fn run(&self, fake: FakeEngine) -> (RunEnd, Vec<Vec<String>>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (observer, _events) = tokio::sync::mpsc::unbounded_channel();
        let mut runner = Runner {
            run: self.run.clone(),
            setting: self.setting,
            plan: self.pairs.clone(),
            pairs: self.pairs.clone(),
            policy: self.policy.clone(),
            rules: self.rules.clone(),
            prices: PriceTable::default(),
            ledger: Ledger::open(&self.run).unwrap(),
            sink: Sink::new(&self.run, observer),
            interrupt: Interrupt::never(),
            pass: Pass::read_open(&self.run.pass()).unwrap(),
            facts: std::cell::RefCell::default(),
            wheel: Wheel::default(),
        };
        let elsewhere = Elsewhere(Engine::Fake(fake));
        let end = runtime.block_on(runner.run(&elsewhere)).unwrap();
        let Engine::Fake(fake) = elsewhere.0 else {
            unreachable!()
        };
        (end, fake.ran.into_inner().unwrap())
    }

    /// What `--force` writes before a run begins.
    fn force(&self) {
        let covered = |pair: &Pair| Covered {
            pair: pair.clone(),
            was: result::trial(&self.run.pair(self.setting.tree(), pair).result()),
        };
        let pairs = self.pairs.iter().map(covered).collect();
        let so_far = Pass::read(&self.run.pass()).unwrap();
        let passes = pass::forced(vec![(so_far, pairs)], jiff::Timestamp::now());
        passes[0].write(&self.run.pass()).unwrap();
    }

    fn trials(&self) -> Vec<String> {
        let id = |n| self.result(n)["run_id"].as_str().unwrap().to_owned();
        (1..=self.pairs.len() as u64).map(id).collect()
    }

    pub fn ledger(&self) -> Ledger {
        Ledger::open_readonly(&self.run).unwrap()
    }

    /// The events of this kind.
    pub fn events(&self, kind: &str) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.run.events()).unwrap();
        let events = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let of_kind = |event: &serde_json::Value| event["event"] == kind;
        events.filter(of_kind).collect()
    }

    pub fn result(&self, n: u64) -> serde_json::Value {
        let pair = &self.pairs[usize::try_from(n - 1).unwrap()];
        let path = self.run.pair(self.setting.tree(), pair).result();
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }
}

pub fn outcomes(pairs: &[(u64, &[FakeOutcome])]) -> FakeEngine {
    let outcomes: HashMap<_, _> = pairs
        .iter()
        .map(|(n, outcomes)| (format!("a_task/{n}/f1_f2"), outcomes.to_vec()))
        .collect();
    FakeEngine {
        outcomes,
        ..FakeEngine::default()
    }
}

pub fn error(text: &str, cost: f64) -> FakeOutcome {
    FakeOutcome::Error(text.to_owned(), cost)
}

pub fn name(n: u64) -> String {
    format!("a_task/{n}/f1_f2")
}

#[test]
fn what_infrastructure_broke_runs_again_and_every_dollar_is_counted() {
    let bench = Bench::new(3);
    let fake = outcomes(&[(2, &[error(RATE, 0.25), FakeOutcome::Submitted(1.0)])]);
    let (end, ran) = bench.run(fake);
    assert_eq!(end, RunEnd::Complete);
    assert_eq!(ran, [vec![name(1), name(2), name(3)], vec![name(2)]]);
    let ledger = bench.ledger();
    assert_eq!(ledger.entries().len(), 4);
    assert!((spent(ledger.entries().iter(), &[]).total.usd - 2.25).abs() < 1e-9);
    assert!(bench.result(2).get("infra_error").is_none());
}

#[test]
fn an_agents_own_error_is_a_result() {
    let bench = Bench::new(2);
    let (end, ran) = bench.run(outcomes(&[(1, &[error(WINDOW, 0.5)])]));
    assert_eq!(end, RunEnd::Errors);
    assert_eq!(ran.len(), 1, "it was run again: {ran:?}");
    assert_eq!(bench.result(1)["regatta"]["cause"], "agent");
}

#[test]
fn what_stays_broken_is_tagged_after_the_last_attempt() {
    let bench = Bench::new(2);
    let (end, ran) = bench.run(outcomes(&[(1, &[error(RATE, 0.0)])]));
    assert_eq!(end, RunEnd::Errors);
    assert_eq!(ran.len(), 3);
    let result = bench.result(1);
    assert_eq!(result["infra_error"], true);
    assert_eq!(result["regatta"]["attempt"], 3);
}

#[test]
fn the_same_command_again_runs_only_what_is_left() {
    let bench = Bench::new(3);
    let (end, _) = bench.run(outcomes(&[(2, &[error(RATE, 0.0)])]));
    assert_eq!(end, RunEnd::Errors);
    let (end, ran) = bench.run(FakeEngine::default());
    assert_eq!(end, RunEnd::Complete);
    assert_eq!(ran, [vec![name(2)]]);
    let attempts: Vec<_> = bench
        .ledger()
        .entries()
        .iter()
        .filter_map(|entry| entry.attempt)
        .collect();
    assert_eq!(
        attempts.last(),
        Some(&4),
        "attempts are numbered through the run's life"
    );
}

#[test]
fn a_wrong_key_stops_after_one_trial() {
    let bench = Bench::new(9);
    let all: Vec<(u64, &[FakeOutcome])> = Vec::new();
    let mut fake = outcomes(&all);
    for n in 1..=9 {
        fake.outcomes.insert(name(n), vec![error(KEY, 0.0)]);
    }
    let (end, ran) = bench.run(fake);
    assert!(
        matches!(&end, RunEnd::World(why) if why.contains("authentication")),
        "{end:?}"
    );
    assert_eq!(ran.len(), 1);
    assert!(ran[0].len() <= 2, "{ran:?}");
    // It says what stopped it, and what only a mended key changes is not done.
    let ended = bench.events("attempt_ended").remove(0);
    let why = ended["end"].as_str().unwrap();
    assert!(why.starts_with("stopped: 1 trial ended in `"), "{why}");
    assert_eq!(
        (&ended["completed"], &ended["remaining"]),
        (&0.into(), &9.into())
    );
    // The key is mended: what failed by it runs again.
    let (end, _) = bench.run(FakeEngine::default());
    assert_eq!(end, RunEnd::Complete);
}

#[test]
fn the_same_error_from_the_first_trials_stops_the_attempt() {
    let bench = Bench::new(9);
    let mut fake = FakeEngine::default();
    for n in 1..=9 {
        fake.outcomes.insert(name(n), vec![error(RATE, 0.0)]);
    }
    let (end, ran) = bench.run(fake);
    assert!(matches!(end, RunEnd::World(_)));
    assert!(ran.len() == 1 && ran[0].len() <= 4, "{ran:?}");
}

#[test]
fn a_budget_ends_it() {
    let mut bench = Bench::new(9);
    (bench.policy.budget, bench.policy.elsewhere) = (Some(10.0), 9.0);
    let (end, ran) = bench.run(FakeEngine::default());
    assert_eq!(end, RunEnd::Budget);
    assert!(ran[0].len() <= 3, "{ran:?}");
}

#[test]
fn a_disk_that_is_nearly_full_ends_it() {
    let mut bench = Bench::new(9);
    bench.policy.min_free_bytes = u64::MAX;
    let (end, ran) = bench.run(FakeEngine::default());
    assert!(
        matches!(&end, RunEnd::World(why) if why.contains("nearly full")),
        "{end:?}"
    );
    assert!(ran.len() == 1 && ran[0].len() <= 2, "{ran:?}");
}

#[test]
fn an_engine_that_met_a_full_disk_is_not_tried_again() {
    let bench = Bench::new(2);
    let fake = FakeEngine {
        ends: vec![AttemptEnd::Broke {
            status: "exit code 1".to_owned(),
            tail: vec!["OSError: [Errno 28] No space left on device".to_owned()],
            log: "x.log".into(),
        }],
        outcomes: HashMap::from([(name(2), vec![FakeOutcome::Nothing])]),
        ..FakeEngine::default()
    };
    let (end, ran) = bench.run(fake);
    assert!(
        matches!(&end, RunEnd::World(why) if why.contains("the disk is full")),
        "{end:?}"
    );
    assert_eq!(ran.len(), 1);
}

#[test]
fn a_pair_lives_or_dies_together() {
    let mut bench = Bench::new(2);
    bench.setting = Setting::CoopNocomm;
    let (end, ran) = bench.run(outcomes(&[(
        1,
        &[error(RATE, 0.1), FakeOutcome::Submitted(0.1)],
    )]));
    assert_eq!(end, RunEnd::Complete);
    assert_eq!(ran[1], [name(1)]);
    let first = &bench.ledger().entries()[0].clone();
    assert_eq!(
        first.diagnosis.as_ref().unwrap().evidence.source,
        "agents.agent1.error"
    );
}

#[test]
fn trials_that_were_cut_off_have_an_unknown_cost() {
    let bench = Bench::new(2);
    let mut fake = outcomes(&[(2, &[FakeOutcome::Nothing, FakeOutcome::Submitted(0.5)])]);
    fake.ends = vec![AttemptEnd::Stalled];
    let (end, _) = bench.run(fake);
    assert_eq!(end, RunEnd::Complete);
    let ledger = bench.ledger();
    let cut = ledger
        .entries()
        .iter()
        .find(|entry| entry.status == "CutOff")
        .unwrap();
    assert_eq!((cut.pair.to_string(), cut.cost), (name(2), None));
}

#[test]
fn what_was_written_while_the_engine_was_being_ended_is_void() {
    let bench = Bench::new(2);
    let fake = FakeEngine {
        ends: vec![AttemptEnd::Stalled],
        killed_at: Some(std::time::UNIX_EPOCH),
        at_once: true,
        ..FakeEngine::default()
    };
    bench.run(fake);
    let ledger = bench.ledger();
    let void: Vec<_> = ledger.entries().iter().filter(|entry| entry.void).collect();
    assert_eq!(void.len(), 2);
    assert!(
        void.iter().all(|entry| entry.cost == Some(0.5)),
        "what was paid is forgotten"
    );
    // They ran again, and those results stand.
    assert!(bench.result(1).get("infra_error").is_none());
    assert_eq!(ledger.entries().len(), 4);
}

#[test]
fn force_begins_anew_and_keeps_the_old() {
    let bench = Bench::new(2);
    bench.run(FakeEngine::default());
    let old = bench.trials().remove(0);
    bench.force();
    let (end, ran) = bench.run(FakeEngine::default());
    assert_eq!(end, RunEnd::Complete);
    assert_eq!(ran, [vec![name(1), name(2)]]);
    let aside = bench
        .run
        .pair(Setting::Solo.tree(), &bench.pairs[0])
        .aside();
    assert!(aside.join(old).join("result.json").exists());
    assert!((spent(bench.ledger().entries().iter(), &[]).total.usd - 2.0).abs() < 1e-9);
}

#[test]
fn a_forced_pass_goes_on_until_every_pair_of_it_has_finished() {
    let bench = Bench::new(3);
    bench.run(FakeEngine::default());
    bench.force();
    // The second pair is broken to the end of the command, the third is not reached.
    let broken = [error(RATE, 0.5)];
    let mut fake = outcomes(&[(2, &broken), (3, &[FakeOutcome::Nothing])]);
    fake.ends = vec![AttemptEnd::Done; 3];
    let (end, _) = bench.run(fake);
    assert_eq!(end, RunEnd::Errors);
    let first = bench.result(1)["run_id"].clone();
    // It goes on with what is left of it.
    bench.force();
    let (end, ran) = bench.run(FakeEngine::default());
    assert_eq!(end, RunEnd::Complete);
    assert_eq!(ran, [vec![name(2), name(3)]]);
    assert_eq!(
        bench.result(1)["run_id"],
        first,
        "its own result was set aside"
    );
}

#[test]
fn a_pass_that_was_killed_while_it_set_aside_goes_on() {
    let bench = Bench::new(2);
    bench.run(FakeEngine::default());
    let old = bench.trials();
    bench.force();
    // Killed here: the pass is written, nothing is set aside yet.
    let (end, ran) = bench.run(FakeEngine::default());
    assert_eq!((end, ran), (RunEnd::Complete, vec![vec![name(1), name(2)]]));
    assert!(bench.trials().iter().all(|trial| !old.contains(trial)));
    assert_eq!(bench.ledger().entries().len(), 4);
}

#[test]
fn a_spent_budget_sets_nothing_aside() {
    let mut bench = Bench::new(2);
    bench.run(FakeEngine::default());
    let old = bench.trials();
    bench.force();
    bench.policy.budget = Some(1.0);
    let (end, ran) = bench.run(FakeEngine::default());
    assert_eq!((end, ran.len()), (RunEnd::Budget, 0));
    assert_eq!(bench.trials(), old);
}

#[test]
fn what_is_set_aside_is_said_with_its_worth_before_it_goes() {
    let bench = Bench::new(3);
    bench.run(outcomes(&[(3, &[error(WINDOW, 0.25)])]));
    let pair = bench.run.pair(Setting::Solo.tree(), &bench.pairs[1]);
    std::fs::write(pair.eval(), r#"{"both_passed": false}"#).unwrap();
    bench.force();
    bench.run(FakeEngine::default());
    let events = std::fs::read_to_string(bench.run.events()).unwrap();
    let said = events.find(
        "t-solo: --force sets aside 3 results (1 judged, cost $1.25); `regatta restore t-solo` brings them back",
    );
    let begun = events.rfind("attempt_started");
    assert!(said.is_some() && said < begun, "{events}");
}

#[test]
fn a_stale_verdict_goes_before_the_pair_runs_again() {
    let bench = Bench::new(1);
    bench.run(outcomes(&[(1, &[error(RATE, 0.0)])]));
    let pair = bench.run.pair(Setting::Solo.tree(), &bench.pairs[0]);
    std::fs::write(pair.eval(), r#"{"both_passed": false}"#).unwrap();
    bench.run(FakeEngine::default());
    assert!(!pair.eval().exists());
}

#[test]
fn a_half_written_result_is_set_aside_and_its_pair_runs() {
    let bench = Bench::new(1);
    let pair = bench.run.pair(Setting::Solo.tree(), &bench.pairs[0]);
    std::fs::create_dir_all(pair.path()).unwrap();
    std::fs::write(pair.result(), r#"{"run_id": "x", "agent"#).unwrap();
    let (end, ran) = bench.run(FakeEngine::default());
    assert_eq!((end, ran.len()), (RunEnd::Complete, 1));
    assert!(pair.aside().join("unreadable-1/result.json").exists());
}

/// Upstream's resume runs what has the status `Error`, and skips what it does not know.
#[test]
fn an_error_by_another_name_is_moved_away_before_its_pair_runs() {
    for (status, stays) in [("Error", true), ("failed", false), ("Timeout", false)] {
        let bench = Bench::new(1);
        let pair = bench.run.pair(Setting::Solo.tree(), &bench.pairs[0]);
        std::fs::create_dir_all(pair.path()).unwrap();
        let result = serde_json::json!({"run_id": "x", "agent": {"status": status, "error": RATE}});
        std::fs::write(pair.result(), result.to_string()).unwrap();
        std::fs::write(pair.trajectory(None), "[]").unwrap();
        let (end, ran) = bench.run(FakeEngine::default());
        assert_eq!((end, ran.len()), (RunEnd::Complete, 1), "{status}");
        assert!(pair.aside().join("x/result.json").exists(), "{status}");
        assert_eq!(pair.trajectory(None).exists(), stays, "{status}");
    }
}

#[test]
fn a_torn_last_line_of_the_ledger_loses_nothing() {
    let bench = Bench::new(2);
    bench.run(FakeEngine::default());
    let path = bench.run.ledger();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &text[..text.len() - 40]).unwrap();
    let (end, ran) = bench.run(FakeEngine::default());
    assert_eq!((end, ran.len()), (RunEnd::Complete, 0));
    assert_eq!(
        bench.ledger().entries().len(),
        2,
        "the torn trial is taken from its result again"
    );
}
