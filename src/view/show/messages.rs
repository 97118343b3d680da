//! The conversation of a pair.

use std::fmt::Write as _;

use super::fold::Fold;
use super::lanes::label;
use crate::text::paint::{broken, faint};
use crate::text::{exact, one_line};
use crate::view::trial::{Trial, TrialMessage, TurnPlace};

/// All messages, each with its turns.
#[must_use]
pub fn conversation(trial: &Trial, fold: Fold) -> String {
    if trial.messages.is_empty() {
        return "\nno messages\n".to_owned();
    }
    let whole = Fold {
        is_full: true,
        ..fold
    };
    let mut out = String::new();
    for message in &trial.messages {
        let _ = writeln!(out, "\n{}", headline(trial, message));
        out.push_str(&whole.lines(&message.text, "  ", 0, 0));
    }
    out
}

fn headline(trial: &Trial, message: &TrialMessage) -> String {
    let name = |id: &str| {
        let place = trial.agents.iter().position(|lane| lane.id == id);
        place.map_or_else(|| one_line(id, 40), |place| label(trial, place))
    };
    let after = message.sent_at.zip(trial.started_at);
    let turn = |place: &Option<TurnPlace>| place.map(|TurnPlace(_, number)| number + 1);
    let sent = turn(&message.sent_turn).map(|number| format!("sent in turn {number}"));
    let read = match turn(&message.read_turn) {
        Some(number) => faint(format!("read in turn {number}")),
        None if message.is_unread => broken("never read"),
        None => faint("nothing says whether it was read"),
    };
    let parts = [
        Some(format!("{} → {}", name(&message.from), name(&message.to))),
        after.map(|(at, began)| format!("+{}", exact((at - began).max(0.0)))),
        sent.map(faint),
        Some(read),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}
