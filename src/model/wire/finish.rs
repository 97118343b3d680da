//! Why a generation ended, in the words of the providers.
//!
//! Sources: the API references of `OpenAI` and Mistral, Cohere's SDK (`ChatFinishReason`), and what
//! servers that speak their formats say beside these: vLLM, `SGLang`, llama.cpp, `OpenRouter`,
//! `DeepSeek`, Z.ai, Gemini and watsonx.

use serde_json::Value;

use crate::model::provider::Wire;

/// Why a generation ended, whatever the provider's word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Finish {
    /// The model had said what it wanted to, or the endpoint does not say, or in words of its own.
    Whole,
    /// It said as much as it may.
    Cut,
    /// The model's window was full.
    WindowFull,
    /// A content filter took it away.
    Filtered,
    /// The endpoint could not read the model's tool call.
    BrokenCall,
    /// The endpoint failed in the middle of it.
    Failed,
}

/// Words of an end as it should be. What none of the lists and of the parts below knows is one too,
/// where something came: servers have words of their own for it.
const WHOLE: [&str; 9] = [
    "stop",
    "stop_sequence",
    "tool_calls",
    "tool_call",
    "tool_use",
    "function_call",
    "complete",
    "end_turn",
    "eos_token",
];

const CUT: [&str; 6] = [
    "length",
    "max_tokens",
    "max_new_tokens",
    "max_output_tokens",
    "token_limit",
    "continuation",
];

/// Mistral's, Z.ai's and, the last, of Cohere's first chat.
const WINDOW_FULL: [&str; 4] = [
    "model_length",
    "model_context_window_exceeded",
    "context_length_exceeded",
    "error_limit",
];

const FILTERED: [&str; 17] = [
    "content_filter",
    "content_filtered",
    "content_policy",
    "error_toxic",
    "guardrail_intervened",
    "refusal",
    "safety",
    "sensitive",
    "recitation",
    "language",
    "blocklist",
    "prohibited_content",
    "pii",
    "spii",
    "moderation",
    "content_moderation",
    "risk_control",
];

const FAILED: [&str; 24] = [
    "abort",
    "aborted",
    "billing",
    "cancel",
    "cancelled",
    "canceled",
    "user_cancel",
    "error",
    "failed",
    "failure",
    "hang",
    "incomplete",
    "insufficient_system_resource",
    "internal_error",
    "malformed_response",
    "network_error",
    "no_response",
    "not_finished",
    "oom",
    "other",
    "server_error",
    "time_limit",
    "timeout",
    "unavailable",
];

/// Parts by which a word that no list has is told, in the order in which they are looked for.
const PARTS: [(Finish, &[&str]); 6] = [
    (Finish::Cut, &["max_tokens", "max_new", "max_output"]),
    (Finish::WindowFull, &["context", "window"]),
    (Finish::Failed, &["cache", "connect", "exhaust", "schema"]),
    (
        Finish::Filtered,
        &[
            "block",
            "copyright",
            "filter",
            "guardrail",
            "harm",
            "hate",
            "jailbreak",
            "moderat",
            "policy",
            "prohibited",
            "refus",
            "safety",
            "sensitive",
            "toxic",
            "unsafe",
            "violat",
        ],
    ),
    (
        Finish::Failed,
        &[
            "error",
            "fail",
            "abort",
            "bad_",
            "busy",
            "by_user",
            "cancel",
            "corrupt",
            "crash",
            "dead",
            "denied",
            "drop",
            "early",
            "evict",
            "exception",
            "expire",
            "idle",
            "insufficient",
            "interrupt",
            "invalid",
            "kill",
            "lost",
            "malformed",
            "memory",
            "missing",
            "overload",
            "partial",
            "preempt",
            "quota",
            "rate_limit",
            "reject",
            "resource",
            "shut",
            "stall",
            "terminat",
            "throttl",
            "time",
            "unavailable",
            "unload",
            "upstream",
            "user_stop",
        ],
    ),
    (
        Finish::Cut,
        &["max_", "limit", "length", "too_long", "truncat"],
    ),
];

