//! The words of refusals, gathered from what providers, servers and proxies document or are reported
//! to answer. A family of wordings is one expression, so that the next server's is likely in it.

use super::family::{any, is_in};
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::{
    CONTENT_POLICY, CONTEXT_WINDOW, FAILED_TOOL_CALL, OVERLOADED, RATE_LIMIT, broken, said,
};
use crate::bench::RuleId;

/// What a refusal speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalWords {
    /// The endpoint could not read the tool call that its model wrote.
    FailedToolCall,
    /// A key that is none, or no longer one.
    Authentication,
    /// A key that `LiteLLM`'s proxy would look up in a database that it does not have: it is not its own.
    NoDatabase,
    /// A single request over what may be used in a minute.
    RequestOverRate,
    /// Money or an allowance that is used up.
    QuotaExhausted,
    /// A conversation that is longer than the model's window.
    ContextWindow,
    /// A content filter that refused the request.
    ContentPolicy,
    /// A model that is not there.
    UnknownModel,
    /// A pace that is too fast.
    Throttled,
    /// An endpoint that has no room for the request at the moment.
    Overloaded,
}

/// The refusals of an ordinary request, in the order in which they are looked for.
const ALL: [RefusalWords; 10] = [
    RefusalWords::FailedToolCall,
    RefusalWords::Authentication,
    RefusalWords::NoDatabase,
    RefusalWords::RequestOverRate,
    RefusalWords::QuotaExhausted,
    RefusalWords::ContextWindow,
    RefusalWords::ContentPolicy,
    RefusalWords::UnknownModel,
    RefusalWords::Throttled,
    RefusalWords::Overloaded,
];

impl RefusalWords {
    /// What is looked for in a refusal with this status: some statuses say it themselves, and a
    /// server that failed says less of keys and models than of itself.
    pub(super) fn read_at(status: u16) -> &'static [Self] {
        match status {
            401 | 402 | 408 => &[],
            // OpenRouter's, where no provider of the model takes so long a conversation.
            404 => &[Self::ContextWindow, Self::ContentPolicy],
            429 => &[Self::RequestOverRate, Self::QuotaExhausted],
            500..=599 => &[
                Self::NoDatabase,
                Self::FailedToolCall,
                Self::QuotaExhausted,
                Self::ContextWindow,
                Self::ContentPolicy,
            ],
            _ => &ALL,
        }
    }

    /// The native engine's rule for it.
    pub(super) const fn rule(self) -> RuleId {
        match self {
            Self::FailedToolCall => FAILED_TOOL_CALL,
            Self::Authentication | Self::NoDatabase => RuleId::AUTHENTICATION,
            Self::RequestOverRate => RuleId::REQUEST_OVER_RATE,
            Self::QuotaExhausted => RuleId::QUOTA_EXHAUSTED,
            Self::ContextWindow => CONTEXT_WINDOW,
            Self::ContentPolicy => CONTENT_POLICY,
            Self::UnknownModel => RuleId::UNKNOWN_MODEL,
            Self::Throttled => RATE_LIMIT,
            Self::Overloaded => OVERLOADED,
        }
    }

    /// Whether a text says it, apart from what it quotes of the request.
    #[must_use]
    pub fn are_in(self, text: &str) -> bool {
        self.are_in_said(&said::by_the_endpoint(text))
    }

    pub(super) fn are_in_said(self, said: &str) -> bool {
        match self {
            Self::FailedToolCall => {
                is_in(&TOOL_CALL, said) && !broken::is_of_a_servers_response(said)
            }
            Self::Authentication => is_in(&KEY, said),
            Self::NoDatabase => is_in(&NO_DATABASE, said),
            Self::RequestOverRate => is_in(&LARGE, said) && is_in(&PER_TIME, said),
            Self::QuotaExhausted => {
                is_in(&QUOTA, said) && !is_in(&PER_TIME, said) && !broken::is_told(said)
            }
            Self::ContextWindow => {
                is_in(&LONG_CODE, said)
                    || is_in(&LONG, said)
                        && !is_in(&RATE, said)
                        && !is_of_output(said)
                        && !broken::is_told(said)
            }
            Self::ContentPolicy => {
                is_in(&FILTER, said) && !is_in(&BANNED, said) && !broken::is_told(said)
            }
            Self::UnknownModel => is_in(&MODEL, said),
            Self::Throttled => is_in(&THROTTLED, said) && !is_in(&BANNED, said),
            Self::Overloaded => is_in(&FULL, said),
        }
    }
}

