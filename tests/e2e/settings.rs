//! The main job: three settings, really run, on both versions.

use crate::lab::{Lab, Version};

const RUNS: [(&str, &str); 3] = [
    ("t-smoke2-solo", "solo"),
    ("t-smoke2-coop-comm", "coop"),
    ("t-smoke2-coop-nocomm", "coop"),
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
    }
    let talk = "coop/lighthouse_task/7/f1_f2/conversation.json";
    let messages = |run: &str| {
        lab.place
            .json(&format!("cb/logs/{run}/{talk}"))
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(messages("t-smoke2-coop-comm"), 2);
    assert_eq!(messages("t-smoke2-coop-nocomm"), 0);

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
