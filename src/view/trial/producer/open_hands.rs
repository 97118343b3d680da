//! The `OpenHands` SDK: events of which upstream keeps the kind and the first words.

use serde_json::Value;

use super::super::telling::Telling;
use super::super::words::{bounded, text_of};
use super::super::{ActionKind, MarkKind, Turn, TurnAction};
use super::chat;

/// Reads the events of a trajectory, in order.
pub fn tell(events: &[Value], telling: &mut Telling) {
    for event in events {
        let shown = text_of(&event["event"]);
        match (event["event_type"].as_str(), shown) {
            (Some("ActionEvent"), Some(shown)) => acts(event, shown, telling),
            (
                Some("ObservationEvent" | "AgentErrorEvent" | "UserRejectObservation"),
                Some(shown),
            ) => {
                seen(shown, telling);
            }
            (Some("MessageEvent"), Some(shown)) => says(shown, telling),
            (Some("SystemPromptEvent"), Some(shown)) => {
                telling.mark(MarkKind::System, words(shown), None);
            }
            (Some("Condensation" | "CondensationSummaryEvent"), Some(shown)) => {
                telling.mark(MarkKind::Compaction, shown, None);
            }
            (Some("ConversationErrorEvent"), Some(shown)) => {
                telling.mark(MarkKind::End, words(shown), None);
            }
            (Some("ConversationStateUpdateEvent"), _) => {}
            _ => chat::tell(std::slice::from_ref(event), telling),
        }
    }
}

/// An event's words without its first line, which has its kind and source.
fn words(shown: &str) -> &str {
    shown
        .split_once('\n')
        .map_or(shown, |(_, words)| words.trim())
}

/// The text after a name in an event's words, up to the next one.
fn part<'a>(shown: &'a str, name: &str, next: &str) -> Option<&'a str> {
    let (_, rest) = shown.split_once(&format!("\n  {name}: "))?;
    let end = rest.rfind(&format!("\n  {next}: "));
    Some(rest[..end.unwrap_or(rest.len())].trim())
}

fn acts(event: &Value, shown: &str, telling: &mut Telling) {
    let thought = part(shown, "Thought", "Action").unwrap_or_default();
    let tool = part(shown, "Action", "Call").unwrap_or("?");
    telling.turn(Turn {
        thought: bounded(thought),
        ..Turn::default()
    });
    let kind = match tool {
        "SendMessageAction" => ActionKind::Message,
        "FinishAction" => ActionKind::Submit,
        "TerminalAction" | "ExecuteBashAction" => ActionKind::Command,
        "FileEditorAction" | "StrReplaceEditorAction" | "ApplyPatchAction" => ActionKind::Edit,
        _ => ActionKind::Other,
    };
    let text = text_of(&event["msg"]).unwrap_or_default();
    telling.act(
        None,
        TurnAction {
            tool: Some(tool.to_owned()),
            ..TurnAction::new(kind, bounded(text))
        },
    );
}

fn seen(shown: &str, telling: &mut Telling) {
    let failed = part(shown, "Error", "\0").or_else(|| part(shown, "Reason", "\0"));
    let result = part(shown, "Result", "\0")
        .or(failed)
        .unwrap_or_else(|| words(shown));
    match telling.waiting() {
        Some(action) => {
            action.ended(result, None);
            action.failed = failed.map(|_| true);
        }
        None => telling.mark(MarkKind::Notice, result, None),
    }
}

fn says(shown: &str, telling: &mut Telling) {
    let text = words(shown);
    if shown.starts_with("MessageEvent (agent)") {
        let thought = bounded(text.strip_prefix("assistant: ").unwrap_or(text));
        telling.turn(Turn {
            thought,
            ..Turn::default()
        });
    } else {
        let text = text.strip_prefix("user: ").unwrap_or(text);
        telling.mark(chat::said_by_user(text, telling), text, None);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_turns_with_what_their_words_tell() {
        let of = |kind: &str, event: &str| json!({"step": 1, "event_type": kind, "event": event});
        let mut sent = of(
            "ActionEvent",
            "ActionEvent (agent)\n  Thought: \n  Action: SendMessageAction",
        );
        sent["msg"] = json!("I mend the roof.");
        let events = [
            of(
                "SystemPromptEvent",
                "SystemPromptEvent (agent)\n  System: You mend.",
            ),
            of("MessageEvent", "MessageEvent (user)\n  user: Mend it."),
            of(
                "ActionEvent",
                "ActionEvent (agent)\n  Thought: I look.\n  Action: TerminalAction",
            ),
            of(
                "ObservationEvent",
                "ObservationEvent (environment)\n  Tool: terminal\n  Result: nest",
            ),
            sent,
            of(
                "AgentErrorEvent",
                "AgentErrorEvent (agent)\n  Error: no such peer",
            ),
            of("MessageEvent", "MessageEvent (agent)\n  assistant: Mended."),
            of("HologramEvent", "HologramEvent (agent)"),
        ];
        let mut telling = Telling::default();
        tell(&events, &mut telling);
        let turns = telling.end();
        assert_eq!(turns[0].marks.len(), 2);
        let look = &turns[0].actions[0];
        assert_eq!(
            (look.kind, look.output.as_deref()),
            (ActionKind::Command, Some("nest"))
        );
        let sent = &turns[1].actions[0];
        assert_eq!(
            (sent.kind, sent.text.as_str()),
            (ActionKind::Message, "I mend the roof.")
        );
        assert_eq!(
            (sent.output.as_deref(), sent.failed),
            (Some("no such peer"), Some(true))
        );
        assert_eq!(turns[2].thought, "Mended.");
        assert!(turns[3].raw.as_deref().unwrap().contains("Hologram"));
    }
}