/// Whether a text speaks of the output alone: `max_tokens` over what the model may write is a
/// setting.
fn is_of_output(said: &str) -> bool {
    is_in(&OUTPUT, said) && !is_in(&INPUT, said)
}

macro_rules! words {
    ($($name:ident = [$($alternative:literal),* $(,)?];)*) => {
        $(static $name: LazyLock<Regex> = LazyLock::new(|| any(&[$($alternative),*]));)*
    };
}

words! {
    // Codes and class names.
    LONG_CODE = [
        r"context[_ -]?(?:length|window|size|limit)[_ -]?(?:is[_ -])?exceeded",
        r"exceeds?_context",
        r"(?:prompt|input|context|conversation|messages)_(?:is_)?too_(?:long|large)",
        r"(?:prompt|input|context)_tokens_exceeded",
        r"\b(?:prompt|input|context|conversation)TooLong",
        r"tokens_limit_reached",
        r"context[_ -]?overflow",
        // Older vLLM: the prompt leaves less than nothing.
        r"\bmax_tokens must be at least 1, got -",
    ];

    LONG = [
        // "This model's maximum context length is …", "maximum prompt length is …".
        r"\bmax(?:imum)?[ _](?:allowed |supported |total )?(?:context|prompt|input|model|sequence|seq|session)[ _-]?(?:length|len|limit|size|window|tokens?)\b",
        r"\b(?:session_len|n_ctx|num_ctx|max_position_embeddings)\b|\btokens of context\b",
        // "… exceeds the model's context window", "longer than …", "model token limit".
        r"(?:exceed\w*|(?:long|larg|great|bigg)er than|more than|\bover|overflow\w*|beyond|surpass\w*|outgr\w+|too (?:long|large|big) for|fits? (?:in|into|within))\b[^.\n]{0,60}?(?:\bcontext[ _-]?(?:length|window|size|limit|budget)|\bmodel token limit|\b(?:token|input|prompt) limit|\bprompt (?:size|length))",
        r"\bcontext[ _-]?(?:length|window|size|limit)? (?:(?:has|have|is|was) )?(?:been )?(?:exceed|reached|hit\b|full\b|too small)",
        r#"\b(?:prompt|input|conversation|context|history|messages?|sequence)\b[^.\n'"\[\]]{0,30}\b(?:too (?:long|large|big)|(?:longer|larger|bigger) than|(?:out)?grown)\b"#,
        r"\bmessages? exceeds? the (?:max|model)",
        // "The total number of tokens in your request is larger than the N allowed".
        r"\btokens?\b[^.\n]{0,60}\b(?:larger|greater|more|higher|above|over|beyond) (?:than )?(?:the )?[^.\n]{0,30}\b(?:limit|allow\w*|maximum|model)\b",
        r"\btoo (?:large|long|big)\b[^\n]{0,60}\b[1-9][\d,_]* tokens\b",
        r"\b(?:not|n't) fit (?:in|into|within)\b[^.\n]{0,30}\b(?:context|window|kv[ _-]?cache)\b",
        // "prompt is too long", "Your input is too long for …".
        r"\b(?:prompt|input|inputs|context|conversation|history|messages|sequence|request)(?: (?:text|length|size|tokens?))?(?: (?:is|are|was|were|became|got))?(?: (?:far|much|way))? too (?:long|large|big)\b",
        r"\btoo many (?:input |prompt |total |context )?tokens\b",
        r"\btoo (?:long|large|big) (?:a |an |of a )?(?:prompt|input|context|conversation)\b",
        // "input token count (N) exceeds …", "Range of input length should be [1, N]",
        // "`inputs` tokens + `max_new_tokens` must be <= N".
        r#"\b(?:input|prompt|context|message|total|request|requested|sequence|conversation)s?[`'"]?[ _](?:token|length|size|len|character)s?\b[^.\n]{0,80}?(?:exceed|\bcannot (?:exceed|be (?:more|greater|larger|longer))|must (?:be (?:<|less|at most|no more|smaller|under|below|within|shorter)|have (?:less|fewer|at most)|not exceed)|should be (?:\[|<|less|at most|no more|within|smaller)|\b(?:over|above|beyond) |greater|longer|larger|more than|only supports|out of range|limit is|[\d)] ?> ?\d)"#,
        r#"[`'"]inputs[`'"] must have (?:less|fewer|at most)"#,
        r"\b(?:prompt|input|inputs|conversation|context|messages)(?: (?:text|token count|tokens|length|size))?(?: ?\([^)\n]{0,40}\))? (?:has |have )?exceed(?:s|ed)?\b",
        // "exceeds the maximum number of tokens allowed", "token limit exceeded".
        r"(?:exceed\w*|more than|\bover) (?:the )?max(?:imum)?\b[^.\n]{0,40}\btokens?\b",
        r"\btokens?[ _](?:count |window )?limits? (?:(?:is|was|has been) )?(?:exceeded|reached|hit)\b",
        r"\bexceed\w* (?:the |its |this )?(?:model'?s? )?token (?:limit|window|budget)\b",
        r"\bmaximum number of (?:input |prompt |context )?tokens\b",
        // What to do about it.
        r"\breduc(?:e|ing) (?:the |your )?(?:length|size|number of tokens|token count) (?:of|in) (?:the |your )?(?:\w+ )?(?:input|prompt|messages?|conversation|context|history|request)\b",
        r"\breduc(?:e|ing) (?:the |your )(?:prompt|input|messages|context|conversation)\b",
        r"\b(?:shorten|truncat|trimm?|compact)(?:e|ing)? (?:the |your )?(?:input|prompt|messages?|conversation|context|history)\b",
        r"\bshorter or fewer inputs\b|\bmiddle-out\b|\bstart a new (?:chat|conversation|thread)\b",
        // LM Studio, Ollama.
        r"\binitial prompt is greater\b|\bcontext the overflows\b",
        r"\bcontext[ _-](?:length|size|window)(?: is| of|:)?(?: only)? \(?\d",
        // "… but the request contains N tokens".
        r"\b(?:request|prompt|input|messages|conversation)s? (?:has|have|had|contains?|containing|uses?|used|needs?|requires?|resulted in|results in|is|are|of|with)(?: about| at least| approximately| roughly| over| a total of)* \(?[1-9][\d,_.]*[km]? ?(?:input |prompt |total |text )?tokens\b",
        r"\b[1-9][\d,_]* tokens? (?:>|exceeds?|(?:is |are )?(?:over|above|more than|greater than)) (?:the )?(?:\w+ ){0,3}[1-9]",
        // Numbers, with little beside them.
        r"\brequested \(?[1-9][\d,_]*\)? (?:input |prompt )?tokens\b[^.\n]{0,40}\b(?:supports?|allows?)\b",
        r"\b(?:token count|number of tokens)\b[^.\n]{0,30}\bexceed",
        r"\b(?:input|prompt) tokens: ?[1-9][\d,_]*\b[^.\n]{0,20}\b(?:max|limit)",
        r#"\bmessages(?:\[\d+\])?(?:\.content)?(?:\[\d+\])?(?:\.text)?['"`]?\W{1,4}(?:string|array|content|value) (?:is )?too long\b"#,
        r"\bexpected maxLength: \d+, actual\b",
        // Counted in bytes, of which these have three a character.
        r"(?:上下文|输入|提示词?|对话|prompt|tokens?).{0,60}(?:超出|超过|超长|过长|太长|超限)|(?:超出|超过).{0,60}(?:上下文|最大长度|长度限制|token)",
    ];

    // A rate is no length, although tokens are counted in both.
    RATE = [
        r"per[ _-]?(?:minute|min|day|hour|second)(?:\b|_)|\bTP[MD]\b|\bRP[MD]\b|Per(?:Minute|Day)",
        r"\brate[ _-]?limit|throttl|\bquota\b|\bplease wait\b|\b(?:try again|retry) (?:in|after) \d",
    ];

    OUTPUT = [
        r"\b(?:completion|output|generated|new) tokens?\b|\bmax_(?:completion_|output_|new_)?tokens\b",
    ];
    INPUT = [
        r"\b(?:prompt|inputs?|messages|context|conversation|history|sequence)(?:\b|_)",
    ];

    LARGE = [r"\brequest too large for "];

    FILTER = [
        r"\bcontent[_ -]?(?:filter|polic(?:y|ies)\b|management polic|moderation|safety|inspection|violat|exists risk)",
        r"\bContentPolicy|\bResponsibleAI|\bDataInspectionFailed\b|\bdata_inspection_failed\b",
        r"\bsafety (?:system|filter|setting|check|reason|polic|guideline|violat)|\bsafety_(?:check|filter|violation)",
        r"\b(?:requires?|by|failed|input|output|prompt) moderation\b|moderation[ _](?:error|fail|block|flag|reason|refus)|\bflagged_input\b",
        r"\b(?:prompt|input|content|request|messages?|output|response|text)\b[^.\n]{0,40}\b(?:was|were|been|is|are|got) (?:flagged|filtered|moderated)\b",
        r"\bflagged (?:as|for|by)\b",
        r"\bblocked[ _](?:input|output|prompt|content|by (?:the |our |a )?(?:content|safety|filter|guardrail|moderation))",
        r"\b(?:prompt|input|output|response|content) (?:was |is |has been )?blocked\b",
        r"\bguardrails?\b[^.\n]{0,40}\b(?:interven|block|violat|trigger)|\bviolat\w+ guardrail|\bguardrail_intervened\b",
        r"\bviolat\w+\b[^.\n]{0,30}\b(?:acceptable|ai|community|content|safety|usage|use)\b[^.\n]{0,15}\b(?:polic(?:y|ies)|guidelines|terms)\b",
        r"\b(?:inappropriate|prohibited|harmful|sensitive|unsafe|offensive|objectionable|disallowed)[_ ](?:content|input|output|information|words?|text|prompt|material)\b",
        r"\bconsidered (?:as )?(?:high risk|unsafe|harmful|sensitive|toxic)\b|\b(?:input|output|prompt|content|text|new)_sensitive\b",
        r"\bjailbreak|\bGuardrailRaised|\brisk control\b|\b(?:sexual|violent|hateful) (?:content|material)\b",
        r"敏感|不安全|违规|违禁|内容安全",
    ];
    // An account that was closed for what it asked is nobody's conversation.
    BANNED = [
        r"\b(?:account|organi[sz]ation|project|api key|user)\b[^.\n]{0,40}\b(?:suspended|disabled|deactivated|banned|blocked|terminated|restricted)\b",
    ];

    TOOL_CALL = [
        r"\btool_use_failed\b|\bfailed_generation\b|\boutput_parse_failed\b",
        r"\b(?:error|failed|failure|unable|could not|cannot|can't)(?: \w+){0,3} pars(?:e|ing)\b[^.\n]{0,40}\b(?:tool|function)[ _-]?calls?",
        r"\bpars(?:e|ing) (?:the )?(?:tool|function)[ _-]?calls?\b[^.\n]{0,20}\b(?:error|failed)|\b(?:tool|function)[ _-]?call (?:parse|parsing|parser) (?:error|failed)",
        r"\bfailed to parse (?:input at pos|(?:the )?(?:model'?s? )?(?:output|response|generation))\b",
        r"\boutput (?:that )?could not be parsed\b|\bfailed to call a function\b",
        r"\btool call validation failed\b|\battempted to call tool\b",
        r"\binvalid tool (?:call )?generation\b|\bno valid response generated\b",
        r"\b(?:model|generation) (?:has )?(?:produced|generated) (?:an )?(?:invalid|malformed) (?:content|tool|function|output|json|response)",
        r"\b(?:malformed|invalid|unexpected)[_ ](?:function|tool)[_ ]call\b",
        r"\b(?:generate|produce|emit) a valid (?:tool|function) call\b",
        r"\b(?:tool|function)[ _-]?calls? arguments?\b[^.\n]{0,20}\b(?:must be|are not|is not) (?:valid )?JSON\b",
        r"\b(?:malformed JSON|invalid JSON|unterminated string)\b[^.\n]{0,30}\b(?:tool|function)[ _-]?call",
        // llama.cpp, of what its model wrote.
        r"\bempty grammar stack\b",
        r"\bHarmonyError\b|\bharmony\b[^.\n]{0,30}\b(?:pars|error)|\bunexpected tokens? \d+ while expecting\b|\bunexpected tokens remaining in message header\b",
        r"\bXML syntax error on line \d",
    ];

    KEY = [
        r"\binvalid (?:api |access |auth |bearer |proxy server )?(?:token|key) (?:passed|provided|format)|\binvalid[ _-]?(?:x-)?api[ _-]?(?:key|token)\b|\bincorrect api key\b",
        r"\baccess token (?:is )?invalid\b|\binvalid subscription key\b",
        r"\bapi[ _-]?key (?:is )?(?:not valid|invalid|expired|missing|not found|incorrect|wrong)\b|\bAPI_KEY_INVALID\b",
        r"\b(?:api key|access token|token|credentials?) (?:has |have |is |are |was )?(?:been )?(?:expired|revoked|disabled)\b",
        r"\bapi key\b[^.\n]{0,30}\b(?:is|was) (?:invalid|incorrect|not valid|wrong|expired|revoked)\b",
        r"(?m:^\s*invalid (?:access |auth )?token\.?\s*$)",
        // With a 503 it is a database that is away for now.
        r"\bno_db_connection\b|\bno auth credentials found\b",
        r"\bauthentication[ _]?(?:error|failed|failure)\b|\binvalid (?:authentication|credentials)\b|\bunauthorized\b",
    ];

    NO_DATABASE = [r"\bno connected db\b"];

    QUOTA = [
        r"\binsufficient_(?:quota|balance|credits?|funds)\b|exceeded(?: your)? current quota|exceeded_current_quota",
        r"\binsufficient (?:account |user )?(?:balance|credits?|funds|quota)\b|\b(?:balance|credits?) (?:is |are )?(?:too low|insufficient|not enough|exhausted|depleted|used up)\b",
        r"\bpayment required\b|\bbilling[_ ]hard[_ ]limit|\brequires more credits\b|\blimited to \d+ API calls / month",
        r"\b(?:out of|no more|no remaining|ran out of|run out of) credits?\b|\bno (?:\w+ )?credits? (?:left|remaining|available)\b|\bcredits? (?:have |has )been (?:exhausted|depleted|used up)\b",
        r"\bbudget has been exceeded\b|\bbudget_exceeded\b|\b(?:spend(?:ing)?|monthly|billing)(?: usage| spend)? (?:limit|quota|allowance|cap) (?:has been |was |is )?(?:reached|exceeded|used up|exhausted|hit)\b",
        r"\bcheck your (?:plan and )?billing\b|\bfree tier\b[^.\n]{0,30}\bused up\b",
        r"\bout of (?:\w+ ){0,3}quota\b|\bquota (?:has been |is |was )?(?:not enough|exhausted|used up|exceeded|insufficient|spent)\b",
        r"\bkey limit exceeded\b|\bexceeded (?:your |the )?(?:monthly )?(?:included )?credits\b",
        r"\bArrearage\b|\boverdue[ -]payment\b|\baccount is in good standing\b",
        r"余额不足|欠费|额度",
    ];
    PER_TIME = [
        r"per[ _-]?(?:minute|min|second|hour)(?:\b|_)|Per(?:Minute|Hour)|\bTP[MD]\b|\b(?:try again|retry) (?:in|after) \d",
    ];

    MODEL = [
        r"\bmodel_not_found\b|\bLLM Provider NOT provided\b|\binvalid model name passed\b",
        r#"\bmodel [`'"][^`'"\n]*[`'"] (?:does not exist|not found|is not found)"#,
        r"\bnot a valid model(?: id| name)?\b",
    ];

    // What others say by a 429, and by a 503; what stands in quotes is somebody else's.
    THROTTLED = [
        r#"(?m:^)[^'"\n]{0,100}?\b(?:throttl(?:ing|ed)(?:Exception)?|too many requests|rate[ -]limited|rate_limit_(?:error|exceeded)|Rate exceeded)\b"#,
        r#"(?m:^)[^'"\n]{0,100}?\b(?:(?:rate|qps|requests?|concurrency)[ _-]limits? (?:\w+ ){0,2}?(?:exceeded|reached|hit)|(?:exceed|reach|hit)\w* (?:\w+ ){0,3}?rate[ _-]limits?)\b"#,
    ];
    FULL = [
        r#"(?m:^)[^'"\n]{0,100}?\b(?:(?:is|are|was|currently|temporarily) (?:\w+ )?(?:overloaded|at capacity|too busy)|overloaded_error|ServiceUnavailable(?:Exception)?)\b"#,
        r#"(?m:^)[^'"\n]{0,100}?\b(?:service|model|server|engine) (?:is )?(?:temporarily|currently) (?:unavailable|busy)\b|(?m:(?:^|- )overloaded\.?$)"#,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expression_is_one() {
        for words in ALL {
            assert!(!words.are_in(""), "{words:?}");
            assert!(!words.are_in("It works as it should."), "{words:?}");
        }
    }

    #[test]
    fn words_that_only_resemble_a_full_window_are_none() {
        for text in [
            "max_tokens is too large: 100000. This model supports at most 8192 completion tokens.",
            "max_tokens: 90000 > 64000, which is the maximum allowed number of output tokens",
            "Rate limit reached on tokens per min (TPM): Limit 30000, Used 29000, Requested 4100",
            "Too many tokens, please wait before trying again.",
            "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
            "Range of max_tokens should be [1, 8192]",
            "`max_tokens` must be at most `8192`: it is less than the `context_window` of this model",
            "Invalid 'messages[3].tool_calls[0].id': string too long. Expected at most 40",
            "Invalid 'tools[0].function.description': string too long.",
            "message must be at least 1 token long or tool results must be specified",
            "Invalid 'user': string too long. Expected a string with maximum length 64",
            "prompt length must be at least 1",
            "temperature must be at most 2",
            "Requested 17000 tokens but this model only supports 8192 output tokens",
        ] {
            assert!(!RefusalWords::ContextWindow.are_in(text), "{text}");
        }
    }

    #[test]
    fn wordings_that_no_server_is_known_for_are_of_the_same_families() {
        for text in [
            "The total number of tokens in your request (51000) is larger than the 50000 allowed.",
            "Your conversation has outgrown what this model can read.",
            "The prompt you supplied is too big for the model to handle",
            "Prompt tokens (33000) exceed the limit of 32768",
            "input_ids length 9000 is larger than max_position_embeddings 8192",
            "Sequence is longer than the maximum sequence length",
            "The context is full",
            "This model takes up to 8192 tokens of context",
            "Conversation too long. Please start a new one.",
            "输入长度超出限制",
            "Requested 17000 tokens but this model only supports 16384",
            "Token count 17000 exceeds limit 16384",
            "Number of tokens (17000) exceeds maximum (16384)",
            "prompt: 17000 tokens exceeds maximum of 16384",
            "input tokens: 17000, max: 16384",
            "the prompt does not fit into the KV cache",
            "PromptTooLongError",
            "prompt_tokens_exceeded",
        ] {
            assert!(RefusalWords::ContextWindow.are_in(text), "{text}");
        }
        for text in [
            "Your message was flagged by our automated moderation",
            "The generation was stopped due to a safety violation",
            "GuardrailRaisedException: pii",
            "输入内容包含敏感信息",
            "Blocked because of our content policies",
            "The prompt was considered toxic",
        ] {
            assert!(RefusalWords::ContentPolicy.are_in(text), "{text}");
        }
        for text in [
            "The model generated an invalid tool call",
            "Error in parsing tool calls from model output",
            "harmony parsing error",
            "could not parse model output as a tool call",
            "Unexpected empty grammar stack after accepting piece: {",
            "function call arguments must be valid JSON",
            "Unterminated string in the tool call's arguments",
            "The model emitted malformed JSON for a tool call",
        ] {
            assert!(RefusalWords::FailedToolCall.are_in(text), "{text}");
        }
        for text in [
            "No credits left on this account",
            "user quota is not enough",
            "Key limit exceeded (total limit)",
            "You have exceeded your monthly included credits",
        ] {
            assert!(RefusalWords::QuotaExhausted.are_in(text), "{text}");
        }
        for text in [
            "Open api qps request limit reached",
            "You have exceeded a secondary rate limit. Please wait a few minutes.",
            "ThrottlingException: Rate exceeded",
        ] {
            assert!(RefusalWords::Throttled.are_in(text), "{text}");
        }
        for text in [
            "The model is currently overloaded. Please try again later.",
            "The service is temporarily unavailable",
        ] {
            assert!(RefusalWords::Overloaded.are_in(text), "{text}");
        }
        let quoted =
            "Invalid 'messages[7].content': the tool said 'rate limit exceeded, overloaded'";
        for words in [RefusalWords::Throttled, RefusalWords::Overloaded] {
            assert!(!words.are_in(quoted), "{words:?}");
        }
        let refused = r#"{"error": {"message": "Invalid token"}}"#;
        assert!(RefusalWords::Authentication.are_in(refused));
        assert!(!RefusalWords::Authentication.are_in("Invalid token at line 1"));
    }

    #[test]
    fn words_that_only_resemble_a_filter_or_a_spent_account_are_none() {
        for text in [
            "Your account has been suspended for violating our usage policies.",
            "No endpoints found matching your data policy.",
            "This parameter was blocked list only.",
            "Unknown parameter: 'case_sensitive'",
            "<meta http-equiv=\"Content-Security-Policy\"><meta content=\"content management system\">",
        ] {
            assert!(!RefusalWords::ContentPolicy.are_in(text), "{text}");
        }
        for text in [
            "Your input was flagged for \"violence\". No credits were charged.",
            "Quota exceeded for requests_per_minute_per_model",
            "You exceeded your current quota. Please retry in 12.5s.",
        ] {
            assert!(!RefusalWords::QuotaExhausted.are_in(text), "{text}");
        }
    }

    #[test]
    fn what_a_status_says_itself_is_not_looked_for_in_words() {
        let long = "This model's maximum context length is 8192 tokens";
        let spent = "No credits left on this account";
        let full = "The model is currently overloaded. Please try again later.";
        let over = "Request too large for m on tokens per min";
        for (status, text, rule) in [
            (400, full, OVERLOADED),
            (401, long, RuleId::AUTHENTICATION),
            (402, long, RuleId::PAYMENT_REQUIRED),
            (408, long, RuleId::TIMEOUT),
            (404, long, CONTEXT_WINDOW),
            (404, full, RuleId::UNKNOWN_MODEL),
            (404, spent, RuleId::UNKNOWN_MODEL),
            (429, over, RuleId::REQUEST_OVER_RATE),
            (429, spent, RuleId::QUOTA_EXHAUSTED),
            (429, long, RATE_LIMIT),
            (500, long, CONTEXT_WINDOW),
            (500, "No connected db.", RuleId::AUTHENTICATION),
            (500, full, RuleId::SERVER_ERROR),
        ] {
            assert_eq!(super::super::rule_of(status, text), rule, "{status} {text}");
        }
    }

    #[test]
    fn a_request_over_a_rate_is_too_large_and_counted_by_time() {
        for (text, is_over) in [
            (
                "Request too large for m on tokens per min: Limit 30000",
                true,
            ),
            ("Request too large for this server", false),
            ("Rate limit reached on tokens per min: Limit 30000", false),
        ] {
            assert_eq!(
                RefusalWords::RequestOverRate.are_in(text),
                is_over,
                "{text}"
            );
        }
    }
}
