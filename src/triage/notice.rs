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

/// Notices that a program words by itself, and to which it adds nothing but [`ADDED`].
const WHOLE: &[&str] = &[
    r"You(?:'ve|’ve| have)? (?:hit|reached|exceeded) your (?:[\w'’-]+ )*(?:limits?|caps?|quotas?)(?: for(?: [A-Z\d][\w.-]*)+| for (?:this|your) [a-z]+| of \d[\w ]*)?",
    r"You(?:'re|’re| are) out of extra usage",
    r"Claude (?:AI )?usage limits? reached",
    r"(?:[A-Z][\w-]*|[57]-(?:hour|day)) (?:weekly |session )?limits? reached|Limit reached",
    r"(?:Your )?[Cc]redit balance is too low(?: to access the [A-Z]\w+ API)?",
    r"Invalid API key|Not logged in|Login expired|OAuth token (?:revoked|expired)|Please run /login",
    r"(?:OAuth|Your) (?:access |refresh )?token (?:(?:has|was) (?:been )?(?:already )?[a-z]+|could not be refreshed(?: because (?:it|your refresh token) [a-z ]+)?|does not meet scope requirements?(?: [\w:.]+)?)",
    r"OAuth authentication is currently not (?:allowed|supported)(?: for this organization)?",
    r"(?:Your|This) (?:organization|workspace|account) (?:(?:has been|is) (?:disabled|suspended|deactivated)|is out of credits|(?:has )?(?:hit|reached|exceeded) its (?:[\w'’-]+ )*(?:limits?|caps?)|does not have access to [A-Z]\w+(?: [A-Z]\w+)?|has disabled [A-Z][\w ]+)",
    r"Your ANTHROPIC_API_KEY belongs to a disabled organization",
    r"Unable to connect to API(?: \([A-Z_]+\)| due to [a-z ]+|: [A-Z][\w -]+)?",
    r"Request timed out",
    r"(?:Prompt|Conversation) (?:is )?too long(?:: \d[\d,]* tokens > \d[\d,]*(?: maximum)?)?",
    r"Error during compaction",
    r"There's an issue with the selected model(?: \([^)\n]+\))?",
    r"exceeded retry limit, last status: [45]\d\d(?: [A-Z][A-Za-z -]+)?",
    r"stream disconnected before completion",
    r"Quota exceeded|Selected model is at capacity",
    r"We're currently experiencing high demand(?:, which may cause temporary errors)?",
    r"Codex ran out of room in the model's context window",
    r"To use Codex with your ChatGPT plan, upgrade to [A-Z]\w+(?:: https?://\S+)?",
];

/// When something passes, in words.
const TIME: &str = r"(?: (?:at|in|on|by|after|and|about|a|few|later|soon|tomorrow|today|am|pm|AM|PM|UTC|GMT|seconds?|minutes?|hours?|days?|weeks?|[A-Z][a-z]{2,8}\.?,?|\d[\d:.,/TZ-]*(?:st|nd|rd|th|am|pm|AM|PM|[smhd])?,?|\([\w/+: -]+\)))+";

/// What a program adds to such a notice: until when, whom it asked, and what its user may do. `{TIME}`
/// is [`TIME`], and `{REST}` that of a sentence.
const ADDED: &[&str] = &[
    r"(?:(?:[Yy]our|[Tt]he) (?:usage )?limit (?:will )?)?[Rr]esets?{TIME}",
    r"\w+ limit(?:, resets{TIME})?",
    r"(?:[Pp]lease )?(?:[Tt]ry again|[Rr]etry(?:ing)?){TIME}",
    r"(?:[Pp]lease )?(?i:add|ask|buy|check|choose|clear|contact|enable|fix|get|go to|log|login|pick|press|purchase|reduce|retry|run|set|sign|start|switch|try|turn|unset|update|upgrade|use|visit|wait)\b{REST}",
    r"/[a-z-]+ {REST}",
    r"You (?:will|can|may) (?:buy|continue|purchase|regain|switch|upgrade|use)\b{REST}",
    r"It may not exist(?: or you may not have access to it)?",
    r"(?i:request[ _-]?id):? ?[\w-]+",
    r"\d{9}\d*|https?://\S+",
];

