use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;
use crate::bench::{RuleSet, TaskKey};
use crate::evaluation::Venue;
use crate::evaluation::cache::Cache;
use crate::sandbox::fake::FakeScript;
use crate::sandbox::{Backend, SandboxLimits};
use crate::store::{LogTree, ResultFile, result};

/// A finished pair of one agent, judged in scripted sandboxes.
struct Court {
    dir: tempfile::TempDir,
    run: RunDir,
    pair: Pair,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Court {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let run = LogTree::at(dir.path().join("logs")).run(&"t-solo".parse().unwrap());
        let pair = Pair::new(TaskKey::new("a_task", 1), 1, 2);
        let court = Self {
            dir,
            run,
            pair,
            told: Arc::default(),
        };
        let task = court.dataset().join("a_task/task1");
        write_all(&task.join("runner.sh"), "true\n");
        for feature in ["feature1", "feature2"] {
            for name in ["tests.patch", "feature.patch"] {
                write_all(&task.join(feature).join(name), "diff\n");
            }
        }
        let record = json!({
            "repo": "a_task", "task_id": 1, "features": [1, 2], "run_id": "cafe0001",
            "agent": {"status": "Submitted", "cost": 0.5, "steps": 3},
        });
        let pair = court.pair_dir();
        write_all(&pair.result(), &record.to_string());
        write_all(&pair.patch(None), "diff --git a/x b/x\n");
        court
    }

    fn dataset(&self) -> std::path::PathBuf {
        self.dir.path().join("dataset")
    }

    fn pair_dir(&self) -> crate::store::PairDir {
        self.run.pair(Tree::Solo, &self.pair)
    }

    fn finished(&self) -> Finished {
        let ResultFile::Read(record) = result::read(&self.pair_dir().result()) else {
            panic!("no result");
        };
        Finished {
            pair: self.pair.clone(),
            tree: Tree::Solo,
            record: *record,
            has_verdict: false,
            asked: Asked::Verdict,
        }
    }

    /// Judges it where every suite prints this; or every sandbox dies at its first command.
    async fn judge(
        &self,
        suites_print: Option<&str>,
        finished: Finished,
        came: Stop,
    ) -> JudgingResult {
        let told = Arc::clone(&self.told);
        let tell = Arc::new(move |it| told.lock().unwrap().push(it));
        let mut interrupt = Interrupt::after(came);
        let judging = Arc::new(self.judging(suites_print, Duration::ZERO));
        let judged = judging.all(vec![finished], &mut interrupt, tell).await;
        judged.unwrap()
    }

    fn judging(&self, suites_print: Option<&str>, backoff: Duration) -> Judging {
        let prints = suites_print.map(|text| ("tests.patch".to_owned(), text.to_owned()));
        let script = FakeScript {
            dies_at: suites_print.is_none().then_some(1),
            outputs: prints.into_iter().collect(),
            ..FakeScript::default()
        };
        let venue = Venue {
            backend: Backend::Fake(Arc::new(script)),
            limits: Arc::new(SandboxLimits::of_a_script()),
            dataset: self.dataset(),
            workspaces: None,
        };
        Judging {
            judge: Arc::new(Judge {
                venue,
                rules: RuleSet::default(),
                timeout: Duration::from_mins(1),
                cache: Arc::new(Cache::new(None, true)),
                clones: None,
                of_infrastructure: Arc::new(|_| None),
            }),
            run: self.run.clone(),
            rules: Arc::new(Rules::shipped()),
            concurrency: 2,
            tries: 3,
            backoff: (backoff, backoff),
        }
    }

    fn eval(&self) -> Value {
        serde_json::from_slice(&files::read(&self.pair_dir().eval()).unwrap()).unwrap()
    }

    /// What `evaluations.jsonl` has, a value for each line; none without the file.
    fn lines(&self) -> Vec<Value> {
        let path = self.run.own().join("evaluations.jsonl");
        let text = files::read_text(&path).unwrap_or_default();
        let lines = text.lines();
        lines.map(|it| serde_json::from_str(it).unwrap()).collect()
    }

