//! The usage that endpoints tell with an answer.

use serde_json::Value;

use super::{Usage, tokens, tokens_if_given};

/// Usage in `OpenAI`'s shape, to which litellm normalises every provider's; `None` where it is none
/// that a call can have. A call without a prompt is none: an endpoint that counts 0 does not count.
///
/// Beside `OpenAI`'s names are those under which litellm, `OpenRouter`, `DeepSeek` and Moonshot tell
/// of the cache.
#[must_use]
pub fn of_openai(usage: &Value) -> Option<Usage> {
    let prompt = &usage["prompt_tokens_details"];
    let completion = &usage["completion_tokens_details"];
    let told = Usage {
        input_tokens: tokens(&usage["prompt_tokens"])?,
        output_tokens: tokens(&usage["completion_tokens"])?,
        cached_tokens: first(&[
            &prompt["cached_tokens"],
            &usage["cache_read_input_tokens"],
            &usage["prompt_cache_hit_tokens"],
            &usage["cached_tokens"],
        ])?,
        cache_write_tokens: first(&[
            &prompt["cache_creation_tokens"],
            &prompt["cache_write_tokens"],
            &prompt["cached_creation_tokens"],
            &usage["cache_creation_input_tokens"],
            &usage["cache_write_input_tokens"],
            &usage["cached_creation_tokens"],
            &usage["cache_creation"]["ephemeral_5m_input_tokens"],
        ])?,
        reasoning_tokens: first(&[&completion["reasoning_tokens"], &usage["reasoning_tokens"]])?,
    };
    let told = with_the_rest(told, tokens(&usage["total_tokens"]));
    (told.input_tokens > 0).then_some(told)
}

/// Usage of Cohere's v2 chat: the tokens that the model saw and wrote, as litellm counts them. The
/// billed ones stand in for them; they leave out what Cohere adds to a prompt.
#[must_use]
pub fn of_cohere(usage: &Value) -> Option<Usage> {
    ["tokens", "billed_units"].iter().find_map(|kind| {
        let counts = &usage[kind];
        let told = Usage {
            input_tokens: tokens(&counts["input_tokens"])?,
            output_tokens: tokens(&counts["output_tokens"])?,
            cached_tokens: tokens_if_given(&usage["cached_tokens"])?,
            ..Usage::default()
        };
        (told.input_tokens > 0).then_some(told)
    })
}

/// Usage in either shape, told apart by what is there.
#[must_use]
pub fn of_either(usage: &Value) -> Option<Usage> {
    if usage["tokens"].is_object() || usage["billed_units"].is_object() {
        of_cohere(usage)
    } else {
        of_openai(usage)
    }
}

/// The first of the places that has a count; 0 where none is given, `None` where one is no count.
fn first(places: &[&Value]) -> Option<u64> {
    let counts: Option<Vec<u64>> = places.iter().map(|place| tokens_if_given(place)).collect();
    Some(counts?.into_iter().find(|count| *count > 0).unwrap_or(0))
}

