//! What an agent said and saw: the conversation that the model is sent, and the whole of it for
//! the trajectory.

use std::sync::Arc;

use serde_json::{Value, json};

use super::compaction::CompactionPlan;
use super::mailbox::now;
use super::observation::Observation;
use crate::model::chat::{Message, Reply, Role, ToolCall};
use crate::model::ids::Ids;

/// Told each entry of a log as it comes.
pub type OnLogged = Arc<dyn Fn(&Value) + Send + Sync>;

/// What stands in the place of a reply that has no text and no call that could be used.
const NO_REPLY: &str = "(no usable reply)";

/// What stands in the place of a result that a template leaves empty.
const NO_RESULT: &str = "(empty)";

/// A conversation, in the one order of roles that every endpoint takes: after the task, replies and
/// what follows them take turns. Strict templates refuse two messages of one role in a row, and a
/// user's after a tool's.
pub struct Transcript {
    /// The task, as it was given first.
    task: String,
    /// What the model is sent.
    pub history: Vec<Message>,
    /// Every entry from the first on, in upstream's form; shortening takes none away.
    log: Vec<Value>,
    told: OnLogged,
    /// Those of all calls, also of those that were shortened away; `None` where they stay as they
    /// come.
    ids: Option<Ids>,
}

impl Transcript {
    /// One in which nothing was said yet.
    pub fn new(told: OnLogged, ids: Option<Ids>) -> Self {
        Self {
            task: String::new(),
            history: Vec::new(),
            log: Vec::new(),
            told,
            ids,
        }
    }

    /// Begins the conversation with its first two messages, the system prompt and the task.
    pub fn begin(&mut self, system: String, task: String) {
        self.task.clone_from(&task);
        self.say(Role::System, system);
        self.say(Role::User, task);
    }

    /// Adds an entry to the log alone.
    pub fn note(&mut self, entry: Value) {
        (self.told)(&entry);
        self.log.push(entry);
    }

    /// The whole log, for the trajectory; gives up the rest.
    pub fn into_log(self) -> Vec<Value> {
        self.log
    }

    /// Adds a message of the harness's. Of the conversation it is a part of the tool's result, or of
    /// the harness's own message, that it comes after.
    pub fn say(&mut self, role: Role, content: String) {
        self.note(json!({"role": role, "content": content, "extra": {"timestamp": now()}}));
        match self.history.last_mut() {
            Some(last) if role == Role::User && matches!(last.role, Role::User | Role::Tool) => {
                last.content.push_str("\n\n");
                last.content.push_str(&content);
            }
            _ => self.history.push(Message::text(role, content)),
        }
    }

    /// Adds a summary to the log; one that cannot be used says why.
    pub fn summary(&mut self, reply: &Reply, fault: Option<&str>) {
        let mut entry = json!({
            "role": "assistant",
            "content": reply.message.content,
            "extra": {"summary": true, "response": reply.raw, "cost": reply.cost},
        });
        if let Some(why) = fault {
            entry["extra"]["format_error"] = Value::Bool(true);
            entry["extra"]["exception_info"] = json!(why);
        }
        self.note(entry);
    }

    /// Puts a summary in the place of all but the task and the recent turns.
    pub fn shorten(&mut self, plan: &CompactionPlan, summary: &str) {
        self.history = plan.shortened(&self.task, summary, &self.history);
    }

    /// Gives the calls of the next reply ids that none before them has: some servers give all calls
    /// one id, or none, and others refuse that or take a result for another call's.
    pub fn tell_apart(&mut self, calls: &mut [ToolCall]) {
        if let Some(ids) = &mut self.ids {
            ids.make_distinct(calls);
        }
    }

    /// Adds a reply. One whose calls cannot be used stays in the log; of the conversation, which
    /// providers check, all but its calls does.
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
        let mut message = reply.message.clone();
        if !usable {
            message.tool_calls.clear();
            if message.content.trim().is_empty() {
                NO_REPLY.clone_into(&mut message.content);
            }
        }
        self.history.push(message);
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
        let content = Some(content).filter(|content| !content.trim().is_empty());
        let mut message = Message::text(role, content.unwrap_or_else(|| NO_RESULT.to_owned()));
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

    use serde_json::Map;

    use super::*;

    fn reply(content: &str, arguments: &str) -> Reply {
        let mut message = Message::text(Role::Assistant, content);
        message.extras = Map::from_iter([("reasoning_content".to_owned(), json!("Hm."))]);
        message.tool_calls.push(ToolCall {
            id: "call_1".to_owned(),
            name: "bash".to_owned(),
            arguments: arguments.to_owned(),
            extras: Map::new(),
        });
        Reply {
            message,
            usage: None,
            cost: None,
            raw: Value::Null,
            rate_limited: Duration::ZERO,
            discarded: false,
            is_cut: false,
            left_out: Vec::new(),
        }
    }

    #[test]
    fn a_reply_that_cannot_be_used_leaves_a_turn_and_no_call_unanswered() {
        let mut transcript = Transcript::new(Arc::new(|_| {}), None);
        transcript.reply(&reply("I look.", "{\"command\": \"ls"), false);
        transcript.reply(&reply(" \n", "{}"), false);
        let [said, silent] = transcript.history.as_slice() else {
            panic!("{:?}", transcript.history);
        };
        assert!(said.tool_calls.is_empty() && silent.tool_calls.is_empty());
        assert_eq!(said.content, "I look.");
        assert_eq!(said.extras["reasoning_content"], "Hm.");
        // An empty turn would be refused.
        assert_eq!(silent.content, NO_REPLY);
        // The trajectory has all of it.
        assert_eq!(transcript.log[0]["extra"]["format_error"], true);
        assert_eq!(transcript.log[0]["tool_calls"][0]["id"], "call_1");
    }

    #[test]
    fn what_arrives_after_a_result_is_a_part_of_it() {
        let mut transcript = Transcript::new(Arc::new(|_| {}), None);
        transcript.begin("You write code.".to_owned(), "Mend it.".to_owned());
        transcript.say(Role::User, "[Message from agent2]: hello".to_owned());
        transcript.reply(&reply("", "{\"command\": \"ls\"}"), true);
        let observation = Observation::not_run("not run");
        transcript.observe(Some("call_1"), "a.py".to_owned(), &observation);
        transcript.say(Role::User, "[Message from agent2]: one".to_owned());
        transcript.say(Role::User, "[Message from agent2]: two".to_owned());
        let said: Vec<_> = transcript
            .history
            .iter()
            .map(|message| (message.role, message.content.as_str()))
            .collect();
        let result = "a.py\n\n[Message from agent2]: one\n\n[Message from agent2]: two";
        assert_eq!(
            said,
            [
                (Role::System, "You write code."),
                (Role::User, "Mend it.\n\n[Message from agent2]: hello"),
                (Role::Assistant, ""),
                (Role::Tool, result),
            ]
        );
        // A result that says nothing would be refused.
        transcript.observe(Some("call_2"), "\n".to_owned(), &observation);
        assert_eq!(transcript.history[4].content, NO_RESULT);
        // In the trajectory they are messages of their own.
        assert_eq!(transcript.log.len(), 8);
        assert_eq!(transcript.log[6]["role"], "user");
    }
}
