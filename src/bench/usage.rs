//! Tokens of model calls, and what of them can be believed.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Tokens that model calls used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Prompt tokens, those that a cache had or took included.
    pub input_tokens: u64,
    /// Completion tokens, those of reasoning included.
    pub output_tokens: u64,
    /// Those of the prompt tokens that came from the provider's cache.
    #[serde(default)]
    pub cached_tokens: u64,
    /// Those of the prompt tokens that were written to the provider's cache.
    #[serde(default)]
    pub cache_write_tokens: u64,
    /// Those of the completion tokens that were reasoning.
    #[serde(default)]
    pub reasoning_tokens: u64,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        // Each is far below; a sum of what is believed never gets there.
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.input_tokens, other.input_tokens);
        add(&mut self.output_tokens, other.output_tokens);
        add(&mut self.cached_tokens, other.cached_tokens);
        add(&mut self.cache_write_tokens, other.cache_write_tokens);
        add(&mut self.reasoning_tokens, other.reasoning_tokens);
    }
}

/// The most tokens that one call can have: ten times the largest context window of today, the 10
/// million of Llama 4 Scout (<https://ai.meta.com/blog/llama-4-multimodal-intelligence>).
const MOST_IN_A_CALL: u64 = 100_000_000;

/// The most tokens that one agent, and so one trial, can have: ten thousand calls of a million.
const MOST_IN_A_TRIAL: u64 = 10_000_000_000;

/// The most that one trial can cost, in USD. A billion tokens of the dearest model of litellm's
/// list (o1-pro, 600 a million) are 600,000.
const DEAREST_TRIAL: f64 = 1_000_000.0;

/// The longest that a trial can take, in seconds: a year.
const LONGEST_TRIAL: f64 = 366.0 * 86_400.0;

/// A number of tokens as endpoints write it; `None` where it is none, or more than one call can
/// have. Cohere's schema says `double`, so that `71.0` is one too.
#[must_use]
pub fn tokens(value: &Value) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, and between 0 and the most in a call"
    )]
    let whole = |number: f64| {
        let is_count = number.fract() == 0.0 && (0.0..=MOST_IN_A_CALL as f64).contains(&number);
        is_count.then_some(number as u64)
    };
    let count = value.as_u64().or_else(|| whole(value.as_f64()?))?;
    (count <= MOST_IN_A_CALL).then_some(count)
}

/// Like [`tokens`]; a count that is not given is 0.
#[must_use]
pub fn tokens_if_given(value: &Value) -> Option<u64> {
    if value.is_null() {
        return Some(0);
    }
    tokens(value)
}

/// A trial's cost in USD, if it can be one: not negative, not infinite, not beyond every price.
#[must_use]
pub fn believable_cost(usd: f64) -> Option<f64> {
    (0.0..=DEAREST_TRIAL).contains(&usd).then_some(usd)
}

/// A trial's wall-clock seconds, if it can have taken so long.
#[must_use]
pub fn believable_seconds(seconds: f64) -> Option<f64> {
    (0.0..=LONGEST_TRIAL).contains(&seconds).then_some(seconds)
}

impl Usage {
    /// What a trial or an agent used, if it can have used so much.
    #[must_use]
    pub fn believable(self) -> Option<Self> {
        let counts = [
            self.input_tokens,
            self.output_tokens,
            self.cached_tokens,
            self.cache_write_tokens,
            self.reasoning_tokens,
        ];
        let is_so = counts.iter().all(|count| *count <= MOST_IN_A_TRIAL);
        is_so.then_some(self)
    }

    /// Whether every count is zero.
    #[must_use]
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// With the cache's tokens among those of the prompt, whether they were counted there or beside:
    /// Anthropic counts them beside, `OpenAI` among. Where they are more than the prompt's, they
    /// were beside.
    #[must_use]
    pub const fn with_cache_in_prompt(mut self, is_beside: bool) -> Self {
        let of_cache = self.cached_tokens.saturating_add(self.cache_write_tokens);
        if is_beside || of_cache > self.input_tokens {
            self.input_tokens = self.input_tokens.saturating_add(of_cache);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_no_call_can_have_is_no_count() {
        for (value, count) in [
            (json!(0), Some(0)),
            (json!(71), Some(71)),
            (json!(71.0), Some(71)),
            (json!(MOST_IN_A_CALL), Some(MOST_IN_A_CALL)),
            (json!(MOST_IN_A_CALL + 1), None),
            (json!(u64::MAX), None),
            (json!(18_446_744_073_709_551_616.0), None),
            (json!(9.2e18), None),
            (json!(-1), None),
            (json!(-0.5), None),
            (json!(0.5), None),
            (json!("71"), None),
            (json!([71]), None),
            (json!(true), None),
            (json!(null), None),
        ] {
            assert_eq!(tokens(&value), count, "{value}");
        }
        assert_eq!(tokens_if_given(&Value::Null), Some(0));
        assert_eq!(tokens_if_given(&json!(-3)), None);
    }

    #[test]
    fn costs_and_times_that_cannot_be_are_not_believed() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.01, 9.2e16] {
            assert_eq!(believable_cost(value), None, "{value}");
            assert_eq!(believable_seconds(value), None, "{value}");
        }
        assert_eq!(believable_cost(512.5), Some(512.5));
        assert_eq!(believable_seconds(86_400.0), Some(86_400.0));
    }

    #[test]
    fn sums_do_not_wrap() {
        let most = Usage {
            input_tokens: u64::MAX - 1,
            output_tokens: 5,
            cached_tokens: u64::MAX,
            ..Usage::default()
        };
        let mut sum = most;
        sum += most;
        assert_eq!((sum.input_tokens, sum.output_tokens), (u64::MAX, 10));
        assert_eq!(sum.believable(), None);
    }

    #[test]
    fn a_year_and_ten_billion_tokens_are_the_most() {
        let year = 366.0 * 24.0 * 3600.0;
        assert_eq!(believable_seconds(year), Some(year));
        assert_eq!(believable_seconds(year + 1.0), None);
        let used = |reasoning_tokens| Usage {
            reasoning_tokens,
            ..Usage::default()
        };
        let most = used(10_000_000_000);
        assert_eq!(most.believable(), Some(most));
        assert_eq!(used(10_000_000_001).believable(), None);
        assert!(used(0).is_nothing() && !used(1).is_nothing());
    }

    #[test]
    fn the_caches_tokens_are_added_where_they_were_beside_the_prompts() {
        let told = |input_tokens| Usage {
            input_tokens,
            cached_tokens: 500,
            cache_write_tokens: 300,
            ..Usage::default()
        };
        for (input, is_beside, all) in [
            (900, false, 900),
            (800, false, 800),
            (799, false, 1599),
            (900, true, 1700),
        ] {
            let all_of = told(input).with_cache_in_prompt(is_beside);
            assert_eq!(all_of, told(all), "{input}");
        }
    }
}
