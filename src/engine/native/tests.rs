use std::path::Path;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::bench::{Pair, Setting, TaskKey};
use crate::config::Layers;
use crate::files;
use crate::model::price::PriceTable;
use crate::model::script::ModelScript;
use crate::sandbox::fake;
use crate::store::{LogTree, RunDir};

const DIFF: &str = "diff --git a/x b/x\n";

/// The engine with a scripted model and scripted sandboxes, over a dataset of two tasks.
struct Rig {
    dir: tempfile::TempDir,
    native: Native,
    run: RunDir,
}

impl Rig {
    /// One whose sandboxes die at their command with this number.
    async fn new(dies_at: Option<usize>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let dataset = dir.path().join("dataset");
        for task in ["task1", "task2"] {
            let task = dataset.join("a_task").join(task);
            put(&task.join("combined.patch"), "+both\n");
            for feature in ["feature1", "feature2"] {
                let path = task.join(feature);
                let text = format!("{} of {}", feature, path.display());
                put(&path.join("feature.md"), &text);
                put(&path.join("feature.patch"), "+one\n");
            }
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let script = ModelScript::for_dataset(&dataset, None).unwrap();
        tokio::spawn(script.serve(listener));
        let mut layers = Layers::defaults();
        for (key, value) in [
            ("experiment.model", "openai/scripted"),
            ("experiment.engine", "native"),
            ("experiment.backend", "fake"),
            ("upstream.api_base", &base),
        ] {
            layers.set(key, value, "test").unwrap();
        }
        let config = layers.config().unwrap();
        let (options, _) =
            NativeOptions::of_config(&config, dataset, &PriceTable::default()).unwrap();
        let script = fake::FakeScript {
            diff: DIFF.to_owned(),
            dies_at,
            ..fake::FakeScript::default()
        };
        let native = Native {
            options,
            backend: Backend::Fake(Arc::new(script)),
            base,
            rules: Arc::new(Rules::shipped()),
            grace: Duration::from_mins(1),
            pace: None,
            played: Arc::default(),
        };
        let run = LogTree::at(dir.path().join("logs")).run(&"t".parse().unwrap());
        files::create_dir(&run.own()).unwrap();
        Self { dir, native, run }
    }

    fn batch(&self, setting: Setting) -> Batch {
        let pairs: Vec<_> = [1, 2].map(pair).to_vec();
        Batch {
            run: self.run.clone(),
            setting,
            attempt: 1,
            pairs: pairs.clone(),
            ended_before: Vec::new(),
            plan: pairs,
            home: None,
        }
    }

    async fn attempt(&self, setting: Setting) -> Result<EndedAttempt> {
        let (_stop, stopped) = watch::channel(Orders::default());
        let reporter: Reporter = Arc::new(|_| {});
        let batch = self.batch(setting);
        self.native.attempt(&batch, stopped, &reporter).await
    }

    fn has_result(&self, setting: Setting, task: u64) -> bool {
        let dir = self.run.pair(setting.tree(), &pair(task));
        dir.result().exists()
    }

    fn result(&self, setting: Setting, task: u64) -> Value {
        let dir = self.run.pair(setting.tree(), &pair(task));
        read(&dir.result())
    }
}

fn pair(task: u64) -> Pair {
    Pair::new(TaskKey::new("a_task", task), 1, 2)
}

fn put(path: &Path, text: &str) {
    files::create_dir(path.parent().unwrap()).unwrap();
    files::write_atomic(path, text.as_bytes()).unwrap();
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&files::read(path).unwrap()).unwrap()
}

const DONE: EndedAttempt = EndedAttempt {
    how: AttemptEnd::Done,
    killed_at: None,
};

