//! Playing a recording back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::difference::{as_written, difference};
use super::format::{Entry, OLDEST_REQUESTS, REQUESTS, RecordedEnd, TapeFormat};
use crate::bench::RuleId;
use crate::error::{self, Error};
use crate::files;
use crate::model::chat::{ChatError, Message, Reply, Tool};
use crate::model::client::{Client, Exchange};
use crate::model::refusal::{FAILED_TOOL_CALL, MALFORMED};
use crate::text::plural;

/// The most that a recording may have, in bytes: each exchange repeats the conversation before it.
const MAX_BYTES: u64 = 1_000_000_000;

/// Plays a recording back: a call must be the recorded one, and gets its answer.
#[derive(Debug)]
pub struct Player {
    path: PathBuf,
    /// The form of its requests.
    pub(super) requests: u32,
    lines: Vec<String>,
    /// How many of the lines are behind us.
    read: usize,
    /// How many exchanges with the model are behind us; notes are none.
    played: usize,
}

impl Player {
    /// Opens the recording at this path to play it back.
    pub(super) fn open(path: &Path) -> error::Result<Self> {
        let unusable = |why: &str| {
            Error::usage(format!("cannot replay {}: {why}", path.display()))
                .hint("name the file that an agent's recording was written to")
        };
        let bytes = files::read_up_to(path, MAX_BYTES)?;
        let bytes = bytes.ok_or_else(|| unusable("there is no such file"))?;
        let lines: Vec<String> = String::from_utf8_lossy(&bytes)
            .lines()
            .map(str::to_owned)
            .collect();
        let first = lines.first().ok_or_else(|| unusable("it is empty"))?;
        // Only the last line can be torn; what stands before it is read when its turn comes.
        let TapeFormat { requests, regatta } = TapeFormat::of(first)
            .map_err(|error| unusable(&format!("its first line is no exchange: {error}")))?;
        if !(OLDEST_REQUESTS..=REQUESTS).contains(&requests) {
            let why = format!(
                "its requests are of form {requests}, and this version makes those of form {OLDEST_REQUESTS} to {REQUESTS}"
            );
            return Err(
                Error::usage(format!("cannot replay {}: {why}", path.display())).hint(format!(
                    "Regatta {regatta} plays it; to play it with this one, record anew"
                )),
            );
        }
        Ok(Self {
            path: path.to_owned(),
            requests,
            lines,
            read: 1,
            played: 0,
        })
    }

    /// What comes next, where it can be read.
    pub(super) fn next(&self) -> Option<Entry> {
        let line = self.lines.get(self.read)?;
        serde_json::from_str(line).ok()
    }

    /// Waits for ever where the agent was halted: so it is again.
    pub(super) async fn halt_here(&self) {
        if let Some(Entry::End {
            ended: RecordedEnd::Halted,
            ..
        }) = self.next()
        {
            std::future::pending::<()>().await;
        }
    }

    /// The reply that the recording has to this conversation.
    pub(super) fn chat(
        &mut self,
        client: &Client,
        messages: &[Message],
        tools: &[Tool],
    ) -> Result<Reply, ChatError> {
        let (recorded, outcome) = match self.advance()? {
            Entry::Chat {
                request,
                response,
                rate_limited_seconds,
                discarded,
                wasted,
                left_out,
            } => {
                client.waste(wasted);
                // What the endpoint refused then is not sent now either.
                client.leave_out(&left_out);
                let rate_limited = Duration::try_from_secs_f64(rate_limited_seconds);
                let exchange = Exchange {
                    response,
                    rate_limited: rate_limited.unwrap_or_default(),
                    discarded,
                };
                // What was a reply when it was recorded may be read otherwise since.
                let reply = client.reply(exchange, left_out).map_err(|error| {
                    self.differs(format!(
                        "it is a reply in the recording, and none as this version reads it: {error}"
                    ))
                });
                (request, reply)
            }
            Entry::Failed {
                request,
                rule,
                error,
                may_be_billed,
                wasted,
                left_out,
            } => {
                client.waste(wasted);
                client.leave_out(&left_out);
                let may_be_billed = may_be_billed.unwrap_or_else(|| bills_by_its_rule(&rule));
                let failed = ChatError::Recorded {
                    rule,
                    error,
                    may_be_billed,
                };
                (request, Err(failed))
            }
            Entry::Note { name, .. } => {
                return Err(self.differs(format!(
                    "the agent asks the model here and reads `{name}` in the recording"
                )));
            }
            Entry::End {
                ended: RecordedEnd::Failed { rule, error },
                was_asking,
                wasted,
            } => {
                client.waste(wasted);
                return Err(ChatError::Recorded {
                    rule,
                    error,
                    may_be_billed: was_asking.unwrap_or_default(),
                });
            }
            Entry::End { .. } => return Err(self.ends_here()),
        };
        let request = as_written(&client.request(messages, tools));
        if let Some(difference) = difference(&request, &recorded) {
            return Err(self.differs(difference));
        }
        self.played += 1;
        outcome
    }

    /// What the recording notes here under this name.
    pub(super) fn note<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, ChatError> {
        match self.advance()? {
            Entry::Note { name: noted, value } if noted == name => serde_json::from_value(value)
                .map_err(|error| self.differs(format!("what was noted as `{name}`: {error}"))),
            Entry::Note { name: noted, .. } => Err(self.differs(format!(
                "the agent reads `{name}` here and `{noted}` in the recording"
            ))),
            Entry::End {
                ended: RecordedEnd::Failed { rule, error },
                was_asking,
                ..
            } => Err(ChatError::Recorded {
                rule,
                error,
                may_be_billed: was_asking.unwrap_or_default(),
            }),
            Entry::Chat { .. } | Entry::Failed { .. } | Entry::End { .. } => {
                Err(self.differs(format!(
                    "the agent reads `{name}` here and asks the model, or ends, in the recording"
                )))
            }
        }
    }

    fn advance(&mut self) -> Result<Entry, ChatError> {
        let Some(line) = self.lines.get(self.read) else {
            return Err(self.ends_here());
        };
        let entry = serde_json::from_str(line);
        self.read += 1;
        entry.map_err(|error| {
            let line = self.read;
            self.differs(format!(
                "line {line} of the recording cannot be read: {error}"
            ))
        })
    }

    fn ends_here(&self) -> ChatError {
        self.differs(format!(
            "the recording ends after {}",
            plural(self.played, "exchange")
        ))
    }

    fn differs(&self, difference: String) -> ChatError {
        ChatError::Replay {
            tape: self.path.display().to_string(),
            exchange: self.played + 1,
            difference,
        }
    }
}

/// Whether a failure of this rule may be billed, where its recording does not say.
fn bills_by_its_rule(rule: &RuleId) -> bool {
    [RuleId::TIMEOUT, MALFORMED, FAILED_TOOL_CALL].contains(rule)
}
