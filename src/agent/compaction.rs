//! Shortening a conversation that comes near the model's window: the task and the recent turns
//! stay, what was before them becomes a summary.

use std::fmt::Write as _;

use super::config::Compaction;
use crate::bench::{RuleId, Usage};
use crate::model::chat::{Message, Role};

/// The part of the model's window from which a conversation is shortened.
const PART_OF_WINDOW: f64 = 0.8;
/// Turns that must have come since the last time: a long task alone would fire at every step.
const TURNS_BETWEEN: usize = 4;
/// The rules of refusals that end a conversation as its agent's own, or as refused for what is new in
/// it. A summary is the harness's question: where it is refused so, the conversation goes on without.
const OF_A_SUMMARY: [RuleId; 5] = [
    RuleId::CONTENT_POLICY,
    RuleId::CONTEXT_WINDOW,
    RuleId::CONVERSATION_REFUSED,
    RuleId::FAILED_TOOL_CALL,
    RuleId::REQUEST_TOO_LARGE,
];
/// The system prompt and the task.
const KEPT: usize = 2;

/// What is about to be shortened.
pub struct CompactionPlan {
    /// Where the recent turns begin.
    recent: usize,
}

impl Compaction {
    /// Whether a conversation is to be shortened, when its last prompt had so many tokens.
    #[must_use]
    pub fn plan(
        &self,
        history: &[Message],
        tokens: u64,
        window: Option<u64>,
    ) -> Option<CompactionPlan> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of tokens"
        )]
        let of_window = window.map(|window| (window as f64 * PART_OF_WINDOW) as u64);
        let trigger = self.trigger.or(of_window)?;
        if !self.enabled || tokens < trigger {
            return None;
        }
        let replies: Vec<usize> = history
            .iter()
            .enumerate()
            .skip(KEPT)
            .filter(|(_, message)| message.role == Role::Assistant)
            .map(|(index, _)| index)
            .collect();
        if replies.len() < self.keep_recent_turns + TURNS_BETWEEN {
            return None;
        }
        let recent = replies.len().checked_sub(self.keep_recent_turns)?;
        let recent = replies.get(recent).copied().unwrap_or(history.len());
        Some(CompactionPlan { recent })
    }
}

/// When a conversation is shortened next.
#[derive(Debug)]
pub struct Due {
    /// The model's window in tokens, where it is known.
    window: Option<u64>,
    /// The tokens of the last prompt.
    last_prompt: u64,
    /// The step before which the last summary could not be used.
    unusable_at: Option<u64>,
    /// Whether it is asked for again at every turn then; see [`crate::model::tape::Tape::asks_at_every_turn`].
    asks_again_at_once: bool,
}

impl Due {
    /// For a conversation that begins.
    pub const fn new(window: Option<u64>, asks_again_at_once: bool) -> Self {
        Self {
            window,
            last_prompt: 0,
            unusable_at: None,
            asks_again_at_once,
        }
    }

    /// How the conversation is to be shortened before the step after so many, if it is. A summary that
    /// could not be used is not asked for again at once: each is paid for.
    pub fn plan(
        &self,
        compaction: &Compaction,
        history: &[Message],
        steps: u64,
    ) -> Option<CompactionPlan> {
        let since = self.unusable_at.map(|at| steps.saturating_sub(at));
        let is_too_early = since.is_some_and(|since| since < TURNS_BETWEEN as u64);
        if is_too_early && !self.asks_again_at_once {
            return None;
        }
        compaction.plan(history, self.last_prompt, self.window)
    }

    /// The conversation was answered; `usage` is what the endpoint says of it.
    pub fn answered(&mut self, usage: Option<Usage>, history: &[Message]) {
        self.last_prompt = usage.map_or_else(
            // About four characters a token, where the endpoint does not say.
            || {
                let lengths = history.iter().map(|message| message.length() as u64);
                lengths.sum::<u64>() / 4
            },
            |usage| usage.input_tokens,
        );
    }

    /// Whether a summary that failed so is no more than one that cannot be used.
    pub fn goes_on_without(&self, rule: &RuleId) -> bool {
        OF_A_SUMMARY.contains(rule) && !self.asks_again_at_once
    }

    /// The summary after so many steps could not be used.
    pub const fn was_unusable(&mut self, steps: u64) {
        self.unusable_at = Some(steps);
    }
}

impl CompactionPlan {
    /// The question to the model: the transcript as data, so that it doesn't go on with it.
    pub fn question(&self, prompt: &str, history: &[Message]) -> Vec<Message> {
        let mut transcript = String::new();
        for message in &history[..self.recent] {
            let _ = writeln!(transcript, "[{:?}]\n{}", message.role, message.content);
            for call in &message.tool_calls {
                let _ = writeln!(transcript, "  -> {}({})", call.name, call.arguments);
            }
        }
        let text =
            format!("{prompt}\n\n--- BEGIN TRANSCRIPT ---\n{transcript}\n--- END TRANSCRIPT ---");
        vec![Message::text(Role::User, text)]
    }