/// With what was counted beside the prompt and the completion among them, which the total shows: xAI
/// counts the reasoning beside, Anthropic the cache. Any other rest was written, and not told of:
/// Gemini's thoughts, of which some gateways pass on the total alone.
fn with_the_rest(mut told: Usage, total: Option<u64>) -> Usage {
    let sum = told.input_tokens.saturating_add(told.output_tokens);
    let mut rest = total.unwrap_or(0).saturating_sub(sum);
    let reasoning = told.reasoning_tokens;
    let of_cache = told.cached_tokens.saturating_add(told.cache_write_tokens);
    let is_rest = [reasoning, reasoning.saturating_add(of_cache)].contains(&rest);
    if reasoning > told.output_tokens || reasoning > 0 && is_rest {
        told.output_tokens += reasoning;
        rest = rest.saturating_sub(reasoning);
    }
    let is_beside = rest > 0 && rest == of_cache;
    if is_beside || of_cache > told.input_tokens {
        rest = rest.saturating_sub(of_cache);
    } else if [told.cached_tokens, told.cache_write_tokens].contains(&rest) {
        // One part of the cache is among the prompt's tokens, the other is not.
        told.input_tokens += std::mem::take(&mut rest);
    }
    told.output_tokens += rest;
    told.with_cache_in_prompt(is_beside)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn counts(usage: Usage) -> [u64; 5] {
        [
            usage.input_tokens,
            usage.output_tokens,
            usage.cached_tokens,
            usage.cache_write_tokens,
            usage.reasoning_tokens,
        ]
    }

    #[test]
    fn every_kind_of_token_is_read_under_each_of_its_names() {
        for (usage, wanted) in [
            (
                json!({"prompt_tokens": 900, "completion_tokens": 80, "total_tokens": 980,
                    "prompt_tokens_details": {"cached_tokens": 500, "cache_creation_tokens": 300},
                    "completion_tokens_details": {"reasoning_tokens": 60}}),
                [900, 80, 500, 300, 60],
            ),
            (
                json!({"prompt_tokens": 900, "completion_tokens": 80, "prompt_tokens_details": null,
                    "cache_read_input_tokens": 500, "cache_creation_input_tokens": 300}),
                [900, 80, 500, 300, 0],
            ),
            (
                json!({"prompt_tokens": 900, "completion_tokens": 80,
                    "prompt_cache_hit_tokens": 640, "prompt_cache_miss_tokens": 260}),
                [900, 80, 640, 0, 0],
            ),
            (
                json!({"prompt_tokens": 900, "completion_tokens": 80, "cached_tokens": 512}),
                [900, 80, 512, 0, 0],
            ),
            // Counted beside the prompt and the completion.
            (
                json!({"prompt_tokens": 20, "completion_tokens": 80,
                    "cache_read_input_tokens": 500, "cache_creation_input_tokens": 300}),
                [820, 80, 500, 300, 0],
            ),
            (
                json!({"prompt_tokens": 20, "completion_tokens": 80, "total_tokens": 150,
                    "completion_tokens_details": {"reasoning_tokens": 50}}),
                [20, 130, 0, 0, 50],
            ),
            (
                json!({"prompt_tokens": 1000, "completion_tokens": 80, "total_tokens": 1580,
                    "prompt_tokens_details": {"cached_tokens": 500}}),
                [1500, 80, 500, 0, 0],
            ),
            (
                json!({"prompt_tokens": 1000, "completion_tokens": 80, "total_tokens": 1630,
                    "cached_tokens": 500,
                    "completion_tokens_details": {"reasoning_tokens": 50}}),
                [1500, 130, 500, 0, 50],
            ),
            (
                json!({"prompt_tokens": 1000, "completion_tokens": 80, "total_tokens": 1380,
                    "cache_read_input_tokens": 500, "cache_creation_input_tokens": 300}),
                [1300, 80, 500, 300, 0],
            ),
            // Told by the total alone.
            (
                json!({"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 3010}),
                [1000, 2010, 0, 0, 0],
            ),
            (
                json!({"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 3010,
                    "prompt_tokens_details": {"cached_tokens": 500}}),
                [1000, 2010, 500, 0, 0],
            ),
            // A total that is none.
            (
                json!({"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 900}),
                [1000, 10, 0, 0, 0],
            ),
            (
                json!({"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": "many"}),
                [1000, 10, 0, 0, 0],
            ),
        ] {
            assert_eq!(of_openai(&usage).map(counts), Some(wanted), "{usage}");
        }
    }

    #[test]
    fn a_prompt_of_no_tokens_is_not_told() {
        assert_eq!(
            of_openai(&json!({"prompt_tokens": 0, "completion_tokens": 9})),
            None
        );
        let cohere = json!({"tokens": {"input_tokens": 0, "output_tokens": 0}});
        assert_eq!(of_either(&cohere), None);
        let billed = json!({"tokens": {"input_tokens": 0, "output_tokens": 0},
            "billed_units": {"input_tokens": 7, "output_tokens": 3}});
        assert_eq!(of_either(&billed).map(counts), Some([7, 3, 0, 0, 0]));
    }

    #[test]
    fn what_is_counted_beside_is_seen_by_how_much_it_is() {
        for (reasoning, cache, total, wanted) in [
            // More reasoning than completion was beside it; as much may be all of it.
            (90, [0, 0], None, [1000, 170, 0, 0, 90]),
            (80, [0, 0], None, [1000, 80, 0, 0, 80]),
            // Both parts of the cache beside, and what is over is not told of.
            (0, [500, 300], Some(1880), [1800, 80, 500, 300, 0]),
            (0, [900, 300], Some(2330), [2200, 130, 900, 300, 0]),
            // As much cache as prompt may be all of it.
            (0, [700, 300], Some(1130), [1000, 130, 700, 300, 0]),
            (0, [700, 300], None, [1000, 80, 700, 300, 0]),
        ] {
            let [cached, written] = cache;
            let usage = json!({"prompt_tokens": 1000, "completion_tokens": 80, "total_tokens": total,
                "cache_read_input_tokens": cached, "cache_creation_input_tokens": written,
                "reasoning_tokens": reasoning});
            assert_eq!(of_openai(&usage).map(counts), Some(wanted), "{usage}");
        }
    }

    #[test]
    fn either_part_makes_it_coheres_shape() {
        let counts_of = json!({"input_tokens": 7, "output_tokens": 3});
        for kind in ["tokens", "billed_units"] {
            let usage = json!({kind: counts_of, "cached_tokens": 5});
            assert_eq!(
                of_either(&usage).map(counts),
                Some([7, 3, 5, 0, 0]),
                "{kind}"
            );
        }
    }
}