    fn tried_again(&self) -> usize {
        let told = self.told.lock().unwrap();
        let again = told.iter().filter(|it| matches!(it, Told::Again { .. }));
        again.count()
    }
}

fn write_all(path: &Path, text: &str) {
    files::create_dir(path.parent().unwrap()).unwrap();
    files::write_atomic(path, text.as_bytes()).unwrap();
}

#[tokio::test]
async fn a_pass_and_a_failure_are_counted_and_written() {
    for (output, passes) in [("1 passed in 0.1s", true), ("1 failed in 0.1s", false)] {
        let court = Court::new();
        let judged = court.judge(Some(output), court.finished(), Stop::No).await;
        let counted = JudgingResult {
            passed: usize::from(passes),
            failed: usize::from(!passes),
            ..JudgingResult::default()
        };
        assert_eq!(judged, counted);
        let eval = court.eval();
        assert_eq!(eval["both_passed"], passes, "{eval:#}");
        assert_eq!(eval["regatta"]["trial"], "cafe0001");
        assert_eq!(eval["regatta"]["tries"], 1);
        assert_eq!(eval["feature2"]["tests_failed"], u64::from(!passes));
        let verdicts: Vec<_> = court
            .lines()
            .iter()
            .map(|it| it["verdict"].clone())
            .collect();
        assert_eq!(verdicts, [if passes { "pass" } else { "fail" }]);
    }
}

#[tokio::test]
async fn what_infrastructure_breaks_is_tried_so_often_and_has_no_verdict() {
    let court = Court::new();
    let judged = court.judge(None, court.finished(), Stop::No).await;
    let counted = JudgingResult {
        errors: 1,
        troubles: 1,
        ..JudgingResult::default()
    };
    assert_eq!(judged, counted);
    assert_eq!(court.tried_again(), 2);
    let eval = court.eval();
    assert_eq!(eval["both_passed"], false);
    assert!(
        eval["error"].as_str().unwrap().contains("sandbox died"),
        "{eval:#}"
    );
    let broken = json!({"cause": "infra", "rule": "container_lost"});
    assert_eq!(eval["regatta"]["broken_by"], broken);
    assert_eq!(eval["regatta"]["tries"], 3);
    let lines = court.lines();
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (&lines[0]["verdict"], &lines[0]["tries"]),
        (&json!("error"), &json!(3))
    );
}

#[tokio::test]
async fn what_only_mending_changes_is_tried_once_and_settled() {
    let court = Court::new();
    let tests = court.dataset().join("a_task/task1/feature2/tests.patch");
    std::fs::remove_file(tests).unwrap();
    let output = Some("1 passed in 0.1s");
    let judged = court.judge(output, court.finished(), Stop::No).await;
    assert_eq!((judged.errors, judged.troubles), (1, 1));
    assert_eq!(judged.settled.as_slice(), std::slice::from_ref(&court.pair));
    assert_eq!(court.tried_again(), 0);
    assert_eq!(court.eval()["regatta"]["broken_by"]["rule"], "dataset_file");
}

#[tokio::test]
async fn trouble_does_not_take_the_place_of_a_verdict() {
    let court = Court::new();
    let standing = r#"{"both_passed": true}"#;
    write_all(&court.pair_dir().eval(), standing);
    let finished = Finished {
        has_verdict: true,
        ..court.finished()
    };
    let judged = court.judge(None, finished.clone(), Stop::No).await;
    assert_eq!(judged.errors, 1);
    assert_eq!(court.eval(), json!({"both_passed": true}));
    // It is told of all the same.
    assert_eq!(court.lines().len(), 1);
    // A verdict does.
    court.judge(Some("1 failed"), finished, Stop::No).await;
    assert_eq!(court.eval()["both_passed"], false);
}

#[tokio::test]
async fn after_an_interrupt_nothing_is_judged_any_more() {
    for came in [Stop::Gently, Stop::Now] {
        let court = Court::new();
        let output = Some("1 passed in 0.1s");
        let judged = court.judge(output, court.finished(), came).await;
        let stopped = JudgingResult {
            stopped: true,
            ..JudgingResult::default()
        };
        assert_eq!(judged, stopped);
        assert!(court.lines().is_empty());
    }
}