    /// The shortened conversation: the summary is a part of the task's message, since two of a
    /// user's in a row are refused by strict templates.
    pub fn shortened(&self, task: &str, summary: &str, history: &[Message]) -> Vec<Message> {
        let task = format!(
            "{task}\n\n[A summary of your work so far, made because the conversation was long]\n\n{summary}"
        );
        let system = history.iter().take(1).cloned();
        system
            .chain([Message::text(Role::User, task)])
            .chain(history[self.recent..].iter().cloned())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compaction() -> Compaction {
        Compaction {
            enabled: true,
            trigger: Some(100),
            keep_recent_turns: 2,
            prompt: "Sum up.".to_owned(),
        }
    }

    fn history(turns: usize) -> Vec<Message> {
        let mut history = vec![
            Message::text(Role::System, "S"),
            Message::text(Role::User, "T"),
        ];
        for turn in 0..turns {
            let mut reply = Message::text(Role::Assistant, format!("a{turn}"));
            let thought = ("reasoning".to_owned(), turn.into());
            reply.extras.extend([thought]);
            history.push(reply);
            history.push(Message::text(Role::Tool, format!("t{turn}")));
        }
        history
    }

    #[test]
    fn the_task_and_the_recent_turns_stay() {
        let history = history(7);
        let plan = compaction().plan(&history, 100, None).unwrap();
        let question = &plan.question("Sum up.", &history)[0].content;
        assert!(
            question.contains("t4") && !question.contains("a5"),
            "{question}"
        );
        let short = plan.shortened("T", "sum", &history);
        let texts: Vec<_> = short.iter().map(|it| it.content.as_str()).collect();
        assert_eq!(texts[0], "S");
        assert!(texts[1].starts_with("T\n\n[A summary"), "{}", texts[1]);
        assert!(texts[1].ends_with("sum"));
        assert_eq!(texts[2..], ["a5", "t5", "a6", "t6"]);
        assert_eq!(short[2].extras["reasoning"], 5);
        // The next summary takes the place of this one.
        let again = CompactionPlan { recent: 4 }.shortened("T", "more", &short);
        let texts: Vec<_> = again.iter().map(|it| it.content.as_str()).collect();
        assert!(!texts[1].contains("sum\n") && texts[1].ends_with("more"));
        assert_eq!(texts[2..], ["a6", "t6"]);
    }

    #[test]
    fn it_does_not_fire_again_at_once_nor_below_the_trigger() {
        assert!(compaction().plan(&history(7), 99, None).is_none());
        assert!(compaction().plan(&history(5), 1000, None).is_none());
        assert!(compaction().plan(&history(6), 1000, None).is_some());
        let by_window = Compaction {
            trigger: None,
            ..compaction()
        };
        assert!(by_window.plan(&history(7), 79, Some(100)).is_none());
        assert!(by_window.plan(&history(7), 80, Some(100)).is_some());
        assert!(by_window.plan(&history(7), 1 << 40, None).is_none());
    }

    fn usage(input_tokens: u64) -> Usage {
        Usage {
            input_tokens,
            ..Usage::default()
        }
    }

    #[test]
    fn it_is_due_by_the_last_prompt_that_the_endpoint_counted_or_that_was_sent() {
        let history = history(7);
        let is_due = |due: &Due| due.plan(&compaction(), &history, 7).is_some();
        let mut due = Due::new(None, false);
        assert!(!is_due(&due));
        due.answered(Some(usage(99)), &history);
        assert!(!is_due(&due));
        due.answered(Some(usage(100)), &history);
        assert!(is_due(&due));
        // Four bytes a token where it does not say.
        let long = |bytes: usize| [Message::text(Role::User, "x".repeat(bytes))];
        due.answered(None, &long(399));
        assert!(!is_due(&due));
        due.answered(None, &long(400));
        assert!(is_due(&due));
    }

    #[test]
    fn a_summary_that_could_not_be_used_is_asked_for_again_some_turns_later() {
        for at_once in [false, true] {
            let mut due = Due::new(None, at_once);
            due.answered(Some(usage(100)), &history(7));
            due.was_unusable(10);
            let is_due = |steps| due.plan(&compaction(), &history(7), steps).is_some();
            assert_eq!([10, 13, 14].map(is_due), [at_once, at_once, true]);
            assert_eq!(due.goes_on_without(&RuleId::of("context_window")), !at_once);
            assert!(!due.goes_on_without(&RuleId::of("server_error")));
        }
    }
}
