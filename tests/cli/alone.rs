//! `regatta eval --alone`: each agent's patch by itself, beside a verdict that stands.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::schema::assert_valid;
use crate::support::{Place, Ran, copy_tree, own_lines, wait_until};

const CONFIG: &str = r#"
[experiment]
name = "x"
engine = "native"
backend = "namespace"
model = "openai/demo"
subset = "demo"
concurrency = 1
[attempts]
max_attempts = 2
backoff = "10ms"
backoff_max = "10ms"
[upstream]
dataset_dir = "ds"
logs_dir = "logs"
"#;

const RUN: &str = "x-coop-nocomm";
const TASK: &str = "ds/ferry_task/task1";
const RUNNER: &str = "ds/ferry_task/task1/runner.sh";

/// What the second agent does to the first one's feature, where nobody but both together sees it.
const TAKEN: &str = "@@ -30,3 +35,4 @@ cmd_from() {
 # A command NAME is the function cmd_NAME.
 declare -F \"cmd_${1-}\" >/dev/null || usage
+cmd_next() { echo taken; }
 \"cmd_$@\"
";

fn place() -> Place {
    let place = Place::new();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/dataset");
    copy_tree(&demo, &place.join("ds"));
    place.write("regatta.toml", CONFIG);
    place
}

fn eval(place: &Place, args: &[&str]) -> Ran {
    let output = place
        .beside_an_empty_daemon(&[&["eval"], args].concat())
        .output();
    Ran::of(&output.unwrap())
}

/// A feature's patch of the dataset.
fn own(place: &Place, name: &str) -> String {
    place.read(&format!("{TASK}/{name}.patch"))
}

/// A finished trial of two agents with these patches; gives its `eval.json`.
fn coop(place: &Place, features: [u64; 2], patches: [&str; 2]) -> String {
    coop_of(place, "ferry_task/1", features, patches)
}

fn coop_of(place: &Place, task: &str, [one, two]: [u64; 2], patches: [&str; 2]) -> String {
    let dir = format!("logs/{RUN}/coop/{task}/f{one}_f{two}");
    let agent = |feature: u64| json!({"feature_id": feature, "status": "Submitted", "cost": 0.1, "steps": 2});
    let result =
        json!({"run_id": "0a0b0c0d", "agents": {"agent1": agent(one), "agent2": agent(two)}});
    place.write(&format!("{dir}/result.json"), result.to_string());
    for (feature, patch) in [one, two].into_iter().zip(patches) {
        place.write(&format!("{dir}/agent{feature}.patch"), patch);
    }
    format!("{dir}/eval.json")
}

/// Whether each agent's patch passes alone, as the file has it.
fn alone(file: &Value) -> [Value; 2] {
    [1, 2].map(|n| file[format!("feature{n}_independent")]["passed"].clone())
}

fn lines(place: &Place) -> Vec<Value> {
    own_lines(&place.join("logs"), RUN, "evaluations")
}

/// The keys that stood before, as they were.
fn without_what_was_added(file: &Value) -> Value {
    let mut file = file.clone();
    let keys = file.as_object_mut().unwrap();
    for key in [
        "feature1_independent",
        "feature2_independent",
        "regatta_independent",
    ] {
        keys.remove(key);
    }
    file
}

#[test]
fn a_failure_has_its_place_once_each_agent_was_judged_alone() {
    let place = place();
    let (next, agreed) = (
        own(&place, "feature1/feature"),
        own(&place, "feature2/agreed"),
    );
    let clash = own(&place, "feature2/feature");
    let taken = format!("{agreed}{TAKEN}");
    let table = own(&place, "feature3/feature");
    // A pair without a verdict is judged first, then each agent; once.
    let conflict = coop(&place, [1, 2], [&next, &clash]);
    let none = coop(&place, [1, 3], ["", &table]);
    let half = coop(&place, [2, 3], [&next, &table]);
    eval(&place, &["--alone", "--dry-run"])
        .code(0)
        .prints("3 to judge, 0 judged, 0 not finished")
        .prints("  each agent alone: 3 pairs to judge, 0 judged\n");
    eval(&place, &["--alone"])
        .code(0)
        .says("each agent of 3 pairs to judge alone by the rules of 0.0.29, 0 judged already")
        .says("ferry_task/1/f1_f2  both agents pass")
        .prints("  where pairs fail, by each agent's patch alone:\n    0  pass\n    2  an agent could not do its part (agent 1: 2; with an empty patch: 1)\n    1  both could, and the patches do not merge\n    0  both could, they merge, and the tests fail together\n");
    let file = place.json(&conflict);
    assert_valid("eval.json", &file);
    assert_eq!(alone(&file), [true, true]);
    // The first agent's was tested where the patches did not merge.
    let suites = file["regatta_independent"]["suites"].as_array().unwrap();
    assert_eq!(suites.len(), 1);
    assert_eq!(suites[0]["agent"], "agent2");
    let nothing =
        json!({"passed": false, "tests_passed": 0, "tests_failed": 0, "reason": "no_patch"});
    let file = place.json(&none);
    assert_eq!(file["feature1_independent"], nothing);
    assert_eq!(alone(&file), [false, true]);
    assert_eq!(alone(&place.json(&half)), [false, true]);
    assert_eq!(lines(&place).len(), 6);
    eval(&place, &["--alone"])
        .code(0)
        .says("nothing to judge: every finished pair has its verdict, and so has each agent alone");
    assert_eq!(lines(&place).len(), 6);

    // Both could, and together they cannot.
    let together = coop(&place, [1, 2], [&next, &taken]);
    std::fs::remove_file(place.join(&together)).unwrap();
    eval(&place, &[]).code(0);
    let before = place.json(&together);
    eval(&place, &["--alone"]).code(0).prints(
        "    0  both could, and the patches do not merge\n    1  both could, they merge, and the tests fail together\n",
    );
    let file = place.json(&together);
    assert_eq!(without_what_was_added(&file), before);
    assert_eq!(alone(&file), [true, true]);
    let rows = place.run(&["report", "--format", "jsonl"]).code(0).stdout;
    let rows = rows
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let places: Vec<_> = rows.map(|row| row["failed_at"].clone()).collect();
    assert_eq!(places, ["together", "agent1", "agent1"]);
    place
        .run(&["report", "--format", "markdown"])
        .code(0)
        .prints("| x-coop-nocomm | 3 | 0 | 2 | 0 | 0 | 0 | 1 | 0 | 1 |");
}

