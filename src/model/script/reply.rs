//! A scripted agent's reply, in the formats that endpoints answer in.

use serde_json::{Value, json};

/// What a scripted agent says next.
pub struct ScriptedReply {
    pub thought: String,
    pub command: String,
    pub uses_tools: bool,
}

impl ScriptedReply {
    fn content(&self) -> String {
        if self.uses_tools {
            self.thought.clone()
        } else {
            format!(
                "THOUGHT: {}\n\n```bash\n{}\n```",
                self.thought, self.command
            )
        }
    }

    fn tool_calls(&self) -> Option<Value> {
        self.uses_tools.then(|| {
            let arguments = json!({"command": self.command}).to_string();
            json!([{"id": "call_1", "type": "function",
                "function": {"name": "bash", "arguments": arguments}}])
        })
    }

    /// The response body in `OpenAI`'s format, for a prompt of so many tokens.
    pub fn as_openai(&self, tokens: usize) -> Value {
        let mut message = json!({"role": "assistant", "content": self.content()});
        if let Some(calls) = self.tool_calls() {
            message["tool_calls"] = calls;
        }
        let finish = if self.uses_tools {
            "tool_calls"
        } else {
            "stop"
        };
        json!({
            "id": "scripted", "object": "chat.completion", "created": 0, "model": "scripted",
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": tokens, "completion_tokens": 50, "total_tokens": tokens + 50},
        })
    }

    /// The same in Cohere's v2 format.
    pub fn as_cohere(&self, tokens: usize) -> Value {
        let mut message = json!({
            "role": "assistant",
            "content": [{"type": "text", "text": self.content()}],
        });
        if let Some(calls) = self.tool_calls() {
            message["tool_calls"] = calls;
        }
        let finish = if self.uses_tools {
            "TOOL_CALL"
        } else {
            "COMPLETE"
        };
        let counts = json!({"input_tokens": tokens, "output_tokens": 50});
        json!({
            "id": "scripted", "finish_reason": finish, "message": message,
            "usage": {"billed_units": counts, "tokens": counts},
        })
    }
}
