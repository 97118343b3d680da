//! Commands in fenced blocks of a reply's text.

use std::sync::LazyLock;

use regex::Regex;

use super::super::telling::Telling;
use super::super::{Turn, TurnAction};

static BLOCK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?s)```(?:bash|sh|shell)\s*\n(.*?)\n?```").expect("tested"));

/// A reply's text without its one command, and the command. None where there is none, or more.
pub fn command(text: &str) -> Option<(String, String)> {
    let mut blocks = BLOCK.captures_iter(text);
    let (first, None) = (blocks.next()?, blocks.next()) else {
        return None;
    };
    let whole = first.get(0)?;
    let rest = [text[..whole.start()].trim(), text[whole.end()..].trim()];
    let rest: Vec<&str> = rest.into_iter().filter(|part| !part.is_empty()).collect();
    Some((rest.join("\n\n"), first[1].trim().to_owned()))
}

/// Makes the last reply's fenced command an action, where it has none: something answers it.
pub fn ensure_action(telling: &mut Telling) {
    let Some(turn) = telling.last().filter(|turn| turn.actions.is_empty()) else {
        return;
    };
    if let Some((rest, command)) = command(&turn.thought) {
        turn.thought = rest;
        let at = turn.at;
        turn.actions.push(TurnAction {
            at,
            ..TurnAction::command(&command)
        });
    }
}

/// When the last action of a turn ended that has an output.
pub fn end_of_last(turn: &mut Turn) -> Option<f64> {
    let mut ended = turn.actions.iter().rev();
    let last = ended.find(|action| action.output.is_some())?;
    Some(last.at? + last.took?)
}
