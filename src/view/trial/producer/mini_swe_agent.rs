//! mini-swe-agent 1, in upstream until 0.0.11: one command in a fenced block of each reply, and its
//! result as the next message of the user.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::super::MarkKind;
use super::super::telling::Telling;
use super::super::words::{seconds, text_of};
use super::{chat, fenced};

static RESULT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?s)^\s*<returncode>(-?\d+)</returncode>\s*(.*)$").expect("tested")
});

static OUTPUT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?s)^<output>\n?(.*?)\n?</output>\s*$").expect("tested"));

/// How it tells that a command was ended.
const TIMED_OUT: &str = "The last command <command>";

/// Reads the messages of a trajectory, in order.
pub fn tell(messages: &[Value], telling: &mut Telling) {
    let last = messages.len().saturating_sub(1);
    for (place, message) in messages.iter().enumerate() {
        let text = text_of(&message["content"]);
        match (message["role"].as_str(), text) {
            (Some("user"), Some(text)) => {
                let at = seconds(&message["timestamp"]);
                told(text, at, place == last, telling);
            }
            (Some("assistant"), _) => {
                chat::tell(std::slice::from_ref(message), telling);
                fenced::ensure_action(telling);
            }
            _ => chat::tell(std::slice::from_ref(message), telling),
        }
    }
}

fn told(text: &str, at: Option<f64>, is_last: bool, telling: &mut Telling) {
    if let Some(found) = RESULT.captures(text)
        && let Some(action) = telling.waiting()
    {
        let shown = &found[2];
        let output = OUTPUT
            .captures(shown)
            .map_or(shown, |it| it.get(1).map_or("", |it| it.as_str()));
        action.ended(output, at);
        action.code = found[1].parse().ok();
        return;
    }
    if text.starts_with(TIMED_OUT)
        && let Some(action) = telling.waiting()
    {
        action.ended(text, at);
        action.failed = Some(true);
        return;
    }
    let is_delivered = text.starts_with("[Message from ");
    // What ends it is told last: a submission in full, or a limit by its name.
    let kind = if is_last && !is_delivered && telling.count() > 0 {
        MarkKind::End
    } else {
        chat::said_by_user(text, telling)
    };
    telling.mark(kind, text, at);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::ActionKind;
    use super::*;

    #[test]
    fn a_command_has_the_message_after_it_as_its_output() {
        let messages = [
            json!({"role": "system", "content": "You mend birdhouses."}),
            json!({"role": "user", "content": "Mend the roof.", "timestamp": 1_700_000_000.0}),
            json!({"role": "assistant", "content": "I look.\n\n```bash\nls roof\n```", "timestamp": 1_700_000_002.0,
                "extra": {"response": {"usage": {"prompt_tokens": 30, "completion_tokens": 4}}}}),
            json!({"role": "user", "content": "<returncode>2</returncode>\n<output>\nno roof\n</output>", "timestamp": 1_700_000_003.5}),
            json!({"role": "user", "content": "[Message from agent2]: I have it."}),
            json!({"role": "assistant", "content": "Two.\n```bash\na\n```\n```bash\nb\n```"}),
            json!({"role": "user", "content": "Please always give one action."}),
            json!({"role": "assistant", "content": "```bash\nsleep 900\n```"}),
            json!({"role": "user", "content": "The last command <command>sleep 900</command> timed out."}),
            json!({"role": "assistant", "content": "```bash\necho COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT\n```"}),
            json!({"role": "user", "content": "diff --git a/roof b/roof"}),
        ];
        let mut telling = Telling::default();
        tell(&messages, &mut telling);
        let turns = telling.end();
        assert_eq!(turns.len(), 5);
        let kinds: Vec<_> = turns[0].marks.iter().map(|mark| mark.kind).collect();
        assert_eq!(kinds, [MarkKind::System, MarkKind::User]);
        assert_eq!(
            (turns[0].thought.as_str(), turns[0].tokens_in),
            ("I look.", Some(30))
        );
        let look = &turns[0].actions[0];
        assert_eq!(
            (look.text.as_str(), look.code, look.took),
            ("ls roof", Some(2), Some(1.5))
        );
        assert_eq!(look.output.as_deref(), Some("no roof"));
        assert_eq!(turns[1].marks[0].kind, MarkKind::Delivered);
        assert!(turns[1].actions.is_empty());
        assert_eq!(turns[2].marks[0].kind, MarkKind::Notice);
        assert_eq!(turns[2].actions[0].failed, Some(true));
        assert_eq!(turns[3].actions[0].kind, ActionKind::Submit);
        assert_eq!(turns[4].marks[0].kind, MarkKind::End);
    }
}
