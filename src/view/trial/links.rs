//! Messages between agents: who sent what in which turn, and in which it was read.

use std::collections::HashSet;

use serde_json::Value;

use super::command::messages;
use super::words::{seconds, text_of};
use super::{ActionKind, AgentLane, MarkKind, Producer, TrialMessage, Turn, TurnAction, TurnPlace};

/// How much of a message is looked for, in letters and digits: what shows it may have cut it.
const LOOKED_FOR: usize = 160;

/// How far the clocks of sender and receiver may be apart, in seconds.
const SLACK: f64 = 5.0;

/// The longest time between a command that sends and its message, in seconds.
const AROUND: f64 = 60.0;

/// A message as a file lists it; `None` for what is none.
pub fn listed(entry: &Value) -> Option<TrialMessage> {
    let text = [&entry["message"], &entry["content"], &entry["msg"]];
    let name = |field: &str| text_of(&entry[field]).map(str::to_owned);
    Some(TrialMessage {
        from: name("from")?,
        to: name("to").unwrap_or_default(),
        text: text.into_iter().find_map(Value::as_str)?.to_owned(),
        sent_at: seconds(&entry["timestamp"]),
        sent_turn: None,
        read_turn: None,
        is_unread: false,
    })
}

/// The messages that the agents' commands send, where no file lists them.
pub fn by_commands(agents: &[AgentLane]) -> Vec<TrialMessage> {
    let mut found = Vec::new();
    for lane in agents {
        let actions = lane.turns.iter().flat_map(|turn| &turn.actions);
        for action in actions.filter(|action| is_sending(action)) {
            let output = action.output.as_deref().unwrap_or_default();
            if output.contains("NOT delivered") || output.contains("NOT sent") {
                continue;
            }
            for (to, text) in messages(&action.text) {
                let others = agents.iter().filter(|other| other.id != lane.id);
                let all = || others.map(|other| other.id.clone()).collect();
                for to in to.map_or_else(all, |to| vec![to]) {
                    found.push(TrialMessage {
                        from: lane.id.clone(),
                        to,
                        text: text.clone(),
                        sent_at: None,
                        sent_turn: None,
                        read_turn: None,
                        is_unread: false,
                    });
                }
            }
        }
    }
    found
}

fn is_sending(action: &TurnAction) -> bool {
    action.kind == ActionKind::Message || action.also.contains(&ActionKind::Message)
}

/// Finds for each message the turn that sent it and the one that read it, and puts them in order.
pub fn link(agents: &[AgentLane], sent: Vec<TrialMessage>) -> Vec<TrialMessage> {
    let texts = if sent.is_empty() {
        Vec::new()
    } else {
        agents.iter().map(LaneTexts::of).collect()
    };
    let mut used = HashSet::new();
    let mut linked: Vec<TrialMessage> = sent
        .into_iter()
        .map(|mut message| {
            let find = |id: &str| agents.iter().position(|lane| lane.id == id);
            let key = key(&message.text);
            if let Some(lane) = find(&message.from) {
                let found = texts[lane].sending(&key, message.sent_at, &mut used, lane);
                message.sent_turn = found.map(|place| TurnPlace(lane, place.turn));
                message.sent_at = message.sent_at.or(found.and_then(|place| place.ended));
            }
            if let Some(lane) = find(&message.to) {
                let found = texts[lane].reading(&key, &message, &mut used, lane);
                message.read_turn = found.map(|turn| TurnPlace(lane, turn));
                let is_known = agents[lane].producer != Producer::Unknown
                    && !agents[lane].turns.is_empty()
                    && agents[lane].untold.is_empty();
                message.is_unread = found.is_none() && is_known;
            }
            message
        })
        .collect();
    linked.sort_by(|a, b| {
        let at = |message: &TrialMessage| message.sent_at.unwrap_or(f64::INFINITY);
        at(a).total_cmp(&at(b))
    });
    linked
}

/// What of a message stays the same in every writing: in a shell's quotes, in JSON, in lines.
fn key(text: &str) -> String {
    let mut key = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            // An escape in JSON: of a line's end, or of a character by its number.
            match chars.next() {
                Some('u') => drop(chars.by_ref().take(4).count()),
                Some(c) if !"ntrbf".contains(c) => {
                    key.extend(c.is_ascii_alphanumeric().then_some(c));
                }
                _ => {}
            }
        } else if c.is_ascii_alphanumeric() {
            key.push(c);
        }
    }
    key
}

