//! A recording's lines.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bench::{RuleId, Usage};

/// A line of a recording.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Entry {
    /// A call that was answered.
    Chat {
        request: Value,
        response: Value,
        rate_limited_seconds: f64,
        #[serde(default)]
        discarded: bool,
        /// The tokens of earlier tries, which were no reply and told them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        wasted: Vec<Usage>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<String>,
    },
    /// A call that failed for good.
    Failed {
        request: Value,
        rule: RuleId,
        error: String,
        /// Recordings of form 2 do not say it.
        may_be_billed: Option<bool>,
        /// The tokens of its tries, where they told them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        wasted: Vec<Usage>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<String>,
    },
    /// What else the agent's next step depended on.
    Note { name: String, value: Value },
    /// The agent ended here; a recording that was cut off has no such line.
    End {
        ended: RecordedEnd,
        /// Whether a call was under way. Recordings of form 2 do not say it.
        was_asking: Option<bool>,
        /// The tokens of that call's tries so far, where they told them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        wasted: Vec<Usage>,
    },
}

/// How an agent ended, as far as a replay cannot find out again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordedEnd {
    /// By what it did: so it does again.
    Itself,
    /// It was halted, because its peer was lost.
    Halted,
    /// Something that was not its doing ended it.
    Failed {
        /// The triage rule that it fell under, or what names a time limit or the agent's own end.
        rule: RuleId,
        /// What happened, in words for people.
        error: String,
    },
}

/// How a conversation is put into requests; a replay must do as the recording did. It goes up with
/// each change of that.
pub const REQUESTS: u32 = 4;

/// The oldest form that is played as well: in those before 4 a summary that could not be used was asked
/// for again at every turn, and its refusal ended the agent; in 2, moreover, ids of tool calls may come
/// again in later replies.
pub const OLDEST_REQUESTS: u32 = 2;

/// The last version that plays recordings without a [`TapeFormat`], whose requests are of the first.
const PLAYS_THE_FIRST: &str = "0.1.0 (a7706eea9a, of 25 November 2026)";

/// The first line of a recording.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "format")]
pub struct TapeFormat {
    /// The form of its requests; see [`REQUESTS`].
    pub requests: u32,
    /// The version that recorded it, which plays it.
    pub regatta: String,
}

impl TapeFormat {
    /// The first line of the recordings that this version makes.
    pub fn ours() -> Self {
        let (version, revision) = (env!("CARGO_PKG_VERSION"), env!("GIT_REVISION"));
        Self {
            requests: REQUESTS,
            regatta: format!("{version} ({revision})"),
        }
    }

    /// That of a recording with this first line; the error says why it is none.
    pub fn of(line: &str) -> std::result::Result<Self, serde_json::Error> {
        serde_json::from_str(line).or_else(|_| {
            serde_json::from_str::<Entry>(line).map(|_| Self {
                requests: 1,
                regatta: PLAYS_THE_FIRST.to_owned(),
            })
        })
    }
}
