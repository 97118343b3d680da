//! The agents' turns, one after the other by time.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::fold::{Fold, coloured};
use crate::bench::cost::dollars;
use crate::text::exact;
use crate::text::fit::{cut, width};
use crate::text::paint::{bad, broken, faint, strong};
use crate::view::trial::{ActionKind, Mark, MarkKind, Trial, Turn, TurnAction, TurnPlace};

/// The agents' colours. Their names stand beside them.
const COLOURS: [AnsiColor; 4] = [
    AnsiColor::Cyan,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::Green,
];

/// How far the parts of a turn are further in.
const INDENT: &str = "  ";

/// The name of an agent in its colour.
#[must_use]
pub fn label(trial: &Trial, agent: usize) -> String {
    let style: Style = COLOURS[agent % COLOURS.len()].on_default().bold();
    let name = trial.agents.get(agent).map_or("?", |lane| lane.id.as_str());
    let name = crate::text::one_line(name, 40);
    format!("{style}{name}{style:#}")
}

/// All turns, with what was sent and read.
#[must_use]
pub fn lanes(trial: &Trial, fold: Fold) -> String {
    let mut out = String::new();
    let began = trial.started_at.or_else(|| {
        let turns = trial.agents.iter().flat_map(|lane| &lane.turns);
        turns.filter_map(|turn| turn.at).reduce(f64::min)
    });
    for place in order(trial) {
        let TurnPlace(agent, number) = place;
        let turn = &trial.agents[agent].turns[number];
        let body = body(trial, place, turn, fold);
        if turn.is_reply() || !body.is_empty() {
            let head = headline(trial, place, turn, began);
            let head = fold
                .columns
                .map_or_else(|| head.clone(), |most| cut(&head, most));
            let _ = write!(out, "\n{head}\n{body}");
        }
    }
    out
}

/// The turns of all agents by time. One without a time comes right after the one before it.
fn order(trial: &Trial) -> Vec<TurnPlace> {
    let mut places = Vec::new();
    for (agent, lane) in trial.agents.iter().enumerate() {
        let mut last = f64::NEG_INFINITY;
        for (number, turn) in lane.turns.iter().enumerate() {
            last = turn.at.unwrap_or(last).max(last);
            places.push((last, number, agent));
        }
    }
    // Without any times the agents take turns.
    places.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    places
        .into_iter()
        .map(|(_, number, agent)| TurnPlace(agent, number))
        .collect()
}

fn headline(trial: &Trial, place: TurnPlace, turn: &Turn, began: Option<f64>) -> String {
    let TurnPlace(agent, number) = place;
    let label = label(trial, agent);
    if !turn.is_reply() {
        return label;
    }
    let mut parts = vec![format!("{label} {}", strong(number + 1))];
    if let Some((at, began)) = turn.at.zip(began) {
        parts.push(format!("+{}", exact((at - began).max(0.0))));
    }
    if let Some((taken, written)) = turn.tokens_in.zip(turn.tokens_out) {
        let cached = turn.tokens_cached.filter(|cached| *cached > 0);
        let cached = cached.map(|cached| format!(" ({} cached)", count(cached)));
        let (taken, written) = (count(taken), count(written));
        let cached = cached.unwrap_or_default();
        parts.push(faint(format!("{taken} tokens in{cached}, {written} out")));
    }
    parts.extend(turn.cost.map(|cost| faint(dollars(cost))));
    parts.extend(
        turn.waited
            .map(|waited| broken(format!("waited {}", exact(waited)))),
    );
    parts.join(" · ")
}

/// A number of tokens for people.
fn count(tokens: u64) -> String {
    match tokens {
        0..10_000 => tokens.to_string(),
        _ => format!("{:.0}k", tokens as f64 / 1e3),
    }
}