#[tokio::test]
async fn each_pair_gets_a_result_with_its_patch_and_trajectory() {
    let rig = Rig::new(None).await;
    assert_eq!(rig.attempt(Setting::Solo).await.unwrap(), DONE);
    for task in [1, 2] {
        let result = rig.result(Setting::Solo, task);
        assert_eq!(result["agent"]["status"], "Submitted", "{result:#}");
        assert_eq!(result["agent"]["patch_lines"], 1);
        assert_eq!(result["task_id"], task);
        assert_eq!(result["sandbox"]["backend"], "fake");
        let dir = rig.run.pair(Setting::Solo.tree(), &pair(task));
        assert_eq!(files::read(&dir.patch(None)).unwrap(), DIFF.as_bytes());
        let trajectory = read(&dir.trajectory(None));
        assert_eq!(trajectory["status"], "Submitted");
        // It has the descriptions of both features.
        let task = trajectory["messages"][1]["content"].as_str().unwrap();
        let features = ["## Feature 1\n\nfeature1", "## Feature 2\n\nfeature2"];
        assert!(features.iter().all(|it| task.contains(it)), "{task}");
    }
    let summary = read(&rig.run.path().join("summary.json"));
    assert_eq!(
        (&summary["completed"], &summary["skipped"]),
        (&json!(2), &json!(0))
    );
}

#[tokio::test]
async fn two_agents_have_a_feature_each() {
    let rig = Rig::new(None).await;
    let setting = Setting::CoopNocomm;
    assert_eq!(rig.attempt(setting).await.unwrap(), DONE);
    let result = rig.result(setting, 1);
    let features = ["agent1", "agent2"].map(|id| result["agents"][id]["feature_id"].clone());
    assert_eq!(features, [json!(1), json!(2)], "{result:#}");
    assert_eq!(result["messages_sent"], 0);
    let dir = rig.run.pair(setting.tree(), &pair(1));
    for feature in [1, 2] {
        let own = format!("feature{feature} of");
        let other = format!("feature{} of", 3 - feature);
        let trajectory = read(&dir.trajectory(Some(feature)));
        let task = trajectory["messages"][1]["content"].as_str().unwrap();
        assert!(task.contains(&own) && !task.contains(&other), "{task}");
    }
}

#[tokio::test]
async fn a_lost_sandbox_is_an_error_with_its_rule_and_halts_the_peer() {
    let rig = Rig::new(Some(1)).await;
    let setting = Setting::CoopNocomm;
    assert_eq!(rig.attempt(setting).await.unwrap(), DONE);
    let result = rig.result(setting, 1);
    for id in ["agent1", "agent2"] {
        let agent = &result["agents"][id];
        assert_eq!(agent["status"], "Error", "{result:#}");
        let error = agent["error"].as_str().unwrap();
        let rules = ["container_lost", "peer_lost"];
        assert!(rules.iter().any(|rule| error.contains(rule)), "{error}");
    }
    let text = result["agents"].to_string();
    assert!(text.contains("container_lost"), "{text}");
}

#[tokio::test]
async fn a_trial_that_is_ended_leaves_no_result() {
    let rig = Rig::new(None).await;
    let (stop, stopped) = watch::channel(Orders::default());
    // As soon as the first begins.
    let reporter: Reporter = Arc::new(move |_| {
        stop.send_replace(Stop::Now.into());
    });
    let batch = rig.batch(Setting::Solo);
    let ended = rig.native.attempt(&batch, stopped, &reporter).await;
    assert_eq!(ended.unwrap().how, AttemptEnd::Stopped);
    assert!(
        ![1, 2]
            .into_iter()
            .any(|task| rig.has_result(Setting::Solo, task))
    );
}

#[tokio::test]
async fn after_a_gentle_stop_no_pair_begins_and_what_runs_may_finish() {
    let mut rig = Rig::new(None).await;
    rig.native.options.concurrency = 1;
    let (stop, stopped) = watch::channel(Orders::default());
    let reporter: Reporter = Arc::new(move |_| {
        stop.send_replace(Stop::Gently.into());
    });
    let batch = rig.batch(Setting::Solo);
    let ended = rig.native.attempt(&batch, stopped, &reporter).await;
    assert_eq!(ended.unwrap().how, AttemptEnd::Stopped);
    let has_results = [1, 2].map(|task| rig.has_result(Setting::Solo, task));
    assert_eq!(has_results, [true, false]);
}

#[tokio::test]
async fn a_description_that_is_missing_ends_the_attempt() {
    let rig = Rig::new(None).await;
    let description = "dataset/a_task/task2/feature1/feature.md";
    std::fs::remove_file(rig.dir.path().join(description)).unwrap();
    let error = rig.attempt(Setting::Solo).await.unwrap_err();
    assert!(error.to_string().contains("task2/feature1"), "{error}");
    // The other was being run, and is not half-written.
    assert!(!rig.has_result(Setting::Solo, 2));
}
