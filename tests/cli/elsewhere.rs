//! A run whose driver is on another host, and whose trials are run by workers on other nodes.

use std::sync::atomic::{AtomicBool, Ordering};

use regatta::runner::Wheel;
use regatta::store::lease::{ClaimKey, Claims, Holder, Took};
use regatta::store::wheel::{AskBox, Laid};
use regatta::store::{LogTree, RunDir};
use serde_json::{Value, json};

use crate::schema::assert_valid;
use crate::support::live::Live;
use crate::support::{Place, Ran};

const TREE: [&str; 2] = ["--cooperbench-dir", "cb"];
const ONE: &str = "harbor_task/1/f1_f2";
const TWO: &str = "harbor_task/1/f1_f3";

struct Cluster {
    place: Place,
    run: RunDir,
}

impl Cluster {
    /// A run whose first trial goes on at n1, and whose second was lost with n2.
    fn new() -> Self {
        let place = Place::new();
        let own = "cb/logs/c-solo/regatta";
        let pair = |second| json!({"repo": "harbor_task", "task_id": 1, "features": [1, second]});
        let manifest = json!({"run": "c-solo", "setting": "solo", "engine": "native",
            "engine_version": null, "agent": "regatta", "model": "openai/gpt-4o",
            "backend": "namespace", "api_base": null, "agent_config": null, "subset": "lite",
            "subset_digest": "", "pairs": [pair(2), pair(3)], "prices": "regatta",
            "regatta": "0", "concurrency": 2, "created_at": "2026-11-25T12:00:00Z"});
        place.write(&format!("{own}/manifest.json"), manifest.to_string());
        let why = "its node n2 failed";
        let started = |worker: &str, node: &str, job: &str| {
            json!({"event": "worker_started", "worker": worker, "node": node, "job": job,
                "at_once": 1})
        };
        let events = [
            json!({"event": "run_started", "run": "c-solo", "setting": "solo", "pairs": 2,
                "finished": 0, "submitted": 0, "to_run": 2, "version": "0"}),
            json!({"event": "attempt_started", "attempt": 1, "pairs": [ONE, TWO]}),
            started("a", "n1", "12_0"),
            started("b", "n2", "12_1"),
            started("c", "n1", "12_2"),
            json!({"event": "trial_started", "pair": ONE}),
            json!({"event": "trial_placed", "pair": ONE, "worker": "a"}),
            json!({"event": "trial_started", "pair": TWO}),
            json!({"event": "trial_placed", "pair": TWO, "worker": "b"}),
            json!({"event": "trial_lost", "pair": TWO, "rule": "connection", "why": why}),
            json!({"event": "trial_cut_off", "attempt": 1, "pair": TWO, "why": why,
                "cost": 0.25, "usage_unknown": true}),
            json!({"event": "worker_ended", "worker": "b", "node": "n2", "why": why}),
        ];
        let lines = events.into_iter().map(|mut event| {
            event["at"] = json!("2026-11-25T12:00:00Z");
            format!("{event}\n")
        });
        place.write(&format!("{own}/events.jsonl"), lines.collect::<String>());
        let lost = json!({"trial": "cut-off-1", "setting": "solo", "repo": "harbor_task",
            "task_id": 1, "features": [1, 3], "attempt": 1, "status": "CutOff", "agents": [],
            "diagnosis": {"cause": "infra", "evidence":
                {"rule": "connection", "source": "regatta", "text": why}},
            "void": true, "cost": 0.25, "usage_unknown": true, "usage": null,
            "started_at": null, "duration_seconds": null, "recorded_at": "2026-11-25T12:00:00Z"});
        place.write(&format!("{own}/ledger.jsonl"), format!("{lost}\n"));
        let head = json!({"agent_id": "solo", "model": "m", "run_id": "x",
            "started_at": "2026-11-25T12:00:00Z"});
        let said = json!({"role": "assistant", "content": "The harbor is deep."});
        let of_worker = format!("{own}/cluster/workers/a/c-solo/solo/{ONE}");
        let trajectory = format!("{of_worker}/regatta/x/solo_traj.jsonl");
        place.write(&trajectory, format!("{head}\n{said}\n"));
        let run = LogTree::at(place.join("cb/logs")).run(&"c-solo".parse().unwrap());
        let driver = Holder {
            host: "n9".to_owned(),
            pid: 4711,
            ..Holder::this(None, 0)
        };
        let taken = Claims::of(&run).take(&ClaimKey::Driver, &driver).unwrap();
        assert!(matches!(taken, Took::Ours(_)));
        Self { place, run }
    }