impl Finish {
    fn of(word: &str) -> Self {
        let word = spelled(word);
        if is_of_a_broken_call(&word) {
            return Self::BrokenCall;
        }
        let is_in = |words: &[&str]| words.contains(&word.as_str());
        if is_in(&WHOLE) {
            Self::Whole
        } else if is_in(&CUT) {
            Self::Cut
        } else if is_in(&WINDOW_FULL) {
            Self::WindowFull
        } else if is_in(&FILTERED) {
            Self::Filtered
        } else if is_in(&FAILED) {
            Self::Failed
        } else {
            let has = |parts: &[&str]| parts.iter().any(|part| word.contains(part));
            let part = PARTS.iter().find(|(_, parts)| has(parts));
            part.map_or(Self::Whole, |(finish, _)| *finish)
        }
    }
}

/// A word in small letters, with lines between its parts: `modelUnloaded` is LM Studio's.
fn spelled(word: &str) -> String {
    let mut spelled = String::new();
    let mut before = ' ';
    for c in word.trim().chars() {
        if c.is_uppercase() && before.is_lowercase() {
            spelled.push('_');
        }
        spelled.extend(c.to_lowercase());
        before = c;
    }
    spelled.replace([' ', '-'], "_")
}

/// Whether a word says that what the model wrote, a tool's call most likely, could not be read.
///
/// Gemini's compatible endpoint says `function_call_filter: MALFORMED_FUNCTION_CALL`, others
/// `tool_parse_error` or `invalid_function_call`.
fn is_of_a_broken_call(word: &str) -> bool {
    let has = |parts: &[&str]| parts.iter().any(|part| word.contains(part));
    let is_wrong = has(&["error", "fail", "exception"]);
    let is_of_a_call = has(&["tool", "function", "func_call"]);
    // Only what was generated is parsed there.
    has(&["pars"]) && (is_wrong || is_of_a_call)
        || is_of_a_call
            && (is_wrong
                || has(&[
                    "malformed",
                    "unexpected",
                    "invalid",
                    "incomplete",
                    "broken",
                    "corrupt",
                    "unreadable",
                    "bad_",
                    // Gemini's, of a model that calls and calls.
                    "too_many",
                ]))
}

impl Wire {
    /// How a generation ended, in the endpoint's word; `None` where it names none.
    pub(in crate::model) fn finish(self, body: &Value) -> Option<(Finish, &str)> {
        let place = match self {
            Self::OpenAi => &body["choices"][0],
            Self::CohereV2 => body,
        };
        let names = ["finish_reason", "finishReason", "finish_details"];
        told(&names.map(|name| &place[name]))
    }
}

/// The first word there is. `SGLang` has its own in an object: `{"type": "abort", …}`.
fn told<'a>(places: &[&'a Value]) -> Option<(Finish, &'a str)> {
    let word = |place: &&'a Value| place.as_str().or_else(|| place["type"].as_str());
    let mut words = places.iter().filter_map(word);
    let word = words.find(|word| !["", "null", "none"].contains(&word.to_lowercase().as_str()))?;
    Some((Finish::of(word), word))
}

