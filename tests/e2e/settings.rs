//! The main job: three settings, really run, on both versions.

use crate::lab::{Lab, Version};

const RUNS: [(&str, &str); 3] = [
    ("t-solo", "solo"),
    ("t-coop-comm", "coop"),
    ("t-coop-nocomm", "coop"),
];

fn three_settings(version: Version) {
    let lab = Lab::new(version);
    let ran = lab.run(&["run", "--smoke", "2"]).code(0);
    assert!(!ran.stdout.contains("FAIL"), "{}", ran.stdout);

    for (run, tree) in RUNS {
        for pair in ["lighthouse_task/7/f1_f2", "harbor_task/2/f1_f2"] {
            let result = lab.result(run, tree, pair);
            let agents: Vec<&serde_json::Value> = match tree {
                "solo" => vec![&result["agent"]],
                _ => result["agents"].as_object().unwrap().values().collect(),
            };
            for agent in agents {
                assert_eq!(agent["status"], "Submitted", "{run} {pair}");
                assert!(agent["patch_lines"].as_u64().unwrap() > 0, "{run} {pair}");
            }
        }
        assert_eq!(lab.place.lines(run, "ledger").len(), 2);
        assert!(lab.left_over(run).is_empty());
        let manifest = lab
            .place
            .json(&format!("cb/logs/{run}/regatta/manifest.json"));
        for task in ["lighthouse_task/7", "harbor_task/2"] {
            let world = manifest["tasks"][task]["world"].to_string();
            assert!(world.contains("\":\"sha256:"), "{run} {task}: {world}");
        }
    }
    // Each of two agents sends one; one that has ended by then gets none, and its peer is told.
    let talk = "coop/lighthouse_task/7/f1_f2";
    let messages = |run: &str| {
        let path = format!("cb/logs/{run}/{talk}/conversation.json");
        lab.place.json(&path).as_array().unwrap().len()
    };
    let refused = |run: &str| {
        let trajectory = |agent| {
            lab.place
                .read(&format!("cb/logs/{run}/{talk}/agent{agent}_traj.json"))
        };
        (1..=2)
            .filter(|&agent| trajectory(agent).contains("NOT sent, and no reply will come"))
            .count()
    };
    assert_eq!(messages("t-coop-comm") + refused("t-coop-comm"), 2);
    assert_eq!(messages("t-coop-nocomm"), 0);

    // The same command again finds nothing to do, and upstream is not even started.
    lab.run(&["run", "--smoke", "2"]).code(0);
    for (run, _) in RUNS {
        assert_eq!(lab.place.events(run, "attempt_started").len(), 1, "{run}");
    }
}

#[test]
#[ignore = "needs Docker, Redis and cooperbench 0.0.11: just e2e"]
fn three_settings_run_on_v11() {
    three_settings(Version::V11);
}

#[test]
#[ignore = "needs Docker, Redis and cooperbench 0.0.29: just e2e"]
fn three_settings_run_on_v29() {
    three_settings(Version::V29);
}

/// A smoke is the beginning of its run: what it leaves is whole, and is not run again.
#[test]
#[ignore = "needs Docker and cooperbench 0.0.11: just e2e"]
fn a_smoke_of_five_and_then_the_rest() {
    let lab = Lab::new(Version::V11);
    lab.run(&["run", "--setting", "solo", "--smoke", "5"])
        .code(0)
        .prints("pass  t-solo: 5 of 5 results exist")
        .prints("pass  t-solo: 5 of 5 parse and have status, agent and cost")
        .prints("pass  t-solo: 0 containers are left")
        .prints("5 of 6 asked for so far");
    assert!(lab.left_over("t-solo").is_empty());
    let first = lab.place.lines("t-solo", "ledger");
    assert_eq!(first.len(), 5);
    lab.run(&["run", "--setting", "solo"]).code(0);
    let ledger = lab.place.lines("t-solo", "ledger");
    assert_eq!((ledger.len(), &ledger[..5]), (6, &first[..]));
    let attempts = lab.place.events("t-solo", "attempt_started");
    assert_eq!(attempts[1]["pairs"].as_array().unwrap().len(), 1);
}

