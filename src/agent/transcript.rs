//! What an agent said and saw: the conversation that the model is sent, and the whole of it for
//! the trajectory.

use std::sync::Arc;

use serde_json::{Value, json};

use super::mailbox::now;
use super::observation::Observation;
use crate::model::chat::{Message, Reply, Role, ToolCall};

/// Told each entry of a log as it comes.
pub type Told = Arc<dyn Fn(&Value) + Send + Sync>;

/// A conversation.
pub struct Transcript {
    /// What the model is sent.
    pub history: Vec<Message>,
    /// Everything, in upstream's form.
    log: Vec<Value>,
    told: Told,
}

/// A message without tools.
pub fn message(role: Role, content: impl Into<String>) -> Message {
    Message {
        role,
        content: content.into(),
        tool_calls: Vec::new(),
        tool_call_id: None,
    }
}

impl Transcript {
    /// One in which nothing was said yet.
    pub fn new(told: Told) -> Self {
        Self {
            history: Vec::new(),
            log: Vec::new(),
            told,
        }
    }

    /// Adds an entry to the log alone.
    pub fn note(&mut self, entry: Value) {
        (self.told)(&entry);
        self.log.push(entry);
    }

    /// The whole log.
    pub fn into_log(self) -> Vec<Value> {
        self.log
    }

    /// Adds a message of the harness's.
    pub fn say(&mut self, role: Role, content: String) {
        self.note(json!({"role": role, "content": content, "extra": {"timestamp": now()}}));
        self.history.push(message(role, content));
    }

    /// Adds a reply. One whose calls cannot be used stays in the log; of the conversation, which
    /// providers check, only its text does.
    pub fn reply(&mut self, reply: &Reply, usable: bool) {
        let calls: Vec<Value> = reply.message.tool_calls.iter().map(call).collect();
        let commands: Vec<Value> = reply.message.tool_calls.iter().map(action).collect();
        let mut entry = json!({
            "role": "assistant",
            "content": reply.message.content,
            "extra": {
                "actions": commands,
                "response": reply.raw,
                "cost": reply.cost,
                "rate_limited_seconds": reply.rate_limited.as_secs_f64(),
                "timestamp": now(),
            },
        });
        if !calls.is_empty() {
            entry["tool_calls"] = Value::Array(calls);
        }
        if !usable {
            entry["extra"]["format_error"] = Value::Bool(true);
        }
        self.note(entry);
        if usable {
            self.history.push(reply.message.clone());
        } else if !reply.message.content.trim().is_empty() {
            self.history
                .push(message(Role::Assistant, reply.message.content.clone()));
        }
    }

    /// Adds a command's result, as the answer to a tool's call or as a message.
    pub fn observe(&mut self, call: Option<&str>, content: String, observation: &Observation) {
        let role = if call.is_some() {
            Role::Tool
        } else {
            Role::User
        };
        let mut entry = json!({
            "role": role,
            "content": content,
            "extra": {
                "raw_output": observation.output,
                "returncode": observation.returncode,
                "exception_info": observation.note,
                "timestamp": now(),
            },
        });
        let mut message = message(role, content);
        if let Some(id) = call {
            entry["tool_call_id"] = json!(id);
            message.tool_call_id = Some(id.to_owned());
        }
        self.note(entry);
        self.history.push(message);
    }

    /// Ends the log: how, with what, and the error that ended it.
    pub fn end(&mut self, status: &str, submission: &str, error: Option<&str>) {
        let mut extra = json!({"exit_status": status, "submission": submission});
        if let Some(error) = error {
            extra["exception_str"] = json!(error);
        }
        extra["timestamp"] = json!(now());
        let content = error.unwrap_or(status);
        self.note(json!({"role": "exit", "content": content, "extra": extra}));
    }
}

fn call(call: &ToolCall) -> Value {
    json!({"id": call.id, "type": "function",
        "function": {"name": call.name, "arguments": call.arguments}})
}

fn action(call: &ToolCall) -> Value {
    let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
    json!({"tool_name": call.name, "tool_call_id": call.id, "command": arguments["command"]})
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_reply_that_cannot_be_used_leaves_no_call_unanswered() {
        let mut transcript = Transcript::new(Arc::new(|_| {}));
        let mut message = message(Role::Assistant, "I look.");
        message.tool_calls.push(ToolCall {
            id: "call_1".to_owned(),
            name: "bash".to_owned(),
            arguments: "{\"command\": \"ls".to_owned(),
        });
        let reply = Reply {
            message,
            usage: None,
            cost: None,
            raw: Value::Null,
            rate_limited: Duration::ZERO,
            discarded: false,
            is_cut: false,
        };
        transcript.reply(&reply, false);
        assert!(transcript.history[0].tool_calls.is_empty());
        assert_eq!(transcript.history[0].content, "I look.");
        // The trajectory has all of it.
        assert_eq!(transcript.log[0]["extra"]["format_error"], true);
        assert_eq!(transcript.log[0]["tool_calls"][0]["id"], "call_1");
    }
}
