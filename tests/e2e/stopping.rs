//! Stopping a run, by force and by request, and going on after it.

use std::path::{Path, PathBuf};

use crate::lab::{Lab, Version, upstream_processes};
use crate::support::wait_until;

const RUN: &str = "t-solo";
const SOLO: [&str; 6] = ["run", "--setting", "solo", "-c", "2", "--no-progress"];

/// `kill -9` of regatta itself: the CLI dies with it, and the same command goes on.
fn killed(version: Version) {
    let lab = Lab::new(version);
    // Three pairs end, and no other; upstream has an order of its own.
    lab.fault(match version {
        Version::V11 | Version::V29 => "hold when=alike whatever\nhold when=lighthouse",
        Version::Native => "hold when=undock\nhold when=largest_free",
    });
    let run = lab.start(&SOLO);
    lab.wait_for_events(RUN, "trial_ended", 2);
    lab.wait_for_requests("harbor", 1);
    run.signal("-KILL");
    run.wait();
    wait_until("upstream died with regatta", || {
        upstream_processes(&lab.place).is_empty()
    });
    let finished: Vec<_> = lab
        .place
        .lines(RUN, "ledger")
        .iter()
        .map(|trial| trial["trial"].clone())
        .collect();
    lab.fault("");

    lab.run(&SOLO).code(0);
    let ledger = lab.place.lines(RUN, "ledger");
    let submitted: Vec<_> = ledger
        .iter()
        .filter(|trial| trial["status"] == "Submitted")
        .collect();
    assert_eq!(
        submitted.len(),
        6,
        "a finished pair ran twice, or one is missing: {ledger:#?}"
    );
    assert!(
        finished
            .iter()
            .all(|trial| submitted.iter().any(|line| line["trial"] == *trial))
    );
    let cut_off: Vec<_> = ledger
        .iter()
        .filter(|trial| trial["status"] == "CutOff")
        .collect();
    assert!(
        !cut_off.is_empty(),
        "the trials that were cut off are not in the ledger"
    );
    // Our own engine books each answer as it comes; of upstream's nothing is known.
    let may_be_known = version == Version::Native;
    assert!(cut_off.iter().all(|trial| {
        let cost = &trial["cost"];
        trial["usage_unknown"] == true
            && (cost.is_null() || may_be_known && cost.as_f64().unwrap() > 0.0)
    }));
    assert!(lab.left_over(RUN).is_empty());
    lab.run(&["clean"]).code(0);
}

#[test]
#[ignore = "needs Docker and cooperbench 0.0.11: just e2e"]
fn a_killed_run_resumes_on_v11() {
    killed(Version::V11);
}

#[test]
#[ignore = "needs Docker and cooperbench 0.0.29: just e2e"]
fn a_killed_run_resumes_on_v29() {
    killed(Version::V29);
}

/// Ctrl-C twice: exit 130 at once, nothing of ours runs, no cut-off work counts as submitted.
fn interrupted(version: Version) {
    let lab = Lab::new(version);
    lab.hold();
    let run = lab.start(&SOLO);
    lab.wait_for_requests("", 2);
    run.signal("-INT");
    lab.wait_for_events(RUN, "stopping", 1);
    run.signal("-INT");
    let ran = run
        .wait()
        .code(130)
        .says("resumes")
        .says("again to stop now");
    assert!(!ran.stderr.contains("panicked"));
    assert!(upstream_processes(&lab.place).is_empty());
    assert!(lab.left_over(RUN).is_empty());
    // Of what was cut off, only what its agents said up to then is there.
    let tree = lab.place.join("cb/logs/t-solo/solo/harbor_task");
    let below = |dir: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let pairs = below(&tree).into_iter().flat_map(|task| below(&task));
    for left in pairs.flat_map(|pair| below(&pair)) {
        assert!(left.ends_with("regatta"), "{}", left.display());
    }

    lab.fault("");
    lab.run(&SOLO).code(0);
    let ledger = lab.place.lines(RUN, "ledger");
    assert_eq!(
        ledger
            .iter()
            .filter(|trial| trial["status"] == "CutOff")
            .count(),
        2,
        "{ledger:#?}"
    );
}

#[test]
#[ignore = "needs Docker and cooperbench 0.0.11: just e2e"]
fn ctrl_c_stops_it_on_v11() {
    interrupted(Version::V11);
}

#[test]
#[ignore = "needs Docker and cooperbench 0.0.29: just e2e"]
fn ctrl_c_stops_it_on_v29() {
    interrupted(Version::V29);
}

/// One SIGTERM: what runs finishes within the grace and counts, nothing new is begun.
#[test]
#[ignore = "needs Docker and cooperbench 0.0.29: just e2e"]
fn a_gentle_stop_lets_running_pairs_finish() {
    let lab = Lab::new(Version::V29);
    lab.hold();
    let run = lab.start(&[&SOLO[..], &["--grace", "2m"]].concat());
    lab.wait_for_requests("", 2);
    run.signal("-TERM");
    lab.wait_for_events(RUN, "stopping", 1);
    lab.fault("");
    run.wait().code(130).says("SIGTERM");
    let ended = lab.place.events(RUN, "trial_ended");
    assert_eq!(ended.len(), 2, "{ended:#?}");
    assert!(ended.iter().all(|trial| trial["status"] == "Submitted"));
    assert_eq!(lab.containers(RUN).len(), 2);
}

#[test]
#[ignore = "needs Docker: just e2e"]
fn a_killed_run_resumes_on_native() {
    killed(Version::Native);
}

#[test]
#[ignore = "needs Docker: just e2e"]
fn ctrl_c_stops_it_on_native() {
    interrupted(Version::Native);
}

/// Paused, its attempt ends with what runs; resumed, the next one runs the rest, and is no other try.
fn paused(version: Version) {
    let lab = Lab::new(version);
    lab.hold();
    let run = lab.start(&SOLO);
    lab.wait_for_requests("", 2);
    lab.run(&["set", "concurrency=1"])
        .code(0)
        .prints("concurrency: 2 → 1, from the next attempt on: upstream's CLI has read it");
    lab.run(&["cancel", RUN, "lighthouse_task/7/f1_f2"])
        .code(2)
        .says("a pair cannot be ended alone");
    lab.run(&["pause", RUN])
        .code(0)
        .prints("the attempt ends with it: upstream's CLI cannot wait");
    lab.fault("");
    lab.wait_for_events(RUN, "attempt_ended", 1);
    let ended = &lab.place.events(RUN, "attempt_ended")[0];
    assert_eq!(ended["end"], "stopped: paused");
    let finished = lab.place.events(RUN, "trial_ended").len();
    assert!((2..6).contains(&finished), "{finished}");
    lab.run(&["resume"]).code(0);
    run.wait().code(0);
    let begun = lab.place.events(RUN, "attempt_started");
    let tries: Vec<_> = begun.iter().map(|it| it["nth"].clone()).collect();
    assert_eq!(tries, [1, 1]);
    let ledger = lab.place.lines(RUN, "ledger");
    assert_eq!(ledger.len(), 6, "{ledger:#?}");
    assert!(lab.left_over(RUN).is_empty());
}

#[test]
#[ignore = "needs Docker and cooperbench 0.0.29: just e2e"]
fn a_paused_run_goes_on_in_another_attempt_on_v29() {
    paused(Version::V29);
}
