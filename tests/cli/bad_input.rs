//! Bad input: exit 2, a message that names the file and the remedy, nothing lost or half-written.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::ops::Deref;

use crate::masks::masked;
use crate::plan::install;
use crate::support::{Place, Ran, wait_until};

/// A place that keeps what was said of each input, word for word.
struct Bad {
    place: Place,
    said: RefCell<String>,
}

impl Deref for Bad {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

impl Bad {
    fn new() -> Self {
        Self {
            place: Place::new(),
            said: RefCell::default(),
        }
    }

    fn run(&self, args: &[&str]) -> Ran {
        let ran = self.place.run(args);
        self.keep(args, ran)
    }

    fn keep(&self, args: &[&str], ran: Ran) -> Ran {
        if ran.code != Some(0) {
            let (args, said) = (args.join(" "), masked(self, &ran.stderr));
            let code = ran.code.unwrap();
            let mut all = self.said.borrow_mut();
            writeln!(all, "$ regatta {args}\n{said}exit {code}\n").unwrap();
        }
        ran
    }

    /// All of it.
    fn said(&self) -> String {
        self.said.borrow().clone()
    }
}

fn run(place: &Bad, args: &[&str]) -> Ran {
    let args = [&["run", "--cooperbench-dir", "cb", "--no-preflight"], args].concat();
    let output = place.beside_an_empty_daemon(&args).output().unwrap();
    place.keep(&args, Ran::of(&output))
}

#[test]
fn no_checkout() {
    let place = Bad::new();
    place
        .run(&["run"])
        .code(2)
        .says("no CooperBench checkout at repos/CooperBench")
        .says("--cooperbench-dir");
    insta::assert_snapshot!(place.said());
}

#[test]
fn no_venv() {
    let place = Bad::new();
    let command = place
        .regatta(&["run", "--cooperbench-dir", "cb"])
        .env("PATH", "/nonexistent")
        .output()
        .unwrap();
    place
        .keep(&["run", "--cooperbench-dir", "cb"], Ran::of(&command))
        .code(2)
        .says("no cooperbench CLI")
        .says("uv pip install --python cb/.venv cooperbench==0.0.11")
        .says("pip install uv");
    insta::assert_snapshot!(place.said());
}

#[test]
fn unknown_words_are_answered_with_what_there_is() {
    let place = Bad::new();
    install(
        &place,
        "0.0.11",
        &["mini_swe_agent"],
        &["--backend", "--no-auto-eval"],
    );
    run(&place, &["-s", "lit"])
        .code(2)
        .says("there are: flash, lite")
        .says("did you mean `lite`?");
    run(&place, &["--setting", "coop"])
        .code(2)
        .says("solo, coop-comm, coop-nocomm, team, or all");
    run(&place, &["-a", "mini_swe_agnt"])
        .code(2)
        .says("did you mean `mini_swe_agent`?");
    run(&place, &["--backend", "modal"])
        .code(2)
        .says("must be one of docker");
    run(&place, &["--engine", "nativ"])
        .code(2)
        .says("did you mean `native`?");
    run(&place, &["--engine", "native", "-m", "anthropic/claude-x"])
        .code(2)
        .says("cannot speak to the provider")
        .says("--engine upstream");
    run(&place, &["--engine", "native", "--backend", "namspace"])
        .code(2)
        .says("did you mean `namespace`?");
    run(&place, &["--engine", "native", "--replay", "nothing"])
        .code(2)
        .says("no recording at nothing");
    run(
        &place,
        &["--engine", "native", "--record", "a", "--replay", "."],
    )
    .code(2)
    .says("--record and --replay");
    place.write("agent.yaml", "agent: {step_limit: many}");
    run(
        &place,
        &["--engine", "native", "--agent-config", "agent.yaml"],
    )
    .code(2)
    .says("agent.step_limit must be a whole number");
    run(&place, &["--engine", "native", "--backend", "namespace"])
        .code(2)
        .says("no repository for")
        .says("--backend docker");
    run(&place, &["--smoke", "0"])
        .code(2)
        .says("has 6 pairs, so give 1 to 6");
    run(&place, &["--smoke", "7"])
        .code(2)
        .says("has 6 pairs, so give 1 to 6");
    run(&place, &["--name", "a/b"]).code(2).says("has a slash");
    run(&place, &["-c", "many"])
        .code(2)
        .says("--concurrency: `many` is no whole number");
    run(&place, &["--budget", "-1"]).code(2);
    assert!(!place.join("cb/logs").exists(), "something was written");
    insta::assert_snapshot!(place.said());
}

/// A parser's `--setting` as 0.0.14 and as 0.0.15 have it.
const OLD: &str = "--setting\", choices=[\"coop\", \"solo\"], help=\"";
const NEW: &str = "--setting\", choices=[\"coop\", \"solo\", \"team\"], help=\"";

#[test]
fn a_team_where_there_is_none_is_refused_with_what_has_it() {
    let mut said = String::new();
    let options = ["--backend", "--no-auto-eval", OLD];
    for (version, args) in [
        ("0.0.14", &["--setting", "team"][..]),
        ("0.0.14", &["--setting", "team", "--engine", "native"]),
        ("0.0.14", &["--setting", "solo", "--setting", "teem"]),
    ] {
        let place = Bad::new();
        install(&place, version, &["mini_swe_agent_v2"], &options);
        run(&place, args).code(2);
        assert!(!place.join("cb/logs").exists(), "something was written");
        said += &place.said();
    }
    let place = Bad::new();
    install(&place, "0.0.14", &["mini_swe_agent_v2"], &options);
    place
        .run(&[
            "doctor",
            "--cooperbench-dir",
            "cb",
            "--setting",
            "team",
            "--no-model-call",
        ])
        .code(3)
        .prints(
            "FAIL  setting         cooperbench 0.0.14 has no setting team: it came with 0.0.15",
        );
    insta::assert_snapshot!(said);
}

#[test]
fn arguments_that_regatta_sets_itself_are_refused_with_the_key_to_use() {
    let place = Bad::new();
    let options = ["--backend", "--no-auto-eval", NEW];
    install(&place, "0.0.15", &["mini_swe_agent_v2"], &options);
    let args = |list: &str| place.write("regatta.toml", format!("[upstream]\nargs = {list}\n"));
    args(r#"["--log-dir=x", "-c8", "--eval-concurrency", "4", "--auth-token", "sk-1"]"#);
    let ran = run(&place, &[]).code(2);
    assert!(!ran.stderr.contains("sk-1"), "{}", ran.stderr);
    args(r#"["--team-no-mcp"]"#);
    run(&place, &["--setting", "team"])
        .code(2)
        .says("cooperbench 0.0.15 has no --team-no-mcp: it came with 0.0.16");
    run(&place, &["--engine", "native"]).code(2);
    args("\"--team-no-mcp\"");
    run(&place, &[]).code(2);
    insta::assert_snapshot!(place.said());
}

#[test]
fn versions_that_cannot_work_are_refused_with_the_one_that_can() {
    let place = Bad::new();
    install(
        &place,
        "0.0.5",
        &["mini_swe_agent"],
        &["--backend", "--no-auto-eval"],
    );
    run(&place, &[])
        .code(2)
        .says("cooperbench 0.0.5 does not work on Docker")
        .says("0.0.10 or 0.0.11");
    let other = place.said();
    let place = Bad::new();
    install(
        &place,
        "0.0.11",
        &["mini_swe_agent"],
        &["--backend", "--no-auto-eval"],
    );
    run(&place, &["--logs-dir", "x"])
        .code(2)
        .says("no --log-dir: it came with 0.0.12");
    insta::assert_snapshot!(other + &place.said());
}

#[test]
fn every_bad_file_of_the_dataset_is_reported_at_once() {
    let place = Bad::new();
    std::fs::remove_dir_all(place.join("cb/dataset/harbor_task/task1/feature2")).unwrap();
    place.write("cb/dataset/harbor_task/task2/feature1/feature.md", "");
    place.write(
        "cb/dataset/lighthouse_task/task7/feature1/feature.md",
        b"\xff\xfe",
    );
    run(&place, &["--dry-run"])
        .code(2)
        .says("harbor_task/task1/feature2: not in the dataset")
        .says("harbor_task/task2/feature1/feature.md: empty")
        .says("lighthouse_task/task7/feature1/feature.md is not UTF-8");
    insta::assert_snapshot!(place.said());
}

#[test]
fn a_malformed_subset() {
    let place = Bad::new();
    for (text, why) in [
        (&b"{\"tasks\": ["[..], "EOF"),
        (b"[]", "invalid"),
        (
            b"{\"tasks\": [{\"repo\": \"x_task\", \"task_id\": \"1\"}]}",
            "invalid type",
        ),
        (b"\xff", "not UTF-8"),
        (b"{\"tasks\": []}", "has no pairs"),
        (
            b"{\"tasks\": [{\"repo\": \"../..\", \"task_id\": 1}]}",
            "not the name of a directory",
        ),
        (
            b"{\"tasks\": [{\"repo\": \"harbor_task\", \"task_id\": 1, \"pair\": [[1, 2]]}]}",
            "task 1 (harbor_task/1): unknown key `pair`: did you mean `pairs`?",
        ),
    ] {
        place.write("cb/dataset/subsets/lite.json", text);
        run(&place, &["--dry-run"])
            .code(2)
            .says("subsets/lite.json")
            .says(why);
    }
    insta::assert_snapshot!(place.said());
}

#[test]
fn bad_configuration() {
    let place = Bad::new();
    for (text, why) in [
        (
            "[experiment]\nmodle = 'x'",
            "did you mean `experiment.model`?",
        ),
        ("[experiment", "is not TOML"),
        ("[limits]\ntask_timeout = 'soon'", "no duration"),
        (
            "[experiment]\nmodle = 'x'\nconcurrency = '4'\n[limit]\nbudget = 1",
            "the configuration has 3 mistakes",
        ),
    ] {
        place.write("regatta.toml", text);
        run(&place, &["--dry-run"])
            .code(2)
            .says("regatta.toml")
            .says(why);
    }
    place.write("regatta.toml", b"\xff");
    run(&place, &["--dry-run"])
        .code(2)
        .says("regatta.toml is not UTF-8");
    place.write("regatta.toml", "[triage]\nrules_file = 'my.toml'");
    place.write(
        "my.toml",
        "[[rule]]\nid = 'x'\ncause = 'infra'\npattern = '('",
    );
    run(&place, &["--dry-run"])
        .code(2)
        .says("my.toml")
        .says("rule `x`");
    insta::assert_snapshot!(place.said());
}

#[test]
fn a_log_tree_that_cannot_be_written() {
    let place = Bad::new();
    install(
        &place,
        "0.0.29",
        &["mini_swe_agent_v2"],
        &["--backend", "--no-auto-eval", "--log-dir"],
    );
    place.write("file", "");
    run(&place, &["--logs-dir", "file/logs"])
        .code(2)
        .says("file/logs")
        .says("--logs-dir names another");
    insta::assert_snapshot!(place.said());
}

#[test]
fn results_that_are_none_are_reported_and_planned_again() {
    let place = Bad::new();
    let dir = "cb/logs/command-a-solo/solo";
    place.write(&format!("{dir}/lighthouse_task/7/f1_f2/result.json"), "");
    place.write(
        &format!("{dir}/harbor_task/1/f1_f2/result.json"),
        r#"{"run_id": "x", "agent"#,
    );
    place.write(&format!("{dir}/harbor_task/1/f2_f3/result.json"), "<html>");
    place.write(
        &format!("{dir}/harbor_task/2/f1_f2/result.json"),
        b"\xff\xfe",
    );
    place.write(
        &format!("{dir}/harbor_task/2/f1_f3/result.json"),
        vec![b' '; 17_000_000],
    );
    place.write(
        &format!("{dir}/harbor_task/2/f2_f3/result.json"),
        r#"{"run_id":"x","status":"done"}"#,
    );
    let report = place.run(&["report", "--cooperbench-dir", "cb"]).code(0);
    for why in [
        "it is empty",
        "it is truncated",
        "not JSON",
        "not UTF-8",
        "larger than 16 MB",
        "legacy shape",
    ] {
        assert!(
            report.stdout.contains(why) || report.stdout.contains("6 unreadable"),
            "{why}: {}",
            report.stdout
        );
    }
    let json = place
        .run(&["report", "--cooperbench-dir", "cb", "--format", "json"])
        .code(0)
        .stdout;
    // Each had a cost and a time, which are not zero.
    let told: serde_json::Value = serde_json::from_str(&json).unwrap();
    for cost in ["headline_cost", "total_spent"] {
        assert_eq!(told["totals"][cost]["unknown"], 6, "{cost}");
    }
    assert_eq!(told["totals"]["trial_seconds_unknown"], 6);
    for why in [
        "it is empty",
        "it is truncated",
        "not JSON",
        "not UTF-8",
        "larger than 16 MB",
        "legacy shape",
    ] {
        assert!(json.contains(why), "{why}");
    }
}

#[test]
fn a_run_that_does_not_exist() {
    let place = Bad::new();
    place
        .run(&["report", "--cooperbench-dir", "cb"])
        .code(2)
        .says("no runs under");
    place.write("cb/logs/command-a-solo/config.json", "{}");
    place
        .run(&["report", "--cooperbench-dir", "cb", "command-a-sol"])
        .code(2)
        .says("did you mean `command-a-solo`?");
    place
        .run(&["status", "--cooperbench-dir", "cb", "zzz"])
        .code(2)
        .says("there are: command-a-solo");
    place
        .run(&["report", "--cooperbench-dir", "cb", "--format", "jsn"])
        .code(2)
        .says("a similar value exists: 'json'");
    insta::assert_snapshot!(place.said());
}

/// A stand-in for the CLI that waits until it is told to end: what is tested is ours, the lock.
#[test]
fn a_second_run_is_refused_and_told_who_holds_the_lock() {
    let place = Bad::new();
    install(
        &place,
        "0.0.11",
        &["mini_swe_agent"],
        &["--backend", "--no-auto-eval"],
    );
    place.write_program(
        "cb/.venv/bin/cooperbench",
        "#!/bin/sh\nwhile ! [ -e ../done ]; do sleep 0.05; done\n",
    );
    let args = [
        "run",
        "--cooperbench-dir",
        "cb",
        "--no-preflight",
        "--setting",
        "solo",
        "--max-attempts",
        "1",
    ];
    let mut first = place.beside_an_empty_daemon(&args).spawn().unwrap();
    wait_until("the first holds the lock", || {
        !place.events("command-a-solo", "attempt_started").is_empty()
    });
    run(&place, &["--setting", "solo"])
        .code(2)
        .says("run `command-a-solo` is already running")
        .says(&format!("process {}", first.id()));
    let status = place
        .run(&["status", "--cooperbench-dir", "cb"])
        .code(0)
        .stdout;
    assert!(status.contains("running, by process"), "{status}");
    place.write("done", "");
    assert_eq!(first.wait().unwrap().code(), Some(3));
    insta::assert_snapshot!(place.said());
}

#[test]
fn a_run_that_was_begun_as_something_else() {
    let place = Bad::new();
    install(
        &place,
        "0.0.11",
        &["mini_swe_agent"],
        &["--backend", "--no-auto-eval"],
    );
    place.write_program("cb/.venv/bin/cooperbench", "#!/bin/sh\nexit 0\n");
    let args = ["--setting", "solo", "--max-attempts", "1"];
    run(&place, &args).code(3).says("without a single result");
    // Once something has finished.
    place.write(
        "cb/logs/command-a-solo/solo/lighthouse_task/7/f1_f2/result.json",
        r#"{"run_id":"a","agent":{"status":"Submitted","cost":0.1,"steps":2}}"#,
    );
    run(
        &place,
        &[&args[..], &["-m", "openai/other", "--name", "command-a"]].concat(),
    )
    .code(2)
    .says("model: command-a-03-2025 → openai/other")
    .says("--accept-changes");
    assert_eq!(
        place.json("cb/logs/command-a-solo/regatta/manifest.json")["model"],
        "command-a-03-2025"
    );
    run(
        &place,
        &[
            &args[..],
            &[
                "-m",
                "openai/other",
                "--name",
                "command-a",
                "--accept-changes",
            ],
        ]
        .concat(),
    )
    .code(3);
    let manifest = place.json("cb/logs/command-a-solo/regatta/manifest.json");
    assert_eq!(manifest["model"], "openai/other");
    assert_eq!(
        manifest["accepted"][0]["changes"][0],
        "model: command-a-03-2025 → openai/other"
    );
    // A dry run promises nothing that the run would refuse.
    run(&place, &["--dry-run", "--setting", "solo"])
        .code(2)
        .says("model: openai/other → command-a-03-2025");
    insta::assert_snapshot!(place.said());
}

#[test]
fn an_engine_that_breaks_at_once_is_no_lost_attempt() {
    let place = Bad::new();
    install(
        &place,
        "0.0.11",
        &["mini_swe_agent"],
        &["--backend", "--no-auto-eval"],
    );
    place.write_program(
        "cb/.venv/bin/cooperbench",
        "#!/bin/sh\necho 'ModuleNotFoundError: No module named litellm' >&2\nexit 1\n",
    );
    run(&place, &["--setting", "solo"])
        .code(3)
        .says("exit code 1")
        .says("No module named litellm")
        .says("attempt-1.log");
    assert_eq!(place.events("command-a-solo", "attempt_started").len(), 1);
    insta::assert_snapshot!(place.said());
}

#[test]
fn addresses_that_cannot_be_are_refused_before_anything_runs() {
    let place = Bad::new();
    run(
        &place,
        &["--dry-run", "--api-base", "api.cohere.com/v2/chat"],
    )
    .code(2)
    .says("upstream.api_base")
    .says("begins with http:// or https://")
    .says("--api-base");
    run(&place, &["--dry-run", "--redis-url", "localhost"])
        .code(2)
        .says("must begin with redis://");
    insta::assert_snapshot!(place.said());
}

#[test]
fn triage_explains_pairs_without_a_result_too() {
    let place = Bad::new();
    place.write("cb/logs/x-solo/solo/harbor_task/1/f1_f2/result.json", "{");
    let text = place
        .run(&["triage", "--cooperbench-dir", "cb", "--explain"])
        .code(0)
        .stdout;
    assert!(
        text.contains("harbor_task/1/f1_f2: unreadable\n  why: it is truncated"),
        "{text}"
    );
}

/// A misspelt `pairs` would mean every pair of its task; what upstream's own subsets say of
/// themselves is no mistake.
#[test]
fn a_key_of_a_subset_that_means_nothing_is_refused() {
    let place = Bad::new();
    let task = r#""repo": "harbor_task", "task_id": 2"#;
    for (task_says, file_says, why) in [
        (
            r#", "Pairs": [[1, 2]]"#,
            "",
            "unknown key `Pairs`: did you mean `pairs`?",
        ),
        (r#", "parirs": [[1, 2]]"#, "", "did you mean `pairs`?"),
        (
            r#", "features": [1, 2]"#,
            "",
            "unknown key `features`: it is one of repo, task_id, pairs",
        ),
        (
            r#", "groups": [[1, 2, 3]]"#,
            "",
            "`groups` of features are not run here, only `pairs`",
        ),
        (
            r#", "pairs": [[1, 2]]"#,
            r#", "pairs": [[1, 3]]"#,
            "unknown key `pairs`",
        ),
    ] {
        let text = format!(r#"{{"tasks": [{{{task}{task_says}}}]{file_says}}}"#);
        place.write("cb/dataset/subsets/mine.json", text);
        run(&place, &["--dry-run", "-s", "mine"])
            .code(2)
            .says("subsets/mine.json is no subset")
            .says(why);
    }
    let own = r#", "stats": {"pairs": 3}, "curation": {"source": "lite"}, "seed": 7"#;
    let text = format!(r#"{{"name": "mine", "tasks": [{{{task}}}]{own}}}"#);
    place.write("cb/dataset/subsets/mine.json", text);
    run(&place, &["--dry-run", "-s", "mine", "--setting", "solo"])
        .code(0)
        .prints("(3 pairs)");
    insta::assert_snapshot!(place.said());
}
