//! The native engine against the real parts: its trees are upstream's, and faults of every kind
//! are what they are.

use crate::lab::{Lab, Version};
use crate::support::wait_until;

const RUN: &str = "t-solo";
const FIRST: &str = "lighthouse_task/7/f1_f2";
const SOLO: [&str; 5] = ["run", "--setting", "solo", "--smoke", "2"];

/// A patch without the lines that name git's objects.
fn plain(patch: &str) -> Vec<String> {
    let lines = patch.lines().filter(|line| !line.starts_with("index "));
    lines.map(str::to_owned).collect()
}

/// The agent that goes on learns that its colleague has ended, and how.
#[test]
#[ignore = "needs Docker: just e2e"]
fn a_peers_end_reaches_the_one_that_goes_on() {
    let lab = Lab::new(Version::Native);
    lab.fault("hold when=You are agent2");
    let run = ["run", "--setting", "coop-comm", "--smoke", "1"];
    let run = lab.start(&[&run[..], &["--record", "tapes"]].concat());
    let tape = format!("tapes/t-coop-comm/{FIRST}/agent1-1.jsonl");
    wait_until("the first to end", || {
        std::fs::read_to_string(lab.place.join(&tape))
            .is_ok_and(|tape| tape.contains("\"kind\":\"end\""))
    });
    lab.fault("");
    run.wait().code(0);
    let dir = format!("cb/logs/t-coop-comm/coop/{FIRST}");
    let told = |agent| {
        let trajectory = lab.place.json(&format!("{dir}/agent{agent}_traj.json"));
        let messages = trajectory["messages"].as_array().unwrap().clone();
        let announcements = messages.iter().filter(|message| message["role"] == "user");
        announcements
            .filter(|message| message.to_string().contains("agent1 submitted its work"))
            .count()
    };
    // Told once, to the one that was still there.
    assert_eq!((told(1), told(2)), (0, 1));
}

/// Both engines over the same pairs: the same statuses, the same patches.
#[test]
#[ignore = "needs Docker, Redis and cooperbench 0.0.29: just e2e"]
fn its_statuses_and_patches_are_upstreams() {
    let (native, upstream) = (Lab::new(Version::Native), Lab::new(Version::V29));
    for lab in [&native, &upstream] {
        lab.run(&["run", "--smoke", "2"]).code(0);
    }
    for (run, files) in [
        (RUN, &["solo"][..]),
        ("t-coop-comm", &["agent1", "agent2"]),
        ("t-coop-nocomm", &["agent1", "agent2"]),
    ] {
        let tree = if files.len() == 1 { "solo" } else { "coop" };
        for pair in [FIRST, "harbor_task/2/f1_f2"] {
            let statuses = |lab: &Lab| {
                let result = lab.result(run, tree, pair);
                ["agent", "agents"].map(|key| {
                    let agents = result[key].clone();
                    let statuses = agents.as_object().map(|agents| {
                        let mut found: Vec<_> = agents
                            .values()
                            .filter_map(|agent| agent["status"].as_str().map(str::to_owned))
                            .collect();
                        found.sort();
                        found
                    });
                    (agents["status"].clone(), statuses)
                })
            };
            assert_eq!(statuses(&native), statuses(&upstream), "{run} {pair}");
            for file in files {
                let patch = |lab: &Lab| {
                    let path = format!("cb/logs/{run}/{tree}/{pair}/{file}.patch");
                    plain(&lab.place.read(&path))
                };
                let patch_of_ours = patch(&native);
                assert!(!patch_of_ours.is_empty());
                assert_eq!(patch_of_ours, patch(&upstream), "{run} {pair} {file}");
            }
        }
    }
}

