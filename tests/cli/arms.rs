//! Arms and repeats: names, order, one budget, what is refused, and a study that is killed.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Model, Place, Ran, begun_in_order, own_lines, wait_until};

/// Four arms of the demo: two of one setting, one with a model of its own, by which its requests are
/// known.
const FOUR: &str = r#"
[[arm]]
name = "lone"
setting = "solo"
[[arm]]
name = "talk"
setting = "coop-comm"
[[arm]]
name = "heron"
setting = "coop-comm"
model = "openai/heron-3"
[[arm]]
name = "quiet"
setting = "coop-nocomm"
[prices.models."openai/heron-3"]
input_cost_per_token = 2.5e-06
output_cost_per_token = 1e-05
"#;

fn study(arms: &str) -> Place {
    let place = Place::new();
    place.write("regatta.toml", arms);
    place
}

fn run(place: &Place, line: &str) -> Ran {
    let line = format!("run --profile demo --no-progress {line}");
    let args: Vec<&str> = line.split_whitespace().collect();
    Ran::of(&place.beside_an_empty_daemon(&args).output().unwrap())
}

/// The lines of a run's own file.
fn lines(place: &Place, run: &str, file: &str) -> Vec<Value> {
    own_lines(&place.join("logs"), run, file)
}

fn runs(place: &Place) -> Vec<String> {
    let dirs = std::fs::read_dir(place.join("logs")).unwrap();
    let names = dirs.map(|dir| dir.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("demo-")).collect();
    names.sort();
    names
}

fn begun(place: &Place) -> Vec<String> {
    begun_in_order(&place.join("logs"), &runs(place))
}

/// What the ledgers of all runs come to, in USD.
fn spent(place: &Place) -> f64 {
    let of_run = |run: &String| -> f64 {
        let ledger = lines(place, run, "ledger");
        ledger
            .iter()
            .filter_map(|trial| trial["cost"].as_f64())
            .sum()
    };
    runs(place).iter().map(of_run).sum()
}

#[test]
fn the_example_is_a_matrix_of_four_arms_and_three_repeats() {
    let place = Place::new();
    let example = place.run(&["config", "--example", "arms"]).code(0).stdout;
    place.write("regatta.toml", example);
    let plan = run(&place, "--dry-run").code(0);
    insta::assert_snapshot!(plan.stdout);
}

#[test]
fn a_study_that_is_killed_goes_on_where_it_was_and_its_budget_is_one() {
    let place = study(FOUR);
    let model = Model::of_demo(&place, "");
    let base = &model.base;
    let command = |more: &str| -> Command {
        let line =
            format!("run --profile demo --no-progress --smoke 2 --api-base {base}/v1 {more}");
        let args: Vec<&str> = line.split_whitespace().collect();
        let mut command = place.beside_an_empty_daemon(&args);
        command.env("OPENAI_API_KEY", "x");
        command
    };
    let ran = |more: &str| Ran::of(&command(more).output().unwrap());
    // Once each: the runs have no number. They stay the first repeats when there are more.
    ran("").code(0);
    let once = ["demo-heron", "demo-lone", "demo-quiet", "demo-talk"];
    assert_eq!(runs(&place), once);
    // The third arm of the second repeat is at work when everything is killed.
    place.write("faults", "hold when=heron-3\n");
    let mut killed = command("--repeats 3")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the third arm asks its model", || {
        place.join("faults.met").exists()
    });
    killed.kill().unwrap();
    killed.wait().unwrap();
    place.write("faults", "");
    let has_begun = |run: &&String| !lines(&place, run, "events").is_empty();
    assert_eq!(runs(&place).iter().filter(has_begun).count(), 4 + 3);
    ran("--repeats 3").code(0);
    assert_eq!(runs(&place).len(), 12);
    for run in runs(&place) {
        let ledger = lines(&place, &run, "ledger");
        let ended = |trial: &&Value| trial["status"] == "Submitted" || trial["finished"] == true;
        let ended: Vec<&Value> = ledger.iter().filter(ended).collect();
        assert_eq!(ended.len(), 2, "{run}: {ledger:#?}");
        let [first, second] = [0, 1].map(|n| ended[n]["features"].clone());
        assert!(first.is_array() && first != second, "{run}: {ledger:#?}");
        if run != "demo-heron-r2" {
            assert_eq!(ledger.len(), 2, "{run}: {ledger:#?}");
        }
        let manifest = place.json(&format!("logs/{run}/regatta/manifest.json"));
        assert_eq!(manifest["experiment"], "demo");
        let repeat = run.rsplit_once("-r").map_or(1, |(_, n)| n.parse().unwrap());
        assert_eq!(manifest["repeat"], repeat, "{run}");
        let arm = run.trim_start_matches("demo-");
        let arm = arm.rsplit_once("-r").map_or(arm, |(arm, _)| arm);
        assert_eq!(manifest["arm"], arm, "{run}");
    }
    // Repeat by repeat, the arms in the file's order: the last command, after 4 and 3 runs.
    let order: Vec<String> = (1..=3)
        .flat_map(|repeat| {
            let suffix = if repeat == 1 {
                String::new()
            } else {
                format!("-r{repeat}")
            };
            ["lone", "talk", "heron", "quiet"].map(|arm| format!("demo-{arm}{suffix}"))
        })
        .collect();
    let begun = begun(&place);
    assert_eq!(begun[begun.len() - 12..], order);
    // All of it is spent, by whichever arm: nothing of a fourth repeat is begun.
    let all = spent(&place) * 0.999;
    for more in ["--repeats 4", "--repeats 4 --arm lone"] {
        let spent = ran(&format!("{more} --budget {all:.6}")).code(4);
        assert!(
            spent.stderr.contains("the budget is spent"),
            "{}",
            spent.stderr
        );
    }
    assert!(lines(&place, "demo-lone-r4", "ledger").is_empty());
    // Fewer repeats than runs: the others stay, and are spoken of.
    let fewer = ran("--repeats 2").code(0);
    assert!(
        fewer
            .stderr
            .contains("of more repeats than are asked for stay as they are: demo-lone-r3, "),
        "{}",
        fewer.stderr
    );
}