#[test]
fn what_upstream_or_a_fork_judged_keeps_its_bytes_and_only_what_is_missing_is_judged() {
    let place = place();
    let patches = [
        own(&place, "feature1/feature"),
        own(&place, "feature2/feature"),
    ];
    let file = coop(&place, [1, 2], patches.each_ref().map(String::as_str));
    let text = r#"{
  "repo": "ferry_task",
  "merge": {
    "status": "conflicts"
  },
  "feature1": {
    "passed": false,
    "test_output": "\u00e9"
  },
  "feature1_independent": {
    "passed": false,
    "tests_passed": 1,
    "tests_failed": 9,
    "reason": null
  },
  "feature2_independent": null,
  "both_passed": false,
  "error": null,
  "evaluated_at": "2126-01-01T10:00:00.000000"
}"#;
    place.write(&file, text);
    eval(&place, &["--alone"]).code(0).says("agent 2 passes");
    let now = place.read(&file);
    let (before, after) = text.split_once("null,\n  \"both_passed\"").unwrap();
    assert!(now.starts_with(before), "{now}");
    assert!(now.contains(&after[..after.len() - 2]), "{now}");
    let read = place.json(&file);
    assert_eq!(alone(&read), [false, true]);
    assert_eq!(read["feature1_independent"]["tests_failed"], 9);
    let agent = &read["regatta_independent"]["suites"][0]["agent"];
    assert_eq!(agent, "agent2");
    assert_eq!(read["regatta_independent"]["rules"], "0.0.29");
    assert!(read.get("regatta").is_none());
    // It is upstream's verdict still.
    eval(&place, &["--alone"]).code(0).says("nothing to judge");
    place
        .run(&["report"])
        .code(0)
        .prints("an agent could not do its part (agent 1: 1)");
    // Other rules are another verdict.
    eval(&place, &["--alone", "--rules", "0.0.11"])
        .code(0)
        .says("1 pair judged by other rules than 0.0.11")
        .says("nothing to judge");
    assert_eq!(place.read(&file), now);
}

