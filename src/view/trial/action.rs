//! What an agent did in a turn, and what it saw of it.

use serde::Serialize;

/// A command, an edit, a message, or another call of a tool.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TurnAction {
    /// What it is: the most telling where it is several.
    pub kind: ActionKind,
    /// What else the same command does.
    pub also: Vec<ActionKind>,
    /// The tool's name, as the agent called it.
    pub tool: Option<String>,
    /// The command, the message, or the edit as a diff; the arguments of any other tool as JSON.
    pub text: String,
    /// What the agent saw of it; none where the file has none.
    pub output: Option<String>,
    /// The return code.
    pub code: Option<i64>,
    /// Whether it failed, as the tool says where it has no return code.
    pub failed: Option<bool>,
    /// When it began.
    pub at: Option<f64>,
    /// How many seconds it took.
    pub took: Option<f64>,
}

/// What an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// It ends the agent's work with what there is.
    Submit,
    /// It tells another agent something.
    Message,
    /// `git push`.
    Push,
    /// `git fetch` or `git pull`.
    Fetch,
    /// It changes a file by a tool for that.
    Edit,
    /// A command of the shell.
    Command,
    /// A call of another tool.
    Other,
}
