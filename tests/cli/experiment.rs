//! An experiment by the library alone: planned, run on the scripted engine, judged and summarised,
//! with nothing printed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use regatta::bench::Setting;
use regatta::config::{Config, Layers};
use regatta::engine::fake::{FakeEngine, FakeOutcome};
use regatta::engine::{Batch, EndedAttempt, Engine, Orders, Reporter};
use regatta::evaluation::Verdict;
use regatta::executor::Executor;
use regatta::experiment::{
    Executed, ExecutionOptions, Executors, Experiment, JudgingEnd, News, OpenRun, PairFilter,
    Scope, news,
};
use regatta::report::{Document, Summary};
use regatta::runner::judging::Told;
use regatta::runner::{Event, Interrupt, RunEnd, Sink};
use tokio::sync::watch;

use crate::support::{Place, REGATTA};

const F12: &str = "ferry_task/1/f1_f2";
const F13: &str = "ferry_task/1/f1_f3";
const RATE: &str = "litellm.RateLimitError: RateLimitError: OpenAIException - slow down";

/// Tells the test, started once more by itself, where to work.
const CHILD: &str = "EXPERIMENT_PLACE";

/// Has every attempt executed by the scripted engine, and knows for which runs it was readied.
#[derive(Default)]
struct Scripted(Mutex<Vec<String>>);

/// The script of one run.
struct Script(Engine);

impl Executors for Scripted {
    type One = Script;

