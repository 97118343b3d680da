//! What tokens cost.

use serde::{Deserialize, Serialize};

use super::{Usage, believable_cost};

/// The price of a model, in litellm's format (`model_prices_and_context_window.json`):
/// USD per token, and the size of its context window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// USD per prompt token; of a cache's too, unless those have a price of their own.
    pub input_cost_per_token: f64,
    /// USD per completion token, of reasoning too unless that has its own price.
    pub output_cost_per_token: f64,
    /// USD per prompt token read from the cache; the input price when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read_input_token_cost: Option<f64>,
    /// USD per prompt token written to the cache; the input price when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_creation_input_token_cost: Option<f64>,
    /// USD per completion token of reasoning; the output price when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_cost_per_reasoning_token: Option<f64>,
    /// The most tokens that a prompt may have; `None` when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_input_tokens: Option<u64>,
}

/// The most that a token can cost, in USD: a thousand times the dearest of litellm's list.
const DEAREST_TOKEN: f64 = 1.0;

impl Price {
    /// Whether tokens can cost so much: not negative, not infinite, and at most a dollar each.
    #[must_use]
    pub fn is_believable(&self) -> bool {
        let prices = [
            Some(self.input_cost_per_token),
            Some(self.output_cost_per_token),
            self.cache_read_input_token_cost,
            self.cache_creation_input_token_cost,
            self.output_cost_per_reasoning_token,
        ];
        let is_one = |usd: f64| (0.0..=DEAREST_TOKEN).contains(&usd);
        prices.into_iter().flatten().all(is_one)
    }

    /// What these tokens cost, in USD; `None` where the price makes it what nothing can cost.
    #[must_use]
    pub fn of(&self, usage: Usage) -> Option<f64> {
        let (input, output) = (self.input_cost_per_token, self.output_cost_per_token);
        let cached = usage.cached_tokens.min(usage.input_tokens);
        let written = usage.cache_write_tokens.min(usage.input_tokens - cached);
        let reasoned = usage.reasoning_tokens.min(usage.output_tokens);
        let parts = [
            (usage.input_tokens - cached - written, input),
            (cached, self.cache_read_input_token_cost.unwrap_or(input)),
            (
                written,
                self.cache_creation_input_token_cost.unwrap_or(input),
            ),
            (usage.output_tokens - reasoned, output),
            (
                reasoned,
                self.output_cost_per_reasoning_token.unwrap_or(output),
            ),
        ];
        believable_cost(parts.iter().map(|(count, usd)| *count as f64 * usd).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mad_price_makes_no_cost() {
        let price = |usd| Price {
            input_cost_per_token: usd,
            ..Price::default()
        };
        let used = Usage {
            input_tokens: 1000,
            ..Usage::default()
        };
        assert_eq!(price(0.001).of(used), Some(1.0));
        assert!(price(0.001).is_believable());
        for mad in [-1.0, 1e300, f64::NAN, f64::INFINITY] {
            assert_eq!(price(mad).of(used), None, "{mad}");
            assert!(!price(mad).is_believable(), "{mad}");
            let written = Price {
                cache_creation_input_token_cost: Some(mad),
                ..price(0.001)
            };
            let reasoned = Price {
                output_cost_per_reasoning_token: Some(mad),
                ..price(0.001)
            };
            assert!(!written.is_believable() && !reasoned.is_believable());
        }
    }

    #[test]
    fn each_kind_of_token_has_its_price_or_that_of_its_side() {
        let used = Usage {
            input_tokens: 1000,
            output_tokens: 100,
            cached_tokens: 600,
            cache_write_tokens: 300,
            reasoning_tokens: 40,
        };
        let plain = Price {
            input_cost_per_token: 0.01,
            output_cost_per_token: 0.1,
            ..Price::default()
        };
        let close = |cost: Option<f64>, wanted: f64| (cost.unwrap() - wanted).abs() < 1e-9;
        assert!(close(plain.of(used), 20.0));
        let own = Price {
            cache_read_input_token_cost: Some(0.001),
            cache_creation_input_token_cost: Some(0.02),
            output_cost_per_reasoning_token: Some(0.2),
            ..plain
        };
        // 100 at 0.01, 600 at 0.001, 300 at 0.02, 60 at 0.1 and 40 at 0.2.
        assert!(close(own.of(used), 1.0 + 0.6 + 6.0 + 6.0 + 8.0));
    }

    #[test]
    fn a_token_is_paid_once_whatever_a_usage_says() {
        let used = Usage {
            input_tokens: 1000,
            cached_tokens: 600,
            cache_write_tokens: 600,
            ..Usage::default()
        };
        let price = Price {
            input_cost_per_token: 1.0,
            cache_read_input_token_cost: Some(0.25),
            cache_creation_input_token_cost: Some(0.5),
            ..Price::default()
        };
        assert_eq!(price.of(used), Some(600.0 * 0.25 + 400.0 * 0.5));
    }
}