#[test]
fn trouble_is_tagged_apart_and_tried_again_and_no_verdict_is_touched() {
    let place = place();
    let patches = [
        own(&place, "feature1/feature"),
        own(&place, "feature2/agreed"),
    ];
    let file = coop(&place, [1, 2], patches.each_ref().map(String::as_str));
    eval(&place, &[]).code(0);
    let before = place.json(&file);
    let sound = place.read(RUNNER);
    // In one agent's suite a download fails, and the other's runs.
    let broken = "echo 'curl: (6) Could not resolve host: example.org'; exit 1";
    let of_two = format!("[[ ! -e tests/count_test.sh ]] || {{ {broken}; }}");
    place.write(
        RUNNER,
        sound.replace("bash tests/run.sh", &format!("{of_two}\nbash tests/run.sh")),
    );
    // Another runner is another dataset: the pair is judged first, and has trouble.
    eval(&place, &["--alone"])
        .code(1)
        .says("judged with another dataset");
    assert_eq!(place.json(&file), before);
    assert_eq!(lines(&place).len(), 2);

    // Of a verdict whose files are not known, the agents are judged.
    let upstreams = json!({"merge": {"status": "clean"}, "both_passed": false, "error": null});
    place.write(&file, upstreams.to_string());
    eval(&place, &["--alone"])
        .code(1)
        .says("again:")
        .says("ferry_task/1/f1_f2  error")
        .says("1 error");
    let read = place.json(&file);
    assert_eq!(without_what_was_added(&read), upstreams);
    assert_eq!(alone(&read), [json!(true), Value::Null]);
    let note = &read["regatta_independent"];
    assert_eq!(note["broken_by"]["cause"], "infra");
    assert_eq!(
        (&note["tries"], note["suites"].as_array().unwrap().len()),
        (&json!(2), 1)
    );
    let line = lines(&place).pop().unwrap();
    assert_valid("evaluation.json", &line);
    assert_eq!(line["alone"], json!({"agent1": true, "agent2": null}));
    place
        .run(&["report", "--format", "json"])
        .code(0)
        .prints("\"place\": \"not_known\"");

    // Mended, only what is missing is judged: the other one's stands, until its dataset is another.
    eval(&place, &["--alone", "--dry-run"])
        .code(0)
        .prints("each agent alone: 1 pair to judge, 0 judged");
    place.write(RUNNER, &sound);
    eval(&place, &["--alone"])
        .code(0)
        .says("the agents of 1 pair were judged alone with another dataset or image, and are judged again")
        .says("both agents pass");
    let read = place.json(&file);
    assert_eq!(alone(&read), [true, true]);
    let note = &read["regatta_independent"];
    assert!(note.get("broken_by").is_none(), "{note:#}");
    assert_eq!(note["suites"].as_array().unwrap().len(), 2);
}

#[test]
fn a_killed_evaluation_of_the_agents_goes_on_where_it_was() {
    let place = place();
    let files = [
        ("ferry_task", "feature2/agreed"),
        ("tide_task", "feature2/feature"),
    ]
    .map(|(repo, second)| {
        let of = |name: &str| place.read(&format!("ds/{repo}/task1/{name}.patch"));
        let patches = [of("feature1/feature"), of(second)];
        let patches = patches.each_ref().map(String::as_str);
        coop_of(&place, &format!("{repo}/1"), [1, 2], patches)
    });
    let upstreams = json!({"merge": {"status": "clean"}, "both_passed": false, "error": null});
    for file in &files {
        place.write(file, upstreams.to_string());
    }
    let runner = "ds/tide_task/task1/runner.sh";
    let sound = place.read(runner);
    place.write(runner, "sleep 1000");
    let mut killed = place
        .beside_an_empty_daemon(&["eval", "--alone"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the agents of one pair are judged", || {
        let path = format!("logs/{RUN}/regatta/evaluations.jsonl");
        place.join(&path).exists() && lines(&place).len() == 1
    });
    killed.kill().unwrap();
    killed.wait().unwrap();
    let first = place.read(&files[0]);
    assert_eq!(place.json(&files[1]), upstreams);
    place.write(runner, &sound);
    eval(&place, &["--alone"])
        .code(0)
        .says("each agent of 1 pair to judge alone by the rules of 0.0.29, 1 judged already");
    assert_eq!(place.read(&files[0]), first);
    assert_eq!(lines(&place).len(), 2);
    for file in &files {
        assert_eq!(alone(&place.json(file)), [true, true]);
    }
}

#[test]
fn one_agent_is_alone_and_a_team_is_judged_by_its_first_two() {
    let place = place();
    let solo = "logs/x-solo/solo/ferry_task/1/f1_f2";
    let agent = json!({"status": "Submitted", "cost": 0.1, "steps": 2});
    place.write(
        &format!("{solo}/result.json"),
        json!({"run_id": "a", "agent": agent}).to_string(),
    );
    place.write(&format!("{solo}/solo.patch"), own(&place, "combined"));
    let team = "logs/x-team/team/ferry_task/1/f1_f2_f3";
    let mut agents = json!({});
    for (n, name) in [
        (1, "feature1/feature"),
        (2, "feature2/agreed"),
        (3, "feature3/feature"),
    ] {
        place.write(&format!("{team}/agent{n}.patch"), own(&place, name));
        agents[format!("agent{n}")] = json!({"feature_id": n, "status": "Submitted", "cost": 0.1});
    }
    let result = json!({"run_id": "b", "setting": "team", "agents": agents});
    place.write(&format!("{team}/result.json"), result.to_string());
    eval(&place, &["--alone"])
        .code(0)
        .says("x-solo: one agent worked on 1 pair: --alone has nothing to add")
        .says("x-team: each agent of 1 pair to judge alone");
    let read = place.json(&format!("{team}/eval.json"));
    assert_eq!(
        (alone(&read), read["both_passed"].clone()),
        ([json!(true), json!(true)], json!(true))
    );
    assert!(
        place
            .json(&format!("{solo}/eval.json"))
            .get("regatta_independent")
            .is_none()
    );
    place.run(&["report", "x-solo"]).code(0);
}
