//! Tokens and what they cost.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Tokens that model calls used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Prompt tokens, cached ones included.
    pub input_tokens: u64,
    /// Completion tokens.
    pub output_tokens: u64,
    /// Those of the prompt tokens that came from the provider's cache.
    #[serde(default)]
    pub cached_tokens: u64,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cached_tokens += other.cached_tokens;
    }
}

/// The price of a model, in litellm's format (`model_prices_and_context_window.json`):
/// USD per token, and the size of its context window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// USD per prompt token.
    pub input_cost_per_token: f64,
    /// USD per completion token.
    pub output_cost_per_token: f64,
    /// USD per prompt token read from the cache; the input price when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read_input_token_cost: Option<f64>,
    /// The most tokens that a prompt may have; `None` when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_input_tokens: Option<u64>,
}

impl Price {
    /// What these tokens cost, in USD.
    #[must_use]
    pub fn of(&self, usage: Usage) -> f64 {
        let cached = usage.cached_tokens.min(usage.input_tokens);
        let cached_price = self
            .cache_read_input_token_cost
            .unwrap_or(self.input_cost_per_token);
        (usage.input_tokens - cached) as f64 * self.input_cost_per_token
            + cached as f64 * cached_price
            + usage.output_tokens as f64 * self.output_cost_per_token
    }
}
