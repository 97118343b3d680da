//! The programs whose files tell of an agent's turns, one file each.

pub mod chat;
pub mod claude_code;
mod claude_tool;
pub mod codex;
mod fenced;
pub mod mini_swe_agent;
pub mod mini_swe_agent_v2;
pub mod open_hands;
pub mod regatta;
pub mod swe_agent;

use serde_json::Value;

use super::telling::Telling;
use super::{Producer, Turn};

/// Reads the messages of a trajectory: by the framework that its result names, or by what they are.
pub fn of_messages(messages: &[Value], framework: Option<&str>) -> (Producer, Vec<Turn>) {
    let producer = told_by(messages, framework.unwrap_or_default());
    let mut telling = Telling::default();
    match producer {
        Producer::MiniSweAgent => mini_swe_agent::tell(messages, &mut telling),
        Producer::MiniSweAgentV2 => mini_swe_agent_v2::tell(messages, &mut telling),
        Producer::Regatta => regatta::tell(messages, &mut telling),
        Producer::ClaudeCode => claude_code::tell_flat(messages, &mut telling),
        Producer::Codex => codex::tell_flat(messages, &mut telling),
        Producer::OpenHands => open_hands::tell(messages, &mut telling),
        Producer::SweAgent => swe_agent::tell(messages, &mut telling),
        Producer::Unknown => unknown(messages, &mut telling),
    }
    (producer, telling.end())
}

/// Which program it is. What the messages are made of is believed before a name.
fn told_by(messages: &[Value], framework: &str) -> Producer {
    let is_any = |is: &dyn Fn(&Value) -> bool| messages.iter().any(is);
    let begins = |message: &Value, with: &[&str]| {
        let text = message["content"].as_str().unwrap_or_default();
        with.iter().any(|begin| text.starts_with(begin))
    };
    if is_any(&|message| message["event_type"].is_string()) {
        Producer::OpenHands
    } else if framework == crate::store::result::FRAMEWORK {
        Producer::Regatta
    } else if is_any(&|it| it["tool_calls"].is_array() || it["extra"]["actions"].is_array()) {
        Producer::MiniSweAgentV2
    } else if framework.starts_with("claude") || is_any(&|it| begins(it, &["[tool_use "])) {
        Producer::ClaudeCode
    } else if framework.starts_with("codex") || is_any(&|it| begins(it, &["[command] "])) {
        Producer::Codex
    } else if framework.starts_with("swe_agent") {
        Producer::SweAgent
    } else if is_any(&|it| begins(it, &["<returncode>"])) || framework == "mini_swe_agent" {
        Producer::MiniSweAgent
    } else if framework.starts_with("mini_swe_agent") {
        Producer::MiniSweAgentV2
    } else {
        Producer::Unknown
    }
}

/// Reads messages of nobody known: as an endpoint has them, or in Anthropic's blocks; all else is raw.
fn unknown(messages: &[Value], telling: &mut Telling) {
    let mut claude = claude_code::Claude::default();
    for message in messages {
        let blocks = message["content"].as_array().into_iter().flatten();
        let mut kinds = blocks.filter_map(|block| block["type"].as_str());
        let is_blocks = kinds.any(|kind| matches!(kind, "tool_use" | "tool_result" | "thinking"));
        let event = serde_json::json!({"type": message["role"], "message": message});
        if !is_blocks || !claude.take_in(&event, telling) {
            chat::tell(std::slice::from_ref(message), telling);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_program_is_known_by_its_messages_or_by_its_name() {
        let of = |message: Value| [message];
        let said = json!({"role": "assistant", "content": "So."});
        for (messages, framework, wanted) in [
            (
                of(json!({"event_type": "ActionEvent"})),
                None,
                Producer::OpenHands,
            ),
            (of(said.clone()), Some("regatta"), Producer::Regatta),
            (
                of(json!({"role": "assistant", "tool_calls": []})),
                None,
                Producer::MiniSweAgentV2,
            ),
            (
                of(json!({"role": "assistant", "content": "[tool_use Bash] {}"})),
                None,
                Producer::ClaudeCode,
            ),
            (
                of(json!({"role": "assistant", "content": "[command] ls"})),
                None,
                Producer::Codex,
            ),
            (
                of(json!({"role": "user", "content": "<returncode>0"})),
                None,
                Producer::MiniSweAgent,
            ),
            (of(said.clone()), Some("claude_code"), Producer::ClaudeCode),
            (of(said.clone()), Some("codex"), Producer::Codex),
            (of(said.clone()), Some("swe_agent"), Producer::SweAgent),
            (
                of(said.clone()),
                Some("mini_swe_agent"),
                Producer::MiniSweAgent,
            ),
            (
                of(said.clone()),
                Some("mini_swe_agent_v2"),
                Producer::MiniSweAgentV2,
            ),
            (of(said.clone()), Some("hologram"), Producer::Unknown),
        ] {
            assert_eq!(
                told_by(&messages, framework.unwrap_or_default()),
                wanted,
                "{messages:?}"
            );
        }
    }

    #[test]
    fn of_an_unknown_program_messages_are_turns_and_the_rest_is_raw() {
        let messages = [
            json!({"role": "user", "content": "Mend it."}),
            json!({"role": "assistant", "content": [{"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "a", "name": "Bash", "input": {"command": "ls"}}]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "nest"}]}),
            json!({"role": "narrator", "content": "Later."}),
            json!([1, 2]),
        ];
        let (producer, turns) = of_messages(&messages, Some("hologram"));
        assert_eq!(producer, Producer::Unknown);
        assert_eq!(turns[0].marks[0].text, "Mend it.");
        assert_eq!(
            (
                turns[0].thought.as_str(),
                turns[0].actions[0].output.as_deref()
            ),
            ("I look.", Some("nest"))
        );
        assert!(turns[1].raw.as_deref().unwrap().contains("narrator"));
        assert_eq!(turns[2].raw.as_deref(), Some("[1,2]"));
    }
}
