//! What the rules are asked about an error.

use super::Cause;
use super::notice::is_notice;
use crate::store::words::{Author, KnownText};

/// What is known of an error when the rules are asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Question<'a> {
    /// What the error says, as it was recorded.
    pub text: &'a str,
    /// The exception's class, where it was recorded beside the text.
    pub class: Option<&'a str>,
    /// The HTTP status that the agent's program recorded.
    pub status: Option<u16>,
    /// Whether the words are an agent's own: only a user's rules are asked of them.
    pub is_own: bool,
}

impl<'a> Question<'a> {
    /// Asks about words, as far as their author can be believed.
    #[must_use]
    pub fn of(words: &'a KnownText, class: Option<&'a str>) -> Self {
        let is_own = words.author == Author::Agent && !is_notice(&words.text);
        Self {
            text: &words.text,
            class,
            // Of an agent's own words the status is one of its words.
            status: words.status.filter(|_| !is_own),
            is_own,
        }
    }

    /// Whether the status, which no agent can have written, leaves room for a cause that the words
    /// give.
    pub(super) fn allows(&self, cause: Cause) -> bool {
        match self.status {
            Some(401 | 402) => !matches!(cause, Cause::Infra | Cause::Agent),
            Some(408 | 500..=599) => cause != Cause::Config,
            Some(429) => cause != Cause::Agent,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_agents_own_words_neither_rules_nor_status_are_believed() {
        let notice = r#"API Error: 401 {"type":"error"}"#;
        let sentence = "API Error: 401 is what the handler returns now, as the feature asks.";
        for (text, author, is_own, status) in [
            (notice, Author::Agent, false, Some(401)),
            (sentence, Author::Agent, true, None),
            (sentence, Author::Client, false, Some(401)),
            (sentence, Author::Harness, false, Some(401)),
        ] {
            let words = KnownText::new("x", text, author);
            let asked = Question::of(&words, Some("Oops"));
            assert_eq!((asked.is_own, asked.status), (is_own, status), "{words:?}");
            assert_eq!((asked.text, asked.class), (text, Some("Oops")));
        }
    }

    #[test]
    fn a_recorded_status_leaves_room_for_some_causes_only() {
        use Cause::{Agent, Config, Infra, Limit};
        for (status, causes) in [
            (None, &[Agent, Config, Infra, Limit][..]),
            (Some(400), &[Agent, Config, Infra, Limit]),
            (Some(401), &[Config, Limit]),
            (Some(402), &[Config, Limit]),
            (Some(408), &[Agent, Infra, Limit]),
            (Some(429), &[Config, Infra, Limit]),
            (Some(500), &[Agent, Infra, Limit]),
            (Some(599), &[Agent, Infra, Limit]),
        ] {
            let asked = Question {
                status,
                ..Question::default()
            };
            let allowed: Vec<Cause> = [Agent, Config, Infra, Limit]
                .into_iter()
                .filter(|cause| asked.allows(*cause))
                .collect();
            assert_eq!(allowed, causes, "{status:?}");
        }
    }
}
