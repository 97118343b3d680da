//! How actions are made, and how they end.

use super::command::kinds;
use super::words::bounded;
use super::{ActionKind, TurnAction};

impl TurnAction {
    /// A call of a tool.
    pub(super) fn new(kind: ActionKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            also: Vec::new(),
            tool: None,
            text: text.into(),
            output: None,
            code: None,
            failed: None,
            at: None,
            took: None,
        }
    }

    /// A command of the shell, as what its words say that it is.
    pub(super) fn command(text: &str) -> Self {
        let (kind, also) = kinds(text);
        Self {
            also,
            ..Self::new(kind, bounded(text))
        }
    }

    /// Takes in what the agent saw of it, which was there at a time.
    pub(super) fn ended(&mut self, output: &str, at: Option<f64>) {
        self.output = Some(bounded(output));
        let took = at.zip(self.at).map(|(end, begin)| end - begin);
        self.took = took.filter(|took| *took >= 0.0);
    }
}