/// Upstream's own `eval` judges a native tree, and its `run` finds nothing to do in it.
#[test]
#[ignore = "needs Docker and cooperbench 0.0.29: just e2e"]
fn upstream_judges_and_resumes_a_native_tree() {
    let lab = Lab::new(Version::Native);
    lab.run(&[
        "run",
        "-s",
        "flash",
        "--setting",
        "solo",
        "--setting",
        "coop-nocomm",
    ])
    .code(0);
    for run in ["t-solo", "t-coop-nocomm"] {
        lab.upstream(&["eval", "-n", run, "--backend", "docker", "-c", "2"]);
    }
    // As fixtures/README.md says of `flash`: one conflict, one broken neighbour, one clean pass.
    let passed = |run: &str, tree: &str| -> Vec<bool> {
        [
            "harbor_task/1/f1_f2",
            "harbor_task/2/f1_f2",
            "lighthouse_task/7/f1_f2",
        ]
        .iter()
        .filter_map(|pair| {
            let path = format!("cb/logs/{run}/{tree}/{pair}/eval.json");
            lab.place
                .join(&path)
                .exists()
                .then(|| lab.place.json(&path)["both_passed"].as_bool().unwrap())
        })
        .collect()
    };
    assert_eq!(passed("t-solo", "solo"), [true; 3]);
    let alone = passed("t-coop-nocomm", "coop");
    assert_eq!(
        alone.iter().filter(|passed| **passed).count(),
        1,
        "{alone:?}"
    );
    lab.run(&["report"])
        .code(0)
        .prints("3 pass")
        .prints("1 pass, 2 fail");

    let before = lab.result("t-solo", "solo", FIRST);
    lab.upstream(&[
        "run",
        "-n",
        "t-solo",
        "-s",
        "flash",
        "-m",
        "command-a-03-2025",
        "--setting",
        "solo",
        "--no-auto-eval",
    ]);
    assert_eq!(lab.place.json("cb/logs/t-solo/summary.json")["skipped"], 3);
    assert_eq!(lab.result("t-solo", "solo", FIRST), before);
}

/// A trial over its time ends in a status of its own; what it did until then is kept.
#[test]
#[ignore = "needs Docker: just e2e"]
fn a_trial_over_its_time_is_the_agents() {
    let lab = Lab::new(Version::Native);
    lab.fault("slow 9s when=lighthouse");
    let args = [&SOLO[..], &["--task-timeout", "30s"]].concat();
    lab.run(&args).code(0);
    let result = lab.result(RUN, "solo", FIRST);
    assert_eq!(result["agent"]["status"], "TimeLimitExceeded", "{result:#}");
    assert!(result.get("infra_error").is_none());
    assert_eq!(
        lab.result(RUN, "solo", "harbor_task/2/f1_f2")["agent"]["status"],
        "Submitted"
    );
}

/// One that never gets an answer is the endpoint's, whatever the trial's time.
#[test]
#[ignore = "needs Docker: just e2e"]
fn a_trial_that_waits_for_the_endpoint_only_is_infrastructures() {
    let lab = Lab::new(Version::Native);
    lab.fault("hang when=lighthouse");
    let args = [&SOLO[..], &["--task-timeout", "5s", "--max-attempts", "1"]].concat();
    lab.run(&args).code(1);
    let result = lab.result(RUN, "solo", FIRST);
    assert_eq!(result["infra_error"], true, "{result:#}");
    assert_eq!(result["regatta"]["evidence"]["rule"], "timeout");
    let ledger = lab.place.lines(RUN, "ledger");
    let trial = ledger
        .iter()
        .find(|trial| trial["repo"] == "lighthouse_task");
    assert!(
        trial.unwrap()["cost"].is_null(),
        "a call that may be billed is not free"
    );
}

/// An endpoint that hangs is given up on, in the time that a call may take, and tried again.
#[test]
#[ignore = "needs Docker: just e2e"]
fn an_endpoint_that_hangs_is_infrastructure() {
    let lab = Lab::new(Version::Native);
    lab.configure("call_timeout = \"5s\"");
    lab.fault("hang until=2");
    lab.run(&SOLO).code(0).says("infra (timeout)");
    assert!(lab.left_over(RUN).is_empty());
}

