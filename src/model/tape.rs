//! Recording what an agent asked and was answered, and playing it back without a network.

mod difference;
mod format;
mod player;
mod recorder;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::chat::{ChatError, Message, Reply, Tool};
use super::client::Client;
use crate::bench::Usage;
use crate::error;
use crate::files;
use crate::secret::Mask;

use format::Entry;
pub use format::RecordedEnd;
pub use player::Player;
pub use recorder::Recorder;

/// What stands between one agent and its model.
#[derive(Debug)]
pub enum Tape {
    /// Nothing: calls go to the endpoint.
    Off,
    /// Calls go to the endpoint, and are recorded.
    Record(Recorder),
    /// Calls are answered from a recording, and must be the recorded ones.
    Replay(Player),
}

/// The call that was under way when an agent ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenUp {
    /// Whether there was one that may be billed.
    pub was_asking: bool,
    /// The tokens of its tries so far, where they told them.
    pub wasted: Vec<Usage>,
}

impl Tape {
    /// Begins a recording at this path, in the place of an older one. The key that `mask` knows is in
    /// none of it.
    pub fn record(path: &Path, mask: Mask) -> error::Result<Self> {
        Recorder::begin(path, mask).map(Self::Record)
    }

    /// Opens the recording at this path to play it back.
    pub fn replay(path: &Path) -> error::Result<Self> {
        Player::open(path).map(Self::Replay)
    }

    /// Asks the model, or the recording, to go on with a conversation.
    pub async fn chat(
        &mut self,
        client: &Client,
        messages: &[Message],
        tools: &[Tool],
    ) -> Result<Reply, ChatError> {
        match self {
            Self::Off => client.chat(messages, tools).await,
            Self::Record(recorder) => recorder.chat(client.ask(messages, tools).await, client),
            Self::Replay(player) => {
                player.halt_here().await;
                player.chat(client, messages, tools)
            }
        }
    }

    /// In a replay, what was noted here under this name when it was recorded; otherwise `None`.
    pub async fn replayed<T: DeserializeOwned>(
        &mut self,
        name: &str,
    ) -> Result<Option<T>, ChatError> {
        match self {
            Self::Replay(player) => {
                player.halt_here().await;
                player.note(name).map(Some)
            }
            Self::Off | Self::Record(_) => Ok(None),
        }
    }

    /// While recording, notes something that the agent's next step depends on and that a replay
    /// would not find again.
    pub fn record_note(&mut self, name: &str, value: &impl Serialize) -> Result<(), ChatError> {
        let Self::Record(recorder) = self else {
            return Ok(());
        };
        let value = serde_json::to_value(value).map_err(|error| recorder.failed(&error))?;
        recorder.append(&Entry::Note {
            name: name.to_owned(),
            value,
        })
    }

    /// The agent ended here: while recording, notes how. Gives the call that was under way; in a
    /// replay, where calls take no time, the one that was when it was recorded.
    pub fn end(&mut self, ended: RecordedEnd, call: GivenUp) -> Result<GivenUp, ChatError> {
        match self {
            Self::Record(recorder) => {
                recorder.append(&Entry::End {
                    ended,
                    was_asking: Some(call.was_asking),
                    wasted: call.wasted.clone(),
                })?;
            }
            Self::Replay(player) => {
                if let Some(Entry::End {
                    was_asking: Some(was_asking),
                    wasted,
                    ..
                }) = player.next()
                {
                    return Ok(GivenUp { was_asking, wasted });
                }
            }
            Self::Off => {}
        }
        Ok(call)
    }

    /// Whether the conversation's tool calls keep ids that came before: in a replay of what was
    /// recorded so.
    #[must_use]
    pub const fn repeats_ids(&self) -> bool {
        matches!(self, Self::Replay(player) if player.requests < 3)
    }

    /// Whether a summary that cannot be used is asked for again at every turn, and ends the agent where
    /// it is refused: in a replay of what was recorded so.
    #[must_use]
    pub const fn asks_at_every_turn(&self) -> bool {
        matches!(self, Self::Replay(player) if player.requests < 4)
    }

    /// Whether there is a whole recording at this path: one that goes on to the agent's end.
    #[must_use]
    pub fn is_whole(path: &Path) -> bool {
        // Its last line is a short one.
        let Ok(bytes) = files::read_end(path) else {
            return false;
        };
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let last = lines.rfind(|line| !line.is_empty());
        last.is_some_and(|line| matches!(serde_json::from_slice(line), Ok(Entry::End { .. })))
    }
}
