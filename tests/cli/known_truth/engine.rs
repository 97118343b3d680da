//! One experiment through the scripted engine and its files, read by the program.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use regatta::config::Layers;
use regatta::engine::fake::{FakeEngine, FakeOutcome};
use regatta::engine::{Batch, EndedAttempt, Engine, Orders, Reporter};
use regatta::executor::Executor;
use regatta::experiment::{
    Executed, ExecutionOptions, Executors, Experiment, OpenRun, PairFilter, Scope, news,
};
use regatta::runner::{Interrupt, RunEnd, Sink};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::planted::{ARMS, FEATURES, PAIRS, Planted, REPEATS};
use crate::support::{Place, REGATTA};

const SEED: u64 = 2026;
const DOWN: &str = "litellm.ServiceUnavailableError: 503 upstream connect error";

/// Tells the test, started once more by itself, where to work.
const CHILD: &str = "KNOWN_TRUTH_PLACE";

/// Has every attempt executed by the scripted engine, with the damage that is planted in its run.
struct Scripted<'a>(&'a Planted);

struct Script(Engine);

impl Executors for Scripted<'_> {
    type One = Script;

    async fn ready(
        &self,
        _: &Experiment,
        run: &OpenRun,
        _: &Sink,
    ) -> regatta::error::Result<Script> {
        let (arm, repeat) = place_of(run.run().name().as_str());
        let trials = self.0.pairs.iter().zip(&self.0.trials[arm][repeat]);
        let broken = trials
            .filter(|(_, trial)| trial.is_damaged)
            .map(|(pair, _)| {
                let outcome = FakeOutcome::Error(DOWN.to_owned(), 0.1);
                (pair.to_string(), vec![outcome])
            });
        Ok(Script(Engine::Fake(FakeEngine {
            outcomes: broken.collect::<HashMap<_, _>>(),
            at_once: true,
            ..FakeEngine::default()
        })))
    }
}

impl Executor for Script {
    async fn attempt(
        &self,
        batch: &Batch,
        stop: watch::Receiver<Orders>,
        events: &Reporter,
    ) -> regatta::error::Result<EndedAttempt> {
        self.0.attempt(batch, stop, events).await
    }
}

/// The arm and the repeat of a run by its name, `sea-<arm>-r<N>`, from 0.
fn place_of(run: &str) -> (usize, usize) {
    let (arm, repeat) = run.strip_prefix("sea-").unwrap().rsplit_once("-r").unwrap();
    let arm = ARMS.iter().position(|plan| plan.name == arm).unwrap();
    (arm, repeat.parse::<usize>().unwrap() - 1)
}

fn run_name(arm: usize, repeat: usize) -> String {
    format!("sea-{}-r{}", ARMS[arm].name, repeat + 1)
}

/// A dataset of these pairs, with as little in it as a plan needs.
fn write_dataset(place: &Place, planted: &Planted) {
    let mut tasks: BTreeMap<u64, Vec<[u64; 2]>> = BTreeMap::new();
    for pair in &planted.pairs {
        let features = [pair.features[0], pair.features[1]];
        tasks.entry(pair.task.task_id).or_default().push(features);
    }
    for task in tasks.keys() {
        let dir = format!("ds/buoy_task/task{task}");
        place.write(&format!("{dir}/runner.sh"), "exit 0\n");
        place.write(&format!("{dir}/workspace/buoy.sh"), "exit 0\n");
        for feature in 1..=FEATURES {
            for file in ["feature.md", "feature.patch", "tests.patch"] {
                place.write(&format!("{dir}/feature{feature}/{file}"), "a buoy\n");
            }
        }
    }
    let tasks = tasks
        .iter()
        .map(|(task, pairs)| json!({"repo": "buoy_task", "task_id": task, "pairs": pairs}));
    let subset = json!({"tasks": tasks.collect::<Vec<_>>()});
    place.write("ds/subsets/hundred.json", subset.to_string());
}

fn config(place: &Place) -> String {
    let mut text = format!(
        r#"
[experiment]
name = "sea"
engine = "native"
backend = "process"
model = "openai/scripted"
subset = "hundred"
repeats = {REPEATS}
[attempts]
max_attempts = 1
[limits]
min_free_disk_gb = 0.0
[upstream]
dataset_dir = "{}"
logs_dir = "{}"
api_base = "http://127.0.0.1:9/v1"
"#,
        place.join("ds").display(),
        place.join("logs").display()
    );
    for plan in ARMS {
        let _ = writeln!(
            text,
            "[[arm]]\nname = \"{}\"\nsetting = \"solo\"",
            plan.name
        );
    }
    text
}

