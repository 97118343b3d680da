//! A cause and what it rests on, as results and the ledger hold it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bench::RuleId;
use crate::text::head_and_tail;

/// Whose failure a trial's end was, which decides whether it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The world's: worth another attempt, and no mark against the agent.
    Infra,
    /// The experiment's set-up: the same for every pair, another attempt only costs.
    Config,
    /// A limit of the account that passes by itself, at a time that the provider may say: worth
    /// another attempt then, and no mark against the agent.
    Limit,
    /// The agent's own: a result like any other.
    Agent,
}

impl Cause {
    /// Whether the pair is to run again: it was neither the agent nor the set-up.
    #[must_use]
    pub const fn passes(self) -> bool {
        matches!(self, Self::Infra | Self::Limit)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Infra => "infra",
            Self::Config => "config",
            Self::Limit => "limit",
            Self::Agent => "agent",
        })
    }
}

/// What a cause rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The rule that decided, by its id.
    pub rule: RuleId,
    /// Where the text came from, e.g. `agents.agent1.error`.
    pub source: String,
    /// The text; of one of more than [`Evidence::MAX_CHARS`] characters its head and its tail.
    pub text: String,
}

impl Evidence {
    /// No error that says something is longer: an installer's has 2,000.
    pub const MAX_CHARS: usize = 20_000;

    /// Evidence with its text cut to size.
    #[must_use]
    pub fn new(rule: RuleId, source: &str, text: &str) -> Self {
        Self {
            rule,
            source: source.to_owned(),
            text: head_and_tail(text.trim(), Self::MAX_CHARS),
        }
    }

    /// Whether it says the same as another one, which an earlier version may have cut short.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        let begins = |whole: &str, cut: &str| {
            let head = cut.strip_suffix('…');
            head.is_some_and(|head| whole.starts_with(head))
        };
        self.rule == other.rule
            && self.source == other.source
            && (self.text == other.text || begins(&self.text, &other.text))
    }
}

/// A cause with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Whose failure it was: it decides whether the pair is tried again.
    pub cause: Cause,
    /// The rule that decided, the text, and where that stands.
    pub evidence: Evidence,
    /// When the limit that was met resets, where the text says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<Timestamp>,
}

impl Diagnosis {
    /// One without a time at which a limit resets; of a long text both ends are kept.
    #[must_use]
    pub fn new(cause: Cause, rule: RuleId, source: &str, text: &str) -> Self {
        Self {
            cause,
            evidence: Evidence::new(rule, source, text),
            resets_at: None,
        }
    }
}