/// How a notice begins that goes on in its provider's words. What does not begin so may be an agent's
/// own sentence, in which the same words stand.
const OPENING: &[&str] = &[
    r"API Error: (?:[45]\d\d (?:[{<A-Z]|due to )|Repeated [45]\d\d [A-Z]|[A-Z][a-z]+ (?:[45]\d\d|error|timed|is|rejected)\b|Claude Code is unable|\{)",
    r"API Error \([45]\d\d\b",
    r"Failed to authenticate[.:]",
    r"Error during compaction: |stream disconnected before completion: ",
    r"unexpected status [45]\d\d(?: [A-Z<]|:)",
    r"Exit due to [a-z/ ]+(?:: |\.?$)",
    r"Error code: [45]\d\d -",
    // Of the libraries that call models: others stand in agents' tests.
    r"(?:litellm|openai|anthropic|httpx)\.(?:[a-z_]\w*\.)*(?:[A-Z]\w*)?(?:Error|Exceeded|Timeout|Exception):\s",
];

/// What no program or provider says of its own error: an agent speaks, and has copied the rest.
const AGENTS: &[&str] = &[
    r"(?:^|[\s(,;])(?:I|I['’](?:m|ve|ll|d)) [a-z]|\b[Mm]y (?:change|code|fix|work|patch|test)",
    r"\b(?:is|are|was|were|stays|remains) (?:also |still |just |only |now |what|how|when|where|why|the (?:new |old )?(?:answer|case|error|line|message|name|notice|output|reply|response|string|text)\b)",
    r"\bnow (?:has|is|passes|prints|raises|reads|returns|says|shows)\b|\b(?:it|that|which) (?:prints|raises|reads|returns|says|shows)\b|, (?:prints|reads|said|says)\b",
    r"\b(?:asserted|fixed|implemented|mended|parsed|recogni[sz]ed|refactored|stubbed) (?:by|in|it|now|so|the|that|this)\b|\b(?:fixture|mock(?:ed)?|parser|pytest|regex|stub|test suite|tests? (?:cover|expect|pass|fail)\w*|unit tests?)\b",
    // A status and its reason, with which a sentence begins.
    r"\b[45]\d\d (?:Bad Gateway|Bad Request|Forbidden|Gateway Time-?out|Internal [Ss]erver [Ee]rror|Invalid authentication credentials|Not Found|Overloaded|Payload Too Large|Payment Required|Service Unavailable|Too Many Requests|Unauthorized) (?:[a-df-z]|e[a-qs-z])",
    r"(?m:^(?:#{1,4} |[-*] ))",
];

fn any_of(alternatives: &[&str]) -> String {
    alternatives
        .join("|")
        .replace("{TIME}", TIME)
        .replace("{REST}", r"(?:[^.\n]|\.\S)*")
}

static IS_WHOLE: LazyLock<Regex> = LazyLock::new(|| {
    let after = r"(?:\s*[·∙•|\n]\s*|[.!,]\s+(?:or )?)";
    let (whole, added) = (any_of(WHOLE), any_of(ADDED));
    Regex::new(&format!(
        r"^(?:{whole})(?:{after}(?:{added})| \(request id: [\w-]+\))*[.!]?$"
    ))
    .expect("tested")
});

static OPENS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!("^(?:{})", any_of(OPENING))).expect("tested"));

static IS_AGENTS: LazyLock<Regex> = LazyLock::new(|| Regex::new(&any_of(AGENTS)).expect("tested"));

/// The longest notice that a program writes.
const LONGEST: usize = 4_000;

/// Whether a text is a program's notice, and nothing else. That an agent's sentence begins with a whole
/// one does not make it one.
#[must_use]
pub fn is_notice(text: &str) -> bool {
    let text = text.trim();
    let is_one = || IS_WHOLE.is_match(text) || OPENS.is_match(text);
    text.len() <= LONGEST && is_one() && !beside_bodies(text).any(|it| IS_AGENTS.is_match(it))
}

