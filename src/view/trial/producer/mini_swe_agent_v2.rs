//! mini-swe-agent 2, in upstream from 0.0.12 on. After a compaction, the turns that the summary took
//! the place of stand in a file of their own, segment by segment.

use serde_json::Value;

use super::super::telling::Telling;
use super::chat;

/// How many messages begin each segment again: the system prompt and the task.
const PREFIX: usize = 2;

/// Reads the messages of a trajectory, in order.
pub fn tell(messages: &[Value], telling: &mut Telling) {
    chat::tell(messages, telling);
}

/// The messages of all segments of a `*_full_traj.json`, each once; none where it has no segments.
pub fn whole(full: &Value) -> Option<Vec<Value>> {
    let segments = full["segments"].as_array()?;
    let mut all: Vec<Value> = Vec::new();
    for segment in segments.iter().filter(|it| it["kind"] == "solver") {
        let messages = segment["messages"].as_array()?;
        if all.is_empty() {
            all.clone_from(messages);
            continue;
        }
        let summary = messages.get(PREFIX)?;
        let rest = &messages[PREFIX + 1..];
        // The last turns before the summary are kept, and stand in both.
        let most = rest.len().min(all.len());
        let kept = (0..=most).rev();
        let kept = kept
            .into_iter()
            .find(|count| all[all.len() - count..] == rest[..*count]);
        all.push(summary.clone());
        all.extend_from_slice(&rest[kept.unwrap_or(0)..]);
    }
    (!all.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::{ActionKind, MarkKind};
    use super::*;

    #[test]
    fn calls_have_their_results_by_id_and_one_begins_when_another_ends() {
        let call = |id: &str, command: &str| {
            json!({"id": id, "type": "function", "function": {"name": "bash",
                "arguments": json!({"command": command}).to_string()}})
        };
        let messages = [
            json!({"role": "system", "content": "You mend birdhouses."}),
            json!({"role": "user", "content": "Mend it."}),
            json!({"role": "assistant", "content": "Both.", "tool_calls": [call("a", "ls"), call("b", "git push")],
                "extra": {"timestamp": 1_700_000_000.0, "cost": 0.25, "rate_limited_seconds": 3.0,
                    "response": {"usage": {"prompt_tokens": 9, "completion_tokens": 2}}}}),
            json!({"role": "tool", "tool_call_id": "a", "content": "{}",
                "extra": {"raw_output": "nest\n", "returncode": 0, "timestamp": 1_700_000_001.0}}),
            json!({"role": "tool", "tool_call_id": "b", "content": "{\"returncode\": 1, \"output\": \"no\", \"exception_info\": \"too long\"}",
                "extra": {"timestamp": 1_700_000_004.0}}),
            json!({"role": "exit", "content": "boom", "extra": {"exit_status": "TimeoutError", "exception_str": "boom"}}),
            json!("what is this?"),
        ];
        let mut telling = Telling::default();
        tell(&messages, &mut telling);
        let turns = telling.end();
        let turn = &turns[0];
        assert_eq!(
            (turn.cost, turn.waited, turn.tokens_out),
            (Some(0.25), Some(3.0), Some(2))
        );
        let [list, push] = &turn.actions[..] else {
            panic!("{turn:?}")
        };
        assert_eq!(
            (list.kind, list.code, list.took),
            (ActionKind::Command, Some(0), Some(1.0))
        );
        assert_eq!(
            (push.kind, push.code, push.took),
            (ActionKind::Push, Some(1), Some(3.0))
        );
        assert_eq!(push.output.as_deref(), Some("no\ntoo long"));
        assert_eq!(turns[1].raw.as_deref(), Some("what is this?"));
        let end = &turns[1].marks[0];
        assert_eq!(
            (end.kind, end.text.as_str()),
            (MarkKind::End, "TimeoutError: boom")
        );
    }

    #[test]
    fn segments_are_one_trajectory_with_each_turn_once() {
        let said = |text: &str| json!({"role": "assistant", "content": text});
        let prefix = [
            json!({"role": "system", "content": "s"}),
            json!({"role": "user", "content": "t"}),
        ];
        let summary = json!({"role": "assistant", "content": "so far", "extra": {"summary": true}});
        let first = [&prefix[..], &[said("1"), said("2"), said("3")]].concat();
        let second = [&prefix[..], &[summary, said("2"), said("3"), said("4")]].concat();
        let full = json!({"segments": [{"kind": "solver", "messages": first},
            {"kind": "summarizer", "messages": []}, {"kind": "solver", "messages": second}]});
        let mut telling = Telling::default();
        tell(&whole(&full).unwrap(), &mut telling);
        let turns = telling.end();
        let thoughts: Vec<_> = turns.iter().map(|turn| turn.thought.as_str()).collect();
        assert_eq!(thoughts, ["1", "2", "3", "", "4"]);
        assert_eq!(turns[3].marks[0].kind, MarkKind::Compaction);
    }
}
