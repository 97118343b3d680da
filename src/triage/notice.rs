//! What agents' programs write when they, and not their model, have something to say.

use std::sync::LazyLock;

use regex::Regex;

/// What a program writes before its provider's words.
static FRAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^\s*(?:
            (?: Conversation\ run\ failed\ for\ id=\S+:\s     # OpenHands
              | Exit\ due\ to\ (?:retry|environment|runtime|unknown)\ error:\s # SWE-agent
              | Failed\ to\ authenticate[.:]\s                # Claude Code
              | API\ Error:\s(?:[45]\d\d\s)?
              | unexpected\ status\ [45]\d\d\ [A-Za-z\ ]+:\s  # Codex
              | stream\ disconnected\ before\ completion:\s
              | (?:■\s*)?(?:ERROR|Error|error):\s
            ))+",
    )
    .expect("tested")
});

/// How a program's notice begins. What does not begin so may be an agent's own sentence, in which
/// the same words stand.
static OPENING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^(?:
            API\ Error:\ (?:[45]\d\d\ (?:[{<A-Z]|due\ to\ )
                | [A-Z][a-z]+\ (?:[45]\d\d|error|timed|is|rejected)\b | Claude\ Code\ is\ unable | \{)
          | API\ Error\ \([45]\d\d\b
          | Failed\ to\ authenticate[.:]
          | You(?:'ve|’ve|\ have)?\ (?:hit|reached|exceeded)\ your\ (?:[\w'’-]+\ ){0,4}(?:limits?|caps?)\b
          | You(?:'re|’re|\ are)\ out\ of\ extra\ usage\b
          | Claude\ (?:AI\ )?usage\ limits?\ reached\b
          | (?:[A-Z][\w-]*|5-hour)\ (?:weekly\ )?limits?\ reached\b
          | Credit\ balance\ is\ too\ low(?:\ ·|\.?$)
          | Invalid\ API\ key\ ·
          | (?:Not\ logged\ in|Login\ expired|OAuth\ token\ [a-z ]+)\ ·
          | Please\ run\ /login\b
          | (?:OAuth|Your)\ (?:access\ )?token\ (?:could\ not\ be\ refreshed|does\ not\ meet
                | (?:has|was)\ (?:been\ )?[a-z]+(?:\ ?[.·:]|$))
          | Your\ (?:(?:organization|workspace)\ (?:has|is|does)|ANTHROPIC_API_KEY\ belongs
                | credit\ balance\ is\ too\ low)\b
          | This\ organization\ has\ been\ disabled\b
          | Unable\ to\ connect\ to\ API(?:\ \(|\ due\ |\ ·|\.\ Check\ your\b|\.?$)
          | Request\ timed\ out(?:\ ·|\.\ Check\ your\b|\.?$)
          | (?:Prompt|Conversation)\ (?:is\ )?too\ long(?:\ ·|:\ \d|\.\ Press\b|\.?$)
          | Error\ during\ compaction(?::\ |\.?$)
          | There's\ an\ issue\ with\ the\ selected\ model\b
          | unexpected\ status\ [45]\d\d(?:\ [A-Z<]|:)
          | exceeded\ retry\ limit,\ last\ status:
          | stream\ disconnected\ before\ completion(?::\ |\.?$)
          | Quota\ exceeded(?:\.\ Check\ your\ plan\b|\.?$)
          | Selected\ model\ is\ at\ capacity(?:\.\ Please\b|\.?$)
          | We're\ currently\ experiencing\ high\ demand\b
          | Codex\ ran\ out\ of\ room\b
          | Exit\ due\ to\ [a-z/ ]+\b
          | Error\ code:\ [45]\d\d\ -
          # Of the libraries that call models: others stand in agents' tests.
          | (?:litellm|openai|anthropic|httpx)\.(?:[a-z_]\w*\.)*(?:[A-Z]\w*)?(?:Error|Exceeded|Timeout|Exception):\s
        )",
    )
    .expect("tested")
});

/// The longest notice that a program writes.
const LONGEST: usize = 4_000;

/// Whether a text is a program's notice, by its beginning and its shape.
#[must_use]
pub fn is_notice(text: &str) -> bool {
    let text = text.trim();
    text.len() <= LONGEST && OPENING.is_match(text)
}

/// A text without what an agent's program wrote before its provider's words.
#[must_use]
pub fn unframed(text: &str) -> &str {
    FRAME.find(text).map_or(text, |frame| &text[frame.end()..])
}

/// What tenacity says in the place of the error that it gave up on.
static RETRIED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:\w+\.)*RetryError\[<Future at \S+ state=finished raised (\w+)>\]")
        .expect("tested")
});

