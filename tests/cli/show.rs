//! `show`: a trial as text, whoever wrote its files.

use regex::Regex;
use serde_json::{Value, json};

use crate::masks::masked;
use crate::support::terminal::Terminal;
use crate::support::{Place, Ran};

/// The demo's first pair, in two settings.
fn demo() -> Place {
    let place = Place::new();
    for setting in ["solo", "coop-comm"] {
        let args = ["run", "--profile", "demo", "--no-progress", "--smoke", "1"];
        let mut command =
            place.beside_an_empty_daemon(&[&args[..], &["--setting", setting]].concat());
        command.env("REGATTA_AFTER_RUN", "false");
        Ran::of(&command.output().unwrap()).code(0);
    }
    place
}

/// What is shown, with one word for what another time or machine has other.
fn timeless(place: &Place, text: &str) -> String {
    let mut text = masked(place, text);
    for (what, word) in [
        (r"<time>, [0-9hms ]+", "<time>"),
        (r"\+\d+(\.\d+)?(s|ms)\b", "+<time>"),
        (r"trial [0-9a-f]{8}", "trial <id>"),
        (r"(?m)^  └ [0-9.ms ]+\n", ""),
        (r"waited \S+", "waited <time>"),
        (r"\b[0-9a-f]{7} The base", "<commit> The base"),
    ] {
        text = Regex::new(what)
            .unwrap()
            .replace_all(&text, word)
            .into_owned();
    }
    text
}

/// A trial of two agents, as upstream's own CLI leaves it, with texts that are not ours.
fn foreign() -> Place {
    let place = Place::new();
    let dir = "logs/wren-coop-comm/coop/roof_task/1/f3_f5";
    let agent = |feature: u64, status: &str| json!({"feature_id": feature, "status": status, "cost": 0.5, "steps": 1});
    place.write(
        &format!("{dir}/result.json"),
        json!({"repo": "roof_task", "task_id": 1, "features": [3, 5], "setting": "coop", "run_id": "mole0001",
            "agent_framework": "mini_swe_agent_v2", "model": "owl", "started_at": "2026-03-02T10:00:00",
            "ended_at": "2026-03-02T10:10:00", "messages_sent": 1,
            "agents": {"agent1": agent(3, "Submitted"), "agent2": agent(5, "LimitsExceeded")}})
        .to_string(),
    );
    let said = |content: &str, command: &str| json!({"role": "assistant", "content": content, "extra": {"actions": [{"command": command, "tool_call_id": "a"}]}});
    let seen = |output: &str| json!({"role": "tool", "tool_call_id": "a", "content": output, "extra": {"raw_output": output, "returncode": 1}});
    let many: Vec<String> = (1..=40).map(|n| format!("nest {n}")).collect();
    let traj = |messages: Value| json!({"messages": messages}).to_string();
    place.write(
        &format!("{dir}/agent3_traj.json"),
        traj(json!([
            {"role": "user", "content": "Mend it."},
            said("I look.\u{1b}]0;mine\u{7}\u{202e}", "ls"),
            seen(&many.join("\n")),
            said("I tell.", "send_message agent2 'Mine is the roof.'"),
            seen("\u{1b}[31mRED\u{1b}[0m export OWL_TOKEN=abcdefgh1234"),
        ])),
    );
    place.write(
        &format!("{dir}/agent5_traj.json"),
        "{\"messages\": [{\"role\": \"assistant\", \"content\": \"Half.\"}, {\"rol",
    );
    place.write(
        &format!("{dir}/conversation.json"),
        json!([{"from": "agent1", "to": "agent2", "message": "Mine is the roof.", "timestamp": null}]).to_string(),
    );
    place.write(
        &format!("{dir}/agent3.patch"),
        "--- a/roof\n+++ b/roof\n@@ -1 +1 @@\n-hole\n+shingle\n",
    );
    let suite = |passed: bool, output: &str| json!({"passed": passed, "test_output": output, "tests_passed": 1, "tests_failed": 1});
    place.write(
        &format!("{dir}/eval.json"),
        json!({"merge": {"status": "clean"}, "feature1": suite(true, "PASSED tests/roof.py::test_dry"),
            "feature2": suite(false, "FAILED tests/nest.py::test_warm - cold\nit is cold"), "both_passed": false, "error": null})
        .to_string(),
    );
    place
}

fn shown(place: &Place, args: &[&str]) -> Ran {
    place.run(&[&["show", "roof/1/f3_f5", "--logs-dir", "logs"], args].concat())
}

