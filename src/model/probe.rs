//! One small chat call as an agent's first one is, to see whether a model answers before pairs are
//! spent on it.

use std::time::{Duration, Instant};

use super::chat::{ChatError, Message, Role, Tool};
use super::client::{Client, ClientOptions};

/// How the model answered the one call of a probe.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeAnswer {
    /// Whether it called a tool, as an agent's every step needs.
    pub called_tool: bool,
    /// The time from the call to the whole reply.
    pub took: Duration,
}

/// Asks once what an agent with these tools would ask, through the client that a run has: its URL,
/// its parameters, its time limit. What it is answered is what the first call of a run is.
pub async fn probe(
    http: reqwest::Client,
    options: ClientOptions,
    tools: &[Tool],
) -> Result<ProbeAnswer, ChatError> {
    let client = Client::new(
        http,
        ClientOptions {
            tries: 1,
            ..options
        },
    );
    let begun = Instant::now();
    let reply = client.chat(&question(tools), tools).await?;
    Ok(ProbeAnswer {
        called_tool: !reply.message.tool_calls.is_empty(),
        took: begun.elapsed(),
    })
}

/// A system prompt and a task, as every agent begins: some models take no system prompt.
fn question(tools: &[Tool]) -> [Message; 2] {
    let task = match tools.first() {
        Some(tool) => format!("Call the {} tool with the command: true", tool.name),
        None => "Answer with one word.".to_owned(),
    };
    [
        Message::text(Role::System, "You are a helpful assistant."),
        Message::text(Role::User, task),
    ]
}