/// The exception classes an error's text begins with: `litellm.RateLimitError: RateLimitError:
/// OpenAIException - …` gives `RateLimitError` and `OpenAIException`. A text that is nothing but a
/// class is that class. A proxy that is litellm itself puts its own chain behind ` - `.
#[must_use]
pub fn leading_classes(text: &str) -> Vec<&str> {
    let text = unframed(text).trim();
    if let Some(retried) = RETRIED.captures(text).and_then(|found| found.get(1)) {
        return vec![retried.as_str()];
    }
    let mut classes = Vec::new();
    let mut rest = text;
    loop {
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let class = name.rsplit('.').next().unwrap_or_default();
        if !class.starts_with(|c: char| c.is_ascii_uppercase()) {
            return classes;
        }
        if let Some(next) = after.strip_prefix(':') {
            classes.push(class);
            rest = next.trim_start();
            continue;
        }
        if let Some(told) = after.strip_prefix(" - ") {
            classes.push(class);
            // A proxy's own error within the one that litellm made of it.
            if told.starts_with("litellm.") {
                rest = told;
                continue;
            }
        } else if after.is_empty() && name == text {
            classes.push(class);
        }
        return classes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_read_from_the_front_of_the_text_only() {
        assert_eq!(
            leading_classes("litellm.RateLimitError: RateLimitError: OpenAIException - slow"),
            ["RateLimitError", "RateLimitError", "OpenAIException"]
        );
        assert_eq!(leading_classes("docker.errors.NotFound: 404"), ["NotFound"]);
        assert!(leading_classes("'container_name'").is_empty());
        assert_eq!(
            leading_classes("litellm.APIError: OpenAIException - litellm.NotFoundError: no"),
            ["APIError", "OpenAIException", "NotFoundError"]
        );
        assert!(leading_classes("the RateLimitError: was not raised").is_empty());

        let retried = "Exit due to retry error: RetryError[<Future at 0x7f1 state=finished raised RateLimitError>]";
        assert_eq!(leading_classes(retried), ["RateLimitError"]);
        let framed =
            "Conversation run failed for id=1-2: LLMRateLimitError: litellm.RateLimitError: x";
        assert_eq!(
            leading_classes(framed),
            ["LLMRateLimitError", "RateLimitError"]
        );
    }

    #[test]
    fn a_notice_is_told_from_a_sentence_with_its_words() {
        for notice in [
            "API Error: 529 Overloaded. Try again",
            "API Error: 401 {\"type\":\"error\"}",
            "API Error: Server error mid-response. What came may be cut.",
            "API Error: Request rejected (429) · busy",
            "Failed to authenticate. API Error: 401 Expired",
            "You've hit your weekly limit · resets 4am",
            "You've hit your Opus limit · resets 3:45pm",
            "You've reached your Fable limit.",
            "You have reached your specified API usage limits. Access comes back later.",
            "You've exceeded your weekly limits.",
            "You've hit your usage limit for Spark. Switch to another model",
            "Claude AI usage limit reached|1751230800",
            "5-hour limit reached ∙ resets 3pm",
            "Opus weekly limit reached ∙ resets 3pm",
            "OAuth token revoked · Please run /login",
            "Invalid API key · Fix external API key",
            "Your access token could not be refreshed because it was revoked.",
            "Exit due to unknown error: litellm.AuthenticationError: no",
            "litellm.RateLimitError: slow down",
            "litellm.exceptions.Timeout: no answer",
            "API Error: 524 <!DOCTYPE html>",
            "Request timed out",
            "Request timed out.",
            "Quota exceeded. Check your plan and billing details.",
            "Unable to connect to API (ECONNREFUSED)",
            "OAuth token has expired. Get another one.",
            "Your token has been revoked · Please run /login",
            "Prompt is too long: 9001 tokens > 8000 maximum",
            "unexpected status 401 Unauthorized: none",
            "unexpected status 524 <unknown status code>: slow",
        ] {
            assert!(is_notice(notice), "{notice}");
        }
        for sentence in [
            "I saw API Error: 401 Unauthorized in the log of the mock server and fixed it.",
            "API Error: 401 is what the handler returns now, as the feature asks.",
            "The login page says: Failed to authenticate. I left it.",
            "You've hit on a good design; the weekly limit is now configurable.",
            "When the weekly limit reached zero, the counter wrapped. Fixed.",
            "Your tests pass. Error code: 401 - stays as it is.",
            "Request timed out in the download test; a longer deadline mends it.",
            "Your token has expired is what the banner reads; invalid_api_key is for the rest.",
            "Quota exceeded. names the new class, and insufficient_quota is its code.",
            "redis.exceptions.ConnectionError: Error 111 comes without a server; I use a stub.",
            "Unable to connect to API servers now raises a NetworkError.",
            "Credit balance is too low to buy is the new message of the shop.",
            "Prompt is too long for the terminal, so it wraps.",
            "Your organization page shows its members, and a disabled account is grey.",
            "unexpected status 401 is now an assertion of its own.",
            "Done.",
            "",
        ] {
            assert!(!is_notice(sentence), "{sentence}");
        }
    }
}
