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