/// Runs all of it.
fn execute(file: &Path, planted: &Planted) {
    regatta::process::set_program(PathBuf::from(REGATTA));
    let mut layers = Layers::defaults();
    layers.add_file(Some(file), None).unwrap();
    let config = layers.config().unwrap();
    let asked = Scope {
        pairs: PairFilter::default(),
        arms: Vec::new(),
    };
    let experiment = Experiment::plan(&config, &asked, false).unwrap();
    let (sender, mut told) = news::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let executed = runtime.block_on(async {
        let mut interrupt = Interrupt::never();
        let options = ExecutionOptions {
            without_preflight: true,
            ..ExecutionOptions::default()
        };
        let scripted = Scripted(planted);
        let executed = experiment.execute(&scripted, options, &mut interrupt, &sender);
        let hear = async { while told.recv().await.is_some() {} };
        tokio::select! {
            executed = executed => executed.unwrap(),
            () = hear => unreachable!(),
        }
    });
    let Executed { end, .. } = executed;
    assert_eq!(end, RunEnd::Errors, "what is damaged is told");
}

/// Where a trial's files are.
fn pair_dir(planted: &Planted, arm: usize, repeat: usize, pair: usize) -> String {
    let pair = &planted.pairs[pair];
    format!("logs/{}/solo/{pair}", run_name(arm, repeat))
}

fn each_trial(mut of: impl FnMut(usize, usize, usize)) {
    for arm in 0..ARMS.len() {
        for repeat in 0..REPEATS {
            for pair in 0..PAIRS {
                of(arm, repeat, pair);
            }
        }
    }
}

/// Judges every result as upstream does: those too that infrastructure broke, as failed.
fn write_verdicts(place: &Place, planted: &Planted) {
    let now = jiff::Zoned::now().datetime().to_string();
    each_trial(|arm, repeat, pair| {
        let dir = pair_dir(planted, arm, repeat, pair);
        let trial = planted.trials[arm][repeat][pair];
        let passed = trial.passed && !trial.is_damaged;
        let suite = json!({"passed": passed, "exit_code": i32::from(!passed), "tests_passed": 3, "tests_failed": i32::from(!passed)});
        let verdict = json!({"setting": "solo", "merge": null, "feature1": suite, "feature2": suite,
            "both_passed": passed, "error": null, "evaluated_at": now});
        assert!(place.join(&dir).join("result.json").exists(), "{dir}");
        place.write(&format!("{dir}/eval.json"), verdict.to_string());
    });
}

fn json_of(place: &Place, command: &str, code: i32) -> Value {
    let line = format!("{command} --format json --config sea.toml");
    let args: Vec<&str> = line.split(' ').collect();
    let said = place.run(&args).code(code).stdout;
    serde_json::from_str(&said).unwrap()
}

#[test]
fn planted_effects_are_found_and_damage_changes_nothing() {
    let planted = Planted::new(SEED);
    if let Some(place) = std::env::var_os(CHILD) {
        return execute(&Path::new(&place).join("sea.toml"), &planted);
    }
    let place = Place::new();
    write_dataset(&place, &planted);
    place.write("sea.toml", config(&place));
    let name = "known_truth::engine::planted_effects_are_found_and_damage_changes_nothing";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, place.path())
        .env("XDG_CACHE_HOME", place.join("cache"))
        .env("DOCKER_HOST", place.empty_daemon())
        .env("OPENAI_API_KEY", "none")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    write_verdicts(&place, &planted);
    let compared = json_of(&place, "compare", 0);
    assert_found(&compared, &planted);
    assert_foretold(&json_of(&place, "power", 0), &planted);
    // Who takes what infrastructure broke for a failure finds an effect of an arm that has none.
    let strict = &compared["contrasts"][0]["bounds"]["strict"];
    assert!(strict.as_f64().unwrap() < -0.05, "{strict}");
    assert_audited(&json_of(&place, "audit", 1), &compared, &planted);
    each_trial(|arm, repeat, pair| {
        if planted.trials[arm][repeat][pair].is_damaged {
            let dir = pair_dir(&planted, arm, repeat, pair);
            std::fs::remove_dir_all(place.join(&dir)).unwrap();
        }
    });
    let removed = json_of(&place, "compare", 0);
    for (with, without) in each_of(&compared, "contrasts").zip(each_of(&removed, "contrasts")) {
        assert_eq!(with["difference"], without["difference"]);
        assert_eq!(with["adjusted"], without["adjusted"]);
    }
    for (with, without) in each_of(&compared, "arms").zip(each_of(&removed, "arms")) {
        assert_eq!(with["pass_rate"], without["pass_rate"]);
        assert_eq!(with["of_k"], without["of_k"]);
    }
}

