//! What infrastructure does to a run.

use std::process::Command;

use crate::lab::{Lab, Version};

const RUN: &str = "t-solo";
const FIRST: &str = "lighthouse_task/7/f1_f2";
const SOLO: [&str; 5] = ["run", "--setting", "solo", "--smoke", "2"];

/// A rate limit in the whole first attempt; then the endpoint works.
fn rate_limited_first(version: Version) {
    let lab = Lab::new(version);
    // OpenAI's library makes three calls of one.
    let calls = if version == Version::V11 { 3 } else { 1 };
    lab.fault(&format!("429 retry-after=1 until={}", 2 * calls));
    let ran = lab.run(&SOLO).code(0);
    assert!(ran.stderr.contains("infra (rate_limit"), "{}", ran.stderr);
    let ledger = lab.place.lines(RUN, "ledger");
    assert_eq!(ledger.len(), 4, "{ledger:#?}");
    assert_eq!(
        ledger
            .iter()
            .filter(|trial| trial["diagnosis"]["cause"] == "infra")
            .count(),
        2
    );
    let result = lab.result(RUN, "solo", FIRST);
    assert_eq!(result["agent"]["status"], "Submitted");
    assert!(result.get("infra_error").is_none());
    // What the first trial left is kept beside the result that stands.
    let trial = ledger[0]["trial"].as_str().unwrap();
    let pair = format!(
        "{}/{}",
        ledger[0]["repo"].as_str().unwrap(),
        ledger[0]["task_id"]
    );
    let aside = format!("cb/logs/{RUN}/solo/{pair}/f1_f2/regatta/{trial}/result.json");
    assert_eq!(lab.place.json(&aside)["infra_error"], true);
}

#[test]
#[ignore = "needs Docker and cooperbench 0.0.11: just e2e"]
fn a_rate_limit_is_retried_on_v11() {
    rate_limited_first(Version::V11);
}

#[test]
#[ignore = "needs Docker and cooperbench 0.0.29: just e2e"]
fn a_rate_limit_is_retried_on_v29() {
    rate_limited_first(Version::V29);
}

/// A wrong key: one attempt, exit 3, and what to mend.
fn wrong_key(version: Version) {
    let lab = Lab::new(version);
    lab.fault("401");
    let ran = lab.run(&["run"]).code(3).says("authentication").says("key");
    assert!(!ran.stderr.contains("attempt 2"), "{}", ran.stderr);
    assert!(lab.place.events("t-solo", "breaker_tripped").len() == 1);
    assert!(
        !lab.place.join("cb/logs/t-coop-comm/coop").exists(),
        "the next setting was begun"
    );
    assert!(lab.left_over("t-solo").is_empty());
    // The key is mended: the same command goes on.
    lab.fault("");
    lab.run(&["run", "--setting", "solo"]).code(0);
}

#[test]
#[ignore = "needs Docker and cooperbench 0.0.11: just e2e"]
fn a_wrong_key_costs_one_attempt_on_v11() {
    wrong_key(Version::V11);
}

#[test]
#[ignore = "needs Docker and cooperbench 0.0.29: just e2e"]
fn a_wrong_key_costs_one_attempt_on_v29() {
    wrong_key(Version::V29);
}

/// Somebody kills one pair's container: that trial is void, and runs again.
fn container_killed(version: Version) {
    let lab = Lab::new(version);
    // Before its first call an agent is not in its container: upstream itself is, and says so.
    lab.hold();
    let run = lab.start(&SOLO);
    lab.wait_for_requests("lighthouse", 1);
    let victim = &lab.containers_of(RUN, "lighthouse")[0];
    assert!(lab.docker(&["rm", "-f", victim]).status.success());
    lab.fault("");
    let ran = run.wait().code(0);
    assert!(ran.stderr.contains("container_lost"), "{}", ran.stderr);
    let ledger = lab.place.lines(RUN, "ledger");
    assert_eq!(ledger.len(), 3, "{ledger:#?}");
    let lost: Vec<_> = ledger
        .iter()
        .filter(|trial| trial["diagnosis"]["cause"] == "infra")
        .collect();
    assert_eq!(lost.len(), 1);
    let source = match version {
        Version::V11 | Version::V29 => "docker",
        Version::Native => "agent.error",
    };
    let evidence = &lost[0]["diagnosis"]["evidence"];
    assert_eq!(evidence["source"], source, "{:#}", lost[0]);
    let steps = lost[0]["agents"][0]["steps"].as_u64().unwrap();
    assert!(
        steps < 10,
        "the agent went on in a dead container for {steps} steps"
    );
    for pair in [FIRST, "harbor_task/2/f1_f2"] {
        let result = lab.result(RUN, "solo", pair);
        assert_eq!(result["agent"]["status"], "Submitted");
        assert!(
            result["agent"]["patch_lines"].as_u64().unwrap() > 0,
            "{pair}"
        );
        assert!(result.get("regatta").is_none());
    }
}

#[test]
#[ignore = "needs Docker and cooperbench 0.0.11: just e2e"]
fn a_killed_container_voids_its_trial_on_v11() {
    container_killed(Version::V11);
}

#[test]
#[ignore = "needs Docker and cooperbench 0.0.29: just e2e"]
fn a_killed_container_voids_its_trial_on_v29() {
    container_killed(Version::V29);
}