#[test]
fn arms_come_one_after_the_other_where_that_is_wanted() {
    let two = r#"
        [experiment]
        repeats = 2
        order = "arms"
        [[arm]]
        name = "b"
        setting = "solo"
        [[arm]]
        name = "a"
        setting = "solo"
        step_limit = 3
    "#;
    let place = study(two);
    run(&place, "--smoke 1").code(0);
    let order = ["demo-b-r1", "demo-b-r2", "demo-a-r1", "demo-a-r2"];
    assert_eq!(begun(&place), order);
    let limits =
        |run: &str| place.json(&format!("logs/{run}/regatta/manifest.json"))["limits"].clone();
    assert_eq!(limits("demo-a-r2")["steps"], 3);
    assert_eq!(limits("demo-b-r2")["steps"], 12);
    // One arm of them is still a run of the same experiment; the first repeat is found by either name.
    let one = run(&place, "--arm a --repeats 1 --dry-run").code(0);
    assert!(
        one.stdout
            .contains("\ndemo-a-r1 (setting solo): 9 pairs, 1 finished"),
        "{}",
        one.stdout
    );
    assert!(!one.stdout.contains("demo-b"), "{}", one.stdout);
    // What the others have cost is a part of what is spent.
    let mut lines = one.stdout.lines();
    let shown = lines.find_map(|line| line.strip_prefix("spent so far: $"));
    let shown: f64 = shown.unwrap().parse().unwrap();
    assert!((shown - spent(&place)).abs() < 0.0002, "{}", one.stdout);
}

#[test]
fn two_runs_are_not_both_the_first_repeat() {
    let place = study("[experiment]\nrepeats = 2\n");
    for run in ["demo-solo", "demo-solo-r1"] {
        std::fs::create_dir_all(place.join("logs").join(run)).unwrap();
    }
    let refused = run(&place, "--setting solo").code(2);
    refused
        .says("`demo-solo` and `demo-solo-r1` are both the first repeat of arm `solo`")
        .says("move one of them out of the log tree, or take another --name");
}

