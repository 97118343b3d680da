//! Trials of every kind on disk.

use serde_json::json;

use super::*;
use crate::bench::TaskKey;
use crate::store::LogTree;
use crate::view::PageMask;
use crate::view::trial::{ActionKind, Producer, TurnPlace};

/// A pair's directory with files in it, read as a trial.
struct Nest {
    dir: tempfile::TempDir,
    tree: Tree,
}

impl Nest {
    fn new(tree: Tree) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir, tree }
    }

    fn run(&self) -> RunDir {
        LogTree::at(self.dir.path()).run(&"wren".parse().unwrap())
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.run().pair(self.tree, &pair()).path().join(name);
        files::create_dir(path.parent().unwrap()).unwrap();
        files::write_atomic(&path, text.as_ref()).unwrap();
        self
    }

    fn read(&self) -> Trial {
        let key = ("OWL_API_KEY".to_owned(), "sk-owl-123456".to_owned());
        let mut trial = read(&self.run(), self.tree, &pair());
        trial.hide(&PageMask::of([key]));
        trial
    }
}

fn pair() -> Pair {
    Pair::new(TaskKey::new("roof_task", 1), 3, 5)
}

fn result(framework: &str) -> String {
    json!({"run_id": "mole", "agent_framework": framework, "model": "m", "setting": "coop",
        "started_at": "2026-03-02T10:00:00", "ended_at": "2026-03-02T10:10:00",
        "agents": {"agent2": {"feature_id": 5, "status": "LimitsExceeded", "cost": 0.5, "steps": 1},
            "agent1": {"feature_id": 3, "status": "Submitted", "cost": 0.25, "steps": 2}}})
    .to_string()
}

fn said(text: &str, at: f64) -> Value {
    json!({"role": "assistant", "content": text, "extra": {"timestamp": at,
        "actions": [{"command": "send_message agent2 'Mine is the roof.'"}]}})
}

#[test]
fn agents_are_lanes_by_feature_with_their_files_and_messages() {
    let nest = Nest::new(Tree::Coop);
    let began = 1_772_445_600.0;
    nest.write("result.json", result("mini_swe_agent_v2"))
        .write(
            "agent3_traj.json",
            json!({"messages": [said("It is sk-owl-123456.", began + 5.0)]}).to_string(),
        )
        .write(
            "agent5_traj.json",
            json!({"messages": [{"role": "user", "content": "Mend it."}, said("One.", began),
                {"role": "user", "content": "[Message from agent1]: Mine is the roof."},
                {"role": "exit", "content": "LimitsExceeded", "extra": {"exit_status": "LimitsExceeded"}}]})
            .to_string(),
        )
        .write("agent3.patch", "diff")
        .write("agent1_stream.log", "x")
        .write("eval.json", "{}")
        .write(
            "conversation.json",
            json!([{"from": "agent1", "to": "agent2", "message": "Mine is the roof.", "timestamp": null}]).to_string(),
        );
    let trial = nest.read();
    assert!(trial.untold.is_empty(), "{:?}", trial.untold);
    let [one, two] = &trial.agents[..] else {
        panic!("{trial:?}")
    };
    assert_eq!(
        (one.id.as_str(), one.feature, one.cost),
        ("agent1", Some(3), Some(0.25))
    );
    assert_eq!(one.turns[0].thought, "It is ****.");
    assert_eq!(one.patch.as_ref().map(|file| file.bytes), Some(4));
    let names: Vec<_> = one.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["agent3_traj.json", "agent1_stream.log"]);
    assert_eq!(
        (two.status.as_deref(), two.end.as_deref()),
        (Some("LimitsExceeded"), Some("LimitsExceeded"))
    );
    let message = &trial.messages[0];
    assert_eq!(
        (message.sent_turn, message.read_turn),
        (Some(TurnPlace(0, 0)), Some(TurnPlace(1, 1)))
    );
    let names: Vec<_> = trial.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["conversation.json", "eval.json", "result.json"]);
    let json = serde_json::to_value(&trial).unwrap();
    assert_eq!(json["messages"][0]["read_turn"], json!([1, 1]));
    assert_eq!(json["agents"][0]["producer"], "mini_swe_agent_v2");
    assert_eq!(
        json["agents"][0]["turns"][0]["actions"][0]["kind"],
        "message"
    );
}

#[test]
fn a_session_tells_more_than_what_upstream_made_of_it() {
    let nest = Nest::new(Tree::Coop);
    let of = |second: u32, text: &str, is_sub: bool| {
        json!({"type": "assistant", "timestamp": format!("2026-03-02T04:00:{second:02}Z"), "isSidechain": is_sub,
            "message": {"id": text, "content": [{"type": "text", "text": text}]}})
        .to_string()
    };
    let flat = json!({"messages": [{"role": "assistant", "content": "Flat."}]}).to_string();
    nest.write("result.json", result("claude_code"))
        .write("agent3_traj.json", &flat)
        .write("agent5_traj.json", &flat)
        .write(
            "agent1_session.jsonl",
            of(1, "Whole.", false) + "\n" + &of(9, "Two.", false),
        )
        // A sub-agent's in the place of the agent's, and a stream that was cut off.
        .write("agent2_session.jsonl", of(1, "A helper's.", true))
        .write(
            "agent2_stream.jsonl",
            of(2, "Its own.", false) + "\n{\"type\": \"assis",
        );
    let trial = nest.read();
    let [one, two] = &trial.agents[..] else {
        panic!("{trial:?}")
    };
    assert_eq!(one.producer, Producer::ClaudeCode);
    assert_eq!(one.turns[0].thought, "Whole.");
    assert_eq!(one.told_by.as_ref().unwrap().name, "agent1_session.jsonl");
    assert_eq!(two.turns[0].thought, "Its own.");
    assert_eq!(two.turns[1].raw.as_deref(), Some("{\"type\": \"assis"));
    assert!(
        two.untold[0].contains("the last one ends too early"),
        "{:?}",
        two.untold
    );
    // The result's times are of another zone, which the turns' tell.
    assert_eq!(trial.started_at, Some(1_772_424_000.0));
}