/// An endpoint that lies: each lie is what it is, and none is a result that it is not.
#[test]
#[ignore = "needs Docker: just e2e"]
fn an_endpoint_that_lies_is_seen_through() {
    for (lie, status, rule) in [
        ("no-usage", "Submitted", None),
        ("no-choices", "Error", Some("malformed_response")),
        ("bad-arguments", "LimitsExceeded", None),
        ("unknown-tool", "LimitsExceeded", None),
        ("huge", "Error", Some("malformed_response")),
    ] {
        let lab = Lab::new(Version::Native);
        lab.configure("step_limit = 8");
        lab.fault(lie);
        let args = [
            "run",
            "--setting",
            "solo",
            "--smoke",
            "1",
            "--max-attempts",
            "1",
        ];
        lab.run(&args).code(i32::from(rule.is_some()));
        let result = lab.result("t-solo", "solo", FIRST);
        assert_eq!(result["agent"]["status"], status, "{lie}: {result:#}");
        match rule {
            Some(rule) => {
                assert_eq!(result["infra_error"], true, "{lie}");
                assert_eq!(result["regatta"]["evidence"]["rule"], rule, "{lie}");
            }
            None => assert!(result.get("infra_error").is_none(), "{lie}"),
        }
        let cost = &lab.place.lines("t-solo", "ledger")[0]["cost"];
        // Without usage the cost is not known, and unknown is not zero. What a response tells is
        // booked, also of one that is no reply.
        let tells = ["no-choices", "bad-arguments", "unknown-tool"].contains(&lie);
        assert!(
            cost.is_null() || cost.as_f64().unwrap() > 0.0,
            "{lie}: {cost}"
        );
        assert_eq!(cost.is_number(), tells, "{lie}: {cost}");
        assert!(lab.left_over("t-solo").is_empty());
    }
}

/// An image that is nowhere: its own class of error, in a step of its own.
#[test]
#[ignore = "needs Docker: just e2e"]
fn a_missing_image_is_named() {
    let lab = Lab::new(Version::Native);
    let dataset = lab.place.join("cb/dataset");
    std::fs::rename(
        dataset.join("lighthouse_task"),
        dataset.join("nowhere_task"),
    )
    .unwrap();
    let subset = r#"{"tasks": [{"repo": "nowhere_task", "task_id": 7}]}"#;
    lab.place.write("cb/dataset/subsets/lite.json", subset);
    lab.run(&["run", "--setting", "solo", "--max-attempts", "1"]);
    let result = lab.result("t-solo", "solo", "nowhere_task/7/f1_f2");
    // By whether there is a registry to refuse it.
    let rule = &result["regatta"]["evidence"]["rule"];
    assert!(
        rule == "image_refused" || rule == "image_pull",
        "{result:#}"
    );
    let text = result["agent"]["error"].as_str().unwrap();
    assert!(text.contains("akhatua/cooperbench-nowhere"), "{text}");
}

/// What the sandbox may use is Docker's to enforce and the result's to tell.
#[test]
#[ignore = "needs Docker: just e2e"]
fn limits_are_enforced_and_recorded() {
    let lab = Lab::new(Version::Native);
    lab.configure("memory_gb = 0.25\ncpus = 1.0\npids = 333\nnetwork = false");
    lab.hold();
    let run = lab.start(&["run", "--setting", "solo", "--smoke", "1"]);
    lab.wait_for_requests("lighthouse", 1);
    let id = &lab.containers("t-solo")[0];
    let format = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} {{.HostConfig.LogConfig.Type}} {{len .Mounts}} {{.HostConfig.NetworkMode}}";
    let inspected = lab.docker(&["inspect", "-f", format, id]);
    let limits = String::from_utf8(inspected.stdout).unwrap();
    // The first container of a run has a network of its own, none here, and keeps it for others.
    assert_eq!(limits.trim(), "250000000 1000000000 333 none 1 none");
    lab.fault("");
    run.wait().code(0);
    let sandbox = &lab.result("t-solo", "solo", FIRST)["sandbox"];
    assert_eq!(sandbox["backend"], "docker");
    assert_eq!(sandbox["limits"]["pids"], 333);
    assert_eq!(sandbox["limits"]["memory_bytes"], 250_000_000);
}