/// The doctor finds everything fit, asks the model, and sees what is not.
#[test]
#[ignore = "needs Docker, Redis and cooperbench 0.0.29: just e2e"]
fn the_doctor_sees_what_is_there_and_what_is_not() {
    let mut lab = Lab::new(Version::V29);
    lab.env.push(("COHERE_API_KEY".to_owned(), "x".to_owned()));
    let ran = lab.run(&["doctor", "--format", "json"]).code(0);
    let checks: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let level = |checks: &serde_json::Value, name: &str| {
        let mut checks = checks.as_array().unwrap().iter();
        checks
            .find(|check| check["name"] == name)
            .map(|check| check["level"].clone())
            .unwrap()
    };
    for name in [
        "dataset",
        "cooperbench",
        "python",
        "docker",
        "images",
        "redis",
        "key",
        "model",
    ] {
        assert_eq!(level(&checks, name), "pass", "{name}: {}", ran.stdout);
    }
    assert_eq!(level(&checks, "agent"), "warn");

    lab.fault("401");
    lab.run(&["doctor"])
        .code(3)
        .prints("Check the key and that it belongs to the endpoint in use")
        .prints("1 fail");
}

/// Upstream's own CLI goes on over a tree of ours: everything is skipped.
#[test]
#[ignore = "needs Docker and cooperbench 0.0.29: just e2e"]
fn upstream_resumes_over_our_tree() {
    let lab = Lab::new(Version::V29);
    lab.run(&["run", "--setting", "solo"]).code(0);
    let before = lab.result("t-solo", "solo", "lighthouse_task/7/f1_f2");
    lab.upstream(&[
        "run",
        "-n",
        "t-solo",
        "-s",
        "lite",
        "-m",
        "command-a-03-2025",
        "--setting",
        "solo",
        "--no-auto-eval",
    ]);
    assert_eq!(lab.place.json("cb/logs/t-solo/summary.json")["skipped"], 6);
    assert_eq!(
        lab.result("t-solo", "solo", "lighthouse_task/7/f1_f2"),
        before
    );
}

/// The agent reads its own limit and the endpoint that all arms share from one file.
#[test]
#[ignore = "needs Docker and cooperbench 0.0.29: just e2e"]
fn an_agent_configuration_counts_beside_the_endpoint() {
    let lab = Lab::new(Version::V29);
    lab.place.write("short.yaml", "agent:\n  step_limit: 1\n");
    let args = ["run", "--setting", "solo", "--smoke", "1"];
    lab.run(&[&args[..], &["--agent-config", "short.yaml"]].concat())
        .code(0);
    let agent = &lab.result("t-solo", "solo", "lighthouse_task/7/f1_f2")["agent"];
    assert_eq!(agent["status"], "LimitsExceeded", "{agent:#}");
    assert_eq!(agent["steps"], 1, "{agent:#}");
    let written = lab.place.read("cb/logs/t-solo/regatta/agent-config.yaml");
    assert!(written.ends_with("agent:\n  step_limit: 1\n"), "{written}");
}

/// A subset of ours is one of upstream's: `run` hands it over, and upstream's own CLI takes it too.
#[test]
#[ignore = "needs Docker and cooperbench 0.0.29: just e2e"]
fn a_subset_that_was_made_runs_in_upstream() {
    let mut lab = Lab::new(Version::V29);
    std::fs::create_dir(lab.place.join("sets")).unwrap();
    let draw = ["subset", "--per-task", "1", "--sample", "2", "--seed", "7"];
    lab.run(&[&draw[..], &["-o", "sets/mine"]].concat()).code(0);
    let drawn = ["harbor_task/1/f2_f3", "harbor_task/2/f1_f2"];
    lab.run(&["run", "--setting", "solo", "-s", "sets/mine.json"])
        .code(0);
    // All of it is one command of upstream's, which got the file itself.
    let own = lab.place.join("cb/logs/t-solo/regatta");
    assert!(!own.join("subset-1.json").exists());
    lab.env.push(("COHERE_API_KEY".to_owned(), "x".to_owned()));
    let by_hand = lab.place.join("sets/mine").display().to_string();
    let agent_config = own.join("agent-config.yaml").display().to_string();
    let args = [
        "run",
        "-n",
        "hand",
        "-s",
        &by_hand,
        "-m",
        "command-a-03-2025",
    ];
    let more = [
        "--setting",
        "solo",
        "--no-auto-eval",
        "--agent-config",
        &agent_config,
    ];
    lab.upstream(&[&args[..], &more].concat());
    for run in ["t-solo", "hand"] {
        for pair in drawn {
            let status = &lab.result(run, "solo", pair)["agent"]["status"];
            assert_eq!(status, "Submitted", "{run} {pair}");
        }
        let summary = lab.place.json(&format!("cb/logs/{run}/summary.json"));
        assert_eq!(summary["total_tasks"], 2, "{summary:#}");
    }
}

#[test]
#[ignore = "needs Docker: just e2e"]
fn three_settings_run_on_native() {
    three_settings(Version::Native);
}