#[test]
fn a_trial_of_the_demo_is_told_turn_by_turn() {
    let place = demo();
    let solo = place.run(&["show", "ferry/1/f1_f2", "demo-solo"]).code(0);
    insta::assert_snapshot!(timeless(&place, &solo.stdout));
    // Which turn reads a message is not decided, nor who is the first to send one.
    place
        .run(&["show", "ferry/1/f1_f2", "demo-coop-comm"])
        .code(0)
        .prints("  → sent to agent");
}

#[test]
fn a_pair_in_several_runs_is_listed_with_what_came_out() {
    let place = demo();
    let ran = place.run(&["show", "ferry/1/f1_*"]).code(0);
    insta::assert_snapshot!(ran.stdout);
    ran.says("one of them: `regatta show ferry_task/1/f1_f2 demo-solo`");
    place
        .run(&["show", "ferry/1/f1_f2", "demo-solo"])
        .code(0)
        .prints("demo-solo");
}

#[test]
fn texts_of_others_are_folded_cleaned_and_without_keys() {
    let place = foreign();
    let ran = shown(&place, &[]).code(0);
    let text = &ran.stdout;
    assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
    assert!(text.contains("RED export OWL_TOKEN=****"), "{text}");
    assert!(
        text.contains("… 28 more lines") && !text.contains("nest 20\n"),
        "{text}"
    );
    assert!(
        text.contains("not read: agent2: agent5_traj.json ends too early"),
        "{text}"
    );
    let ran = shown(&place, &["--full"]).code(0);
    ran.prints("nest 20\n").prints("read");
}

#[test]
fn parts_are_shown_alone() {
    let place = foreign();
    let ran = shown(&place, &["--messages", "--tests", "--diff"]).code(0);
    insta::assert_snapshot!(masked(&place, &ran.stdout));
    let ran = shown(&place, &["--messages"]).code(0);
    assert!(!ran.stdout.contains("shingle"), "{}", ran.stdout);
}

#[test]
fn a_pair_that_is_none_is_answered_with_those_that_are_near() {
    let place = foreign();
    place.write(
        "logs/wren-coop-comm/coop/roof_task/1/f3_f7/conversation.json",
        "[]",
    );
    let show = |word: &str| place.run(&["show", word, "--logs-dir", "logs"]);
    show("roof/1/f3_f6")
        .code(2)
        .says("did you mean `roof_task/1/f3_f5`?");
    show("kiln/77/f1_f2")
        .code(2)
        .says("no trial of `kiln/77/f1_f2`")
        .says("report --format csv");
    show("roof/*/f3_*")
        .code(2)
        .says("fits 2 pairs")
        .says("roof_task/1/f3_f5, roof_task/1/f3_f7");
    show("roof/1")
        .code(2)
        .says("a pair is written REPO/TASK/fI_fJ");
    show("roof/1/f3_f7")
        .code(0)
        .prints("there is no result.json");
    place
        .run(&[
            "show",
            "roof/1/f3_f5",
            "wren-coop-com",
            "--logs-dir",
            "logs",
        ])
        .code(2)
        .says("did you mean `wren-coop-comm`?");
}

#[test]
fn on_a_terminal_lines_fit_and_a_pager_shows_what_is_longer_than_it() {
    let place = foreign();
    let args = ["show", "roof/1/f3_f5", "--logs-dir", "logs"];
    let pager = place.write_program("pager", "#!/bin/sh\necho \"paged by $1\"\nexec cat\n");
    let on = |rows: u16, pager: &str| {
        let mut command = place.regatta(&args);
        command.env("PAGER", pager).env("TERM", "xterm");
        let (code, _, written) = Terminal::start(&place, &command, 80, rows).end();
        assert_eq!(code, Some(0), "{written}");
        written.replace('\r', "")
    };
    let named = format!("{} me", pager.display());
    let shown = on(24, &named);
    assert!(
        shown.contains("paged by me") && shown.contains("\u{1b}["),
        "{shown}"
    );
    assert!(!on(500, &named).contains("paged by me"));
    // A pager that leaves early, one that is not there, and none.
    for other in ["true", "nothing-of-that-name", ""] {
        let written = on(24, other);
        assert_eq!(
            written.contains("I look."),
            other != "true",
            "{other}: {written}"
        );
    }
    let plain = Regex::new("\u{1b}\\[[0-9;]*m")
        .unwrap()
        .replace_all(&shown, "")
        .into_owned();
    for line in plain.lines().filter(|line| !line.contains("/logs/")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}
