//! Some arms or settings of an experiment: what is checked is what runs, and all that was spent and
//! learned counts.

use serde_json::Value;

use crate::support::{Model, Place, Ran, own_lines};

fn run_with(place: &Place, line: &str, env: &[(&str, &str)]) -> Ran {
    let line = format!("{line} --profile demo");
    let args: Vec<&str> = line.split_whitespace().collect();
    let mut command = place.beside_an_empty_daemon(&args);
    Ran::of(&command.envs(env.iter().copied()).output().unwrap())
}

fn run(place: &Place, line: &str) -> Ran {
    run_with(place, &format!("run --no-progress {line}"), &[])
}

fn ledger(place: &Place, run: &str) -> Vec<Value> {
    own_lines(&place.join("logs"), run, "ledger")
}

/// What a run's ledger comes to, in USD.
fn spent(place: &Place, run: &str) -> f64 {
    let ledger = ledger(place, run);
    let costs = ledger.iter().filter_map(|trial| trial["cost"].as_f64());
    costs.sum()
}

/// What a dry run says was spent, in USD.
#[track_caller]
fn told_as_spent(plan: &str) -> f64 {
    let mut lines = plan.lines();
    let line = lines.find_map(|line| line.strip_prefix("spent so far: $"));
    line.unwrap_or_else(|| panic!("nothing spent in\n{plan}"))
        .parse()
        .unwrap()
}

#[test]
fn the_budget_counts_the_settings_that_are_not_asked_for() {
    let place = Place::new();
    run(&place, "--setting solo --smoke 2").code(0);
    let solo = spent(&place, "demo-solo");
    let plan = run(&place, "--setting coop-nocomm --repeats 2 --dry-run").code(0);
    let told = told_as_spent(&plan.stdout);
    assert!((told - solo).abs() < 0.0002, "{told} of {solo}");
    let budget = format!(
        "--setting coop-nocomm --smoke 1 --budget {:.6}",
        solo * 0.999
    );
    run(&place, &budget).code(4).says("the budget is spent");
    assert!(ledger(&place, "demo-coop-nocomm").is_empty());
    // A repeat beyond those that are asked for is one of the experiment too, also of a setting that
    // is not.
    run(&place, "--setting solo --smoke 1 --repeats 2").code(0);
    let both = solo + spent(&place, "demo-solo-r2");
    let plan = run(&place, "--setting coop-nocomm --repeats 3 --dry-run").code(0);
    let told = told_as_spent(&plan.stdout);
    assert!((told - both).abs() < 0.0002, "{told} of {both}");
    // One that says that it is of another experiment is not.
    let path = "logs/demo-solo/regatta/manifest.json";
    let mut manifest = place.json(path);
    manifest["experiment"] = "elsewhere".into();
    place.write(path, manifest.to_string());
    let plan = run(&place, "--setting coop-nocomm --repeats 3 --dry-run").code(0);
    let told = told_as_spent(&plan.stdout);
    assert!((told - (both - solo)).abs() < 0.0002, "{told}");
}

#[test]
fn what_any_run_of_the_experiment_has_cost_is_expected() {
    let place = Place::new();
    let costs = "by what finished pairs have cost";
    run(&place, "--setting solo --pair ferry/1/f1_f2").code(0);
    // Pairs that the filter leaves out.
    let plan = run(&place, "--setting solo --repeats 2 --task tide/1 --dry-run").code(0);
    assert!(plan.stdout.contains(costs), "{}", plan.stdout);
    // A repeat that is not asked for.
    let moved = [
        place.join("logs/demo-solo"),
        place.join("logs/demo-solo-r7"),
    ];
    std::fs::rename(&moved[0], &moved[1]).unwrap();
    let plan = run(&place, "--setting solo --repeats 2 --dry-run").code(0);
    assert!(plan.stdout.contains(costs), "{}", plan.stdout);
    // Nothing like it: another setting, or another model than the run was begun with.
    for other in [
        "--setting coop-nocomm",
        "--setting solo --model openai/heron",
    ] {
        let plan = run(&place, &format!("{other} --repeats 2 --dry-run")).code(0);
        assert!(!plan.stdout.contains(costs), "{other}\n{}", plan.stdout);
    }
}

const WRONG_VALUES: [(&str, &str); 6] = [
    ("name = 'b'", "`b` names no setting"),
    (
        "name = 'b'\nsetting = 'solo'\nagent_config = 'gone.yaml'",
        "arm `b`: ",
    ),
    (
        "name = 'b'\nsetting = 'solo'\ncooperbench_bin = 'x'",
        "`cooperbench_bin` is the upstream engine's",
    ),
    (
        "name = 'b'\nsetting = 'solo'\nmemory_gb = 0.0",
        "native.memory_gb must be more than 0",
    ),
    (
        "name = 'b'\nsetting = 'team'",
        "arm `b`: the native engine has no setting team",
    ),
    (
        "name = 'b'\nsetting = 'solo'\nengine = 'upstream'\nbackend = 'docker'",
        "arm `b`: upstream.dataset_dir is the demo's",
    ),
];