/// A pair that never ends: its container goes at the deadline, and it stays as `task_timeout`.
fn task_timeout(version: Version) {
    let lab = Lab::new(version);
    lab.fault("hold when=lighthouse");
    let args = [&SOLO[..], &["--task-timeout", "45s", "--max-attempts", "1"]].concat();
    let run = lab.start(&args);
    lab.wait_for_events(RUN, "container_lost", 1);
    lab.fault("");
    run.wait().code(1).prints("task_timeout");
    let result = lab.result(RUN, "solo", FIRST);
    assert_eq!(result["infra_error"], true, "{result:#}");
    assert_eq!(result["regatta"]["evidence"]["rule"], "task_timeout");
    let other = lab.result(RUN, "solo", "harbor_task/2/f1_f2");
    assert_eq!(other["agent"]["status"], "Submitted");
    assert!(other.get("infra_error").is_none());
}

#[test]
#[ignore = "needs Docker and cooperbench 0.0.11: just e2e"]
fn a_pair_over_its_deadline_is_ended_on_v11() {
    task_timeout(Version::V11);
}

#[test]
#[ignore = "needs Docker and cooperbench 0.0.29: just e2e"]
fn a_pair_over_its_deadline_is_ended_on_v29() {
    task_timeout(Version::V29);
}

/// A missing image: upstream drops what the daemon said; the tag has it.
#[test]
#[ignore = "needs Docker and cooperbench 0.0.29: just e2e"]
fn the_daemons_words_reach_the_tag() {
    let lab = Lab::new(Version::V29);
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
    let evidence = &result["regatta"]["evidence"];
    assert_eq!(evidence["source"], "docker daemon", "{result:#}");
    assert!(
        evidence["text"]
            .as_str()
            .unwrap()
            .contains("akhatua/cooperbench-nowhere"),
        "{evidence:#}"
    );
}

/// Every kind of bad answer is infrastructure's, and a later good one still counts.
#[test]
#[ignore = "needs Docker and cooperbench 0.0.29: just e2e"]
fn server_errors_and_broken_answers_are_retried() {
    let lab = Lab::new(Version::V29);
    lab.fault("500 until=2\nmalformed until=4");
    lab.run(&SOLO).code(0);
    let ledger = lab.place.lines(RUN, "ledger");
    let causes: Vec<_> = ledger
        .iter()
        .map(|trial| trial["diagnosis"]["cause"].as_str())
        .collect();
    assert_eq!(
        causes
            .iter()
            .filter(|cause| **cause == Some("infra"))
            .count(),
        4,
        "{ledger:#?}"
    );
    assert_eq!(causes.iter().filter(|cause| cause.is_none()).count(), 2);
}

/// An endpoint that never answers: the attempt stalls, is ended, and what it cost is unknown.
#[test]
#[ignore = "needs Docker and cooperbench 0.0.11: just e2e"]
fn an_endpoint_that_hangs_stalls_the_attempt() {
    let lab = Lab::new(Version::V11);
    lab.configure("[limits]\nstall_timeout = \"45s\"");
    lab.fault("hang until=2");
    lab.run(&SOLO).code(0).says("stalled");
    let ledger = lab.place.lines(RUN, "ledger");
    let cut: Vec<_> = ledger
        .iter()
        .filter(|trial| trial["status"] == "CutOff")
        .collect();
    assert_eq!(cut.len(), 2, "{ledger:#?}");
    assert!(lab.left_over(RUN).is_empty());
}

/// A container that is made but cannot start: upstream drops that too.
#[test]
#[ignore = "needs Docker and cooperbench 0.0.29: just e2e"]
fn a_container_that_cannot_start_says_why() {
    let lab = Lab::new(Version::V29);
    let image = "akhatua/cooperbench-hollow:task7";
    lab.place.write("hollow/nothing", "");
    let tar = lab.place.join("hollow.tar");
    let packed = Command::new("tar")
        .arg("-cf")
        .arg(&tar)
        .arg("-C")
        .arg(lab.place.join("hollow"))
        .arg(".")
        .status();
    assert!(packed.unwrap().success());
    let import = ["import", tar.to_str().unwrap(), image];
    assert!(lab.docker(&import).status.success());
    let dataset = lab.place.join("cb/dataset");
    std::fs::rename(dataset.join("lighthouse_task"), dataset.join("hollow_task")).unwrap();
    lab.place.write(
        "cb/dataset/subsets/lite.json",
        r#"{"tasks": [{"repo": "hollow_task", "task_id": 7}]}"#,
    );
    lab.run(&["run", "--setting", "solo", "--max-attempts", "1"]);
    let result = lab.result("t-solo", "solo", "hollow_task/7/f1_f2");
    let evidence = &result["regatta"]["evidence"];
    assert_eq!(evidence["source"], "docker daemon", "{result:#}");
    assert!(
        evidence["text"].as_str().unwrap().contains("/bin/bash"),
        "{evidence:#}"
    );
    lab.docker(&["rmi", image]);
}

#[test]
#[ignore = "needs Docker: just e2e"]
fn a_rate_limit_is_retried_on_native() {
    rate_limited_first(Version::Native);
}

#[test]
#[ignore = "needs Docker: just e2e"]
fn a_wrong_key_costs_one_attempt_on_native() {
    wrong_key(Version::Native);
}

#[test]
#[ignore = "needs Docker: just e2e"]
fn a_killed_container_voids_its_trial_on_native() {
    container_killed(Version::Native);
}
