//! What is asked of a command whose runs go on, and what it answers: one JSON object each way, a line
//! each.

mod by_file;
mod socket;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bench::RunName;
use crate::bench::cost::dollars;

pub use by_file::{AskBox, AskFile, AskState, Laid};
pub use socket::{bind, connect, remove};

/// The longest request or answer. All pairs of the dataset by name take a tenth of it.
pub const MAX_BYTES: u64 = 1_000_000;

/// What stops a command that is cancelled, as its events name it in the place of a signal.
pub const CANCEL_SIGNAL: &str = "regatta cancel";

/// What is asked of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WheelRequest {
    /// What it shall do.
    #[serde(flatten)]
    pub ask: Ask,
    /// The run that was named, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunName>,
    /// Who asks.
    #[serde(flatten)]
    pub by: Hand,
}

/// What a command shall do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// Begin nothing new; what runs goes on.
    Pause,
    /// Begin again.
    Resume,
    /// End the trials of these pairs. Without any, stop as after the first Ctrl-C.
    Cancel {
        /// The pairs, as `<repo>/<task id>/f<i>_f<j>`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pairs: Vec<String>,
    },
    /// Go on with other settings.
    Set {
        /// Keys of the configuration, by their last word, with their values as they were typed.
        settings: BTreeMap<String, String>,
    },
}

/// Who asks: somebody, somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hand {
    /// The user's name.
    pub user: String,
    /// The host.
    pub host: String,
}

impl fmt::Display for Hand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.host)
    }
}

/// A setting with what it was and what it is now, as JSON has it: a time as one writes it, and `null`
/// for no limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnedSetting {
    /// The key's last word.
    pub setting: String,
    /// What it was.
    pub old: Value,
    /// What it is now.
    pub new: Value,
}

impl TurnedSetting {
    /// A value of this setting as people read it.
    fn in_words(&self, value: &Value) -> String {
        match value {
            Value::Null => "none".to_owned(),
            Value::String(text) => text.clone(),
            Value::Number(usd) if self.setting == "budget" => {
                usd.as_f64().map_or_else(|| usd.to_string(), dollars)
            }
            // 2.0 is 2.
            value => value
                .as_f64()
                .map_or_else(|| value.to_string(), |number| number.to_string()),
        }
    }
}

impl fmt::Display for TurnedSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [old, new] = [&self.old, &self.new].map(|value| self.in_words(value));
        write!(f, "{}: {old} → {new}", self.setting)
    }
}

/// What a command answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it does what it was asked. If not, it does nothing of it.
    pub done: bool,
    /// What it does now.
    pub state: WheelState,
    /// All its runs, in their order.
    pub runs: Vec<RunName>,
    /// The run that goes on, if one does.
    #[serde(default)]
    pub run: Option<RunName>,
    /// What it did, or why it did nothing, a sentence each.
    pub said: Vec<String>,
    /// What to do about a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WheelState {
    /// It begins pairs.
    Running,
    /// It begins no pair until it is resumed.
    Paused,
    /// It begins no pair any more.
    Stopping,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn is_read_back(request: &WheelRequest, written: &Value) {
        assert_eq!(serde_json::to_value(request).unwrap(), *written);
        let read: WheelRequest = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(read, *request);
    }

    #[test]
    fn requests_are_flat_objects() {
        let by = Hand {
            user: "ana".to_owned(),
            host: "node3".to_owned(),
        };
        let request = |ask| WheelRequest {
            ask,
            run: None,
            by: by.clone(),
        };
        let pause = json!({"ask": "pause", "user": "ana", "host": "node3"});
        is_read_back(&request(Ask::Pause), &pause);
        let cancel = Ask::Cancel {
            pairs: vec!["gull_task/7/f1_f2".to_owned()],
        };
        let written = json!({
            "ask": "cancel", "pairs": ["gull_task/7/f1_f2"], "run": "gull-solo",
            "user": "ana", "host": "node3",
        });
        let named = WheelRequest {
            run: Some("gull-solo".parse().unwrap()),
            ..request(cancel)
        };
        is_read_back(&named, &written);
        let settings = BTreeMap::from([("budget".to_owned(), "50".to_owned())]);
        let written = json!({
            "ask": "set", "settings": {"budget": "50"}, "user": "ana", "host": "node3",
        });
        is_read_back(&request(Ask::Set { settings }), &written);
    }
}
