//! Upstream's teams: really run, read, judged and reported, and nothing of theirs left behind.

use serde_json::json;

use crate::lab::{Lab, Version, upstream_processes};
use crate::support::wait_until;

const PAIRS: [&str; 2] = ["harbor_task/2/f1_f2", "lighthouse_task/7/f1_f2"];

/// A smoke of so many pairs, in runs of this name: tests beside this one have teams too.
fn team<'a>(name: &'a str, pairs: &'a str) -> Vec<&'a str> {
    let words = ["run", "--setting", "team", "--no-progress"];
    [&words[..], &["--name", name, "--smoke", pairs]].concat()
}

/// The volumes of a run, by their label.
fn volumes(lab: &Lab, run: &str) -> Vec<String> {
    let label = format!("label=regatta.run={run}");
    let found = lab.docker(&["volume", "ls", "-q", "--filter", &label]);
    let names = String::from_utf8(found.stdout).unwrap();
    names.lines().map(str::to_owned).collect()
}

/// The verdict on a pair of the first test's run.
fn eval(pair: &str) -> String {
    format!("cb/logs/crew-team/team/{pair}/eval.json")
}

/// Where upstream was told that its Redis is.
fn redis_port(lab: &Lab) -> String {
    let command = upstream_processes(&lab.place).remove(0);
    let (_, url) = command.split_once("--redis redis://127.0.0.1:").unwrap();
    url.split(' ').next().unwrap().to_owned()
}

/// A volume that upstream made without us, gone with this value.
struct Stranger<'a>(&'a Lab, String);

impl<'a> Stranger<'a> {
    fn new(lab: &'a Lab, run: &str) -> Self {
        let name = format!("cb-team-stranger-to-{run}");
        assert!(lab.docker(&["volume", "create", &name]).status.success());
        Self(lab, name)
    }

    fn is_there(&self) -> bool {
        self.0
            .docker(&["volume", "inspect", &self.1])
            .status
            .success()
    }
}

impl Drop for Stranger<'_> {
    fn drop(&mut self) {
        self.0.docker(&["volume", "rm", &self.1]);
    }
}

#[test]
#[ignore = "needs Docker, Redis and cooperbench 0.0.29: just e2e"]
fn a_team_is_run_read_judged_and_reported() {
    const RUN: &str = "crew-team";
    let lab = Lab::new(Version::V29);
    let stranger = Stranger::new(&lab, RUN);
    lab.hold();
    let team = team("crew", "2");
    let run = lab.start(&[&team[..], &["--eval"]].concat());
    lab.wait_for_requests("lighthouse", 2);
    lab.wait_for_requests("harbor", 2);
    assert_eq!(volumes(&lab, RUN).len(), 2);
    // What agents ask of the task list goes from their containers to Redis.
    let port = redis_port(&lab);
    for container in lab.containers(RUN) {
        let ask = format!(
            "exec 3<>/dev/tcp/host.docker.internal/{port} && printf 'PING\\r\\n' >&3 && head -1 <&3"
        );
        let answer = lab.docker(&["exec", &container, "bash", "-c", &ask]);
        assert!(answer.stdout.starts_with(b"+PONG"), "{answer:?}");
    }
    lab.fault("");
    let ran = run.wait().code(0);
    assert!(!ran.stdout.contains("FAIL"), "{}", ran.stdout);

    for pair in PAIRS {
        let result = lab.result(RUN, "team", pair);
        assert_eq!(result["setting"], "team");
        for agent in ["agent1", "agent2"] {
            assert_eq!(result["agents"][agent]["status"], "Submitted", "{pair}");
        }
        assert_eq!(result["metrics"]["tasks_total"], 2);
    }
    assert_eq!(lab.place.lines(RUN, "ledger").len(), 2);
    assert!(lab.left_over(RUN).is_empty());
    assert_eq!(volumes(&lab, RUN), [""; 0]);
    assert!(stranger.is_there());

    let report = lab.run(&["report", RUN, "--format", "json"]).code(0).stdout;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let run = &report["runs"][0];
    assert_eq!(run["setting"], "team");
    assert_eq!(run["rates"]["judged"]["of"], 2, "{run}");
    assert_eq!(run["team"]["trials"], 2);
    assert_eq!(run["team"]["tasks_total"], 4);
    // The same command again finds nothing to do.
    lab.run(&team).code(0);
    assert_eq!(lab.place.events(RUN, "attempt_started").len(), 1);
    // Upstream's own verdicts are the same.
    let verdicts = || PAIRS.map(|pair| lab.place.json(&eval(pair)));
    let ours = verdicts();
    for pair in PAIRS {
        std::fs::remove_file(lab.place.join(&eval(pair))).unwrap();
    }
    lab.upstream(&["eval", "-n", RUN]);
    for (ours, upstreams) in ours.iter().zip(&verdicts()) {
        for field in [
            "repo",
            "task_id",
            "features",
            "setting",
            "both_passed",
            "error",
        ] {
            assert_eq!(ours[field], upstreams[field], "{field}");
        }
        for feature in ["feature1", "feature2"] {
            assert_eq!(ours[feature]["passed"], upstreams[feature]["passed"]);
        }
        assert_eq!(ours["merge"]["status"], upstreams["merge"]["status"]);
    }
}

#[test]
#[ignore = "needs Docker, Redis and cooperbench 0.0.29: just e2e"]
fn a_team_that_was_killed_leaves_a_volume_that_clean_removes() {
    const RUN: &str = "lost-team";
    let lab = Lab::new(Version::V29);
    let stranger = Stranger::new(&lab, RUN);
    lab.hold();
    let run = lab.start(&team("lost", "2"));
    lab.wait_for_requests("lighthouse", 1);
    let left = volumes(&lab, RUN);
    run.signal("-KILL");
    run.wait();
    wait_until("upstream died with regatta", || {
        upstream_processes(&lab.place).is_empty()
    });
    assert!(!left.is_empty());
    let cleaned = lab.run(&["clean"]).code(0);
    for volume in &left {
        let line = format!("removed volume {volume} (of run {RUN})");
        assert!(cleaned.stdout.contains(&line), "{}", cleaned.stdout);
    }
    assert_eq!(volumes(&lab, RUN), [""; 0]);
    assert!(stranger.is_there());
}

/// What is left out of a team's harness is an argument of upstream's, and another run.
#[test]
#[ignore = "needs Docker, Redis and cooperbench 0.0.29: just e2e"]
fn an_ablation_is_passed_on_and_pinned() {
    const RUN: &str = "bare-team";
    let mut lab = Lab::new(Version::V29);
    let args = "--team-no-scratchpad,--team-no-task-list";
    lab.env.push(("REGATTA_ARGS".to_owned(), args.to_owned()));
    lab.hold();
    let one = team("bare", "1");
    let run = lab.start(&one);
    lab.wait_for_requests("lighthouse", 2);
    assert_eq!(volumes(&lab, RUN), [""; 0]);
    lab.fault("");
    run.wait().code(0);
    let result = lab.result(RUN, "team", PAIRS[1]);
    let features = &result["team_features"];
    assert_eq!(
        (&features["scratchpad"], &features["task_list"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(result["metrics"], json!({}));
    let manifest = lab
        .place
        .json(&format!("cb/logs/{RUN}/regatta/manifest.json"));
    assert_eq!(manifest["args"], json!(args.split(',').collect::<Vec<_>>()));
    lab.env.clear();
    lab.run(&one)
        .code(2)
        .says("args: `--team-no-scratchpad --team-no-task-list` → ``");
}
