//! Recording what an agent asked and was answered.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::format::{Entry, TapeFormat};
use crate::error::{self, Error};
use crate::files;
use crate::model::chat::{ChatError, Reply};
use crate::model::client::{Asked, Client};
use crate::secret::Mask;

/// Writes a recording, line by line, without the key.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    mask: Mask,
}

impl Recorder {
    /// Begins a recording at this path, in the place of an older one.
    pub(super) fn begin(path: &Path, mask: Mask) -> error::Result<Self> {
        if let Some(dir) = path.parent() {
            files::create_dir(dir)?;
        }
        let format = serde_json::to_string(&TapeFormat::ours())
            .map_err(|error| Error::world(format!("cannot begin a recording: {error}")))?;
        files::write_atomic(path, format!("{format}\n").as_bytes())?;
        Ok(Self {
            path: path.to_owned(),
            mask,
        })
    }

    /// Keeps a call, and what became of it.
    pub(super) fn chat(&self, asked: Asked, client: &Client) -> Result<Reply, ChatError> {
        let Asked {
            request,
            outcome,
            left_out,
        } = asked;
        let (entry, outcome) = match outcome {
            Ok(exchange) => {
                let entry = Entry::Chat {
                    request,
                    response: exchange.response.clone(),
                    rate_limited_seconds: exchange.rate_limited.as_secs_f64(),
                    discarded: exchange.discarded,
                    wasted: client.wasted(),
                    left_out: left_out.clone(),
                };
                (entry, client.reply(exchange, left_out))
            }
            Err(error) => {
                let entry = Entry::Failed {
                    request,
                    rule: error.rule(),
                    error: error.to_string(),
                    may_be_billed: Some(error.may_be_billed()),
                    wasted: client.wasted(),
                    left_out,
                };
                (entry, Err(error))
            }
        };
        self.append(&entry)?;
        outcome
    }

    /// Adds a line to the file, with the key masked.
    pub(super) fn append(&self, entry: &Entry) -> Result<(), ChatError> {
        let mut line = serde_json::to_string(entry).map_err(|error| self.failed(&error))?;
        if let Cow::Owned(_) = self.mask.hide(&line) {
            let mut value = serde_json::to_value(entry).map_err(|error| self.failed(&error))?;
            self.mask.hide_in(&mut value);
            line = value.to_string();
        }
        files::append_line(&self.path, &line).map_err(|error| self.failed(&error))
    }

    /// A line that cannot be kept.
    pub(super) fn failed(&self, error: &dyn std::error::Error) -> ChatError {
        ChatError::Tape {
            path: self.path.display().to_string(),
            why: error.to_string(),
        }
    }
}