/// The same by the word of the provider behind a proxy, which turns what it does not know into
/// `stop`: `OpenRouter` and `LiteLLM` keep it.
pub(in crate::model) fn finish_behind(body: &Value) -> Option<(Finish, &str)> {
    let choice = &body["choices"][0];
    told(&[
        &choice["native_finish_reason"],
        &choice["provider_specific_fields"]["native_finish_reason"],
    ])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_word_of_the_providers_has_its_meaning() {
        use Finish::{BrokenCall, Cut, Failed, Filtered, Whole, WindowFull};
        let openai = |word: &str| {
            let body = json!({"choices": [{"finish_reason": word}]});
            Wire::OpenAi.finish(&body).unwrap().0
        };
        for (word, meaning) in [
            ("stop", Whole),
            ("tool_calls", Whole),
            ("function_call", Whole),
            ("length", Cut),
            ("content_filter", Filtered),
            // Of others.
            ("eos", Whole),
            ("end_turn", Whole),
            ("error", Failed),
            ("abort", Failed),
            ("cancelled", Failed),
            ("time_limit", Failed),
            ("model_length", WindowFull),
            ("insufficient_system_resource", Failed),
            ("network_error", Failed),
            ("content-filter", Filtered),
            ("sensitive", Filtered),
            ("MAX_TOKENS", Cut),
            ("SAFETY", Filtered),
            ("engine_overloaded", Failed),
            ("generation_timed_out", Failed),
            ("output_limit", Cut),
            ("blocked_by_safety", Filtered),
            ("MALFORMED_FUNCTION_CALL", BrokenCall),
            ("function_call_filter: MALFORMED_FUNCTION_CALL", BrokenCall),
            ("UNEXPECTED_TOOL_CALL", BrokenCall),
            ("tool_parse_error", BrokenCall),
            ("tool_call_parse_error", BrokenCall),
            ("tool-calls-parsing-failed", BrokenCall),
            ("function_call_error", BrokenCall),
            ("invalid_function_call", BrokenCall),
            ("invalid tool arguments", BrokenCall),
            ("tool_error", BrokenCall),
            ("output_parse_failed", BrokenCall),
            // What else may become of a call.
            ("tool_use", Whole),
            ("tool_call_filtered", Filtered),
            ("tool_call_limit", Cut),
            ("tool_timeout", Failed),
            ("internal_server_error", Failed),
        ] {
            assert_eq!(openai(word), meaning, "{word}");
        }
        let cohere = |word: &str| {
            let body = json!({"finish_reason": word});
            Wire::CohereV2.finish(&body).unwrap().0
        };
        for (word, meaning) in [
            ("COMPLETE", Whole),
            ("STOP_SEQUENCE", Whole),
            ("TOOL_CALL", Whole),
            ("MAX_TOKENS", Cut),
            ("ERROR", Failed),
            ("TIMEOUT", Failed),
            ("ERROR_TOXIC", Filtered),
            ("ERROR_LIMIT", WindowFull),
            ("USER_CANCEL", Failed),
        ] {
            assert_eq!(cohere(word), meaning, "{word}");
        }
    }

    #[test]
    fn a_word_that_no_list_has_is_told_by_its_parts() {
        use Finish::{BrokenCall, Cut, Failed, Filtered, Whole, WindowFull};
        for (word, meaning) in [
            // Bedrock's.
            ("malformed_tool_use", BrokenCall),
            ("malformed_model_output", Failed),
            ("guardrail_intervened", Filtered),
            // Gemini's.
            ("TOO_MANY_TOOL_CALLS", BrokenCall),
            ("MISSING_THOUGHT_SIGNATURE", Failed),
            ("IMAGE_SAFETY", Filtered),
            // LM Studio's.
            ("modelUnloaded", Failed),
            ("userStopped", Failed),
            ("eosFound", Whole),
            ("stopStringFound", Whole),
            ("toolCalls", Whole),
            ("maxPredictedTokensReached", Cut),
            ("contextLengthReached", WindowFull),
            // Words of servers and schedulers.
            ("preempted", Failed),
            ("killed", Failed),
            ("disconnected", Failed),
            ("connection_refused", Failed),
            ("expired", Failed),
            ("throttled", Failed),
            ("terminated", Failed),
            ("out_of_memory", Failed),
            ("kv_cache_full", Failed),
            ("OOM", Failed),
            ("exception", Failed),
            ("rejected", Failed),
            ("schema_violation", Failed),
            ("blocked", Filtered),
            ("violation", Filtered),
            ("truncated", Cut),
            ("seq_length", Cut),
            ("max_tokens_exhausted", Cut),
            ("pause_turn", Whole),
        ] {
            assert_eq!(Finish::of(word), meaning, "{word}");
        }
    }

    #[test]
    fn a_word_is_found_where_it_stands_elsewhere() {
        use Finish::{Cut, Failed};
        assert!(Wire::OpenAi.finish(&json!({"choices": [{}]})).is_none());
        for (choice, meaning) in [
            (
                json!({"finish_reason": {"type": "abort", "message": "x"}}),
                Failed,
            ),
            (
                json!({"finish_reason": {"type": "length", "length": 5}}),
                Cut,
            ),
            (
                json!({"finish_reason": null, "finishReason": "error"}),
                Failed,
            ),
        ] {
            let body = json!({"choices": [choice]});
            assert_eq!(Wire::OpenAi.finish(&body).unwrap().0, meaning, "{body}");
        }
    }
}