#[test]
fn files_of_a_trial_that_was_set_aside_are_no_part_of_this_one() {
    let nest = Nest::new(Tree::Coop);
    let old =
        json!({"type": "assistant", "message": {"id": "a", "content": "Of old."}}).to_string();
    let flat = json!({"messages": [{"role": "assistant", "content": "Of now."}]}).to_string();
    nest.write("result.json", result("claude_code"))
        .write("agent3_traj.json", &flat)
        .write("agent1_session.jsonl", &old)
        .write(
            "regatta/owl/result.json",
            result("claude_code").replace("mole", "owl"),
        )
        .write("regatta/owl/agent1_session.jsonl", &old);
    let trial = nest.read();
    assert_eq!(trial.agents[0].turns[0].thought, "Of now.");
    assert_eq!(trial.agents[1].untold, ["there is no agent5_traj.json"]);
}

#[test]
fn a_trial_that_runs_has_what_is_written_so_far() {
    let nest = Nest::new(Tree::Solo);
    let head = |at: &str| {
        json!({"agent_id": "solo", "model": "m", "run_id": "x", "started_at": at}).to_string()
    };
    let said = json!({"role": "assistant", "content": "So.", "extra": {"actions": [{"command": "git pull"}]}});
    nest.write("regatta/old1/solo_traj.jsonl", head("2026-03-02T09:00:00Z"))
        .write(
            "regatta/now1/solo_traj.jsonl",
            format!("{}\n{said}\n{{\"role\":", head("2026-03-02T10:00:00Z")),
        );
    let trial = nest.read();
    assert_eq!(
        (trial.trial.as_deref(), trial.is_unended),
        (Some("now1"), true)
    );
    let lane = &trial.agents[0];
    assert_eq!(
        (lane.producer, lane.model.as_deref()),
        (Producer::Regatta, Some("m"))
    );
    assert_eq!(lane.turns[0].actions[0].kind, ActionKind::Fetch);
    assert_eq!(lane.untold.len(), 1);
}

#[test]
fn a_trial_that_a_worker_runs_is_read_from_its_tree() {
    let nest = Nest::new(Tree::Solo);
    let head = |run_id: &str, at: &str| {
        let head = json!({"agent_id": "solo", "model": "m", "run_id": run_id, "started_at": at});
        format!("{head}\n")
    };
    let of_worker = |id: &str, name: &str, text: &str| {
        let run = LogTree::at(nest.run().workers().join(id)).run(nest.run().name());
        let path = run.pair(Tree::Solo, &pair()).path().join(name);
        files::create_dir(path.parent().unwrap()).unwrap();
        files::write_atomic(&path, text.as_bytes()).unwrap();
    };
    let unended = || nest.read().trial;
    of_worker(
        "w1",
        "regatta/one/solo_traj.jsonl",
        &head("one", "2026-03-02T09:00:00Z"),
    );
    assert_eq!(unended().as_deref(), Some("one"));
    of_worker(
        "w2",
        "regatta/two/solo_traj.jsonl",
        &head("two", "2026-03-02T10:00:00Z"),
    );
    assert_eq!(unended().as_deref(), Some("two"));
    nest.write(
        "regatta/here/solo_traj.jsonl",
        head("here", "2026-03-02T11:00:00Z"),
    );
    assert_eq!(unended().as_deref(), Some("here"));
    // What was moved to where it belongs is all there is.
    nest.write("result.json", result("regatta"));
    assert!(!nest.read().is_unended);
}

#[test]
fn what_cannot_be_read_is_told() {
    let nest = Nest::new(Tree::Coop);
    assert!(nest.read().untold[0].contains("no result.json"));
    nest.write("result.json", "{\"run_id\": ")
        .write(
            "agent3_traj.json",
            b"{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\xff\"}, {\"ro",
        )
        .write("agent5_traj.json", "not json")
        .write(
            "conversation.json",
            "[{\"from\": \"agent1\", \"to\": \"agent2\", \"message\": \"x\"}, 7, ",
        );
    let trial = nest.read();
    assert_eq!(trial.agents[0].turns[0].thought, "a\u{fffd}");
    assert!(trial.agents[0].untold[0].contains("ends too early"));
    assert!(trial.agents[1].untold[0].contains("is no JSON"));
    assert_eq!(trial.messages.len(), 1);
    let told = trial.untold.join("\n");
    for part in [
        "result.json cannot be read",
        "conversation.json ends too early",
        "no messages: 1",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn a_huge_result_and_a_long_line_are_told_and_hold_up_nothing() {
    let nest = Nest::new(Tree::Solo);
    let long = "x".repeat(9_000_000);
    let line =
        json!({"type": "assistant", "message": {"id": "a", "content": "y".repeat(5_000_000)}})
            .to_string();
    nest.write("result.json", " ".repeat(16_000_001))
        .write("solo_session.jsonl", format!("{line}\n{long}\n"));
    let trial = nest.read();
    assert!(
        trial.untold[0].contains("larger than 16 MB"),
        "{:?}",
        trial.untold
    );
    let turns = &trial.agents[0].turns;
    assert!(
        turns[0].thought.contains("bytes are left out here") && turns[0].thought.len() < 1_100_000
    );
    assert!(turns[1].raw.as_ref().unwrap().len() < 1_100_000);
    assert_eq!(trial.agents[0].untold.len(), 1);
}