/// The wait is longer than any test.
#[tokio::test]
async fn an_interrupt_ends_the_wait_for_another_try() {
    let court = Court::new();
    let (interrupts, mut interrupt) = Interrupt::by_hand();
    let told = Arc::clone(&court.told);
    let tell = Arc::new(move |it| {
        if matches!(it, Told::Again { .. }) {
            interrupts();
        }
        told.lock().unwrap().push(it);
    });
    let judging = Arc::new(court.judging(None, Duration::from_hours(24)));
    let judged = judging
        .all(vec![court.finished()], &mut interrupt, tell)
        .await
        .unwrap();
    let stopped = JudgingResult {
        stopped: true,
        ..JudgingResult::default()
    };
    assert_eq!(judged, stopped);
    assert_eq!(court.tried_again(), 1);
    // The next evaluation judges it.
    assert!(court.lines().is_empty());
    assert!(!court.pair_dir().eval().exists());
}

#[test]
fn a_patch_that_is_not_there_is_empty_and_our_own_engines_are_taken_as_they_are() {
    let court = Court::new();
    let mut finished = court.finished();
    finished.record.agent_framework = Some(FRAMEWORK.to_owned());
    let taken = work(&court.run, &finished).unwrap();
    assert_eq!(taken.patches, [b"diff --git a/x b/x\n".to_vec()]);
    assert_eq!(taken.reading, PatchReading::AsItIs);
    std::fs::remove_file(court.pair_dir().patch(None)).unwrap();
    finished.record.agent_framework = None;
    let taken = work(&court.run, &finished).unwrap();
    assert_eq!(
        (taken.patches, taken.reading),
        (vec![Vec::new()], PatchReading::Upstreams)
    );
}

#[tokio::test]
async fn what_breaks_while_agents_are_judged_alone_is_tried_again_and_leaves_the_verdict() {
    let court = Court::new();
    let dir = court.run.pair(Tree::Coop, &court.pair);
    for feature in [1, 2] {
        write_all(&dir.patch(Some(feature)), "diff --git a/x b/x\n");
    }
    write_all(&dir.eval(), r#"{"both_passed": false}"#);
    let alone = |needs| Finished {
        tree: Tree::Coop,
        has_verdict: true,
        asked: Asked::Alone(needs),
        ..court.finished()
    };
    let read = || -> Value { serde_json::from_slice(&files::read(&dir.eval()).unwrap()).unwrap() };
    let both = || alone([Need::Suite, Need::Suite]);
    let judged = court.judge(None, both(), Stop::No).await;
    assert_eq!((judged.errors, judged.troubles), (1, 1));
    assert_eq!(court.tried_again(), 2);
    let file = read();
    assert_eq!(file["both_passed"], false);
    assert_eq!(file.get("feature1_independent"), None);
    let broken = json!({"cause": "infra", "rule": "container_lost"});
    assert_eq!(file["regatta_independent"]["broken_by"], broken);

    // What is known is not judged, and what the verdict tells is written down.
    let told = crate::store::eval::independent::Independent {
        passed: false,
        tests_passed: 3,
        tests_failed: 1,
        reason: None,
    };
    let finished = alone([Need::Told(told), Need::Suite]);
    let judged = court.judge(Some("1 passed"), finished, Stop::No).await;
    assert_eq!((judged.failed, judged.troubles), (1, 0));
    let file = read();
    assert_eq!(file["feature1_independent"]["tests_passed"], 3);
    assert_eq!(file["feature2_independent"]["passed"], true);
    assert_eq!(file["regatta_independent"].get("broken_by"), None);
    let finished = alone([Need::Suite, Need::Known(true)]);
    let judged = court.judge(Some("1 passed"), finished, Stop::No).await;
    assert_eq!(judged.passed, 1);
    let alone: Vec<_> = court.lines().iter().map(|it| it["alone"].clone()).collect();
    let verdicts = |one, two| json!({"agent1": one, "agent2": two});
    let wanted = [
        verdicts(None, None),
        verdicts(Some(false), Some(true)),
        verdicts(Some(true), Some(true)),
    ];
    assert_eq!(alone, wanted);
}
