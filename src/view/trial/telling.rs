//! An agent's turns, as they are told one after the other.

use std::collections::HashMap;

use super::words::bounded;
use super::{Mark, MarkKind, Turn, TurnAction};

/// Turns in the making.
#[derive(Debug, Default)]
pub struct Telling {
    turns: Vec<Turn>,
    /// What the agent is told and has not replied to.
    marks: Vec<Mark>,
    /// The actions by the ids of their calls, as turn and place in it.
    calls: HashMap<String, (usize, usize)>,
}

impl Telling {
    /// The agent is told something; the next turn answers it.
    pub fn mark(&mut self, kind: MarkKind, text: &str, at: Option<f64>) {
        if !text.trim().is_empty() {
            let text = bounded(text);
            self.marks.push(Mark { kind, text, at });
        }
    }

    /// The agent replies.
    pub fn turn(&mut self, mut turn: Turn) {
        turn.marks.splice(..0, std::mem::take(&mut self.marks));
        self.turns.push(turn);
    }

    /// Something that is not understood: a turn of its own.
    pub fn raw(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.turn(Turn {
                raw: Some(bounded(text)),
                ..Turn::default()
            });
        }
    }

    /// The last reply.
    pub fn last(&mut self) -> Option<&mut Turn> {
        self.turns.last_mut()
    }

    /// The last reply; a silent one where there is none, or where the agent was told something since.
    pub fn reply(&mut self, at: Option<f64>) -> &mut Turn {
        if self.turns.is_empty() || !self.marks.is_empty() {
            self.turn(Turn {
                at,
                ..Turn::default()
            });
        }
        let last = self.turns.len() - 1;
        &mut self.turns[last]
    }

    /// Adds an action to the last reply.
    pub fn act(&mut self, id: Option<&str>, action: TurnAction) {
        self.reply(action.at).actions.push(action);
        let place = (
            self.turns.len() - 1,
            self.turns[self.turns.len() - 1].actions.len() - 1,
        );
        if let Some(id) = id {
            self.calls.insert(id.to_owned(), place);
        }
    }

    /// The action of a call.
    pub fn call(&mut self, id: &str) -> Option<&mut TurnAction> {
        let (turn, action) = *self.calls.get(id)?;
        self.turns.get_mut(turn)?.actions.get_mut(action)
    }

    /// The first action of the last reply that has no output yet.
    pub fn waiting(&mut self) -> Option<&mut TurnAction> {
        let actions = &mut self.turns.last_mut()?.actions;
        actions.iter_mut().find(|action| action.output.is_none())
    }

    /// Whether it is told what to do.
    pub fn is_told_the_task(&self) -> bool {
        let told = self.turns.iter().flat_map(|turn| &turn.marks);
        told.chain(&self.marks)
            .any(|mark| mark.kind == MarkKind::User)
    }

    /// How many turns there are.
    pub fn count(&self) -> usize {
        self.turns.len()
    }

    /// All turns. What is told at the end makes one without a reply.
    pub fn end(mut self) -> Vec<Turn> {
        if !self.marks.is_empty() {
            self.turn(Turn::default());
        }
        self.turns
    }
}
