//! What a request to a scripted endpoint says, in either format.

use serde_json::Value;

use crate::model::wire::text;

/// The system prompt and the task.
pub fn prompt_of(call: &Value) -> String {
    let messages = call["messages"].as_array();
    let messages = messages.map(Vec::as_slice).unwrap_or_default();
    messages
        .iter()
        .filter(|message| message["role"] != "assistant")
        .take(2)
        .map(|message| text(&message["content"]))
        .collect()
}

/// What follows a reply in a request, in bytes: an answer to a command, or news of a peer.
const FOLLOWS: usize = 220;

/// The tokens of a request, about four bytes each. What follows a reply is taken for equally long:
/// whether a peer's message is in it depends on who was faster, and the demo costs the same each time.
pub fn tokens_of(call: &Value) -> usize {
    let messages = call["messages"].as_array().into_iter().flatten();
    let said = messages.filter(|message| message["role"] == "assistant");
    let said: usize = said.map(|it| it.to_string().len() + FOLLOWS).sum();
    let tools = call["tools"].to_string().len();
    (prompt_of(call).len() + tools + said) / 4
}
