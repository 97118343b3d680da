//! Sessions, streams, and what upstream makes of them.

use serde_json::json;

use super::super::super::ActionKind;
use super::*;

fn turns(events: &[Value]) -> Vec<Turn> {
    let (mut claude, mut telling) = (Claude::default(), Telling::default());
    for event in events {
        assert!(claude.take_in(event, &mut telling), "{event}");
    }
    telling.end()
}

fn said(id: &str, second: u32, block: &Value) -> Value {
    json!({"type": "assistant", "timestamp": format!("2026-03-02T10:00:{second:02}Z"),
        "message": {"id": id, "role": "assistant", "content": [block],
            "usage": {"input_tokens": 2, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 8, "output_tokens": 5}}})
}

fn result(id: &str, second: u32, content: &Value, is_error: bool) -> Value {
    json!({"type": "user", "timestamp": format!("2026-03-02T10:00:{second:02}Z"),
        "message": {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": content, "is_error": is_error}]}})
}

#[test]
fn the_blocks_of_one_reply_are_one_turn() {
    let use_of = |id: &str, name: &str, input: Value| json!({"type": "tool_use", "id": id, "name": name, "input": input});
    let turns = turns(&[
        json!({"type": "queue-operation", "operation": "enqueue", "content": "Mend it."}),
        json!({"type": "user", "message": {"role": "user", "content": "Mend it."}}),
        json!({"type": "attachment", "attachment": {"type": "skill_listing", "content": "a very long list"}}),
        json!({"type": "attachment", "attachment": {"type": "task_reminder", "content": []}}),
        said(
            "m1",
            1,
            &json!({"type": "thinking", "thinking": "", "signature": "x"}),
        ),
        said("m1", 2, &json!({"type": "text", "text": "I look."})),
        said(
            "m1",
            3,
            &use_of("t1", "Bash", json!({"command": "git push origin"})),
        ),
        result("t1", 5, &json!("Exit code 3\nno"), true),
        said(
            "m1",
            6,
            &use_of(
                "t2",
                "Edit",
                json!({"file_path": "roof", "old_string": "a\nb\nc", "new_string": "a\nx\nc"}),
            ),
        ),
        result(
            "t2",
            7,
            &json!([{"type": "text", "text": "done"}, {"type": "image"}]),
            false,
        ),
        said("m2", 9, &json!({"type": "text", "text": "Mended."})),
        json!({"type": "result", "subtype": "success", "result": "Mended."}),
    ]);
    assert_eq!(turns.len(), 2);
    let turn = &turns[0];
    let marks: Vec<_> = turn.marks.iter().map(|mark| mark.text.as_str()).collect();
    assert_eq!(marks, ["Mend it.", "[skill_listing: 53 bytes, not shown]"]);
    assert_eq!(
        (turn.thought.as_str(), turn.at),
        ("I look.", Some(1_772_445_601.0))
    );
    assert_eq!(
        (turn.tokens_in, turn.tokens_cached, turn.tokens_out),
        (Some(100), Some(90), Some(5))
    );
    let [push, edit] = &turn.actions[..] else {
        panic!("{turn:?}")
    };
    assert_eq!(
        (push.kind, push.code, push.took),
        (ActionKind::Push, Some(3), Some(2.0))
    );
    assert_eq!((edit.kind, edit.failed), (ActionKind::Edit, Some(false)));
    assert_eq!(edit.text, "--- roof\n+++ roof\n@@\n a\n-b\n+x\n c");
    assert_eq!(edit.output.as_deref(), Some("done\n[an image]"));
}

#[test]
fn what_is_not_understood_is_raw_and_what_ends_it_is_told() {
    use MarkKind::{Compaction, End, Notice};
    let turns = turns(&[
        said("m1", 1, &json!({"type": "hologram", "beam": 1})),
        result("none", 2, &json!("lost"), false),
        json!({"type": "system", "subtype": "compact_boundary"}),
        json!({"type": "user", "isCompactSummary": true, "message": {"role": "user", "content": "So far: a roof."}}),
        json!({"type": "system", "subtype": "api_retry", "error": "overloaded", "error_status": 529, "retry_delay_ms": 1500}),
        json!({"type": "result", "subtype": "success", "is_error": true, "result": "Not logged in"}),
    ]);
    assert_eq!(
        turns[0].raw.as_deref(),
        Some(r#"{"beam":1,"type":"hologram"}"#)
    );
    assert!(turns[1].raw.as_deref().unwrap().contains("lost"));
    let kinds: Vec<_> = turns[2].marks.iter().map(|mark| mark.kind).collect();
    assert_eq!(kinds, [Compaction, Compaction, Notice, End]);
    assert!(
        turns[2].marks[2]
            .text
            .contains("overloaded (529); tried again after 1.5 s")
    );
    let mut telling = Telling::default();
    assert!(!Claude::default().take_in(&json!({"type": "turn.started"}), &mut telling));
}

#[test]
fn a_sub_agents_turns_are_set_off() {
    let mut sub = said("m2", 2, &json!({"type": "text", "text": "I help."}));
    sub["isSidechain"] = json!(true);
    let turns = turns(&[
        said("m1", 1, &json!({"type": "text", "text": "Help."})),
        sub,
        said("m3", 3, &json!({"type": "text", "text": "Thanks."})),
    ]);
    let marks: Vec<_> = turns.iter().map(|turn| turn.marks.len()).collect();
    assert_eq!(marks, [0, 1, 1]);
}

#[test]
fn texts_alone_are_read_too() {
    let of = |role: &str, content: &str| json!({"role": role, "content": content});
    let mut telling = Telling::default();
    tell_flat(
        &[
            of("user", "Mend it."),
            of("assistant", ""),
            of("assistant", "[tool_use Bash] {\"command\": \"ls\"}"),
            of("assistant", "[tool_use Read] {\"file_path\": \"roof\"}"),
            of("user", "[tool_result] nest"),
            of("user", "[tool_result] shingles"),
            of("assistant", "Mended."),
            of("assistant", "[tool_use Bash] {\"comm"),
        ],
        &mut telling,
    );
    let turns = telling.end();
    assert_eq!(turns.len(), 3);
    let outputs: Vec<_> = turns[0]
        .actions
        .iter()
        .map(|it| it.output.as_deref())
        .collect();
    assert_eq!(outputs, [Some("nest"), Some("shingles")]);
    assert_eq!(turns[1].thought, "Mended.");
    assert!(turns[2].raw.is_some());
}