/// A text before and after the body that it quotes, which may hold anything.
fn beside_bodies(text: &str) -> impl Iterator<Item = &str> {
    let begin = ["{", "<", "Received Messages=", "\nTraceback"]
        .iter()
        .filter_map(|mark| text.find(mark))
        .min();
    let (before, rest) = text.split_at(begin.unwrap_or(text.len()));
    let after = rest.rfind(['}', '>']).map(|at| &rest[at + 1..]);
    [Some(before), after].into_iter().flatten()
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
    fn a_notice_is_one_with_its_numbers_and_what_follows() {
        for notice in [
            "API Error: 529 Overloaded. Try again",
            "API Error: 401 {\"type\":\"error\"}",
            "API Error: Server error mid-response. What came may be cut.",
            "API Error: Request rejected (429) · busy",
            "Failed to authenticate. API Error: 401 Expired",
            "You've hit your weekly limit · resets 4am",
            "You've hit your Opus limit · resets 3:45pm",
            "You've reached your Fable limit.",
            "You have reached your specified API usage limits. You will regain access on 2027-02-01 at 00:00 UTC.",
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
            "You've hit your weekly limit · resets Mar 3, 4am (UTC)",
            "You've hit your weekly limit · seven_day limit, resets at 2027-03-03T04:00:00Z",
            "5-hour limit reached ∙ resets 3pm\n/upgrade to increase your usage limit.",
            "Claude usage limit reached. Your limit will reset at 3pm (Asia/Tokyo).",
            "You've hit your usage limit. Upgrade to Pro (https://a.example/pro), visit https://a.example/use to purchase more credits or try again at Mar 4th, 2027 9:12 AM.",
            "You've hit your usage limit. Try again in 3 days 4 hours.",
            "Your access token could not be refreshed because your refresh token was already used. Please log out and sign in again.",
            "Your organization does not have access to Claude. Please login again or contact your administrator.",
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
            "There's an issue with the selected model (m-1). It may not exist or you may not have access to it. Run /model to pick a different model.",
            "exceeded retry limit, last status: 429 Too Many Requests, request id: 8f-1",
            "API Error: 500 Internal server error · Retrying in 4 seconds",
            "API Error: 400 {\"message\":\"no\",\"input\":\"I fixed the parser\"} · Please run /login",
            "API Error: Repeated 529 Overloaded errors",
            "API Error: 529 Overloaded. It is usually temporary. If it persists, look at the status page.",
            "Failed to authenticate. API Error: 401 OAuth access token has been revoked.",
        ] {
            assert!(is_notice(notice), "{notice}");
        }
    }

    #[test]
    fn a_sentence_with_a_notices_words_is_none() {
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
            // A whole notice, with which a sentence begins.
            "You've hit your weekly limit · resets 3pm is what the banner reads now.",
            "You've hit your weekly limit · resets 3pm. The banner shows it in red.",
            "You've hit your weekly limit. That text has its own class, and all is done.",
            "You've reached your limits for uploads in the new check of sizes.",
            "5-hour limit reached, and its counter starts again: that is covered as well.",
            "Claude AI usage limit reached|1751230800 is read by the new function.",
            "Invalid API key · Please run /login, says the dialog after the change.",
            "Invalid API key · Fix external API key is asserted in the two tests.",
            "Not logged in is the state of the new client.",
            "Credit balance is too low. The shop tells so before it takes an order.",
            "Request timed out. All callers catch it now.",
            "Your organization has been disabled and its members see why.",
            "Quota exceeded. Every client that asks again waits.",
            "Failed to authenticate. API Error: 401 Invalid authentication credentials is raised once.",
            "API Error: 401 Unauthorized comes from the stub. The retry is done.",
            "API Error: 529 Overloaded. I now wait twice as long before the next try.",
            "API Error: 400 {\"type\":\"error\"} is what the handler gives back.",
            "exceeded retry limit, last status: 429 Too Many Requests is logged at the end.",
            "litellm.RateLimitError: slow down is now retried.",
            "Please run /login\n\nThat line is printed by the command.",
        ] {
            assert!(!is_notice(sentence), "{sentence}");
        }
    }
    #[test]
    fn a_class_alone_is_one_and_behind_another_it_is_its_message() {
        assert_eq!(leading_classes("TimeoutError"), ["TimeoutError"]);
        assert_eq!(leading_classes("ValueError: Timeout"), ["ValueError"]);
    }

    #[test]
    fn a_sentence_right_behind_a_quoted_body_is_the_agents() {
        let body = "API Error: 400 {\"message\":\"keine Größe\", \"size\": ü}";
        assert!(is_notice(body));
        assert!(!is_notice(&format!("{body}I did so.")));
    }
}
