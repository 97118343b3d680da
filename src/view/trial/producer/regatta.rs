//! Our own engine: upstream's fields, and a running trajectory of lines while a trial runs.

use serde_json::Value;

use super::super::telling::Telling;
use super::super::words::text_of;
use super::chat;

/// What the first line of a running trajectory tells.
#[derive(Clone, Debug, Default)]
pub struct RunningHead {
    /// The model's name.
    pub model: Option<String>,
    /// When the trial began.
    pub started_at: Option<f64>,
}

/// Reads the messages of a trajectory, in order.
pub fn tell(messages: &[Value], telling: &mut Telling) {
    chat::tell(messages, telling);
}

/// What the first line of a running trajectory tells, where it is one.
pub fn head(line: &Value) -> Option<RunningHead> {
    let is_head = line["role"].is_null() && line["agent_id"].is_string();
    let text = |name: &str| text_of(&line[name]).map(str::to_owned);
    is_head.then(|| RunningHead {
        model: text("model"),
        started_at: super::super::words::seconds(&line["started_at"]),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::MarkKind;
    use super::*;

    #[test]
    fn a_fenced_command_is_one_where_something_answers_it() {
        let messages = [
            json!({"role": "user", "content": "Mend it."}),
            json!({"role": "assistant", "content": "So:\n```bash\nls\n```", "extra": {"actions": []}}),
            json!({"role": "user", "content": "shown", "extra": {"raw_output": "nest", "returncode": 0}}),
            json!({"role": "assistant", "content": "No block.", "extra": {"actions": [], "format_error": true}}),
            json!({"role": "user", "content": "One block, please.", "extra": {"timestamp": 1.0}}),
        ];
        let mut telling = Telling::default();
        tell(&messages, &mut telling);
        let turns = telling.end();
        assert_eq!(turns[0].thought, "So:");
        let action = &turns[0].actions[0];
        assert_eq!(
            (action.text.as_str(), action.output.as_deref()),
            ("ls", Some("nest"))
        );
        assert!(turns[1].actions.is_empty());
        assert_eq!(turns[2].marks[0].kind, MarkKind::Notice);
    }

    #[test]
    fn a_running_trajectory_begins_with_its_head() {
        let line =
            json!({"agent_id": "agent2", "model": "m", "started_at": "2026-03-02T10:00:00Z"});
        let head = head(&line).unwrap();
        assert_eq!(
            (head.model.as_deref(), head.started_at),
            (Some("m"), Some(1_772_445_600.0))
        );
        assert!(super::head(&json!({"role": "user", "content": "x"})).is_none());
    }
}
