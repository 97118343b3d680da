//! One agent of a trial.

use std::path::PathBuf;

use serde::Serialize;

use super::Turn;

/// What an agent did, turn by turn, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AgentLane {
    /// Which agent it is: `solo`, `agent1`, `agent2`, …
    pub id: String,
    /// The feature it worked on; a solo agent works on all.
    pub feature: Option<u64>,
    /// The model's name.
    pub model: Option<String>,
    /// How it ended, in `CooperBench`'s word: `Submitted`, `LimitsExceeded`, `Error`, …
    pub status: Option<String>,
    /// What ended it, in the words of the program that says it: an error, a limit. None where it
    /// submitted, or where nothing says it.
    pub end: Option<String>,
    /// What it cost in USD, as its result says.
    pub cost: Option<f64>,
    /// How many model calls it made, as its result says.
    pub steps: Option<u64>,
    /// The program whose files tell its turns.
    pub producer: Producer,
    /// The file that its turns are from.
    pub told_by: Option<NamedFile>,
    /// Its turns, in order.
    pub turns: Vec<Turn>,
    /// Its patch.
    pub patch: Option<NamedFile>,
    /// Its other files.
    pub files: Vec<NamedFile>,
    /// What could not be understood of its files, a sentence each.
    pub untold: Vec<String>,
}

/// The program that wrote a trajectory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Producer {
    /// mini-swe-agent 1, in upstream until 0.0.11: commands in fenced blocks.
    MiniSweAgent,
    /// mini-swe-agent 2, in upstream from 0.0.12 on: tool calls.
    MiniSweAgentV2,
    /// Our own engine.
    Regatta,
    /// Claude Code.
    ClaudeCode,
    /// Codex.
    Codex,
    /// The `OpenHands` SDK.
    OpenHands,
    /// SWE-agent.
    SweAgent,
    /// None of these, or none that can be told: messages with a role are turns, all else is raw.
    #[default]
    Unknown,
}

/// A file that is named and not embedded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NamedFile {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// How many bytes it has.
    pub bytes: u64,
}
