//! `regatta compare` and `regatta report --by arm`, on trees that upstream alone wrote.

use serde_json::Value;

use crate::schema::assert_valid;
use crate::support::{Place, Ran};

/// A run of two agents on pairs of `harbor_task`, each with its verdict; `None` where it ended in an
/// error.
fn run(place: &Place, name: &str, verdicts: &[(&str, Option<bool>)]) {
    let dir = format!("cb/logs/{name}");
    let config = format!(
        r#"{{"run_name": "{name}", "setting": "coop", "messaging_mode": "free", "total_tasks": {}}}"#,
        verdicts.len()
    );
    place.write(&format!("{dir}/config.json"), config);
    for (pair, passed) in verdicts {
        let status = if passed.is_some() {
            "Submitted"
        } else {
            "Error"
        };
        let agent = |feature: u64| {
            serde_json::json!({"feature_id": feature, "status": status, "cost": 0.25, "steps": 3,
                "input_tokens": 100, "output_tokens": 10,
                "error": passed.is_none().then_some("litellm.ServiceUnavailableError: 503")})
        };
        let result = serde_json::json!({"run_id": format!("{name}-{pair}"), "run_name": name,
            "agent_framework": "mini_swe_agent", "model": "openai/m", "duration_seconds": 60.0,
            "agents": {"agent1": agent(1), "agent2": agent(2)}, "total_cost": 0.5,
            "started_at": "2026-01-01T10:00:00", "ended_at": "2026-01-01T10:01:00"});
        let pair = format!("{dir}/coop/harbor_task/{pair}");
        place.write(&format!("{pair}/result.json"), result.to_string());
        if let Some(passed) = passed {
            let eval = serde_json::json!({"both_passed": passed, "error": null,
                "merge": {"status": "clean"}, "evaluated_at": "2026-01-01T11:00:00",
                "feature1": {"passed": passed}, "feature2": {"passed": true}});
            place.write(&format!("{pair}/eval.json"), eval.to_string());
        }
    }
}

/// Two arms of three repeats, a run by itself with a bare name, and one of another kind.
fn tree() -> Place {
    let place = Place::new();
    let tasks = [
        "1/f1_f2", "2/f1_f2", "3/f1_f2", "4/f1_f2", "5/f1_f2", "6/f1_f2",
    ];
    for repeat in [1, 2, 10] {
        let of = |passed: fn(usize) -> Option<bool>| {
            let verdicts = tasks.iter().enumerate();
            verdicts
                .map(|(n, pair)| (*pair, passed(n)))
                .collect::<Vec<_>>()
        };
        run(&place, &format!("base_{repeat}"), &of(|n| Some(n == 0)));
        let talk = if repeat == 10 {
            of(|n| (n != 5).then_some(n != 4))
        } else {
            of(|_| Some(true))
        };
        run(&place, &format!("talk_{repeat}"), &talk);
    }
    run(&place, "talk", &[("1/f1_f2", Some(true))]);
    run(&place, "apart", &[("9/f1_f2", Some(true))]);
    place
}

fn regatta(place: &Place, args: &[&str]) -> Ran {
    place.run(&[args, &["--cooperbench-dir", "cb"]].concat())
}

fn json(place: &Place, args: &[&str]) -> Value {
    let args = [args, &["--format", "json"]].concat();
    serde_json::from_str(&regatta(place, &args).code(0).stdout).unwrap()
}

#[test]
fn arms_are_compared_with_names_numbers_and_what_is_missing() {
    let place = tree();
    let shown = regatta(&place, &["compare", "base", "talk_*"])
        .code(0)
        .stdout;
    insta::assert_snapshot!(shown);
}

#[test]
fn each_arm_has_its_pooled_numbers() {
    let place = tree();
    let shown = regatta(&place, &["report", "--by", "arm", "talk_*"])
        .code(0)
        .stdout;
    insta::assert_snapshot!(shown);
}

#[test]
fn what_is_compared_is_valid_json_and_markdown() {
    let place = tree();
    let compared = json(&place, &["compare"]);
    assert_valid("compare.json", &compared);
    let names: Vec<&str> = compared["arms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|arm| arm["arm"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["apart", "base", "talk", "talk_*"]);
    assert_eq!(compared["baseline_is"], "name");
    let runs: Vec<&str> = compared["arms"][1]["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["run"].as_str().unwrap())
        .collect();
    assert_eq!(runs, ["base_1", "base_2", "base_10"]);
    assert!(compared["contrasts"][0]["difference"].is_null());
    let every = json(&place, &["compare", "base", "talk_*", "--every-two"]);
    assert_valid("compare.json", &every);
    assert_eq!(every["baseline"], Value::Null);
    assert_valid("arms.json", &json(&place, &["report", "--by", "arm"]));
    let args = [
        "compare",
        "base",
        "talk_*",
        "--format",
        "markdown",
        "-o",
        "compare.md",
    ];
    regatta(&place, &args).code(0);
    let markdown = place.read("compare.md");
    assert!(markdown.contains("less base | 6 |"), "{markdown}");
}

#[test]
fn what_cannot_be_compared_is_answered_with_what_there_is() {
    let place = tree();
    let error = |args: &[&str]| regatta(&place, args).code(2).stderr;
    let said = error(&["compare", "base", "tlak"]);
    assert!(
        said.contains("no run and no arm is called `tlak`"),
        "{said}"
    );
    assert!(said.contains("did you mean `talk`?"), "{said}");
    let said = error(&["compare", "base", "base_2"]);
    assert!(said.contains("the run base_2 was named before"), "{said}");
    let said = error(&["report", "--by", "arm", "--format", "csv"]);
    assert!(said.contains("--by arm has text, json, markdown"), "{said}");
    let said = error(&["report", "--no-pool"]);
    assert!(said.contains("--no-pool is about arms"), "{said}");
    place.write("regatta.toml", "[groups]\nquiet = [\"sielnt_?\"]\n");
    let said = error(&["compare"]);
    assert!(
        said.contains("[groups] quiet: no run fits `sielnt_?`"),
        "{said}"
    );
    assert!(
        said.contains("there are: apart, base_1, base_2, base_10"),
        "{said}"
    );
    place.write("regatta.toml", "[groups]\nodd = [\"apart\", \"talk\"]\n");
    let odd = json(&place, &["compare", "odd", "base"]);
    assert_eq!(odd["arms"][0]["pairs"], 2);
    let said = regatta(&Place::new(), &["compare"]).code(2).stderr;
    assert!(said.contains("no run"), "{said}");
}

#[test]
fn runs_by_other_rules_are_pooled_only_with_mixed() {
    let place = tree();
    let file = "cb/logs/base_2/coop/harbor_task/1/f1_f2/eval.json";
    let mut eval = place.json(file);
    eval["regatta"] = serde_json::json!({"rules": "0.0.11", "trial": "base_2-1/f1_f2"});
    place.write(file, eval.to_string());
    let said = regatta(&place, &["compare", "base", "talk_*"])
        .code(2)
        .stderr;
    let wanted = "`base` has runs of different rule sets (0.0.11, unknown)";
    assert!(said.contains(wanted), "{said}");
    assert!(said.contains("--mixed"), "{said}");
    let mixed = json(&place, &["compare", "base", "talk_*", "--mixed"]);
    assert_eq!(mixed["arms"][0]["runs"].as_array().unwrap().len(), 3);
    assert_eq!(
        mixed["contrasts"][0]["mixed"][0],
        "rule sets (0.0.11, unknown)"
    );
    let alone = json(&place, &["compare", "base", "--no-pool"]);
    assert_eq!(alone["arms"].as_array().unwrap().len(), 3);
}