#[test]
fn what_is_wrong_with_an_arm_stops_who_asks_for_it_and_nobody_else() {
    for (wrong, said) in WRONG_VALUES {
        let place = Place::new();
        let good = "[[arm]]\nname = 'a'\nsetting = 'solo'\n";
        place.write("regatta.toml", format!("{good}[[arm]]\n{wrong}\n"));
        run(&place, "--arm a --dry-run").code(0);
        for arms in ["", "--arm b", "--arm a --arm b"] {
            let refused = run(&place, arms).code(2);
            assert!(refused.stderr.contains(said), "{wrong}\n{}", refused.stderr);
        }
        assert!(!place.join("logs").exists(), "{wrong}");
        // What checks the file asks for all, and what reads runs for none.
        if !said.starts_with("arm `b`") {
            run_with(&place, "config", &[]).code(2).says(said);
        }
        run_with(&place, "report", &[])
            .code(2)
            .says("no runs under");
    }
    // The file's own words are everybody's.
    for (wrong, said) in [
        (
            "name = 'b'\nsetting = 'solo'\nmodle = 'x'",
            "unknown key `modle`",
        ),
        ("name = 'a'\nsetting = 'solo'", "two arms are called `a`"),
        ("setting = 'solo'", "[[arm]] 2 has no name"),
    ] {
        let place = Place::new();
        let good = "[[arm]]\nname = 'a'\nsetting = 'solo'\n";
        place.write("regatta.toml", format!("{good}[[arm]]\n{wrong}\n"));
        let refused = run(&place, "--arm a --dry-run").code(2);
        assert!(refused.stderr.contains(said), "{wrong}\n{}", refused.stderr);
    }
}

#[test]
fn an_arm_with_nothing_left_to_run_needs_no_key() {
    let place = Place::new();
    let model = Model::of_demo(&place, "");
    let arm = |name: &str, key: &str| {
        let base = &model.base;
        format!(
            "[[arm]]\nname = '{name}'\nsetting = 'solo'\napi_base = '{base}/v1'\napi_key_env = '{key}'\n"
        )
    };
    let arms = arm("a", "GULL_KEY") + &arm("b", "HERON_KEY");
    place.write("regatta.toml", arms);
    let both = [("GULL_KEY", "x"), ("HERON_KEY", "y")];
    let line = "run --no-progress --smoke 1";
    run_with(&place, line, &both).code(0);
    let reopen = |run: &str| {
        std::fs::remove_dir_all(place.join("logs").join(run).join("solo")).unwrap();
    };
    reopen("demo-a");
    run_with(&place, line, &both[..1]).code(0);
    assert_eq!(ledger(&place, "demo-a").len(), 2);
    // Neither does one where nothing is left at all.
    run_with(&place, line, &[]).code(0).says("nothing to do");
    reopen("demo-b");
    run_with(&place, line, &both[..1])
        .code(3)
        .says("HERON_KEY is not set");
    assert_eq!(ledger(&place, "demo-b").len(), 1);
}

#[test]
fn a_run_is_judged_where_its_arms_agents_worked() {
    let place = Place::new();
    let arms = |rootfs: &str| {
        let arm = |name: &str, rootfs: &str| {
            format!("[[arm]]\nname = '{name}'\nsetting = 'solo'\nrootfs = '{rootfs}'\n")
        };
        place.write(
            "regatta.toml",
            format!("{}{}", arm("a", "/"), arm("b", rootfs)),
        );
    };
    arms("/");
    let unjudged = [("REGATTA_AFTER_RUN", "false")];
    run_with(&place, "run --no-progress --pair ferry/1/f1_f2", &unjudged).code(0);
    arms(&place.join("nothing").display().to_string());
    // What the first arm's suites show is not taken for the second's.
    let judged = run_with(&place, "eval", &[]).code(1);
    let eval = |arm: &str| {
        let path = format!("logs/demo-{arm}/solo/ferry_task/1/f1_f2/eval.json");
        place.json(&path)
    };
    assert_eq!(eval("a")["both_passed"], true, "{}", judged.stderr);
    assert!(eval("b")["error"].is_string(), "{}", eval("b"));
    // An arm that the file no longer has is judged by what all share.
    let rest = place.read("regatta.toml");
    let rest = &rest[..rest.find("[[arm]]\nname = 'b'").unwrap()];
    place.write("regatta.toml", rest);
    run_with(&place, "eval", &[]).code(0);
    assert_eq!(eval("b")["both_passed"], true);
}

#[test]
fn a_study_of_many_runs_ends_with_a_row_for_each() {
    let place = Place::new();
    let ended = run(&place, "--setting solo --repeats 9 --smoke 1").code(0);
    let rows = ended.stdout.lines();
    let rows = rows.filter(|line| line.starts_with("demo-solo-r"));
    assert_eq!(rows.count(), 9, "{}", ended.stdout);
    ended
        .prints("a run with its failures: `regatta report demo-solo-r1 --profile demo`")
        .prints("smoke:\n  pass  27 checks of 9 runs\n");
}
