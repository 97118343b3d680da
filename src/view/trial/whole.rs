//! A whole trial.

use serde::Serialize;

use super::{AgentLane, NamedFile, TrialMessage, Turn};
use crate::bench::{Pair, RunName};
use crate::view::PageMask;

/// A trial, as far as its files tell of it. As JSON it has every field in each version from now on; a
/// field that is not known is `null`. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// The pair: `repo`, `task_id` and `features`.
    pub pair: Pair,
    /// The run that it is of.
    pub run: RunName,
    /// `CooperBench`'s word for the setting: `solo`, `coop` or `team`.
    pub setting: &'static str,
    /// The trial's id; none where there is no result and no running trial.
    pub trial: Option<String>,
    /// Whether it runs, or was killed: what there is are the files that the engine writes meanwhile.
    pub is_unended: bool,
    /// When it began.
    pub started_at: Option<f64>,
    /// When it ended.
    pub ended_at: Option<f64>,
    /// Its agents, in the order of their features: each a lane of its own.
    pub agents: Vec<AgentLane>,
    /// What the agents told each other, by time as far as it is known.
    pub messages: Vec<TrialMessage>,
    /// The pair's files that are no agent's, with size and path.
    pub files: Vec<NamedFile>,
    /// What could not be understood of the trial's own files, a sentence each.
    pub untold: Vec<String>,
}

impl Trial {
    /// Takes the secrets out of all its texts.
    pub fn hide(&mut self, mask: &PageMask) {
        for lane in &mut self.agents {
            lane.turns.iter_mut().for_each(|turn| hide_in(turn, mask));
            lane.end.iter_mut().for_each(|text| mask.hide_in(text));
            lane.untold.iter_mut().for_each(|text| mask.hide_in(text));
        }
        for message in &mut self.messages {
            mask.hide_in(&mut message.text);
        }
        self.untold.iter_mut().for_each(|text| mask.hide_in(text));
    }
}

fn hide_in(turn: &mut Turn, mask: &PageMask) {
    mask.hide_in(&mut turn.thought);
    turn.raw.iter_mut().for_each(|text| mask.hide_in(text));
    for mark in &mut turn.marks {
        mask.hide_in(&mut mark.text);
    }
    for action in &mut turn.actions {
        mask.hide_in(&mut action.text);
        action.output.iter_mut().for_each(|text| mask.hide_in(text));
    }
}