fn each_of<'a>(json: &'a Value, what: &str) -> impl Iterator<Item = &'a Value> {
    json[what].as_array().unwrap().iter()
}

/// Effects as planted, by an interval and a p-value, and as they are counted here.
fn assert_found(compared: &Value, planted: &Planted) {
    assert_eq!(each_of(compared, "contrasts").count(), ARMS.len() - 1);
    for (n, contrast) in each_of(compared, "contrasts").enumerate() {
        let plan = &ARMS[n + 1];
        assert_eq!(
            (&contrast["first"], &contrast["second"]),
            (&json!(plan.name), &json!("base"))
        );
        let difference = &contrast["difference"];
        let found = difference["share"].as_f64().unwrap();
        assert!(
            (found - planted.difference(n + 1, 0)).abs() < 1e-12,
            "{contrast}"
        );
        let of_tasks = &difference["tasks_like_these"];
        let [low, high] = ["low", "high"].map(|end| of_tasks["interval"][end].as_f64().unwrap());
        assert!(
            low < plan.effect && plan.effect < high,
            "{}: {low} to {high}",
            plan.name
        );
        let p = contrast["adjusted"]["tasks_like_these"].as_f64().unwrap();
        assert_eq!(p <= 0.05, plan.effect != 0.0, "{}: {p}", plan.name);
    }
}

/// The forecast speaks of the same arms and differences.
fn assert_foretold(power: &Value, planted: &Planted) {
    for (plan, arm) in ARMS.iter().zip(each_of(power, "arms")) {
        assert_eq!(arm["arm"], plan.name);
    }
    for (n, contrast) in each_of(power, "contrasts").enumerate() {
        let found = contrast["difference"].as_f64().unwrap();
        assert!(
            (found - planted.difference(n + 1, 0)).abs() < 1e-12,
            "{contrast}"
        );
        assert_eq!(contrast["from_repeats"], REPEATS);
    }
}

/// Damage is found where it is planted, and the contrast that it turns.
fn assert_audited(audit: &Value, compared: &Value, planted: &Planted) {
    let errors = each_of(audit, "found").find(|it| it["concern"] == "judged_error");
    let mut found = BTreeMap::new();
    for arm in each_of(errors.unwrap(), "arms") {
        for run in each_of(arm, "runs") {
            let mut pairs: Vec<&str> = each_of(run, "pairs")
                .map(|it| it.as_str().unwrap())
                .collect();
            pairs.sort_unstable();
            found.insert(run["run"].as_str().unwrap().to_owned(), pairs);
        }
    }
    let names: Vec<String> = planted.pairs.iter().map(ToString::to_string).collect();
    let mut broken: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    each_trial(|arm, repeat, pair| {
        if planted.trials[arm][repeat][pair].is_damaged {
            let pairs = broken.entry(run_name(arm, repeat)).or_default();
            pairs.push(&names[pair]);
        }
    });
    for pairs in broken.values_mut() {
        pairs.sort_unstable();
    }
    assert_eq!(found, broken);
    let of_passes = || each_of(audit, "contrasts").filter(|it| it["measure"] == "pass");
    assert_eq!(of_passes().count(), ARMS.len() - 1);
    for (audited, contrast) in of_passes().zip(each_of(compared, "contrasts")) {
        assert_eq!(audited["arm"], contrast["first"]);
        assert_eq!(
            audited["undamaged"]["difference"],
            contrast["difference"]["share"]
        );
        let turns = each_of(audited, "turns").count() > 0;
        assert_eq!(turns, audited["arm"] == "same", "{audited}");
    }
}
