//! `config.json`: what upstream, or a fork of it, writes of a run at the beginning of every
//! invocation. All of it may be missing, or another's.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::RunDir;
use crate::files;
use crate::json;

/// A real one has a page.
const MAX_BYTES: u64 = 1_000_000;

/// The fields that are read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RunConfig {
    setting: Value,
    messaging_mode: Value,
    agent_framework: Value,
    model: Value,
    total_tasks: Value,
    concurrency: Value,
}

impl RunConfig {
    /// Reads that of a run; `None` where there is none that can be read.
    #[must_use]
    pub fn read(run: &RunDir) -> Option<Self> {
        let bytes = files::read_up_to(&run.config_json(), MAX_BYTES).ok()??;
        // A list would be taken for the fields in their order.
        let fields: Map<String, Value> = json::of_bytes(&bytes).ok()?;
        serde_json::from_value(Value::Object(fields)).ok()
    }

    /// The setting in its own word: upstream's are `solo` and `coop`.
    #[must_use]
    pub fn setting(&self) -> Option<&str> {
        self.setting.as_str()
    }

    /// Whether the agents could send each other messages, where it says: a fork does.
    #[must_use]
    pub fn messaging(&self) -> Option<bool> {
        match &self.messaging_mode {
            Value::Bool(is_on) => Some(*is_on),
            Value::String(mode) => Some(!mode.eq_ignore_ascii_case("off")),
            _ => None,
        }
    }

    /// The agent framework of the last invocation, as it stands there.
    #[must_use]
    pub fn agent_framework(&self) -> Option<&str> {
        self.agent_framework.as_str()
    }

    /// The model of the last invocation, as it stands there.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_str()
    }

    /// How many pairs it counted.
    #[must_use]
    pub fn total_tasks(&self) -> Option<usize> {
        usize::try_from(self.total_tasks.as_u64()?).ok()
    }

    /// How many pairs run at once.
    #[must_use]
    pub fn concurrency(&self) -> Option<usize> {
        usize::try_from(self.concurrency.as_u64()?).ok()
    }
}