/// Each with what is said of it.
const WRONG: [(&str, &str, &str); 24] = [
    ("name = 'a'", "", "`a` names no setting"),
    ("setting = 'solo'", "", "[[arm]] 1 has no name"),
    (
        "name = 'a'\nsetting = 'sol'",
        "",
        "experiment.settings is `sol`, but it must be one of solo, coop-comm, coop-nocomm",
    ),
    (
        "name = 'a'\nsetting = ['solo']",
        "",
        "setting = [\"solo\"] is no text",
    ),
    ("name = ''\nsetting = 'solo'", "", "`` is no name of an arm"),
    (
        "name = 'a b'\nsetting = 'solo'",
        "",
        "`a b` is no name of an arm",
    ),
    (
        "name = '../a'\nsetting = 'solo'",
        "",
        "`../a` is no name of an arm",
    ),
    (
        "name = 'a-r2'\nsetting = 'solo'",
        "",
        "`a-r2` ends like a repeat's run",
    ),
    ("name = 4\nsetting = 'solo'", "", "name = 4 is no text"),
    (
        "name = 'a'\nsetting = 'solo'\nlogs_dir = 'x'",
        "",
        "an arm has no `logs_dir` of its own: it is the same for the whole experiment, and stands at upstream.logs_dir",
    ),
    (
        "name = 'a'\nsetting = 'solo'\nsubset = 'lite'",
        "",
        "an arm has no `subset` of its own",
    ),
    (
        "name = 'a'\nsetting = 'solo'\nmodle = 'x'",
        "",
        "unknown key `modle`",
    ),
    (
        "name = 'a'\nsetting = 'solo'\nstep_limit = 'x'",
        "",
        "step_limit = \"x\" is no whole number",
    ),
    (
        "name = 'a'\nsetting = 'solo'\napi_key = 'sk-hush-4711'",
        "",
        "a key of the model's never stands in a file",
    ),
    (
        "name = 'a'\nsetting = 'solo'\napi_key_env = 'sk-hush-4711'",
        "",
        "upstream.api_key_env names no environment variable",
    ),
    (
        "name = 'a'\nsetting = 'solo'\ncooperbench_bin = 'x'",
        "",
        "`cooperbench_bin` is the upstream engine's, and this arm runs on native",
    ),
    (
        "name = 'a'\nsetting = 'solo'\nengine = 'upstream'\nbackend = 'docker'\npids = 5",
        "",
        "`pids` is the native engine's, and this arm runs on upstream",
    ),
    (
        "name = 'a'\nsetting = 'solo'\nagent_config = 'gone.yaml'",
        "",
        "arm `a`: ",
    ),
    (
        "name = 'a'\nsetting = 'coop-comm'\nengine = 'upstream'\nbackend = 'docker'\nargs = ['-nfoo', '--team-no-mcp', '--redis=x']",
        "",
        "upstream.args has `--redis`, which regatta sets itself",
    ),
    (
        "name = 'a'\nsetting = 'solo'\nargs = ['--x']",
        "",
        "`args` is the upstream engine's, and this arm runs on native",
    ),
    (
        "name = 'a'\nsetting = 'solo'\npids = 5\n[arm.native]\npids = 6",
        "",
        "`pids` stands there twice, by itself and below its section",
    ),
    (
        "name = 'a'\nsetting = 'team'",
        "",
        "arm `a`: the native engine has no setting team",
    ),
    (
        "name = 'a'\nsetting = 'solo'",
        "--arm b",
        "--arm b: there is no such arm",
    ),
    (
        "name = 'a'\nsetting = 'solo'",
        "--setting solo",
        "--setting does not choose among arms",
    ),
];

#[test]
fn an_arm_that_cannot_be_is_refused_before_anything_runs() {
    for (arm, flags, said) in WRONG {
        let place = study(&format!("[[arm]]\n{arm}\n"));
        let refused = run(&place, flags).code(2);
        assert!(refused.stderr.contains(said), "{arm}\n{}", refused.stderr);
        assert!(!refused.stderr.contains("hush"), "{}", refused.stderr);
        assert!(!place.join("logs").exists(), "{arm}");
    }
    for (file, said) in [
        ("arm = 5", "`arm` is no list of tables"),
        ("[arm]\nname = 'a'", "`arm` is no list of tables"),
        (
            "[[arm]]\nname = 'a'\nsetting = 'solo'\n[[arm]]\nname = 'a'\nsetting = 'coop-comm'",
            "two arms are called `a`",
        ),
        (
            "[experiment]\nrepeats = 0",
            "experiment.repeats must be at least 1",
        ),
        (
            "[experiment]\nrepeats = 20000",
            "experiment.repeats is more than 1000",
        ),
        (
            "[upstream]\napi_key_env = 'FIRST_KEY'\n[[arm]]\nname = 'a'\nsetting = 'solo'\napi_base = 'http://127.0.0.1:9/v1'",
            "[[arm]] `a`: api_base is another endpoint, and FIRST_KEY was named for the key of the usual one",
        ),
        (
            "[experiment]\norder = 'arm'",
            "experiment.order is `arm`, but it must be one of repeats, arms; did you mean `arms`?",
        ),
    ] {
        let place = study(file);
        let refused = run(&place, "").code(2);
        assert!(refused.stderr.contains(said), "{file}\n{}", refused.stderr);
        assert!(!place.join("logs").exists(), "{file}");
    }
}

