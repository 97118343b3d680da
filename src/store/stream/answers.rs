//! What an agent's files hold of its model's answers: all that is known where its counts were not
//! written.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{MOST, is_anothers};
use crate::bench::{Usage, tokens_if_given};
use crate::files;
use crate::store::PairDir;

/// The most of a file that is looked at, from its end. An agent that was answered says so long
/// before this.
const WHOLE: u64 = 64 << 20;

/// What an agent's program wrote of its model's answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Whether the model answered at all, as far as the program wrote.
    pub any: bool,
    /// Whether the program wrote events at all.
    pub has_events: bool,
    /// Whether an event says what all calls together used.
    pub is_summed: bool,
    /// Tokens of the answers, where each tells them and all are one model's. Claude Code notes those
    /// of the prompt, and of what was written only those at an answer's begin: it is a part.
    pub usage: Option<Usage>,
}

/// Reads them from an agent's stream, or from what else its program left.
#[must_use]
pub fn answers(dir: &PairDir, agent: &str) -> Answers {
    let mut found = Answers::default();
    for what in ["stream.jsonl", "session.jsonl", "stream.log"] {
        let Some(path) = dir.of_program(agent, what) else {
            continue;
        };
        let bytes = files::read_last(&path, WHOLE).unwrap_or_default();
        let end = bytes
            .len()
            .saturating_sub(usize::try_from(MOST).unwrap_or(0));
        if bytes.is_empty() || is_anothers(dir, &path, &bytes[end..]) {
            continue;
        }
        let text = String::from_utf8_lossy(&bytes);
        if what == "stream.log" {
            found.any |= text.lines().any(is_work);
            continue;
        }
        let here = of_events(&text);
        found = Answers {
            any: found.any || here.any,
            has_events: found.has_events || here.has_events,
            is_summed: found.is_summed || here.is_summed,
            usage: found.usage.or(here.usage),
        };
    }
    found
}

/// Whether a line of Codex's log stands above something that its model said or did.
fn is_work(line: &str) -> bool {
    // Older versions begin a line with the time.
    let line = match line.split_once("] ") {
        Some((time, rest)) if time.starts_with("[20") => rest,
        _ => line,
    };
    matches!(line, "codex" | "exec" | "thinking") || line.starts_with("exec ")
}

fn of_events(text: &str) -> Answers {
    let mut found = Answers::default();
    // An answer is written once for each of its blocks.
    let mut told: BTreeMap<String, Option<Usage>> = BTreeMap::new();
    let mut models = BTreeSet::new();
    let of_interest = |line: &&str| {
        ["\"assistant\"", "\"item.", "\"result\""]
            .iter()
            .any(|kind| line.contains(kind))
    };
    found.has_events = text.lines().any(|line| line.starts_with('{'));
    for line in text.lines().filter(of_interest) {
        let Ok(event) = crate::json::of_text::<Value>(line) else {
            continue;
        };
        let kind = event["type"].as_str().unwrap_or_default();
        let message = &event["message"];
        match kind {
            "result" => found.is_summed = true,
            "assistant"
                if message["model"] != "<synthetic>" && event["isApiErrorMessage"] != true =>
            {
                found.any = true;
                models.insert(message["model"].as_str().unwrap_or_default().to_owned());
                let id = message["id"].as_str();
                let id = id.map_or_else(|| format!("{}", told.len()), str::to_owned);
                told.insert(id, of_prompt(&message["usage"]));
            }
            // Codex's items of this type are warnings; all others are work.
            _ if kind.starts_with("item.") && event["item"]["type"] != "error" => found.any = true,
            _ => {}
        }
    }
    let mut sum = None;
    for usage in told.into_values() {
        let Some(usage) = usage else {
            return found;
        };
        *sum.get_or_insert_with(Usage::default) += usage;
    }
    found.usage = sum
        .filter(|_| models.len() == 1)
        .and_then(Usage::believable);
    found
}

/// The tokens of an answer in Anthropic's shape.
fn of_prompt(usage: &Value) -> Option<Usage> {
    let used = Usage {
        input_tokens: tokens_if_given(&usage["input_tokens"])?,
        output_tokens: tokens_if_given(&usage["output_tokens"])?,
        cached_tokens: tokens_if_given(&usage["cache_read_input_tokens"])?,
        cache_write_tokens: tokens_if_given(&usage["cache_creation_input_tokens"])?,
        ..Usage::default()
    };
    let used = used.with_cache_in_prompt(true);
    (used.input_tokens > 0).then_some(used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_once_and_what_its_program_wrote_not_at_all() {
        let block = r#"{"type":"assistant","message":{"id":"a","model":"m","usage":{"input_tokens":3,"cache_read_input_tokens":40,"cache_creation_input_tokens":5,"output_tokens":1}}}"#;
        let other = block.replace("\"id\":\"a\"", "\"id\":\"b\"");
        let own = r#"{"type":"assistant","message":{"id":"c","model":"<synthetic>","usage":{"input_tokens":0}}}"#;
        let found = of_events(&[block, block, &other, own, "{\"type\":\"assist"].join("\n"));
        let usage = found.usage.unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens), (96, 2));
        assert_eq!((usage.cached_tokens, usage.cache_write_tokens), (80, 10));
        assert!(found.any && found.has_events && !found.is_summed);
        let untold = other.replace("\"input_tokens\":3", "\"input_tokens\":\"3\"");
        assert_eq!(of_events(&[block, &untold].join("\n")).usage, None);
        let cheaper = other.replace("\"m\"", "\"n\"");
        assert_eq!(of_events(&[block, &cheaper].join("\n")).usage, None);
        let none = of_events(&[own, r#"{"type":"result","is_error":true}"#].join("\n"));
        assert!(!none.any && none.is_summed);
    }

    #[test]
    fn codexs_items_are_work_and_its_warnings_are_none() {
        let any = |line: &str| of_events(line).any;
        assert!(any(
            r#"{"type":"item.started","item":{"type":"command_execution"}}"#
        ));
        assert!(!any(
            r#"{"type":"item.completed","item":{"type":"error","message":"old"}}"#
        ));
        assert!(!any(r#"{"type":"turn.failed","error":{"message":"no"}}"#));
        for (line, is) in [
            ("codex", true),
            (
                "[2026-03-01T10:00:00] exec bash -lc 'ls' in /workspace",
                true,
            ),
            ("Reading the code of codex", false),
            ("ERROR: unexpected status 401 Unauthorized", false),
        ] {
            assert_eq!(is_work(line), is, "{line}");
        }
    }
}