/// A text of a lane, by its key.
struct LaneText {
    turn: usize,
    key: String,
    /// Where a message came in, from whom; none of a command.
    from: Option<String>,
    began: Option<f64>,
    ended: Option<f64>,
}

/// All texts of a lane in which messages can be.
struct LaneTexts {
    sending: Vec<LaneText>,
    reading: Vec<LaneText>,
}

impl LaneTexts {
    fn of(lane: &AgentLane) -> Self {
        let mut texts = Self {
            sending: Vec::new(),
            reading: Vec::new(),
        };
        for (place, turn) in lane.turns.iter().enumerate() {
            texts.take_in(place, turn);
        }
        texts
    }

    fn take_in(&mut self, place: usize, turn: &Turn) {
        let delivered = turn
            .marks
            .iter()
            .filter(|mark| mark.kind == MarkKind::Delivered);
        self.reading.extend(delivered.map(|mark| LaneText {
            turn: place,
            key: key(&mark.text),
            from: sender(&mark.text),
            began: mark.at.or(turn.at),
            ended: mark.at.or(turn.at),
        }));
        for action in &turn.actions {
            let ended = action
                .at
                .map(|at| at + action.took.unwrap_or(0.0))
                .or(turn.at);
            let text = |key: String| LaneText {
                turn: place,
                key,
                from: None,
                began: action.at.or(turn.at),
                ended,
            };
            if is_sending(action) {
                self.sending.push(text(key(&action.text)));
            }
            if let Some(output) = action
                .output
                .as_deref()
                .filter(|output| shows_messages(output))
            {
                self.reading.push(text(key(output)));
            }
        }
    }

    /// The command that sends a message: by its text, or else by its time.
    fn sending(
        &self,
        key: &str,
        at: Option<f64>,
        used: &mut HashSet<(usize, bool, usize, usize)>,
        lane: usize,
    ) -> Option<&LaneText> {
        let key = cut(key);
        let mut by_text = self
            .sending
            .iter()
            .enumerate()
            .filter(|(_, text)| text.key.contains(key));
        let near = |text: &LaneText| {
            let (at, began) = (at?, text.began?);
            let is_near = began <= at + SLACK && at <= text.ended.unwrap_or(began) + AROUND;
            Some(is_near)
        };
        let found = by_text.find(|(place, text)| {
            near(text) != Some(false)
                && used.insert((lane, true, *place, text.key.find(key).unwrap_or(0)))
        });
        let by_time = || {
            self.sending
                .iter()
                .rev()
                .find(|text| near(text) == Some(true))
        };
        found.map(|(_, text)| text).or_else(by_time)
    }

    /// The first turn that shows a message to its receiver.
    fn reading(
        &self,
        key: &str,
        message: &TrialMessage,
        used: &mut HashSet<(usize, bool, usize, usize)>,
        lane: usize,
    ) -> Option<usize> {
        let key = cut(key);
        let is_too_early = |text: &LaneText| {
            let sent = message.sent_at.zip(text.ended);
            sent.is_some_and(|(sent, ended)| ended < sent - SLACK)
        };
        let is_others = |text: &LaneText| text.from.as_ref().is_some_and(|it| *it != message.from);
        let texts = self.reading.iter().enumerate();
        for (place, text) in texts.filter(|(_, text)| !is_too_early(text) && !is_others(text)) {
            for (at, _) in text.key.match_indices(key) {
                if used.insert((lane, false, place, at)) {
                    return Some(text.turn);
                }
            }
        }
        None
    }
}

/// The beginning of a key, by which it is looked for.
fn cut(key: &str) -> &str {
    &key[..key.len().min(LOOKED_FOR)]
}

/// Whether an output may show messages: most are long and show none.
fn shows_messages(output: &str) -> bool {
    output.contains("\"from\"")
        || output.contains("[Reply from ")
        || output.contains("[Message from ")
}

/// The agent whose message a text delivers.
fn sender(text: &str) -> Option<String> {
    let rest = text.strip_prefix("[Message from ")?;
    let end = rest.find(|c: char| c.is_whitespace() || c == ']')?;
    Some(rest[..end].to_owned())
}

#[cfg(test)]
mod tests;