#[test]
fn a_flag_that_an_arm_answers_itself_is_spoken_of() {
    let place = study(FOUR);
    let plan = run(&place, "--model openai/demo --dry-run").code(0);
    let said = "arm heron: --model is not used: the arm says it itself";
    assert!(plan.stdout.contains(said), "{}", plan.stdout);
}

#[test]
fn each_arm_has_the_key_that_its_variable_holds() {
    let arms = r#"
        [[arm]]
        name = "usual"
        setting = "solo"
        api_base = "http://127.0.0.1:9/v1"
        [[arm]]
        name = "other"
        setting = "solo"
        api_base = "http://127.0.0.1:9/v1"
        api_key_env = "HERON_KEY"
    "#;
    let place = study(arms);
    let args = [
        "doctor",
        "--profile",
        "demo",
        "--no-model-call",
        "--format",
        "json",
    ];
    let said = |keys: &[(&str, &str)]| {
        let mut command = place.beside_an_empty_daemon(&args);
        command.envs(keys.iter().copied());
        let output = Ran::of(&command.output().unwrap());
        let checks: Value = serde_json::from_str(&output.stdout).unwrap();
        let checks = checks.as_array().unwrap().clone();
        let keys = checks.into_iter().filter(|check| check["name"] == "key");
        keys.map(|check| check["evidence"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        said(&[("OPENAI_API_KEY", "x")]),
        [
            "arm usual: OPENAI_API_KEY is set",
            "arm other: HERON_KEY is not set, which api_key_env names for the key"
        ]
    );
    assert_eq!(
        said(&[("OPENAI_API_KEY", "x"), ("HERON_KEY", "y")])[1],
        "arm other: HERON_KEY is set"
    );
}

/// A key goes to the endpoint that it was named for, and where it is not set no other goes there.
#[test]
fn upstreams_agent_gets_the_named_key_in_every_variable_that_it_reads() {
    let place = Place::new();
    place.write(
        "regatta.toml",
        r#"
        [upstream]
        cooperbench_dir = "cb"
        [[arm]]
        name = "a"
        setting = "solo"
        model = "gemini/g"
        api_key_env = "HERON_KEY"
        "#,
    );
    let shown = |keys: &[(&str, &str)]| {
        let mut command = place.beside_an_empty_daemon(&["run", "--dry-run"]);
        command
            .env("PATH", "/usr/bin:/bin")
            .envs(keys.iter().copied());
        let plan = Ran::of(&command.output().unwrap()).code(0).stdout;
        let mut lines = plan.lines();
        let line = lines.find(|line| line.starts_with("  environment  "));
        line.unwrap().to_owned()
    };
    let named = shown(&[("HERON_KEY", "x"), ("GOOGLE_API_KEY", "y")]);
    let all = "GEMINI_API_KEY=$HERON_KEY GOOGLE_API_KEY=$HERON_KEY MSWEA_MODEL_API_KEY=$HERON_KEY";
    assert!(named.ends_with(all), "{named}");
    let unset = shown(&[("GOOGLE_API_KEY", "y")]);
    let none = "GEMINI_API_KEY= GOOGLE_API_KEY= MSWEA_MODEL_API_KEY=";
    assert!(unset.ends_with(none), "{unset}");
}

#[test]
fn a_forced_plan_says_of_every_run_what_is_set_aside() {
    let place = study("[experiment]\nrepeats = 2\n");
    run(&place, "--setting solo --smoke 1").code(0);
    let plan = run(&place, "--setting solo --smoke 1 --force --dry-run").code(0);
    let told = plan
        .stdout
        .lines()
        .filter(|line| line.contains("sets aside"));
    assert_eq!(told.count(), 2, "{}", plan.stdout);
}