    async fn ready(
        &self,
        _: &Experiment,
        run: &OpenRun,
        _: &Sink,
    ) -> regatta::error::Result<Script> {
        self.0.lock().unwrap().push(run.run().name().to_string());
        Ok(Script(Engine::Fake(script(run.arm().setting))))
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

fn demo(path: &str) -> PathBuf {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/dataset");
    demo.join(path)
}

/// Alone an agent does all, in one pair at the second try; of two, the second submits nothing in one
/// pair.
fn script(setting: Setting) -> FakeEngine {
    let patch = |name: &str| std::fs::read(demo("ferry_task/task1").join(name)).unwrap();
    let (patches, outcomes) = if setting == Setting::Solo {
        let rate = FakeOutcome::Error(RATE.to_owned(), 0.25);
        let outcomes = vec![rate, FakeOutcome::Submitted(0.5)];
        let all = vec![patch("combined.patch")];
        let patches = [(F12, all.clone()), (F13, all)];
        (patches, HashMap::from([(F13.to_owned(), outcomes)]))
    } else {
        let whole = vec![patch("combined.patch"), patch("combined.patch")];
        let half = vec![patch("feature1/feature.patch"), Vec::new()];
        ([(F12, whole), (F13, half)], HashMap::new())
    };
    FakeEngine {
        outcomes,
        patches: patches.map(|(pair, of)| (pair.to_owned(), of)).into(),
        ..FakeEngine::default()
    }
}

fn config(place: &Path) -> Config {
    let file = place.join("regatta.toml");
    let text = format!(
        r#"
[experiment]
name = "sea"
engine = "native"
backend = "process"
model = "openai/scripted"
subset = "demo"
settings = ["solo", "coop-nocomm"]
[attempts]
backoff = "0s"
backoff_max = "0s"
[limits]
min_free_disk_gb = 0.0
[upstream]
dataset_dir = "{}"
logs_dir = "{}"
api_base = "http://127.0.0.1:9/v1"
[evaluation]
after_run = true
"#,
        demo("").display(),
        place.join("logs").display()
    );
    std::fs::write(&file, text).unwrap();
    let mut layers = Layers::defaults();
    layers.add_file(Some(&file), None).unwrap();
    layers.config().unwrap()
}

/// Plans and executes; gives what came of it, and what was told.
fn execute(config: &Config, scripted: &Scripted) -> (Vec<Summary>, JudgingEnd, Vec<News>) {
    let first_two = PairFilter {
        first: Some(2),
        ..PairFilter::default()
    };
    let asked = Scope {
        pairs: first_two,
        arms: Vec::new(),
    };
    let experiment = Experiment::plan(config, &asked, false).unwrap();
    let (sender, mut told) = news::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let executed = runtime.block_on(async {
        let mut interrupt = Interrupt::never();
        let asked = ExecutionOptions {
            // Its executor asks no endpoint.
            without_preflight: true,
            ..ExecutionOptions::default()
        };
        let executed = experiment.execute(scripted, asked, &mut interrupt, &sender);
        executed.await.unwrap()
    });
    let Executed { end, judged } = executed;
    assert_eq!(end, RunEnd::Complete);
    drop(sender);
    let mut heard = Vec::new();
    while let Some(news) = told.blocking_recv() {
        heard.push(news);
    }
    (
        experiment.summaries().unwrap(),
        judged.unwrap().unwrap(),
        heard,
    )
}

/// What was told, as far as it is of the runs' pairs, in short.
fn story(heard: &[News]) -> Vec<String> {
    let told = heard.iter().filter_map(|news| match news {
        News::Run(Event::RunStarted { run, to_run, .. }) => Some(format!("{run}: {to_run}")),
        News::Run(Event::TrialEnded { pair, status, .. }) => Some(format!("{pair} {status}")),
        News::Run(Event::RunEnded { run, end }) => Some(format!("{run} {end}")),
        News::JudgingStarted { run, pairs, .. } => Some(format!("{run}: {pairs} to judge")),
        News::JudgingEnded { run } => Some(format!("{run} judged")),
        _ => None,
    });
    told.collect()
}

fn verdicts(heard: &[News]) -> Vec<(String, String, Verdict)> {
    let judged = heard.iter().filter_map(|news| match news {
        News::Judging {
            run,
            told: Told::Judged { pair, verdict, .. },
        } => Some((run.to_string(), pair.to_string(), verdict.clone())),
        _ => None,
    });
    let mut judged: Vec<_> = judged.collect();
    judged.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    judged
}

fn do_it(place: &Path) {
    regatta::process::set_program(PathBuf::from(REGATTA));
    let config = config(place);
    let scripted = Scripted::default();
    let (summaries, judged, heard) = execute(&config, &scripted);
    let readied = || scripted.0.lock().unwrap().clone();
    assert_eq!(readied(), ["sea-solo", "sea-coop-nocomm"]);
    assert_eq!(
        judged,
        JudgingEnd {
            is_interrupted: false,
            troubles: 0,
            is_over: true,
        }
    );
    assert_eq!(
        story(&heard),
        [
            "sea-solo: 2",
            "ferry_task/1/f1_f2 Submitted",
            "ferry_task/1/f1_f3 Error",
            "ferry_task/1/f1_f3 Submitted",
            "sea-solo complete",
            "sea-coop-nocomm: 2",
            "ferry_task/1/f1_f2 Submitted",
            "ferry_task/1/f1_f3 Submitted",
            "sea-coop-nocomm complete",
            "sea-solo: 2 to judge",
            "sea-solo judged",
            "sea-coop-nocomm: 2 to judge",
            "sea-coop-nocomm judged",
        ]
    );
    let of = |run: &str, pair: &str, verdict| (run.to_owned(), pair.to_owned(), verdict);
    assert_eq!(
        verdicts(&heard),
        [
            of("sea-coop-nocomm", F12, Verdict::Pass),
            of("sea-coop-nocomm", F13, Verdict::Fail),
            of("sea-solo", F12, Verdict::Pass),
            of("sea-solo", F13, Verdict::Pass),
        ]
    );
    let spent = |summary: &Summary| (summary.finished, summary.trials, summary.total_spent.usd);
    let spent: Vec<_> = summaries.iter().map(spent).collect();
    assert_eq!(spent, [(2, 3, 1.25), (2, 2, 2.0)]);
    let text = Document::Text.render(&summaries);
    for rate in ["passed 2 of 2", "passed 1 of 2"] {
        assert!(text.contains(rate), "no {rate:?} in\n{text}");
    }
    // Planned and executed again, there is nothing to do, and nothing is readied.
    let (again, _, heard) = execute(&config, &scripted);
    assert_eq!(readied().len(), 2);
    assert_eq!(Document::Text.render(&again), text);
    assert_eq!(verdicts(&heard), []);
    assert!(
        !heard
            .iter()
            .any(|news| matches!(news, News::JudgingBegun { .. }))
    );
}

#[test]
fn an_experiment_is_run_and_judged_by_the_library_alone_and_nothing_is_printed() {
    if let Some(place) = std::env::var_os(CHILD) {
        return do_it(Path::new(&place));
    }
    let name =
        "experiment::an_experiment_is_run_and_judged_by_the_library_alone_and_nothing_is_printed";
    let place = Place::new();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, place.path())
        .env("XDG_CACHE_HOME", place.join("cache"))
        .env("DOCKER_HOST", place.empty_daemon())
        .env("OPENAI_API_KEY", "none")
        .output()
        .unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert_eq!(stderr, "");
    let test = format!("test {name} ... ok");
    let lines = stdout.lines().filter(|line| !line.is_empty());
    let printed = lines.filter(|line| {
        let is_of_tests = *line == "running 1 test" || *line == test;
        !is_of_tests && !line.starts_with("test result: ok. 1 passed")
    });
    assert_eq!(printed.collect::<Vec<_>>(), [""; 0]);
}