fn body(trial: &Trial, place: TurnPlace, turn: &Turn, fold: Fold) -> String {
    let mut out = String::new();
    let status = trial.agents[place.0].status.as_deref();
    for mark in &turn.marks {
        // How it ended stands at the end of all.
        if mark.kind == MarkKind::End && Some(mark.text.as_str()) == status {
            continue;
        }
        out.push_str(&told(mark, fold));
    }
    out.push_str(&fold.lines(&turn.thought, INDENT, 12, 3));
    for action in &turn.actions {
        out.push_str(&acted(action, fold));
    }
    if let Some(raw) = &turn.raw {
        let _ = writeln!(out, "{INDENT}{}", broken("not understood:"));
        out.push_str(&fold.lines(raw, "    ", 4, 2));
    }
    for message in &trial.messages {
        let to = crate::text::one_line(&message.to, 40);
        let from = crate::text::one_line(&message.from, 40);
        if message.sent_turn == Some(place) {
            let read = match message.read_turn {
                Some(TurnPlace(_, number)) => format!("read by {to} in turn {}", number + 1),
                None if message.is_unread => broken("never read"),
                None => "nothing says whether it was read".to_owned(),
            };
            let _ = writeln!(out, "{INDENT}{} sent to {to}, {read}", strong("→"));
        }
        // What is delivered stands above already.
        let is_delivered = turn
            .marks
            .iter()
            .any(|mark| mark.kind == MarkKind::Delivered);
        if message.read_turn == Some(place) && !is_delivered {
            let _ = writeln!(out, "{INDENT}{} from {from}", strong("←"));
            out.push_str(&fold.lines(&message.text, "    ", 8, 2));
        }
    }
    out
}

fn told(mark: &Mark, fold: Fold) -> String {
    let (what, head) = match mark.kind {
        MarkKind::System => ("system prompt", 2),
        MarkKind::User => ("task", 6),
        MarkKind::Delivered => ("received", 12),
        MarkKind::Notice => ("told", 4),
        MarkKind::Compaction => ("earlier turns shortened to a summary", 4),
        MarkKind::End => ("end", 6),
    };
    let what = strong(format!("← {what}:"));
    if !mark.text.trim().contains('\n') {
        // A line of its own is not needed.
        let room = fold
            .columns
            .map(|columns| columns.saturating_sub(width(&what) + 1));
        let line = Fold {
            columns: room,
            ..fold
        }
        .lines(&mark.text, "  ", 1, 0);
        return format!("{INDENT}{what} {}", line.trim_start());
    }
    let text = fold.painted(&mark.text, "    ", head, 1, |line| faint(line));
    format!("{INDENT}{what}\n{text}")
}

fn acted(action: &TurnAction, fold: Fold) -> String {
    let mut out = String::new();
    let kinds = std::iter::once(&action.kind).chain(&action.also);
    let names: Vec<&str> = kinds.filter_map(|kind| name(*kind)).collect();
    let is_shell = !matches!(action.kind, ActionKind::Edit | ActionKind::Other);
    let tool = action
        .tool
        .as_deref()
        .filter(|_| !is_shell)
        .unwrap_or_default();
    let tool = crate::text::one_line(tool, 40);
    let words = [tool.as_str(), &names.join(", ")];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    if !words.is_empty() {
        let _ = writeln!(
            out,
            "{INDENT}{}",
            strong(format!("[{}]", words.join(" · ")))
        );
    }
    if action.kind == ActionKind::Edit {
        out.push_str(&fold.painted(&action.text, "    ", 14, 4, coloured));
    } else {
        // The first line has the sign of a shell.
        let lines = fold.lines(&action.text, "    ", 10, 3);
        let first = lines.strip_prefix("    ").filter(|_| is_shell);
        let (sign, rest) = first.map_or(("", lines.as_str()), |rest| ("  $ ", rest));
        out.push_str(sign);
        out.push_str(rest);
    }
    if let Some(output) = &action.output {
        out.push_str(&fold.painted(output, "  │ ", 6, 6, |line| faint(line)));
    }
    let failed = action.failed == Some(true) && action.code.is_none();
    let ended = [
        action
            .code
            .filter(|code| *code != 0)
            .map(|code| bad(format!("exit {code}"))),
        failed.then(|| bad("failed")),
        action.took.filter(|took| *took >= 1.0).map(exact),
        action
            .output
            .is_none()
            .then(|| broken("no output is known")),
    ];
    let ended: Vec<String> = ended.into_iter().flatten().collect();
    if !ended.is_empty() {
        let _ = writeln!(out, "  └ {}", ended.join(", "));
    }
    out
}

/// What is said of an action beside its command.
const fn name(kind: ActionKind) -> Option<&'static str> {
    match kind {
        ActionKind::Submit => Some("submits"),
        ActionKind::Push => Some("pushes"),
        ActionKind::Fetch => Some("fetches"),
        ActionKind::Edit => Some("edit"),
        // The message stands below, with who read it.
        ActionKind::Message | ActionKind::Command | ActionKind::Other => None,
    }
}