    fn regatta(&self, args: &[&str]) -> Ran {
        self.place.run(&[args, &TREE[..]].concat())
    }
}

#[test]
fn status_and_report_tell_of_workers_by_node_and_of_what_was_lost_with_one() {
    let cluster = Cluster::new();
    let status = cluster.regatta(&["status"]).code(0);
    status
        .prints("c-solo: running, by process 4711 on n9 (another host), attempt 1\n")
        .prints("\n  2 workers on n1: 1 trial\n")
        .prints(&format!("\n    {ONE}  n1  "));
    let status = cluster.regatta(&["status", "--json"]).code(0).stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_valid("status.json", &status);
    let run = &status["runs"][0];
    assert_eq!(
        (&run["holder"], &run["is_running"]),
        (&json!("process 4711 on n9 (another host)"), &json!(true))
    );
    assert_eq!(
        run["workers"],
        json!([
            {"worker": "a", "node": "n1", "job": "12_0", "at_once": 1, "pairs": [ONE]},
            {"worker": "c", "node": "n1", "job": "12_2", "at_once": 1, "pairs": []},
        ])
    );
    assert_eq!(run["trials"][0]["node"], "n1");
    cluster
        .regatta(&["report"])
        .code(0)
        .prints("missing · connection · 1 pair, to run again\n    its node n2 failed\n");
    cluster
        .regatta(&["triage", "--explain", "--dry-run"])
        .code(0)
        .prints(&format!("{ONE}: it is running"))
        .prints("its node n2 failed");
}

#[test]
fn the_live_page_shows_the_workers_and_the_turns_of_what_they_run() {
    let cluster = Cluster::new();
    let view = [&["view", "--port", "0"], &TREE[..]].concat();
    let live = Live::of(cluster.place.regatta(&view));
    let index = live.index();
    assert_eq!(index["runs"][0]["workers"], "2 workers on n1: 1 trial");
    let trials = index["trials"].as_array().unwrap();
    let running: Vec<_> = trials
        .iter()
        .filter(|it| it["is_running"] == true)
        .collect();
    let [trial] = running[..] else {
        panic!("{index}")
    };
    assert_eq!(trial["node"], "n1");
    let (status, body) = live.get(&format!("trial/c-solo/{ONE}"));
    assert_eq!(status, 200);
    assert!(body.contains("The harbor is deep."), "{body}");
}

#[test]
fn a_driver_on_another_host_is_asked_by_files() {
    let cluster = Cluster::new();
    let ask = |args: &[&str]| cluster.regatta(args);
    ask(&["pause"])
        .code(3)
        .says("`c-solo` goes on under process 4711 on n9, which does not look for requests");
    let mut asks = AskBox::open(&cluster.run).unwrap();
    let (wheel, is_over) = (Wheel::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                for (id, laid) in asks.take() {
                    let Laid::Request(request) = laid else {
                        panic!("{laid:?}")
                    };
                    asks.answer(id, &wheel.ask(&request)).unwrap();
                }
                std::thread::yield_now();
            }
        });
        let paused = ask(&["pause", "--json"]);
        let again = ask(&["pause", "c-solo"]);
        let refused = ask(&["cancel", ONE]);
        is_over.store(true, Ordering::Relaxed);
        let paused = paused
            .code(0)
            .says("process 4711 on n9 is asked by a file, which takes some seconds");
        let answer: Value = serde_json::from_str(&paused.stdout).unwrap();
        assert_valid("answer.json", &answer);
        assert_eq!(answer["state"], "paused");
        again.code(0).prints("it is paused already, by ");
        refused.code(2).says("no run of this command has begun yet");
    });
}
